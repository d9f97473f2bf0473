"""Reward heuristics: how good an answer looks, without a model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from llmsynth.errors import RecipeError
from llmsynth.heuristics import Band, components
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps._scoring import scored, unscored
from llmsynth.steps._task import Columns, NoTask, task_of

NAME = "heuristics"


@dataclass(frozen=True)
class Weights:
    """What each component counts in the sum, which is divided by all of them together.

    The defaults are a judgement, not a fit: that an answer is whole and does what was asked counts most.
    """

    completeness: float = 0.25
    format: float = 0.2
    length: float = 0.1
    richness: float = 0.1
    coverage: float = 0.1
    repetition: float = 0.15
    hedging: float = 0.1

    def __post_init__(self) -> None:
        values = dataclasses.astuple(self)
        if min(values) < 0 or not sum(values):
            raise RecipeError("weights are at least 0, and not all of them are 0", "leave one out by setting it to 0")


@dataclass(frozen=True)
class Heuristics:
    """Scores answers by `llmsynth.heuristics`: the score `heuristics` is the weighted mean of seven components.

    Each component is a score of its own: `heuristics_completeness`, `_format`, `_length`, `_richness`, `_coverage`,
    `_repetition` and `_hedging`, all from 0 to 1, 1 being best.

    columns: the fields that hold the task. weights: of the components. band: words an answer should have.
    """

    name: ClassVar[str] = "heuristics"
    columns: Columns = Columns()
    weights: Weights = Weights()
    band: Band = Band()

    def __post_init__(self) -> None:
        if not 0 <= self.band.least <= self.band.most or not self.band.most:
            raise RecipeError(f"band: least {self.band.least}, most {self.band.most}", "such as 15 and 600")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record, run) for record in batch]

    def _judge(self, record: Record, run: Run) -> Record:
        task = task_of(record, self.columns)
        if isinstance(task, NoTask):
            return unscored(record, run, NAME, *task)
        found = vars(components(task.instruction, task.input, task.output, self.band))
        weights = vars(self.weights)
        total = sum(weights[name] * value for name, value in found.items()) / sum(weights.values())
        named = {f"{NAME}_{name}": round(value, 4) for name, value in found.items()}
        return scored(record, run, NAME, **{NAME: round(total, 4)}, **named)
