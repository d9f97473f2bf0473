"""What a run leaves on disk: `write_dataset` for the kept records, `RecordWriter` for all of them."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.arrow import batch_of, table_of
from llmsynth.column_types import ColumnType, column_type, json_text
from llmsynth.errors import RunError, StorageError
from llmsynth.record import Drop, Record
from llmsynth.text import has_lone_surrogate

SHARD_BYTES = 100_000_000  # of uncompressed Arrow data in one Parquet file
GROUP_ROWS = 1_000
GROUP_CHARACTERS = 32_000_000  # the Hub's viewer refuses row groups of more than some 286 MiB
PART_ROWS = 2_000
EXAMPLE_CHARACTERS = 2_500


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One written split, counted exactly.

    columns: name to type (see `llmsynth.column_types`), in the order of the file, with an `id` and `provenance`.
    provenance: the column that tells where rows come from.
    num_bytes: uncompressed, as Arrow data; download_size: of the Parquet files.
    files: relative to the dataset's folder; empty for a split without rows.
    example: the first row that is short enough to be shown, else the shortest; empty without rows.
    """

    split: str
    columns: dict[str, str]
    provenance: str
    rows: int
    num_bytes: int
    download_size: int
    files: tuple[str, ...]
    example: dict[str, Any]


def write_dataset(
    records: Iterable[Record], folder: str | Path, columns: Mapping[str, str], split: str = "train"
) -> DatasetInfo:
    """Write the kept records as Parquet shards in `folder`/data, replacing what that split held.

    columns: the fields to write, name to type (see `llmsynth.column_types`); a field that a record
    lacks is null, other fields are left to `records/`. Types are declared, never
    inferred, so a column without a single value keeps its type. `id`, the record's, comes first where no field
    is called so, and the record's provenance last, as JSON in `metadata`, or in `llmsynth` where a field has that
    name. The same records give the same bytes. Shards grow in a folder beside `folder` and move in when all are
    complete. No file is written for no rows: `datasets` cannot load an empty one.

    Raises RunError, naming the record, for a value its column cannot hold, and
    StorageError when the disk refuses.
    """
    folder = Path(folder).absolute()
    provenance = next(name for name in _provenance_names() if name not in columns)
    named = columns if "id" in columns else {"id": "string", **columns}
    types = {name: column_type(kind) for name, kind in {**named, provenance: "string"}.items()}
    partial = folder.parent / f".{folder.name}.partial"
    shards = _Shards(partial / "data", _schema(types))
    example: dict[str, Any] = {}
    shortest = math.inf
    try:
        with _kept_by_disk(folder):
            shutil.rmtree(partial, ignore_errors=True)
            (partial / "data").mkdir(parents=True)
        for record in records:
            if record.dropped:
                continue
            added = {provenance: _provenance(record)} | ({} if "id" in columns else {"id": record.id})
            row = _row({**record.fields, **added}, record.id, types)
            length = sum(map(_length, row.values()))
            with _kept_by_disk(folder):
                shards.add(row, length)
            if length < shortest > EXAMPLE_CHARACTERS:
                shortest, example = length, row
        with _kept_by_disk(folder):
            names = shards.close(split)
            size = sum((partial / name).stat().st_size for name in names)
            _move_in(partial, folder, split)
    finally:
        shards.abandon()
        shutil.rmtree(partial, ignore_errors=True)
    kinds = {name: kind.name for name, kind in types.items()}
    return DatasetInfo(split, kinds, provenance, shards.rows, shards.num_bytes, size, names, example)


class RecordWriter:
    """Writes every record, kept or not, to `folder` as Parquet parts.

    A new writer starts over: it removes the parts of an earlier attempt. Rows are on
    disk once 2,000 have come together, or after `flush`.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._rows: list[dict[str, Any]] = []
        self._parts = 0
        with _kept_by_disk(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for old in [*self._folder.glob("part-*.parquet"), *self._folder.glob(".part-*.partial")]:
                old.unlink()

    def write(self, batch: Iterable[Record]) -> None:
        for record in batch:
            self._rows.append(_stored(record))
            if len(self._rows) == PART_ROWS:
                self.flush()

    def flush(self) -> None:
        """Put the rows that wait for a full part on disk now, as a smaller one."""
        if not self._rows:
            return
        name = f"part-{self._parts:06d}.parquet"
        partial = self._folder / f".{name}.partial"
        with _kept_by_disk(self._folder):
            try:
                with partial.open("wb") as file:
                    pq.write_table(table_of(self._rows, _RECORDS), file, compression="zstd")
                    _sync(file)
                partial.rename(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)
        self._rows = []
        self._parts += 1

    def close(self) -> None:
        self.flush()


@contextmanager
def rewriting(folder: str | Path) -> Iterator[RecordWriter]:
    """A writer whose records come into `folder` in place of those there, which may be read meanwhile."""
    folder = Path(folder)
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    with _kept_by_disk(folder):
        shutil.rmtree(old, ignore_errors=True)
    writer = RecordWriter(new)
    try:
        yield writer
        writer.close()
        with _kept_by_disk(folder):
            folder.rename(old)
            new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def read_records(folder: str | Path) -> Iterator[Record]:
    """The records that a `RecordWriter` put into `folder`, in order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder} does not exist: there are no records to read", "Name the folder of a run.")
    for part in sorted(folder.glob("part-*.parquet")):
        try:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(batch_size=GROUP_ROWS):
                    for row in batch.to_pylist():
                        yield _restored(row)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise RunError(
                f"{part} cannot be read: {error}",
                "Run the recipe again: it writes its records anew, asking for nothing twice.",
            ) from error


