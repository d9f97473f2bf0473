"""What a GLAN question can be about: counted against brute force, drawn uniformly and without repetition."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.generators.glan.sampling import Combinations, Pick, count_one, count_two, unrank_one, unrank_two


def sources(seed: int) -> Callable[[str], random.Random]:
    return lambda name: random.Random(f"{seed} {name}")


def all_of_one(m: int) -> set[tuple[int, ...]]:
    return {c for size in range(1, 6) for c in itertools.combinations(range(m), size)}


def all_of_two(m1: int, m2: int) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Subsets of both sessions' concepts, by brute force over the union, not all of one session."""
    found = set()
    for size in range(2, 6):
        for chosen in itertools.combinations(range(m1 + m2), size):
            one, two = tuple(c for c in chosen if c < m1), tuple(c - m1 for c in chosen if c >= m1)
            if one and two:
                found.add((one, two))
    return found


def test_g6_one_session_of_five_concepts_has_31_combinations() -> None:
    assert count_one(5) == 31
    assert [count_one(m) for m in range(9)] == [len(all_of_one(m)) for m in range(9)]


def test_g7_two_sessions_have_575_and_97_combinations() -> None:
    assert (count_two(5, 5), count_two(3, 4), count_two(4, 3)) == (575, 97, 97)
    for m1, m2 in itertools.product(range(1, 7), repeat=2):
        assert count_two(m1, m2) == len(all_of_two(m1, m2))


@pytest.mark.parametrize("m", range(1, 9))
def test_g6_every_rank_is_another_combination(m: int) -> None:
    assert [len(unrank_one(m, rank)) for rank in range(count_one(m))] == sorted(len(c) for c in all_of_one(m))
    assert {unrank_one(m, rank) for rank in range(count_one(m))} == all_of_one(m)
    with pytest.raises(IndexError):
        unrank_one(m, count_one(m))


@pytest.mark.parametrize(("m1", "m2"), [(1, 1), (1, 6), (3, 4), (5, 5), (2, 7)])
def test_g7_every_rank_is_another_pair_of_combinations(m1: int, m2: int) -> None:
    assert {unrank_two(m1, m2, rank) for rank in range(count_two(m1, m2))} == all_of_two(m1, m2)
    with pytest.raises(IndexError):
        unrank_two(m1, m2, count_two(m1, m2))


def every(sizes: list[int]) -> set[Pick]:
    singles = {Pick((s,), (c,)) for s, m in enumerate(sizes) for c in all_of_one(m)}
    pairs = {
        Pick((s, t), c) for (s, m1), (t, m2) in itertools.combinations(enumerate(sizes), 2) for c in all_of_two(m1, m2)
    }
    return singles | pairs


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_g6_g7_nothing_repeats_until_everything_has_come(share: float) -> None:
    sizes = [3, 1, 2]
    combinations = Combinations(sizes, share, sources(1))
    expected = {
        pick
        for pick in every(sizes)
        if (share < 1 or pick.strategy == "two_sessions") and (share > 0 or pick.strategy == "one_session")
    }
    assert combinations.total == len(expected)
    first = [combinations.draw() for _ in range(len(expected))]
    again = [combinations.draw() for _ in range(len(expected))]
    assert set(first) == set(again) == expected
    assert first != again  # another order


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 99))
def test_g7_two_sessions_are_two_and_both_give_concepts(sizes: list[int], share: float, seed: int) -> None:
    combinations = Combinations(sizes, share, sources(seed))
    for _ in range(20):
        pick = combinations.draw()
        assert len(pick.sessions) == len(set(pick.sessions)) == len(pick.concepts)
        assert list(pick.sessions) == sorted(pick.sessions)
        assert all(pick.concepts) and sum(map(len, pick.concepts)) <= 5
        for session, concepts in zip(pick.sessions, pick.concepts, strict=True):
            assert len(set(concepts)) == len(concepts) and max(concepts) < sizes[session]


def chi_square(counts: Counter[Pick], categories: int, draws: int) -> float:
    expected = draws / categories
    seen = sum((n - expected) ** 2 / expected for n in counts.values())
    return seen + (categories - len(counts)) * expected


@pytest.mark.parametrize(
    ("sizes", "share", "categories", "each", "bound"),
    [
        ([5], 0.0, 31, 100, 59.7),  # the bounds: the chi-square quantile 0.999 for categories - 1 degrees of freedom
        ([3, 4], 1.0, 97, 100, 143.3),
        ([5, 5], 1.0, 575, 20, 684.5),
        ([2, 1, 3], 0.0, 3 + 1 + 7, 100, 29.6),
    ],
)
def test_g6_g7_the_first_draw_is_uniform_over_combinations(
    sizes: list[int], share: float, categories: int, each: int, bound: float
) -> None:
    draws = each * categories
    first = Counter(Combinations(sizes, share, sources(seed)).draw() for seed in range(draws))
    assert len(first) == categories
    assert chi_square(first, categories, draws) < bound


def test_g6_the_last_draw_is_as_uniform_as_the_first() -> None:
    last: Counter[Pick] = Counter()
    for seed in range(3100):
        combinations = Combinations([5], 0.0, sources(seed))
        last[[combinations.draw() for _ in range(31)][-1]] += 1
    assert chi_square(last, 31, 3100) < 59.7


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_g8_the_ratio_is_kept_within_a_course_and_over_courses(share: float) -> None:
    combinations = Combinations([5] * 10, share, sources(3))
    strategies = Counter(combinations.draw().strategy for _ in range(200))
    assert abs(strategies["two_sessions"] - 200 * share) <= 1
    firsts = Counter(Combinations([5] * 10, share, sources(seed)).draw().strategy for seed in range(2000))
    assert abs(firsts["two_sessions"] - 2000 * share) <= 80  # four standard deviations or more


@pytest.mark.parametrize(("sizes", "total"), [([1], 1), ([1, 1], 3), ([2], 3), ([1, 1, 1], 6)])
def test_g8_small_sessions_are_safe(sizes: list[int], total: int) -> None:
    combinations = Combinations(sizes, 0.5, sources(0))
    assert combinations.total == total
    assert {combinations.draw() for _ in range(total)} == every(sizes)
    if len(sizes) == 1:  # nothing to take a second session from
        assert Combinations(sizes, 1.0, sources(0)).draw().strategy == "one_session"


def test_thirty_sessions_of_twenty_concepts_can_be_counted() -> None:
    combinations = Combinations([20] * 30, 0.5, sources(0))
    assert combinations.total == 30 * count_one(20) + 435 * count_two(20, 20)
    assert len({combinations.draw() for _ in range(500)}) == 500
