"""The commands on prompt files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from llmsynth.cli import console
from llmsynth.errors import PromptError

app = typer.Typer(no_args_is_help=True, help="List, show and copy the prompt files, to edit and use with --prompts.")


@app.command("ls")
def ls() -> None:
    """List the prompt files."""
    from llmsynth.prompts import shipped_names

    print("\n".join(shipped_names()))


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="A name as `ls` prints it.")]) -> None:
    """Print one prompt file."""
    from llmsynth.prompts import shipped_folder, shipped_names

    if name not in shipped_names():
        raise PromptError(f"there is no prompt {name!r}", "`llmsynth prompts ls` lists the names")
    print((shipped_folder() / name).read_text(encoding="utf-8"), end="")


@app.command("copy")
def copy(folder: Annotated[Path, typer.Argument(help="A new folder for the copies.")]) -> None:
    """Copy all prompt files into a folder, to edit; use them with --prompts or the recipe's `prompts`."""
    from llmsynth.prompts import shipped_folder

    if folder.exists():
        raise PromptError(f"{folder} exists already", "name a new folder, so that nothing of yours is overwritten")
    shutil.copytree(shipped_folder(), folder)
    console.say(
        f"edit the files in {folder}, and delete those you leave as they are; in whatever language, keep the marks by"
        " which replies are read, such as Input:, Output:, Class label:, Yes and Not Equal"
    )
    print(folder)
