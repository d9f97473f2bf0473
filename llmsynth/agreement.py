"""How far two series of values agree: correlation, and agreement beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.floating]


def pearson(a: Values, b: Values) -> float | None:
    """The linear correlation, from -1 to 1; None where a series is constant or shorter than two."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(x) < 2:
        return None
    x, y = x - x.mean(), y - y.mean()
    spread = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    if spread == 0 or not math.isfinite(spread):
        return None
    return max(-1.0, min(1.0, float(x @ y) / spread))


def spearman(a: Values, b: Values) -> float | None:
    """The correlation of the ranks, equals sharing the mean of theirs; None as in `pearson`."""
    return pearson(_ranks(a), _ranks(b))


def accuracy(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """The share of equal values; None for none."""
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a) if a else None


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """Agreement beyond what two raters with these shares of each value would reach by chance (Cohen, 1960).

    1 is perfect, 0 is chance; None where chance alone would agree always, and for none.
    """
    equal = accuracy(a, b)
    if equal is None:
        return None
    left, right = Counter(a), Counter(b)
    chance = sum(count * right[value] for value, count in left.items()) / len(a) ** 2
    return None if chance == 1 else (equal - chance) / (1 - chance)


def weighted_kappa(a: Values, b: Values) -> float | None:
    """Cohen's kappa for values on a scale: a disagreement counts by the square of its size (Cohen, 1968)."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not len(x):
        return None
    by_chance = float((x**2).mean() + (y**2).mean() - 2 * x.mean() * y.mean())  # of all pairs of an x and a y
    return None if by_chance == 0 else 1 - float(((x - y) ** 2).mean()) / by_chance


def _ranks(values: Values) -> npt.NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    different, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: npt.NDArray[np.float64] = last - (counts - 1) / 2
    return middle[place] if len(different) else x
