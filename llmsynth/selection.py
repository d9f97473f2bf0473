"""`select`: which of the kept records stay, decided on the whole set once it is there."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmsynth.columns import joined
from llmsynth.dataset import read_records, rewriting
from llmsynth.funnel import Stage
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.selectors import Needs, Selector
from llmsynth.selectors.deciding import candidates_of, decided

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Shorts

_HEARD_EVERY = 1_000  # records
_BATCH = 1_024  # texts embedded together


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
    if selector.needs.on:
        vectors = await _vectors(_heard(folder, heard), selector.needs, len(candidates), run)
        candidates = dataclasses.replace(candidates, vectors=vectors)
        if unseen := int((~vectors.any(axis=1)).sum()):
            name = f"{stage.name}: unseen by {', '.join(selector.needs.on)}"
            run.notes[name] = {"texts": len(vectors), "unseen": unseen}
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

    with rewriting(folder) as writer:
        writer.write(counted(decided(noted(), candidates, selection)))
    run.tally.kept -= stage.dropped.total()
    run.tally.dropped += stage.dropped
    stage.seconds = time.perf_counter() - started


async def _vectors(records: Iterable[Record], needs: Needs, count: int, run: Run) -> Shorts:
    """The vectors of the kept records, row by row; the texts go as they come."""
    import numpy as np

    from llmsynth.embed import embedder_of

    known = run.vectors(embedder_of(needs.embedder))
    vectors: Shorts | None = None
    end = 0
    kept = (record for record in records if record.dropped is None)
    while texts := [joined(record, needs.on) for record in itertools.islice(kept, _BATCH)]:
        rows = await known.of(texts)
        if vectors is None:
            vectors = np.empty((count, rows.shape[1]), np.int16)
        vectors[end : end + len(rows)] = rows
        end += len(rows)
    return np.zeros((0, 1), np.int16) if vectors is None else vectors


def _heard(folder: Path, heard: Callable[[], object]) -> Iterator[Record]:
    for number, record in enumerate(read_records(folder), 1):
        if number % _HEARD_EVERY == 0:
            heard()
        yield record
