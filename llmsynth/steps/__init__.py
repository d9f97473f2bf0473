"""Steps by the name recipes use, and what a step is.

Values are `module:class`, imported when used. A third party's class works too, and so does a plain
function from a record to a reason (None keeps the record).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llmsynth.record import Record
from llmsynth.run import Run

STEPS = {
    "deita": "llmsynth.steps.deita:Deita",
    "exact-duplicates": "llmsynth.steps.duplicates:ExactDuplicates",
    "heuristics": "llmsynth.steps.heuristics:Heuristics",
    "ifd": "llmsynth.steps.likelihood:IFD",
    "judge": "llmsynth.steps.judge:Judge",
    "pairwise-judge": "llmsynth.steps.pairwise:PairwiseJudge",
    "perplexity": "llmsynth.steps.likelihood:Perplexity",
    "reward-model": "llmsynth.steps.reward:RewardModel",
    "self-consistency": "llmsynth.steps.consistency:SelfConsistency",
    "tags": "llmsynth.steps.tags:Tags",
}


class Step(Protocol):
    """One step of curation: the same records in the same order, with scores or drop reasons added.

    Called batch by batch in the order of the records, so it may keep an index of what it has seen.
    """

    async def apply(self, batch: list[Record], run: Run) -> list[Record]: ...


@dataclass(frozen=True)
class Check:
    """A step made of a function that gives a kept record's reason to go, or None."""

    function: Callable[[Record], str | None]

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        reason = None if record.dropped else self.function(record)
        return record if reason is None else record.drop(reason)
