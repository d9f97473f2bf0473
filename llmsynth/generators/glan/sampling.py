"""`Combinations`: what a question may be about, counted exactly and drawn without repetition.

Strategy A is one session and one to five of its concepts; strategy B is two sessions and two to five of
their concepts, at least one of each (arXiv 2402.13064, section 2.4).
"""

from __future__ import annotations

import functools
import itertools
import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

MOST = 5
"""Concepts in a question at most, as in the paper."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What one question is about: positions of one or two sessions, and of concepts within each."""

    sessions: tuple[int, ...]
    concepts: tuple[tuple[int, ...], ...]

    @property
    def strategy(self) -> str:
        return "one_session" if len(self.sessions) == 1 else "two_sessions"


@functools.lru_cache(maxsize=4096)
def count_one(m: int, most: int = MOST) -> int:
    """Ways to take 1 to `most` of m concepts: 31 for m = 5."""
    return sum(math.comb(m, size) for size in range(1, most + 1))


@functools.lru_cache(maxsize=4096)
def count_two(m1: int, m2: int, most: int = MOST) -> int:
    """Ways to take 2 to `most` of the concepts of two sessions, not all of one: 575 for 5 and 5, 97 for 3 and 4."""
    sizes = range(2, most + 1)
    return sum(math.comb(m1 + m2, size) - math.comb(m1, size) - math.comb(m2, size) for size in sizes)


def unrank_one(m: int, rank: int, most: int = MOST) -> tuple[int, ...]:
    """The combination of that rank, below `count_one`."""
    for size in range(1, most + 1):
        count = math.comb(m, size)
        if rank < count:
            return _subset(m, size, rank)
        rank -= count
    raise IndexError("rank beyond the number of combinations")


def unrank_two(m1: int, m2: int, rank: int, most: int = MOST) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The combination of that rank, below `count_two`: what is taken of the first session and of the second."""
    for size in range(2, most + 1):
        for first in range(1, size):
            ways = math.comb(m2, size - first)
            count = math.comb(m1, first) * ways
            if rank < count:
                one, two = divmod(rank, ways)
                return _subset(m1, first, one), _subset(m2, size - first, two)
            rank -= count
    raise IndexError("rank beyond the number of combinations")


@dataclass(slots=True)
class Combinations:
    """All that can be asked about one syllabus, uniform over the combinations of each strategy.

    So a pair of sessions with many concepts comes up more often than one with few. Nothing repeats until
    both strategies are exhausted; then everything may come again, in another order.

    sizes: concepts of each session, none of them 0.
    two_sessions: the share of strategy B, kept exactly over the questions of a syllabus, but for rounding.
    rng: a source of its own for each draw, by name.
    """

    sizes: Sequence[int]
    two_sessions: float
    rng: Callable[[str], Random]
    drawn: int = 0
    _one: _Deck = field(init=False)
    _two: _Deck = field(init=False)
    _phase: float = field(init=False)

    def __post_init__(self) -> None:
        self._phase = self.rng("phase").random()
        self._one = _Deck(array("Q", itertools.accumulate(count_one(m) for m in self.sizes)))
        pairs = itertools.combinations(self.sizes, 2)
        self._two = _Deck(array("Q", itertools.accumulate(count_two(m1, m2) for m1, m2 in pairs)))

    @property
    def total(self) -> int:
        """Combinations of both strategies that the share admits."""
        one = self._one.total if self.two_sessions < 1 or not self._two.total else 0
        return one + (self._two.total if self.two_sessions > 0 else 0)

    def draw(self) -> Pick:
        """The next combination."""
        if self.drawn and self.drawn % self.total == 0:
            self._one.shuffle()
            self._two.shuffle()
        two = math.floor(self._phase + (self.drawn + 1) * self.two_sessions) > math.floor(
            self._phase + self.drawn * self.two_sessions
        )
        if not self._two.total or (self._two.spent and not self._one.spent and self.two_sessions < 1):
            two = False
        elif self._one.spent and not self._two.spent and self.two_sessions > 0:
            two = True
        rng = self.rng(f"draw {self.drawn}")
        self.drawn += 1
        return self._pair(self._two.draw(rng)) if two else self._single(self._one.draw(rng))

    def _single(self, rank: int) -> Pick:
        session, inner = self._one.place(rank)
        return Pick((session,), (unrank_one(self.sizes[session], inner),))

    def _pair(self, rank: int) -> Pick:
        place, inner = self._two.place(rank)
        first, second = _pair_at(place, len(self.sizes))
        return Pick((first, second), unrank_two(self.sizes[first], self.sizes[second], inner))


@dataclass(slots=True)
class _Deck:
    """The ranks below `total`, drawn in random order: a Fisher-Yates shuffle that holds only what it has moved."""

    ends: array[int]  # running totals, by session or pair of sessions
    drawn: int = 0
    _moved: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.ends[-1] if self.ends else 0

    @property
    def spent(self) -> bool:
        return self.drawn >= self.total

    def shuffle(self) -> None:
        self.drawn = 0
        self._moved.clear()

    def draw(self, rng: Random) -> int:
        other = rng.randrange(self.drawn, self.total)
        rank = self._moved.get(other, other)
        self._moved[other] = self._moved.pop(self.drawn, self.drawn)
        self.drawn += 1
        return rank

    def place(self, rank: int) -> tuple[int, int]:
        """Which session or pair a rank belongs to, and its rank there."""
        place = bisect_right(self.ends, rank)
        return place, rank - (self.ends[place - 1] if place else 0)


def _subset(m: int, size: int, rank: int) -> tuple[int, ...]:
    """The subset of that rank among those of `size` out of m, in lexicographic order."""
    chosen: list[int] = []
    item = 0
    while len(chosen) < size:
        with_item = math.comb(m - item - 1, size - len(chosen) - 1)
        if rank < with_item:
            chosen.append(item)
        else:
            rank -= with_item
        item += 1
    return tuple(chosen)


def _pair_at(place: int, n: int) -> tuple[int, int]:
    """The pair at a place among those of n, in the order of `itertools.combinations`."""
    first = 0
    while place >= n - first - 1:
        place -= n - first - 1
        first += 1
    return first, first + 1 + place
