"""Scores in whole runs: made from a recipe, kept in the records, journaled, and not paid for twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, FakeBackend, Recipe, Request, synthesize
from llmsynth.errors import PromptError, RecipeError
from llmsynth.score_report import ScoreReport
from tests.judging import asked, between

STEPS: list[dict[str, Any]] = [
    {"use": "heuristics", "weights": {"hedging": 0.3}},
    {"use": "judge", "sampling": {"max_tokens": 99}},
    {"use": "self-consistency", "samples": 3, "kind": "text"},
    {"use": "tags"},
    {"use": "deita"},
]


def recipe(steps: list[dict[str, Any]], count: int = 40) -> Recipe:
    data = {
        "name": "scored",
        "target": count,
        "generator": {"use": "tests.plugins:Echoes", "count": 2 * count},
        "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        "steps": steps,
    }
    return Recipe.from_data(data)


class Examiner:
    """Answers what generator and steps ask, and counts."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def __call__(self, request: Request) -> str:
        self.asked[request.stage] = self.asked.get(request.stage, 0) + 1
        if request.stage == "echo":
            return f"It is river {asked(request).split()[-1]}."
        if request.stage == "judge":
            mark = 1 + int(between(asked(request), "answer").strip(".").split()[-1]) % 5
            return f"correctness: {mark}\ncompliance: {mark}\nclarity: {mark}" if mark < 5 else "Splendid!"
        return {"self_consistency": "Answer: river", "tags": '["river", "geography"]', "deita": "4"}[request.stage]


def test_every_score_of_a_recipe_is_in_the_records_and_in_the_report(tmp_path: Path) -> None:
    examiner = Examiner()
    result = synthesize(recipe(STEPS), tmp_path / "run", backends={"default": FakeBackend(examiner)})
    kept = [record for record in result.records() if not record.dropped]
    assert len(kept) == 40
    unread = [record for record in kept if "judge" not in record.scores]
    assert len(unread) == 8
    for record in kept:
        expected = {"heuristics", "heuristics_length", "self_consistency", "tags", "deita", "deita_quality"}
        assert expected <= record.scores.keys()
        assert len(record.meta["journal"]) == 1 + 1 + 3 + 1 + 2
    assert unread[0].meta["judge_unscored"].startswith("unreadable_verdict")
    assert result.report["notes"]["judge"]["unscored"]["unreadable_verdict"] >= 8
    assert result.report["usage"]["judge"]["answers"] >= 40
    report = ScoreReport()
    for record in result.records():
        report.add(record)
    assert report.told()["scores"]["judge"]["missing"] >= 8
    assert report.told()["tags"]["most_common"] == {"geography": 40, "river": 40}


def test_scores_are_not_paid_for_twice(tmp_path: Path) -> None:
    first = synthesize(recipe(STEPS), tmp_path / "run", backends={"default": FakeBackend(Examiner())})
    (tmp_path / "run" / "report.json").unlink()
    again = Examiner()
    second = synthesize(recipe(STEPS), tmp_path / "run", backends={"default": FakeBackend(again)})
    assert list(second.records()) == list(first.records())
    assert again.asked == {}


def test_the_same_whatever_the_concurrency(tmp_path: Path) -> None:
    told = []
    for concurrency in (1, 64):
        made = recipe(STEPS, 20)
        made.models["default"]["concurrency"] = concurrency
        folder = tmp_path / str(concurrency)
        result = synthesize(made, folder, backends={"default": FakeBackend(Examiner())})
        told.append([(record.id, record.scores, record.meta["journal"]) for record in result.records()])
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"use": "ifd"}, "ifd needs a model that tells how likely texts are"),
        ({"use": "reward-model"}, r"models\.reward is no reward model"),
        ({"use": "judge", "rubric": "splendour"}, "there is no prompt judge/rubrics/splendour.yaml"),
        ({"use": "judge", "rubrick": "answer"}, "unknown key"),
        ({"use": "heuristics", "weights": {"hedges": 1}}, "unknown key"),
        ({"use": "self-consistency", "samples": 1}, "samples is 1"),
    ],
)
def test_a_mistake_surfaces_before_anything_is_asked(tmp_path: Path, step: dict[str, Any], said: str) -> None:
    examiner = Examiner()
    with pytest.raises((RecipeError, PromptError), match=said):
        synthesize(recipe([step]), tmp_path / "run", backends={"default": FakeBackend(examiner)})
    assert examiner.asked == {}
    assert not (tmp_path / "run").exists()


def test_answers_about_a_gold_file_and_rejected_ones_are_not_told_as_unused(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"instruction": "Name a river.", "output": "River 4", "judge": 4}\n' * 7)
    made = recipe([{"use": "judge", "gold": str(gold)}, {"use": "tags", "role": "default"}])
    made.models["default"]["on_length"] = "reject"

    def cut(request: Request) -> str | Completion:
        told = Examiner()(request) if request.stage != "default" else '["river"]'
        return Completion(told, "length") if request.stage == "judge" and "3." in asked(request) else told

    report = synthesize(made, tmp_path / "run", backends={"default": FakeBackend(cut)}).report
    usage = report["usage"]
    assert usage["judge"]["failed"]["length"] > 3
    assert report["notes"]["judge"]["gold_answers"] == {"judge": 7}
    rows = report["rows"]["in"]
    assert usage["judge"]["answers"] == rows + 7
    assert report["unused_answers"] == usage["echo"]["answers"] - rows
