"""The first look at a run's records: what is told of all of them, and which rows the page holds."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from llmsynth.diversity_report import Sampled
from llmsynth.record import Record
from llmsynth.report import histogram
from llmsynth.report.blobs import coded_share
from llmsynth.report.reading import Reading
from llmsynth.report.rows import row_line
from llmsynth.text import fingerprint, normalise
from llmsynth.verb_objects import TOP_OBJECTS, TOP_VERBS, verb_object

Array = npt.NDArray[Any]

_ALWAYS = 100  # rows of each reason that are taken before others
_MOST_VALUES = 250  # of a label
_LABEL_CHARACTERS = 80
_MOST_LABELS = 8
_IN_A_GROUP = 3  # rows, in the mean
_COVERED = 0.5  # of the rows have to have a label
_SAMPLED = 1 << 58  # of tickets of 64 bits: one row of 64 is compressed to know how far rows can be,
_FEW = 500  # or the first ones, where that would be fewer


@dataclass
class Survey:
    """What is counted while records pass: some 50 bytes a record, 4 more for each score.

    categories: fields whose values are told whatever they are, before others.
    """

    reading: Reading
    categories: tuple[str, ...] = ()
    sample: Sampled = field(default_factory=Sampled)
    states: dict[tuple[str, str], int] = field(default_factory=dict)  # status and reason, to their number
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _state: array[int] = field(default_factory=lambda: array("H"))
    _tickets: array[int] = field(default_factory=lambda: array("Q"))
    _sizes: array[int] = field(default_factory=lambda: array("I"))
    _texts: array[int] = field(default_factory=lambda: array("Q"))  # of kept rows, for what two runs share
    _asked: array[int] = field(default_factory=lambda: array("I"))
    _answered: array[int] = field(default_factory=lambda: array("I"))
    _scores: dict[str, tuple[array[float], array[float]]] = field(default_factory=dict)
    _labels: dict[str, Counter[str] | None] = field(default_factory=dict)
    _label_rows: Counter[str] = field(default_factory=Counter)
    _verbs: Counter[tuple[str, str]] = field(default_factory=Counter)
    _sampled: list[bytes] = field(default_factory=list)
    _first: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, records: Iterable[Record], reading: Reading, categories: Iterable[str] = ()) -> Survey:
        survey = cls(reading, tuple(categories))
        for record in records:
            survey.add(record)
        return survey

    def __len__(self) -> int:
        return len(self._state)

    def add(self, record: Record) -> None:
        kept = record.dropped is None
        state = (record.status, "" if record.dropped is None else record.dropped.reason)
        self.counts[state] += 1
        self._state.append(self.states.setdefault(state, len(self.states)))
        ticket = int(fingerprint(record.id)[:16], 16)
        line = row_line(record, self.reading.columns, [0] * len(record.meta.get("journal", ())))
        for sampled, wanted in ((self._first, len(self) <= _FEW), (self._sampled, ticket < _SAMPLED)):
            if wanted and len(sampled) < 10 * _FEW:
                sampled.append(line)
        self._tickets.append(ticket >> 32 if self.counts[state] <= _ALWAYS else ticket)
        self._sizes.append(len(line))
        asked, answered = self.reading.asked_of(record), self.reading.answered_of(record)
        self._asked.append(len(asked.split()))
        self._answered.append(len(answered.split()))
        for name, value in record.scores.items():
            if value is not None:
                self._scores.setdefault(name, (array("f"), array("f")))[0 if kept else 1].append(value)
        for name, label in labels_of(record):
            self._count(name, label)
        if kept:
            self._texts.append(int(fingerprint(normalise(asked), normalise(answered))[:16], 16))
            instruction = self.reading.instruction_of(record)
            self.sample.add(record.id, instruction)
            if (found := verb_object(instruction)) is not None and found.object:
                self._verbs[found.verb, found.object] += 1

    def rows(self, most: int, room: float) -> Array:
        """Which rows the page holds: all, or those whose tickets, drawn by their ids, are lowest; a flag for each."""
        tickets = np.frombuffer(self._tickets, np.uint64) if len(self) else np.zeros(0, np.uint64)
        order = np.argsort(tickets, kind="stable")[:most]
        share = coded_share(self._sampled if len(self._sampled) >= _FEW else self._first)
        flags = np.zeros(len(self), bool)
        flags[order[np.cumsum(np.asarray(self._sizes, np.float64)[order] * share) <= room]] = True
        return flags

    def priority(self, flags: Array) -> Array:
        """Of the rows that the page holds, the tickets."""
        flagged: Array = np.asarray(self._tickets, np.uint64)[flags]
        return flagged

    def states_of(self, flags: Array) -> Array:
        """Of the rows that the page holds, the numbers of their states."""
        flagged: Array = np.asarray(self._state, np.uint16)[flags]
        return flagged

    def asked(self, flags: Array) -> Array:
        """Words of the question of each row that the page holds."""
        flagged: Array = np.asarray(self._asked, np.uint32)[flags]
        return flagged

    def answered(self, flags: Array) -> Array:
        """Words of the answer of each row that the page holds."""
        flagged: Array = np.asarray(self._answered, np.uint32)[flags]
        return flagged

    def shared(self, other: Survey) -> int:
        """How many kept rows say what a kept row of another run says, but for case, punctuation and spacing."""
        return int(np.isin(np.asarray(self._texts, np.uint64), np.asarray(other._texts, np.uint64)).sum())

    def labels(self) -> dict[str, Counter[str]]:
        """What rows can be told apart by: names to the counts of their values, categories first."""
        texts = {*self.reading.asked, *self.reading.answered}
        usable = {
            name: counts
            for name, counts in self._labels.items()
            if counts is not None and (name in self.categories or (name not in texts and self._groups(name, counts)))
        }
        ranked = sorted(usable, key=lambda name: (name not in self.categories, _usual(name), name))
        return {name: usable[name] for name in ranked[:_MOST_LABELS]}

    def _groups(self, name: str, counts: Counter[str]) -> bool:
        """Whether most rows have the label, and it puts them into few groups."""
        rows = self._label_rows[name]
        return 1 < len(counts) <= rows / _IN_A_GROUP and rows >= _COVERED * len(self)

    def told(self) -> dict[str, Any]:
        """Counts of all records, as plain data."""
        kept = np.asarray([state == ("kept", "") for state in self.states], bool)[np.asarray(self._state, np.int64)]
        return {
            "rows": len(self),
            "states": [[status, reason, self.counts[status, reason]] for status, reason in self.states],
            "lengths": {
                name: histogram.of_lengths(values[kept], values[~kept])
                for name, values in (
                    ("question", np.asarray(self._asked, np.float64)),
                    ("answer", np.asarray(self._answered, np.float64)),
                )
                if values.any()
            },
            "scores": {
                name: histogram.of_scores(*(np.asarray(values, np.float64) for values in both))
                for name, both in sorted(self._scores.items())
            },
            "words": int(sum(self._asked) + sum(self._answered)),
            "verbs": _tree(self._verbs),
            "labels": {name: dict(counts.most_common(40)) for name, counts in self.labels().items()},
        }

    def _count(self, name: str, value: str) -> None:
        counts = self._labels.setdefault(name, Counter())
        if counts is None:
            return
        counts[value] += 1
        self._label_rows[name] += 1
        if len(counts) > _MOST_VALUES:
            if name in self.categories:
                for rare, _ in counts.most_common()[_MOST_VALUES:]:
                    del counts[rare]
            else:
                self._labels[name] = None


def labels_of(record: Record) -> Iterator[tuple[str, str]]:
    """The short single values of a record, which it may be grouped by."""
    seen = set()
    for values in (record.fields, record.meta):
        for name, value in values.items():
            if name in seen:
                continue
            if isinstance(value, bool | int):
                seen.add(name)
                yield name, str(value).lower() if isinstance(value, bool) else str(value)
            elif isinstance(value, str) and value and len(value) <= _LABEL_CHARACTERS and "\n" not in value:
                seen.add(name)
                yield name, value


_USUAL = ("source", "category", "topic", "field", "discipline", "subject", "task", "operator", "round", "generator")


def _usual(name: str) -> int:
    return _USUAL.index(name) if name in _USUAL else len(_USUAL)


def _tree(verbs: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """The commonest verbs with their commonest objects, as in figure 3 of the Self-Instruct paper."""
    by_verb: dict[str, Counter[str]] = {}
    for (verb, thing), count in verbs.items():
        by_verb.setdefault(verb, Counter())[thing] += count
    top = sorted(by_verb.items(), key=lambda item: (-item[1].total(), item[0]))[:TOP_VERBS]
    return {
        "parsed": sum(verbs.values()),
        "distinct": len(verbs),
        "top": [
            [verb, things.total(), sorted(things.items(), key=lambda item: (-item[1], item[0]))[:TOP_OBJECTS]]
            for verb, things in top
        ],
    }
