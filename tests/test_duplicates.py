"""The steps that drop duplicates: what they keep, what they tell, and another threshold afterwards."""

from __future__ import annotations

import asyncio
import pickle
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.cli.scores import score_lines
from llmsynth.columns import text_of
from llmsynth.errors import RecipeError, RunError
from llmsynth.recipe import Recipe, publishable
from llmsynth.record import Record
from llmsynth.request import Request
from llmsynth.run import Run
from llmsynth.similarity import greedy, jaccard, rouge_l
from llmsynth.similarity.vectors import cosine, fixed
from llmsynth.steps._duplicate import near
from llmsynth.steps.duplicates import ExactDuplicates, MinhashDuplicates, RougeDuplicates, SemanticDuplicates
from llmsynth.synthesis import synthesize
from tests.loopback import Loopback
from tests.near_texts import near_duplicates, run_python
from tests.test_embed import STATIC, TOKENS

ON = ("text",)
WORDS = sorted(word for word in TOKENS._tokenizer.get_vocab() if word.isascii() and word.isalpha() and len(word) > 3)
_MADE_UP = re.compile(r"w(\d+)")
NEAR = {"rouge": RougeDuplicates, "minhash": MinhashDuplicates, "semantic": SemanticDuplicates}
THRESHOLDS = {"rouge": 0.7, "minhash": 0.6, "semantic": 0.9}


def scorer(method: str, texts: list[str]) -> Callable[[int, int], float]:
    """The score of two texts, without an index."""
    if method == "rouge":
        return lambda i, j: rouge_l(texts[i], texts[j])
    if method == "minhash":
        return lambda i, j: jaccard(texts[i], texts[j])
    vectors = fixed(STATIC.vectors(texts))
    return lambda i, j: cosine(vectors[i], vectors[j])


def step_of(method: str, **options: Any) -> Any:
    return NEAR[method](**{"on": ON, "threshold": THRESHOLDS[method], **options})


def records_of(texts: list[str], lineages: list[str | None] | None = None) -> list[Record]:
    families = lineages or [None] * len(texts)
    return [
        Record(f"r{i}", {"text": text}, {"lineage": family} if family else {})
        for i, (text, family) in enumerate(zip(texts, families, strict=True))
    ]


def applied(step: Any, records: list[Record], size: int = 32, run: Run | None = None) -> list[Record]:
    async def go() -> list[Record]:
        done: list[Record] = []
        for start in range(0, len(records), size):
            done += await step.apply(records[start : start + size], run or Run(models={}))
        return done

    return asyncio.run(go())


def outcome(records: list[Record]) -> dict[str, Any]:
    """What each dropped record is said to be a duplicate of."""
    return {record.id: record.meta["duplicate_of"] for record in records if record.dropped}


def brute_force(method: str, texts: list[str], threshold: float, lineages: list[str | None]) -> dict[str, Any]:
    score = scorer(method, texts)
    kept: list[int] = []
    dropped: dict[str, Any] = {}
    for i in range(len(texts)):
        others = [(score(i, j), -j) for j in kept if lineages[i] is None or lineages[i] != lineages[j]]
        best, place = max(others, default=(0.0, 0))
        if best > threshold or (best == threshold and method != "rouge"):
            dropped[f"r{i}"] = {"kept_id": f"r{-place}", "method": method, "score": best}
        else:
            kept.append(i)
    return dropped


