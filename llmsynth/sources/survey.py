"""`survey`: what a data source holds, known before its rows are used: how many, and the types of its columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmsynth.column_types import column_type, type_of_arrow
from llmsynth.errors import SourceError
from llmsynth.sources.digest import digest_of
from llmsynth.sources.inference import TURN, Values
from llmsynth.sources.rows import Row, data_files, read_rows

_BATCH = 1_000
_SHOWN = 3  # places named in one message


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source.

    type: see `llmsynth.column_types`; None for what no record can hold, such as images.
    text: whether it holds text, or conversations.
    values: rows that have a value in it; None where a file does not say.
    example: the first value that is no text, cut short; of a Parquet or Arrow file the type it declares.
    """

    type: str | None
    text: bool
    values: int | None
    example: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source holds.

    rows: all of them, the unreadable ones too. problems: of the first unreadable ones, with their places.
    digest: stands for the content of all files.
    """

    columns: dict[str, Column]
    rows: int
    unreadable: int
    problems: tuple[str, ...]
    digest: str


def survey(path: str | Path) -> Survey:
    """Look through the whole of a source: a column's type is a matter of all its rows, never of the first ones.

    Of Parquet and Arrow files the types are those that the files declare, and their rows are not read.

    Raises `SourceError` for what `read_rows` cannot read.
    """
    files = [file for _, file, _ in data_files(Path(path))]
    try:
        return _survey(str(path), tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}", "Check its permissions.") from error


def holds_text(kind: str) -> bool:
    """Whether a column type is text, or conversations, as lists of objects of any kind may be."""
    found = column_type(kind)
    turns = found.item.fields.keys() if found.item else set()
    return found.name in ("string", "messages", "list<object>") or any(turns >= needed for needed in TURN)


def survey_rows(rows: Iterable[Row], digest: str) -> Survey:
    """The same for rows from anywhere."""
    seen: dict[str, Values] = {}
    problems: list[str] = []
    unreadable = count = 0
    batch: list[Mapping[str, Any]] = []
    for row in rows:
        count += 1
        if row.problem:
            unreadable += 1
            if len(problems) < _SHOWN:
                problems.append(f"{row.place}: {row.problem}")
        else:
            batch.append(row.values)
        if len(batch) == _BATCH:
            _note(seen, batch)
            batch = []
    _note(seen, batch)
    columns = {
        name: Column(values.type, values.conversations or holds_text(values.type), values.present, values.example)
        for name, values in seen.items()
    }
    return Survey(columns, count, unreadable, tuple(problems), digest)


@lru_cache(maxsize=4)
def _survey(path: str, stamps: tuple[tuple[str, int, int], ...]) -> Survey:
    files = [Path(file) for file, _, _ in stamps]
    digest = digest_of(files)
    return _declared(files, digest) or survey_rows(read_rows(path), digest)


def _declared(files: Sequence[Path], digest: str) -> Survey | None:
    """What Parquet or Arrow files say of themselves; None for other files, and where they do not agree."""
    import pyarrow as pa

    readers = {".parquet": _parquet, ".arrow": _arrow}
    if any(file.suffix.lower() not in readers for file in files):
        return None
    try:
        found = [readers[file.suffix.lower()](file) for file in files]
    except pa.ArrowException as error:
        raise SourceError(f"{files[0].parent}: a file there is damaged: {error}", "Write it again.") from error
    schemas = [schema for schema, _, _ in found]
    if any(not schema.equals(schemas[0]) for schema in schemas):
        return None
    notes = json.loads((schemas[0].metadata or {}).get(b"huggingface", b"{}"))
    features = notes.get("info", {}).get("features", {})
    rows = sum(rows for _, rows, _ in found)
    columns = {}
    for place, field in enumerate(schemas[0]):
        nulls = [missing[place] for _, _, missing in found]
        values = None if None in nulls else rows - sum(count for count in nulls if count is not None)
        kind = type_of_arrow(field.type, features.get(field.name))
        columns[field.name] = Column(kind, kind is not None and holds_text(kind), values, str(field.type))
    return Survey(columns, rows, 0, (), digest)


def _parquet(path: Path) -> tuple[Any, int, list[int | None]]:
    """The schema, the rows, and how many nulls each column has, where that is known."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
        leaves = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        nulls = [_nulls(metadata, leaves.index(field.name)) if field.name in leaves else None for field in schema]
        return schema, metadata.num_rows, nulls


def _nulls(metadata: Any, leaf: int) -> int | None:
    chunks = [metadata.row_group(group).column(leaf).statistics for group in range(metadata.num_row_groups)]
    known = [chunk.null_count for chunk in chunks if chunk is not None and chunk.has_null_count]
    return sum(known) if len(known) == len(chunks) else None


def _arrow(path: Path) -> tuple[Any, int, list[int | None]]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        rows, nulls = 0, [0] * len(stream.schema)
        for batch in stream:
            rows += batch.num_rows
            nulls = [count + column.null_count for count, column in zip(nulls, batch.columns, strict=True)]
        return stream.schema, rows, list(nulls)


def _note(seen: dict[str, Values], batch: Sequence[Mapping[str, Any]]) -> None:
    names: dict[str, None] = {}
    for values in batch:
        names.update(dict.fromkeys(values))
    for name in names:
        seen.setdefault(name, Values()).note([values.get(name) for values in batch])
