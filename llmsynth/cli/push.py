"""The command that publishes: push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmsynth.cli import console


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run, or of a dataset made here.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the Hub; a name alone is your own.")],
    public: Annotated[bool, typer.Option("--public", help="Visible to everybody; private when not given.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List every file and what would become of it; send nothing.")
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Add the rows to those that are there.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Put them in place of those there; what people wrote in the card stays.")
    ] = False,
    pr: Annotated[bool, typer.Option("--pr", help="Propose the change as a pull request.")] = False,
    revision: Annotated[str, typer.Option(metavar="BRANCH", help="The branch.")] = "main",
    message: Annotated[str, typer.Option("--message", "-m", help="The title of the commit.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell nothing while sending.")] = False,
) -> None:
    """Publish the dataset of a run on the Hugging Face Hub: data, card and recipe in one commit.

    Killed or interrupted? The same command again sends only what is missing. The token is that of `hf auth login`, or
    HF_TOKEN.
    """
    from llmsynth.publish import Target, look_ahead, publish

    target = Target(repo, public, append, overwrite, pr, revision, message)
    tell = (lambda text: None) if quiet else console.say
    if dry_run:
        from llmsynth.publish.hub import in_words

        name, remote, plan = look_ahead(run, target, tell)
        state = "to be made" if remote is None else "there already"
        visible = "public" if public or (remote and not remote.private) else "private"
        print(f"{name}: {visible}, {state}")
        for line in plan.lines():
            print(line)
        for note in plan.notes:
            console.say(note)
        count = len(plan.send) + len(plan.texts)
        print(f"would send {count} file{'' if count == 1 else 's'}, {in_words(plan.size)}, in one commit; sent nothing")
        return
    try:
        done = publish(run, target, tell)
    except KeyboardInterrupt:
        console.say("interrupted: nobody sees a part of it; the same command sends only what is missing")
        raise typer.Exit(130) from None
    if not done.address:
        console.say(f"{done.repo} holds all of it already: nothing was sent")
    print(done.address or f"nothing to change in {done.repo}")
