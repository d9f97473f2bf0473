"""`Curation`: the way of records through the steps."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmsynth.errors import RunError
from llmsynth.funnel import Funnel
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps import Step
from llmsynth.text import shorten

BATCH = 32  # records that go through the steps together


@dataclass(slots=True)
class Curation:
    """Sends records through the steps, batch by batch, counts them in the run's tally and hands them on, in order.

    What comes once the run's target is met is dropped. funnel: has a stage for each step, to be counted there too.
    batch: how many go together at most; it changes nothing but speed.
    raising: whether the first record that a model gave no answer for ends the run.
    """

    run: Run
    steps: Sequence[Step]
    hand_on: Callable[[list[Record]], object]
    funnel: Funnel | None = None
    batch: int = BATCH
    raising: bool = False
    _waiting: list[Record] = field(default_factory=list)

    async def take(self, record: Record) -> None:
        self._waiting.append(record)
        if not self.steps or len(self._waiting) >= self.batch:
            await self.settle()

    async def settle(self) -> None:
        """Deal with what has been taken, however little.

        Raises `RunError` for a step that breaks its promise, and for a failed record if that is to end the run.
        """
        batch, self._waiting = self._waiting, []
        if self.funnel:
            for record in batch:
                self.funnel.made.count(record)
        for place, step in enumerate(self.steps):
            batch = await self._through(place, step, batch)
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

    async def _through(self, place: int, step: Step, batch: list[Record]) -> list[Record]:
        ids = [record.id for record in batch]
        started = time.perf_counter()
        after = await step.apply(list(batch), self.run)
        if [record.id for record in after] != ids:
            raise RunError(
                f"the step {type(step).__name__} gave back other records than it was given",
                "a step returns every record, in order; one that is to go is returned with a drop reason",
            )
        if self.funnel:
            stage = self.funnel.steps[place]
            stage.seconds += time.perf_counter() - started
            for number, (old, new) in enumerate(zip(batch, after, strict=True)):
                if old.dropped is None:
                    if new.dropped:
                        after[number] = new = dropped_at(new, place, stage.name)
                    stage.count(new)
        return after


def dropped_at(record: Record, place: int, name: str) -> Record:
    """The record, with a note of the step that dropped it: its place in the recipe, from 0, and its name."""
    return dataclasses.replace(record, meta={**record.meta, "dropped_by": f"steps[{place}] {name}"})


def place_of_drop(record: Record) -> int | None:
    """The place of the step that dropped it, as it was noted; None where none was."""
    noted = _NOTE.match(record.meta.get("dropped_by", ""))
    return int(noted[1]) if noted else None


_NOTE = re.compile(r"steps\[(\d+)\]")
