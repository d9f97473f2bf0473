"""`select`: which of the kept records stay, decided on the whole set once it is there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from llmsynth.dataset import read_records, rewrite_records
from llmsynth.funnel import Stage
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.selectors import Selector
from llmsynth.selectors.deciding import candidates_of, decided

_HEARD_EVERY = 1_000  # records


async def select(
    selectors: Sequence[Selector], folder: Path, run: Run, stages: Sequence[Stage], heard: Callable[[], object]
) -> None:
    """Let the selectors look at the records in `folder`, one after the other, and mark there those that do not stay.

    The records are read twice for each selector, and never held: memory has ids, scores, groups and vectors alone.
    stages: of the funnel, one for each selector. heard: called every thousand records.
    """
    for selector, stage in zip(selectors, stages, strict=True):
        await _select(selector, folder, run, stage, heard)


async def _select(selector: Selector, folder: Path, run: Run, stage: Stage, heard: Callable[[], object]) -> None:
    started = time.perf_counter()
    run.phase = f"selecting: {stage.name}"
    candidates = candidates_of(_heard(folder, heard), selector.needs)
    selection = selector.select(candidates)
    was_kept: deque[bool] = deque()

    def noted() -> Iterator[Record]:
        for record in _heard(folder, heard):
            was_kept.append(record.dropped is None)
            yield record

    def counted(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if was_kept.popleft():
                stage.count(record)
            yield record

    rewrite_records(folder, counted(decided(noted(), candidates, selection)))
    run.tally.kept -= stage.dropped.total()
    run.tally.dropped += stage.dropped
    stage.seconds = time.perf_counter() - started


def _heard(folder: Path, heard: Callable[[], object]) -> Iterator[Record]:
    for number, record in enumerate(read_records(folder), 1):
        if number % _HEARD_EVERY == 0:
            heard()
        yield record
