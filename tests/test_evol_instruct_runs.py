"""Evol-Instruct through the command line and against a server: the same bytes however the run went."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth import Recipe, Request
from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct import EvolInstruct
from tests.evolving import mixed
from tests.loopback import Loopback
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_determinism import CONCURRENCY, KILLS, contents, finish, kill_and_resume, report

Command = Callable[..., Any]

AUTO = {"pack": "auto", "auto": {"steps": 3, "candidates": 3, "batch": 5, "rounds": 2, "development": 12}}


def answer(body: dict[str, Any]) -> str:
    """What the scripted model says to a request as it came over the wire."""
    text = body["messages"][-1]["content"]
    if "<case number" in text or "<feedback>" in text:
        stage = "optimizer"
    elif "<second_prompt>" in text:
        stage = "equality"
    elif "<given_prompt>" in text:
        stage = "evolve"
    else:
        stage = "responses"
    return str(mixed()(Request(stage, ({"role": "user", "content": text},), seed=zlib.crc32(text.encode()))))


def recipe(server: Loopback, concurrency: int = CONCURRENCY, **method: Any) -> str:
    server.echo = answer
    return yaml.safe_dump(
        {
            "name": "evolved",
            "generator": {"use": "evol-instruct", "seeds": "builtin", "rounds": 2, **method},
            "target": 260,  # 184 of them are seeds
            "models": {
                "default": {"use": "openai", "model": "teacher", "base_url": server.url, "concurrency": concurrency}
            },
            "steps": [{"use": "exact-duplicates"}],
        }
    )


@pytest.mark.parametrize("method", [{}, AUTO], ids=["operators", "auto"])
def test_neither_order_nor_concurrency_changes_a_byte(
    method: dict[str, Any], tmp_path: Path, loopback: Loopback
) -> None:
    finish(recipe(loopback, 1, **method), tmp_path / "calm")
    expected = contents(tmp_path / "calm")
    assert {"README.md", "data/train-00000-of-00001.parquet"} <= expected.keys()
    loopback.latency = (0.0, 0.02)
    finish(recipe(loopback, 64, **method), tmp_path / "wild")
    assert contents(tmp_path / "wild") == expected
    assert report(tmp_path / "wild") == report(tmp_path / "calm")


TIMES = max(3, KILLS // 2)
WHOLE_WAY = [0.9 * number / (TIMES - 1) for number in range(TIMES)]


@pytest.mark.parametrize(
    ("method", "moments"), [({}, WHOLE_WAY), (AUTO, WHOLE_WAY[1 : 1 + TIMES // 2])], ids=["operators", "auto"]
)
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    method: dict[str, Any], moments: list[float], tmp_path: Path, loopback: Loopback
) -> None:
    loopback.latency = (0.001, 0.01)
    text = recipe(loopback, **method)
    finish(text, tmp_path / "whole")
    expected, needed = contents(tmp_path / "whole"), loopback.requests
    assert needed > 200
    rng = random.Random(3)
    for moment in moments:
        directory = tmp_path / f"killed-{moment}"
        lost = kill_and_resume(text, directory, loopback, round(needed * moment), rng.uniform(0, 0.03))
        assert contents(directory) == expected, moment
        assert report(directory) == report(tmp_path / "whole")
        assert 0 <= lost <= CONCURRENCY


def test_the_command_prints_a_recipe_that_run_accepts(llmsynth: Command) -> None:  # noqa: F811
    printed = llmsynth(
        "evol-instruct", *MODEL, "--pack", "math", "--rounds", "2",
        "--breadth", "0.5", "--no-seeds", "--print-recipe",
    )  # fmt: skip
    data = yaml.safe_load(printed.out)
    assert data["generator"] == {
        "use": "evol-instruct",
        "seeds": "builtin",
        "pack": "math",
        "rounds": 2,
        "breadth": 0.5,
        "include_seeds": False,
    }
    assert "target" not in data
    Path("printed.yaml").write_text(printed.out)
    assert llmsynth("validate", "printed.yaml").code == 0


MODEL = ("-m", "some/model", "--base-url", "http://127.0.0.1:9/v1")


def test_the_command_improves_a_method_on_request(llmsynth: Command) -> None:  # noqa: F811
    printed = llmsynth("evol-instruct", *MODEL, "--auto-steps", "12", "--print-recipe")
    generator = yaml.safe_load(printed.out)["generator"]
    assert (generator["pack"], generator["auto"]) == ("auto", {"steps": 12})
    assert llmsynth("evol-instruct", *MODEL, "--auto-steps", "13", "--print-recipe").code == 2
    refused = llmsynth("evol-instruct", *MODEL, "--auto-steps", "2", "--pack", "code", "--print-recipe")
    assert refused.code == 1
    assert "the pack code has no method to improve" in refused.err


def test_the_command_explains_a_pack_that_there_is_not(llmsynth: Command) -> None:  # noqa: F811
    outcome = llmsynth("evol-instruct", "--pack", "poetry", "--print-recipe")
    assert outcome.code == 1
    assert "generator.pack" in outcome.err


def test_the_built_in_recipe_is_one(llmsynth: Command) -> None:  # noqa: F811
    built = Recipe.load("evol-instruct").build()
    assert isinstance(built.generator, EvolInstruct)
    assert built.generator == EvolInstruct()
    assert llmsynth("estimate", "evol-instruct").out.count(f"{184 * 4}") == 3


@pytest.mark.parametrize("nested", ["growth: {most: 5}", "stop: {window: 0}", "elimination: {equalty: true}"])
def test_a_wrong_option_inside_an_option_is_named(nested: str) -> None:
    model = "{use: fake, function: 'tests.teacher:reply'}"
    text = f"generator:\n  use: evol-instruct\n  {nested}\nmodels: {{default: {model}}}"
    with pytest.raises(RecipeError, match=r"line 3: generator\."):
        Recipe.parse(text)
