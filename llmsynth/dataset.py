"""What a run leaves on disk: `write_dataset` for the kept records, `RecordWriter` for all of them."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.arrow import table_of
from llmsynth.column_types import json_text
from llmsynth.errors import RunError
from llmsynth.lineage import SPLITS
from llmsynth.record import Drop, Record
from llmsynth.shards import DatasetInfo, ShardWriter, kept_by_disk, sync

__all__ = ["DatasetInfo", "RecordWriter", "read_records", "rewriting", "write_configs", "write_dataset"]

PART_ROWS = 2_000
_READ_ROWS = 1_000


def write_dataset(
    records: Iterable[Record], folder: str | Path, columns: Mapping[str, str], split: str = "train"
) -> DatasetInfo:
    """Write the kept records as one split, in place of what that held, as `write_configs` does."""
    return write_configs(records, folder, columns, lambda record: split, (split,), full=False)[0]


def write_configs(
    records: Iterable[Record],
    folder: str | Path,
    columns: Mapping[str, str],
    split_of: Callable[[Record], str],
    splits: Iterable[str] = SPLITS,
    full: bool = True,
) -> tuple[DatasetInfo, ...]:
    """Write the kept records as Parquet shards in `folder`, in one pass: the config `default`, in `data`, with the
    columns that trainers read; with `full`, in a folder of that name, the config with their provenance as well.

    columns: the fields to write, name to type (see `llmsynth.column_types`); a field that a record
    lacks is null, other fields are left to `records/`. `id`, the record's, comes first where no field
    is called so. The provenance is JSON in `metadata`, or in `llmsynth` where a field has that name.

    What it returns, and what it leaves on the disk, is as `ShardWriter` says. Raises RunError, naming the record, for
    a value its column cannot hold, and StorageError when the disk refuses.
    """
    provenance = next(name for name in _provenance_names() if name not in columns)
    own_id = "id" in columns
    named = columns if own_id else {"id": "string", **columns}
    writer = ShardWriter(folder, named, {provenance: "string"} if full else None, splits)
    try:
        for record in records:
            if record.dropped:
                continue
            values = dict(record.fields)
            if not own_id:
                values["id"] = record.id
            if full:
                values[provenance] = _provenance(record)
            writer.add(values, record.id, split_of(record))
        return writer.close()
    finally:
        writer.abandon()


class RecordWriter:
    """Writes every record, kept or not, to `folder` as Parquet parts.

    A new writer starts over: it removes the parts of an earlier attempt. Rows are on
    disk once 2,000 have come together, or after `flush`.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._rows: list[dict[str, Any]] = []
        self._parts = 0
        with kept_by_disk(self._folder):
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
        with kept_by_disk(self._folder):
            try:
                with partial.open("wb") as file:
                    pq.write_table(table_of(self._rows, _RECORDS), file, compression="zstd", use_dictionary=False)
                    sync(file)
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
    with kept_by_disk(folder):
        shutil.rmtree(old, ignore_errors=True)
    writer = RecordWriter(new)
    try:
        yield writer
        writer.close()
        with kept_by_disk(folder):
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
                for batch in file.iter_batches(batch_size=_READ_ROWS):
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
