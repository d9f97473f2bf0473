"""The shipped seed tasks and demonstrations are what their cards and the paper's recipe say."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from rapidfuzz.distance import LCSseq

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "llmsynth" / "data" / "seeds.jsonl"
DEMONSTRATIONS = ROOT / "prompts" / "self_instruct" / "demonstrations.yaml"
UNSUITABLE = re.compile(
    r"\b(image|images|graph|graphs|picture|pictures|file|files|map|maps|draw|plot|go to)\b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def seeds() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def demonstrations() -> dict[str, list[dict[str, Any]]]:
    loaded: dict[str, list[dict[str, Any]]] = yaml.safe_load(DEMONSTRATIONS.read_text(encoding="utf-8"))
    return loaded


def tokens(text: str) -> list[str]:
    """Words as ROUGE counts them: lower case, ASCII letters and digits, no stemming."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


def rouge_l(one: list[str], other: list[str]) -> float:
    return 2 * LCSseq.similarity(one, other) / (len(one) + len(other))


def words(demonstration: dict[str, Any]) -> int:
    texts = [demonstration["instruction"]]
    texts += [text for instance in demonstration.get("instances", []) for text in instance.values()]
    return len(" ".join(texts).split())


def test_there_are_184_seeds_in_the_common_format(seeds: list[dict[str, Any]]) -> None:
    assert len(seeds) == 184
    for seed in seeds:
        assert list(seed) == ["id", "name", "instruction", "instances", "is_classification"]
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", seed["name"]), seed["name"]
        assert seed["instances"]
        assert all(list(instance) == ["input", "output"] for instance in seed["instances"])


def test_ids_count_up_and_names_are_unique(seeds: list[dict[str, Any]]) -> None:
    assert [seed["id"] for seed in seeds] == [f"seed_{number:03d}" for number in range(len(seeds))]
    assert len({seed["name"] for seed in seeds}) == len(seeds)


def test_a_quarter_of_the_seeds_is_classification(seeds: list[dict[str, Any]]) -> None:
    assert sum(seed["is_classification"] is True for seed in seeds) == 46
    assert sum(seed["is_classification"] is False for seed in seeds) == 138


def test_classification_seeds_are_spread_over_the_list(seeds: list[dict[str, Any]]) -> None:
    for start in range(0, len(seeds), 8):
        assert 1 <= sum(seed["is_classification"] for seed in seeds[start : start + 8]) <= 4, seeds[start]["id"]


def test_about_a_third_of_the_seeds_needs_no_input(seeds: list[dict[str, Any]]) -> None:
    empty = sum(not seed["instances"][0]["input"] for seed in seeds)
    assert 0.3 <= empty / len(seeds) <= 0.36


def test_every_seed_instruction_would_pass_the_instruction_filter(seeds: list[dict[str, Any]]) -> None:
    for seed in seeds:
        instruction = seed["instruction"]
        assert instruction == " ".join(instruction.split()), seed["id"]
        assert 3 < len(instruction.split()) <= 150, seed["id"]
        assert instruction[0].isascii() and instruction[0].isalpha(), seed["id"]
        assert not instruction.startswith("Write a program"), seed["id"]
        assert not UNSUITABLE.search(instruction), seed["id"]


def test_every_seed_instance_would_pass_the_instance_filter(seeds: list[dict[str, Any]]) -> None:
    for seed in seeds:
        for instance in seed["instances"]:
            given, answer = instance["input"], instance["output"]
            assert answer and answer != given, seed["id"]
            assert given == given.strip("\n") and answer == answer.strip("\n"), seed["id"]
            assert not given.endswith(":") and not answer.endswith(":"), seed["id"]


def test_a_classification_seed_answers_with_a_short_label(seeds: list[dict[str, Any]]) -> None:
    for seed in seeds:
        if seed["is_classification"]:
            assert all(len(instance["output"].split()) <= 3 for instance in seed["instances"]), seed["id"]


def test_no_two_seed_instructions_are_alike(seeds: list[dict[str, Any]]) -> None:
    tokenised = [(seed["id"], tokens(seed["instruction"])) for seed in seeds]
    alike = [(a, b) for (a, one), (b, other) in combinations(tokenised, 2) if rouge_l(one, other) > 0.5]
    assert alike == []


def test_seeds_answered_in_json_hold_valid_json(seeds: list[dict[str, Any]]) -> None:
    outputs = [seed["instances"][0]["output"] for seed in seeds]
    arrays = [json.loads(output) for output in outputs if output.startswith("[\n")]
    assert len(arrays) >= 2
    assert all(isinstance(row, dict) for array in arrays for row in array)


def test_classification_demonstrations_have_the_counts_of_the_paper(
    demonstrations: dict[str, list[dict[str, Any]]],
) -> None:
    answers = [shown["is_classification"] for shown in demonstrations["classification"]]
    assert (answers.count(True), answers.count(False)) == (12, 19)
    assert all(len(shown["instruction"].split()) < 30 for shown in demonstrations["classification"])


def test_every_beginning_of_the_classification_demonstrations_is_mixed(
    demonstrations: dict[str, list[dict[str, Any]]],
) -> None:
    answers = [shown["is_classification"] for shown in demonstrations["classification"]]
    assert answers[:4] == [True, False, False, True]
    for end in range(4, len(answers) + 1):
        assert 0.3 <= sum(answers[:end]) / end <= 0.5


def test_input_first_demonstrations_show_every_shape_within_the_first_four(
    demonstrations: dict[str, list[dict[str, Any]]],
) -> None:
    shown = demonstrations["input_first"]
    assert len(shown) == 11
    assert [len(one["instances"]) for one in shown[:4]] == [2, 1, 1, 2]
    assert [bool(one["instances"][0]["input"]) for one in shown[:4]] == [True, False, True, True]
    for one in shown:
        assert all(list(instance) == ["input", "output"] and instance["output"] for instance in one["instances"])
        assert len(one["instances"]) == 1 or all(instance["input"] for instance in one["instances"])


def test_output_first_demonstrations_give_one_input_per_label(
    demonstrations: dict[str, list[dict[str, Any]]],
) -> None:
    shown = demonstrations["output_first"]
    assert len(shown) == 16
    for one in shown:
        labels = [instance["label"] for instance in one["instances"]]
        assert len(set(labels)) == len(labels) and all(isinstance(label, str) and label for label in labels)
        assert len(labels) == 1 or all(instance["input"] for instance in one["instances"])
    assert any(one["instances"][0]["input"] == "" for one in shown[:4])


@pytest.mark.parametrize("kind", ["classification", "input_first", "output_first"])
def test_the_first_four_demonstrations_are_short(demonstrations: dict[str, list[dict[str, Any]]], kind: str) -> None:
    assert all(words(shown) < 60 for shown in demonstrations[kind][:4])


def test_no_demonstration_instruction_is_repeated_or_taken_from_a_seed(
    seeds: list[dict[str, Any]], demonstrations: dict[str, list[dict[str, Any]]]
) -> None:
    shown = [tokens(one["instruction"]) for kind in demonstrations.values() for one in kind]
    assert max(rouge_l(one, other) for one, other in combinations(shown, 2)) <= 0.7
    assert max(rouge_l(one, tokens(seed["instruction"])) for one in shown for seed in seeds) <= 0.7
