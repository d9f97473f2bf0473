"""Filters: what makes a row unfit for training, one concern a module.

Each module has a pure function from texts to a `Drop` (a reason code and what it was seen by), or None for a text that
passes, and a step with the function's options. Three kinds of option recur:

on: the fields that are judged; of a conversation (`messages`), the model's own turns where the filter is about answers,
    and all turns otherwise. A field that is missing or null is empty.
asked: the fields that hold what the model was told. What a task asks for is no fault of the answer.
action: "drop"; or "flag", which keeps the record with its score alone.

What is in question is written down: a count or a share under scores, evidence under meta.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from llmsynth.record import Drop, Record

Action = Literal["drop", "flag"]


def judged(batch: list[Record], judge: Callable[[Record], Drop | None]) -> list[Record]:
    """The batch, with every kept record dropped that the function has a reason against."""
    return [_judged(record, judge) for record in batch]


def _judged(record: Record, judge: Callable[[Record], Drop | None]) -> Record:
    drop = None if record.dropped else judge(record)
    return record if drop is None else record.drop(drop.reason, drop.detail)
