"""The arrays behind `RougeIndex`: texts as numbers, and an inverted index over their rarest parts.

**Elements.** The k-th occurrence of a token in a text is the element (token, k), so a text of n
tokens is a set of n elements, and two texts share as many elements as their bags of tokens
overlap: never fewer than their longest common subsequence L. A token is named by its first
element; the elements of its further occurrences hang on that one as a linked list.

**Bounds.** F = 2 L / (m + n) > t needs an overlap of more than t (m + n) / 2. The overlap is at
most m, so n > t m / (2 - t): any match of a text of m tokens shares at least t m / (2 - t)
elements with it.

**Search.** Take any one order of the elements and sort both texts of a match by it. Their first
shared element, at place i of m and place j of n, has m - i - 1 and n - j - 1 elements after it, so
the overlap is at most min(m - i, n - j). Hence that element is among those of the one text with
m - i >= t m / (2 - t), and among those of the other with n - j >= t n / (2 - t). List every text
under the latter, look up the former, and every match is met at its first shared element, where
min(m - i, n - j) >= t (m + n) / 2 as well; all other meetings may be passed over.
The index keeps both halves of that test as plain comparisons. An entry stores its `reach`, the
largest m that n - j allows. And texts are listed by slot, from the shortest to the longest, so
that the largest n that m - i allows is a slot at which to stop.

**The order is one order.** Rarest first is best, and frequencies change as the pool grows; but
ranks are never adjusted. The index is built in one go over all texts by the ranks of that moment,
and ranks, slots and entries are replaced together by the next build. Texts added since are in no
entry: a query is compared with each of them, until they are a fair part of the pool. A query's
elements that have no rank are in no indexed text: they take the first places and have no entries.

Before two texts are compared token by token, sketches of 128 bits (one per element, hashed) tell
most pairs apart that merely share an indexed element.
"""

from __future__ import annotations

import numpy as np

from llmsynth.similarity import kernels
from llmsynth.similarity.compiling import Floats, Ints, Longs, Words, room

_UNINDEXED = 1024  # texts compared one by one before the first index is built


