"""Where a record comes from: which prompts, models and completions made it. Shared by the generators."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmsynth.licences import UNKNOWN
from llmsynth.record import Drop
from llmsynth.request import Completion
from llmsynth.sources import BUILTIN, OWN_SEEDS, Seed
from llmsynth.sources.licensing import joined


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
    """The way to a record, completion by completion.

    origin: the generator's own account of where the way began, such as the tasks it showed; flat JSON values.
    """

    generator: str
    origin: Mapping[str, Any] = field(default_factory=dict)
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
            **self.origin,
            "stages": [step.stage for step in self.steps],
            "prompts": [step.prompt for step in self.steps],
            "models": [step.model for step in self.steps],
            "sampling": [step.sampling for step in self.steps],
            "finish_reasons": [step.finish_reason for step in self.steps],
            "journal": [step.key for step in self.steps],
        }


def with_completion(meta: Mapping[str, Any], stage: str, completion: Completion) -> dict[str, Any]:
    """The meta of a record with one completion more at the end of its way."""
    more = Trail("").after(stage, completion).meta()
    more.pop("generator")
    return {**meta, **{name: [*meta.get(name, ()), *values] for name, values in more.items()}}


def failed(completion: Completion) -> Drop:
    """The drop of a record whose completion never came, or was rejected."""
    failure = completion.failure
    assert failure is not None
    if failure.final:
        return Drop(failure.kind, failure.message)
    return Drop(failure.kind, f"{failure.message} ({failure.attempts} attempts)", failed=True)


def nothing_in(completion: Completion, reason: str, what: str) -> Drop:
    """The drop of a record whose completion holds nothing that could be read."""
    if completion.truncated:
        return Drop("truncated", f"the token limit came before the first {what}")
    return Drop(reason, f"the reply holds no {what}")


def seed_facts(path: str, seeds: Sequence[Seed]) -> dict[str, object]:
    """What the card says of the seeds. seed_license: of them all; empty where nobody says it of any."""
    ours = path == BUILTIN
    name = OWN_SEEDS if ours else Path(path).name
    licenses = joined(seed.licenses for seed in seeds)
    return {
        "seeds": name,
        "seed_count": len(seeds),
        "seed_license": "" if licenses == [UNKNOWN] else ", ".join(licenses),
    }
