"""Evol-Instruct through the command line, and its recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth import Recipe
from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct import EvolInstruct
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)

Command = Callable[..., Any]


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
