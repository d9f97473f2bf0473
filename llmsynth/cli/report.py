"""The commands that make a page of a run, or of two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmsynth.cli import console
from llmsynth.cli.look import RunArgument
from llmsynth.errors import StorageError

if TYPE_CHECKING:
    from llmsynth.report import ReportInfo
    from llmsynth.synthesis import Result


def report(
    run: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write it; RUN/report.html if not given."),
    ] = None,
) -> None:
    """Write the page of a finished run: funnel, scores, lengths, a map, duplicates, cost, and every row with the exact
    prompts and raw replies it was made of.

    One file, to be opened by a browser: it fetches nothing.
    """
    from llmsynth.report import write_report

    _tell(write_report(run, out))


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of another.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it.")] = Path("compare.html"),
) -> None:
    """Write a page that shows two finished runs side by side: counts, variety, scores, recipes, and both on one map."""
    from llmsynth.report import write_report

    _tell(write_report([first, second], out))


def at_the_end(result: Result) -> None:
    """The page of a run that has just ended, where it is made in seconds. What was made counts, should that fail."""
    from llmsynth.report import AT_ONCE, FILE, write_report

    path = result.directory / FILE
    rows: Any = result.report["rows"]["in"]
    try:
        if not result.before and rows <= AT_ONCE:
            write_report(result.directory)
    except StorageError as error:
        console.say(f"no {FILE}: {error.message}")
        return
    made = path.is_file() and path.stat().st_mtime >= (result.directory / "report.json").stat().st_mtime
    console.say(f"to look at: {path}" if made else f"`llmsynth report {result.directory}` makes a page to look at")


def _tell(made: ReportInfo) -> None:
    if not made.complete:
        console.say(
            f"it holds {made.rows:,} of {made.all_rows:,} rows, and {made.answers:,} of {made.all_answers:,} prompts"
            f" and replies behind them, as it would be too large; the page says where the others are"
        )
    print(made.path)
