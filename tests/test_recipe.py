"""A recipe says what is wrong with it, and where, before a token is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import llmsynth
from llmsynth.backends.fake import FakeBackend
from llmsynth.errors import AuthenticationError, LlmsynthError, RecipeError
from llmsynth.generators.self_instruct import SelfInstruct
from llmsynth.recipe import Recipe, same_result
from llmsynth.request import Sampling
from llmsynth.steps import Check
from llmsynth.steps.duplicates import ExactDuplicates
from llmsynth.synthesis import synthesize
from tests import plugins

GOOD = """\
name: tasks
target: 100
generator:
  use: self-instruct
  new: 4
  bootstrap: {temperature: 1.0, stop: [END]}
models:
  default:
    use: fake
    function: tests.plugins:last_words
    sampling: {max_tokens: 50}
    concurrency: 3
steps:
  - use: exact-duplicates
    on: [instruction]
  - use: tests.plugins:odd
"""


def refusal(text: str, *overrides: str) -> LlmsynthError:
    with pytest.raises(LlmsynthError) as caught:
        Recipe.parse(text, overrides, "mine.yaml")
    return caught.value


def test_a_recipe_becomes_the_objects_it_describes() -> None:
    built = Recipe.parse(GOOD).build()
    assert isinstance(built.generator, SelfInstruct) and built.generator.new == 4
    model = built.models["default"]
    assert isinstance(model.backend, FakeBackend)
    assert (model.how.concurrency, model.how.attempts, model.sampling) == (3, 5, {"max_tokens": 50})
    duplicates, check = built.steps
    assert isinstance(duplicates, ExactDuplicates) and duplicates.on == ("instruction",)
    assert isinstance(check, Check) and check.function is plugins.odd


def test_nested_options_change_the_defaults_rather_than_replace_them() -> None:
    generator = Recipe.parse(GOOD).build().generator
    assert isinstance(generator, SelfInstruct)
    default = SelfInstruct().bootstrap
    assert generator.bootstrap == Sampling(
        1.0, default.top_p, default.max_tokens, default.presence_penalty, stop=("END",)
    )
    assert generator.filter == SelfInstruct().filter


def test_nested_defaults_that_are_made_afresh_are_changed_too() -> None:
    text = GOOD.replace(
        "use: self-instruct\n  new: 4\n  bootstrap: {temperature: 1.0, stop: [END]}",
        "use: tests.plugins:Echoes\n  sampling: {top_p: 0.1}\n  more: {top_p: 0.2}",
    )
    generator = Recipe.parse(text).build().generator
    assert isinstance(generator, plugins.Echoes)
    assert generator.sampling == Sampling(0.5, 0.1)
    assert generator.more == Sampling(max_tokens=9, top_p=0.2)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "hint"),
    [
        ("target:", "traget:", 2, "traget", "target"),
        ("  new: 4", "  neww: 4", 5, "generator.neww", "new"),
        ("temperature", "temprature", 6, "generator.bootstrap.temprature", "temperature"),
        ("function:", "funktion:", 10, "models.default.funktion", "function"),
        ("max_tokens", "max_token", 11, "models.default.sampling.max_token", "max_tokens"),
        ("    on:", "    onn:", 15, "steps[0].onn", "on"),
        ("self-instruct", "self-instrukt", 4, "generator.use", "self-instruct"),
        ("exact-duplicates", "exact-duplicate", 14, "steps[0].use", "exact-duplicates"),
        ("use: fake", "use: fak", 9, "models.default.use", "fake"),
    ],
)
def test_a_typing_error_is_answered_with_file_line_key_and_the_nearest_right_one(
    old: str, new: str, line: int, key: str, hint: str
) -> None:
    error = refusal(GOOD.replace(old, new, 1))
    assert isinstance(error, RecipeError)
    assert f"mine.yaml, line {line}: {key}:" in error.message
    assert f"did you mean {hint}?" in error.hint


def test_a_key_like_none_is_answered_with_all_there_are() -> None:
    assert "known keys:" in refusal(GOOD.replace("target:", "zzzzzz:")).hint


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("target: 100", "target: many", 2, "target"),
        ("target: 100", "target: 0", 2, "target"),
        ("target: 100", "target: -5", 2, "target"),
        ("new: 4", "new: four", 5, "generator.new"),
        ("temperature: 1.0", "temperature: hot", 6, "generator.bootstrap.temperature"),
        ("stop: [END]", "stop: 3", 6, "generator.bootstrap.stop"),
        ("concurrency: 3", "concurrency: lots", 12, "models.default.concurrency"),
        ("bootstrap: {temperature: 1.0, stop: [END]}", "bootstrap: warm", 6, "generator.bootstrap"),
    ],
)
def test_a_value_of_the_wrong_type_is_located(old: str, new: str, line: int, what: str) -> None:
    error = refusal(GOOD.replace(old, new))
    assert f"mine.yaml, line {line}: {what}: " in error.message


@pytest.mark.parametrize(
    "text",
    ["generator: 3\nmodels: {}\n", "generator: {use: self-instruct}\n", "- a list\n", "", "just text", "models: 1\n"],
)
def test_a_file_that_is_no_recipe_is_refused(text: str) -> None:
    assert isinstance(refusal(text), RecipeError)


def test_a_recipe_without_a_model_is_refused() -> None:
    assert "no model" in refusal("generator: {use: self-instruct}\nmodels: {}\n").message


def test_values_that_do_not_go_together_are_refused_with_their_line() -> None:
    assert "mine.yaml, line 3: generator: threshold is 1.5" in refusal(GOOD.replace("new: 4", "threshold: 1.5")).message
    assert (
        "mine.yaml, line 8: models.default: conc" in refusal(GOOD.replace("concurrency: 3", "concurrency: 0")).message
    )


def test_a_key_given_twice_is_refused_with_its_line() -> None:
    error = refusal(GOOD.replace("  new: 4", "  new: 4\n  new: 5"))
    assert "mine.yaml, line 6: generator.new is there twice" in error.message


@pytest.mark.parametrize(
    ("text", "line"),
    [("generator: [1, 2\nname: x\n", 2), ("a: 1\n\tb: 2\n", 2), ("? [a, b]\n: c\n", 1), ("name: 'open\n", 2)],
)
def test_bad_yaml_is_located(text: str, line: int) -> None:
    assert f"mine.yaml, line {line}:" in refusal(text).message


def test_a_missing_option_is_named() -> None:
    error = refusal(GOOD.replace("    function: tests.plugins:last_words\n", ""))
    assert "models.default.function: missing" in error.message


@pytest.mark.parametrize(
    "use", ["tests.plugins:Nothing", "no_such_package:Thing", ":Thing", ".plugins:Echoes", "tests.plugins:odd", "[1]"]
)
def test_a_generator_that_cannot_be_used_is_refused_with_its_line(use: str) -> None:
    error = refusal(GOOD.replace("use: self-instruct", f"use: {use}"))
    assert isinstance(error, RecipeError)
    assert "mine.yaml, line" in error.message


def test_a_step_that_is_neither_class_nor_function_is_refused() -> None:
    assert "line 16" in refusal(GOOD.replace("plugins:odd", "plugins:NOT_CALLABLE")).message


def test_a_function_takes_no_options() -> None:
    assert "steps[1].on: unknown key" in refusal(GOOD + "    on: [x]\n").message


def test_a_missing_key_surfaces_when_the_recipe_is_read() -> None:
    text = GOOD.replace("use: fake\n    function: tests.plugins:last_words", "use: openai\n    model: gpt")
    assert isinstance(refusal(text), AuthenticationError)


def test_overrides_replace_and_add_values() -> None:
    overrides = ["target=7", "generator.bootstrap.top_p=0.3", "models.default.sampling={temperature: 0}", "name=a=b"]
    recipe = Recipe.parse(GOOD, overrides)
    built = recipe.build()
    assert (recipe.target, recipe.name) == (7, "a=b")
    assert isinstance(built.generator, SelfInstruct)
    assert (built.generator.bootstrap.top_p, built.generator.bootstrap.temperature) == (0.3, 1.0)
    assert built.models["default"].sampling == {"temperature": 0}
    assert Recipe.parse(GOOD, ["target="]).target is None


@pytest.mark.parametrize("override", ["target", "=3", "generator..new=3", "name.first=x", "target=[1"])
def test_an_override_that_cannot_be_used_is_quoted(override: str) -> None:
    assert repr(override) in refusal(GOOD, override).message


def test_a_typing_error_in_an_override_gets_the_nearest_key_too() -> None:
    error = refusal(GOOD, "generator.neww=3")
    assert "generator.neww" in error.message and "did you mean new?" in error.hint
    assert "line" not in error.message and "--set" in error.message  # the file is right


@pytest.mark.parametrize("text", [GOOD, GOOD + "language: []\nlicense: mit\n", GOOD.replace("target: 100\n", "")])
def test_a_recipe_survives_being_written_and_read(text: str, tmp_path: Path) -> None:
    recipe = Recipe.parse(text)
    path = tmp_path / "again.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.load(path) == recipe


def test_a_recipe_from_python_survives_too() -> None:
    recipe = Recipe(
        name="Zürich 🙂: yes",
        generator={"use": "self-instruct", "bootstrap": {"stop": ("a", "\n"), "temperature": None}},
        models={"default": {"use": "fake", "function": "tests.plugins:last_words"}},
    )
    again = Recipe.parse(recipe.to_yaml())
    assert again.name == recipe.name
    assert again.resolved() == recipe.resolved()


def test_the_resolved_recipe_spells_out_every_default_and_means_the_same() -> None:
    resolved = Recipe.parse(GOOD).resolved()
    assert resolved["generator"]["threshold"] == 0.7
    assert resolved["generator"]["bootstrap"]["stop"] == ["END"]
    assert resolved["models"]["default"]["attempts"] == 5
    assert resolved["steps"] == [{"use": "exact-duplicates", "on": ["instruction"]}, {"use": "tests.plugins:odd"}]
    again = Recipe.parse(yaml.safe_dump(resolved, sort_keys=False))
    assert same_result(again.resolved(), resolved) == []


@pytest.mark.parametrize(
    ("change", "differences"),
    [
        ({}, []),
        ({"models.default.concurrency": 1, "models.default.attempts": 2}, []),
        ({"target": 200}, ["target"]),
        ({"generator.bootstrap.top_p": 0.1, "seed": 1}, ["generator.bootstrap.top_p", "seed"]),
    ],
)
def test_recipes_differ_in_what_changes_the_result(change: dict[str, Any], differences: list[str]) -> None:
    other = Recipe.parse(GOOD, [f"{key}={value}" for key, value in change.items()])
    assert same_result(Recipe.parse(GOOD).resolved(), other.resolved()) == differences


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert Recipe.load(path) == Recipe.parse(GOOD)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: Z\xfcrich\n")
    for name, what in (("absent.yaml", "No such file"), ("latin.yaml", "UTF-8"), (".", "directory")):
        with pytest.raises(RecipeError, match=what) as caught:
            Recipe.load(tmp_path / name)
        assert str(tmp_path) in caught.value.message


def test_a_character_in_two_escapes_as_json_has_it_is_one_and_half_of_one_is_refused() -> None:
    text = """{"name": "\\ud83d\\ude00", "generator": {"use": "glan"}, "models": {"default": {"use": "pocket"}}}"""
    assert Recipe.parse(text, ['card.summary="\\ud83d\\ude00"']).name == "\U0001f600"
    for broken, more in ((text.replace("\\ude00", ""), []), (text, ['card.summary="\\ud83d"'])):
        with pytest.raises(RecipeError, match="holds half a character"):
            Recipe.parse(broken, more)


def test_on_and_no_are_words_and_true_is_the_truth() -> None:
    text = GOOD.replace("  new: 4", "  classification_only: true") + "language: [no, en]\n"
    recipe = Recipe.parse(text)
    assert recipe.language == ["no", "en"]
    assert recipe.generator["classification_only"] is True
    assert recipe.steps[0]["on"] == ["instruction"]


BASE = {"generator": {"use": "self-instruct"}, "models": {"default": {"use": "pocket"}}}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"steps": [{"use": "instruction-profile", "language": {"allwed": ["de"]}}]},
            r"steps\[0\]\.language\.allwed: unknown key",
        ),
        (
            {"steps": [{"use": "instruction-profile", "language": {"allowed": "de"}}]},
            r"steps\[0\]\.language\.allowed: ",
        ),
        ({"caps": {"cost": -20}}, "caps: cost is -20"),
    ],
)
def test_options_inside_options_are_checked_like_others(more: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        Recipe.from_data({**BASE, **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"models": {**BASE["models"], "jugde": {"use": "pocket"}}, "steps": [{"use": "judge"}]}, "did you mean judge"),
        ({"models": {**BASE["models"], "instruction": {"use": "pocket"}}}, "did you mean instructions"),
        (
            {"steps": [{"use": "heuristics"}], "selectors": [{"use": "top-k", "score": "hueristics", "n": 5}]},
            "did you mean heuristics",
        ),
    ],
)
def test_a_misspelt_role_or_score_is_told_before_a_token_is_paid_for(
    more: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        synthesize(Recipe.from_data({**BASE, "target": 5, **more}), tmp_path / "run")
    assert says in caught.value.hint and not (tmp_path / "run").exists()


def test_a_role_of_which_nothing_is_known_is_left_alone(tmp_path: Path) -> None:
    data = {
        "generator": {"use": "tests.plugins:Echoes", "count": 3},
        "models": {role: {"use": "fake", "function": "tests.plugins:last_words"} for role in ("default", "spare")},
    }
    assert synthesize(Recipe.from_data(data), tmp_path / "run").complete


def test_the_public_names_are_completed_in_a_notebook() -> None:
    assert set(llmsynth.__all__) <= set(dir(llmsynth))
