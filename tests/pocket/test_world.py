"""The pocket world: what it asks, and whether its oracle knows right from wrong."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "pocket"))

import world

FORBIDDEN = re.compile(
    r"\b(image|images|graph|graphs|picture|pictures|file|files|map|maps|draw|plot|go to|video|audio|music|flowchart"
    r"|diagram)\b",
    re.IGNORECASE,
)
PROMPT_MARKS = re.compile(r"Task:|Example|Input:|Output:|Class label:|\b\d+ ?\.|[^ -~]")


def tasks_of(family: str, count: int = 50, examples: int = 3) -> list[world.Task]:
    rng = random.Random(family)
    return [world.sample(rng, family, examples) for _ in range(count)]


def other_answer(task: world.Task, answer: str) -> str:
    """An answer that is certainly wrong, in the form the instruction asks for."""
    return next((label for label in task.labels if label != answer), "9 zzz " + answer)


@pytest.mark.parametrize("family", world.FAMILIES)
def test_every_family_knows_its_right_answers_from_wrong_ones(family: str) -> None:
    for task in tasks_of(family):
        assert task.family == family
        for example in task.examples:
            assert world.check(task.instruction, example.input, example.output) is True, task
            assert world.check(task.instruction, example.input, other_answer(task, example.output)) is False, task
            assert world.check(task.instruction, example.input, "") is False, task


@pytest.mark.parametrize("family", world.FAMILIES)
def test_no_instruction_belongs_to_two_families(family: str) -> None:
    for task in tasks_of(family, 25, 1):
        assert world.family_of(task.instruction) == family
    rng = random.Random(family)
    for template in world.FAMILIES[family].templates:
        kind = world.FAMILIES[family]
        instruction = template.render(rng, kind.draw(rng) if kind.draw else {})
        assert [name for name, other in world.FAMILIES.items() if other.match(instruction)] == [family], instruction


@pytest.mark.parametrize("family", world.FAMILIES)
def test_instructions_and_instances_have_the_form_self_instruct_expects(family: str) -> None:
    for task in tasks_of(family):
        assert 4 <= len(task.instruction.split()) <= 60
        assert task.instruction[0].isalpha()
        assert not task.instruction.endswith(":")
        assert not task.instruction.startswith("Write a program")
        assert not FORBIDDEN.search(task.instruction), task.instruction
        assert not PROMPT_MARKS.search(task.instruction), task.instruction
        for example in task.examples:
            assert example.output
            assert example.input != example.output
            for text in (example.input, example.output):
                assert not text.endswith(":")
                assert not PROMPT_MARKS.search(text), text
                assert "\n" not in text


@pytest.mark.parametrize("family", world.FAMILIES)
def test_only_tasks_with_inputs_have_several_distinct_examples(family: str) -> None:
    needs_input = world.FAMILIES[family].draw_input is not None
    for task in tasks_of(family, 20, 4):
        inputs = [example.input for example in task.examples]
        assert len(set(inputs)) == len(inputs) == (4 if needs_input else 1)
        assert (inputs[0] != "") is needs_input


def test_the_world_is_wide_enough() -> None:
    assert len(world.FAMILIES) >= 44
    assert sum(bool(family.labels) for family in world.FAMILIES.values()) >= 10
    for family in world.FAMILIES.values():
        assert len(family.phrasings) >= 10, family.name
        assert len(set(family.phrasings)) == len(family.phrasings), family.name


def test_classification_examples_take_the_labels_in_turn() -> None:
    rng = random.Random(4)
    for name, family in world.FAMILIES.items():
        if not family.labels:
            continue
        task = world.sample(rng, name, 2 * len(family.labels))
        assert sorted(task.labels) == sorted(family.labels)
        answers = [example.output for example in task.examples]
        if family.draw_input is None:
            assert answers[0] in task.labels
        else:
            assert answers == [*task.labels, *task.labels]


def test_a_single_example_shows_every_label_sooner_or_later() -> None:
    rng = random.Random(5)
    found = {world.sample(rng, "topic").examples[0].output for _ in range(60)}
    assert found == set(world.FAMILIES["topic"].labels)


@pytest.mark.parametrize(
    ("instruction", "given", "answer", "right"),
    [
        ("Mara has 12 pears and gives 5 to Tom. How many pears are left?", "", "7", True),
        ("Mara has 12 pears and gives 5 to Tom. How many pears are left?", "", "8", False),
        ("Zed has 412 widgets and gives 5 to Quill. How many widgets are left?", "", "407.", True),
        ("Mara has 5 pears and gives 12 to Tom. How many pears are left?", "", "7", None),
        ("Name a fruit that Nina may know.", "", "a plum", True),
        ("Name a fruit that Nina may know.", "", "hammer", False),
        ("Which is heavier, a whale or a mouse? Reply in capital letters.", "", "WHALE", True),
        ("Which is heavier, a whale or a mouse? Reply in capital letters.", "", "whale", False),
        ("Which is heavier, a whale or a mouse? End your answer with an exclamation mark.", "", "A whale!", True),
        ("For the picnic at the zoo, which is heavier, a whale or a mouse?", "", '"whale"', True),
        ("Dear cook, which is lighter, a cow or a hen? Put the answer in square brackets.", "", "[hen]", True),
        ("Dear cook, which is lighter, a cow or a hen? Put the answer in square brackets.", "", "hen", False),
    ],
)
def test_the_oracle_judges_tasks_nobody_sampled(instruction: str, given: str, answer: str, right: bool | None) -> None:
    assert world.check(instruction, given, answer) is right


@pytest.mark.parametrize(
    "instruction",
    [
        "",
        "Explain why the sky is blue.",
        "Sort the numbers of Nina by colour.",
        "Translate the sentence into French.",
        "Write a poem about the harbour. Reply in capital letters.",
        "For the picnic at the zoo, tell me a joke.",
    ],
)
def test_foreign_text_has_no_family_and_no_verdict(instruction: str) -> None:
    assert world.family_of(instruction) is None
    assert world.check(instruction, "", "yes") is None


def test_the_same_seed_draws_the_same_tasks() -> None:
    first, second = random.Random(11), random.Random(11)
    assert [world.sample(first) for _ in range(50)] == [world.sample(second) for _ in range(50)]


def test_two_percent_are_held_out_whatever_the_spacing_or_case() -> None:
    rng = random.Random(3)
    instructions = {world.sample(rng).instruction for _ in range(4_000)}
    held = {text for text in instructions if world.held_out(text)}
    assert 0.012 < len(held) / len(instructions) < 0.028
    assert all(world.held_out(text.upper().replace(" ", "  ")) for text in held)


def test_sampled_instructions_hardly_ever_repeat() -> None:
    rng = random.Random(7)
    drawn = [world.sample(rng).instruction for _ in range(20_000)]
    assert len(set(drawn)) / len(drawn) >= 0.93
    assert sum(text in set(drawn[2000:]) for text in drawn[:100]) < 10


def test_most_sampled_instructions_are_novel_by_rouge() -> None:
    rng = random.Random(8)
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    kept: list[str] = []
    for _ in range(150):
        text = world.sample(rng).instruction
        if all(scorer.score(text, other)["rougeL"].fmeasure <= 0.7 for other in kept):
            kept.append(text)
    assert len(kept) >= 120
