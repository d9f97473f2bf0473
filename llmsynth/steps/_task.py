"""Where in a record the task is that a score is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmsynth.columns import turns
from llmsynth.record import Record


@dataclass(frozen=True)
class Columns:
    """The fields that hold a record's task.

    source: a text that the task was made from, or is about, if a field holds it.
    messages: the conversation, for records that have no field `output`: its last answer is the output, and what was
        said before it is the instruction.
    """

    instruction: str = "instruction"
    input: str = "input"
    output: str = "output"
    source: str = "source"
    messages: str = "messages"


class Task(NamedTuple):
    """A record's task, as texts; input and source may be empty, and the others are not."""

    instruction: str
    input: str
    output: str
    source: str

    @property
    def question(self) -> str:
        """Instruction and input together."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


class NoTask(NamedTuple):
    """Why a record has no task to score: a code, and what it is about for people."""

    reason: str
    detail: str


def task_of(record: Record, columns: Columns, output: str = "") -> Task | NoTask:
    """The task of a record, or why there is none. `output` names another field than the columns' one."""
    output = output or columns.output
    if output not in record.fields and columns.messages in record.fields:
        return _last_turn(turns(record.fields[columns.messages]), columns, record)
    texts = []
    for name, needed in (
        (columns.instruction, True),
        (columns.input, False),
        (output, True),
        (columns.source, False),
    ):
        value = record.fields.get(name)
        text = answer_in(value) if name == output else plain_text(value)
        if text is None:
            return NoTask("no_text", f"the field {name!r} holds a {type(record.fields[name]).__name__}")
        if needed and not text.strip():
            return NoTask("no_text", f"the field {name!r} is {'empty' if name in record.fields else 'missing'}")
        texts.append(text)
    return Task(*texts)


def turns_of(record: Record, columns: Columns) -> list[Task] | NoTask:
    """One task per answer of a conversation, with what was said before it; else the record's one task."""
    if columns.output in record.fields or columns.messages not in record.fields:
        task = task_of(record, columns)
        return task if isinstance(task, NoTask) else [task]
    conversation = turns(record.fields[columns.messages]) or []
    tasks: list[Task] = []
    for end in (n for n, (who, _) in enumerate(conversation, 1) if who == "assistant"):
        task = _last_turn(conversation[:end], columns, record)
        if isinstance(task, NoTask):
            return task
        tasks.append(task)
    return tasks or NoTask("no_text", f"the field {columns.messages!r} holds no answer")


def answer_in(value: Any) -> str | None:
    """An answer as text: also the last turn of a conversation, as preference data has them."""
    if (conversation := turns(value)) is not None:
        return conversation[-1][1] if conversation[-1][0] == "assistant" else None
    return plain_text(value)


def plain_text(value: Any) -> str | None:
    """A field as text: nothing for null, numbers and truth values as they are written; None for what is no text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def said(spoken: Sequence[tuple[str, str]]) -> str:
    """The turns of a conversation as one text, which tells who speaks where there is more than one."""
    return spoken[0][1] if len(spoken) == 1 else "\n\n".join(f"{who}: {text}" for who, text in spoken)


def _last_turn(conversation: list[tuple[str, str]] | None, columns: Columns, record: Record) -> Task | NoTask:
    if conversation is None:
        return NoTask("no_text", f"the field {columns.messages!r} holds no conversation")
    *before, (who, answer) = conversation
    if who != "assistant" or not answer.strip():
        return NoTask("no_text", f"the field {columns.messages!r} does not end in an answer")
    if not any(text.strip() for _, text in before):
        return NoTask("no_text", f"nothing comes before the answer in {columns.messages!r}")
    return Task(said(before), "", answer, plain_text(record.fields.get(columns.source)) or "")
