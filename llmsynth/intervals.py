"""How sure a figure is: intervals for shares, and for anything that rows are drawn for."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 2_000
_CELLS = 4_000_000  # of weights in memory at once

Interval = tuple[float, float]
Weights = npt.NDArray[np.int64]


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval | None:
    """The interval of a share (Wilson, 1927), which holds for few trials and for shares near 0 and 1; None of none."""
    if not trials:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, more = successes / trials, z * z / trials
    middle = share + more / 2
    half = z * math.sqrt(share * (1 - share) / trials + more / trials / 4)
    low, high = (middle - half) / (1 + more), (middle + half) / (1 + more)
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


def bootstrap(
    figure: Callable[[Weights], npt.NDArray[np.float64]],
    items: int,
    *,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """The interval of a figure over items drawn again with replacement, by percentiles (Efron, 1979).

    figure: takes how often each item was drawn, of shape [draws, items], and gives the figure of each draw; NaN where a
        draw has none. The same seed gives the same interval. None for fewer than two items, and where no draw has a
        figure.
    """
    if items < 2:
        return None
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // items)
    found = []
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        found.append(figure(rng.multinomial(items, np.full(items, 1 / items), size=draws)))
    figures = np.concatenate(found)
    figures = figures[~np.isnan(figures)]
    if not len(figures):
        return None
    low, high = np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_mean(values: npt.ArrayLike, *, seed: int = 0) -> Interval | None:
    """The interval of the mean of values, one an item."""
    given = np.asarray(values, np.float64)
    return bootstrap(lambda drawn: drawn @ given / len(given), len(given), seed=seed)