def sample(seed: int, count: int = 300) -> tuple[list[str], list[str | None]]:
    """Texts with near and exact duplicates, a third of them in lineages."""
    rng = random.Random(seed)
    texts = [_MADE_UP.sub(lambda word: WORDS[int(word[1])], text) for text in near_duplicates(count, rng)]
    for _ in range(count // 8):
        texts[rng.randrange(count)] = rng.choice(texts)
    return texts, [f"seed{rng.randrange(12)}" if rng.random() < 0.3 else None for _ in texts]


# what is kept


@pytest.mark.parametrize("method", ["rouge", "semantic"])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_goes_and_for_which_row_is_what_comparing_all_rows_says(method: str, seed: int) -> None:
    texts, lineages = sample(seed)
    expected = brute_force(method, texts, THRESHOLDS[method], lineages)
    assert outcome(applied(step_of(method), records_of(texts, lineages))) == expected
    assert 20 < len(expected) < 280


def test_minhash_drops_nothing_that_is_not_similar_and_misses_little() -> None:
    texts, lineages = sample(3)
    expected = brute_force("minhash", texts, 0.6, lineages)
    found = outcome(applied(step_of("minhash"), records_of(texts, lineages)))
    score = scorer("minhash", texts)
    assert all(drop["score"] == score(int(id[1:]), int(drop["kept_id"][1:])) >= 0.6 for id, drop in found.items())
    assert len({*found} ^ {*expected}) <= 0.02 * len(texts)
    assert len(expected) > 20


@pytest.mark.parametrize("floor", [None, "lower"])
@pytest.mark.parametrize("method", NEAR)
def test_batches_change_nothing(method: str, floor: str | None) -> None:
    texts, lineages = sample(4)
    options = {"floor": THRESHOLDS[method] - 0.2} if floor else {}
    results = [
        [(r.id, r.dropped, r.meta) for r in applied(step_of(method, **options), records_of(texts, lineages), size)]
        for size in (1, 7, 300)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "step", [ExactDuplicates(ON), *(step_of(method) for method in NEAR)], ids=lambda s: type(s).__name__
)
def test_of_ten_equal_rows_one_is_kept_and_nine_name_it(step: Any) -> None:
    texts = ["Name a river in Europe, please."] * 10 + ["Something quite different is asked for here."]
    result = applied(step, records_of(texts), 4)
    assert [record.id for record in result if not record.dropped] == ["r0", "r10"]
    assert all(drop["kept_id"] == "r0" and drop["score"] == 1.0 for drop in outcome(result).values())
    reasons = Counter(record.dropped.reason for record in result if record.dropped)
    assert reasons == {f"{outcome(result)['r1']['method']}_duplicate": 9}


@pytest.mark.parametrize("method", NEAR)
def test_a_row_that_evolved_from_another_is_no_duplicate_of_it_but_of_a_stranger(method: str) -> None:
    text = "Explain in three sentences how a bicycle stays upright while it is moving"
    child = f"{text} slowly"
    records = records_of([text, child, child, text], ["seed1", "seed1", "seed2", None])
    result = applied(step_of(method), records)
    assert [record.dropped is None for record in result] == [True, True, False, False]
    assert outcome(result)["r2"]["kept_id"] == "r1"
    assert outcome(result)["r3"]["kept_id"] == "r0"


@pytest.mark.parametrize("method", NEAR)
def test_rows_that_are_dropped_already_are_left_alone_and_drop_nothing(method: str) -> None:
    first, second = records_of(["Write a short poem about the sea and its colours"] * 2)
    gone = first.drop("too_short")
    result = applied(step_of(method), [gone, second])
    assert result == [gone, second]


@pytest.mark.parametrize("method", NEAR)
def test_rows_without_a_word_are_like_none(method: str) -> None:
    assert outcome(applied(step_of(method), records_of(["", "", " \n", "?"][: 3 if method == "semantic" else 4]))) == {}


# columns


def test_columns_may_be_conversations_numbers_and_nothing() -> None:
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "there"}]},
    ]
    records = [
        Record("a", {"messages": turns, "number": 3, "note": None}),
        Record("b", {"messages": [*turns], "number": 3}),
        Record("c", {"messages": turns, "number": 4}),
        Record("d", {"messages": turns[:1], "number": 3}),
    ]
    assert [*outcome(applied(ExactDuplicates(("messages", "number", "note")), records))] == ["b"]
    assert [*outcome(applied(ExactDuplicates(("messages",)), records))] == ["b", "c"]


@pytest.mark.parametrize(
    "step", [ExactDuplicates(), RougeDuplicates(), MinhashDuplicates(), SemanticDuplicates()], ids=str
)
def test_a_step_that_would_compare_nothing_says_which_columns_there_are(step: Any) -> None:
    with pytest.raises(RecipeError, match="the record r0 has no column") as error:
        applied(step, records_of(["a text"]))
    assert "it has text" in error.value.hint


def test_a_text_of_ten_megabytes_passes() -> None:
    long = " ".join(f"w{i}" for i in range(1_300_000))
    for method in ("minhash", "semantic"):
        assert len(outcome(applied(step_of(method), records_of([long, "short", long])))) == 1


# another threshold


@mock.patch.object(greedy, "MOST_PAIRS", 1000)
@pytest.mark.parametrize("lineage", [False, True])
@pytest.mark.parametrize("method", NEAR)
def test_another_threshold_afterwards_keeps_what_a_run_with_it_keeps(method: str, lineage: bool) -> None:
    texts, families = sample(5, 250)
    records = records_of(texts, families if lineage else None)
    usual = THRESHOLDS[method]
    floor = usual - 0.2
    step = step_of(method, floor=floor)
    noted = [near(record, f"{method}: text") for record in applied(step, records)]
    for threshold in (floor, usual, usual + 0.05, 0.99):
        expected = outcome(applied(step_of(method, threshold=threshold, floor=floor), records))
        found = greedy.rethreshold(noted, threshold, floor, strict=method == "rouge")
        assert {id: (match.id, match.score) for id, match in found.items()} == {
            id: (drop["kept_id"], drop["score"]) for id, drop in expected.items()
        }
        assert 0 < len(expected) < 250


