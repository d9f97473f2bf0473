"""What people are shown of a row: its texts under neutral labels, and nothing that tells where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from llmsynth.columns import text_of, turns
from llmsynth.errors import RecipeError
from llmsynth.layout import Layout
from llmsynth.record import Record
from llmsynth.sources.rows import read_rows
from llmsynth.sources.runs import is_run, kept_records
from llmsynth.text import fingerprint, word_count

_PROVENANCE = ("metadata", "llmsynth")  # the columns of a dataset of ours that hold scores
_SOURCE = "source"  # the text that a task was made from, in rows of ours
_SOURCE_WORDS = 20  # a shorter one is the name of a place, and would give the origin away
_SPEAKERS = {"user": "User", "human": "User", "assistant": "Answer", "system": "System", "tool": "Tool"}


class Part(NamedTuple):
    """A text and what the page calls it: never the name of a column, which may tell whose answer it is."""

    label: str
    text: str


@dataclass(frozen=True)
class Entry:
    """A row as it can be shown.

    id: of the record, or the row's place. key: stands for the texts, so that a rating outlives a change of ids.
    """

    id: str
    question: tuple[Part, ...]
    answer: tuple[Part, ...]
    scores: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        return fingerprint(*(text for part in (*self.question, *self.answer) for text in part))

    @cached_property
    def question_key(self) -> str:
        """Stands for the question alone; empty without one."""
        texts = [" ".join(part.text.split()) for part in self.question]
        return fingerprint(*texts) if any(texts) else ""

    @cached_property
    def answer_key(self) -> str:
        return fingerprint(*(" ".join(part.text.split()) for part in self.answer))


@dataclass
class Source:
    """A run, a dataset's folder or a file of rows, as entries; it can be read again and again.

    on: the columns that are shown, the last of them as the answer; found by their usual names where there are none.
    unreadable, empty: the rows that the last reading passed over, since they are damaged or hold no text.
    """

    path: Path
    on: tuple[str, ...] = ()
    unreadable: int = 0
    empty: int = 0
    _layouts: dict[frozenset[str], Layout] = field(default_factory=dict, init=False, repr=False)

    @property
    def is_run(self) -> bool:
        return is_run(self.path)

    def entries(self) -> Iterator[Entry]:
        """In the order of the source. Raises `SourceError`, `RunError`, or `RecipeError` for columns nobody knows."""
        self.unreadable = self.empty = 0
        for record in kept_records(self.path) if self.is_run else self._rows():
            entry = self._entry(record)
            if any(part.text.strip() for part in (*entry.question, *entry.answer)):
                yield entry
            else:
                self.empty += 1

    def _rows(self) -> Iterator[Record]:
        for row in read_rows(self.path):
            if row.problem:
                self.unreadable += 1
            else:
                yield Record(_id(row.values, row.place), row.values, scores=_scores(row.values))

    def _entry(self, record: Record) -> Entry:
        layout = self._layout(record)
        if layout is None:
            return Entry(record.id, (), ())
        fields = record.fields
        if layout.answer_is_whole:
            (name,) = layout.output
            said = _turns(fields.get(name)) or [Part("Text", text_of(fields.get(name)))]
            if len(said) > 1 and said[-1].label == "Answer":
                return Entry(record.id, (*_given_source(fields), *said[:-1]), (said[-1],), record.scores)
            return Entry(record.id, (), tuple(said), record.scores)
        asked = [
            part
            for place, name in enumerate(dict.fromkeys((*layout.instruction, *layout.input)))
            for part in _parts(fields.get(name), "Input" if place else "Instruction")
            if part.text.strip()
        ]
        answered = [part for name in layout.output for part in _parts(fields.get(name), "Answer")]
        return Entry(record.id, (*_given_source(fields), *asked), tuple(answered), record.scores)

    def _layout(self, record: Record) -> Layout | None:
        if self.on:
            if missing := [name for name in self.on if name not in record.fields]:
                there = ", ".join(record.fields) or "none"
                raise RecipeError(f"{record.id} has no column {missing[0]}", f"name others by --on; it has {there}")
            return Layout(self.on[:-1] or self.on, (), self.on[-1:], self.on)
        names = [name for name, value in record.fields.items() if isinstance(value, str) or turns(value)]
        names = [name for name in names if name != "id" and name not in _PROVENANCE]
        known = frozenset(names)
        if known not in self._layouts:
            if not names:
                return None
            preference = ("prompt", "chosen") if {"prompt", "chosen"} <= known else ()
            self._layouts[known] = Layout.of(names, preference)
        return self._layouts[known]


def _parts(value: Any, label: str) -> list[Part]:
    """A value as one text, or as the turns that it holds."""
    said = _turns(value)
    if said is None or (label == "Answer" and len(said) == 1):
        return [Part(label, said[0].text if said else text_of(value))]
    return said


def _turns(value: Any) -> list[Part] | None:
    said = turns(value)
    if said is None:
        return None
    parts = []
    for (who, text), turn in zip(said, value, strict=True):
        if calls := turn.get("tool_calls"):
            shown = json.dumps(calls, ensure_ascii=False, indent=1, default=str)
            text = f"{text}\n\n{shown}" if text else shown
        parts.append(Part(_SPEAKERS.get(who, "Other"), text))
    return parts


def _given_source(fields: Mapping[str, Any]) -> list[Part]:
    value = fields.get(_SOURCE)
    return [Part("Source", value)] if isinstance(value, str) and word_count(value) > _SOURCE_WORDS else []


def _id(values: Mapping[str, Any], place: str) -> str:
    value = values.get("id")
    told = str(value) if isinstance(value, str | int) and value != "" else place
    return told.encode("utf-8", "backslashreplace").decode()  # it goes into a log, which holds no half characters


def _scores(values: Mapping[str, Any]) -> dict[str, float]:
    """The scores in the provenance of a row of ours; none in anybody else's."""
    for name in _PROVENANCE:
        try:
            told = orjson.loads(values.get(name) or "null")
        except (TypeError, ValueError):
            continue
        scores = told.get("scores") if isinstance(told, dict) else None
        if isinstance(scores, dict):
            return {name: float(score) for name, score in scores.items() if isinstance(score, int | float)}
    return {}
