"""The YAML header of a card as text: read key by key, so that what its owner wrote stays as they wrote it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from llmsynth.plain_yaml import PlainLoader

_HEADER = re.compile(r"\s*---[ \t]*\n(.*?)(?:(?<=\n)|\n)---[ \t]*(?:\n|$)", re.DOTALL)
_KEY = re.compile(r"""(?:[^\W\d][\w.\- ]*|"[^"\n]*"|'[^'\n]*')[ \t]*:(?:\s|$)""")
_UNUSABLE = "# this was no valid YAML: "

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is there

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of the header. text: as it stands there, its value included. before: the comments above it."""

    value: Any
    text: str
    before: str = ""

    def __str__(self) -> str:
        return self.before + self.text


@dataclass(frozen=True, slots=True)
class Header:
    """A header's keys, in their order. after: comments below the last one."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    after: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Header:
        texts = {key: dumped({key: value}) for key, value in values.items()}
        return cls({key: Entry(yaml.load(text, _Loader)[key], text) for key, text in texts.items()})

    @classmethod
    def read(cls, text: str) -> Header:
        """What can be read of a header. What cannot becomes a comment in its place, and is logged: nothing is lost."""
        entries: dict[str, Entry] = {}
        before = ""
        unusable: list[str] = []
        for chunk in _chunks(text):
            comments, content = _comments(chunk)
            before += comments
            if not content.strip():
                before += content
                continue
            key, value = _pair(content)
            if key is None or key in entries:  # YAML would take the last of two, and each reader differs in that
                unusable.append(content)
                before += "".join(f"{_UNUSABLE}{line}\n" for line in content.split("\n") if line.strip())
                continue
            entries[key] = Entry(value, content, before)
            before = ""
        if not unusable:
            return cls(entries, before)
        whole = _loaded(text)
        if isinstance(whole, dict) and all(isinstance(key, str) for key in whole) and not entries.keys() - whole.keys():
            return cls.of(whole)  # in one of YAML's other ways to write it
        for content in unusable:
            log.warning("in the header of the card, made a comment: %s", content.strip().partition("\n")[0])
        return cls(entries, before)

    def __str__(self) -> str:
        return "".join(map(str, self.entries.values())) + self.after

    @property
    def values(self) -> dict[str, Any]:
        return {key: entry.value for key, entry in self.entries.items()}


def split(card: str) -> tuple[str | None, str]:
    """The header of a card, None where it has none, and what follows; line ends must be line feeds."""
    match = _HEADER.match(card)
    return (match[1], card[match.end() :]) if match else (None, card)


def joined(header: Header, body: str) -> str:
    text = str(header)
    return f"---\n{text}---\n\n{body}" if text else body


def dumped(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1_000)


def _chunks(text: str) -> list[str]:
    """The lines of each top-level key, those above it that hold comments included."""
    chunks: list[list[str]] = [[]]
    loose = True  # no key in the chunk yet
    for line in text.strip("\n").split("\n"):
        if _KEY.match(line):
            if not loose:
                chunks.append([])
            loose = False
        elif line.startswith("#") and not loose:
            chunks.append([])
            loose = True
        chunks[-1].append(line)
    return ["\n".join(lines) + "\n" for lines in chunks if any(lines)]


def _comments(chunk: str) -> tuple[str, str]:
    """The comments that a chunk begins with, and the rest."""
    lines = chunk.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines) - 1)
    comments = "".join(f"{line}\n" for line in lines[:first] if line.strip())
    return comments, "\n".join(lines[first:])


def _pair(text: str) -> tuple[str | None, Any]:
    """Key and value of a chunk; None where it isn't YAML that can stand alone, such as one with somebody's anchor."""
    found = _loaded(text) if _KEY.match(text) else None
    if not isinstance(found, dict) or len(found) != 1:
        return None, None
    key, value = next(iter(found.items()))
    return str(key), value


def _loaded(text: str) -> Any:
    """What a YAML text holds; None for what is no YAML, and for what names itself or grows beyond all measure."""
    try:
        found = yaml.load(text, PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that there is not is a ValueError
        return None
    return found if _size(found, {}) <= _MOST else None


_MOST = 100_000


def _size(value: Any, known: dict[int, float]) -> float:
    """How many values there are in a value, aliases followed; infinite if it is within itself."""
    if not isinstance(value, list | dict):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf
        inner = value if isinstance(value, list) else [*value.keys(), *value.values()]
        known[id(value)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(value)]
