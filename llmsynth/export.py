"""`export`: rows of one format become a dataset, or a file, of another; `lint` only looks at them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from llmsynth.column_types import column_type
from llmsynth.errors import RecipeError, RunError, SourceError
from llmsynth.exported import problems_into, rows_into
from llmsynth.formats import (
    FORMATS,
    Format,
    Needs,
    Notes,
    Problem,
    Style,
    examples_of,
    fitting,
    problems_in,
    reachable,
    read_example,
    written_row,
)
from llmsynth.layout import Layout
from llmsynth.sources.rows import FORMATS as ENDINGS
from llmsynth.sources.rows import Row, data_files, read_rows, splits_in
from llmsynth.sources.runs import is_run
from llmsynth.sources.survey import Survey, survey
from llmsynth.text import has_lone_surrogate

TABLES = (".parquet", ".arrow")


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem, and the row that has it."""

    row: str
    problem: Problem


@dataclass(slots=True)
class Findings:
    """What was found in the rows of a source.

    read: all rows. fine: those that can go on. written: rows by split, which are more where one becomes several.
    codes: rows by reason. lost, mended: see `Notes`; rows of each. columns: all that there were.
    """

    read: int = 0
    fine: int = 0
    written: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    columns: dict[str, None] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)

    @property
    def refused(self) -> int:
        return self.read - self.fine


@dataclass(frozen=True)
class Source:
    """A run, a dataset folder or a file, as rows to be read in one format.

    asked: the name of the format; empty for that which the columns tell. wanted: of several that fit, the one to take.
    renamed: columns that are called otherwise there, by their name there. split: the only one to read, if any.
    """

    path: Path
    asked: str = ""
    wanted: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    split: str = ""

    @cached_property
    def home(self) -> Path:
        """Where the rows are. Raises `SourceError` for a run that has not finished, or kept nothing."""
        if not is_run(self.path):
            return self.path
        if not (self.path / "report.json").is_file():
            raise SourceError(
                f"{self.path} is a run that has not finished", "Give the command that began it once more."
            )
        if not json.loads((self.path / "report.json").read_bytes())["rows"]["kept"]:
            raise SourceError(f"{self.path} is a run that kept nothing", f"`llmsynth status {self.path}` says why.")
        return self.path / "dataset"

    @cached_property
    def splits(self) -> list[str]:
        """Those to read."""
        there = splits_in(self.home)
        if self.split and self.split not in there:
            raise SourceError(f"{self.path} has no split {self.split!r}", f"it has {', '.join(there)}")
        return [self.split] if self.split else there

    @cached_property
    def format(self) -> Format:
        """The format of the rows. Raises `SourceError` where nobody says and the columns do not tell."""
        if self.asked:
            return format_named(self.asked)
        columns = list(self._first)
        fits = fitting(columns)
        if not fits:
            known = "; ".join(f"{one.name} ({', '.join(sorted(one.marks))})" for one in FORMATS.values())
            raise SourceError(
                f"{self.path}: the columns {', '.join(columns) or '(none)'} are those of no format",
                f"{_renaming(columns)}Say which with --from, and name columns with --rename OLD=NEW."
                f" Formats and their columns: {known}.",
            )
        return next((one for one in fits if one.name == self.wanted), fits[0])

    @cached_property
    def types(self) -> dict[str, str | None]:
        """The types of the columns, as files declare them, or as all of the rows tell."""
        return {self.renamed.get(name, name): column.type for name, column in self._survey.columns.items()}

    @cached_property
    def declared(self) -> dict[str, str | None]:
        """The same, of files that declare types; nothing of others."""
        return self.types if all(file.suffix in TABLES for _, file, _ in data_files(self.home)) else {}

    def rows(self) -> Iterator[tuple[str, Row]]:
        """All rows, with their splits. Classes are named, and nulls that only Arrow's structs made are gone."""
        label = self.declared.get("label") or "string"
        names = column_type(label).names
        structs = [name for name, kind in self.declared.items() if kind is None or "struct" in kind]
        for split in self.splits:
            for row in read_rows(self.home, split if len(splits_in(self.home)) > 1 else None):
                values = row.values
                if self.renamed:
                    values = {self.renamed.get(name, name): value for name, value in values.items()}
                    if len(values) < len(row.values):
                        raise self._one_name(row)
                for name in structs:
                    if name in values:
                        values[name] = _without_nulls(values[name])
                if names and isinstance(number := values.get("label"), int):
                    values["label"] = names[number] if number >= 0 else None
                yield split, row._replace(values=values)

    def refuse_unknown(self, columns: Mapping[str, None]) -> None:
        """Raise `SourceError` for a column to be renamed that is not among those of all rows, under their new names."""
        if missing := [old for old, new in self.renamed.items() if new not in columns]:
            raise SourceError(f"{self.path} has no column {missing[0]!r} to rename", f"it has {', '.join(columns)}")

    def _one_name(self, row: Row) -> SourceError:
        """The error for a row of which two columns would be called the same, so that one of them would be lost."""
        names = [self.renamed.get(name, name) for name in row.values]
        twice = next(name for name in names if names.count(name) > 1)
        both = [old for old, new in zip(row.values, names, strict=True) if new == twice]
        return SourceError(
            f"{row.place}: {' and '.join(both)} cannot both be called {twice}",
            f"Rename one of them otherwise, such as --rename {both[-1]}=other.",
        )

    @cached_property
    def _first(self) -> dict[str, Any]:
        for _, row in self.rows():
            if not row.problem:
                return row.values
        raise SourceError(f"{self.path} holds no row that can be read", "Check the file.")

    @cached_property
    def _survey(self) -> Survey:
        return survey(self.home)


