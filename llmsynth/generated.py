"""`Generated`: the records of one generator as the seeds of another."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmsynth.curation import Curation
from llmsynth.errors import RecipeError
from llmsynth.forecast import StageEstimate
from llmsynth.generators import name_of
from llmsynth.generators.protocol import About, Generator
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps import Step

_NEEDED = ("instruction", "output")  # fields of a seed; an input may be there too


@dataclass(frozen=True)
class Generated:
    """Seeds that another generator makes, in order and as it makes them: there is no waiting for the last.

    target: how many kept records are wanted of it. steps: what its records go through first; only those kept are seeds.
    Both generators work in one run: with the same models, journal and seed of randomness.
    """

    generator: Generator
    target: int
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if self.target < 1:
            raise RecipeError(f"target is {self.target}", "how many records are wanted as seeds: at least 1")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """As the option of a generator it is an object, and nothing to look into."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @property
    def name(self) -> str:
        """What recipes call the generator."""
        return name_of(self.generator)

    def validate(self, run: Run) -> None:
        """Read everything it needs, so that a mistake in it costs nothing."""
        columns = self.generator.about.columns
        if lacking := [name for name in _NEEDED if name not in columns]:
            raise RecipeError(
                f"{self.name} cannot make seeds: its records have no {lacking[0]}",
                f"they have {', '.join(columns)}; a seed has an instruction and an output",
            )
        self.generator.validate(run.seeding(self.target))

    def estimate(self, run: Run, past: Mapping[str, Any] | None, wanted: int) -> list[StageEstimate]:
        """What so many seeds will ask for; `past` may be of a run like this one or of the generator alone."""
        told = past["notes"].get("seeds") if past else None
        if past and isinstance(told, Mapping):
            past = {**past, "rows": told["rows"], "notes": told["notes"]}
        return self.generator.estimate(run.seeding(wanted), past)

    async def records(self, run: Run) -> AsyncIterator[Record]:
        """All records up to the target, the dropped ones too, after the steps. `run` is one made by `Run.seeding`."""
        ready: deque[Record] = deque()
        curation = Curation(run, self.steps, ready.extend)
        run.settle = curation.settle
        try:
            async with contextlib.aclosing(self.generator.generate(run)) as made:  # type: ignore[type-var]
                async for record in made:
                    await curation.take(record)
                    while ready:
                        yield ready.popleft()
                    if run.missing <= 0:
                        break
            await curation.settle()
            while ready:
                yield ready.popleft()
        finally:
            await curation.aclose()


def joined(first: About, then: About) -> About:
    """What the card says of two generators, the second of which starts from the records of the first."""
    summary = f"{first.summary}\n\nIts records are the seeds of what follows. {then.summary}"
    papers = tuple(dict.fromkeys((*first.papers, *then.papers)))
    return About(summary, papers, {**then.columns, **first.columns})
