"""Cosine search, checked against exact arithmetic over all pairs."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Iterable
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.similarity import cells, vectors
from llmsynth.similarity.compiling import Shorts
from llmsynth.similarity.vectors import ONE, VectorPool, cosine, fixed
from tests.near_texts import run_python


def clustered(count: int, dimensions: int, seed: int) -> Shorts:
    """Vectors around a few centres, at all distances from them, some equal and one all zeros."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(2, count // 12), dimensions))
    spread = rng.uniform(0.0, 0.9, (count, 1))
    rows = centres[rng.integers(0, len(centres), count)] + spread * rng.normal(size=(count, dimensions))
    rows[count // 2] = 0
    rows[count // 3] = rows[count // 4]
    return fixed(rows.astype(np.float32))


def all_cosines(rows: Shorts) -> list[list[float]]:
    exact = rows.astype(np.int64)
    products = exact @ exact.T
    found = np.full(products.shape, -1.0)
    squares = np.diag(products).astype(np.float64)
    lengths = np.sqrt(squares[:, None] * squares[None, :])
    np.divide(products, lengths, out=found, where=lengths > 0)
    return found.tolist()  # type: ignore[no-any-return]


def searched(rows: Shorts, threshold: float, sizes: Iterable[int], exact_up_to: int = 10**9) -> list[dict[int, float]]:
    """What a pool of all rows finds for each of them among those before it, in blocks of the given sizes."""
    pool = VectorPool(threshold, exact_up_to)
    found: list[dict[int, float]] = []
    sizes = iter(sizes)
    while len(pool) < len(rows):
        block = rows[len(pool) : len(pool) + pool.together(next(sizes))]
        found += [dict(zip(places.tolist(), cosines.tolist(), strict=True)) for places, cosines in pool.similar(block)]
        pool.add(block)
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("dimensions", [3, 64, 100])
def test_what_is_found_is_what_comparing_all_pairs_finds(threshold: float, dimensions: int) -> None:
    rows = clustered(400, dimensions, seed=dimensions)
    expected = [
        {j: value for j, value in enumerate(line[:i]) if value >= threshold} for i, line in enumerate(all_cosines(rows))
    ]
    rng = random.Random(1)
    with mock.patch.object(vectors, "_ROTATE_AT", (40, 150)), mock.patch.object(cells, "_CHUNK", 64):
        found = searched(rows, threshold, iter(lambda: rng.randint(1, 70), 0))
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    assert all(a == pytest.approx(b, abs=1e-12) for a, b in zip(found, expected, strict=True))
    assert sum(map(len, found)) > 100


@pytest.mark.parametrize("exact_up_to", [10**9, 120])
def test_answers_do_not_depend_on_how_the_vectors_are_batched(exact_up_to: int) -> None:
    rows = clustered(500, 40, seed=5)
    with mock.patch.object(vectors, "_ROTATE_AT", (64,)), mock.patch.object(vectors, "_PROBES", 2):
        one_by_one = searched(rows, 0.8, iter(lambda: 1, 0), exact_up_to)
        assert searched(rows, 0.8, iter(lambda: 256, 0), exact_up_to) == one_by_one
        rng = random.Random(2)
        assert searched(rows, 0.8, iter(lambda: rng.randint(1, 99), 0), exact_up_to) == one_by_one


@given(st.lists(st.integers(-ONE, ONE), min_size=1, max_size=6), st.data())
def test_a_cosine_is_the_exact_one_correctly_decided(a: list[int], data: st.DataObject) -> None:
    b = data.draw(st.lists(st.integers(-ONE, ONE), min_size=len(a), max_size=len(a)))
    one, other = fixed(np.array([a, b], np.float32))
    score = cosine(one, other)
    product = sum(int(x) * int(y) for x, y in zip(one, other, strict=True))
    squares = sum(int(x) ** 2 for x in one) * sum(int(y) ** 2 for y in other)
    if squares == 0:
        assert score == -1.0
    else:
        assert abs(score - product / math.sqrt(Fraction(squares))) < 1e-15
        assert (score == 1.0) == (one.tolist() == other.tolist())


def test_vectors_that_are_nearly_equal_are_not_equal() -> None:
    long = fixed(np.array([[1.0, 0.0]], np.float32))
    near = long.copy()
    near[0, 1] = 1
    assert cosine(long[0], long[0]) == 1.0 > cosine(long[0], near[0]) > 0.9999


def test_a_vector_of_zeros_is_like_none() -> None:
    pool = VectorPool(0.1)
    zeros = fixed(np.zeros((2, 5), np.float32))
    pool.add(zeros)
    assert [len(places) for places, _ in pool.similar(np.concatenate([zeros, fixed(np.ones((1, 5)))]))] == [0, 0, 0]


def test_beyond_the_exact_size_little_is_missed_and_how_much_is_measured() -> None:
    rows = clustered(1500, 48, seed=9)
    pool = VectorPool(0.8, exact_up_to=500)
    found = 0
    with (
        mock.patch.object(vectors, "_SAMPLED", 4),
        mock.patch.object(vectors, "_PROBES", 4),
        mock.patch.object(cells, "CENTRES", 32),
    ):
        while len(pool) < len(rows):
            block = rows[len(pool) : len(pool) + pool.together(200)]
            found += sum(len(places) for places, _ in pool.similar(block))
            pool.add(block)
    expected = sum(value >= 0.8 for i, line in enumerate(all_cosines(rows)) for value in line[:i])
    assert pool.recall is not None
    missed = 1 - found / expected
    assert 0 < missed < 0.1
    assert abs((1 - pool.recall) * 2 / 3 - missed) < 0.03  # of two thirds of the rows, which were searched for in cells


def test_an_exact_pool_measures_no_loss() -> None:
    pool = VectorPool(0.8)
    pool.add(clustered(50, 8, seed=1))
    pool.similar(clustered(50, 8, seed=1))
    assert pool.recall is None


def test_a_pool_survives_pickling() -> None:
    rows = clustered(300, 30, seed=3)
    pool = VectorPool(0.7, exact_up_to=100)
    pool.add(rows[:100])
    again: VectorPool = pickle.loads(pickle.dumps(pool))
    one, other = pool.similar(rows[100:300]), again.similar(rows[100:300])
    assert [found.places.tolist() for found in one] == [found.places.tolist() for found in other]
    assert sum(found.places.size for found in one)


def test_a_vector_takes_the_bytes_that_are_documented() -> None:
    pool = VectorPool(0.9)
    rows = clustered(500, 256, seed=2)
    pool.add(rows)
    held = sum(
        value.nbytes for part in (pool, *pool._cells) for value in vars(part).values() if hasattr(value, "nbytes")
    )
    assert held - pool._rotation.nbytes <= len(rows) * (2 * 256 + 148)


def test_answers_do_not_depend_on_the_hash_seed_nor_on_threads() -> None:
    code = (
        "from unittest import mock\n"
        "from tests.test_vectors import cells, clustered, searched\n"
        "import sys\n"
        "with mock.patch.object(cells, '_WORTH_THREADS', 10 ** {power}), mock.patch.object(cells, '_CHUNK', 50):\n"
        "    print(searched(clustered(400, 20, 3), 0.8, iter(lambda: 64, 0)))\n"
    )
    first, second = run_python(code.format(power=9), "1"), run_python(code.format(power=1), "2")
    assert first == second
    assert len(first) > 1000
