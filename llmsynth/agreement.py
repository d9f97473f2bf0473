"""How far two series of values agree: correlation, and agreement beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.floating]
Level = Literal["nominal", "ordinal", "interval"]


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


def krippendorff_alpha(units: Sequence[Sequence[Any]], level: Level = "nominal") -> float | None:
    """Agreement beyond chance of any number of raters, of whom some may have missed some units (Krippendorff, 2011).

    units: of each thing that was rated, the values it was given, in any order; None for a value that is missing. Things
        with fewer than two values tell nothing about agreement, and count nowhere.
    level: what makes two values far apart. nominal: being different. ordinal: how many ratings lie between them.
        interval: the square of their difference.

    1 is perfect, 0 is chance; None where there is nothing to tell, or no value but one.
    """
    values, tables = coincidences(units)
    found = float(alphas(tables.sum(axis=0), values, level)) if len(tables) else math.nan
    return None if math.isnan(found) else found


def coincidences(units: Sequence[Sequence[Any]]) -> tuple[list[Any], npt.NDArray[np.float64]]:
    """The different values, sorted, and of each unit with two of them or more, how often each value met each other.

    The tables, of shape [units, values, values], may be weighted and added: that is how `alphas` is resampled.
    """
    given = [[value for value in unit if value is not None] for unit in units]
    given = [unit for unit in given if len(unit) > 1]
    values = sorted({value for unit in given for value in unit})
    place = {value: n for n, value in enumerate(values)}
    tables = np.zeros((len(given), len(values), len(values)))
    for table, unit in zip(tables, given, strict=True):
        counts = np.bincount([place[value] for value in unit], minlength=len(values))
        table += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    return values, tables


def alphas(tables: npt.NDArray[np.float64], values: Sequence[Any], level: Level) -> npt.NDArray[np.float64]:
    """Krippendorff's alpha of each table of coincidences, the last two axes being one; NaN where there is none."""
    totals = tables.sum(axis=-1)
    if level == "interval":
        at = np.broadcast_to(np.asarray(values, np.float64), totals.shape)
    else:
        at = np.cumsum(totals, axis=-1) - totals / 2  # the middle of each value's ranks
    apart = (at[..., :, None] - at[..., None, :]) ** 2
    if level == "nominal":
        apart = np.broadcast_to(1 - np.eye(len(values)), apart.shape)
    observed = (tables * apart).sum(axis=(-2, -1))
    expected = (totals[..., :, None] * totals[..., None, :] * apart).sum(axis=(-2, -1))
    missing = expected <= 0
    found = 1 - (totals.sum(axis=-1) - 1) * observed / np.where(missing, 1, expected)
    return np.where(missing, np.nan, found)


def mark_agreement(theirs: Sequence[float | None], ours: Sequence[float | None]) -> dict[str, float | None]:
    """How far a judge's marks agree with people's, of the things that both have marked.

    Accuracy and kappa are of marks rounded to whole ones, as people give them; the correlations and the bias (ours less
    theirs, on average) are of the marks as they are. None where it cannot be told, as of constant marks.
    """
    both = [(a, b) for a, b in zip(theirs, ours, strict=True) if a is not None and b is not None]
    left, right = [a for a, _ in both], [b for _, b in both]
    whole = [math.floor(value + 0.5) for value in left], [math.floor(value + 0.5) for value in right]
    return {
        "accuracy": accuracy(*whole),
        "cohen_kappa": cohen_kappa(*whole),
        "weighted_kappa": weighted_kappa(left, right),
        "spearman": spearman(left, right),
        "pearson": pearson(left, right),
        "bias": sum(right) / len(both) - sum(left) / len(both) if both else None,
    }


def _ranks(values: Values) -> npt.NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    different, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: npt.NDArray[np.float64] = last - (counts - 1) / 2
    return middle[place] if len(different) else x
