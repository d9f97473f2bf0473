"""What a curation will take is told before it begins, from a sample that loses as much as the whole."""

from __future__ import annotations

import asyncio
import random
import time
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmsynth import Recipe, Record, Run
from llmsynth.errors import RecipeError
from llmsynth.footprint import bytes_held
from llmsynth.prediction import Prediction, Spent, StagePrediction, predict
from llmsynth.similarity.shingles import least_shingle
from llmsynth.similarity.vectors import EXACT_UP_TO, compared
from llmsynth.steps.duplicates import MinhashDuplicates
from tests.loopback import Loopback
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_rows import lines

ROWS = 8_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the rows are new, a third are copies of an earlier row, a third are near copies."""
    rng = random.Random(1)
    rows: list[list[str]] = []
    for number in range(ROWS):
        words = [f"word{rng.randrange(900)}" for _ in range(30)] if number % 3 == 0 else list(rng.choice(rows))
        if number % 3 == 2:
            words[rng.randrange(30)] = "changed"
        rows.append(words)
    rng.shuffle(rows)
    return lines(tmp_path_factory.mktemp("source") / "data.jsonl", [{"text": " ".join(words)} for words in rows])


def recipe(source: Path, *steps: dict[str, Any], **more: Any) -> Recipe:
    return Recipe.from_data({"generator": {"use": "rows", "path": str(source)}, "steps": list(steps), **more})


def foreseen(recipe: Recipe) -> Prediction:
    expected = asyncio.run(predict(recipe))
    assert expected is not None
    return expected


EXACT, MINHASH = {"use": "exact-duplicates", "on": ["text"]}, {"use": "minhash-duplicates", "on": ["text"]}


def test_as_many_rows_are_foreseen_at_each_step_as_come_to_it(source: Path) -> None:
    expected = foreseen(recipe(source, EXACT, MINHASH, {"use": "tests.plugins:odd_line"}))
    assert expected.rows == ROWS
    assert ROWS / 10 <= expected.sampled <= ROWS / 5
    texts = [record.fields["text"] for record in recipe(source).build().generator.records()]  # type: ignore[attr-defined]
    unlike = asyncio.run(kept_of(MinhashDuplicates(("text",)), texts))
    at = [stage.rows for stage in expected.stages]
    assert at[0] == ROWS
    assert at[1] == pytest.approx(len(set(texts)), rel=0.1)
    assert at[2] == pytest.approx(unlike, rel=0.15)
    assert unlike < ROWS / 2


async def kept_of(step: Any, texts: list[str]) -> int:
    records = await step.apply([Record(str(n), {"text": text}) for n, text in enumerate(texts)], Run({}))
    return sum(record.dropped is None for record in records)


def test_what_a_step_holds_in_the_end_is_foreseen(source: Path) -> None:
    expected = foreseen(recipe(source, MINHASH)).stages[0]
    step = MinhashDuplicates(("text",))
    records = list(recipe(source).build().generator.records())  # type: ignore[attr-defined]
    asyncio.run(step.apply(records, Run({})))
    assert expected.bytes == pytest.approx(bytes_held(step), rel=0.35)


def test_a_step_that_asks_a_model_is_left_out(source: Path) -> None:
    judge = {"judge": {"use": "fake", "function": "tests.plugins:last_words"}}
    expected = foreseen(recipe(source, {"use": "tests.plugins:Asking", "every": 1}, EXACT, models=judge))
    assert [(stage.asks, stage.rows) for stage in expected.stages] == [(True, ROWS), (False, ROWS)]
    assert expected.stages[0].spent == Spent()


def test_what_comes_behind_answers_and_pairs_of_them_is_foreseen(source: Path) -> None:
    steps = [
        {"use": "respond", "samples": 2, "columns": {"instruction": "text"}},
        {"use": "preference", "columns": {"instruction": "text"}},
        {"use": "where", "keep": "words(chosen) > 0 and score_chosen >= 0"},
        {"use": "minhash-duplicates", "on": ["prompt"]},
    ]
    models = {"default": {"use": "fake", "function": "tests.plugins:last_words"}}
    expected = foreseen(recipe(source, *steps, models=models))
    assert [stage.asks for stage in expected.stages] == [True, True, False, False]
    assert [stage.rows for stage in expected.stages] == [ROWS] * 4
    assert expected.stages[3].bytes > 2**20


def test_nothing_is_asked_of_an_endpoint_before_it_is_told_what_that_takes(source: Path, loopback: Loopback) -> None:
    embedder = {"use": "openai", "model": "small", "base_url": loopback.url}
    expected = foreseen(recipe(source, {"use": "semantic-duplicates", "on": ["text"], "embedder": embedder}, EXACT))
    assert [(stage.asks, stage.rows) for stage in expected.stages] == [(True, ROWS), (False, ROWS)]
    assert loopback.requests == 0


class Clock:
    now = 0.0


@dataclass
class Searching:
    """Takes a second for each record, and a thousandth more for each that it holds, in 10,000 bytes."""

    held: dict[str, bytes] = field(default_factory=dict, init=False)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        for record in batch:
            Clock.now += 1.0 + 0.001 * len(self.held)
            self.held[record.id] = record.id.encode().ljust(10_000)
        return batch


def test_what_takes_longer_and_longer_is_foreseen_to(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("perf_counter", "process_time"):
        monkeypatch.setattr(time, name, lambda: Clock.now)
    searching = foreseen(recipe(source, {"use": "tests.test_prediction:Searching"})).stages[0]
    assert searching.bytes == pytest.approx(10_200 * ROWS, rel=0.05)
    assert (
        searching.spent.processor
        == searching.spent.seconds
        == pytest.approx(sum(1.0 + 0.001 * held for held in range(ROWS)), rel=0.1)
    )


def test_few_rows_are_not_worth_a_prediction(tmp_path: Path) -> None:
    path = lines(tmp_path / "few.jsonl", [{"text": "x"}] * 4_000)
    assert asyncio.run(predict(recipe(path, EXACT))) is None


def test_only_rows_are_foreseen() -> None:
    made = Recipe(generator={"use": "tests.plugins:Echoes"}, models={"default": {"use": "pocket"}})
    with pytest.raises(RecipeError, match="only what curates rows"):
        asyncio.run(predict(made))


def test_more_memory_than_allowed_is_refused_before_it_begins(llmsynth: Any, source: Path) -> None:  # noqa: F811
    command = ["curate", str(source), "--steps", "exact-duplicates", "-o", "out"]
    outcome = llmsynth(*command, "--memory-limit", "20MiB")
    assert outcome.code == 1
    assert "expected: " in outcome.err and "of memory for 8,000 rows, going by" in outcome.err
    assert "of memory are expected to be needed, more than the 20 MiB allowed; exact-duplicates holds" in outcome.err
    assert not Path("out").exists()
    assert "is no size" in llmsynth(*command, "--memory-limit", "much").err
    outcome = llmsynth(*command, "--memory-limit", "64 GiB")
    assert outcome.code == 0 and "exact-duplicates: 8,000 rows, " in outcome.err
    assert "expected: " not in llmsynth(*command).err  # it is there


def test_a_prediction_as_people_read_it() -> None:
    from llmsynth.cli.curate import expectation

    stages = (
        StagePrediction("a", 5_000, Spent(30.2, 30.0), 3 * 2**30),
        StagePrediction("b", 400, Spent(), 0, asks=True),
        StagePrediction("c", 400, Spent(300.0, 100.0), 7),
    )
    told = expectation(Prediction(5_000_000, 9_000, Spent(7_200, 7_000), 5 * 2**29, stages))
    assert told.splitlines() == [
        "expected: 2.0 h and 2.5 GiB of memory for 5,000,000 rows, going by 9,000 of them",
        "  a: 5,000 rows, 30 s, holds 3.0 GiB",
        "  b: 400 rows, asks a model, which takes its time",
        "  c: 400 rows, 5 min (2 min of the processor)",
    ]


def test_near_copies_mostly_agree_in_their_least_run_of_words() -> None:
    rng = random.Random(4)
    words = [f"w{number}" for number in range(60)]
    agree = 0
    for _ in range(300):
        rng.shuffle(words)
        other = list(words)
        other[rng.randrange(60)] = "changed"
        agree += least_shingle(" ".join(words), 3) == least_shingle(" ".join(other).upper(), 3)
    assert agree / 300 == pytest.approx(55 / 61, abs=0.06)  # their Jaccard index: 55 of 61 runs are common
    assert least_shingle("", 3) == 0


def test_beyond_what_is_compared_with_all_cells_alone_are() -> None:
    assert compared(EXACT_UP_TO) == EXACT_UP_TO > compared(2 * EXACT_UP_TO)
    assert compared(10, exact_up_to=10) == 10


@dataclass
class Holder:
    numbers: Any = None
    texts: list[str] = field(default_factory=list)
    names: dict[bytes, str] = field(default_factory=dict)


def test_what_an_object_holds_is_what_was_allocated_for_it() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        holder = Holder(np.zeros((1_000, 64), np.int16))
        holder.texts = [f"text number {number}" * 3 for number in range(20_000)]
        holder.names = {f"{number:016}".encode(): f"id {number}" for number in range(20_000)}
        allocated = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert bytes_held(holder) == pytest.approx(allocated, rel=0.05)


def test_what_is_shared_counts_once_and_what_belongs_to_all_never() -> None:
    array = np.zeros(100_000, np.uint8)
    assert bytes_held([array, array, array[5:]]) < 101_000
    assert bytes_held([array[5:], array]) < 101_000
    assert bytes_held([np, random.Random, len]) < 1_000
    loop: list[Any] = []
    loop.append(loop)
    assert bytes_held(loop) < 200
