"""Verdicts by people, and how far a judge agrees with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmsynth.errors import SourceError
from llmsynth.record import Record
from llmsynth.sources import Row, read_rows
from llmsynth.steps._task import Columns, NoTask, Task, task_of


@dataclass
class Gold:
    """The rows of a gold file. verdicts: by column, row by row; None where a row lacks it."""

    path: str
    tasks: list[Task] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    verdicts: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, columns: Columns, names: Sequence[str]) -> Gold:
        """Read a file of rows that hold a task and at least one of the named verdicts. Raises `SourceError`."""
        gold = cls(path, verdicts={name: [] for name in names})
        for row in read_rows(path):
            if row.problem:
                raise SourceError(f"{row.place}: {row.problem}", "a gold file is small: repair the row, or delete it")
            task = task_of(Record("", row.values), columns)
            if isinstance(task, NoTask):
                raise SourceError(f"{row.place}: {task.detail}", "a gold row holds a whole task, and a verdict on it")
            gold.tasks.append(task)
            gold.rows.append(row)
            for name, column in gold.verdicts.items():
                column.append(row.values.get(name))
        gold.verdicts = {
            name: column for name, column in gold.verdicts.items() if any(value is not None for value in column)
        }
        if not gold.verdicts:
            raise SourceError(f"{path} holds no verdict", f"a column with one is called {' or '.join(names)}")
        return gold

    @classmethod
    def read_marks(cls, path: str, columns: Columns, names: Sequence[str]) -> Gold:
        """The same, where every verdict is a mark, which is a number."""
        gold = cls.read(path, columns, names)
        for name, column in gold.verdicts.items():
            column[:] = [_number(value, row, name) for value, row in zip(column, gold.rows, strict=True)]
        return gold


def mark_agreement(gold: Gold, ours: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """By column of marks: how many rows both have marked, and how far the marks agree.

    Accuracy and kappa are of marks rounded to whole ones, as people give them; the correlations and the bias (ours less
    theirs, on average) are of the marks as they are. Null where it cannot be told, as of constant marks.
    """
    return {name: _marks(gold, name, ours[name]) for name in gold.verdicts}


def choice_agreement(theirs: Sequence[str | None], ours: Sequence[str | None]) -> dict[str, Any]:
    """How far verdicts that are one of a few words agree."""
    from llmsynth.agreement import accuracy, cohen_kappa

    both = [(a, b) for a, b in zip(theirs, ours, strict=True) if a is not None and b is not None]
    left, right = [a for a, _ in both], [b for _, b in both]
    return {
        **_counts(theirs, ours, len(both)),
        "accuracy": _short(accuracy(left, right)),
        "cohen_kappa": _short(cohen_kappa(left, right)),
    }


def _marks(gold: Gold, name: str, ours: Sequence[float | None]) -> dict[str, Any]:
    from llmsynth import agreement

    theirs: list[float | None] = gold.verdicts[name]
    both = sum(a is not None and b is not None for a, b in zip(theirs, ours, strict=True))
    found = agreement.mark_agreement(theirs, ours)
    return {**_counts(theirs, ours, both), **{key: _short(value) for key, value in found.items()}}


def _counts(theirs: Sequence[object], ours: Sequence[object], both: int) -> dict[str, int]:
    unread = sum(a is not None and b is None for a, b in zip(theirs, ours, strict=True))
    return {"rows": both, "unread": unread}


def _number(value: Any, row: Row, name: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        mark = float(value)
    except (TypeError, ValueError):
        mark = math.nan
    if not math.isfinite(mark):
        raise SourceError(f"{row.place}: {name} is {value!r}, which is no mark", "a mark is a number")
    return mark


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
