"""Somebody's rows, as they are: the generator that makes nothing, for curation."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from llmsynth.column_types import column_type
from llmsynth.errors import RecipeError, SourceError
from llmsynth.forecast import StageEstimate
from llmsynth.generators.protocol import About
from llmsynth.licences import named
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.sources.beside import licensed_rows
from llmsynth.sources.inference import converted
from llmsynth.sources.licensing import KEY
from llmsynth.sources.readme import source_of
from llmsynth.sources.rows import splits_in
from llmsynth.sources.runs import is_run, kept_records, splits_of, survey_run
from llmsynth.sources.survey import Survey, holds_text, survey
from llmsynth.text import has_lone_surrogate

BATCH = 1_024  # rows that go through the steps together
_CONVERSATION = {"instruction", "input", "output"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """The rows of a file, a `datasets` folder, or the records that a run kept, one record each.

    path: JSONL, JSON, CSV, TSV, Parquet, a `datasets` folder, of which the split `train` is read where it has one, or
        the directory of a run.
    on: the columns that hold the text of a row, conversations included; a row in which all are empty is dropped.
    columns: those to keep; all when empty. The dataset has them under their names and with their types: those that the
        source declares, else the narrowest that hold all of its values. CSV has text alone.
    types: of columns, instead, by name (see `llmsynth.column_types`), such as `score: float64`.
    license: of rows that do not say theirs, in a column `license`; without it, that of the card in their folder.
    longest: characters in one text of a row; a longer one is dropped, as no step is made for it.

    Reasons: "unreadable" (no row, such as broken JSON), "no_text", "too_long", "wrong_type" (a value that is not of a
    type given in `types`), "not_unicode" (half a character, which no file of data holds).
    """

    asks: ClassVar[bool] = False

    path: str
    on: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    longest: int = 1_000_000
    license: str = ""

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise RecipeError(f"longest is {self.longest}", "characters in one text; 1000000 is usual")
        for name, kind in self.types.items():
            try:
                column_type(kind)
            except ValueError as error:
                raise RecipeError(
                    f"types: {name}: {error}", "string, bool, int64, float64, list<string>, json, ..."
                ) from error

    @cached_property
    def survey(self) -> Survey:
        """What the source holds. Reads it through, if it does not say so itself."""
        return survey_run(self.path) if is_run(self.path) else survey(self.path)

    @property
    def about(self) -> About:
        kinds = {name: self._type(name) for name in self._names}
        columns = {name: kind for name, kind in kinds.items() if kind is not None}
        plain = is_run(self.path) and kinds.keys() >= _CONVERSATION and "messages" not in kinds
        return About(
            f"The rows of `{self.name}` went through the steps below, as they were.",
            columns=columns,
            conversations=plain,
            batch=BATCH,
        )

    @property
    def texts(self) -> list[str]:
        """The columns that hold text, or conversations."""
        columns = self.survey.columns
        return [n for n in self._names if (holds_text(self.types[n]) if n in self.types else columns[n].text)]

    @property
    def name(self) -> str:
        """What the source may be called in public."""
        return Path(self.path).name

    @property
    def digest(self) -> str:
        """Stands for the content of the source."""
        return self.survey.digest

    def validate(self, run: Run) -> None:
        """Raises `SourceError` or `RecipeError` for a source or columns that cannot be used."""
        self.check_rows()
        found = self.survey
        for name in (*self.columns, *self.types, *self.on):
            self._check_there(name)
        if broken := [name for name in self._names if has_lone_surrogate(name)]:
            raise SourceError(f"{self.path}: the name of the column {broken[0]!r} holds half a character", "rename it")
        for name in self._names:
            if self._type(name) is None:
                others = ", ".join(other for other in self._names if self._type(other) is not None)
                raise SourceError(
                    f"{self.path}: the column {name} holds {found.columns[name].example}, which a record cannot hold",
                    f"Leave it out: columns: [{others}]",
                )
        for name in self.on:
            self._check_text(name)
        self._tell_splits()
        mixed = [name for name in self._names if self._type(name) == "json" and name not in self.types]
        if mixed:
            log.warning(
                "%s: the values of %s are of several kinds: the dataset has them as JSON text",
                self.name,
                ", ".join(mixed),
            )

    def check_rows(self) -> None:
        """Raise `SourceError` for a source without a row that can be read."""
        found = self.survey
        if found.rows == found.unreadable:
            shown = "".join(f"\n  {problem}" for problem in found.problems)
            raise SourceError(f"{self.path} holds no rows{': not one can be read' if shown else ''}{shown}", "")

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        return []

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        run.expected = self.survey.rows
        run.notes["source"] = {"name": self.name, "rows": self.survey.rows, "digest": self.digest}
        number = 0
        for number, record in enumerate(self.records(), 1):
            yield record
            if number % BATCH == 0:
                await asyncio.sleep(0)  # nothing here waits, and the progress line wants its turn
        run.notes["stopped"] = f"{number} rows read"

    def records(self) -> Iterator[Record]:
        """The rows as records, in order."""
        judge = self._judge()
        given = named(self.license) or source_of(self.path).license
        if is_run(self.path):
            for record in kept_records(self.path):
                meta = record.meta if KEY in record.meta or not given else {**record.meta, KEY: [given]}
                yield judge(dataclasses.replace(record, meta=meta))
            return
        for row, told in licensed_rows(self.path):
            meta = {"generator": "rows", "source": row.place}
            if licenses := told or ((given,) if given else ()):
                meta[KEY] = [*licenses]
            if row.problem:
                yield Record(row.place, {}, meta, dropped=Drop("unreadable", row.problem))
            else:
                yield judge(Record(row.place, row.values, meta))

    def _judge(self) -> Callable[[Record], Record]:
        """From a record as it was read to one that steps and datasets can take."""
        wanted = self.columns if self.columns and set(self.columns) != set(self.survey.columns) else None
        types, on, longest = self.types, self.on, self.longest

        def judged(record: Record) -> Record:
            fields = record.fields
            if wanted is not None:
                fields = {name: fields.get(name) for name in wanted}
            drop: Drop | None = None
            for name, kind in types.items():
                try:
                    fields = {**fields, name: converted(fields.get(name), kind)}
                except ValueError as error:
                    drop = drop or Drop("wrong_type", f"{name}: {error}")
            for name, value in fields.items():
                if value is None or type(value) in _SHORT:
                    continue
                if (length := _length(value)) > longest:
                    drop = drop or Drop("too_long", f"{name} has {length:,} characters, and {longest:,} is the most")
                if has_lone_surrogate(value):
                    drop = drop or Drop("not_unicode", f"{name} holds half a character (a lone surrogate)")
            if on and drop is None and not any(_has_text(fields.get(name)) for name in on):
                drop = Drop("no_text", f"{' and '.join(on)}: nothing there")
            if drop is None and fields is record.fields:
                return record
            return dataclasses.replace(record, fields=fields, dropped=drop)

        return judged

    def _tell_splits(self) -> None:
        """Say what becomes of several splits: a test set that goes unnoticed into what is trained on is worse."""
        splits = splits_in(Path(self.path) / "dataset" if is_run(self.path) else self.path)
        if len(splits) < 2:
            return
        if is_run(self.path):
            again = json.dumps(splits_of(self.path))
            log.warning("%s: its splits %s are read together", self.name, ", ".join(splits))
            log.warning("the same rows are in the same splits again with --set 'splits=%s'", again)
        elif "train" in splits:
            log.warning("%s: of its splits %s only train is read", self.name, ", ".join(splits))

    @property
    def _names(self) -> tuple[str, ...]:
        return self.columns or tuple(self.survey.columns)

    def _type(self, name: str) -> str | None:
        column = self.survey.columns.get(name)
        return self.types.get(name) or (column.type if column else None)

    def _check_there(self, name: str) -> None:
        known = self.survey.columns
        if name not in known or name not in self._names:
            near = difflib.get_close_matches(name, self._names, 1, 0.5)
            has = f"its columns are {', '.join(known)}" + (
                f"; kept are {', '.join(self.columns)}" if self.columns else ""
            )
            raise SourceError(f"{self.path} has no column {name!r}", f"did you mean {near[0]}? {has}" if near else has)

    def _check_text(self, name: str) -> None:
        """Raise `SourceError` for a column without texts; say aloud where most rows lack one."""
        found, column = self.survey, self.survey.columns[name]
        kind = self._type(name) or ""
        if name not in (texts := self.texts):
            example = f", such as {column.example}" if column.example and kind == column.type else ""
            raise SourceError(
                f"{self.path}: the column {name} is no text: it holds {kind}{example}",
                f"columns of text: {', '.join(texts)}" if texts else "no column of it is text",
            )
        if column.values == 0:
            raise SourceError(f"{self.path}: the column {name} has no value in any row", "name one that has")
        if column.values is not None and column.values < found.rows / 2:
            share = column.values / found.rows
            log.warning("%s: the column %s has a value in %.1f%% of the rows only", self.name, name, 100 * share)


_SHORT = (int, float, bool)


def _length(value: Any) -> int:
    """Characters of the longest text in it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 0
    return max(map(_length, value), default=0)


def _has_text(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    if isinstance(value, list):
        return any(map(_has_text, value))
    if isinstance(value, dict):
        return any(_has_text(value.get(name)) for name in ("content", "value"))
    return value is not None
