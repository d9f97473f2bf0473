"""`Curation`: the way of records through the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmsynth.errors import RunError
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps import Step

BATCH = 32  # records that go through the steps together


@dataclass(slots=True)
class Curation:
    """Sends records through the steps, batch by batch, counts them in the run's tally and hands them on, in order.

    What comes once the run's target is met is dropped.
    """

    run: Run
    steps: Sequence[Step]
    hand_on: Callable[[list[Record]], object]
    _batch: list[Record] = field(default_factory=list)

    async def take(self, record: Record) -> None:
        self._batch.append(record)
        if not self.steps or len(self._batch) >= BATCH:
            await self.settle()

    async def settle(self) -> None:
        """Deal with what has been taken, however little. Raises `RunError` for a step that breaks its promise."""
        batch, self._batch = self._batch, []
        for step in self.steps:
            ids = [record.id for record in batch]
            batch = await step.apply(batch, self.run)
            if [record.id for record in batch] != ids:
                raise RunError(
                    f"the step {type(step).__name__} gave back other records than it was given",
                    "a step returns every record, in order; one that is to go is returned with a drop reason",
                )
        for place, record in enumerate(batch):
            if self.run.missing <= 0:
                batch[place] = record = record.drop("beyond_target", "the target was met before it")
            self.run.tally.add(record)
        self.hand_on(batch)
