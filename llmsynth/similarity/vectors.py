"""Near-duplicates by meaning: pairs of vectors whose cosine reaches a threshold, exactly, in a growing pool.

**Vectors** are unit vectors as integers of 16 bits, 32,767 standing for 1 (`fixed`). Their products are integers, so
a cosine comes out the same whatever is compared together, in whatever order, by whatever library: a decision at
the threshold is no matter of rounding. Rounding to integers moves a cosine by some 0.00003.

**Search.** A rotation that brings most of the vectors' length to the front (their principal axes, from the vectors
seen first) splits each into a head of 64 numbers and the length of the rest, its tail. By the Cauchy-Schwarz
inequality no product exceeds that of the heads plus that of the tails' lengths. Where this bound reaches the threshold,
the whole vectors are compared. So the rotation decides how fast the search is and nothing else.

**Cells.** Beyond `exact_up_to` vectors every vector belongs to the nearest of 256 centres (k-means), and is compared
only with those of its 32 nearest centres. What that misses is measured while it is done: every 256th vector is
compared with all as well, and `recall` is the share of its pairs that were found.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from llmsynth.similarity import vector_kernels as kernels
from llmsynth.similarity.cells import CENTRES, Cell, centres_of
from llmsynth.similarity.compiling import Floats, Longs, Shorts, Singles, room

ONE = 32_767  # stands for 1
BLOCK = 256  # vectors searched together at most
EXACT_UP_TO = 300_000
_HEAD = kernels.HEAD
_ROTATE_AT = (1_024, 16_384)  # vectors in the pool at which the rotation is made anew
_PROBES = 32
_SAMPLED = 256
# A number of a head is rounded by half at most, so a product of two heads is off by half of the sum of all their
# numbers, which is at most 2 x 8 for unit vectors; the rest is for floats.
_SLACK = ONE * (0.5 * 2 * 8 + 1)


class Found(NamedTuple):
    """For one vector: the places of others, ascending, and the cosines with them."""

    places: Longs
    cosines: Floats


def compared(held: int, exact_up_to: float = EXACT_UP_TO) -> float:
    """How many vectors one is compared with, in the mean, in a pool of so many."""
    return held if held <= exact_up_to else held * (_PROBES / CENTRES + 1 / _SAMPLED)


class VectorPool:
    """A growing pool of vectors, known by their place, that finds those whose cosine is at least `threshold`.

    A vector of d numbers takes 2 d bytes and 148 more, up to half as much again while arrays grow.
    Up to `exact_up_to` vectors nothing is missed. Results depend on the vectors and their order only.
    """

    def __init__(self, threshold: float, exact_up_to: int = EXACT_UP_TO) -> None:
        self.threshold = threshold
        self.exact_up_to = exact_up_to
        self.sampled_pairs = self.sampled_found = 0
        self._size = 0
        self._seen = 0  # vectors searched for since there are cells
        self._vectors = np.zeros((0, 0), np.int16)
        self._squares = np.zeros(0, np.float64)
        self._rotation = np.zeros((0, _HEAD))
        self._centres = np.zeros((0, 0), np.int16)
        self._cells = [Cell()]

    def __len__(self) -> int:
        return self._size

    @property
    def recall(self) -> float | None:
        """The share of pairs found, as measured on a sample; None while all are found, or none was there to find."""
        return self.sampled_found / self.sampled_pairs if self.sampled_pairs else None

    def together(self, vectors: int) -> int:
        """How many of so many vectors may be searched for at once: no more than have one way of being searched for."""
        left = self.exact_up_to - self._size
        return min(vectors, BLOCK, left if left > 0 else BLOCK)

    def similar(self, block: Shorts) -> list[Found]:
        """What is similar to each vector of a block, of at most `together` many: of the pool, and earlier in the block.

        Places from the pool's size on are those of the block.
        """
        self._know(block)
        squares = np.empty(len(block))
        kernels.squares(block, squares)
        heads, tails = self._split(block)
        probes = self._probes(block)
        rows, places = self._candidates(heads, tails, probes)
        own_rows, own_places = Cell.of(heads, tails).passing(heads, tails, self._bar)
        earlier = own_places < own_rows
        if probes is not None:
            earlier &= (probes[own_rows] == probes[own_places, :1]).any(axis=1)
        own_rows, own_places = own_rows[earlier], own_places[earlier]
        found = _assembled(
            len(block),
            np.concatenate([rows, own_rows]),
            np.concatenate([places, own_places + self._size]),
            np.concatenate(
                [
                    self._cosines(block, squares, rows, places),
                    _cosines(block, squares, block, squares, own_rows, own_places),
                ]
            ),
            self.threshold,
        )
        if probes is not None:
            self._measure(block, squares, heads, tails, found)
        return found

    def add(self, vectors: Shorts) -> None:
        """Put vectors into the pool, in order."""
        self._know(vectors)
        end = self._size + len(vectors)
        self._vectors = room(self._vectors, end)
        self._squares = room(self._squares, end)
        self._vectors[self._size : end] = vectors
        kernels.squares(vectors, self._squares[self._size : end])
        before, self._size = self._size, end
        if any(before < size <= end for size in _ROTATE_AT):
            self._rotate()
        elif len(self._centres):
            self._place(before, end)
        else:
            self._cells[0].add(np.arange(before, end), *self._split(vectors))
        if before < self.exact_up_to <= end:
            self._cluster()

    @property
    def _bar(self) -> float:
        return self.threshold * ONE * ONE - _SLACK

    def _know(self, vectors: Shorts) -> None:
        """Take the number of dimensions from the first vectors."""
        if self._vectors.shape[1] == 0:
            dimensions = vectors.shape[1]
            self._vectors = np.zeros((0, dimensions), np.int16)
            self._rotation = np.eye(dimensions, _HEAD)

    def _split(self, vectors: Shorts) -> tuple[Shorts, Singles]:
        """Heads and tails."""
        units = vectors / np.maximum(1.0, np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True)))
        heads = units @ self._rotation
        rest = np.sqrt(np.maximum(0.0, 1.0 - (heads**2).sum(axis=1)))
        return np.rint(heads * ONE).astype(np.int16), (rest * ONE).astype(np.float32)

    def _rotate(self) -> None:
        """Turn the vectors so that the heads hold as much of them as can be, and split them anew."""
        known = self._vectors[: self._size].astype(np.float64)
        _, axes = np.linalg.eigh(known.T @ known)
        self._rotation = np.zeros((known.shape[1], _HEAD))
        leading = axes[:, ::-1][:, :_HEAD]
        self._rotation[:, : leading.shape[1]] = leading
        self._cells = [Cell() for _ in self._cells]
        self._place(0, self._size)

    def _cluster(self) -> None:
        self._centres = centres_of(self._vectors[: self.exact_up_to])
        self._cells = [Cell() for _ in self._centres]
        self._place(0, self._size)

    def _place(self, start: int, end: int) -> None:
        """Put a range of the pool into its cells."""
        for first in range(start, end, 8192):
            part = self._vectors[first : min(first + 8192, end)]
            heads, tails = self._split(part)
            places = np.arange(first, first + len(part))
            if not len(self._centres):
                self._cells[0].add(places, heads, tails)
                continue
            own = self._nearest(part, 1)[:, 0]
            for number in np.unique(own):
                mine = own == number
                self._cells[number].add(places[mine], heads[mine], tails[mine])

    def _nearest(self, vectors: Shorts, count: int) -> Longs:
        out = np.empty(len(vectors) * count, np.int64)
        kernels.nearest_centres(vectors, self._centres, np.empty(count, np.int64), out)
        return out.reshape(-1, count)

    def _probes(self, block: Shorts) -> Longs | None:
        """The cells to look into for each vector, its own first; None where there is just one."""
        return self._nearest(block, min(_PROBES, len(self._centres))) if len(self._centres) else None

    def _candidates(self, heads: Shorts, tails: Singles, probes: Longs | None) -> tuple[Longs, Longs]:
        if probes is None:
            return self._cells[0].passing(heads, tails, self._bar)
        all_rows, all_places = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number in np.unique(probes):
            asking = np.flatnonzero((probes == number).any(axis=1))
            rows, places = self._cells[number].passing(heads[asking], tails[asking], self._bar)
            all_rows.append(asking[rows])
            all_places.append(places)
        return np.concatenate(all_rows), np.concatenate(all_places)

    def _measure(self, block: Shorts, squares: Floats, heads: Shorts, tails: Singles, found: list[Found]) -> None:
        """Compare every 256th vector with the whole pool, to tell how much the cells miss."""
        first = -self._seen % _SAMPLED
        self._seen += len(block)
        for row in range(first, len(block), _SAMPLED):
            places = np.concatenate(
                [cell.passing(heads[row : row + 1], tails[row : row + 1], self._bar)[1] for cell in self._cells]
            )
            cosines = self._cosines(block, squares, np.full(places.size, row), places)
            self.sampled_pairs += int((cosines >= self.threshold).sum())
            self.sampled_found += int((found[row].places < self._size).sum())

    def _cosines(self, block: Shorts, squares: Floats, rows: Longs, places: Longs) -> Floats:
        return _cosines(block, squares, self._vectors, self._squares, rows, places)


def fixed(vectors: Singles) -> Shorts:
    """Vectors scaled to unit length, as integers of 16 bits; a vector of zeros stays one, and is like no other."""
    exact = np.asarray(vectors, np.float64)
    lengths = np.sqrt((exact**2).sum(axis=1, keepdims=True))
    return np.rint(exact / np.where(lengths > 0, lengths, 1.0) * ONE).astype(np.int16)


def unfixed(vectors: Shorts) -> Singles:
    """Fixed vectors as floats, of unit length but for the rounding."""
    rows: Singles = vectors.astype(np.float32)
    rows /= np.float32(ONE)
    return rows


def cosine(a: Shorts, b: Shorts) -> float:
    """The cosine of two fixed vectors; -1 where one is all zeros."""
    block, pool = np.ascontiguousarray(a.reshape(1, -1)), np.ascontiguousarray(b.reshape(1, -1))
    squares = np.empty((2, 1))
    kernels.squares(block, squares[0])
    kernels.squares(pool, squares[1])
    first = np.zeros(1, np.int64)
    return float(_cosines(block, squares[0], pool, squares[1], first, first)[0])


def _cosines(block: Shorts, squares: Floats, pool: Shorts, pool_squares: Floats, rows: Longs, places: Longs) -> Floats:
    out = np.empty(rows.size)
    kernels.cosines(block, squares, pool, pool_squares, rows, places, out)
    return out


def _assembled(count: int, rows: Longs, places: Longs, cosines: Floats, threshold: float) -> list[Found]:
    """The pairs that reach the threshold, by row."""
    enough = cosines >= threshold
    rows, places, cosines = rows[enough], places[enough], cosines[enough]
    order = np.lexsort((places, rows))
    places, cosines = places[order], cosines[order]
    ends = np.searchsorted(rows[order], np.arange(count + 1))
    return [Found(places[a:b], cosines[a:b]) for a, b in pairwise(ends)]
