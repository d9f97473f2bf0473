"""Which rows of a set to keep, on plain vectors: k-center, MMR, the representation filter, facility location.

**Rows** are float32, of unit length or all zeros, in order of preference: of equals the earlier is chosen, and the
first row is where the methods that need a beginning begin. `ranking` makes that order from scores and ids. A
similarity is the dot product of two rows, which for unit rows is their cosine.

Every result is the one that the plain algorithm gives, which compares each row with each chosen one, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llmsynth.similarity import selection_kernels as kernels
from llmsynth.similarity.compiling import Floats, Ints, Longs, Shorts, Singles
from llmsynth.similarity.vectors import ONE

EXACT_UP_TO = 4_096
NEIGHBOURS = 64
_SIMILAR = 1 << 30  # stands for 1 among the similarities of facility location
_BLOCK_BYTES = 1 << 26


class Accepted(NamedTuple):
    """What the representation filter did.

    chosen: rows in their order. against: by row, the first chosen row it was too similar to, -1 for those that were
    chosen or came after the budget was spent. similarity: with that row; 0 where there is none.
    """

    chosen: Longs
    against: Longs
    similarity: Floats


class Nearest(NamedTuple):
    """By row asked about, the most similar chosen row, and how similar it is."""

    row: Longs
    similarity: Floats


def ranking(scores: Floats, ids: Sequence[str]) -> Longs:
    """Rows by score, the highest first, and by id among equals; those without a score (NaN) last."""
    by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
    return by_id[np.argsort(-np.asarray(scores, np.float64)[by_id], kind="stable")]


def k_center(rows: Singles, k: int) -> Longs:
    """Greedy k-center (Gonzalez, 1985): the first row, then again and again the one farthest from all chosen.

    Returns k rows, or all, in the order chosen. The farthest is the one whose greatest similarity to a chosen row is
    smallest; for unit rows this is Euclidean distance too. Gonzalez begins anywhere.
    """
    return mmr(rows, np.zeros(len(rows)), k, 0.0)


def mmr(rows: Singles, relevance: Floats, k: int, balance: float) -> Longs:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998): k rows, or all, in the order chosen.

    Each next row has the greatest balance x relevance - (1 - balance) x its greatest similarity to a chosen one; the
    first has the greatest relevance. Balance 1 is the order of relevance, balance 0 is `k_center`.
    """
    rows, small, unit, slack = _prepared(rows)
    chosen = np.empty(min(k, len(rows)), np.int64)
    worth = np.ascontiguousarray(balance * np.asarray(relevance, np.float64))
    kernels.spread(rows, small, unit, slack, worth, 1.0 - balance, chosen)
    return chosen


def representation_filter(rows: Singles, k: int, threshold: float) -> Accepted:
    """DEITA's quality-first filter (Liu et al., 2023, section 2.5): rows in their order until k are chosen.

    A row is accepted if no accepted one is more similar to it than `threshold`; at the threshold it is.
    """
    rows, small, unit, slack = _prepared(rows)
    chosen = np.empty(min(k, len(rows)), np.int64)
    against, similarity = np.full(len(rows), -1, np.int64), np.zeros(len(rows))
    made = kernels.accept(rows, small, unit, slack, threshold, chosen, against, similarity)
    return Accepted(chosen[:made], against, similarity)


def facility_location(rows: Singles, k: int, *, exact_up_to: int = EXACT_UP_TO, neighbours: int = NEIGHBOURS) -> Longs:
    """Greedy facility location: k rows, or all, in the order chosen, that stand best for the whole set.

    Each next row adds most to the sum, over all rows, of the greatest similarity to a chosen row (negative ones count
    as 0), which is within 1 - 1/e of the best sum there is. Evaluated lazily (Minoux, 1978), which changes nothing.

    Beyond `exact_up_to` rows a row stands only for those that have it among their `neighbours` most similar ones, so
    that the sum is a bound from below; finding them takes time by the square of the number of rows. Rows that add
    nothing any more are chosen in their order. Similarities are rounded to 2^-30.
    """
    rows = _checked(rows)
    chosen = np.empty(min(k, len(rows)), np.int64)
    everyone = len(rows) if len(rows) <= exact_up_to else min(neighbours, len(rows))
    kernels.cover(*_standing_for(rows, everyone), chosen)
    return chosen


