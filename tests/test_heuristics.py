"""Reward heuristics: what each component sees, and what none of them may see."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import Record, Run
from llmsynth.errors import RecipeError
from llmsynth.forms import form_kept
from llmsynth.heuristics import (
    Band,
    Components,
    completeness,
    components,
    coverage,
    hedging,
    length,
    repetition,
    richness,
    words_of,
)
from llmsynth.steps.heuristics import Heuristics, Weights
from tests.judging import apply, row

PROSE = (
    "Rivers carry water from the mountains to the sea. As they flow they take up stones, sand and mud, which they drop"
    " where the current slows down. So valleys grow wider, new land comes to be, and at the mouth a delta may form."
)


TASK = "Explain at some length how rivers shape the land that they flow through."


def look(answer: str, instruction: str = TASK) -> Components:
    return components(instruction, "", answer)


def test_good_prose_has_nothing_against_it() -> None:
    assert look(PROSE) == Components(1, 1, 1, 1, 1, 1, 1)


def test_an_empty_answer_is_nothing() -> None:
    assert set(dataclasses.astuple(look(" \n"))) == {0.0}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PROSE, 1),
        ("Paris", 1),
        ("42", 1),
        ('He said: "It is done."', 1),
        ("**Done!**", 1),
        ("```python\nprint(1)\n```", 1),
        ("Here it is:\n```python\nprint(1)", 0),
        ("The reasons are the following:", 0),
        ("First we take the sum of all the numbers, then we divide it by the", 0),
        ("We need eggs, flour,", 0),
        ("It goes on and on like this for a very long while until somebody stops it ...", 0),
        ("A sum (of all the numbers that were given to us in the task above, which is the", 0),
        ("- eggs\n- flour\n- a pinch of the finest sea salt that you can find in your kitchen", 1),
        ("| a | b |\n|---|---|\n| 1 | 2 |", 1),
        ("This is a long sentence without an end and nobody knows whether anything was meant to follow here", 0.5),
        ("これは文です。", 1),
        ("f(x) = [1, 2, 3]", 1),
        ("SELECT name FROM people WHERE age > 30 AND city = 'Vienna' ORDER BY name;", 1),
    ],
)
def test_completeness_sees_an_answer_that_broke_off(answer: str, expected: float) -> None:
    assert completeness(answer, len(words_of(answer))) == expected


@pytest.mark.parametrize(
    ("instruction", "good", "bad"),
    [
        ("Answer as JSON with a name.", '{"name": "Ann"}', "The name is Ann."),
        ("Answer in one word.", "Blue.", "I think that it is blue."),
        ("Is it true? Answer yes or no.", "No.", "It is hard to say."),
        ("Explain it in one sentence.", "It rains because air cools.", "It rains. Air cools. Drops form."),
        ("List 3 fruits.", "Apples, pears and plums", "Apples"),
        ("Name five rivers of Europe.", "1. A\n2. B\n3. C\n4. D\n5. E", "1. A\n2. B"),
        ("Put it into a table.", "| a | b |\n|---|---|\n| 1 | 2 |", "a is 1, b is 2"),
        ("Describe it in under 10 words.", "A small red house.", "word " * 30),
        (
            "Write a Python function that adds two numbers.",
            "```python\ndef add(a, b):\n    return a + b\n```",
            "Add them.",
        ),
        ("Give me a bulleted list of tools.", "- saw\n- axe", "a saw"),
    ],
)
def test_the_form_asked_for_is_seen(instruction: str, good: str, bad: str) -> None:
    assert form_kept(instruction, good) == 1
    assert form_kept(instruction, bad) == 0


def test_json_that_had_to_be_mended_is_half_of_what_was_asked_for() -> None:
    assert form_kept("Reply in JSON.", "{'name': 'Ann',}") == 0.5


def test_nothing_asked_for_is_nothing_missed() -> None:
    assert form_kept("Tell me about rivers.", "x") == 1


def test_short_answers_to_short_questions_are_long_enough() -> None:
    assert length("What is the capital of France?", 1) == 1
    assert length("Classify the sentiment of the following review as it was left by a customer last week.", 1) == 1
    assert length(PROSE, 3, Band(15, 600)) == pytest.approx(3 / 15)
    assert length(PROSE, 600, Band(15, 600)) == 1
    assert length(PROSE, 1800, Band(15, 600)) == 0.5
    assert length(PROSE, 3000, Band(15, 600)) == 0


def test_richness_does_not_depend_on_length() -> None:
    rng = random.Random(1)
    vocabulary = [f"w{n}" for n in range(60)]
    short = [rng.choice(vocabulary) for _ in range(200)]
    long = [rng.choice(vocabulary) for _ in range(5000)]
    assert richness(short) == pytest.approx(richness(long), abs=0.1)
    assert richness(["same"] * 100) == 0
    assert richness([f"w{n}" for n in range(100)]) == 1
    assert richness(["a", "a"]) == 1


def test_coverage_asks_of_a_short_answer_what_it_has_room_for() -> None:
    instruction = "Compare volcanoes with earthquakes and glaciers in Iceland."
    assert coverage(instruction, words_of("Both.")) == 1
    assert coverage(instruction, words_of("Some talk about nothing at all. " * 10)) == 0
    assert coverage(instruction, words_of("A volcano and an earthquake on a glacier of Iceland. " * 5)) >= 0.8


def test_repetition_is_seen_in_words_and_in_lines() -> None:
    assert repetition(PROSE, words_of(PROSE)) == 1
    loop = "I like it very much. " * 20
    assert repetition(loop, words_of(loop)) < 0.1
    lines = "\n".join(["one", "two", "one", "one", "one"])
    assert repetition(lines, words_of(lines)) == pytest.approx(1 - 9 / 15)


def test_hedging_counts_by_length() -> None:
    assert hedging("It is 4.", 3) == 1
    assert hedging("I think it is 4.", 5) == 0
    assert hedging("I think it is 4. " + "word " * 95, 100) == pytest.approx(0.8)


def test_code_is_not_marked_as_prose() -> None:
    code = "```python\n" + "\n".join(f"x{n} = f(x{n})" for n in range(12)) + "\n```"
    found = look(code, "Write a Python program that calls f twelve times on different variables.")
    assert (found.richness, found.coverage, found.completeness, found.format) == (1, 1, 1, 1)


@given(instruction=st.text(max_size=200), answer=st.text(max_size=400))
def test_every_component_lies_between_0_and_1(instruction: str, answer: str) -> None:
    assert all(0 <= value <= 1 for value in dataclasses.astuple(components(instruction, "", answer)))


def test_the_score_is_the_weighted_mean_and_every_component_is_kept() -> None:
    run = Run({})
    (done,) = apply(Heuristics(), [row(output="The reasons are the following:")], run)
    parts = {name.removeprefix("heuristics_"): value for name, value in done.scores.items() if name != "heuristics"}
    weights = dataclasses.asdict(Weights())
    assert parts.keys() == weights.keys()
    mean = sum(weights[name] * value for name, value in parts.items()) / sum(weights.values())
    assert done.scores["heuristics"] == pytest.approx(mean, abs=1e-3)
    assert run.notes["heuristics"] == {"scored": 1, "unscored": {}, "failed": {}}


def test_weights_are_relative() -> None:
    one = Weights(0, 0, 3, 0, 0, 0, 0)
    (done,) = apply(Heuristics(weights=one), [row(output=PROSE)], Run({}))
    assert done.scores["heuristics"] == done.scores["heuristics_length"] == 1


def test_bad_answers_score_below_good_ones() -> None:
    good = row("good", output=PROSE)
    bad = [
        row("cut", output=PROSE[:150] + " the"),
        row("loop", output="I like rivers very much. " * 30),
        row("hedge", output="I think it might be a river, perhaps, but I am not sure, it depends."),
        row("empty", output="..."),
    ]
    run = Run({})
    records = [Record(r.id, {**r.fields, "instruction": TASK}) for r in (good, *bad)]
    scores = {record.id: record.scores["heuristics"] for record in apply(Heuristics(), records, run)}
    assert all(scores["good"] > score + 0.05 for id, score in scores.items() if id != "good"), scores


def test_a_record_without_an_answer_has_no_score() -> None:
    run = Run({})
    (done,) = apply(Heuristics(), [Record("r", {"instruction": "x"})], run)
    assert done.scores == {}
    assert done.meta["heuristics_unscored"] == "no_text: the field 'output' is missing"


def test_weights_and_bands_that_make_no_sense_are_refused() -> None:
    for wrong in (lambda: Weights(*[0.0] * 7), lambda: Weights(-1.0), lambda: Heuristics(band=Band(5, 1))):
        with pytest.raises(RecipeError):
            wrong()
