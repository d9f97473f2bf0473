"""Where a record comes from: which tasks were shown, which prompts, models and completions made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmsynth.generators.self_instruct.bootstrap import Shown
from llmsynth.record import Drop
from llmsynth.request import Completion


@dataclass(frozen=True, slots=True)
class Step:
    """One completion on the way."""

    stage: str
    prompt: str
    key: str
    model: str
    sampling: dict[str, Any]
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Trail:
    """The way from the shown tasks to a record."""

    generator: str
    round: int
    shown: Sequence[Shown]
    steps: tuple[Step, ...] = ()

    def after(self, stage: str, completion: Completion) -> Trail:
        request = completion.request
        assert request is not None
        step = Step(
            stage, request.prompt, completion.key, completion.model, request.sampling.body(), completion.finish_reason
        )
        return dataclasses.replace(self, steps=(*self.steps, step))

    def meta(self) -> dict[str, Any]:
        """Flat JSON values; the lists run parallel, one entry per completion."""
        return {
            "generator": self.generator,
            "round": self.round,
            "parents": [task.id for task in self.shown],
            "made_parents": [task.id for task in self.shown if task.made],
            "stages": [step.stage for step in self.steps],
            "prompts": [step.prompt for step in self.steps],
            "models": [step.model for step in self.steps],
            "sampling": [step.sampling for step in self.steps],
            "finish_reasons": [step.finish_reason for step in self.steps],
            "journal": [step.key for step in self.steps],
        }


def failed(completion: Completion) -> Drop:
    """The drop of a record whose completion never came."""
    failure = completion.failure
    assert failure is not None
    return Drop(failure.kind, f"{failure.message} ({failure.attempts} attempts)", failed=True)


def nothing_in(completion: Completion, reason: str, what: str) -> Drop:
    """The drop of a record whose completion holds nothing that could be read."""
    if completion.truncated:
        return Drop("truncated", f"the token limit came before the first {what}")
    return Drop(reason, f"the reply holds no {what}")
