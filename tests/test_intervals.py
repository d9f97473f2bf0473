"""Intervals, against published figures and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.intervals import bootstrap, bootstrap_mean, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe (1998), table I, Wilson's score method without correction
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(0, 300), st.integers(1, 300))
def test_wilsons_interval_is_where_the_share_is_as_far_off_as_chance_allows(successes: int, trials: int) -> None:
    """Its ends are the shares from which what was seen is 1.96 standard deviations away: that is its definition."""
    successes = min(successes, trials)
    found = wilson(successes, trials)
    assert found is not None
    for end in found:
        assert 0 <= end <= 1
        if 0 < end < 1:
            away = abs(successes / trials - end) / (end * (1 - end) / trials) ** 0.5
            assert away == pytest.approx(1.959964, abs=1e-4)
    mirrored = wilson(trials - successes, trials)
    assert mirrored == (pytest.approx(1 - found[1]), pytest.approx(1 - found[0]))


def test_of_nothing_there_is_no_interval() -> None:
    assert wilson(0, 0) is None
    assert bootstrap_mean([]) is None and bootstrap_mean([3.0]) is None
    assert bootstrap(lambda drawn: np.full(len(drawn), np.nan), 5) is None


def test_the_bootstrap_of_a_mean_is_about_that_of_theory_and_the_same_again() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    low, high = bootstrap_mean(values) or (0, 0)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.015)
    assert high == pytest.approx(values.mean() + half, abs=0.015)
    assert bootstrap_mean(values) == (low, high) != bootstrap_mean(values, seed=1)


def test_equal_values_leave_no_doubt() -> None:
    assert bootstrap_mean([4, 4, 4]) == (4, 4)


def test_many_items_are_drawn_in_parts() -> None:
    sizes: list[int] = []

    def figure(drawn: np.ndarray) -> np.ndarray:
        sizes.append(drawn.size)
        return drawn[:, 0].astype(float)

    assert bootstrap(figure, 30_000, resamples=300) is not None
    assert len(sizes) > 1 and max(sizes) <= 4_000_000
