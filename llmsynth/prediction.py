"""`predict`: the memory and the time that curating a source will take, measured on a sample of it beforehand."""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path
from typing import NamedTuple

from llmsynth.catalogue import steps_of
from llmsynth.dataset import RecordWriter, read_records, write_configs
from llmsynth.embed import asks_endpoint
from llmsynth.errors import RecipeError
from llmsynth.footprint import bytes_held
from llmsynth.generators.rows import Rows
from llmsynth.lineage import Splits
from llmsynth.prompts import Prompts
from llmsynth.recipe import Recipe
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity.shingles import least_shingle
from llmsynth.similarity.vectors import compared
from llmsynth.steps import Step, judges_alone

SAMPLE = 8_192  # rows, about
_WARM = 32
_REPEATS = 7
_NOTABLE = 0.1  # what is less could be chance
_CHECKS = 8  # times that a step's memory is looked at while the sample goes through
_READ = 1_000  # characters of a row that its family is known by
_LEAST = 5_000  # rows of a source worth a prediction


class Spent(NamedTuple):
    """Time: on the clock, and of the processor, which is less on a machine that is busy with other things."""

    seconds: float = 0.0
    processor: float = 0.0

    @classmethod
    def now(cls) -> Spent:
        return cls(time.perf_counter(), time.process_time())

    def since(self, began: Spent) -> Spent:
        return Spent(self.seconds - began.seconds, self.processor - began.processor)

    def plus(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.processor + other.processor)

    def times(self, factor: float) -> Spent:
        return Spent(self.seconds * factor, self.processor * factor)


@dataclass(frozen=True)
class StagePrediction:
    """What one step will take.

    rows: that come to it undropped. bytes: of what it holds in the end. asks: it asks a model, which nobody foresees.
    """

    name: str
    rows: int
    spent: Spent
    bytes: int
    asks: bool = False


@dataclass(frozen=True)
class Prediction:
    """What a run will take. spent, bytes: for all of it, reading and writing included; bytes is the peak."""

    rows: int
    sampled: int
    spent: Spent
    bytes: int
    stages: tuple[StagePrediction, ...] = field(default=())


async def predict(recipe: Recipe, directory: Path | None = None) -> Prediction | None:
    """What the run of a recipe over `rows` will take; None for a source so small that it is not worth the while.

    A sample of the rows goes through fresh steps: its speed, what they hold after more and more rows, and how many rows
    survive each are carried over to all rows. The sample is one of whole families: a row is in it if the least of its
    runs of three words, as a hash, is below a bound. So a row brings its copies and near copies along, and as large a
    share of the sample is dropped as duplicates as of the whole. Of steps that ask a model nothing is foreseen but what
    rows behind them are like.

    directory: of the run, where vectors that cost something are kept, so as not to be made twice.
    """
    rows = recipe.build().generator
    if not isinstance(rows, Rows):
        raise RecipeError("only what curates rows can be foreseen", "see `llmsynth estimate` for the others")
    total = rows.survey.rows
    if total < _LEAST:
        return None
    sample, share, reading = _sample(rows, total)
    run = Run({}, Prompts(), recipe.seed, directory=directory)
    stages = []
    records = sample
    for place, spec in enumerate(recipe.steps):
        stage, records = await _through(spec["use"], partial(_step, recipe, place), records, run, share)
        stages.append(stage)
    writing = _writing(records, rows).times((1 + len(recipe.selectors)) / share)
    spent = reduce(Spent.plus, (stage.spent for stage in stages), reading.plus(writing))
    held = sum(stage.bytes for stage in stages)
    return Prediction(total, len(sample), spent, _resident() + held, tuple(stages))


