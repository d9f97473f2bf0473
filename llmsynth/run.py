"""`Run`: what a generator or a step may touch while it works."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from llmsynth.errors import RecipeError
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.prompts import Prompts
from llmsynth.record import Record
from llmsynth.text import fingerprint


@dataclass(slots=True)
class Tally:
    """Records by what became of them: rows in = kept + dropped + failed."""

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.kept + self.dropped.total() + self.failed.total()

    def add(self, record: Record) -> None:
        if record.dropped is None:
            self.kept += 1
        elif record.dropped.failed:
            self.failed[record.dropped.reason] += 1
        else:
            self.dropped[record.dropped.reason] += 1


async def _nothing_to_settle() -> None:
    return None


@dataclass(slots=True)
class Run:
    """One run of a recipe.

    target: kept records asked for; None means until the generator ends by itself.
    tally: the records that have passed all steps.
    notes: what the generator wants the report to tell, such as why it stopped.
    files: what the generator leaves in the run's directory beside its records, path to text.
    journal: of the run, for what is dear and no model's; None outside a run's directory.
    settle: sends the records yielded so far through the steps at once, so that the tally holds them all.
    """

    models: Mapping[str, Model]
    prompts: Prompts = field(default_factory=Prompts)
    seed: int = 0
    target: int | None = None
    tally: Tally = field(default_factory=Tally)
    notes: dict[str, object] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    journal: Journal | None = None
    settle: Callable[[], Awaitable[None]] = _nothing_to_settle

    def model(self, role: str) -> Model:
        """The model of a role, or the default one. Raises `RecipeError` if there is neither."""
        model = self.models.get(role) or self.models.get("default")
        if model is None:
            raise RecipeError(f"no model for the role {role!r}", "name one under `models`, or a `default`")
        return model

    def rng(self, stage: str, index: int | str) -> random.Random:
        """A random source of its own for each piece of work: adding a row shifts no other row's draws."""
        return random.Random(int(fingerprint(str(self.seed), stage, str(index)), 16))

    @property
    def missing(self) -> float:
        """Kept records still wanted; infinite without a target."""
        return math.inf if self.target is None else max(0, self.target - self.tally.kept)
