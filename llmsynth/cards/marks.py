"""What is generated in a card, and what is its owner's: marks around the one, everything else being the other.

    <!-- llmsynth:loading 1a2b3c4d -->
    ## Loading
    ...
    <!-- /llmsynth:loading -->

The digits stand for the text between the marks as it was generated: whoever changes it makes it theirs. The last line
of a card is a record of what was generated in it at all, so that what somebody has removed is known to be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmsynth.text import fingerprint

_BEGIN = re.compile(r"<!-- llmsynth:([a-z][a-z0-9-]*) ([0-9a-f]{8}) -->\s*")
_END = re.compile(r"<!-- /llmsynth:([a-z][a-z0-9-]*) -->\s*")
_RECORD = re.compile(r"<!-- llmsynth (\{.*\}) -->\s*")
_LIKE_A_MARK = re.compile(r"<!--(?=\s*/?llmsynth)")


@dataclass(frozen=True, slots=True)
class Block:
    """A generated part of a card. digits: of the text as it was generated, whatever it is now."""

    name: str
    text: str
    digits: str = ""

    @classmethod
    def made(cls, name: str, text: str) -> Block:
        """One as it is generated. What looks like a mark in it is none any more."""
        text = _LIKE_A_MARK.sub("<!-- -", text.strip())
        return cls(name, text, digits_of(text))

    @property
    def edited(self) -> bool:
        return self.digits != digits_of(self.text)

    def __str__(self) -> str:
        return f"<!-- llmsynth:{self.name} {self.digits} -->\n{self.text}\n\n<!-- /llmsynth:{self.name} -->"


@dataclass(frozen=True, slots=True)
class Record:
    """What was generated in a card when it was last written.

    blocks: their names. header: what stands for the value of each of its keys. tags, configs: those of the header.
    brought: what stands for the values and texts by people's hands that came with it, from a card edited beforehand.
    """

    blocks: tuple[str, ...] = ()
    header: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = {name: getattr(self, name) for name in _LISTS}
        content = {"header": dict(self.header), **{name: found for name, found in names.items() if found}}
        text = json.dumps(content, separators=(",", ":"))
        return f"<!-- llmsynth {text.replace('<', chr(92) + 'u003c').replace('>', chr(92) + 'u003e')} -->"

    @classmethod
    def read(cls, text: str) -> Record:
        """The record that `str` wrote. Raises `ValueError` for anything else."""
        found = json.loads(text)
        if not isinstance(found, dict) or not isinstance(found.get("header"), dict):
            raise ValueError("no record")
        names = {name: tuple(map(str, _list(found.get(name)))) for name in _LISTS}
        return cls(header={str(key): str(value) for key, value in found["header"].items()}, **names)


_LISTS = ("blocks", "tags", "configs", "brought")


@dataclass(frozen=True, slots=True)
class Body:
    """A card below its header: blocks, and between them what its owner wrote. record: None where there is none."""

    parts: tuple[str | Block, ...]
    record: Record | None = None

    @classmethod
    def read(cls, text: str) -> Body:
        """Marks without their counterparts are text like any other."""
        lines = text.split("\n")
        parts: list[str | Block] = []
        record: Record | None = None
        loose: list[str] = []
        number = 0

        def settle() -> None:
            if written := "\n".join(loose).strip("\n"):
                parts.append(written)
            loose.clear()

        while number < len(lines):
            line = lines[number]
            begin, told = _BEGIN.fullmatch(line), _RECORD.fullmatch(line)
            end = _end_of(lines, number, begin[1]) if begin else None
            if begin and end is not None:
                settle()
                parts.append(Block(begin[1], "\n".join(lines[number + 1 : end]).strip("\n"), begin[2]))
                number = end
            elif told and (found := _record(told[1])) is not None:
                record = found
            else:
                loose.append(line)
            number += 1
        settle()
        return cls(tuple(parts), record)

    def __str__(self) -> str:
        parts = [*map(str, self.parts), *([str(self.record)] if self.record else [])]
        return "\n\n".join(parts) + "\n" if parts else ""

    @property
    def words(self) -> list[str]:
        """What its owner wrote between the blocks."""
        return [part for part in self.parts if isinstance(part, str)]

    @property
    def blocks(self) -> dict[str, Block]:
        return {part.name: part for part in self.parts if isinstance(part, Block)}


def stands_for(value: Any) -> str:
    """What stands for a value of the header in a record."""
    return fingerprint(repr(value))[:8]


def digits_of(text: str) -> str:
    """White space at the end of lines doesn't count: editors remove it without being asked."""
    return fingerprint("\n".join(line.rstrip() for line in text.strip().split("\n")))[:8]


def _end_of(lines: list[str], begin: int, name: str) -> int | None:
    """Where the block that begins in a line ends; None where another begins first, or it never does."""
    for number in range(begin + 1, len(lines)):
        if (end := _END.fullmatch(lines[number])) is not None:
            return number if end[1] == name else None
        if _BEGIN.fullmatch(lines[number]):
            return None
    return None


def _record(text: str) -> Record | None:
    try:
        return Record.read(text)
    except (ValueError, RecursionError):
        return None


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
