"""The answers to a question, as a field of a record holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

FIELD = "answers"
_KEYS = ("text", "role", "model", "finish_reason", "journal")
TYPE = "list<struct<" + ", ".join(f'"{key}": string' for key in _KEYS) + ">>"  # as `llmsynth.column_types` names it
_TEXT = ("text", "content", "response", "completion")  # the keys under which somebody's answers may have their text


class Answer(NamedTuple):
    """One of several answers; what is not known of it is empty.

    role, model: who was asked, and who answered. finish_reason: why it ended. journal: where the journal has it.
    """

    text: str
    role: str = ""
    model: str = ""
    finish_reason: str = ""
    journal: str = ""


def answers_in(value: Any) -> list[Answer] | None:
    """The answers that a field holds, which may be mere texts, and empty ones; None where it holds no list of any."""
    if not isinstance(value, list):
        return None
    answers = []
    for one in value:
        about: Mapping[str, Any] = one if isinstance(one, Mapping) else {"text": one}
        text = next((about[key] for key in _TEXT if isinstance(about.get(key), str)), "")
        answers.append(Answer(text.strip(), *(str(about.get(name) or "") for name in _KEYS[1:])))
    return answers


def are_answers(kind: str) -> bool:
    """Whether columns of a type hold answers, or might."""
    named = any(f'"{key}": string' in kind for key in _TEXT)
    return kind in ("list<string>", "list<object>") or (kind.startswith("list<struct<") and named)
