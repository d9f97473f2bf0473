"""What scores and filters really go by: how each score goes with length, and what each category loses."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmsynth.agreement import pearson, spearman
from llmsynth.columns import text_of, turns
from llmsynth.record import Record
from llmsynth.tags import tag_report, tags_of
from llmsynth.text import fingerprint, word_count

MOST_ROWS = 100_000
MOST_CATEGORIES = 200


@dataclass
class ScoreReport:
    """Takes every record, kept and dropped alike, once; `told` is for the report.

    Longer answers get higher marks from most judges and reward models, whatever they are worth: a score that goes with
    length selects by length. And a filter that is right on the whole may delete a whole skill.

    output: the field whose words are the length, of a conversation those of its last turn; of a record without it, that
        of `messages`.
    by: the fields, or keys of the provenance, whose values are categories; of each, 200 values at most, the rest
        together as "(other)".
    """

    output: str = "output"
    by: tuple[str, ...] = ()
    most: int = MOST_ROWS
    _lengths: _Rows = field(init=False, repr=False)
    _scores: dict[str, _Rows] = field(default_factory=dict, init=False, repr=False)
    _missing: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _tags: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _rare: set[str] = field(default_factory=set, init=False, repr=False)
    _tagged: int = field(default=0, init=False, repr=False)
    _categories: dict[str, dict[str, Counter[str]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._categories = {name: {} for name in self.by}

    def by_passing(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, each of them taken as it passes."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record) -> None:
        length, ticket = 0.0, 0
        if record.scores:
            length = self._length(record)
            ticket = int(fingerprint(record.id)[:16], 16)
        for name, score in record.scores.items():
            if math.isfinite(score):
                self._scores.setdefault(name, _Rows(self.most)).add(ticket, length, score)
            else:
                self._missing[name] += 1
        for key in record.meta:
            if key.endswith("_unscored"):
                self._missing[key.removesuffix("_unscored")] += 1
        if "tags" in record.meta and not record.dropped:
            self._tags.update(tags_of(record))
            self._rare.update(record.meta.get("rare_tags", ()))
            self._tagged += 1
        for name, groups in self._categories.items():
            group = _group(record, name)
            if group not in groups and len(groups) >= MOST_CATEGORIES:
                group = "(other)"
            counts = groups.setdefault(group, Counter())
            counts["in"] += 1
            counts[record.dropped.reason if record.dropped else "kept"] += 1

    def told(self) -> dict[str, Any]:
        """`scores`: by name, mean, spread and correlation with length. `categories`: what became of the rows of each.
        `tags`, where the kept records have some: how many, how many are common, and the commonest.

        Correlations are of the rows that have the score, of 100,000 at most, drawn by their ids.
        """
        tags = {"tags": tag_report(self._tags, len(self._rare), self._tagged)} if self._tagged else {}
        return tags | {
            "scores": {name: rows.told(self._missing[name]) for name, rows in sorted(self._scores.items())},
            "categories": {name: _losses(groups) for name, groups in self._categories.items()},
        }

    def _length(self, record: Record) -> float:
        value = record.fields.get(self.output)
        value = record.fields.get("messages") if value is None else value
        said = turns(value)
        return float(word_count(said[-1][1] if said else text_of(value)))


def lines(told: Mapping[str, Any], notes: Mapping[str, Any]) -> list[str]:
    """What `ScoreReport.told` says, and how far judges agreed with people by the notes of a run, for people to read.

    Of a score that is made of others, such as a judge's overall mark, only the whole is told.
    """
    said = []
    whole = [name for name in told["scores"] if not any(name.startswith(f"{other}_") for other in told["scores"])]
    for name in whole:
        score = told["scores"][name]
        goes = score["spearman_with_length"]
        with_length = "constant" if goes is None else f"{goes:+.2f} with length"
        missing = f", {score['missing']:,} without" if score["missing"] else ""
        said.append(f"{name}: {score['mean']:.3g} ± {score['deviation']:.2g}, {with_length}{missing}")
    for name, step in notes.items():
        if isinstance(step, Mapping) and step.get("unscored") and not step.get("scored", 1):
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in step["unscored"].items())
            said.append(f"{name}: not a single row has a score ({reasons})")
        agreement = step.get("agreement") if isinstance(step, Mapping) else None
        for what, found in (agreement or {}).items():
            known = [f"{key} {value}" for key, value in found.items() if key != "rows" and value is not None]
            said.append(f"{name} against people, {what}, {found['rows']:,} rows: {', '.join(known)}")
    for name, groups in told["categories"].items():
        worst = [f"{group} {found['kept_share']:.0%} of {found['in']:,}" for group, found in list(groups.items())[:5]]
        said.append(f"kept by {name}, the least first: {', '.join(worst)}")
    return said


@dataclass
class _Rows:
    """Lengths and scores of at most so many rows: those whose tickets are lowest, whatever order they come in.

    Tickets above a limit are refused, and the limit is halved when there are too many.
    """

    most: int
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    _limit: int = 1 << 64
    _tickets: array[int] = field(default_factory=lambda: array("Q"))
    _lengths: array[float] = field(default_factory=lambda: array("d"))
    _values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, ticket: int, length: float, score: float) -> None:
        self.count += 1
        self.total += score
        self.squares += score * score
        if ticket >= self._limit:
            return
        self._tickets.append(ticket)
        self._lengths.append(length)
        self._values.append(score)
        while len(self._tickets) > self.most:
            self._limit //= 2
            stays = np.frombuffer(self._tickets, np.uint64) < self._limit
            self._tickets = array("Q", np.frombuffer(self._tickets, np.uint64)[stays].tobytes())
            self._lengths = array("d", np.frombuffer(self._lengths, np.float64)[stays].tobytes())
            self._values = array("d", np.frombuffer(self._values, np.float64)[stays].tobytes())

    def told(self, missing: int) -> dict[str, Any]:
        mean = self.total / self.count
        spread = math.sqrt(max(0.0, self.squares / self.count - mean * mean))
        lengths, values = np.frombuffer(self._lengths), np.frombuffer(self._values)
        return {
            "rows": self.count,
            "missing": missing,
            "mean": round(mean, 4),
            "deviation": round(spread, 4),
            "spearman_with_length": _short(spearman(lengths, values)),
            "pearson_with_length": _short(pearson(lengths, values)),
        }


def _group(record: Record, name: str) -> str:
    value = record.fields.get(name)
    value = record.meta.get(name) if value is None else value
    return "(none)" if value is None or value == "" else str(value)[:100]


def _losses(groups: dict[str, Counter[str]]) -> dict[str, Any]:
    """Of each category, the rows, those kept, their share, and how that compares with the share of all; worst first."""
    rows, kept = (sum(counts[key] for counts in groups.values()) for key in ("in", "kept"))
    overall = kept / rows if rows else 0.0
    told = {}
    for name, counts in groups.items():
        share = counts["kept"] / counts["in"]
        reasons = {reason: n for reason, n in counts.most_common() if reason not in ("in", "kept")}
        told[name] = {
            "in": counts["in"],
            "kept": counts["kept"],
            "kept_share": round(share, 4),
            "to_overall": round(share / overall, 4) if overall else None,
            "dropped": dict(list(reasons.items())[:5]),
        }
    return dict(sorted(told.items(), key=lambda item: (item[1]["kept_share"], item[0])))


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
