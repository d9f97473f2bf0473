"""`Run`: what a generator or a step may touch while it works."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmsynth.budget import Budget, Usage
from llmsynth.errors import RecipeError
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.prompts import Prompts
from llmsynth.record import Record
from llmsynth.request import Backend
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

    def report(self) -> dict[str, Any]:
        """The counts, the most frequent reasons first."""
        return {
            "in": self.total,
            "kept": self.kept,
            "dropped": dict(self.dropped.most_common()),
            "failed": dict(self.failed.most_common()),
        }


_DRAIN_SECONDS = 30.0  # for what is in flight at the end; more where answers take longer


async def _nothing_to_settle() -> None:
    return None


@dataclass(slots=True)
class Run:
    """One run of a recipe.

    target: kept records asked for; None means until the generator ends by itself.
    tally: the records that have passed all steps, counted by whoever consumes the generator.
    notes: what the generator wants the report to tell, such as why it stopped.
    files: what the generator leaves in the run's directory beside its records, path to text; `synthesize` writes them.
    journal: of the run, for what is dear and no model's; None outside a run's directory.
    settle: sends the records yielded so far through the steps at once, so that the tally holds them all.
    expected: how many records the generator will yield in all, where that is known.
    phase: what is being done once the generator has ended, such as "writing the dataset".
    within: the run that these records go on into, where they are but the seeds of others.
    directory: where the run is kept; None where it is not.
    budget: what the run may spend, over its models and embedders. embeddings: what it asked endpoints to embed.
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
    expected: int | None = None
    phase: str = ""
    within: Run | None = None
    directory: Path | None = None
    budget: Budget = field(default_factory=Budget)
    embeddings: Usage = field(default_factory=Usage)
    _vectors: dict[str, Vectors] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        directory: str | Path,
        models: Backend | Mapping[str, Backend],
        *,
        prompts: str | Path | None = None,
        seed: int = 0,
    ) -> AsyncIterator[Run]:
        """A run for code of your own, such as a notebook's: `async with Run.open("runs/mine", backend) as run:`.

        models: a backend, or several by role. prompts: a folder of prompt files of your own. Every answer is kept in
        `directory`, and asked for once. How many records there are is for the generator's own options to say.
        """
        journal = Journal(Path(directory) / "journal.jsonl")
        by_role = models if isinstance(models, Mapping) else {"default": models}
        if strange := [backend for backend in by_role.values() if not callable(getattr(backend, "complete", None))]:
            journal.close()
            raise RecipeError(
                f"{strange[0]!r} is no backend", "such as OpenAIBackend('gpt-4o-mini') of llmsynth.backends.openai"
            )
        try:
            budget = Budget()
            opened = {role: Model(backend, journal, budget=budget) for role, backend in by_role.items()}
            run = cls(opened, Prompts(Path(prompts) if prompts else None), seed, journal=journal, budget=budget)
            run.directory = Path(directory)
            try:
                yield run
            finally:
                await run.aclose()
        finally:
            journal.close()

    async def aclose(self) -> None:
        """Free the models. What is in flight has been paid for: let it reach the journal first."""
        waits = [(model, max(_DRAIN_SECONDS, 2 * model.slowest)) for model in self.models.values()]
        await asyncio.gather(*(model.drain(seconds) for model, seconds in waits))
        await asyncio.gather(*(model.aclose() for model in self.models.values()))

    def seeding(self, target: int) -> Run:
        """The run of a generator whose kept records, so many of them, are the seeds of this one."""
        run = dataclasses.replace(self, target=target, tally=Tally(), notes={}, settle=_nothing_to_settle, within=self)
        run._vectors = self._vectors
        return run

    def model(self, role: str) -> Model:
        """The model of a role, or the default one. Raises `RecipeError` if there is neither."""
        model = self.models.get(role) or self.models.get("default")
        if model is None:
            raise RecipeError(f"no model for the role {role!r}", "name one under `models`, or a `default`")
        return model

    def vectors(self, embedder: Embedder) -> Vectors:
        """An embedder's vectors, kept in the run's directory; all who use the same embedder share them."""
        if embedder.identity not in self._vectors:
            from llmsynth.embed.cache import Vectors, place_of

            folder = self.directory / "vectors" if self.directory else None
            account = None
            if getattr(embedder, "asks", False):
                from llmsynth.embed.account import Account

                path = place_of(embedder, folder).with_suffix(".jsonl") if folder else None
                account = Account(path, self.embeddings, self.budget, getattr(embedder, "price", None))
            self._vectors[embedder.identity] = Vectors(embedder, folder, account)
        return self._vectors[embedder.identity]

    def usage(self) -> Iterator[tuple[str, Usage]]:
        """What each stage asked for and got."""
        for model in self.models.values():
            yield from model.usage.items()
        if self.embeddings.requests:
            yield "embeddings", self.embeddings

    def rng(self, stage: str, index: int | str) -> random.Random:
        """A random source of its own for each piece of work: adding a row shifts no other row's draws."""
        return random.Random(int(fingerprint(str(self.seed), stage, str(index)), 16))

    @property
    def missing(self) -> float:
        """Kept records still wanted, here and where they go on to; infinite without a target."""
        left = math.inf if self.target is None else max(0, self.target - self.tally.kept)
        return left if self.within is None else min(left, self.within.missing)
