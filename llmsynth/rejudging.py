"""What becomes of a finished run's records at another threshold: known from noted pairs, or judged anew."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from llmsynth.curation import dropped_at, place_of_drop
from llmsynth.dataset import read_records, rewriting
from llmsynth.funnel import Funnel
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity import Match
from llmsynth.similarity.greedy import Near
from llmsynth.similarity.greedy import rethreshold as decide
from llmsynth.steps import Step, judges_alone
from llmsynth.steps._duplicate import duplicate, near
from llmsynth.steps._scoring import recount
from llmsynth.steps.decontaminate import Decontaminate
from llmsynth.steps.duplicates import MinhashDuplicates, RougeDuplicates, SemanticDuplicates, floor_of, note_of

NearDuplicates = MinhashDuplicates | RougeDuplicates | SemanticDuplicates
_BATCH = 1_024
_LEFT_BEHIND = ("dropped_by", "duplicate_of", "selection_order", "nearest_selected", "nearest_similarity")


@dataclass
class Change:
    """What becomes of the records, as far as it is known without judging any anew.

    first: the place of the first step that decides otherwise. cut: of the first that has to judge anew.
    gone: by id, where a row goes that had come through there, and as whose duplicate.
    fates: by place, what the steps between `first` and `cut` decide, as far as it was decided anew.
    """

    first: int
    cut: int = 0
    gone: dict[str, tuple[int, Match]] = field(default_factory=dict)
    fates: dict[int, dict[str, Match]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, steps: Sequence[Step], first: int) -> Change:
        """steps: as they are to be. Raises `RunError` where the pairs do not tell."""
        change = cls(first, len(steps))
        for place in range(first, len(steps)):
            step = steps[place]
            if isinstance(step, NearDuplicates) and floor_of(step) is not None and change._noted(folder, place, step):
                if change._decide(folder, place, step):
                    change.cut = place + 1
                    break
            elif change.gone and not judges_alone(step):
                change.cut = place
                break
        return change

    def _noted(self, folder: Path, place: int, step: NearDuplicates) -> bool:
        """Whether the pairs of all rows that still come to a step are noted."""
        return all(noted is not None for _, noted in self._notes(folder, place, step))

    def _notes(self, folder: Path, place: int, step: NearDuplicates) -> Iterator[tuple[str, Near | None]]:
        """The rows that still come to a step, and what was noted of each there, of others that still come.

        Notes name rows that came to the step then, and no longer do since thresholds before it were changed, now or
        earlier. Of a row equal to such a one that alone was noted, which says nothing any more: None.
        """
        name = note_of(step.method, step.on)
        away: set[str] = set()
        for record in read_records(folder):
            if _place(record) < place or record.id in self.gone:
                away.add(record.id)
                continue
            id, noted = near(record, name)
            if noted.get("same") in away:
                yield id, None
            elif away and "pairs" in noted:
                yield id, {**noted, "pairs": [pair for pair in noted["pairs"] if pair[0] not in away]}
            else:
                yield id, noted

    def _decide(self, folder: Path, place: int, step: NearDuplicates) -> bool:
        """Decide for one step; whether that lets rows through that had not come through."""
        floor = floor_of(step)
        assert floor is not None
        notes = ((id, noted or {}) for id, noted in self._notes(folder, place, step))
        fates = decide(notes, step.threshold, floor, strict=step.method == "rouge")
        fresh = False
        for record in read_records(folder):
            at = _place(record)
            if at == place:
                fresh = fresh or (record.id not in fates and record.id not in self.gone)
            elif at > place and record.id in fates:
                self.gone[record.id] = (place, fates[record.id])
        self.fates[place] = fates
        return fresh


@dataclass
class Rejudging:
    """Writes the records of a run as a change makes them, and counts them in its tally and funnel.

    steps, names: as they are to be.
    """

    change: Change
    run: Run
    steps: Sequence[Step]
    names: Sequence[str]
    funnel: Funnel

    async def of(self, folder: Path) -> None:
        """Rewrite the records in `folder`."""
        records = read_records(folder)
        with rewriting(folder) as writer:
            while batch := list(islice(records, _BATCH)):
                done = await self._batch(batch)
                for record in done:
                    self._count(record)
                writer.write(done)
                await asyncio.sleep(0)  # for the progress line
        self._recount(folder)

    def _recount(self, folder: Path) -> None:
        """Have the notes of steps tell of the records that come to them now."""
        for place, step in enumerate(self.steps):
            if place < self.change.first:
                continue
            came = ((record, at == place) for record in read_records(folder) if (at := _place(record)) >= place)
            name = getattr(step, "name", "")
            if isinstance(step, Decontaminate):
                step.recount(came, self.run)
            elif name and name in self.run.notes:
                recount(came, self.run, name)

    async def _batch(self, batch: list[Record]) -> list[Record]:
        done, waiting = list(batch), dict[int, _Row]()
        for number, record in enumerate(batch):
            at = _place(record)
            if at >= self.change.first:
                match self._known(record, at):
                    case _Row() as row:
                        waiting[number] = row
                    case known:
                        done[number] = known
        for place in range(self.change.cut, len(self.steps)):
            await self._step(place, done, waiting)
        for number, row in waiting.items():
            done[number] = row.record
        return done

    def _known(self, record: Record, at: float) -> Record | _Row:
        """What becomes of a record that has come to the first changed step, or that this is still to be judged."""
        change = self.change
        if record.id in change.gone:
            place, match = change.gone[record.id]
            return self._duplicate(record, place, match)
        if at >= change.cut:
            return _Row(_alive(record), record, at)
        place = int(at)
        if place not in change.fates:
            return record
        if record.id in change.fates[place]:
            return self._duplicate(record, place, change.fates[place][record.id])
        return _Row(_alive(record), record, at, fresh=True)

    async def _step(self, place: int, done: list[Record], waiting: dict[int, _Row]) -> None:
        step = self.steps[place]
        alone = judges_alone(step)
        chosen = [number for number, row in waiting.items() if row.fresh or not alone]
        after = await step.apply([waiting[number].record for number in chosen], self.run) if chosen else []
        for number, record in zip(chosen, after, strict=True):
            row = waiting[number]
            if record.dropped:
                done[number] = dropped_at(record, place, self.names[place])
                del waiting[number]
            else:
                row.record, row.fresh = record, row.fresh or row.at == place
        for number, row in list(waiting.items()):
            if row.at == place and not row.fresh:  # it was dropped here, and is dropped again
                done[number] = row.before
                del waiting[number]

    def _duplicate(self, record: Record, place: int, match: Match) -> Record:
        step = self.steps[place]
        assert isinstance(step, NearDuplicates)
        return dropped_at(duplicate(_alive(record), step.method, match), place, self.names[place])

    def _count(self, record: Record) -> None:
        self.run.tally.add(record)
        at = _place(record)
        stages = [self.funnel.made, *self.funnel.steps]
        for place, stage in enumerate(stages, _MADE):
            if place < at:
                stage.kept += 1
            elif place == at:
                stage.count(record)


@dataclass
class _Row:
    """A record on its way through the steps that judge anew.

    before: as it was. at: the place where it was dropped then. fresh: it has come further than then.
    """

    record: Record
    before: Record
    at: float
    fresh: bool = False


_MADE = -1  # the place of what was dropped before the first step


def _place(record: Record) -> float:
    """The place of the step that dropped it; infinite where none did."""
    if record.dropped is None or record.dropped.reason == "not_selected":
        return math.inf
    place = place_of_drop(record)
    return _MADE if place is None else place


def _alive(record: Record) -> Record:
    """The record as it was before it was dropped, or left out by a selector."""
    meta = {key: value for key, value in record.meta.items() if key not in _LEFT_BEHIND}
    return dataclasses.replace(record, meta=meta, dropped=None)
