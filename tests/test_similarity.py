"""ROUGE-L novelty, checked against the `rouge_score` package and against brute force."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist
from rouge_score import rouge_scorer, tokenize

from llmsynth.errors import RecipeError
from llmsynth.similarity import Match, RougeIndex, pool, rouge_l, rouge_tokens
from llmsynth.similarity.compiling import compiled
from tests.near_texts import near_duplicates, run_python

SCORER = rouge_scorer.RougeScorer(["rougeL"])
ODD_TEXTS = [
    "",
    " \t\n\u00a0",
    "!?.,;:-",
    "İstanbul'da ÇAY, \u212aelvin ΣΊΣΥΦΟΣ straße ﬁne x² ①",
    "日本語のテキスト",
    "lone \ud800 surrogate\udfff here",
    "snake_case camelCase 3.14 1,000 e-mail",
    "nul\x00byte\x1fand\x85next line",
]


def reference(a: str, b: str) -> float:
    return float(SCORER.score(a, b)["rougeL"].fmeasure)


def indexed_from(texts: int) -> mock._patch[int]:
    """Build the inverted index from so many texts on, instead of comparing small pools one by one."""
    return mock.patch.object(pool, "_UNINDEXED", texts)


def texts_over(words: int, longest: int) -> st.SearchStrategy[str]:
    return st.lists(st.integers(0, words - 1).map("w{}".format), max_size=longest).map(" ".join)


few_words = texts_over(3, 14)  # many ties and near misses, many repeated tokens
many_words = texts_over(500, 14)
any_texts = st.text(max_size=30) | few_words | many_words


# the functions


@given(st.text() | st.sampled_from(ODD_TEXTS))
@settings(deadline=None, derandomize=True)
def test_tokens_are_those_of_rouge_score(text: str) -> None:
    assert rouge_tokens(text) == tokenize.tokenize(text, None)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_tokens_of_odd_texts_are_those_of_rouge_score(text: str) -> None:
    assert rouge_tokens(text) == tokenize.tokenize(text, None)


def test_every_character_gives_the_tokens_of_rouge_score() -> None:
    for start in range(0, sys.maxunicode + 1, 4096):
        text = " ".join(f"a{chr(code)}b" for code in range(start, start + 4096))
        assert rouge_tokens(text) == tokenize.tokenize(text, None), hex(start)


@given(any_texts, any_texts)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_rouge_l_is_that_of_rouge_score_to_the_last_float(a: str, b: str) -> None:
    assert rouge_l(a, b) == reference(a, b)


@pytest.mark.parametrize("lengths", [(63, 65), (64, 64), (65, 200), (129, 40), (192, 128)])
@pytest.mark.parametrize("words", [2, 5, 80])
def test_rouge_l_is_that_of_rouge_score_beyond_64_tokens(lengths: tuple[int, int], words: int) -> None:
    rng = random.Random(words)
    for _ in range(5):
        a, b = (" ".join(f"w{rng.randrange(words)}" for _ in range(length)) for length in lengths)
        assert rouge_l(a, b) == reference(a, b)


def test_a_word_is_matched_once_however_far_apart_its_repeats_are() -> None:
    filler = " ".join(f"w{i}" for i in range(150))
    assert rouge_l(f"start again {filler} again end", "again") == reference(f"start again {filler} again end", "again")


def test_rouge_l_of_texts_without_tokens_is_zero() -> None:
    assert rouge_l("", "") == rouge_l("...", "...") == rouge_l("日本語", "日本語") == rouge_l("", "word") == 0.0


def test_an_f1_of_seven_tenths_is_decided_as_rouge_score_decides_it() -> None:
    """The same fraction comes out as 0.7 for one pair of lengths and above it for another."""
    accepted, rejected = 0, 0
    for m in range(1, 60):
        for n in range(m, 60):
            if (7 * (m + n)) % 20 or (common := 7 * (m + n) // 20) > m:
                continue
            a = " ".join(f"w{i}" for i in range(m))
            b = " ".join(f"w{i}" if i < common else f"x{i}" for i in range(n))
            index = RougeIndex(0.7)
            index.add(a, "a")
            match = index.nearest(b)
            assert (match is not None) == (reference(a, b) > 0.7)
            accepted += match is None
            rejected += match is not None
    assert accepted and rejected


# the index


@pytest.mark.parametrize("unindexed", [1, 5, 1000])
@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.7, 0.9, 1.0])
def test_greedy_decisions_equal_brute_force(threshold: float, unindexed: int) -> None:
    @given(st.lists(few_words, max_size=30) | st.lists(many_words, max_size=30))
    @settings(deadline=None, derandomize=True, max_examples=40)
    def check(texts: list[str]) -> None:
        index, accepted = RougeIndex(threshold), list[str]()
        for i, text in enumerate(texts):
            scores = [rouge_l(text, other) for other in accepted]
            best = max(scores, default=0.0)
            match = index.nearest(text)
            if best > threshold:
                assert match == Match(accepted[scores.index(best)], best)
            else:
                assert match is None
                index.add(text, text)
                accepted.append(text)
            assert len(index) == len(accepted), i

    with indexed_from(unindexed):
        check()


@pytest.mark.parametrize("unindexed", [2, 1000])
@given(st.lists(few_words, min_size=1, max_size=12), few_words)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_the_nearest_text_is_the_earliest_of_the_most_similar(unindexed: int, texts: list[str], text: str) -> None:
    scores = [reference(other, text) for other in texts]
    with indexed_from(unindexed):
        index = RougeIndex(0.4)
        for i, other in enumerate(texts):
            index.add(other, str(i))
    best = max(scores)
    assert index.nearest(text) == (Match(str(scores.index(best)), best) if best > 0.4 else None)


@pytest.mark.parametrize("unindexed", [2, 1000])
@given(st.lists(few_words, min_size=1, max_size=12), few_words, st.integers(1, 14))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_the_matches_are_the_best_of_those_above_the_threshold(
    unindexed: int, texts: list[str], text: str, k: int
) -> None:
    scores = sorted((-score, i) for i, other in enumerate(texts) if (score := reference(other, text)) > 0.4)
    with indexed_from(unindexed):
        index = RougeIndex(0.4)
        for i, other in enumerate(texts):
            index.add(other, str(i))
    assert index.matches(text, k) == [Match(str(i), -score) for score, i in scores[:k]]


@given(st.lists(any_texts, max_size=12), any_texts, st.integers(0, 15))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_the_most_similar_texts_are_exact_whatever_the_threshold(texts: list[str], text: str, k: int) -> None:
    index = RougeIndex(0.9)
    for i, other in enumerate(texts):
        index.add(other, str(i))
    ranked = sorted(((-reference(other, text), i) for i, other in enumerate(texts)), key=lambda pair: pair)
    assert index.most_similar(text, k) == [Match(str(i), -score) for score, i in ranked[:k]]


def test_five_thousand_texts_are_decided_as_by_brute_force() -> None:
    rng = random.Random(11)
    texts = near_duplicates(5000, rng)
    tokens = [rouge_tokens(text) for text in texts]
    names = {token: chr(0x4E00 + i) for i, token in enumerate(sorted({t for text in tokens for t in text}))}
    spelled = ["".join(names[token] for token in text) for text in tokens]
    lengths = np.array([len(text) for text in tokens])
    accepted: list[int] = []
    index = RougeIndex(0.7)
    rejections = 0
    for i, text in enumerate(texts):
        found = index.nearest(text)
        common = cdist([spelled[i]], [spelled[j] for j in accepted], scorer=LCSseq.similarity, dtype=np.int32)[0]
        precision, recall = common / lengths[i], common / lengths[accepted]
        with np.errstate(invalid="ignore"):  # nothing in common: 0 / 0, which is no match
            f = 2 * precision * recall / (precision + recall)
        matches = np.flatnonzero(f > 0.7)
        if matches.size:
            best = matches[np.argmax(f[matches])]
            assert found == Match(str(accepted[best]), f[best])
            rejections += 1
        else:
            assert found is None
            index.add(text, str(i))
            accepted.append(i)
    assert len(accepted) > 2000 and rejections > 1000


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_a_pool_indexed_many_times_answers_as_one_never_indexed(threshold: float) -> None:
    texts = near_duplicates(600, random.Random(5))
    with indexed_from(1):
        often = answers(threshold, texts)
    with indexed_from(10_000):
        assert answers(threshold, texts) == often
    assert len({match is None for match in often}) == 2


def answers(threshold: float, texts: list[str]) -> list[Match | None]:
    index = RougeIndex(threshold)
    found = []
    for i, text in enumerate(texts):
        found.append(index.nearest(text))
        index.add(text, str(i))
    return found


def test_asking_changes_nothing() -> None:
    index = RougeIndex()
    index.add("name three rivers of europe", "a")
    before = index.nearest("name three rivers of europe please")
    index.nearest("entirely new words new words")
    index.most_similar("other new words")
    assert index.nearest("name three rivers of europe please") == before == Match("a", 10 / 11)
    assert len(index) == 1


def test_texts_without_tokens_match_nothing() -> None:
    index = RougeIndex(0.1)
    for text in ODD_TEXTS:
        index.add(text, text)
    assert [index.nearest(text) for text in ("", "?", "日本語のテキスト")] == [None, None, None]
    assert index.nearest("lone \udfff surrogate HERE") == Match(ODD_TEXTS[5], 1.0)


def test_an_empty_pool_has_no_similar_text() -> None:
    assert RougeIndex().nearest("anything") is None
    assert RougeIndex().most_similar("anything") == []


def test_at_threshold_one_nothing_is_rejected() -> None:
    index = RougeIndex(1.0)
    index.add("the same", "a")
    assert index.nearest("the same") is None
    assert index.most_similar("the same") == [Match("a", 1.0)]


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(RecipeError, match="threshold") as error:
        RougeIndex(threshold)
    assert "above 0" in error.value.hint


def test_texts_of_a_megabyte_are_compared_exactly_within_bounded_memory() -> None:
    rng = random.Random(3)
    words = [f"w{rng.randrange(50_000)}" for _ in range(160_000)]
    edited = [f"x{i}" if i % 16 == 0 else word for i, word in enumerate(words)]
    long, similar = " ".join(words), " ".join(edited)
    assert len(long) > 1_000_000
    index = RougeIndex(0.7)
    index.add(long, "long")
    index.add("a short one", "short")
    # a sixteenth was replaced by words found nowhere else, the rest kept its order
    assert index.nearest(similar) == Match("long", 0.9375)
    assert index.nearest(long) == Match("long", 1.0)
    assert index.nearest(" ".join(reversed(words))) is None
    assert index.nearest("one a " * 200_000) is None
    held = sum(value.nbytes for value in vars(index._pool).values() if isinstance(value, np.ndarray))
    assert held < 100 * len(words)


def test_an_index_survives_pickling() -> None:
    index = RougeIndex()
    index.add("list four uses of copper wire", "a")
    again: RougeIndex = pickle.loads(pickle.dumps(index))
    again.add("draft a polite refusal letter", "b")
    assert again.nearest("list five uses of copper wire") == index.nearest("list five uses of copper wire")
    assert again.nearest("draft a polite refusal letter") == Match("b", 1.0)


def test_a_kernel_compiles_where_nothing_can_be_cached() -> None:
    scope: dict[str, Callable[[int], int]] = {}
    exec(compile("def double(x): return 2 * x", "no file", "exec"), scope)  # no file, so no folder for a cache
    assert compiled("int64(int64)")(scope["double"])(21) == 42


# the process


def test_answers_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import random\n"
        "from llmsynth.similarity import RougeIndex\n"
        "rng, index = random.Random(7), RougeIndex(0.5)\n"
        "for i in range(3000):\n"
        "    text = ' '.join(f'w{int(rng.paretovariate(0.5)) % 300}' for _ in range(rng.randint(2, 9)))\n"
        "    print(index.nearest(text), index.most_similar(text, 2) if i % 100 == 0 else '')\n"
        "    index.add(text, str(i))\n"
    )
    first, second = run_python(code, "1"), run_python(code, "2")
    assert first == second
    assert "Match(id=" in first and "None" in first


def test_importing_similarity_loads_neither_numpy_nor_numba() -> None:
    code = "import sys, llmsynth.similarity as s; s.rouge_tokens('a b'); print(*{'numpy', 'numba'} & set(sys.modules))"
    assert run_python(code).strip() == ""
