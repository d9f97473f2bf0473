"""Selection on plain vectors, against algorithms so plain that one sees they are right."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.similarity.selection import (
    facility_location,
    k_center,
    mmr,
    nearest_chosen,
    ranking,
    representation_filter,
    shares,
)

Rows = npt.NDArray[np.float32]


@st.composite
def row_sets(draw: st.DrawFn, most: int = 60) -> Rows:
    """Unit rows in clusters, some of them equal, some along an axis, some all zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, width = draw(st.integers(1, most)), draw(st.sampled_from([1, 2, 3, 8, 33]))
    centres = rng.normal(size=(draw(st.integers(1, 5)), width))
    rows = centres[rng.integers(len(centres), size=count)] + rng.normal(size=(count, width)) * draw(
        st.sampled_from([0.01, 0.3, 3.0])
    )
    rows[rng.random(count) < 0.1] = np.eye(width)[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[rng.random(count) < 0.05] = 0
    equal = rng.random(count) < 0.3
    rows[equal] = rows[rng.integers(count, size=count)][equal]
    return rows.astype(np.float32)


def products(rows: Rows) -> npt.NDArray[np.float64]:
    """Similarities, each summed in the same order whatever stands beside it, so that equal rows tie."""
    wide = rows.astype(np.float64)
    return (wide[:, None, :] * wide[None, :, :]).sum(axis=-1)


def plain_mmr(rows: Rows, relevance: npt.NDArray[np.float64], k: int, balance: float) -> list[int]:
    similar, chosen = products(rows), []
    while len(chosen) < min(k, len(rows)):
        best, best_value = -1, -np.inf
        for row in range(len(rows)):
            near = max((similar[row, other] for other in chosen), default=0.0)
            value = balance * relevance[row] - (1 - balance) * near
            if row not in chosen and value > best_value:
                best, best_value = row, value
        chosen.append(best)
    return chosen


def plain_cover(similar: npt.NDArray[np.int64], k: int) -> list[int]:
    """similar[i, j]: what j is worth to i."""
    chosen: list[int] = []
    best = np.zeros(len(similar), np.int64)
    while len(chosen) < min(k, len(similar)):
        gains = [
            -1 if row in chosen else int(np.maximum(similar[:, row] - best, 0).sum()) for row in range(len(similar))
        ]
        chosen.append(int(np.argmax(gains)))
        best = np.maximum(best, similar[:, chosen[-1]])
    return chosen


@given(rows=row_sets(), k=st.integers(0, 70))
@settings(max_examples=150)
def test_k_center_chooses_what_comparing_everything_chooses(rows: Rows, k: int) -> None:
    assert k_center(rows, k).tolist() == plain_mmr(rows, np.zeros(len(rows)), k, 0.0)


@given(rows=row_sets(40), k=st.integers(0, 50), balance=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), seed=st.integers(0))
@settings(max_examples=150)
def test_mmr_chooses_what_comparing_everything_chooses(rows: Rows, k: int, balance: float, seed: int) -> None:
    relevance = np.random.default_rng(seed % 2**32).integers(4, size=len(rows)) / 3
    assert mmr(rows, relevance, k, balance).tolist() == plain_mmr(rows, relevance, k, balance)


@given(rows=row_sets(), k=st.integers(0, 70), threshold=st.sampled_from([-0.5, 0.0, 0.5, 0.9, 0.99, 1.0]))
@settings(max_examples=150)
def test_the_representation_filter_accepts_what_comparing_everything_accepts(
    rows: Rows, k: int, threshold: float
) -> None:
    similar = products(rows)
    chosen: list[int] = []
    against = [-1] * len(rows)
    for row in range(len(rows)):
        if len(chosen) == min(k, len(rows)):
            break
        near = [other for other in chosen if similar[row, other] > threshold]
        if near:
            against[row] = near[0]
        else:
            chosen.append(row)
    done = representation_filter(rows, k, threshold)
    assert done.chosen.tolist() == chosen
    assert done.against.tolist() == against
    told = [similar[row, other] if other >= 0 else 0.0 for row, other in enumerate(against)]
    assert done.similarity == pytest.approx(told, abs=1e-12)


