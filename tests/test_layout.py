"""Which columns stand for question and answer, and what steps are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from llmsynth.errors import RecipeError
from llmsynth.layout import Layout, refuse_misspelt
from llmsynth.options import OptionError
from llmsynth.steps.filters.where import Where
from llmsynth.steps.judge import Judge


@dataclass
class Length:
    on: tuple[str, ...] = ("output",)
    most: int = 9


@dataclass
class Profile:
    """As steps are: options of every kind, some of them steps themselves."""

    on: tuple[str, ...] = ("instruction", "input", "output")
    asked: tuple[str, ...] = ("instruction", "input")
    names: tuple[str, ...] = ("one",)
    length: Length = field(default_factory=Length)
    least: dict[str, int] = field(default_factory=lambda: {"instruction": 3, "output": 1})
    other: Length | None = None


def options(columns: list[str], *on: str, target: object = Profile, **given: object) -> dict[str, object]:
    return Layout.of(columns, on).options(target, given)


def test_the_usual_columns_need_no_word() -> None:
    assert options(["instruction", "input", "output", "source"]) == {}


@pytest.mark.parametrize(
    ("columns", "on", "whole", "asked", "answered"),
    [
        (["prompt", "response"], [], ["prompt", "response"], ["prompt"], ["response"]),
        (
            ["id", "question", "context", "answer"],
            [],
            ["question", "context", "answer"],
            ["question", "context"],
            ["answer"],
        ),
        (["question", "answer"], ["question"], ["question"], ["question"], ["answer"]),
        (["messages"], [], ["messages"], ["messages"], ["messages"]),
        (["title", "text"], [], ["text"], ["text"], ["text"]),
        (["title", "text"], ["title"], ["title"], ["title"], ["title"]),
        (["prompt", "chosen", "rejected"], [], ["prompt", "chosen", "rejected"], ["prompt"], ["chosen"]),
        (["chosen", "rejected"], [], ["chosen", "rejected"], ["chosen"], ["chosen"]),
        (["q", "a"], ["q", "a"], ["q", "a"], ["q"], ["a"]),
        (["q", "hint", "a"], ["q", "hint", "a"], ["q", "hint", "a"], ["q", "hint"], ["a"]),
    ],
)
def test_other_columns_stand_for_them(
    columns: list[str], on: list[str], whole: list[str], asked: list[str], answered: list[str]
) -> None:
    told = options(columns, *on)
    assert told.pop("least").keys() == {asked[0], *answered}
    assert told == {"on": whole, "asked": asked, "length": {"on": answered}}


def test_what_is_given_stays() -> None:
    given = {"on": ["a"], "length": {"on": ["q"]}, "least": {"a": 2}, "use": "profile"}
    assert options(["q", "a"], "q", "a", **given) == {**given, "asked": ["q"]}


def test_what_is_given_by_column_is_by_the_columns_there_are() -> None:
    assert options(["question", "answer"])["least"] == {"question": 3, "answer": 1}


def test_a_step_inside_a_step_that_is_given_in_part_is_told_the_rest() -> None:
    told = options(["q", "a"], "q", "a", length={"most": 3}, other={"most": 2})
    assert told["length"] == {"most": 3, "on": ["a"]} and told["other"] == {"most": 2, "on": ["a"]}


def test_what_is_no_dataclass_is_left_alone() -> None:
    assert options(["text"], target=len, use="x:len") == {"use": "x:len"}


def test_columns_that_say_nothing_ask_for_a_word() -> None:
    with pytest.raises(RecipeError, match="which columns hold the text") as caught:
        Layout.of(["alpha", "beta"])
    assert caught.value.hint == "name them: --on alpha"


def test_a_condition_on_a_misspelt_name_is_refused_and_other_unknown_names_are_not() -> None:
    def refuse(keep: str) -> None:
        refuse_misspelt([Where(keep), Judge()], ["question", "answer"], ("steps",))

    for keep, meant in (("words(anwser) < 500", "answer"), ("jugde >= 4", "judge")):
        with pytest.raises(OptionError, match=r"steps\[0\]: nothing is called") as caught:
            refuse(keep)
        assert f"did you mean {meant}?" in caught.value.hint
    for keep in ("meta.anwser == 1", "judge >= 4", "judge_help > 2", "round < 3", "words(answer) < 9"):
        refuse(keep)
