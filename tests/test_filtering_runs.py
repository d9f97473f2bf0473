"""Filters and decontamination in a whole run: in its recipe, its report and what is published of it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from llmsynth import Recipe, synthesize
from llmsynth.recipe import publishable

STEPS = """
  - use: instruction-profile
    length: {words: {output: [1, 2]}}
    without: [echo]
  - use: where
    keep: "scores.urls == 0 and has(output)"
  - use: decontaminate
    against: [EXAM]
    shortest: 2
  - use: personal-data
    action: flag
"""


def recipe(exam: Path) -> Recipe:
    return Recipe.parse(
        "generator: {use: tests.plugins:Echoes, count: 30}\n"
        "models: {default: {use: fake, function: tests.plugins:last_words}}\n"
        f"steps:{STEPS.replace('EXAM', str(exam))}"
    )


def exam(folder: Path) -> Path:
    """Holds one of the ten answers, of which three are made."""
    (folder / "exam.jsonl").write_text(json.dumps({"answer": "Answer: 1."}) + "\n")
    return folder / "exam.jsonl"


def test_a_run_reports_what_its_filters_dropped_and_which_benchmark_was_in_it(tmp_path: Path) -> None:
    result = synthesize(recipe(exam(tmp_path)), tmp_path / "run")
    assert result.report["rows"] == {"in": 30, "kept": 20, "dropped": {"contaminated": 10}, "failed": {}}
    found = result.report["notes"]["decontaminate"]["benchmarks"]["exam.jsonl"]
    assert found["found"] == {"whole": 10} and found["examples"][0]["span"] == "answer 1"
    dropped = [record for record in result.records() if record.dropped]
    assert {record.meta["contamination"]["row"] for record in dropped} == {"exam.jsonl:1"}
    assert str(tmp_path) not in "".join(path.read_text() for path in result.dataset.glob("*.*"))


def test_a_recipe_with_filters_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    resolved = recipe(exam(tmp_path)).resolved()
    again = Recipe.parse(yaml.safe_dump(resolved))
    assert again.resolved() == resolved
    assert resolved["steps"][0]["length"]["words"] == {"output": [1, 2]}
    assert resolved["steps"][0]["repetition"]["words"] == 30
    assert resolved["steps"][2]["against"] == [str(tmp_path / "exam.jsonl")]
    assert publishable(resolved)["steps"][2]["against"] == ["exam.jsonl"]
