"""Families of tasks whose phrasings both render an instruction and recognise one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from . import vocabulary as v

Slots = dict[str, str]


@dataclass(frozen=True)
class Family:
    """One kind of task: how it is asked, how its inputs look, and what the right answer is.

    `phrasings` are templates: "{slot}" is a value, "{an slot}" a value behind its article, "(one|two|)" a choice of
    wordings. A slot is the family's own (`slots`: a tuple of allowed values, or a regular expression whose values
    `draw` supplies) or one of the shared `KINDS`; a digit at the end ("name2") asks for another value of that kind.
    `solve` answers None when slots or input lie outside the world. A family without `draw_input` is self-contained.
    `draw_input` gets the wanted label ("" when there are none). `vary` replaces the one answer of `solve` by any that
    `accept` (expected, answer, slots, input) holds right too.
    """

    name: str
    phrasings: tuple[str, ...]
    solve: Callable[[Slots, str], str | None]
    slots: Mapping[str, Sequence[str] | str] = field(default_factory=dict)
    draw: Callable[[random.Random], Slots] | None = None
    draw_input: Callable[[random.Random, Slots, str], str] | None = None
    labels: tuple[str, ...] = ()
    accept: Callable[[str, str, Slots, str], bool] | None = None
    vary: Callable[[random.Random, Slots, str], str] | None = None
    case_matters: bool = False

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        return tuple(Template(text, self.slots) for text in self.phrasings)

    def match(self, instruction: str) -> Slots | None:
        """The slot values of the first phrasing that reads exactly like `instruction`."""
        for template in self.templates:
            found = template.match(instruction)
            if found is not None:
                return found
        return None

    def is_right(self, expected: str, answer: str, slots: Slots, given: str) -> bool:
        if self.case_matters:
            return tidy(expected) == tidy(answer)
        if same(expected, answer):
            return True
        return self.accept is not None and self.accept(expected, answer, slots, given)


class Template:
    """One phrasing, compiled to a renderer and, on first use, to a regular expression."""

    def __init__(self, text: str, slots: Mapping[str, Sequence[str] | str]) -> None:
        self.text = text
        self._slots = slots
        self._parts: list[list[list[tuple[str, str]]]] = [
            [_fields(option) for option in piece[1:-1].split("|")] if piece.startswith("(") else [_fields(piece)]
            for piece in re.split(r"(\([^()]*\))", text)
            if piece
        ]
        literals = [part for choice in self._parts if len(choice) == 1 for kind, part in choice[0] if not kind]
        literals = [part if i or not text.startswith(part) else part[1:] for i, part in enumerate(literals)]
        self._clue = max(literals, key=len, default="")

    def render(self, rng: random.Random, slots: Slots) -> str:
        """The instruction; values drawn on the way are added to `slots`."""
        out: list[str] = []
        for choice in self._parts:
            option = choice[0] if len(choice) == 1 else choice[int(rng.random() * len(choice))]
            for kind, part in option:
                if not kind:
                    out.append(part)
                    continue
                value = slots.get(part)
                if value is None:
                    value = slots[part] = self._value(rng, part, slots)
                out.append(with_article(value) if kind == "an" else value)
        return "".join(out)

    def _value(self, rng: random.Random, slot: str, slots: Slots) -> str:
        allowed = self._slots.get(slot)
        if isinstance(allowed, tuple):
            return str(allowed[int(rng.random() * len(allowed))])
        kind = slot.rstrip("0123456789")
        values = KINDS[kind][0]
        while True:
            value = values[int(rng.random() * len(values))]
            if slot == kind or all(slots.get(twin) != value for twin in (kind, kind + "2", kind + "3")):
                return value

    @cached_property
    def _regex(self) -> tuple[re.Pattern[str], list[str]]:
        return self._compile()

    def _compile(self) -> tuple[re.Pattern[str], list[str]]:
        groups: list[str] = []
        out: list[str] = []
        for choice in self._parts:
            options: list[str] = []
            for option in choice:
                built = ""
                for kind, part in option:
                    if not kind:
                        start = not out and not built and part[0].isalpha()
                        built += (
                            f"[{part[0].upper()}{part[0].lower()}]{re.escape(part[1:])}" if start else re.escape(part)
                        )
                    else:
                        groups.append(part)
                        built += ("an? " if kind == "an" else "") + f"({self._pattern(part)})"
                options.append(built)
            out.append(options[0] if len(options) == 1 else "(?:" + "|".join(options) + ")")
        return re.compile("".join(out)), groups

    def _pattern(self, slot: str) -> str:
        allowed = self._slots.get(slot)
        if allowed is None:
            return KINDS[slot.rstrip("0123456789")][1]
        if isinstance(allowed, str):
            return allowed
        return "|".join(re.escape(value) for value in sorted(allowed, key=len, reverse=True))

    def match(self, instruction: str) -> Slots | None:
        if self._clue not in instruction:
            return None
        found = self._regex[0].fullmatch(instruction)
        return None if found is None else self._read(found)

    def match_start(self, instruction: str) -> tuple[Slots, str] | None:
        """The slots of a template at the start of a text, and the rest of the text."""
        if self._clue not in instruction:
            return None
        found = self._regex[0].match(instruction)
        slots = None if found is None else self._read(found)
        return None if found is None or slots is None else (slots, instruction[found.end() :])

    def match_end(self, instruction: str) -> tuple[Slots, str] | None:
        """The slots of a template at the end of a text, and what comes before it."""
        if self._clue not in instruction:
            return None
        for found in self._regex[0].finditer(instruction):
            if found.end() == len(instruction):
                slots = self._read(found)
                return None if slots is None else (slots, instruction[: found.start()])
        return None

    def _read(self, found: re.Match[str]) -> Slots | None:
        slots: Slots = {}
        for slot, value in zip(self._regex[1], found.groups(), strict=True):
            if value is not None and slots.setdefault(slot, value) != value:
                return None
        return slots


def _fields(text: str) -> list[tuple[str, str]]:
    """Split "a {b} {an c}" into ("", "a "), ("is", "b"), ("", " "), ("an", "c")."""
    out: list[tuple[str, str]] = []
    for piece in re.split(r"(\{[^}]*\})", text):
        if piece.startswith("{"):
            slot = piece[1:-1]
            out.append(("an", slot[3:]) if slot.startswith("an ") else ("is", slot))
        elif piece:
            out.append(("", piece))
    return out


NUMBER = r"\d{1,3}"
WORD = r"[a-z]+"
NAME = r"[A-Z][a-z]+"
WORDS = r"[a-z]+(?:, [a-z]+)+"

# Values to draw, and what is recognised: the flavour of a phrasing never changes the answer, so any word will do.
KINDS: dict[str, tuple[Sequence[str], str]] = {
    "name": (v.NAMES, NAME),
    "place": (v.PLACES, WORD),
    "event": (v.EVENTS, WORD),
    "relation": (v.RELATIONS, WORD),
    "subject": (v.SUBJECTS, WORD),
    "goods": (v.GOODS, WORD),
    "object": (v.OBJECTS, WORD),
    "animal": (v.ANIMALS, WORD),
    "job": (v.JOBS, WORD),
    "colour": (v.COLOURS, WORD),
    "fruit": (v.FRUITS, WORD),
    "day": (v.DAYS, NAME),
    "month": (v.MONTHS, NAME),
    "country": (tuple(v.CAPITALS), NAME),
}


def with_article(word: str) -> str:
    return ("an " if word[0] in "aeiouAEIOU" else "a ") + word


def tidy(text: str) -> str:
    """`text` without the differences that never make an answer wrong, except case."""
    text = " ".join(text.split())
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if text.endswith("."):
        text = text[:-1].rstrip()
    text = re.sub(r" ?, ?", ", ", text)
    return re.sub(r"\b0+(?=\d)", "", text)


def same(expected: str, answer: str) -> bool:
    return tidy(expected).lower() == tidy(answer).lower()


def pick(rng: random.Random, values: Sequence[str]) -> str:
    return values[int(rng.random() * len(values))]


def between(rng: random.Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def words(text: str) -> list[str] | None:
    """The words of "pear, owl, rope"; None when it is no such list."""
    return text.split(", ") if re.fullmatch(WORDS, text) else None
