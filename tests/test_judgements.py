"""Verdicts of judges: every ugly one in `replies/`, then any text at all."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.parsing import parse_marks, parse_preference
from tests.test_parsing import TEXTS, replies


@pytest.mark.parametrize(("reply", "expected"), replies("marks"))
def test_marks_are_read_or_null(reply: str, expected: dict[str, Any]) -> None:
    criteria = list(expected["marks"])
    assert parse_marks(reply, criteria, 1, 5, expected.get("truncated", False)) == expected["marks"]


@pytest.mark.parametrize(("reply", "expected"), replies("preference"))
def test_a_preference_is_read_or_null(reply: str, expected: str | None) -> None:
    assert parse_preference(reply) == expected


MARKS = "quality: ¦score ¦4¦5/5¦3-4¦[[¦]]¦A¦B¦tie¦Verdict: ¦is better¦**¦{¦}¦:¦|¦ ¦<think>¦</think>¦not ¦10¦,5"
FRAGMENTS = st.sampled_from([*MARKS.split("¦"), "\n", '"'])


@given(text=TEXTS | st.lists(FRAGMENTS).map("".join))
@settings(max_examples=300)
def test_any_text_gives_a_mark_on_the_scale_or_none(text: str) -> None:
    marks = parse_marks(text, ["quality", "use of source"], 1, 5)
    assert set(marks) == {"quality", "use of source"}
    assert all(mark is None or 1 <= mark <= 5 for mark in marks.values())
    assert parse_preference(text) in ("first", "second", "tie", None)


@given(
    marks=st.lists(st.integers(1, 10), min_size=3, max_size=3), spelled=st.sampled_from(["{}: {}", "- **{}**: {}/10"])
)
def test_marks_written_as_asked_are_read_back(marks: list[int], spelled: str) -> None:
    criteria = ["correctness", "depth", "style of writing"]
    text = "Fine.\n" + "\n".join(spelled.format(name, mark) for name, mark in zip(criteria, marks, strict=True))
    assert list(parse_marks(text, criteria, 1, 10).values()) == marks


@pytest.mark.parametrize("text", ["quality: ", "4 ", "A is ", "[[", "- ", "(", "verdict: ", "\n", "score is of "])
def test_a_judge_stuck_in_a_loop_costs_no_time(text: str) -> None:
    reply = text * (30_000 // len(text))
    started = time.process_time()
    parse_marks(reply, ["quality"], 1, 5, True)
    parse_preference(reply)
    assert time.process_time() - started < 2
