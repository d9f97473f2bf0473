"""The texts of a record, whatever its columns hold: plain text, a conversation, a number, nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from llmsynth.errors import RecipeError
from llmsynth.record import Record

_ANSWERING = ("assistant", "gpt", "model", "bot")


def text_of(value: Any) -> str:
    """A value as text: turns as their contents and a list as its items, parted by blank lines; null as nothing.

    Of a part of a turn that may hold pictures too it is the text; any other object is its JSON, with sorted keys.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "\n\n".join(filter(None, (text_of(item) for item in value)))
    if isinstance(value, Mapping):
        if _is_turn(value):
            return text_of(value.get("content", value.get("value")))
        if isinstance(value.get("text"), str):
            return str(value["text"])
        return orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS, default=str).decode()
    return str(value)


def texts_of(record: Record, on: Sequence[str]) -> list[str]:
    """The text of each field; empty for one that is missing or null.

    Raises `RecipeError` where a record has none of them: a step that compared nothing would drop everything.
    """
    if not any(name in record.fields for name in on):
        raise RecipeError(
            f"the record {record.id} has no column {' or '.join(on)}",
            f"name columns by `on`; it has {', '.join(record.fields) or 'none'}",
        )
    return [text_of(record.fields.get(name)) for name in on]


def joined(record: Record, on: Iterable[str]) -> str:
    """The texts of several fields, parted by blank lines; a field that is missing is empty."""
    return "\n\n".join(filter(None, (text_of(record.fields.get(name)) for name in on)))


def answers(record: Record, on: Iterable[str]) -> str:
    """What a model says in these fields: of a conversation its own turns alone."""
    return "\n\n".join(filter(None, (_turns(record.fields.get(name), answering=True) for name in on)))


def questions(record: Record, on: Iterable[str]) -> str:
    """What a model is told in these fields: of a conversation the turns that are not its own."""
    return "\n\n".join(filter(None, (_turns(record.fields.get(name), answering=False) for name in on)))


def changed(record: Record, on: Iterable[str], change: Callable[[str], str]) -> Record:
    """The same record, each text in these fields changed, those of turns, of their parts and of lists included."""
    fields = dict(record.fields)
    for name in on:
        if name in fields:
            fields[name] = _changed(fields[name], change)
    return dataclasses.replace(record, fields=fields)


def turns(value: Any) -> list[tuple[str, str]] | None:
    """A conversation as who speaks and what: `assistant` for a model, however it is called; None for what is none."""
    if not isinstance(value, list | tuple) or not value or not all(map(_is_turn, value)):
        return None
    speakers = [str(turn.get("role", turn.get("from"))) for turn in value]
    return [
        ("assistant" if who in _ANSWERING else who, text_of(turn)) for who, turn in zip(speakers, value, strict=True)
    ]


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and ("content" in value or "value" in value)


def _turns(value: Any, answering: bool) -> str:
    if isinstance(value, list | tuple) and value and all(map(_is_turn, value)):
        theirs = [turn for turn in value if (turn.get("role", turn.get("from")) in _ANSWERING) is answering]
        return "\n\n".join(filter(None, map(text_of, theirs)))
    return text_of(value)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_changed(item, change) for item in value]
    if isinstance(value, Mapping):
        texts = ("content", "value") if _is_turn(value) else ("text",)
        return {key: _changed(item, change) if key in texts else item for key, item in value.items()}
    return value
