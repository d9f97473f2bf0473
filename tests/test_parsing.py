"""Parsers of replies: every ugly one in `replies/`, then any text at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.parsing import (
    FinalStep,
    Instance,
    parse_alpaca,
    parse_final_prompt,
    parse_input_first,
    parse_method,
    parse_numbered,
    parse_output_first,
    parse_yes_no,
    unwrap,
)
from llmsynth.prompts import Prompts
from llmsynth.sources import read_seeds
from llmsynth.text import one_line

REPLIES = Path(__file__).parent / "replies"


def replies(folder: str) -> list[Any]:
    """Text and expected parse of each reply in a folder; every file must have both."""
    expected = json.loads((REPLIES / folder / "expected.json").read_text(encoding="utf-8"))
    files = {path.stem: path.read_bytes().decode() for path in (REPLIES / folder).glob("*.txt")}
    assert files.keys() == expected.keys()
    return [pytest.param(files[name], expected[name], id=name) for name in sorted(files)]


def instances(expected: dict[str, Any]) -> list[Instance]:
    return [Instance(**instance) for instance in expected["instances"]]


@pytest.mark.parametrize(("reply", "expected"), replies("numbered"))
def test_a_numbered_list_is_read(reply: str, expected: dict[str, Any]) -> None:
    assert parse_numbered(reply, 9, expected.get("truncated", False)) == (expected["items"], expected["cut"])


@pytest.mark.parametrize(("reply", "expected"), replies("yes_no"))
def test_a_verdict_is_read(reply: str, expected: bool | None) -> None:
    assert parse_yes_no(reply) is expected


@pytest.mark.parametrize(("reply", "expected"), replies("input_first"))
def test_instances_with_the_input_first_are_read(reply: str, expected: dict[str, Any]) -> None:
    assert parse_input_first(reply, expected.get("truncated", False)) == instances(expected)


@pytest.mark.parametrize(("reply", "expected"), replies("output_first"))
def test_instances_with_the_label_first_are_read(reply: str, expected: dict[str, Any]) -> None:
    assert parse_output_first(reply, expected.get("truncated", False)) == instances(expected)


@pytest.mark.parametrize(("reply", "expected"), replies("alpaca"))
def test_whole_tasks_are_read(reply: str, expected: dict[str, Any]) -> None:
    tasks = [
        None if task is None else (task["instruction"], Instance(task["input"], task["output"], task.get("cut", False)))
        for task in expected["tasks"]
    ]
    assert parse_alpaca(reply, 4, expected.get("truncated", False)) == tasks


@pytest.mark.parametrize(("reply", "expected"), replies("final_prompt"))
def test_e14_the_prompt_that_a_method_arrives_at_is_read(reply: str, expected: dict[str, Any]) -> None:
    assert parse_final_prompt(reply) == FinalStep(**expected)


@pytest.mark.parametrize(("reply", "expected"), replies("method"))
def test_e14_an_improved_method_is_read(reply: str, expected: dict[str, Any]) -> None:
    assert parse_method(reply) == FinalStep(**expected)


# any text

MARKS = """
1.¦9. ¦10. ¦4. Instruction: ¦4. Input:¦4. Output:¦Input: ¦Output:¦Example 1¦Class label: ¦Task: ¦yes¦no¦###¦---¦```
¦```python¦**¦- ¦Step 2: ¦<rewritten_prompt>¦</rewritten_prompt>¦Final prompt:
¦<think>¦</think>¦<noinput>¦<|im_end|>¦：¦é
"""
FRAGMENTS = [*MARKS.replace("\n", "").split("¦"), "\n", "\r\n", "\t", " ", "\0", "\ud800"]
TEXTS = st.text() | st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5)).map("".join)
PARSERS: list[Callable[[str, bool], object]] = [
    lambda text, truncated: parse_numbered(text, 9, truncated),
    lambda text, _: parse_yes_no(text),
    parse_input_first,
    parse_output_first,
    lambda text, truncated: parse_alpaca(text, 4, truncated),
    lambda text, _: parse_final_prompt(text),
    lambda text, _: parse_method(text),
]


@given(text=TEXTS, truncated=st.booleans())
@settings(max_examples=300)
def test_no_text_makes_a_parser_raise(text: str, truncated: bool) -> None:
    for parse in PARSERS:
        parse(text, truncated)


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        " ",
        "- ",
        "*",
        "9. ",
        "```\n",
        "Input:",
        "Input:\n",
        "###\n",
        "<think>",
        "\n\n---",
        "Step 1: ",
        "<rewritten_prompt>",
    ],
)
def test_a_model_stuck_in_a_loop_costs_no_time(text: str) -> None:
    reply = text * (30_000 // len(text))
    started = time.process_time()
    for parse in PARSERS:
        parse(reply, True)
    assert time.process_time() - started < 2


# what is written as the prompts show it is read back as it was

SAID = "Name the 3 rivers, (input) output: 'task' 12. Größe café 東京 *so* x=1; no example why?"
WORD = st.sampled_from(SAID.split())
LINES = st.lists(WORD, min_size=2, max_size=6).map(lambda words: " ".join(["Say", *words]))
PARAGRAPHS = st.lists(LINES, min_size=1, max_size=3).map("\n".join)


def as_examples(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(
        f"Example {number}\n" + (f"Input: {given}\n" if given else "") + f"Output: {output}"
        for number, (given, output) in enumerate(pairs, 1)
    )


def as_labels(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"Class label: {label}" + (f"\nInput: {given}" if given else "") for given, label in pairs)


def as_tasks(tasks: list[tuple[str, str, str]]) -> str:
    return "###\n".join(
        f"{n}. Instruction: {instruction}\n{n}. Input:\n{given or '<noinput>'}\n{n}. Output:\n{output}\n"
        for n, (instruction, given, output) in enumerate(tasks, 4)
    )


@given(items=st.lists(LINES, min_size=2, max_size=12), first=st.integers(2, 20), numbered=st.booleans())
@settings(max_examples=60)
def test_a_list_that_goes_on_as_asked_round_trips(items: list[str], first: int, numbered: bool) -> None:
    text = "\n".join(f"{number}. {item}" for number, item in enumerate(items, first))
    if not numbered:
        text = text.removeprefix(f"{first}.")
    assert parse_numbered(text, first) == (items, None)
    assert parse_numbered(text, first, truncated=True) == (items[:-1], items[-1])


@given(pairs=st.lists(st.tuples(st.just("") | PARAGRAPHS, PARAGRAPHS), min_size=1, max_size=5))
@settings(max_examples=60)
def test_examples_as_the_prompt_shows_them_round_trip(pairs: list[tuple[str, str]]) -> None:
    assert parse_input_first(as_examples(pairs)) == [Instance(*pair) for pair in pairs]


@given(pairs=st.lists(st.tuples(st.just("") | PARAGRAPHS, LINES), min_size=1, max_size=5))
@settings(max_examples=60)
def test_labels_as_the_prompt_shows_them_round_trip(pairs: list[tuple[str, str]]) -> None:
    assert parse_output_first(as_labels(pairs)) == [Instance(*pair) for pair in pairs]


@given(tasks=st.lists(st.tuples(LINES, st.just("") | PARAGRAPHS, PARAGRAPHS), min_size=1, max_size=5))
@settings(max_examples=60)
def test_tasks_as_the_prompt_shows_them_round_trip(tasks: list[tuple[str, str, str]]) -> None:
    text = as_tasks(tasks)
    expected = [(instruction, Instance(given, output)) for instruction, given, output in tasks]
    assert parse_alpaca(text, 4) == expected
    assert parse_alpaca(text.removeprefix("4. Instruction:"), 4) == expected


def test_the_shipped_demonstrations_are_read_as_they_are_written() -> None:
    demonstrations = Prompts().data("self_instruct/demonstrations.yaml")
    for demonstration in demonstrations["input_first"]:
        pairs = [(instance["input"], instance["output"]) for instance in demonstration["instances"]]
        assert parse_input_first(as_examples(pairs)) == [Instance(*pair) for pair in pairs]
    for demonstration in demonstrations["output_first"]:
        pairs = [(instance["input"], instance["label"]) for instance in demonstration["instances"]]
        assert parse_output_first(as_labels(pairs)) == [Instance(*pair) for pair in pairs]


def test_the_shipped_seeds_are_read_as_they_are_written() -> None:
    seeds = read_seeds()
    instructions = [one_line(seed.instruction) for seed in seeds]
    assert parse_numbered("\n".join(f"{n}. {text}" for n, text in enumerate(instructions, 9)), 9).items == instructions
    pairs = [(given.strip(), output.strip()) for seed in seeds for given, output in seed.instances]
    assert parse_input_first(as_examples(pairs)) == [Instance(*pair) for pair in pairs]
    tasks = [(instruction, *pair) for instruction, pair in zip(instructions, pairs, strict=True)]
    assert parse_alpaca(as_tasks(tasks), 4) == [(text, Instance(given, output)) for text, given, output in tasks]


def test_a_fence_around_all_of_a_reply_is_no_part_of_it() -> None:
    assert unwrap("```json\n[1]\n```") == "[1]"
    assert unwrap("```\nleft open") == "left open"
    assert unwrap("before\n```\ninside\n```") == "before\n```\ninside\n```"
