"""MinHash-LSH, checked against sets of words and against its own S-curve."""

from __future__ import annotations

import pickle
import random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import RecipeError
from llmsynth.heuristics import words_of
from llmsynth.similarity import Match, MinHashIndex, jaccard, shingles
from llmsynth.similarity.minhash import banding
from llmsynth.text import normalise
from tests.near_texts import near_duplicates, run_python

few_words = st.lists(st.integers(0, 3).map("w{}".format), max_size=12).map(" ".join)
any_texts = st.text(max_size=40) | st.text(alphabet="aB_1é ß-.\t\n", max_size=40) | few_words


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = normalise(text).split()
    if 0 < len(words) < n:
        return {tuple(words)}
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def reference(a: str, b: str, n: int = 3) -> float:
    first, second = grams(a, n), grams(b, n)
    return len(first & second) / len(first | second) if first and second else 0.0


@given(any_texts, any_texts, st.integers(1, 4))
def test_the_jaccard_index_is_that_of_the_sets_of_runs(a: str, b: str, n: int) -> None:
    assert jaccard(a, b, n) == reference(a, b, n)
    assert jaccard(a, a, n) == (1.0 if normalise(a) else 0.0)


@given(st.lists(any_texts, max_size=25), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_nothing_is_found_that_is_not_similar_and_every_equal_is(texts: list[str], threshold: float) -> None:
    index = MinHashIndex(threshold)
    for i, text in enumerate(texts):
        found = index.similar(text)
        scores = {match.id: match.score for match in found}
        assert all(score == reference(text, texts[int(id)]) >= threshold for id, score in scores.items())
        assert scores.keys() >= {str(j) for j, other in enumerate(texts[:i]) if reference(text, other) == 1.0}
        assert found == sorted(found, key=lambda match: (-match.score, int(match.id)))
        assert index.nearest(text) == (found[0] if found else None)
        index.add(text, str(i))


def planted(overlap: float, rng: random.Random) -> tuple[str, str]:
    """Two texts of single-word shingles whose Jaccard index is `overlap`."""
    size = 60
    common = round(2 * size * overlap / (1 + overlap))
    words = rng.sample(range(10**9), 2 * size - common)
    shared, one, other = words[:common], words[common:size], words[size:]
    return tuple(" ".join(map(str, [*shared, *rest])) for rest in (one, other))  # type: ignore[return-value]


@pytest.mark.parametrize("threshold", [0.5, 0.8])
@pytest.mark.parametrize("overlap", [0.5, 0.6, 0.7, 0.8, 0.9])
def test_pairs_are_found_as_often_as_the_s_curve_says(threshold: float, overlap: float) -> None:
    rng = random.Random(round(100 * (threshold + overlap)))
    pairs = [planted(overlap, rng) for _ in range(400)]
    exact = reference(*pairs[0], 1)
    index = MinHashIndex(threshold, n=1)
    index._pool._threshold = 0.0  # candidates, whatever their index
    for i, (text, _) in enumerate(pairs):
        index.add(text, str(i))
    found = sum(str(i) in {match.id for match in index.similar(text)} for i, (_, text) in enumerate(pairs))
    expected = index.banding.recall(exact)
    deviation = (expected * (1 - expected) / len(pairs)) ** 0.5
    assert abs(found / len(pairs) - expected) <= 3.5 * deviation + 1e-3


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_the_banding_finds_99_of_100_pairs_at_the_threshold_with_as_few_candidates_as_it_can(threshold: float) -> None:
    chosen = banding(threshold)
    assert chosen.bands * chosen.rows <= 128
    assert chosen.recall(threshold) >= 0.99 or chosen.rows == 1
    if chosen.rows < 128:
        assert type(chosen)(128 // (chosen.rows + 1), chosen.rows + 1).recall(threshold) < 0.99


def decisions(texts: list[str]) -> list[Match | None]:
    index, found = MinHashIndex(0.5, n=2), []
    for i, text in enumerate(texts):
        found.append(index.nearest(text))
        if found[-1] is None:
            index.add(text, str(i))
    return found


def test_greedy_decisions_on_a_thousand_texts_are_nearly_those_of_brute_force() -> None:
    texts = near_duplicates(1000, random.Random(4))
    found = decisions(texts)
    kept = [i for i, match in enumerate(found) if match is None]
    sets = [grams(text, 2) for text in texts]
    missed = 0
    for i, match in enumerate(found):
        scores = [(reference_of(sets[i], sets[j]), -j) for j in kept if j < i]
        best, place = max(scores, default=(0.0, 0))
        if match is None:
            missed += best >= 0.5
        else:
            assert match.score <= best
            missed += (match.id, match.score) != (str(-place), best)
    assert missed <= 0.01 * len(texts)
    assert 100 < len(kept) < 950


def reference_of(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def test_answers_do_not_depend_on_how_the_table_grows() -> None:
    texts = near_duplicates(700, random.Random(6))
    expected = decisions(texts)
    with mock.patch.object(shingles, "_FULL", 0.1):
        assert decisions(texts) == expected


def test_a_text_of_fewer_words_than_a_run_is_like_its_equals_only() -> None:
    index = MinHashIndex(0.8, n=5)
    index.add("Write a haiku!", "a")
    assert index.nearest("write, a HAIKU") == Match("a", 1.0)
    assert index.nearest("write a haiku now") is None
    assert index.nearest("a haiku") is None


def test_texts_without_a_word_are_like_nothing() -> None:
    index = MinHashIndex()
    for text in ("", "?!", " \n"):
        index.add(text, text)
    assert [index.nearest(text) for text in ("", "?!", "...", "a")] == [None] * 4


def test_other_scripts_and_compatibility_forms_count_as_normalised() -> None:
    index = MinHashIndex()
    index.add("Ｆｕｌｌ width ﬁne STRASSE, Привет мир 日本語", "a")
    assert index.nearest("full WIDTH fine straße привет - мир 日本語") == Match("a", 1.0)
    index.add("half \ud800 a pair of surrogates", "b")
    assert index.nearest("half \ud800 a pair of surrogates!") == Match("b", 1.0)


@pytest.mark.parametrize(
    ("text", "more", "far"),
    [
        ("请写一首关于秋天的诗，要有月亮和河流", "吧。", "请写一篇介绍北京历史的文章，要有长城和故宫"),
        ("秋の月についての短い詩を書いてください", "ね。", "東京の歴史についての長い文章を書いてください"),
        ("เขียนบทกวีเกี่ยวกับดวงจันทร์และแม่น้ำ", "นะ", "อธิบายประวัติศาสตร์ของกรุงเทพมหานคร"),
    ],
)
def test_near_duplicates_are_found_in_scripts_without_spaces(text: str, more: str, far: str) -> None:
    index = MinHashIndex()
    index.add(text, "a")
    assert index.nearest(text + more) is not None
    assert index.nearest(far) is None


@pytest.mark.parametrize(("one", "other"), [("दिन", "दीन"), ("ไม่", "ไม้"), ("مَن", "مِن"), ("בָּנָה", "בִּינָה")])
def test_words_that_differ_in_their_marks_are_different_words(one: str, other: str) -> None:
    assert normalise(one) == one and normalise(one) != normalise(other)
    assert jaccard(f"{one} {one} {one}", f"{other} {other} {other}") == 0
    assert words_of(f"{one}, {other}!") == [one, other]


def test_ten_thousand_texts_of_one_template_are_compared_in_bounded_time_and_memory() -> None:
    index = MinHashIndex(0.9)
    for i in range(10_000):
        index.add(f"the one template of all of these texts with the number {i} in its very middle part", str(i))
    assert index.nearest("the one template of all of these texts with the number 77 in its very middle part") == Match(
        "77", 1.0
    )
    held = sum(getattr(value, "nbytes", 0) for value in vars(index._pool).values())
    assert held < 1000 * len(index)


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(RecipeError, match="threshold"):
        MinHashIndex(threshold)


def test_runs_of_no_words_are_refused() -> None:
    with pytest.raises(RecipeError, match="n is 0"):
        MinHashIndex(n=0)


def test_an_index_survives_pickling() -> None:
    index = MinHashIndex()
    index.add("list four uses of copper wire in a house", "a")
    again: MinHashIndex = pickle.loads(pickle.dumps(index))
    again.add("draft a polite refusal letter to a bank", "b")
    assert again.nearest("list four uses of copper wire in a house") == Match("a", 1.0)
    assert again.nearest("draft a polite refusal letter to a bank") == Match("b", 1.0)


def test_answers_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import random\n"
        "from llmsynth.similarity import MinHashIndex\n"
        "from tests.near_texts import near_duplicates\n"
        "index = MinHashIndex(0.5, n=2)\n"
        "for i, text in enumerate(near_duplicates(500, random.Random(8))):\n"
        "    print(index.similar(text))\n"
        "    index.add(text, str(i))\n"
    )
    first, second = run_python(code, "1"), run_python(code, "2")
    assert first == second
    assert "Match(id=" in first
