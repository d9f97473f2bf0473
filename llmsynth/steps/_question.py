"""What a record asks, as a model can be asked it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llmsynth.columns import turns
from llmsynth.record import Record
from llmsynth.request import Message, Role
from llmsynth.steps._scoring import MOST_CHARACTERS
from llmsynth.steps._task import Columns, NoTask, Task, plain_text, said

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "human": "user", "assistant": "assistant"}


class Question(NamedTuple):
    """What a record asks, and its own answer.

    task: as texts; its output is the record's own answer, and empty where it has none.
    turns: the conversation up to where the answer belongs; empty for a record that is none.
    field: the one that holds the conversation, or takes the answer.
    """

    task: Task
    turns: tuple[Message, ...]
    field: str


def question_of(record: Record, columns: Columns) -> Question | NoTask:
    """What a record asks, or why it asks nothing. Its own answer may be missing."""
    field = _field_of_conversation(record, columns)
    question = _in_columns(record, columns) if field is None else _in_turns(record, columns, field)
    if isinstance(question, Question) and (length := sum(map(len, question.task))) > MOST_CHARACTERS:
        return NoTask("too_long", f"{length:,} characters")
    return question


def of_conversations(types: Mapping[str, str], columns: Columns) -> bool:
    """Whether records whose columns are of these types are conversations."""
    field = columns.messages if columns.output not in types and columns.messages in types else columns.instruction
    return types.get(field, "").startswith(("messages", "list<struct<", "list<object>"))


def answered_turns(record: Record, field: str) -> list[int]:
    """The places of a conversation's answers among its turns."""
    return [place for place, (who, _) in enumerate(turns(record.fields[field]) or ()) if who == "assistant"]


def asked_turns(record: Record, field: str, before: int | None = None) -> tuple[Message, ...] | NoTask:
    """The turns of a conversation, those from a place on left out, as a model takes them."""
    messages: list[Message] = []
    for who, text in (turns(record.fields[field]) or [])[:before]:
        if who not in _ROLES:
            return NoTask("no_question", f"the field {field!r} has a turn by {who!r}, which a model cannot be asked")
        messages.append(Message(role=_ROLES[who], content=text))
    if not messages or messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        return NoTask("no_question", f"the field {field!r} holds no question where an answer belongs")
    return tuple(messages)


def _field_of_conversation(record: Record, columns: Columns) -> str | None:
    """The field whose conversation a record is; None for a record of plain columns."""
    if columns.output not in record.fields and turns(record.fields.get(columns.messages)) is not None:
        return columns.messages
    return columns.instruction if turns(record.fields.get(columns.instruction)) is not None else None


def _in_columns(record: Record, columns: Columns) -> Question | NoTask:
    texts = [plain_text(record.fields.get(n)) for n in (columns.instruction, columns.input, columns.source)]
    instruction, given, source = texts
    if instruction is None or not instruction.strip():
        there = "no text" if columns.instruction in record.fields else "missing"
        return NoTask("no_question", f"the field {columns.instruction!r} is {there}")
    if given is None:
        return NoTask("no_question", f"the field {columns.input!r} is no text")
    own: Any = record.fields.get(columns.output)
    return Question(Task(instruction, given, plain_text(own) or "", source or ""), (), columns.output)


def _in_turns(record: Record, columns: Columns, field: str) -> Question | NoTask:
    everything = turns(record.fields[field]) or []
    own = everything[-1][1] if everything[-1][0] == "assistant" else ""
    before = everything[:-1] if everything[-1][0] == "assistant" else everything
    messages = asked_turns(record, field, len(before))
    if isinstance(messages, NoTask):
        return messages
    source = plain_text(record.fields.get(columns.source)) or ""
    return Question(Task(said(before), "", own, source), messages, field)
