"""What Self-Instruct is estimated to ask for, against what it then asks for. GLAN's estimate: test_glan_runs.py."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmsynth import FakeBackend, Recipe, Request, synthesize
from llmsynth.errors import RecipeError
from llmsynth.estimate import estimate
from llmsynth.generators.self_instruct.forecast import Survival
from tests.scripted import made_up, numbered


def lossy(request: Request) -> str:
    """A model that loses some of everything: short instructions, unreadable verdicts, answers cut at a colon."""
    rng = Random(str(request.messages))
    if request.stage == "instructions" and "Output:" in request.messages[-1]["content"]:
        tasks = [f"{made_up(rng.random())}\n{n}. Input:\n<noinput>\n{n}. Output:\n{made_up(n)}" for n in range(4, 21)]
        return " " + "\n###\n".join(f"{n}. Instruction: {task}" for n, task in enumerate(tasks, 4))[15:]
    if request.stage == "instructions":
        return numbered(["Too short" if rng.random() < 0.3 else made_up(rng.random()) for _ in range(8)])
    if request.stage == "classification":
        return rng.choice(["No", "No", "No", "No", "No", "Perhaps"])
    return rng.choice([f"Output: {made_up(rng.random())}"] * 4 + ["Output: The answer is:"])


def recipe(target: int, **generator: Any) -> Recipe:
    models = {"default": {"use": "fake", "function": "tests.test_estimates:lossy"}}
    return Recipe.from_data({"target": target, "generator": {"use": "self-instruct", **generator}, "models": models})


@pytest.mark.parametrize(
    ("past", "target", "lookahead"), [(24, 40, 2), (24, 40, 32), (24, 150, 8), (60, 400, 2), (60, 400, 32)]
)
def test_self_instructs_estimate_is_right_within_a_fifth_once_a_run_tells_the_survival(
    past: int, target: int, lookahead: int, tmp_path: Path
) -> None:
    synthesize(recipe(past, lookahead=lookahead), tmp_path / "past")
    wanted = recipe(target, lookahead=lookahead)
    _, stages = estimate(wanted, tmp_path / "past")
    usage = synthesize(wanted, tmp_path / "run").report["usage"]
    told, made = sum(stage.requests for stage in stages), sum(stage["answers"] for stage in usage.values())
    assert abs(told - made) <= 0.2 * made, (told, usage)


def test_it_is_right_without_an_earlier_run_where_survival_is_as_assumed(tmp_path: Path) -> None:
    def half(request: Request) -> str:
        if request.stage == "instructions":
            return numbered([made_up(request.messages, n) if n % 2 else "Too short" for n in range(8)])
        return "No" if request.stage == "classification" else f"Output: {made_up(request.messages)}"

    wanted = recipe(120, lookahead=4)
    told = {stage.stage: stage.requests for stage in estimate(wanted)[1]}
    report = synthesize(wanted, tmp_path / "run", backends={"default": FakeBackend(half)}).report
    made = {stage: usage["answers"] for stage, usage in report["usage"].items()}
    assert told.keys() == made.keys()
    for stage, count in made.items():
        assert abs(told[stage] - count) <= 0.2 * count, (told, made)


@pytest.mark.parametrize("target", [30, 200])
def test_alpacas_estimate_is_right_within_a_fifth_once_a_run_tells_the_survival(target: int, tmp_path: Path) -> None:
    synthesize(recipe(60, use="alpaca", lookahead=2), tmp_path / "past")
    wanted = recipe(target, use="alpaca", lookahead=2)
    [stage] = estimate(wanted, tmp_path / "past")[1]
    made = synthesize(wanted, tmp_path / "run").report["usage"]["instructions"]["answers"]
    assert abs(stage.requests - made) <= max(1, 0.2 * made)


def test_tokens_that_an_earlier_runs_server_did_not_count_are_not_taken_for_none(tmp_path: Path) -> None:
    uncounted = recipe(40, use="alpaca")
    report = synthesize(uncounted, tmp_path / "past").report
    assert report["usage"]["instructions"]["prompt_tokens"] == 0
    [told], [assumed] = estimate(uncounted, tmp_path / "past")[1], estimate(uncounted)[1]
    assert told.prompt_tokens / told.requests == pytest.approx(assumed.prompt_tokens / assumed.requests, rel=0.01)
    assert told.completion_tokens > 0


@pytest.mark.parametrize(("most", "requests"), [(None, 2_500_000), (1_000, 1_000)])
def test_ten_million_rows_are_estimated_at_once(most: int | None, requests: int) -> None:
    told, developed = Survival(new=8, accepted=4, kept=1).requests(10_000_000, most, lookahead=32, ahead=128)
    assert told == pytest.approx(requests, rel=0.001)
    assert developed == pytest.approx(4 * requests, rel=0.001)


def test_without_a_target_or_a_limit_nothing_can_be_told() -> None:
    survival = Survival(new=8, accepted=4, kept=1)
    with pytest.raises(RecipeError, match="nothing says how many rows are wanted"):
        survival.requests(float("inf"), None, 32, 128)
    assert survival.requests(float("inf"), 10, 32, 128) == (10, 40)
