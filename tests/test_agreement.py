"""Measures of agreement, on cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.agreement import (
    Level,
    accuracy,
    cohen_kappa,
    krippendorff_alpha,
    pearson,
    spearman,
    weighted_kappa,
)


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
    assert krippendorff_alpha([["y", "y"], ["y", "y"]]) is None


# Krippendorff's own example (2011): four observers, twelve units, some values missing
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.mark.parametrize(("level", "known"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_example(level: Level, known: float) -> None:
    assert krippendorff_alpha(list(zip(*OBSERVERS, strict=True)), level) == pytest.approx(known, abs=5e-4)


def test_alpha_of_two_observers_without_missing_values() -> None:
    # his examples A, binary, and B, five categories
    binary = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert krippendorff_alpha(list(zip(*binary, strict=True))) == pytest.approx(0.095, abs=5e-4)
    letters = zip("aabbdcccedda", "babbbccceddd", strict=True)
    assert krippendorff_alpha(list(letters)) == pytest.approx(0.692, abs=5e-4)


UNITS = st.lists(st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=2, max_size=4), min_size=1, max_size=12)


@given(UNITS, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_what_the_definition_says(units: list[list[int | None]], level: Level) -> None:
    """A twin that goes through every pair of values, as the definition does."""
    given_values = [[value for value in unit if value is not None] for unit in units]
    pairable = [unit for unit in given_values if len(unit) > 1]
    everything = [value for unit in pairable for value in unit]

    def apart(c: int, k: int) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return float((c - k) ** 2)
        low, high = min(c, k), max(c, k)
        between = sum(low <= value <= high for value in everything)
        return (between - (everything.count(c) + everything.count(k)) / 2) ** 2

    def pairs(values: list[int]) -> list[tuple[int, int]]:
        return [(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]

    n = len(everything)
    observed = sum(apart(a, b) / (len(unit) - 1) for unit in pairable for a, b in pairs(unit))
    expected = sum(apart(a, b) for a, b in pairs(everything))
    found = krippendorff_alpha(units, level)
    if not n or expected == 0:
        assert found is None
    else:
        assert found == pytest.approx(1 - (n - 1) * observed / expected)


@given(UNITS)
def test_alpha_hangs_neither_on_the_order_of_raters_nor_of_units(units: list[list[int | None]]) -> None:
    turned = [unit[::-1] for unit in units[::-1]]
    assert krippendorff_alpha(turned, "ordinal") == pytest.approx(krippendorff_alpha(units, "ordinal"))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=25))
def test_both_kappas_are_what_all_pairs_say(pairs: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    chance = [(x, y) for x in a for y in b]
    for kappa, apart in ((cohen_kappa, lambda x, y: x != y), (weighted_kappa, lambda x, y: (x - y) ** 2)):
        by_chance = sum(apart(x, y) for x, y in chance) / len(chance)
        found = kappa(a, b)
        if by_chance == 0:
            assert found is None
        else:
            assert found == pytest.approx(1 - sum(apart(x, y) for x, y in pairs) / len(pairs) / by_chance)