_RECORDS = pa.schema([(name, pa.string()) for name in ("id", "status", "reason", "detail", "fields", "meta", "scores")])


def _stored(record: Record) -> dict[str, Any]:
    drop = record.dropped
    return {
        "id": record.id,
        "status": record.status,
        "reason": drop.reason if drop else None,
        # may quote a model's broken text, which Parquet could not hold
        "detail": drop.detail.encode("utf-8", "backslashreplace").decode() if drop else None,
        "fields": json_text(record.fields),
        "meta": json_text(record.meta),
        "scores": json.dumps(record.scores) if record.scores else "{}",  # which may be NaN: orjson has none
    }


def _restored(row: Mapping[str, Any]) -> Record:
    dropped = (
        Drop(row["reason"], row["detail"], failed=row["status"] == "failed") if row["reason"] is not None else None
    )
    return Record(row["id"], _loads(row["fields"]), _loads(row["meta"]), _loads(row["scores"]), dropped)


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # what only the standard library wrote
        return json.loads(text)


class _Shards:
    """Rows on their way into Parquet files of bounded size, one row group in memory."""

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._group: list[dict[str, Any]] = []
        self._characters = 0
        self._file: Any = None
        self._writer: Any = None
        self._shard_bytes = 0
        self._shards = 0
        self.rows = 0
        self.num_bytes = 0

    def add(self, row: dict[str, Any], length: int) -> None:
        """Take a row of `length` characters."""
        self._group.append(row)
        self._characters += length
        if len(self._group) == GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
            self._write_group()

    def close(self, split: str) -> tuple[str, ...]:
        """Complete the last shard and give all of them their names, which tell how many there are."""
        if self._group:
            self._write_group()
        self._end_shard()
        names = tuple(f"data/{split}-{index:05d}-of-{self._shards:05d}.parquet" for index in range(self._shards))
        for index, name in enumerate(names):
            (self._folder / f"{index}").rename(self._folder.parent / name)
        return names

    def abandon(self) -> None:
        """Let go of a shard that an error left unfinished; nothing after `close`."""
        if self._writer:
            self._writer.is_open = False  # or its finaliser would write a footer into the closed file
            with suppress(OSError):  # a full disk refuses the last buffer too, and has been reported
                self._file.close()

    def _write_group(self) -> None:
        if self._writer is None:
            self._file = (self._folder / f"{self._shards}").open("wb")
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd", write_page_index=True)
            self._shards += 1
        try:
            batch = batch_of(self._group, self._schema)
        except UnicodeEncodeError as error:
            raise _broken_text(self._group) from error
        self._writer.write_batch(batch, row_group_size=len(self._group))
        self.rows += batch.num_rows
        self.num_bytes += batch.nbytes
        self._shard_bytes += batch.nbytes
        self._group, self._characters = [], 0
        if self._shard_bytes >= SHARD_BYTES:
            self._end_shard()

    def _end_shard(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        _sync(self._file)
        self._file.close()
        self._file = self._writer = None
        self._shard_bytes = 0


def _schema(types: Mapping[str, ColumnType]) -> Any:
    """The Arrow schema, with the note from which `datasets` takes its features."""
    features = {name: kind.feature for name, kind in types.items()}
    note = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema([(name, kind.arrow) for name, kind in types.items()], metadata={"huggingface": note})


def _row(values: Mapping[str, Any], record_id: str, types: Mapping[str, ColumnType]) -> dict[str, Any]:
    row = {}
    for name, kind in types.items():
        value = values.get(name)
        if not (type(value) is str and kind.name == "string"):
            if (problem := kind.problem(value)) is not None:
                raise _unfit(record_id, name, problem)
            value = kind.stored(value)
        row[name] = value
    return row


def _unfit(record_id: str, column: str, problem: str) -> RunError:
    return RunError(
        f"record {record_id.encode('utf-8', 'backslashreplace').decode()}: {column} {problem}",
        "A dataset cannot hold it: let a step drop or mend such records before the dataset is written.",
    )


def _broken_text(rows: list[dict[str, Any]]) -> RunError:
    """The error for the first of the rows that Arrow could not encode."""
    for number, row in enumerate(rows):
        for name, value in row.items():
            if has_lone_surrogate(value):
                return _unfit(str(row.get("id") or f"row {number}"), name, "holds half a character (a lone surrogate)")
    raise AssertionError("a group of rows that cannot be encoded has one that cannot")


def _provenance_names() -> Iterator[str]:
    yield from ("metadata", "llmsynth")
    yield from (f"llmsynth_{number}" for number in itertools.count(2))


def _provenance(record: Record) -> str:
    # JSON has no NaN, and other languages refuse Python's
    scores = {name: value if math.isfinite(value) else None for name, value in record.scores.items()}
    values = {**record.meta, "scores": scores} if scores else record.meta
    try:
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _length(value: Any) -> int:
    """Characters, about."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_length, value))
    return sum(map(_length, value.values())) if isinstance(value, dict) else 8


def _move_in(partial: Path, folder: Path, split: str) -> None:
    """Swap the new data folder in; the files of other splits stay."""
    folder.mkdir(exist_ok=True)
    data = folder / "data"
    if data.exists():
        old = data.rename(partial / "old")
        for file in old.iterdir():
            if not file.name.startswith(f"{split}-"):
                file.rename(partial / "data" / file.name)
    (partial / "data").rename(data)


def _sync(file: Any) -> None:
    """A rename is safe against a power cut only after the content is."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _kept_by_disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{place} cannot be written: {error.strerror or error}",
            "Make room or mend the permissions there, then run the same command again: what was made is not lost.",
        ) from error
