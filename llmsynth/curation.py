"""`Curation`: the way of records through the steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmsynth.errors import RunError
from llmsynth.funnel import Funnel, passed
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps import Step

BATCH = 32  # records that go through the steps together


@dataclass(slots=True)
class Curation:
    """Sends records through the steps, batch by batch, counts them in the run's tally and hands them on, in order.

    What comes once the run's target is met is dropped. funnel: has a stage for each step, to be counted there too.
    batch: how many go together at most; it changes nothing but speed.
    """

    run: Run
    steps: Sequence[Step]
    hand_on: Callable[[list[Record]], object]
    funnel: Funnel | None = None
    batch: int = BATCH
    _waiting: list[Record] = field(default_factory=list)

    async def take(self, record: Record) -> None:
        self._waiting.append(record)
        if not self.steps or len(self._waiting) >= self.batch:
            await self.settle()

    async def settle(self) -> None:
        """Deal with what has been taken, however little. Raises `RunError` for a step that breaks its promise."""
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

    async def _through(self, place: int, step: Step, batch: list[Record]) -> list[Record]:
        ids = [record.id for record in batch]
        started = time.perf_counter()
        after = await step.apply(batch, self.run)
        if [record.id for record in after] != ids:
            raise RunError(
                f"the step {type(step).__name__} gave back other records than it was given",
                "a step returns every record, in order; one that is to go is returned with a drop reason",
            )
        if self.funnel:
            stage = self.funnel.steps[place]
            stage.seconds += time.perf_counter() - started
            passed(stage, batch, after)
        return after
