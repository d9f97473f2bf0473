"""`Curation`: the way of records through the steps."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmsynth.errors import RunError
from llmsynth.funnel import Funnel
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps import Step
from llmsynth.text import shorten

BATCH = 32  # records that go through the steps together
_UNDER_WAY = 512  # records that may be under way beside those of one batch, while steps wait for answers
_SHARE = 4  # at most this part of what is missing for the target is under way: what it brings is not known yet


@dataclass(slots=True)
class Curation:
    """Sends records through the steps, batch by batch, counts them in the run's tally and hands them on, in order.

    What comes once the run's target is met is dropped. funnel: has a stage for each step, to be counted there too.
    batch: how many go together at most; it changes nothing but speed.
    raising: whether the first record that a model gave no answer for ends the run.

    Where a step asks a model and says that it `overlaps`, several batches are under way at once, so that no batch waits
    for the last answer of the one before it. They come to each step in their order, and are counted in it; how many
    are under way follows from what was counted, never from time; and what several steps ask of one role is asked batch
    by batch. So nothing depends on when an answer comes.
    """

    run: Run
    steps: Sequence[Step]
    hand_on: Callable[[list[Record]], object]
    funnel: Funnel | None = None
    batch: int = BATCH
    raising: bool = False
    _waiting: list[Record] = field(default_factory=list)
    _under_way: deque[asyncio.Task[_Passed]] = field(default_factory=deque)
    _begun: bool = False
    _before: list[asyncio.Event] = field(default_factory=list)  # by step: the last batch has let the next one come

    async def take(self, record: Record) -> None:
        self._waiting.append(record)
        if not self.steps:
            self._end(_Passed(self._waiting, self._waiting))
            self._waiting = []
        elif len(self._waiting) >= self.batch:
            await self._begin(self._width())

    async def settle(self) -> None:
        """Deal with what has been taken, however little.

        Raises `RunError` for a step that breaks its promise, and for a failed record if that is to end the run.
        """
        await self._begin(0)

    async def aclose(self) -> None:
        """Give up what is under way. What it has asked for is the models' to keep."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()

    def _width(self) -> int:
        """How many batches may stay under way while more is taken."""
        if not self._begun:  # what is done once, such as marking a gold file, is done by the first batch alone
            self._begun = True
            return 0
        if not any(map(_overlaps, self.steps)):
            return 0
        most, missing = max(1, _UNDER_WAY // self.batch), self.run.missing
        return most if missing == math.inf else min(most, int(missing) // (_SHARE * self.batch))

    async def _begin(self, width: int) -> None:
        """Send what waits on its way, and see to the end of all but the last `width` batches."""
        batch, self._waiting = self._waiting, []
        if not self._under_way and not width:
            self._end(await self._through(batch, [], []))
            return
        before, opened = self._before, [asyncio.Event() for _ in self.steps]
        if not self._under_way:
            before = []
        self._before = opened
        self._under_way.append(asyncio.create_task(self._through(batch, before, opened)))
        while len(self._under_way) > width:
            await asyncio.wait((self._under_way[0],))
            self._end(self._under_way.popleft().result())

    async def _through(self, batch: list[Record], before: list[asyncio.Event], opened: list[asyncio.Event]) -> _Passed:
        """A batch through all steps. before, opened: by step, to wait for and to set; empty for one that is alone."""
        passed = _Passed(batch, batch)
        for place, step in enumerate(self.steps):
            if before:
                await before[place].wait()
            started = time.perf_counter()
            given = passed.records
            if opened and _overlaps(step):
                applying = asyncio.ensure_future(step.apply(list(given), self.run))
                try:
                    await asyncio.sleep(0)  # by now it has asked
                    self._open(place, opened)
                    after = await applying
                finally:
                    applying.cancel()
            else:
                after = await step.apply(list(given), self.run)
                if opened:
                    self._open(place, opened)
            self._check(step, given, after)
            passed.records = after
            if self.funnel:
                stage = self.funnel.steps[place]
                stage.seconds += time.perf_counter() - started
                passed.leave(given, place, stage.name)
        return passed

    def _open(self, place: int, opened: list[asyncio.Event]) -> None:
        """Let the next batch come to a step, and to those before it of the same role that had to wait for this one."""
        last: dict[object, int] = {}
        for number, step in enumerate(self.steps):
            if _overlaps(step):
                last[getattr(step, "role", None)] = number
        for number, step in enumerate(self.steps[: place + 1]):
            until = last[getattr(step, "role", None)] if _overlaps(step) else number
            if until == place:
                opened[number].set()

    def _check(self, step: Step, given: Sequence[Record], after: Sequence[Record]) -> None:
        if [record.id for record in after] != [record.id for record in given]:
            raise RunError(
                f"the step {type(step).__name__} gave back other records than it was given",
                "a step returns every record, in order; one that is to go is returned with a drop reason",
            )

    def _end(self, passed: _Passed) -> None:
        """Count a batch that has passed all steps, and hand it on."""
        batch = passed.records
        if self.funnel:
            for record in passed.taken:
                self.funnel.made.count(record)
            for stage, records in zip(self.funnel.steps, passed.left, strict=True):
                for record in records:
                    stage.count(record)
        for place, record in enumerate(batch):
            if self.run.missing <= 0:
                batch[place] = record.drop("beyond_target", "the target was met before it")
            if self.funnel and record.dropped is None:
                self.funnel.target.count(batch[place])
            self.run.tally.add(batch[place])
        self.hand_on(batch)
        failed = next((record for record in batch if record.status == "failed"), None) if self.raising else None
        if failed is not None and failed.dropped is not None:
            raise RunError(
                f"record {failed.id} failed: {failed.dropped.reason}: {shorten(failed.dropped.detail, 300)}",
                "run the same command again to go on, nothing that was answered is lost;"
                " on_error: drop, or null, goes on without the answer",
            )


@dataclass(slots=True)
class _Passed:
    """A batch on its way. taken: as it came. left: by step, what came to it undropped, as it left it."""

    taken: list[Record]
    records: list[Record]
    left: list[list[Record]] = field(default_factory=list)

    def leave(self, given: Sequence[Record], place: int, name: str) -> None:
        """Take note of what a step made of those it was given undropped."""
        left = []
        for number, (old, new) in enumerate(zip(given, self.records, strict=True)):
            if old.dropped is None:
                if new.dropped:
                    self.records[number] = new = dropped_at(new, place, name)
                left.append(new)
        self.left.append(left)


def _overlaps(step: Step) -> bool:
    return bool(getattr(step, "overlaps", False))


def dropped_at(record: Record, place: int, name: str) -> Record:
    """The record, with a note of the step that dropped it: its place in the recipe, from 0, and its name."""
    return dataclasses.replace(record, meta={**record.meta, "dropped_by": f"steps[{place}] {name}"})


def place_of_drop(record: Record) -> int | None:
    """The place of the step that dropped it, as it was noted; None where none was."""
    noted = _NOTE.match(record.meta.get("dropped_by", ""))
    return int(noted[1]) if noted else None


_NOTE = re.compile(r"steps\[(\d+)\]")
