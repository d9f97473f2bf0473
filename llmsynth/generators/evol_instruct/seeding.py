"""The rows that evolve: a file's, all there at once, or another generator's, one after another as it makes them."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import cast

from llmsynth.errors import RecipeError
from llmsynth.generated import Generated
from llmsynth.generators._provenance import seed_facts, with_completion
from llmsynth.generators.evol_instruct.rows import NAME, Evolution, Row, rating_in
from llmsynth.record import Record
from llmsynth.run import Run, Tally
from llmsynth.sources import Seed, read_seeds
from llmsynth.text import fingerprint, one_line


@dataclass
class Seeding:
    """The rows so far, in the order of their seeds.

    Another generator's records, kept or not, are records of this run too. Those taken from it wait until the
    evolution of their row is dealt with, and go on just before it: so their place depends on nothing but order.

    include: whether its kept records stay so. open: whether there may be further rows.
    seeds: of a file; empty where another generator makes them. license: of those that do not say theirs.
    """

    source: str | Generated
    run: Run
    include: bool
    license: str = ""
    rows: list[Row] = field(default_factory=list)
    seeds: list[Seed] = field(default_factory=list)
    open: bool = False
    waiting: int = 0  # kept records that are taken and have not gone on
    _passed: Tally = field(default_factory=Tally)
    _queue: deque[tuple[Record, int | None]] = field(default_factory=deque)  # with the number of its row
    _instructions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.source, Generated):
            self.seeds = read_seeds(self.source, self.license)
            self.rows = [Row.of(seed) for seed in self.seeds]
            return
        if self.source.name == NAME:  # the two would share stages, and so the journal's count of equal requests
            raise RecipeError(
                f"{NAME} cannot start from its own records within one run",
                "raise `rounds`, or make a second run whose `seeds` are the first one's dataset",
            )
        self.open = True
        self._within = self.run.seeding(self.source.target)
        self._records = cast(AsyncGenerator[Record, None], self.source.records(self._within))

    @property
    def expected(self) -> int:
        """How many rows there will be at most."""
        return self.source.target if isinstance(self.source, Generated) else len(self.rows)

    async def grow(self) -> bool:
        """Take records until one has made a row; False if there are no more.

        As with a file's seeds, one that repeats an earlier instruction makes none.
        """
        async for record in self._records:
            number = len(self.rows) if self._is_new(record) else None
            self._queue.append((record, number))
            self.waiting += record.dropped is None
            if number is not None:
                self.rows.append(Row.grown_from(record))
                return True
        self.open = False
        return False

    def passing(self, evolution: Evolution | None = None) -> Iterator[Record]:
        """The records that go on before an evolution of the first round; without one, all that wait."""
        if evolution is not None and evolution.round > 1:
            return
        while self._queue:
            record, number = self._queue.popleft()
            self.waiting -= record.dropped is None
            self._passed.add(record)
            its_own = evolution if evolution is not None and number == evolution.number else None
            if its_own and (rating := its_own.seed_rating):
                meta = with_completion(record.meta, "difficulty", rating)
                record = dataclasses.replace(record, meta=meta).scored(**rating_in(rating))
            yield record if self.include else record.drop("seed_only", "only what came of it is wanted")
            if its_own:
                return

    async def aclose(self) -> None:
        """End the other generator, so that it tells what it has to tell."""
        if isinstance(self.source, Generated):
            await self._records.aclose()

    def notes(self) -> dict[str, object]:
        """For the report: what the seeds were, or what became of the generator that made them."""
        if not isinstance(self.source, Generated):
            return seed_facts(self.source, self.seeds)
        return {
            "seeds": {
                "generator": self.source.name,
                "target": self.source.target,
                "short": 0 if self.open else max(0, self.source.target - self._passed.kept),
                "rows": self._passed.report(),
                "notes": self._within.notes,
            },
            "seed_count": len(self.rows),
        }

    def _is_new(self, record: Record) -> bool:
        """Whether a record can make a row."""
        instruction = one_line(str(record.fields.get("instruction") or "")).casefold()
        key = fingerprint(instruction)
        if record.dropped or not instruction or key in self._instructions:
            return False
        self._instructions.add(key)
        return True
