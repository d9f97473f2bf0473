"""What a text must be to stand in a prompt, whatever file it was read from."""

from __future__ import annotations

import re
from typing import Any

from llmsynth.sources.rows import kind_of

MAX_CHARACTERS = 20_000  # in one text of a seed; longer ones would crowd every prompt they are shown in


class UnusableError(Exception):
    """What is wrong with one row or leaf."""


def filled(value: Any, name: str) -> str:
    """The value if it is a usable text that says something; `name` is what an error calls it."""
    checked = text(value, name)
    if not checked.strip():
        raise UnusableError(f"{name} is empty")
    return checked


def text(value: Any, name: str) -> str:
    """The value if it is a usable text, an empty one included. Raises `UnusableError`."""
    if not isinstance(value, str):
        raise UnusableError(f"{name} is {kind_of(value)}, not text")
    if len(value) > MAX_CHARACTERS:
        raise UnusableError(f"{name} has {len(value):,} characters, and {MAX_CHARACTERS:,} is the most a seed may have")
    if "\0" in value:
        raise UnusableError(f"{name} holds a NUL character (character {value.index(chr(0)) + 1})")
    if lone := re.search("[\ud800-\udfff]", value):
        raise UnusableError(f"{name} holds half a character, U+{ord(lone[0]):04X} (character {lone.start() + 1})")
    return value


def printable(value: object) -> str:
    """A text that any terminal can be sent, whatever a file holds."""
    return str(value).encode("utf-8", "backslashreplace").decode()
