"""Rows that a benchmark has too: trained on, they would make its score worthless."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmsynth.benchmarks import Benchmarks, evidence
from llmsynth.columns import joined
from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity.spans import NGRAM
from llmsynth.steps.filters import Action
from llmsynth.text import shorten

_NOTE = "decontaminate"  # in the report


@dataclass(frozen=True)
class Decontaminate:
    """Drops or flags records that hold what a benchmark holds: "contaminated".

    against: files or folders of test and train rows: JSON Lines, JSON, CSV, Parquet, or what `datasets` saves, of which
        all splits are looked for.
    columns: those of the benchmarks that are looked for; all their texts if none is named.
    on: the fields of records that are looked at, together.
    ngram: words in a row that tell. A shorter text of a benchmark has to stand in the record whole.
    near: the share of a benchmark text's words (of those of `ngram` words or more) that tell when they stand in the
        record in order and close together; null turns it off. It finds texts with single words changed, and texts made
        from the same template.
    shortest: texts of the benchmarks of fewer words are not looked for.
    common: n-grams that more texts of the benchmarks hold are set phrases and tell nothing.
    action: "flag" keeps the record; either way meta `contamination` has the row, the kind of match, the share of the
        row's text and the matched words, and the score `contamination` is that share; of several such steps, the
        largest one.

    The report has the counts and first finds by benchmark, of each such step by itself. Memory by the words of the
    benchmarks, about 50 bytes each.
    """

    against: tuple[str, ...]
    columns: tuple[str, ...] = ()
    on: tuple[str, ...] = ("instruction", "input", "output")
    ngram: int = NGRAM
    near: float | None = 0.8
    shortest: int = 5
    common: int = 10
    action: Action = "drop"
    _benchmarks: Benchmarks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.against:
            raise RecipeError("decontaminate: no benchmark", "name files, such as against: [gsm8k-test.jsonl]")
        found = Benchmarks(self.against, self.ngram, self.near, self.shortest, self.common, self.columns)
        object.__setattr__(self, "_benchmarks", found)

    @property
    def digest(self) -> str:
        """Stands for the content of the benchmarks."""
        return self._benchmarks.digest

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        judged = [record if record.dropped else self._judge(record) for record in batch]
        self._tell(run)
        return judged

    def recount(self, records: Iterable[tuple[Record, bool]], run: Run) -> None:
        """Tell the report of records that this step has looked at, each with whether it dropped it, from what they say.

        They may have been looked at in an earlier run.
        """
        self._benchmarks.forget()
        for record, dropped in records:
            told = record.meta.get("contamination") if dropped or self.action == "flag" else None
            self._benchmarks.count(record.id, told)
        self._tell(run)

    def _tell(self, run: Run) -> None:
        report = {**self._benchmarks.report(), "on": list(self.on), "digest": self.digest}
        run.notes[_note(run, report)] = report

    def _judge(self, record: Record) -> Record:
        told = self._benchmarks.looked_at(joined(record, self.on), record.id)
        before = record.scores.get("contamination", 0.0)
        if told is None or (self.action == "flag" and told[1].share < before):
            return record.scored(contamination=before)
        found = told[1]
        record = dataclasses.replace(record, meta={**record.meta, "contamination": evidence(*told)})
        record = record.scored(contamination=found.share)
        if self.action == "flag":
            return record
        return record.drop("contaminated", f"{found.kind} match with {found.id}: {shorten(found.text)}")


def _note(run: Run, report: Mapping[str, Any]) -> str:
    """Under which name a step's counts are in the report: a second one that looks for something else has its own."""
    name, number = _NOTE, 1
    while isinstance(noted := run.notes.get(name), Mapping) and _what(noted) != _what(report):
        number += 1
        name = f"{_NOTE} {number}"
    return name


def _what(report: Mapping[str, Any]) -> list[Any]:
    return [list(report["benchmarks"]), *(report[name] for name in ("ngram", "near", "shortest", "on"))]
