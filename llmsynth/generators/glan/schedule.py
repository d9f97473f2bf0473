"""Which discipline the next question is for, and whether one more is worth its price."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmsynth.run import Run
from llmsynth.taxonomy import Names
from llmsynth.text import fingerprint


@dataclass(frozen=True, slots=True)
class Slot:
    """A question to be: number `index` of the discipline at `place`."""

    place: int
    path: Names
    index: int


@dataclass
class Schedule:
    """Spreads the questions evenly over the disciplines. A function of what was consumed, never of time.

    The next question goes to the discipline that has the fewest, kept and in flight, so that one whose
    questions are dropped gets others in their place. What question number i of a discipline is about
    depends on that discipline alone; so another target, or one discipline more, asks the same again.

    quotas: kept records at most, by discipline; infinite where absent.
    stall: stop when so many questions in a row were dropped, here or by the steps that follow.
    """

    run: Run
    disciplines: Sequence[Names]
    quotas: Mapping[Names, int]
    max_questions: int | None
    stall: int
    asked: int = 0  # slots handed out
    settled: int = 0
    kept: list[int] = field(init=False)
    _flying: list[int] = field(init=False)
    _next: list[int] = field(init=False)
    _closed: set[int] = field(default_factory=set)
    _heap: list[tuple[int, str, int]] = field(default_factory=list)
    _rows: int = 0  # kept
    _yielded: int = 0
    _fruitless: int = 0
    _kept_by_steps: int = 0
    _fruitful: int = 0  # rows that had been through the steps when those last kept one
    _order: list[str] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.disciplines)
        self.kept, self._flying, self._next = [0] * count, [0] * count, [0] * count
        self._order = [fingerprint(str(self.run.seed), *path) for path in self.disciplines]
        self._heap = [(0, order, place) for place, order in enumerate(self._order)]
        heapq.heapify(self._heap)

    def slots(self) -> Iterator[Slot]:
        """Slots until no further question is worth its price."""
        while self.wants_more():
            _, order, place = heapq.heappop(self._heap)
            index = self._next[place]
            self._next[place] += 1
            self._flying[place] += 1
            self.asked += 1
            heapq.heappush(self._heap, (self._load(place), order, place))
            yield Slot(place, self.disciplines[place], index)

    def settle(self, slot: Slot, kept: bool, records: int, asked: bool = True) -> None:
        """Note what a slot led to, once its records have been yielded. `asked`: there was a question at all."""
        place = slot.place
        self._flying[place] -= 1
        self.settled += 1
        self._yielded += records
        if kept:
            self.kept[place] += 1
            self._rows += 1
        else:
            heapq.heappush(self._heap, (self._load(place), self._order[place], place))
        if asked:
            self._fruitless = 0 if kept else self._fruitless + 1
        if self.run.tally.kept > self._kept_by_steps:
            self._kept_by_steps, self._fruitful = self.run.tally.kept, self._through

    def close(self, slot: Slot) -> None:
        """Ask nothing more of a discipline that has no usable subject."""
        self._closed.add(slot.place)

    def wants_more(self) -> bool:
        """Whether one more question is worth its price: near the target no more are asked for than are needed."""
        if self.stop_reason() is not None:
            return False
        share = self._rows / self.settled if self.settled else 1.0
        coming = self.asked - self.settled + self._yielded - self.run.tally.total
        return coming * share < self.run.missing

    def stop_reason(self) -> str | None:
        """Why no further question will be asked, or None."""
        if self.run.missing <= 0:
            return "target reached"
        if len(self._closed) == len(self.disciplines):
            return "no discipline has a usable subject"
        if self.max_questions is not None and self.asked >= self.max_questions:
            return f"max_questions ({self.max_questions}) reached"
        if self._fruitless >= self.stall:
            return f"stalled: none of the last {self.stall} questions was kept"
        if self.run.tally.kept == self._kept_by_steps and self._through - self._fruitful >= self.stall:
            return f"stalled: the steps kept none of the last {self._through - self._fruitful} rows"
        while self._heap and not self._current(*self._heap[0]):
            heapq.heappop(self._heap)
        return None if self._heap else "every quota is filled, or no discipline has a usable subject left"

    @property
    def _through(self) -> int:
        """Rows that have been through the steps at least: what is on its way there may be among them, or be drops."""
        return self._rows - max(0, self._yielded - self.run.tally.total)

    def _current(self, load: int, order: str, place: int) -> bool:
        full = load >= self.quotas.get(self.disciplines[place], math.inf)
        return load == self._load(place) and not full and place not in self._closed

    def _load(self, place: int) -> int:
        return self.kept[place] + self._flying[place]


def evenness(counts: Sequence[int]) -> float | None:
    """Shannon entropy of a distribution over its maximum: 1 when all are equal; None without any."""
    total = sum(counts)
    if not total or len(counts) < 2:
        return 1.0 if total else None
    return round(-sum(n / total * math.log(n / total) for n in counts if n) / math.log(len(counts)), 4)
