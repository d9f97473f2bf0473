"""What steps read of a record: the columns they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from llmsynth.errors import RecipeError
from llmsynth.record import Record


def texts_of(record: Record, on: Sequence[str]) -> list[str]:
    """The text of each column; empty for one that is missing or null.

    A conversation, which is a list of turns, is what its turns say, without who says it. A number is its digits, any
    other value is its JSON. Raises `RecipeError` where a record has none of the columns: a step that compared nothing
    would drop everything.
    """
    if not any(name in record.fields for name in on):
        raise RecipeError(
            f"the record {record.id} has no column {' or '.join(on)}",
            f"name columns by `on`; it has {', '.join(record.fields) or 'none'}",
        )
    return [_text(record.fields.get(name)) for name in on]


def text_of(record: Record, on: Sequence[str]) -> str:
    """The texts of the columns that are not empty, a blank line between them."""
    return "\n\n".join(text for text in texts_of(record, on) if text)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(turn, dict) and "content" in turn for turn in value):
        return "\n\n".join(_text(turn["content"]) for turn in value)
    if isinstance(value, list) and all(isinstance(part, dict) and "text" in part for part in value):
        return "".join(_text(part["text"]) for part in value)  # of a turn that may hold pictures too
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
