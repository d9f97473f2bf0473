"""The pocket world: small tasks in plain English, and an oracle that knows every right answer.

`sample` draws a task; `check` judges an answer to any instruction of the world, whether `sample` ever made it or not.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache

from . import (
    arithmetic,
    classify,
    knowledge,
    list_counts,
    lists,
    logic,
    rewriting,
    stories,
    units_dates,
    words,
)
from .engine import Family, Slots
from .modifiers import Tail, add_head, draw_tail, heads_of, tails_of

__all__ = ["FAMILIES", "Example", "Family", "Task", "check", "family_of", "held_out", "sample"]

_MODULES = (
    arithmetic,
    units_dates,
    words,
    lists,
    list_counts,
    logic,
    classify,
    stories,
    rewriting,
    knowledge,
)
FAMILIES: dict[str, Family] = {family.name: family for module in _MODULES for family in module.FAMILIES}
_NAMES = tuple(FAMILIES)
_HEADED, _TAILED = 0.15, 0.12
_HELD_OUT = 0.02


@dataclass(frozen=True)
class Example:
    """An input ("" when the instruction says everything) and its right answer."""

    input: str
    output: str


@dataclass(frozen=True)
class Task:
    """An instruction with worked examples; `labels` is non-empty for classification only."""

    family: str
    instruction: str
    examples: tuple[Example, ...]
    labels: tuple[str, ...]


def sample(rng: random.Random, family: str | None = None, examples: int = 1) -> Task:
    """Draw a task; one with inputs gets up to `examples` distinct ones, its labels taken in turn.

    The order of `labels` is drawn too, so that a task with one example is no clue to its label.
    """
    kind = FAMILIES[family or _NAMES[int(rng.random() * len(_NAMES))]]
    labels = list(kind.labels)
    rng.shuffle(labels)
    while True:
        slots = kind.draw(rng) if kind.draw is not None else {}
        template = kind.templates[int(rng.random() * len(kind.templates))]
        instruction = template.render(rng, slots)
        pairs = _pairs(rng, kind, slots, labels, examples)
        if pairs:
            break
    if rng.random() < _HEADED:
        instruction = add_head(rng, instruction, template.text.startswith(("{", "I ", "I'", "(I ")))
    # A tail that changes the answer would change the labels, so classification goes without.
    if rng.random() < _TAILED and not labels:
        one_word = all(" " not in answer for _, answer in pairs)
        tail, tail_slots, text = draw_tail(rng, kind.case_matters, one_word)
        instruction += text
        pairs = [(given, tail.apply(answer, tail_slots)) for given, answer in pairs]
    return Task(kind.name, instruction, tuple(Example(*pair) for pair in pairs), tuple(labels))


def check(instruction: str, input: str, answer: str) -> bool | None:
    """Whether `answer` is right; None when instruction and input are no task of this world."""
    reading = _read(_flat(instruction))
    if reading is None:
        return None
    name, slots, tail, tail_slots = reading
    family = FAMILIES[name]
    given = _flat(input)
    if (family.draw_input is None) != (given == ""):
        return None
    expected = family.solve(slots, given)
    if expected is None:
        return None
    plain: str | None = _flat(answer)
    if tail is not None:
        if tail.changes_case and family.case_matters:
            return None
        plain = tail.undo(plain or "", tail_slots)
    return plain is not None and family.is_right(expected, plain, slots, given)


def family_of(instruction: str) -> str | None:
    """The name of the family an instruction belongs to, if any."""
    reading = _read(_flat(instruction))
    return None if reading is None else reading[0]


def held_out(instruction: str) -> bool:
    """Whether this instruction belongs to the 2 % kept away from training: always the same ones."""
    digest = hashlib.sha256(_flat(instruction).lower().encode()).digest()
    return int.from_bytes(digest[:4], "big") < _HELD_OUT * 2**32


def _pairs(rng: random.Random, family: Family, slots: Slots, labels: list[str], count: int) -> list[tuple[str, str]]:
    """Distinct inputs and their answers; fewer than `count` where the world holds no more, none for unusable slots."""
    pairs: dict[str, str] = {}
    tries = 1 if family.draw_input is None else 4 + 12 * count
    for _ in range(tries):
        given = ""
        if family.draw_input is not None:
            given = family.draw_input(rng, slots, labels[len(pairs) % len(labels)] if labels else "")
            if given in pairs:
                continue
        answer = family.solve(slots, given)
        if answer is None or answer == given:
            continue
        pairs[given] = family.vary(rng, slots, given) if family.vary is not None else answer
        if len(pairs) == count:
            break
    return list(pairs.items())


def _flat(text: str) -> str:
    return " ".join(text.split())


@lru_cache(maxsize=65536)
def _read(instruction: str) -> tuple[str, Slots, Tail | None, Slots] | None:
    """Family, slots, tail and the tail's slots of an instruction."""
    for tail, tail_slots, body in [(None, {}, instruction), *tails_of(instruction)]:
        for core in (body, *heads_of(body)):
            for family in FAMILIES.values():
                slots = family.match(core)
                if slots is not None:
                    return family.name, slots, tail, tail_slots
    return None
