"""The command line. Data goes to stdout, everything else to stderr.

Exit codes: 0 done; 1 an error that is explained; 2 wrong usage; 3 finished, but short of the target or
with failed rows; 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import llmsynth
from llmsynth.cli import console, curate, evol, export, glan, look, make, operate, prompts, push, rate, report
from llmsynth.errors import LlmsynthError

app = typer.Typer(
    name="llmsynth",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Make text and instruction-tuning data with language models.\n\n"
        "Try it offline:  `llmsynth run demo`\n\n"
        "With your own model:  `llmsynth self-instruct --model NAME --base-url http://localhost:8000/v1 -n 1000`\n\n"
        "Killed or interrupted? The same command again goes on, and asks for nothing twice."
    ),
)
app.command("run")(make.run)
app.command("self-instruct")(make.self_instruct)
app.command("evol-instruct")(evol.evol_instruct)
app.command("glan")(glan.glan)
app.command("curate")(curate.curate)
app.command("export")(export.export)
app.command("preview")(make.preview)
app.command("validate")(make.validate)
app.command("estimate")(make.estimate)
app.command("check")(operate.check)
app.command("retry")(operate.retry)
app.command("status")(look.status)
app.command("show")(look.show)
app.command("report")(report.report)
app.command("compare")(report.compare)
app.command("rate")(rate.rate)
app.command("push")(push.push)
app.add_typer(prompts.app, name="prompts")
app.add_typer(glan.app, name="taxonomy")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(llmsynth.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")] = False,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s")


def main() -> None:
    """The `llmsynth` command: everything a user can put right ends in `error:` and `hint:`, not in a traceback."""
    try:
        app()
    except LlmsynthError as error:
        console.tell(error)
        sys.exit(1)