@pytest.mark.parametrize("method", ["rouge", "semantic"])
def test_noting_pairs_changes_nothing_that_is_kept(method: str) -> None:
    texts, families = sample(6)
    records = records_of(texts, families)
    without = applied(step_of(method), records)
    noting = applied(step_of(method, floor=THRESHOLDS[method] - 0.2), records)
    assert [record.dropped is None for record in noting] == [record.dropped is None for record in without]


@given(st.data())
def test_rethresholding_any_scores_gives_the_greedy_decisions(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    grades = [0.5, 0.6, 0.7, 0.8, 0.9]
    scores = {(i, j): data.draw(st.sampled_from([0.0, *grades])) for i in range(count) for j in range(i)}
    families = [data.draw(st.sampled_from([None, None, "a", "b"])) for _ in range(count)]

    def decided(threshold: float, notes: bool) -> tuple[dict[str, Any], list[tuple[str, greedy.Near]]]:
        rule, places, noted = greedy.Greedy(threshold, notes=notes), list[int](), []
        fates: dict[str, Any] = {}
        for i in range(count):
            similar = [(p, scores[i, j]) for p, j in enumerate(places) if scores[i, j] >= 0.5]
            verdict = rule.judge(str(i), similar, families[i])
            noted.append((str(i), verdict.near))
            if verdict.enters:
                places.append(i)
            if verdict.duplicate_of:
                fates[str(i)] = verdict.duplicate_of
        return fates, noted

    with mock.patch.object(greedy, "MOST_PAIRS", data.draw(st.sampled_from([1, 2, 50]))):
        _, noted = decided(data.draw(st.sampled_from(grades)), True)
        for threshold in grades:
            try:
                found = greedy.rethreshold(noted, threshold, 0.5)
            except RunError:
                assert greedy.MOST_PAIRS < 50
            else:
                assert found == decided(threshold, False)[0]


def test_a_threshold_below_the_floor_is_refused() -> None:
    with pytest.raises(RunError, match=r"from a score of 0\.6 on"):
        greedy.rethreshold([], 0.5, 0.6)


@mock.patch.object(greedy, "MOST_PAIRS", 2)
def test_a_row_with_more_neighbours_than_noted_is_decided_or_refused() -> None:
    rule = greedy.Greedy(0.6, notes=True)
    rows = {"k": [], "a": [(0, 0.8)], "b": [(0, 0.8)], "c": [(0, 0.7), (1, 0.9), (2, 0.85)]}
    noted = [(id, rule.judge(id, similar).near) for id, similar in rows.items()]
    assert [pair[0] for pair in noted[-1][1]["pairs"]] == ["a", "b"]
    with pytest.raises(RunError, match="c has more rows near it"):
        greedy.rethreshold(noted, 0.6, 0.5)
    assert [*greedy.rethreshold(noted, 0.75, 0.5)] == ["a", "b"]
    assert greedy.rethreshold(noted, 0.85, 0.5) == {"c": ("a", 0.9)}


# options and processes


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.5}, {"floor": 0.97}, {"floor": 0}])
@pytest.mark.parametrize("method", NEAR)
def test_thresholds_out_of_range_are_refused(method: str, options: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=next(iter(options))):
        NEAR[method](**options)


@pytest.mark.parametrize("method", NEAR)
def test_a_step_goes_on_where_its_pickle_was_made(method: str) -> None:
    texts, _ = sample(7, 200)
    records = records_of(texts)
    step = step_of(method)
    first = applied(step, records[:100])
    assert outcome(applied(pickle.loads(pickle.dumps(step)), records[100:])) == outcome(applied(step, records[100:]))
    assert first


def test_results_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from tests.test_duplicates import *\n"
        "texts, lineages = sample(8, 150)\n"
        "for method in NEAR:\n"
        "    done = applied(step_of(method, floor=0.5), records_of(texts, lineages), 9)\n"
        "    print([(r.dropped, r.meta) for r in done])\n"
    )
    assert run_python(code, "1") == run_python(code, "2")


