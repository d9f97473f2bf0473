"""The command that turns data into what a trainer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmsynth.cli import console
from llmsynth.errors import RecipeError

if TYPE_CHECKING:
    from llmsynth.export import Source

FormatName = Literal["messages", "prompt-completion", "alpaca", "sharegpt", "preference", "kto", "text-classification"]


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|DATASET", help="A run, a datasets folder, JSONL, JSON, CSV, TSV or Parquet.")
    ],
    format: Annotated[
        FormatName | None, typer.Option("--format", "-f", help="The format to write.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="A folder for `load_dataset`, or a .jsonl file.")
    ] = None,
    from_: Annotated[
        FormatName | None,
        typer.Option("--from", help="The format to read. [what the columns tell]", show_default=False),
    ] = None,
    lint: Annotated[bool, typer.Option("--lint", help="Only list what is wrong; nothing is written.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Prompts and answers as texts, not as conversations.")] = False,
    inline_reasoning: Annotated[
        bool,
        typer.Option("--inline-reasoning", help="Reasoning in the answers, as think tags; else it is apart."),
    ] = False,
    without: Annotated[
        str, typer.Option(metavar="PARTS", help="Leave out what a format has no place for: system,reasoning,tools.")
    ] = "",
    keep: Annotated[str, typer.Option(metavar="COLUMNS", help="Columns that come along, such as id.")] = "",
    rename: Annotated[
        list[str], typer.Option(metavar="OLD=NEW", help="Read a column as another, such as question=prompt.")
    ] = [],  # noqa: B006
    split: Annotated[str, typer.Option(metavar="NAME", help="Only this split. [all, each as one]")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at OUT.")] = False,
) -> None:
    """Write a run, or anybody's data, in the format that a trainer reads.

    `llmsynth export runs/mine --format messages -o sft` and then `load_dataset("sft")`

    `llmsynth export runs/mine --format alpaca -o alpaca.jsonl`

    `llmsynth export alpaca.jsonl --format messages -o chat`  (and back)

    `llmsynth export answers.csv --rename question=prompt --rename answer=completion -f messages -o chat`

    `llmsynth export data.jsonl --lint`

    **Formats.** messages: conversations with system turns, tools and reasoning. prompt-completion. alpaca: instruction,
    input, output. sharegpt: from and value. preference: prompt, chosen, rejected. kto: prompt, completion, label.
    text-classification: text, label. A preference can become kto or, by its better answer, any of the others.

    Rows that a trainer would fail on (no answer at the end, roles that do not alternate, nothing said, chosen as
    rejected, ...) or that the format has no place for are not written, but counted and listed in OUT.problems.jsonl;
    then the exit code is 3.
    """
    from llmsynth.export import Source

    given = Source(source, from_ or "", format or "", _renamed(rename), split)
    if lint:
        _lint(given)
        return
    if format is None or out is None:
        raise typer.BadParameter("name both --format and --out, or --lint", param_hint="--format")
    _export(given, format, out, plain, inline_reasoning, _names(without), _names(keep), overwrite)


def _export(
    source: Source,
    format: str,
    out: Path,
    plain: bool,
    inline: bool,
    without: tuple[str, ...],
    keep: tuple[str, ...],
    overwrite: bool,
) -> None:
    from llmsynth.export import export
    from llmsynth.exported import problem_file
    from llmsynth.formats import PARTS, Style

    if wrong := [part for part in without if part not in PARTS]:
        raise RecipeError(f"--without {wrong[0]}: there is no such part", f"the parts are {', '.join(PARTS)}")
    found = export(source, format, out, Style(plain, inline, without), keep, overwrite)
    told = ", ".join(f"{count:,} {split}" for split, count in found.written.items())
    console.say(f"{source.path}: read as {source.format.name}, {found.read:,} rows; written as {format}: {told}")
    left = [name for name in found.columns if name not in source.format.own and name not in keep]
    if left:
        console.say(f"left out: {', '.join(left)}  (--keep {left[0]} takes one along)")
    _tell("lost, as the format has no place for it", found.lost)
    _tell("mended", found.mended)
    if found.refused:
        _tell(f"not written: {found.refused:,} rows, listed in {problem_file(out)}", found.codes)
    print(out)
    if found.refused:
        raise typer.Exit(3)


def _lint(source: Source) -> None:
    from llmsynth.export import Findings
    from llmsynth.export import lint as look

    found = Findings()
    for item in look(source):
        if isinstance(item, Findings):
            found = item
        else:
            print(f"{item.row}\t{item.problem.code}\t{item.problem.place}\t{item.problem.said}")
    console.say(f"{source.path}: read as {source.format.name}, {found.read:,} rows, {found.refused:,} with problems")
    _tell("rows by problem", found.codes)
    if found.refused:
        raise typer.Exit(3)


def _tell(what: str, counts: Counter[str]) -> None:
    if counts:
        console.say(f"{what}: {', '.join(f'{name} {count:,}' for name, count in counts.most_common())}")


def _renamed(settings: Iterable[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for setting in settings:
        old, equals, new = setting.partition("=")
        if not (old and equals and new):
            raise RecipeError(f"--rename {setting!r} cannot be used", "write OLD=NEW, such as question=prompt")
        renamed[old] = new
    return renamed


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
