"""`ShardWriter`: rows into the Parquet shards of a dataset, by config and split; `DatasetInfo` is what came of it."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.arrow import batch_of_columns
from llmsynth.column_types import ColumnType, column_type
from llmsynth.errors import RunError, StorageError
from llmsynth.text import has_lone_surrogate

SHARD_BYTES = 100_000_000  # of uncompressed Arrow data in one Parquet file
GROUP_ROWS = 1_000
GROUP_CHARACTERS = 32_000_000  # the Hub's viewer refuses row groups of more than some 286 MiB
EXAMPLE_CHARACTERS = 2_500
DEFAULT, FULL = "default", "full"  # configs: what trainers read, and the same with where rows come from
FOLDERS = {DEFAULT: "data", FULL: "full"}


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One written split of one config, counted exactly.

    columns: name to type (see `llmsynth.column_types`), in the order of the file.
    provenance: the column that tells where rows come from, in the config `full`; empty where there is none.
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
    config: str = DEFAULT


class ShardWriter:
    """Writes rows into `folder` when it is closed: the splits named, in place of what these held; nothing before.

    columns: name to type. more: further columns that only the config `full` has; there is none without them.
    splits: those that are replaced; one that gets no row has no file afterwards, as `datasets` cannot load an empty
        one.
    Types are declared, never inferred, so a column without a single value keeps its type. The same rows give the same
    bytes. Shards grow in a folder beside `folder`; memory holds one row group of each split.
    """

    def __init__(
        self,
        folder: str | Path,
        columns: Mapping[str, str],
        more: Mapping[str, str] | None = None,
        splits: Iterable[str] = ("train",),
    ) -> None:
        self._folder = Path(folder).absolute()
        self._partial = self._folder.parent / f".{self._folder.name}.partial"
        self._types = {name: column_type(kind) for name, kind in {**columns, **(more or {})}.items()}
        self._plan = [(name, kind, kind.name == "string", kind.encoded) for name, kind in self._types.items()]
        self._configs = {DEFAULT: list(columns)} | ({FULL: list(self._types)} if more else {})
        self._provenance = next(iter(more)) if more else ""
        self._splits = tuple(splits)
        self._open: dict[str, _Split] = {}
        with kept_by_disk(self._folder):
            shutil.rmtree(self._partial, ignore_errors=True)
            for config in self._configs:
                (self._partial / FOLDERS[config]).mkdir(parents=True)

    def add(self, values: Mapping[str, Any], row_id: str, split: str) -> None:
        """Take a row; what it lacks is null. Raises `RunError`, naming `row_id`, for a value its column cannot hold."""
        row: list[Any] = []  # in the order of the columns
        length = 0
        for name, kind, is_text, encoded in self._plan:
            value = values.get(name)
            if is_text and type(value) is str:
                length += len(value)
            elif value is not None:
                if (problem := kind.problem(value)) is not None:
                    raise unfit(row_id, name, problem)
                if encoded:
                    value = kind.stored(value)
                # turns by themselves, as they are in most datasets and this is a run's hottest loop but one
                length += sum([len(t["content"]) + 9 for t in value]) if kind.name == "messages" else _length(value)
            row.append(value)
        place = self._open.get(split)
        if place is None:
            place = self._open[split] = _Split(self._partial, split, self._configs, self._types)
        if place.add(row, length, length - len(row[-1]) if self._provenance else length):
            with kept_by_disk(self._folder):
                place.write_group()

    def close(self) -> tuple[DatasetInfo, ...]:
        """Complete the shards and move them in. What was written, the splits of `default` first."""
        known = (*self._splits, *(split for split in self._open if split not in self._splits))
        with kept_by_disk(self._folder):
            infos = [self._close(config, split) for config in self._configs for split in known]
            self._move_in(known)
        self.abandon()
        return tuple(infos)

    def abandon(self) -> None:
        """Let go of everything that is not complete; nothing after `close`."""
        for split in self._open.values():
            split.abandon()
        shutil.rmtree(self._partial, ignore_errors=True)

    def _close(self, config: str, split: str) -> DatasetInfo:
        kinds = {name: self._types[name].name for name in self._configs[config]}
        provenance = self._provenance if config == FULL else ""
        if (found := self._open.get(split)) is None:
            return DatasetInfo(split, kinds, provenance, 0, 0, 0, (), {}, config)
        shards = found.complete()[config]
        names = shards.named()
        size = sum((self._partial / name).stat().st_size for name in names)
        row = found.example
        example = {name: self._types[name].decoded(row[name]) for name in kinds}
        return DatasetInfo(split, kinds, provenance, found.rows, shards.num_bytes, size, names, example, config)

    def _move_in(self, splits: Iterable[str]) -> None:
        """Swap the new folders in; the files of other splits stay."""
        self._folder.mkdir(exist_ok=True)
        begins = tuple(f"{split}-" for split in splits)
        for config, name in FOLDERS.items():
            new, old = self._partial / name, self._folder / name
            if old.exists():
                aside = old.rename(self._partial / f"old-{name}")
                new.mkdir(exist_ok=True)
                for file in aside.iterdir():
                    if not file.name.startswith(begins):
                        file.rename(new / file.name)
            if new.exists() and (config == DEFAULT or any(new.iterdir())):
                new.rename(old)


class _Split:
    """The rows of one split: a row group in memory, made into Arrow data once and written for each config."""

    def __init__(
        self, folder: Path, split: str, configs: Mapping[str, list[str]], types: Mapping[str, ColumnType]
    ) -> None:
        self._schema = _schema(types)
        self._shards = {
            config: _Shards(folder, FOLDERS[config], split, _schema({name: types[name] for name in names}))
            for config, names in configs.items()
        }
        self._group: list[list[Any]] = []
        self._characters = 0
        self._shortest: float = math.inf
        self._example: list[Any] = []
        self.rows = 0

    @property
    def example(self) -> dict[str, Any]:
        """The row to be shown, as Arrow has it."""
        return dict(zip(self._schema.names, self._example, strict=True))

    def add(self, row: list[Any], length: int, shown: int) -> bool:
        """Take a row of `length` characters, of which the config `default` shows some; whether it ends a row group."""
        if shown < self._shortest > EXAMPLE_CHARACTERS:
            self._shortest, self._example = shown, row
        self._group.append(row)
        self._characters += length
        return len(self._group) == GROUP_ROWS or self._characters >= GROUP_CHARACTERS

    def complete(self) -> dict[str, _Shards]:
        """The shards of each config, all rows in them."""
        if self._group:
            self.write_group()
        for shards in self._shards.values():
            shards.end_shard()
        return self._shards

    def abandon(self) -> None:
        for shards in self._shards.values():
            shards.abandon()

    def write_group(self) -> None:
        try:
            batch = batch_of_columns(zip(*self._group, strict=True), self._schema)
        except UnicodeEncodeError as error:
            rows = [dict(zip(self._schema.names, row, strict=True)) for row in self._group]
            raise _broken_text(rows) from error
        for shards in self._shards.values():
            shards.write(batch)
        self.rows += batch.num_rows
        self._group, self._characters = [], 0


class _Shards:
    """Row groups into Parquet files of bounded size."""

    def __init__(self, partial: Path, folder: str, split: str, schema: Any) -> None:
        self._partial, self._name, self._split = partial, folder, split
        self._schema = schema
        self._file: Any = None
        self._writer: Any = None
        self._shard_bytes = 0
        self._shards = 0
        self.num_bytes = 0

    def write(self, batch: Any) -> None:
        """Write those columns of a batch that the schema has, as a row group."""
        if self._writer is None:
            self._file = self._path(self._shards).open("wb")
            self._writer = pq.ParquetWriter(
                self._file, self._schema, compression="zstd", use_dictionary=False, write_page_index=True
            )
            self._shards += 1
        own = pa.RecordBatch.from_arrays([batch.column(name) for name in self._schema.names], schema=self._schema)
        self._writer.write_batch(own, row_group_size=own.num_rows)
        self.num_bytes += own.nbytes
        self._shard_bytes += own.nbytes
        if self._shard_bytes >= SHARD_BYTES:
            self.end_shard()

    def end_shard(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        sync(self._file)
        self._file.close()
        self._file = self._writer = None
        self._shard_bytes = 0

    def named(self) -> tuple[str, ...]:
        """The shards, now that all are there, under names that tell how many there are."""
        names = tuple(
            f"{self._name}/{self._split}-{index:05d}-of-{self._shards:05d}.parquet" for index in range(self._shards)
        )
        for index, name in enumerate(names):
            self._path(index).rename(self._partial / name)
        return names

    def abandon(self) -> None:
        """Let go of a shard that an error left unfinished."""
        if self._writer:
            self._writer.is_open = False  # or its finaliser would write a footer into the closed file
            with suppress(OSError):  # a full disk refuses the last buffer too, and has been reported
                self._file.close()

    def _path(self, index: int) -> Path:
        return self._partial / self._name / f"{self._split}.{index}"


def unfit(record_id: str, column: str, problem: str) -> RunError:
    """The error for a value that its column cannot hold."""
    return RunError(
        f"record {record_id.encode('utf-8', 'backslashreplace').decode()}: {column} {problem}",
        "A dataset cannot hold it: let a step drop or mend such records before the dataset is written.",
    )


@contextmanager
def kept_by_disk(place: Path) -> Iterator[None]:
    """A refusal of the disk as a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{place} cannot be written: {error.strerror or error}",
            "Make room or mend the permissions there, then run the same command again: what was made is not lost.",
        ) from error


def sync(file: Any) -> None:
    """Put a file's content on the disk for good. A rename is safe against a power cut only after the content is."""
    file.flush()
    os.fsync(file.fileno())


def _schema(types: Mapping[str, ColumnType]) -> Any:
    """The Arrow schema, with the note from which `datasets` takes its features."""
    features = {name: kind.feature for name, kind in types.items()}
    note = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema([(name, kind.arrow) for name, kind in types.items()], metadata={"huggingface": note})


def _broken_text(rows: list[dict[str, Any]]) -> RunError:
    """The error for the first of the rows that Arrow could not encode."""
    for number, row in enumerate(rows):
        for name, value in row.items():
            if has_lone_surrogate(value):
                return unfit(str(row.get("id") or f"row {number}"), name, "holds half a character (a lone surrogate)")
    raise AssertionError("a group of rows that cannot be encoded has one that cannot")


def _length(value: Any) -> int:
    """Characters, about."""
    if type(value) is str:
        return len(value)
    if type(value) is list:
        return sum([_length(inner) for inner in value])
    if type(value) is dict:
        return sum([len(inner) if type(inner) is str else _length(inner) for inner in value.values()])
    return 8