def test_a_similarity_at_the_threshold_is_accepted_and_one_just_above_is_not() -> None:
    half = np.array([[1, 0], [0.5, np.sqrt(0.75)]], np.float32)
    assert float(half[1, 0]) == 0.5
    assert representation_filter(half, 2, 0.5).chosen.tolist() == [0, 1]
    assert representation_filter(half, 2, np.nextafter(0.5, 0)).chosen.tolist() == [0]


@given(rows=row_sets(), k=st.integers(0, 70))
@settings(max_examples=100)
def test_facility_location_chooses_what_evaluating_everything_chooses(rows: Rows, k: int) -> None:
    similar = np.maximum(np.rint(rows.astype(np.float64) @ rows.astype(np.float64).T * 2**30), 0).astype(np.int64)
    assert facility_location(rows, k).tolist() == plain_cover(similar, k)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(6, 60), neighbours=st.integers(1, 5))
@settings(max_examples=50)
def test_facility_location_on_a_large_set_counts_neighbours_only(seed: int, count: int, neighbours: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    products = rows @ rows.T
    similar = np.zeros((count, count), np.int64)
    for row in range(count):
        nearest = np.argsort(-products[row], kind="stable")[:neighbours]
        similar[row, nearest] = np.maximum(np.rint(products[row, nearest].astype(np.float64) * 2**30), 0)
    chosen = facility_location(rows, 10, exact_up_to=0, neighbours=neighbours).tolist()
    assert len(set(chosen)) == min(10, count)
    # float32 products come out differently by the shape of the matrices, so sums agree to some 1e-7 only
    assert covered(similar, chosen) == pytest.approx(covered(similar, plain_cover(similar, 10)), rel=1e-6)


def covered(similar: npt.NDArray[np.int64], chosen: list[int]) -> int:
    return int(similar[:, chosen].max(axis=1).sum())


def test_a_large_set_is_covered_nearly_as_well_by_neighbours_as_by_all() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(20, 16))[rng.integers(20, size=600)] + rng.normal(size=(600, 16)) * 0.4
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    similar = np.maximum(np.rint(rows.astype(np.float64) @ rows.astype(np.float64).T * 2**30), 0).astype(np.int64)
    best = covered(similar, facility_location(rows, 30).tolist())
    near = covered(similar, facility_location(rows, 30, exact_up_to=100, neighbours=32).tolist())
    assert near >= 0.97 * best  # both are greedy: either may come out a little better
    assert covered(similar, list(range(30))) < 0.97 * best


@given(rows=row_sets(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_the_nearest_chosen_row_is_as_similar_as_any(rows: Rows, seed: int) -> None:
    chosen = np.random.default_rng(seed).permutation(len(rows))[: 1 + len(rows) // 3]
    asked = np.arange(len(rows))
    found = nearest_chosen(rows, asked, chosen)
    similar = products(rows)
    assert set(found.row.tolist()) <= set(chosen.tolist())
    assert similar[asked, found.row] == pytest.approx(similar[:, chosen].max(axis=1), abs=1e-6)
    assert found.similarity == pytest.approx(similar[asked, found.row], abs=1e-12)


def test_choosing_from_nothing_chooses_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    assert k_center(none, 3).tolist() == facility_location(none, 3).tolist() == []
    assert representation_filter(none, 3, 0.9).chosen.tolist() == []
    assert mmr(none, np.zeros(0), 3, 0.5).tolist() == []


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="unit length"):
        k_center(np.full((2, 4), 0.7, np.float32), 1)


def test_ranking_is_by_score_then_by_id_and_puts_rows_without_a_score_last() -> None:
    scores = np.array([1.0, np.nan, 3.0, 1.0, np.nan, -np.inf])
    order = ranking(scores, ["b", "z", "c", "a", "y", "x"])
    assert order.tolist() == [2, 3, 0, 5, 4, 1]


@given(sizes=st.lists(st.integers(0, 9), max_size=8), total=st.integers(0, 60))
def test_shares_are_as_even_as_the_groups_allow(sizes: list[int], total: int) -> None:
    taken = shares(sizes, total)
    assert sum(taken) == min(total, sum(sizes))
    assert all(part <= size for part, size in zip(taken, sizes, strict=True))
    for (one, size), (other, _) in itertools.permutations(zip(taken, sizes, strict=True), 2):
        assert one >= other - 1 or one == size
