"""Formats of training data, and the conversions between them: pure functions of rows.

A row of one format is read into an `Example`, looked at by the linter, and written as a row of another. What a format
has no place for is either a reason to refuse the row or noted as lost; nothing goes without a word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llmsynth.formats.example import PARTS, Call, Example, Notes, Problem, RefusedError, Style, Turn
from llmsynth.formats.formats import FORMATS, Format, Needs
from llmsynth.formats.lint import problems_in

__all__ = [
    "FORMATS",
    "PARTS",
    "Call",
    "Example",
    "Format",
    "Needs",
    "Notes",
    "Problem",
    "Style",
    "Turn",
    "examples_of",
    "fitting",
    "problems_in",
    "reachable",
    "read_example",
    "written_row",
]


def fitting(columns: Iterable[str]) -> list[Format]:
    """The formats that rows of these columns can be of, the likeliest first."""
    names = set(columns)
    found = [one for one in FORMATS.values() if one.marks <= names]
    # prompt, completion and label are no more than that with label
    return [one for one in found if not any(one.marks < other.marks for other in found)]


def reachable(source: Format, target: Format) -> bool:
    """Whether rows of one format can become rows of another: nobody knows of an answer what a worse one would be."""
    return target.kind in _FROM[source.kind]


_FROM = {
    "demonstration": ("demonstration",),
    "preference": ("preference", "verdict", "demonstration"),
    "verdict": ("verdict", "demonstration"),
}


def read_example(row: Mapping[str, Any], format: Format, notes: Notes, style: Style) -> Example | Problem:
    """What a row teaches, without the parts that the style leaves out; or why it cannot be read."""
    for name in sorted(format.marks):
        if name not in row:
            return Problem("missing", name, "is not there")
    try:
        return _without(format.read(row, notes), style.without, notes)
    except RefusedError as refusal:
        return refusal.problem


def examples_of(example: Example, target: Format, notes: Notes) -> list[Example] | Problem:
    """An example as those of the kind that a format holds: of a preference two verdicts, or its better answer."""
    kind = example.kind
    if kind == target.kind:
        return [example]
    if kind == "preference" and target.kind == "verdict":
        better = dataclasses.replace(example, kind="verdict", rejected=(), desired=True)
        return [better, dataclasses.replace(better, answer=example.rejected, desired=False)]
    if kind == "verdict" and not example.desired:
        return Problem("not_desired", "label", "is false: the completion is none to learn from")
    notes.lost["rejected" if kind == "preference" else "label"] += 1
    return [dataclasses.replace(example, kind="demonstration", rejected=(), desired=None)]


def written_row(example: Example, format: Format, style: Style, notes: Notes) -> dict[str, Any] | Problem:
    """A row of a format, with all columns it could have; or why it has no place for the example."""
    try:
        return format.write(example, style, notes)
    except RefusedError as refusal:
        return refusal.problem


def _without(example: Example, parts: Iterable[str], notes: Notes) -> Example:
    for part in parts:
        less = _LEFT_OUT[part](example)
        if less != example:
            notes.lost[part] += 1
        example = less
    return example


def _each(example: Example, change: Callable[[tuple[Turn, ...]], tuple[Turn, ...]]) -> Example:
    prompt, answer, rejected = map(change, (example.prompt, example.answer, example.rejected))
    return dataclasses.replace(example, prompt=prompt, answer=answer, rejected=rejected)


def _no_system(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    return tuple(turn for turn in turns if turn.role != "system")


def _no_reasoning(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    return tuple(dataclasses.replace(turn, reasoning="") if turn.reasoning else turn for turn in turns)


_LEFT_OUT: dict[str, Callable[[Example], Example]] = {
    "system": lambda example: _each(example, _no_system),
    "reasoning": lambda example: _each(example, _no_reasoning),
    "tools": lambda example: dataclasses.replace(example, tools=()),
}
