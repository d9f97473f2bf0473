"""What `export` writes: rows into a dataset folder or a file, and a list of those that could not go along beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from llmsynth.column_types import column_type, json_text
from llmsynth.lineage import SPLITS
from llmsynth.shards import ShardWriter, kept_by_disk, sync


@contextmanager
def rows_into(out: Path, columns: Mapping[str, str], splits: Sequence[str]) -> Iterator[Any]:
    """What takes rows; they are at `out` once all of them are there."""
    if out.suffix == ".jsonl":
        with _whole_file(out) as file:
            yield lambda row, place, split: file.write(json_text(row) + "\n")
        return
    names = {name: column_type(kind).names for name, kind in columns.items()}
    classes = {name: {label: number for number, label in enumerate(labels)} for name, labels in names.items() if labels}
    with kept_by_disk(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    writer = ShardWriter(out, columns, splits=dict.fromkeys([*SPLITS, *splits]))

    def write(row: dict[str, Any], place: str, split: str) -> None:
        for name, numbers in classes.items():
            if isinstance(row[name], str):
                row[name] = numbers[row[name]]
        writer.add(row, place, split)

    try:
        yield write
        writer.close()
    finally:
        writer.abandon()


@contextmanager
def problems_into(out: Path) -> Iterator[Any]:
    """What takes problems, for the file beside `out`; without any there is none."""
    path = problem_file(out)
    with _whole_file(path, kept_empty=False) as file:
        yield lambda row, problem: file.write(
            json.dumps({"row": row, "code": problem.code, "place": problem.place, "said": problem.said}) + "\n"
        )


def problem_file(out: Path) -> Path:
    """Where the rows that could not go along are listed."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.problems.jsonl")


@contextmanager
def _whole_file(path: Path, kept_empty: bool = True) -> Iterator[IO[str]]:
    """A file that takes the place of `path` once all is in it."""
    partial = path.with_name(f".{path.name}.partial")
    with kept_by_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("w", encoding="utf-8") as file:
                yield file
                sync(file)
            if kept_empty or partial.stat().st_size:
                partial.replace(path)
            else:
                path.unlink(missing_ok=True)
        finally:
            partial.unlink(missing_ok=True)
