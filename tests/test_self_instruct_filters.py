"""What Self-Instruct throws away, and under which code."""

from __future__ import annotations

import random

import pytest

from llmsynth.generators.self_instruct.filters import ALPACA_BLACKLIST, InstructionFilter, judge_instances
from llmsynth.parsing import Instance


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("", "too_short"),
        ("Explain it briefly", "too_short"),
        ("Explain it very briefly", None),
        (" ".join(["word"] * 150), None),
        (" ".join(["word"] * 151), "too_long"),
        ("Describe the image in detail.", "blacklisted_word"),
        ("Describe these IMAGES in detail.", "blacklisted_word"),
        ("Imagine you are a lighthouse keeper.", None),
        ("Explain what the graph shows.", "blacklisted_word"),
        ("Write a paragraph on graphite.", None),
        ("Caption this picture, please, briefly.", "blacklisted_word"),
        ("Open the file and count its lines.", "blacklisted_word"),
        ("Write a profile of a nurse.", None),
        ("Find the place on the map.", "blacklisted_word"),
        ("Explain what a mapping is in mathematics.", None),
        ("Draw a cat with three legs.", "blacklisted_word"),
        ("List the drawbacks of remote work.", None),
        ("Summarise the plot of Hamlet.", "blacklisted_word"),
        ("Describe the plotters of 1605.", None),
        ("Go to the shop and buy milk.", "blacklisted_word"),
        ("First, Go  To the shop.", "blacklisted_word"),
        ("What do people let go today?", None),
        ("Write a program that sorts numbers.", "asks_for_a_program"),
        ("write a Program that sorts numbers.", "asks_for_a_program"),
        ("Write a programming joke about loops.", "asks_for_a_program"),
        ("Explain how to write a program.", None),
        ("(Optional) Name a fish you like.", "starts_with_punctuation"),
        ("'Tis the season for what?", "starts_with_punctuation"),
        ("Écrivez un poème sur la mer.", "starts_with_non_ascii"),
        ("“Name” a fish that you like.", "starts_with_non_ascii"),
        ("3 plus 4 makes how much?", None),
        ("Translate „Fernweh“ into plain English.", None),
    ],
)
def test_s4_an_instruction_is_rejected_for_a_reason(instruction: str, reason: str | None) -> None:
    drop = InstructionFilter()(instruction)
    assert (drop and drop.reason) == reason


def test_s4_a_rejection_tells_people_what_was_wrong() -> None:
    judge = InstructionFilter()
    details = [judge(text) for text in ("Name it", "Please GO  to the shop now", "? What is this about")]
    assert [drop.detail for drop in details if drop] == ["2 words", "go  to", "?"]


def test_s4_the_limits_are_options() -> None:
    judge = InstructionFilter(min_words=0, max_words=3, blacklist=("c++",), ascii_start=False)
    assert judge("Été") is None
    assert judge("Draw two maps") is None
    assert judge("Name four big fishes").reason == "too_long"  # type: ignore[union-attr]
    assert judge("").reason == "too_short"  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["video", "audio", "music", "flowchart", "diagram"])
def test_s15_alpaca_rejects_more_than_text(word: str) -> None:
    text = f"Describe the {word} in two sentences."
    assert InstructionFilter()(text) is None
    assert InstructionFilter(blacklist=ALPACA_BLACKLIST)(text).reason == "blacklisted_word"  # type: ignore[union-attr]


def reasons(instances: list[Instance], most: int = 5, seed: int = 0) -> list[str | None]:
    return [drop.reason if drop else None for drop in judge_instances(instances, most, random.Random(seed))]


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        (Instance("", "Trout"), None),
        (Instance("a", ""), "empty_output"),
        (Instance("", " \n"), "empty_output"),
        (Instance("same", " same "), "output_repeats_input"),
        (Instance("Same", "same"), None),
        (Instance("Translate this:", "Bonjour"), "trailing_colon"),
        (Instance("a", "The answer is: "), "trailing_colon"),
        (Instance("a: b", "c: d"), None),
        (Instance("a", "half an ans", cut=True), "truncated"),
    ],
)
def test_s10_an_instance_is_rejected_for_a_reason(instance: Instance, reason: str | None) -> None:
    assert reasons([instance]) == [reason]


def test_s10_two_outputs_for_one_input_drop_all_instances_of_the_instruction() -> None:
    instances = [Instance("2 + 2", "4"), Instance("3 + 3", "6"), Instance("2  + 2", "5"), Instance("x", "")]
    assert reasons(instances) == ["conflicting_outputs"] * 3 + ["empty_output"]
    assert judge_instances(instances, 5, random.Random(0))[0].detail == "2  + 2"  # type: ignore[union-attr]


def test_s10_inputs_that_differ_in_a_sign_do_not_conflict() -> None:
    assert (
        reasons([Instance("7 - 2", "5"), Instance("7 + 2", "9"), Instance("C", "1972"), Instance("C++", "1985")])
        == [None] * 4
    )


def test_s10_several_outputs_without_an_input_do_not_conflict() -> None:
    assert reasons([Instance("", "Trout"), Instance("", "Perch")]) == [None, None]


def test_s10_a_rejected_instance_conflicts_with_nothing() -> None:
    assert reasons([Instance("2 + 2", "4"), Instance("2 + 2", "The answer is:")]) == [None, "trailing_colon"]


def test_s10_an_instance_is_kept_once() -> None:
    assert reasons([Instance("a", "b"), Instance("c", "d"), Instance("a", "b")]) == [None, None, "duplicate_instance"]


def test_s10_of_more_than_five_instances_a_seeded_random_choice_stays() -> None:
    instances = [Instance(f"{n}", f"number {n}") for n in range(9)]
    choices = {tuple(reasons(instances, seed=seed)) for seed in range(30)}
    assert len(choices) > 10
    for choice in choices:
        assert choice.count(None) == 5
        assert choice.count("beyond_max_instances") == 4
    assert reasons(instances, seed=3) == reasons(instances, seed=3)
    assert any(choice[0] for choice in choices)  # the first one is not safe
