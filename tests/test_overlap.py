"""S16: seeds that a benchmark holds."""

from __future__ import annotations

import pytest

from llmsynth.benchmarks import texts_in
from llmsynth.errors import RecipeError
from llmsynth.overlap import Overlap, find_overlaps

LONG = "A train leaves Leeds at nine and travels at eighty kilometres an hour; when does it reach Carlisle?"


def test_s16_thirteen_words_in_a_row_are_an_overlap_whatever_their_case_and_punctuation() -> None:
    exam = f"Question 4 (two marks). {LONG.upper().replace(';', ' -')} Show your working."
    assert find_overlaps([("seed_1", LONG)], [("exam:4", exam)]) == [
        Overlap("seed_1", "exam:4", 1.0, "a train leaves leeds at nine and travels at eighty kilometres an hour")
    ]


def test_s16_twelve_words_in_a_row_are_none() -> None:
    words = LONG.split()
    assert find_overlaps([("seed_1", LONG)], [("exam:1", " ".join(words[:12])), ("exam:2", "So " * 40)]) == []
    assert [o.share for o in find_overlaps([("seed_1", LONG)], [("exam:1", " ".join(words[:13]))])] == [1 / 6]


def test_s16_a_short_seed_overlaps_with_an_equal_text_only() -> None:
    benchmark = [("b:1", "name the capital of Peru!"), ("b:2", f"Name the capital of Peru and say why. {LONG}")]
    found = find_overlaps([("seed_1", "Name the capital of Peru."), ("seed_2", "")], [*benchmark, ("b:3", "?")])
    assert [(o.id, o.against, o.share) for o in found] == [("seed_1", "b:1", 1.0)]


def test_s16_overlaps_come_in_the_order_of_the_seeds_with_the_largest_share_first() -> None:
    half = " ".join(LONG.split()[:15])
    found = find_overlaps([("a", "Hello there."), ("b", LONG)], [("x", half), ("y", LONG), ("z", "hello there")], n=5)
    assert [(o.id, o.against) for o in found] == [("a", "z"), ("b", "y"), ("b", "x")]
    assert found[1].share == 1 > found[2].share


def test_s16_each_of_equal_seeds_overlaps() -> None:
    found = find_overlaps([("a", LONG), ("b", "Hello there."), ("c", LONG.upper())], [("exam:1", LONG)])
    assert [(o.id, o.against) for o in found] == [("a", "exam:1"), ("c", "exam:1")]


def test_s16_every_text_of_a_benchmark_row_is_looked_at() -> None:
    row = {"question": "Which?", "choices": ["one", "two"], "answer": 1, "turns": [{"role": "user", "content": "hi"}]}
    assert list(texts_in(row)) == ["Which?", "one", "two", "user", "hi"]


def test_s16_an_n_gram_has_a_word() -> None:
    with pytest.raises(RecipeError, match="n is 0"):
        find_overlaps([], [], n=0)