def nearest_chosen(rows: Singles, asked: Longs, chosen: Longs) -> Nearest:
    """Of each row asked about, the most similar chosen row, the first of equals."""
    rows = _checked(rows)
    best = np.empty(len(asked), np.int64)
    targets = rows[chosen]
    for start, end in _blocks(len(asked), len(chosen)):
        best[start:end] = (rows[asked[start:end]] @ targets.T).argmax(axis=1)
    similarity = np.einsum("ij,ij->i", rows[asked].astype(np.float64), targets[best].astype(np.float64))
    return Nearest(np.asarray(chosen)[best], similarity)


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """How many to take of each group so that `total` are taken, as evenly as the sizes of the groups allow.

    What does not divide goes to the first groups. No group gives more than it has.
    """
    taken = [0] * len(sizes)
    left = min(total, sum(sizes))
    open_groups = [group for group, size in enumerate(sizes) if size]
    while left:
        each = max(1, left // len(open_groups))
        for group in open_groups:
            more = min(each, sizes[group] - taken[group], left)
            taken[group] += more
            left -= more
        open_groups = [group for group in open_groups if taken[group] < sizes[group]]
    return taken


def _checked(rows: Singles) -> Singles:
    rows = np.ascontiguousarray(rows, np.float32)
    squares = np.einsum("ij,ij->i", rows, rows)
    if len(rows) and not bool(((squares == 0) | (abs(squares - 1) < 1e-3)).all()):
        raise ValueError("rows must be of unit length, or all zeros")
    return rows


def _prepared(rows: Singles) -> tuple[Singles, Shorts, float, float]:
    """Rows, the same as integers, what 1 is among products of those, and by how much they may be off.

    A number is rounded by half at most, so a row by half of the root of its length, and a product of two rows of
    length 1, by the Cauchy-Schwarz inequality, by that of the one and of the other; a hundredth is for the rest.
    """
    rows = _checked(rows)
    small = np.rint(rows * np.float32(ONE)).astype(np.int16)
    return rows, small, float(ONE) ** 2, 1.01 * math.sqrt(rows.shape[1]) / ONE


def _standing_for(rows: Singles, everyone: int) -> tuple[Longs, Ints, Ints]:
    """By row, where its list begins; and in the lists the rows that it stands for, and the similarities to them."""
    count = len(rows)
    if everyone == count:
        wide = rows.astype(np.float64)
        dense = np.maximum(np.rint(wide @ wide.T * _SIMILAR), 0).astype(np.int32)
        members = np.tile(np.arange(count, dtype=np.int32), count)
        return np.arange(count + 1, dtype=np.int64) * count, members, dense.reshape(-1)
    found = np.empty((count, everyone), np.int32)
    values = np.empty((count, everyone), np.float32)
    for start, end in _blocks(count, count):
        kernels.strongest(rows[start:end] @ rows.T, start, found[start:end], values[start:end])
    similar = np.maximum(np.rint(values.astype(np.float64) * _SIMILAR), 0).astype(np.int32)
    order = np.argsort(found.reshape(-1), kind="stable")
    starts = np.searchsorted(found.reshape(-1)[order], np.arange(count + 1)).astype(np.int64)
    return starts, (order // everyone).astype(np.int32), similar.reshape(-1)[order]


def _blocks(rows: int, width: int) -> list[tuple[int, int]]:
    """Ranges of rows so that a float32 matrix of them by `width` takes 64 MB at most."""
    size = max(1, _BLOCK_BYTES // (4 * max(1, width)))
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]
