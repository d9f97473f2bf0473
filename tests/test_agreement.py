"""Measures of agreement, on cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.agreement import accuracy, cohen_kappa, pearson, spearman, weighted_kappa


def test_kappa_is_agreement_beyond_chance() -> None:
    # the textbook case: 20 both yes, 15 both no, 5 and 10 apart
    a = ["y"] * 25 + ["n"] * 25
    b = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert accuracy(a, b) == 0.7
    assert cohen_kappa(a, b) == pytest.approx(0.4)


def test_weighted_kappa_forgives_small_disagreements() -> None:
    people, near, far = [1, 2, 3, 4, 5], [2, 2, 3, 4, 5], [5, 2, 3, 4, 5]
    assert weighted_kappa(people, people) == 1
    assert cohen_kappa(people, near) == cohen_kappa(people, far)
    assert (weighted_kappa(people, near) or 0) > (weighted_kappa(people, far) or 0)
    assert weighted_kappa([1, 2], [2, 1]) == pytest.approx(-1)


def test_spearman_gives_equals_the_mean_of_their_ranks() -> None:
    assert spearman([1, 2, 2, 3], [10, 20, 20, 900]) == pytest.approx(1)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=30))
def test_pearson_is_numpys(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    found = pearson(a, b)
    if a.std() > 1e-3 and b.std() > 1e-3:
        assert found == pytest.approx(float(np.corrcoef(a, b)[0, 1]), abs=1e-6)
    elif a.std() == 0 or b.std() == 0:
        assert found is None


@pytest.mark.parametrize("measure", [accuracy, cohen_kappa, pearson, spearman, weighted_kappa])
def test_of_nothing_nothing_is_told(measure: object) -> None:
    assert measure([], []) is None  # type: ignore[operator]


def test_where_chance_alone_always_agrees_there_is_no_kappa() -> None:
    assert cohen_kappa(["y", "y"], ["y", "y"]) is None
    assert weighted_kappa([3, 3], [3, 3]) is None
