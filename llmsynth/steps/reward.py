"""What a reward model thinks of an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.record import Record
from llmsynth.request import Completion, Message, Request
from llmsynth.run import Run
from llmsynth.steps._asking import asked, forecast
from llmsynth.steps._scoring import scored, unscored
from llmsynth.steps._task import Columns, Task


@dataclass(frozen=True)
class RewardModel:
    """Scores answers by a reward model: the score `reward` is what its head says, on a scale of its own.

    role: a model of the kind `reward`: models: {reward: {use: reward, model: ...}}.
    least: a record below is dropped as `reward_too_low`; null drops none. What is low depends on the model.
    """

    name: ClassVar[str] = "reward"
    overlaps: ClassVar[bool] = True

    role: str = "reward"
    least: float | None = None
    columns: Columns = Columns()

    def validate(self, run: Run) -> None:
        if not getattr(run.model(self.role).backend, "rewards", False):
            raise RecipeError(
                f"models.{self.role} is no reward model", f"models: {{{self.role}: {{use: reward, model: ...}}}}"
            )

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """One pass of the model a row; nothing is generated."""
        return forecast(rows, run, role=self.role, columns=self.columns, asking=self._asking, reply=None)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        self.validate(run)

        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            reward = _number(completions[0].text)
            if reward is None:
                return unscored(record, run, "reward", "unreadable_reward", completions[0].text[:80])
            record = scored(record, run, "reward", reward=reward)
            if self.least is not None and reward < self.least:
                return record.drop("reward_too_low", f"{reward:.3f}")
            return record

        return await asked(
            batch, run, step="reward", role=self.role, columns=self.columns, asking=self._asking, reading=reading
        )

    def _asking(self, task: Task) -> list[Request]:
        question = Message(role="user", content=task.question)
        return [Request(self.role, (question, Message(role="assistant", content=task.output)))]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