def format_named(name: str) -> Format:
    """The format of that name. Raises `SourceError`."""
    if name not in FORMATS:
        raise SourceError(f"there is no format {name!r}", f"the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def lint(source: Source, listed: Sequence[str] = ()) -> Iterator[RowProblem | Findings]:
    """Every problem in the rows of a source, in order, and at last what was found altogether."""
    found = Findings()
    for _, row in source.rows():
        notes = Notes()
        problems = _read(row, source.format, notes, Style())[1] + notes.mended
        _count(found, row, problems, notes)
        yield from (RowProblem(row.place, problem) for problem in problems)
    source.refuse_unknown(found.columns)
    yield found


def export(
    source: Source,
    target: str,
    out: Path,
    style: Style = Style(),  # noqa: B008
    keep: Sequence[str] = (),
    overwrite: bool = False,
) -> Findings:
    """Write the rows of a source in the format `target`, to a dataset folder, or to a file if `out` ends in .jsonl.

    keep: columns that come along as they are. Rows that cannot go along, or that the linter objects to, are listed in a
    file beside `out`, with places and reasons. The source is read twice: what the columns have to hold is a matter of
    all rows. Nothing is there before all is.

    Raises `SourceError` for what cannot be read or become of that format, `RunError` for an `out` that holds something.
    """
    to = format_named(target)
    _check(source, to, out, overwrite)
    found = Findings()
    for _, row in source.rows():
        notes = Notes()
        rows, problems, needs = _converted(row, source.format, to, style, notes, keep)
        _count(found, row, problems, notes)
        if not problems:
            found.needs |= needs
    source.refuse_unknown(found.columns)
    columns = _columns(source, to, style, found, keep)
    if not found.fine:
        raise SourceError(
            f"{source.path}: none of its {found.read} rows can be written as {to.name}: "
            + ", ".join(f"{code} {count}" for code, count in found.codes.most_common()),
            f"`llmsynth export {source.path} --lint` lists the rows and what is wrong with them.",
        )
    with problems_into(out) as listed, rows_into(out, columns, source.splits) as write:
        for split, row in source.rows():
            rows, problems, _ = _converted(row, source.format, to, style, Notes(), keep)
            for problem in problems:
                listed(row.place, problem)
            for values in rows:
                kept = {name: row.values.get(name) for name in keep}
                own = {**values, **kept}
                write({name: own[name] for name in columns}, row.place, split)
                found.written[split] += 1
    return found


def _check(source: Source, to: Format, out: Path, overwrite: bool) -> None:
    """Refuse what cannot come to a good end, before anything is read through."""
    if not reachable(source.format, to):
        raise SourceError(
            f"{source.path}: {source.format.name} cannot become {to.name}",
            f"it says nothing of {', '.join(sorted(to.marks - source.format.marks))};"
            f" it can become {', '.join(one.name for one in FORMATS.values() if reachable(source.format, one))}",
        )
    file = out.suffix == ".jsonl"
    if out.suffix in ENDINGS and not file:
        raise RunError(f"{out}: the ending {out.suffix!r} is not known", "a folder, or a file that ends in .jsonl")
    if file and len(source.splits) > 1:
        raise RunError(
            f"{source.path} has the splits {', '.join(source.splits)}, and a file holds one",
            f"--split {source.splits[0]}, or -o with the name of a folder",
        )
    if out.resolve() in (source.path.resolve(), source.home.resolve()):
        raise RunError(f"{out} is what is read", "name another place")
    if not overwrite and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise RunError(f"{out} is there already", "name a new place, or say --overwrite")
    if (out.is_dir() if file else out.is_file()) or is_run(out):
        raise RunError(f"{out} is {'a run' if is_run(out) else 'something else'}", "name another place")


def _columns(source: Source, to: Format, style: Style, found: Findings, keep: Sequence[str]) -> dict[str, str]:
    """The columns of what is written, name to type."""
    columns = to.columns(found.needs, style)
    kind = source.declared.get("label")
    if to.name == source.format.name == "text-classification" and kind and column_type(kind).names:
        columns["label"] = kind
    for name in keep:
        if name in columns:
            raise SourceError(f"--keep {name}: {to.name} has a column of that name itself", "leave it out")
        kind = source.types.get(name)
        if kind is None:
            known = ", ".join(name for name, kind in source.types.items() if kind)
            raise SourceError(f"{source.path} has no column {name!r} that can be kept", f"its columns are {known}")
        columns[name] = kind
    return columns


def _read(row: Row, format: Format, notes: Notes, style: Style) -> tuple[Any, list[Problem]]:
    """What a row teaches, and what is wrong with it."""
    if row.problem:
        return None, [Problem("unreadable", "", row.problem)]
    example = read_example(row.values, format, notes, style)
    if isinstance(example, Problem):
        return None, [example]
    return example, list(problems_in(example))


def _converted(
    row: Row, source: Format, to: Format, style: Style, notes: Notes, keep: Sequence[str]
) -> tuple[list[dict[str, Any]], list[Problem], Needs]:
    """The rows that a row becomes, or what is wrong with it, and what these need of columns."""
    example, problems = _read(row, source, notes, style)
    broken = [name for name in keep if has_lone_surrogate(row.values.get(name))]
    problems += [Problem("not_unicode", name, "holds half a character (a lone surrogate)") for name in broken]
    if problems:
        return [], problems, Needs()
    examples = examples_of(example, to, notes)
    if isinstance(examples, Problem):
        return [], [examples], Needs()
    rows, needs = [], Needs()
    for one in examples:
        values = written_row(one, to, style, notes)
        if isinstance(values, Problem):
            return [], [values], Needs()
        rows.append(values)
        needs |= Needs.of(one, style)
    return rows, [], needs


def _count(found: Findings, row: Row, problems: Sequence[Problem], notes: Notes) -> None:
    found.read += 1
    found.columns.update(dict.fromkeys(row.values))
    found.codes.update({problem.code for problem in problems})
    if not problems:
        found.fine += 1
        found.lost.update(set(notes.lost))
        found.mended.update({f"{problem.code} in {_column(problem.place)}" for problem in notes.mended})


def _column(place: str) -> str:
    """The column of a place such as `messages[2].tool_calls`, and the key within."""
    first, _, last = place.partition("[")
    return first if not last else f"{first}{place[place.rfind('.') :]}" if "." in place else first


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _renaming(columns: list[str]) -> str:
    """How to name a question and an answer so that they are a format, where the columns look like these."""
    try:
        layout = Layout.of(columns)
    except RecipeError:
        return ""
    (asked, *_), (answered, *_) = layout.instruction, layout.output
    return "" if asked == answered else f"Try --rename {asked}=prompt --rename {answered}=completion. "