def test_the_loss_of_cells_is_told_in_the_report() -> None:
    texts, _ = sample(9, 400)
    run = Run(models={})
    with mock.patch("llmsynth.similarity.vectors._SAMPLED", 2):
        applied(step_of("semantic", exact_up_to=50), records_of(texts), run=run)
    [(name, note)] = run.notes.items()
    assert "recall beyond 50" in name
    assert isinstance(note, dict) and note["pairs_sampled"] > 0 and 0.5 < note["share_found"] <= 1
    [line] = score_lines({"notes": run.notes})
    share = f"{note['share_found']:.1%}"
    assert line.startswith(f"semantic_duplicates: beyond 50 records, {share} of the pairs were found")


# during generation


async def test_the_vectors_of_a_run_are_kept_in_its_directory(tmp_path: Path) -> None:
    records = records_of(["first text", "second text", "first text"])
    run = Run(models={}, directory=tmp_path)
    await step_of("semantic", embedder={"use": "tests.test_embed:Counting"}).apply(records, run)
    [file] = (tmp_path / "vectors").iterdir()
    assert file.stat().st_size == file.read_bytes().index(b"\n") + 1 + 2 * (16 + 2 * 3)


def test_the_address_of_an_embedder_is_not_published(loopback: Loopback) -> None:
    embedder = {"use": "openai", "model": "e5", "base_url": loopback.url}
    recipe = Recipe(
        generator={"use": "tests.plugins:Echoes"},
        models={"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        steps=[{"use": "semantic-duplicates", "embedder": embedder}],
    )
    published = publishable(recipe.resolved())["steps"][0]["embedder"]
    assert published == {"use": "openai", "model": "e5"}
    assert recipe.resolved()["steps"][0]["embedder"] == embedder


TASKS = [
    "Describe how rivers shape the valleys that they run through over many thousand years",
    "Translate this short letter about a lost umbrella into polite and modern Spanish prose",
    "Sort the following list of prime numbers in Python without using any library function",
    "Why do enzymes stop working when the liquid around them becomes far too hot or sour",
    "Plan a cheap vegetarian dinner for six hungry guests who all arrive at different hours",
    "Name two painters of the baroque period and one famous work by each of the two painters",
]


def nearly_thrice(request: Request) -> str:
    """Each task three times in a row, with a word more or less."""
    number = int(request.messages[-1]["content"].removeprefix("Task: "))
    return TASKS[number // 3 % len(TASKS)] + " please" * (number % 3)


@pytest.mark.parametrize("method", NEAR)
def test_a_target_counts_unique_rows_while_they_are_generated(tmp_path: Path, method: str) -> None:
    recipe = Recipe(
        target=6,
        generator={"use": "tests.plugins:Echoes", "count": 200},
        models={"default": {"use": "fake", "function": "tests.test_duplicates:nearly_thrice"}},
        steps=[{"use": f"{method}-duplicates", "on": ["output"], "threshold": THRESHOLDS[method]}],
    )
    result = synthesize(recipe, tmp_path / "run")
    records = list(result.records())
    kept = {record.id: record.fields["output"] for record in records if not record.dropped}
    assert result.report["rows"]["kept"] == len(TASKS)
    assert list(kept.values()) == TASKS
    duplicates = [record.meta["duplicate_of"] for record in records if "duplicate_of" in record.meta]
    assert result.report["rows"]["dropped"][f"{method}_duplicate"] == len(duplicates) >= 10
    assert all(duplicate["kept_id"] in kept and 0.6 < duplicate["score"] <= 1 for duplicate in duplicates)


def test_whatever_a_column_holds_is_compared_by_what_it_says() -> None:
    said = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": "Hello"}]
    assert [text_of(value) for value in (said, parts, ["Hi", "Hello"])] == ["Hi\n\nHello"] * 3
    assert text_of({"b": 1, "a": [2, None]}) == text_of({"a": [2, None], "b": 1}) == '{"a":[2,null],"b":1}'
    assert [text_of(value) for value in (None, 3, 2.5)] == ["", "3", "2.5"]


@pytest.mark.parametrize(
    ("texts", "dropped"),
    [
        (["用 Python 写一个排序函数", "解释 Python 的垃圾回收"], [False, False]),
        (["用 Python 写一个排序函数", "用 Python 写一个排序的函数"], [False, True]),
        (["Расскажи о реке Волге и её притоках", "Расскажи о реке Волге и её главных притоках"], [False, True]),
        (["Расскажи о Волге", "Напиши письмо другу"], [False, False]),
    ],
)
def test_by_rouge_rows_of_other_scripts_are_told_apart_by_their_own_words(
    texts: list[str], dropped: list[bool]
) -> None:
    assert [record.dropped is not None for record in applied(step_of("rouge"), records_of(texts))] == dropped
