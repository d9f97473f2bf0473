"""A pair of answers to a prompt, of which one is preferred: what preference data is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

from llmsynth.record import Record
from llmsynth.request import Message
from llmsynth.steps._question import Question, of_conversations
from llmsynth.steps._task import Columns

PAIR = ("prompt", "chosen", "rejected")
Against = Literal["worst", "random"]
_PLACES = 9  # decimals of a difference: what is beyond them is the arithmetic's


def paired(record: Record, question: Question, chosen: str, rejected: str) -> Record:
    """The record with prompt, chosen and rejected: texts, or turns where what it asks is a conversation."""
    if question.turns:
        pair: tuple[Any, ...] = (list(question.turns), [_answer(chosen)], [_answer(rejected)])
    else:
        pair = (question.task.question, chosen, rejected)
    return dataclasses.replace(record, fields={**record.fields, **dict(zip(PAIR, pair, strict=True))})


def pair_columns(columns: Mapping[str, str], task: Columns, leave: Sequence[str] = ()) -> dict[str, str]:
    """The columns of a dataset of pairs: prompt, chosen and rejected in place of the task's; further ones stay.

    leave: columns that go as well.
    """
    kind = "messages" if of_conversations(columns, task) else "string"
    gone = {task.instruction, task.input, task.output, task.messages, *leave}
    kept = {name: other for name, other in columns.items() if name not in gone}
    return {**dict.fromkeys(PAIR, kind), **kept}


def choose(scores: Sequence[float | None], margin: float, against: Against, rng: Random) -> tuple[int, int] | None:
    """The places of the answer that is preferred and of the one that it is preferred to; None for a tie.

    The best of them is preferred, the earliest of equals. Those below it, by `margin` at least, can be what it is
    preferred to: the worst of them, the earliest of equals, or one drawn at random. An answer without a score has no
    part in it.
    """
    known = [(score, place) for place, score in enumerate(scores) if score is not None]
    if not known:
        return None
    best, preferred = max(known, key=lambda one: (one[0], -one[1]))
    below = [one for one in known if (gap := round(best - one[0], _PLACES)) > 0 and gap >= margin]
    if not below:
        return None
    return preferred, min(below)[1] if against == "worst" else rng.choice(below)[1]


def _answer(text: str) -> Message:
    return Message(role="assistant", content=text)
