"""`licensed_rows`: rows of a dataset, with the licences that its config `full` tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmsynth.sources.licensing import PROVENANCE, licenses_in
from llmsynth.sources.rows import Row, data_files, read_rows

_FULL = "full"


def licensed_rows(path: str | Path) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """The rows of a file or folder, each with the licences that it comes under, as far as they are told.

    A dataset of llmsynth keeps provenance out of what trainers read, in a folder beside that. There a row is known by
    its id, and in the same order; where the two do not go together, what a row says itself is all there is.
    """
    beside: Iterator[dict[str, Any]] = _beside(Path(path))
    for row in read_rows(path):
        found = licenses_in(row.values)
        other = next(beside, None)
        if other is None or other["id"] != row.values.get("id"):
            beside = iter(())
        else:
            found = found or licenses_in(other)
        yield row, found


def _beside(path: Path) -> Iterator[dict[str, Any]]:
    """Ids and provenance of the rows in the config `full`."""
    if not (path / _FULL).is_dir() or not (path / "data").is_dir():
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    splits = dict.fromkeys(file.name.partition("-")[0] for _, file, _ in data_files(path))
    for file in (file for split in splits for file in sorted((path / _FULL).glob(f"{split}-*.parquet"))):
        try:
            with pq.ParquetFile(file) as table:
                columns = [name for name in ("id", *PROVENANCE) if name in table.schema_arrow.names]
                if "id" not in columns:
                    return
                for batch in table.iter_batches(batch_size=1_000, columns=columns):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError):
            return  # what cannot be read says nothing
