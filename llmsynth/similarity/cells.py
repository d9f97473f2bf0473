"""Parts of a vector pool, and how a large pool is divided."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from llmsynth.similarity import vector_kernels as kernels
from llmsynth.similarity.compiling import Ints, Longs, Shorts, Singles, room

CENTRES = 256
_SAMPLE = 25_600  # vectors that the centres are made from
_ROUNDS = 10
_CHUNK = 4096  # vectors whose pairs with a block are listed at once
_WORTH_THREADS = 4_000_000  # pairs


class Cell:
    """Vectors of a pool, as heads and tails, with their places in it. Grows."""

    def __init__(self) -> None:
        self._size = 0
        self._places = np.zeros(0, np.int64)
        self._heads = np.zeros((0, kernels.HEAD), np.int16)
        self._tails = np.zeros(0, np.float32)

    @classmethod
    def of(cls, heads: Shorts, tails: Singles) -> Cell:
        """A cell of these vectors alone, whose places are their numbers."""
        cell = cls()
        cell._size, cell._places, cell._heads, cell._tails = len(heads), np.arange(len(heads)), heads, tails
        return cell

    def add(self, places: Longs, heads: Shorts, tails: Singles) -> None:
        end = self._size + len(places)
        self._places = room(self._places, end)
        self._heads = room(self._heads, end)
        self._tails = room(self._tails, end)
        self._places[self._size : end] = places
        self._heads[self._size : end] = heads
        self._tails[self._size : end] = tails
        self._size = end

    def passing(self, heads: Shorts, tails: Singles, bar: float) -> tuple[Longs, Longs]:
        """All pairs of a row of `heads` and a vector of the cell that may reach `bar`: rows, and places in the pool."""
        starts = range(0, self._size, _CHUNK)
        buffers = np.empty((2, min(_CHUNK, self._size) * len(heads)), np.int32)

        def scan(start: int, rows: Ints, found: Ints) -> tuple[Longs, Longs]:
            end = min(start + _CHUNK, self._size)
            count = kernels.passing(heads, tails, self._heads[start:end], self._tails[start:end], bar, rows, found)
            return rows[:count].astype(np.int64), self._places[start + found[:count]]

        if self._size * len(heads) < _WORTH_THREADS:
            parts = [scan(start, *buffers) for start in starts]
        else:
            with ThreadPoolExecutor(_cores()) as threads:
                parts = list(threads.map(lambda start: scan(start, *np.empty_like(buffers)), starts))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        rows, places = zip(*parts, strict=True)
        return np.concatenate(rows), np.concatenate(places)


def centres_of(vectors: Shorts, count: int = CENTRES) -> Shorts:
    """Up to `count` centres of fixed vectors, by ten rounds of spherical k-means on a sample, evenly drawn.

    The arithmetic is exact but for one square root a number, so they are the same wherever they are made.
    """
    sample = np.ascontiguousarray(vectors[np.unique(np.linspace(0, len(vectors) - 1, _SAMPLE).astype(np.int64))])
    centres = np.ascontiguousarray(sample[:: max(1, len(sample) // count)][:count])
    own, top = np.empty(len(sample), np.int64), np.empty(1, np.int64)
    for _ in range(_ROUNDS):
        kernels.nearest_centres(sample, centres, top, own)
        sums = np.zeros(centres.shape, np.int64)
        np.add.at(sums, own, sample)
        lengths = np.sqrt((sums.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        moved = np.rint(np.divide(sums * 32_767.0, lengths, out=np.zeros(sums.shape), where=lengths > 0))
        centres = np.where(lengths > 0, moved, centres).astype(np.int16)
    return centres


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
