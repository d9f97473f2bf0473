"""Heads and tails that go with any instruction, and what they ask of the answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from .engine import Slots, Template


@dataclass(frozen=True)
class Tail:
    """A closing sentence; `undo` gives back the plain answer, or None when the answer disobeys."""

    template: Template
    apply: Callable[[str, Slots], str]
    undo: Callable[[str, Slots], str | None]
    changes_case: bool = False
    one_word: bool = False


def heads_of(instruction: str) -> list[str]:
    """What may remain of an instruction once an opening phrase is taken off."""
    rests = (template.match_start(instruction) for template in HEADS)
    return [rest[1] for rest in rests if rest is not None]


def tails_of(instruction: str) -> list[tuple[Tail, Slots, str]]:
    """The closing sentences an instruction may end in, with what comes before."""
    found = []
    for tail in TAILS:
        match = tail.template.match_end(instruction)
        if match is not None:
            found.append((tail, *match))
    return found


def add_head(rng: random.Random, instruction: str, keeps_capital: bool) -> str:
    template = HEADS[int(rng.random() * len(HEADS))]
    head = template.render(rng, {})
    if head.endswith(". ") or keeps_capital:
        return head + instruction
    return head + instruction[0].lower() + instruction[1:]


def draw_tail(rng: random.Random, case_matters: bool, one_word: bool) -> tuple[Tail, Slots, str]:
    """A closing sentence that suits the answer, its slots and its text."""
    while True:
        tail = TAILS[int(rng.random() * len(TAILS))]
        if (tail.changes_case and case_matters) or (tail.one_word and not one_word):
            continue
        slots: Slots = {}
        return tail, slots, tail.template.render(rng, slots)


HEADS = tuple(
    Template(text, {})
    for text in (
        "For {name}'s {subject} homework, ",
        "For the {event} at the {place}, ",
        "At the {place}, {name} asks you this. ",
        "Help {name} with {an subject} exercise. ",
        "Here is a small puzzle for {name}. ",
        "As a favour to my {relation} {name}, ",
        "Before the {event} starts, ",
        "{name} the {job} would like to know. ",
        "This one is for the {subject} class of {name}. ",
        "You are talking to {an job} called {name}. ",
        "While we wait at the {place}, ",
        "Imagine you are {an job}. ",
        "My {relation} needs help. ",
        "The {event} quiz of {name} goes on. ",
        "To win the {event}, ",
        "Dear {job}, ",
    )
)


def _same(answer: str, slots: Slots) -> str:
    return answer


def _capitals(answer: str, slots: Slots) -> str:
    return answer.upper()


def _from_capitals(answer: str, slots: Slots) -> str | None:
    return answer.lower() if answer == answer.upper() else None


def _shout(answer: str, slots: Slots) -> str:
    return answer.removesuffix(".") + "!"


def _from_shout(answer: str, slots: Slots) -> str | None:
    return answer[:-1].rstrip() if answer.endswith("!") else None


def _bracket(answer: str, slots: Slots) -> str:
    return f"[{answer}]"


def _from_bracket(answer: str, slots: Slots) -> str | None:
    return answer[1:-1].strip() if answer.startswith("[") and answer.endswith("]") else None


def _greet(answer: str, slots: Slots) -> str:
    return f"{slots['name']}, {answer}"


def _from_greet(answer: str, slots: Slots) -> str | None:
    start = slots["name"] + ","
    return answer[len(start) :].strip() if answer.startswith(start) else None


def _sign(answer: str, slots: Slots) -> str:
    return f"{answer} - {slots['name']}"


def _from_sign(answer: str, slots: Slots) -> str | None:
    end = f"- {slots['name']}"
    return answer[: -len(end)].strip() if answer.endswith(end) else None


def _one_word(answer: str, slots: Slots) -> str | None:
    return answer if len(answer.split()) == 1 else None


TAILS = tuple(
    [
        Tail(Template(text, {}), _capitals, _from_capitals, changes_case=True)
        for text in (
            " Reply in capital letters.",
            " Use only capital letters.",
            " Print the answer in capitals.",
            " My eyes are weak, so answer in big capital letters.",
        )
    ]
    + [
        Tail(Template(text, {}), _shout, _from_shout)
        for text in (
            " End your answer with an exclamation mark.",
            " Close with an exclamation mark.",
            " Sound excited by adding an exclamation mark.",
        )
    ]
    + [
        Tail(Template(text, {}), _bracket, _from_bracket)
        for text in (
            " Put the answer in square brackets.",
            " Square brackets should stand around your reply.",
            " Enclose what you say in square brackets.",
        )
    ]
    + [
        Tail(Template(text, {}), _greet, _from_greet)
        for text in (
            " Begin your reply with the name {name} and a comma.",
            " Speak to {name}, so start with that name and a comma.",
        )
    ]
    + [
        Tail(Template(text, {}), _sign, _from_sign)
        for text in (" Sign the answer with a dash and the name {name}.", " Let {name} sign the reply after a dash.")
    ]
    + [
        Tail(Template(text, {}), _same, _one_word, one_word=True)
        for text in (" Answer with one word.", " One word is enough for {name}.", " A single word will do.")
    ]
    + [
        Tail(Template(text, {}), _same, _same)
        for text in (
            " Keep it short.",
            " Give only the answer.",
            " No explanation is needed.",
            " {name} is waiting for the reply.",
            " My {relation} will check it.",
            " Think before you reply.",
            " It matters for the {event}.",
        )
    ]
)
