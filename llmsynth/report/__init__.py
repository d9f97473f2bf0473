"""A run as one page to look at: `write_report`.

survey      a first pass over the records: counts of all of them, and which rows the page holds
gathered    a second pass: those rows as lines, their vectors, labels and duplicates
answers     the prompts and replies behind them, out of the journal
people      what those who rated the run came to
projection  the nearest rows of each, and their map
page        the file: markup, styles and scripts of `llmsynth/data/report/`, and the data as blobs
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmsynth.errors import RunError, StorageError

FILE = "report.html"  # in the directory of a run
MOST_ROWS = 50_000
MOST_BYTES = 24_500_000
AT_ONCE = 5_000  # rows up to which a run writes its page as it ends: three seconds


@dataclass(frozen=True, slots=True)
class ReportInfo:
    """What a page holds. rows, answers: those in it; all_rows, all_answers: those there are, answers to its rows."""

    path: Path
    size: int
    rows: int
    all_rows: int
    answers: int
    all_answers: int

    @property
    def complete(self) -> bool:
        return self.rows == self.all_rows and self.answers == self.all_answers


def write_report(
    runs: str | Path | Sequence[str | Path],
    path: str | Path | None = None,
    *,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
) -> ReportInfo:
    """Write the page of a finished run, or of several side by side, to `path`, else to report.html in the first.

    One file that needs no network and no server. Where it would hold more than `most_rows` rows or be larger than
    `most_bytes`, it holds fewer rows, drawn by their ids and some of every reason, or fewer prompts and replies, and
    says how many there are; what is counted is counted of all. Memory: some 400 MB and 100 bytes for each row of the
    runs. Raises `RunError` for what is no finished run and `StorageError` for a disk that refuses.
    """
    from llmsynth.report.page import compose

    directories = [Path(run) for run in ([runs] if isinstance(runs, str | Path) else runs)]
    opened = [_opened(directory) for directory in directories]
    path = Path(path) if path is not None else directories[0] / FILE
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aim = most_bytes
        while True:
            with open(partial, "wb") as file:
                found = compose(file, opened, most_rows, aim)
            size = partial.stat().st_size
            if size <= most_bytes or not found[0]:
                break
            aim = int(aim * 0.98 * most_bytes / size)  # rows that are not like those it was estimated by
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}", "make room, or name another file with --out"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return ReportInfo(path, path.stat().st_size, *found)


def _opened(directory: Path) -> Any:
    from llmsynth.report.page import OpenedRun

    for name in ("recipe.yaml", "report.json", "records"):
        if not (directory / name).exists():
            if name == "report.json" and (directory / "recipe.yaml").is_file():
                raise RunError(
                    f"{directory} is not finished: there is no report.json in it",
                    "the command that began it goes on from where it stopped; `llmsynth status` tells how far it is",
                )
            raise RunError(f"{directory} is no run: there is no {name} in it", "name the directory given to --out")
    return OpenedRun.of(directory)
