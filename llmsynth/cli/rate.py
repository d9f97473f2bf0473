"""The command by which people rate rows, blind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmsynth.cli import console
from llmsynth.errors import RunError

if TYPE_CHECKING:
    from llmsynth.rating import Server, Source, Study
    from llmsynth.rating.items import Chosen


def rate(
    source: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run; or JSONL, CSV, Parquet, a datasets folder, with --out.")
    ],
    against: Annotated[
        Path | None,
        typer.Option(metavar="DATASET", help="Show pairs: a row of RUN and one of this run, folder or file."),
    ] = None,
    pairs: Annotated[
        Literal["auto", "same", "random"],
        typer.Option(help="Pair rows with the same question, or at random; auto: the same, if there are any."),
    ] = "auto",
    rater: Annotated[str, typer.Option(metavar="NAME", help="Who rates. [asked on the page, for any number]")] = "",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Rows, or pairs, to rate.")] = 100,
    criteria: Annotated[
        str, typer.Option(metavar="FILE", help="A rubric: a YAML file, or answer, instruction or grounded.")
    ] = "answer",
    on: Annotated[
        str, typer.Option(metavar="COLUMNS", help="What is shown, the answer last, such as question,answer.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of what is drawn, and of every rater's order.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The folder that gets ratings/. [RUN]")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine. [0: any that is free]")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Tell what the ratings come to, and serve nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Let people rate rows by a rubric, or choose between two, without knowing where they come from.

    It serves a page to this machine alone, and keeps every rating in ratings/ of the run at once; Ctrl-C ends it with
    the report. The same command goes on where a rater stopped. All raters see the same rows, each in another order.

    `llmsynth rate runs/mine -n 50`

    `llmsynth rate runs/mine --against runs/other`

    `llmsynth rate runs/mine --report`
    """
    from llmsynth.rating import Server, Source

    columns = tuple(name.strip() for name in on.split(",") if name.strip())
    run = Source(source, columns)
    home = out or (source if run.is_run else None)
    if home is None:
        if not source.exists():
            raise RunError(f"{source} does not exist", "name a run, a dataset's folder or a file of rows")
        raise RunError(f"{source} is no run: where should ratings be kept?", "name a folder for them: --out DIR")
    if report:
        _tell(home, json)
        return
    study, chosen = _choose(home, run, Source(against, columns) if against else None, criteria, n, seed, pairs)
    server = Server(home, study, chosen.items, seed=seed, rater=rater)
    asyncio.run(_serve(server, port, _opener(open_)))
    try:
        _tell(home, json)
    except RunError as error:  # nobody has rated: that is no mistake of whoever ends it
        console.say(error.message)


def _choose(
    home: Path,
    run: Source,
    against: Source | None,
    criteria: str,
    n: int,
    seed: int,
    pairs: Literal["auto", "same", "random"],
) -> tuple[Study, Chosen]:
    from llmsynth.prompts import Prompts
    from llmsynth.rating import Study, choose_pairs, choose_rows
    from llmsynth.rating.study import path_from
    from llmsynth.rubric import rubric_of

    rubric = rubric_of(criteria, Prompts())
    source = path_from(home, run.path)
    if against is None:
        chosen = choose_rows(run, n, seed)
        study = Study("rows", rubric, source, on=run.on)
    else:
        chosen = choose_pairs(run, against, n, seed, pairs)
        study = Study("pairs", rubric, source, path_from(home, against.path), chosen.pairing, run.on)
    console.say(_explained(chosen, n))
    for read in filter(None, (run, against)):
        if read.unreadable or read.empty:
            console.say(f"{read.path}: {read.unreadable} unreadable and {read.empty} empty rows are left out")
    return study, chosen


def _explained(chosen: Chosen, n: int) -> str:
    count = len(chosen.items)
    if not chosen.pairing:
        return f"{count} of {chosen.there} rows"
    if chosen.pairing == "random":
        return f"{count} pairs at random, each row with its own question"
    alike = f"; {chosen.alike} with the same answer too are left out" if chosen.alike else ""
    few = "; --pairs random compares rows with different questions" if count < n else ""
    return f"{count} of {chosen.there} pairs of answers to the same question{alike}{few}"


def _opener(wanted: bool) -> Callable[[str], object]:
    import webbrowser

    return webbrowser.open if wanted else lambda url: None


async def _serve(server: Server, port: int, opener: Callable[[str], object]) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        url = await server.start(port)
        console.say(f"rate here: {url}\nThe address is the key: whoever has it may rate. Ctrl-C ends with the report.")
        opener(url)
        await ended.wait()
    finally:
        await server.close()


def _tell(home: Path, as_json: bool) -> None:
    """Print the report, and leave it beside the ratings."""
    import orjson

    from llmsynth.rating import report, report_lines
    from llmsynth.rating.log import FOLDER

    told = report(home)
    text = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    partial = home / FOLDER / ".report.json.partial"
    try:
        partial.write_bytes(text)
        partial.replace(home / FOLDER / "report.json")
    except OSError as error:
        console.say(f"the report is not kept: {partial.parent}: {error.strerror}")
    print(text.decode() if as_json else "\n".join(report_lines(told)), end="" if as_json else "\n")
