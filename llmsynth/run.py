"""`Run`: what a generator or a step may touch while it works."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmsynth.errors import RecipeError
from llmsynth.model import Model
from llmsynth.prompts import Prompts
from llmsynth.record import Record
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    from llmsynth.embed import Embedder
    from llmsynth.embed.cache import Vectors


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
    settle: sends the records yielded so far through the steps at once, so that the tally holds them all.
    directory: where the run is kept; None where it is not.
    """

    models: Mapping[str, Model]
    prompts: Prompts = field(default_factory=Prompts)
    seed: int = 0
    target: int | None = None
    tally: Tally = field(default_factory=Tally)
    notes: dict[str, object] = field(default_factory=dict)
    settle: Callable[[], Awaitable[None]] = _nothing_to_settle
    directory: Path | None = None
    _vectors: dict[str, Vectors] = field(default_factory=dict, init=False, repr=False)

    def model(self, role: str) -> Model:
        """The model of a role, or the default one. Raises `RecipeError` if there is neither."""
        model = self.models.get(role) or self.models.get("default")
        if model is None:
            raise RecipeError(f"no model for the role {role!r}", "name one under `models`, or a `default`")
        return model

    def vectors(self, embedder: Embedder) -> Vectors:
        """An embedder's vectors, kept in the run's directory; all who use the same embedder share them."""
        from llmsynth.embed.cache import Vectors

        if embedder.identity not in self._vectors:
            folder = self.directory / "vectors" if self.directory else None
            self._vectors[embedder.identity] = Vectors(embedder, folder)
        return self._vectors[embedder.identity]

    def rng(self, stage: str, index: int | str) -> random.Random:
        """A random source of its own for each piece of work: adding a row shifts no other row's draws."""
        return random.Random(int(fingerprint(str(self.seed), stage, str(index)), 16))

    @property
    def missing(self) -> float:
        """Kept records still wanted; infinite without a target."""
        return math.inf if self.target is None else max(0, self.target - self.tally.kept)
