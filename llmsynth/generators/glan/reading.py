"""Replies to subjects, sessions and questions. What cannot be read is left out, never guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmsynth.parsing import parse_fitting, parse_json, parse_json_lines, unwrap, validate
from llmsynth.text import one_line

_SUBJECT_NAMES = ("subject_name", "subject", "name", "title")
_SESSION_NAMES = ("session_name", "name", "title", "session")  # the last may be a number beside one of the others
_MOST_CONCEPTS = 20  # of a session: a model that loops would make the combinations uncountable
# "Session 3: " and "3. ", but neither the beginning of "3-D printing" nor of "2.5 percent"
_NUMBER = re.compile(
    r"^(?:(?:session|class|lecture|week|lesson)\s*)?\d{1,3}\s*(?:[.:)](?!\d)|[–-](?=\s))\s*", re.IGNORECASE
)
_GREETING = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely|okay)\b[^\n:]{0,80}[,.!]\s*)?"
    r"here(?:['’]s| is)\b[^\n:]{0,80}\bquestion\b[^\n:]{0,80}:[*_ \t]*\n",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^[#*_ ]*(?:homework )?question(?: \d+)?[*_ ]*(?::[*_]*\s*|\n\s*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject of a discipline, as a reply had it."""

    name: str
    level: str = ""
    subtopics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A class session. `number` counts the sessions of the reply, those without concepts too."""

    number: int
    name: str
    concepts: tuple[str, ...]


def _list_of(name: str, texts: Sequence[str], lists: Sequence[str]) -> dict[str, Any]:
    """The schema of an object that holds a list of objects of these keys.

    Closed, as a model that is held to a schema may otherwise make up keys until its tokens run out; that is also
    what servers with a strict mode ask for.
    """
    text = {"type": "string"}
    keys: dict[str, Any] = {key: text for key in texts} | {key: {"type": "array", "items": text} for key in lists}
    item = {"type": "object", "properties": keys, "required": [*keys], "additionalProperties": False}
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": item}},
        "required": [name],
        "additionalProperties": False,
    }


SUBJECTS_SCHEMA = _list_of("subjects", ("subject_name", "level"), ("subtopics",))
"""What a one-turn answer has to look like."""

SESSIONS_SCHEMA = _list_of("sessions", ("session",), ("key_concepts",))
"""The same for the sessions of a syllabus."""


def same(name: str) -> str:
    """What two spellings of one name have in common."""
    return one_line(unicodedata.normalize("NFKC", name)).casefold()


def read_subjects(reply: str) -> list[Subject]:
    """The subjects of a reply, each once, in order: JSON lines, or an object that holds a list of them.

    Of a list that the token limit cut, all but the last, which may be unfinished.
    """
    return _subjects(_rows(reply, "subjects", _SUBJECT_NAMES))


def read_fitting_subjects(reply: str) -> tuple[list[Subject], str]:
    """The subjects of a one-turn reply, and what breaks the schema: then there are none.

    Of a list that the token limit cut, all but the last have to fit.
    """
    fitting = parse_fitting(reply, SUBJECTS_SCHEMA)
    if not fitting.broken:
        return _subjects(fitting.value["subjects"]), ""
    finished = _finished(reply, "subjects")
    return ([], fitting.broken) if validate(finished, SUBJECTS_SCHEMA) else (_subjects(finished["subjects"]), "")


def read_sessions(reply: str) -> list[Session]:
    """The sessions of a reply that have a name and a concept, in order."""
    sessions: list[Session] = []
    for number, row in enumerate(_rows(reply, "sessions", _SESSION_NAMES), 1):
        name = _NUMBER.sub("", _text(row, *_SESSION_NAMES))
        concepts = _texts(row, "key_concepts", "concepts", "keyConcepts")[:_MOST_CONCEPTS]
        if name and concepts:
            sessions.append(Session(number, name, concepts))
    return sessions


def read_question(reply: str) -> str:
    """The question of a reply, without thinking, code fence, greeting and heading around it; empty if there is none."""
    text = _GREETING.sub("", unwrap(reply).strip(), count=1).strip()
    return _LABEL.sub("", text, count=1).strip()


def _subjects(rows: Iterable[Mapping[str, Any]]) -> list[Subject]:
    found: dict[str, Subject] = {}
    for row in rows:
        name = _text(row, *_SUBJECT_NAMES)
        if name:
            level = _text(row, "level", "difficulty")
            found.setdefault(same(name), Subject(name, level, _texts(row, "subtopics", "topics")))
    return list(found.values())


def _rows(reply: str, inside: str, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    found = [parsed.value for parsed in parse_json_lines(reply)]
    if not found and (finished := _finished(reply, inside)):
        found = [finished]
    for value in found:
        yield from _rows_in(value, inside, names)


def _rows_in(value: Mapping[str, Any], inside: str, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """The objects of the list under a key, or under the one key that holds any. What has a key for a name is a row."""
    inner = value.get(inside)
    if not isinstance(inner, list) and not any(_key(key) in names for key in value):
        holding = [each for each in value.values() if isinstance(each, dict) or (isinstance(each, list) and each)]
        inner = holding[0] if len(holding) == 1 else None
    if isinstance(inner, dict):
        yield from _rows_in(inner, inside, names)
    elif isinstance(inner, list):
        yield from (row for row in inner if isinstance(row, dict))
    else:
        yield value


def _finished(reply: str, inside: str) -> dict[str, Any]:
    """Of an object whose list the token limit cut, the list without its last item; empty for any other reply."""
    cut = None if parse_json(reply) else parse_json(reply, allow_truncated=True)
    unfinished = cut.value.get(inside) if cut and isinstance(cut.value, dict) else None
    return {inside: unfinished[:-1]} if isinstance(unfinished, list) and len(unfinished) > 1 else {}


def _text(row: Mapping[str, Any], *keys: str) -> str:
    """The first of these keys that holds text, or a number, which levels may be."""
    lower = {_key(key): value for key, value in row.items()}
    for key in keys:
        value = lower.get(key)
        if isinstance(value, str) and one_line(value):
            return one_line(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return ""


def _texts(row: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """The texts of a list, each once; of one text, what commas or semicolons divide."""
    lower = {_key(key): value for key, value in row.items()}
    value = next((lower[key.lower()] for key in keys if key.lower() in lower), None)
    if isinstance(value, str):
        value = value.split(";") if ";" in value else value.split(",")
    return _unique(value) if isinstance(value, Sequence) else ()


def _key(name: str) -> str:
    return name.lower().replace(" ", "_")


def _unique(values: Iterable[Any]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for value in values:
        if isinstance(value, Mapping):
            texts = (text for text in value.values() if isinstance(text, str))
            value = _text(value, "name", "concept", "topic", "title") or next(texts, "")
        if isinstance(value, str) and (text := one_line(value)):
            found.setdefault(same(text), text)
    return tuple(found.values())
