"""The records that a finished run kept, as a source of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llmsynth.dataset import read_records
from llmsynth.errors import SourceError
from llmsynth.record import Record
from llmsynth.sources.survey import Column, Survey, survey


def is_run(path: str | Path) -> bool:
    """Whether this is the directory of a run."""
    return (Path(path) / "recipe.yaml").is_file() and (Path(path) / "records").is_dir()


def kept_records(run: str | Path) -> Iterator[Record]:
    """What the run kept, in its order, with ids, provenance and scores."""
    return (record for record in read_records(Path(run) / "records") if record.dropped is None)


def splits_of(run: str | Path) -> dict[str, Any]:
    """How the run divides its dataset, as its recipe says it."""
    recipe = yaml.safe_load((Path(run) / "recipe.yaml").read_text(encoding="utf-8"))
    return dict(recipe.get("splits") or {})


def survey_run(run: str | Path) -> Survey:
    """What `kept_records` gives: the columns of the run's dataset that are fields of its records.

    Raises `SourceError` for a run that is not finished, or kept nothing.
    """
    run = Path(run)
    if not (run / "report.json").is_file():
        raise SourceError(f"{run} is a run that has not finished", "Give the command that began it once more.")
    first = next(kept_records(run), None)
    if first is None:
        raise SourceError(f"{run} is a run that kept nothing", f"`llmsynth status {run}` says why.")
    found = survey(run / "dataset")
    columns: dict[str, Column] = {name: column for name, column in found.columns.items() if name in first.fields}
    return Survey(columns, found.rows, found.unreadable, found.problems, found.digest)