def _sample(rows: Rows, total: int) -> tuple[list[Record], float, Spent]:
    """Rows of whole families, in order, what share of all they are, and what it takes to read all."""
    began = Spent.now()
    wanted = min(SAMPLE, max(1, total // 10))
    held: list[tuple[int, Record]] = []
    bound = 2**64
    for record in rows.records():
        key = _family(record)
        if key < bound:
            held.append((key, record))
            if len(held) > 2 * wanted:
                bound = sorted(key for key, _ in held)[wanted]
                held = [(key, record) for key, record in held if key < bound]
    records, share = [record for _, record in held], len(held) / total
    read = Spent.now()
    for record in records:
        _family(record)
    found = Spent.now().since(read).times(1 / share)
    seconds, processor = read.since(began).since(found)
    return records, share, Spent(max(0.0, seconds), max(0.0, processor))


def _family(record: Record) -> int:
    text = " ".join(value for value in record.fields.values() if isinstance(value, str))
    return least_shingle(text[:_READ], 3)


async def _through(
    name: str, make: Callable[[], Step], records: list[Record], run: Run, share: float
) -> tuple[StagePrediction, list[Record]]:
    """What a step will take, and the sample as it comes out of it. make: gives a fresh one."""
    rows = round(sum(record.dropped is None for record in records) / share)
    size = max(1, -(-len(records) // _CHECKS))
    spent = Spent()
    result: list[Record] = []
    try:
        if asks_endpoint(getattr(make(), "embeds", None)):  # not before it is told what that costs
            return StagePrediction(name, rows, Spent(), 0, asks=True), records
        await make().apply(records[:_WARM], run)  # what is loaded and compiled once is no matter of the rows
        step = make()
        seen, sizes = [0], [bytes_held(step)]
        for start in range(0, len(records), size):
            began = Spent.now()
            result += await step.apply(records[start : start + size], run)
            spent = spent.plus(Spent.now().since(began))
            seen.append(len(result))
            sizes.append(bytes_held(step))
        kept = sum(record.dropped is None for record in result)
        if kept and not judges_alone(step):
            longer = len(records) * await _growth(make, step, records[:size], kept, share, run)
            spent = spent.plus(Spent(longer, longer))
    except RecipeError:  # there is no model to be asked here
        after: Callable[[list[Record]], Iterable[Record]] = getattr(make(), "like_after", list)
        return StagePrediction(name, rows, Spent(), 0, asks=True), list(after(records))
    per_row = _slope(seen[1:], sizes[1:])
    held = max(0, round(sizes[-1] + per_row * (len(records) / share - seen[-1])))
    return StagePrediction(name, rows, spent.times(1 / share), held), result


async def _growth(
    make: Callable[[], Step], step: Step, block: list[Record], held: int, share: float, run: Run
) -> float:
    """By how many seconds a row takes longer in the mean of the whole run than in that of the sample.

    What is searched for among more and more rows takes longer and longer, in proportion to their number. How much
    longer the rows of a block take among those `held` by the step than among themselves is measured in turns, on rows
    that both have seen before, so that what it takes to find and drop them is in both.
    """
    few = make()
    fewer = sum(record.dropped is None for record in await few.apply(list(block), run))
    times = [(await _processor(few, block, run), await _processor(step, block, run)) for _ in range(_REPEATS)]
    quicker, slower = (min(column) for column in zip(*times, strict=True))
    if held <= fewer or slower - quicker < _NOTABLE * quicker:
        return 0.0
    in_the_end = held / share
    exact_up_to: float = getattr(step, "exact_up_to", math.inf)
    mean: float = sum(compared(round(in_the_end * part / 16), exact_up_to) for part in range(1, 17)) / 16
    longer: float = (slower - quicker) / len(block) / (held - fewer) * (mean - held / 2)
    return longer


async def _processor(step: Step, block: list[Record], run: Run) -> float:
    began = time.process_time()
    await step.apply(list(block), run)
    return time.process_time() - began


def _step(recipe: Recipe, place: int) -> Step:
    return steps_of([recipe.steps[place]], ("steps",))[0]


def _slope(x: Sequence[int], y: Sequence[int]) -> float:
    """Of the straight line nearest to the points: what grows by leaps grows like this in the end."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else 0.0


def _writing(records: Iterable[Record], rows: Rows) -> Spent:
    """What it takes to write the records down and make a dataset of them."""
    with tempfile.TemporaryDirectory(prefix="llmsynth-predict-") as scratch:
        folder = Path(scratch) / "records"
        began = Spent.now()
        writer = RecordWriter(folder)
        writer.write(records)
        writer.close()
        write_configs(read_records(folder), Path(scratch) / "dataset", rows.about.columns, Splits().of)
        return Spent.now().since(began)


def _resident() -> int:
    """The most memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