class TokenPool:
    """Texts, known by their position, as lists of tokens."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._vocabulary: dict[str, int] = {}
        self._texts = 0
        self._tokens = 0
        self._elements = 0
        self._turn = 0
        # by text
        self._starts = np.zeros(1, np.int64)
        self._sketches = np.zeros((0, 2), np.uint64)
        self._seen = np.zeros(0, np.int64)
        self._found = np.zeros(0, np.int32)
        # by token of all texts
        self._stream = np.zeros(0, np.int32)
        # by token of the longest text
        self._carries = np.zeros(0, np.uint64)
        # by element; the last slot is never an element's, so that element -1 has rank -1
        self._following = np.zeros(0, np.int32)
        self._token_of = np.zeros(0, np.int32)
        self._current = np.zeros(0, np.int32)
        self._rank = np.full(1, -1, np.int32)
        self._asked = np.zeros(0, np.bool_)
        self._bits = np.zeros(0, np.uint64)
        # by slot: the indexed texts from the shortest to the longest
        self._order = np.zeros(0, np.int32)
        self._lengths = np.zeros(0, np.int32)
        self._slot_sketches = np.zeros((0, 2), np.uint64)
        # by length: how many slots are no longer
        self._no_longer = np.zeros(1, np.int64)
        # by rank: where its entries begin
        self._bounds = np.zeros(1, np.int64)
        # by entry of the index
        self._slots = np.zeros(0, np.int32)
        self._reach = np.zeros(0, np.int32)

    def add(self, tokens: list[str]) -> None:
        """Put a text into the pool."""
        vocabulary = self._vocabulary
        unheard = [token for token in dict.fromkeys(tokens) if token not in vocabulary]
        named = self._elements + len(unheard)
        vocabulary.update(zip(unheard, range(self._elements, named), strict=True))
        self._reserve(len(tokens))
        self._token_of[self._elements : named] = np.arange(self._elements, named)
        end = self._tokens + len(tokens)
        self._elements = kernels.number(
            np.array([vocabulary[token] for token in tokens], np.int32),
            named,
            True,
            self._following,
            self._token_of,
            self._current,
            self._stream[self._tokens : end],
            self._sketches[self._texts],
        )
        self._texts += 1
        self._starts[self._texts] = self._tokens = end
        if self._texts - self._order.size >= max(_UNINDEXED, self._order.size // 10):
            self._index()

    def matches(self, tokens: list[str], k: int) -> list[tuple[int, float]]:
        """Positions and scores of the k best texts above the threshold, best first, the earliest of equals first."""
        query, elements, sketch = self._query(tokens)
        found = self._candidates(query, elements, sketch)
        if not found.size:
            return []
        return self._best(query, elements, sketch, self._threshold, found, min(k, found.size))

    def similar(self, tokens: list[str]) -> tuple[Longs, Floats]:
        """Positions, ascending, and scores of all texts above the threshold."""
        query, elements, sketch = self._query(tokens)
        found = self._candidates(query, elements, sketch)
        scores = np.empty(found.size)
        count = 0
        if found.size:
            count = kernels.above(
                query,
                elements,
                sketch,
                self._threshold,
                found,
                self._stream,
                self._starts,
                self._sketches,
                self._token_of,
                self._asked,
                self._bits,
                self._carries,
                scores,
            )
        order = np.argsort(found[:count])
        return found[order].astype(np.int64), scores[order]

    def most_similar(self, tokens: list[str], k: int) -> list[tuple[int, float]]:
        """Positions and scores of the k best texts, best first, the earliest of equals first."""
        if k < 1:
            return []
        return self._best(*self._query(tokens), -1.0, np.arange(self._texts, dtype=np.int32), min(k, self._texts))

    def _candidates(self, query: Ints, elements: Ints, sketch: Words) -> Ints:
        """Positions of all texts that may match, in scratch space."""
        ranks = self._rank[elements]
        ranks.sort()
        self._turn += 1
        count = kernels.candidates(
            query.size,
            sketch,
            ranks,
            self._threshold,
            self._texts,
            self._starts,
            self._sketches,
            self._slot_sketches,
            self._lengths,
            self._order,
            self._no_longer,
            self._bounds,
            self._slots,
            self._reach,
            self._seen,
            self._turn,
            self._found,
        )
        return self._found[:count]

    def _best(
        self,
        query: Ints,
        elements: Ints,
        sketch: Words,
        floor: float,
        positions: Ints,
        k: int,
    ) -> list[tuple[int, float]]:
        top = np.empty(k, np.int64)
        scores = np.empty(k, np.float64)
        count = kernels.best(
            query,
            elements,
            sketch,
            floor,
            positions,
            self._stream,
            self._starts,
            self._sketches,
            self._token_of,
            self._asked,
            self._bits,
            self._carries,
            top,
            scores,
        )
        return list(zip(top[:count].tolist(), scores[:count].tolist(), strict=True))

    def _query(self, tokens: list[str]) -> tuple[Ints, Ints, Words]:
        """A text as tokens, elements (both -1 where the pool has none) and sketch."""
        get = self._vocabulary.get
        query = np.array([get(token, -1) for token in tokens], np.int32)
        elements = np.empty_like(query)
        sketch = np.zeros(2, np.uint64)
        kernels.number(query, self._elements, False, self._following, self._token_of, self._current, elements, sketch)
        return query, elements, sketch

    def _index(self) -> None:
        """Rank the elements by how many texts have them, and list all texts anew by those ranks."""
        frequency = np.bincount(self._stream[: self._tokens], minlength=self._elements)
        rarest = np.argsort(frequency, kind="stable")
        self._rank[rarest] = np.arange(self._elements)
        self._bounds = np.concatenate(([0], np.cumsum(frequency[rarest])))
        lengths = np.diff(self._starts[: self._texts + 1])
        self._order = np.argsort(lengths, kind="stable").astype(np.int32)
        self._lengths = lengths[self._order].astype(np.int32)
        self._no_longer = np.cumsum(np.bincount(lengths))
        self._slot_sketches = self._sketches[self._order]
        slots = np.empty(self._tokens, np.int32)
        reach = np.empty(self._tokens, np.int32)
        entries = kernels.index(
            self._stream,
            self._starts,
            self._order,
            self._rank,
            self._threshold,
            self._bounds,
            self._bounds.copy(),
            slots,
            reach,
            np.zeros(self._texts, np.int32),
        )
        self._slots = slots[:entries].copy()
        self._reach = reach[:entries].copy()

    def _reserve(self, more: int) -> None:
        """Make room for a text of so many tokens, each of which brings one new element at most."""
        self._starts = room(self._starts, self._texts + 2)
        self._sketches = room(self._sketches, self._texts + 1)
        self._seen = room(self._seen, self._texts + 1)
        self._found = room(self._found, self._texts + 1)
        self._stream = room(self._stream, self._tokens + more)
        self._carries = room(self._carries, more)
        elements = self._elements + more
        self._following = room(self._following, elements, -1)
        self._token_of = room(self._token_of, elements)
        self._current = room(self._current, elements, -2)
        self._rank = room(self._rank, elements + 1, -1)
        self._asked = room(self._asked, elements)
        self._bits = room(self._bits, elements)


def token_f1(a: list[str], b: list[str]) -> float:
    """The ROUGE-L F1 of two lists of tokens."""
    vocabulary: dict[str, int] = {}
    first, second = (
        np.array([vocabulary.setdefault(token, len(vocabulary)) for token in tokens], np.int32) for tokens in (a, b)
    )
    names = np.arange(len(vocabulary), dtype=np.int32)
    bits = np.zeros(len(vocabulary), np.uint64)
    common = kernels.lcs(first, second, names, bits, np.zeros(second.size, np.uint64))
    return kernels.f1(common, first.size, second.size)
