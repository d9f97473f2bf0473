"""The commands of GLAN: glan, and those on taxonomies."""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llmsynth.cli import console, make
from llmsynth.errors import SourceError

app = typer.Typer(
    no_args_is_help=True, help="Check, list, copy, draft and prune the taxonomies that `glan` starts from."
)

Source = Annotated[str, typer.Argument(metavar="TAXONOMY", help="A file, or a shipped one by name, such as glan.")]


def glan(
    taxonomy: Annotated[str, typer.Option(help="A taxonomy file, or a shipped one by name.")] = "glan",
    select: Annotated[
        list[str], typer.Option(metavar="NAME", help="Only this field or discipline of it. May be repeated.")
    ] = [],  # noqa: B006
    model: make.ModelOption = "pocket",
    answer_model: Annotated[
        str,
        typer.Option(metavar="NAME", help="Another model of the same server for the answers; a cheaper one will do."),
    ] = "",
    base_url: make.BaseUrl = "",
    api_key_env: make.ApiKeyEnv = "",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Kept records to make.")] = 200,
    queries: Annotated[int, typer.Option(min=1, help="Times each discipline is asked for its subjects.")] = 10,
    held_out: Annotated[float, typer.Option(help="Share of concept combinations that is marked split: test.")] = 0.0,
    decontaminate: Annotated[
        list[str], typer.Option(metavar="FILE", help="A benchmark that must not be in the data. May be repeated.")
    ] = [],  # noqa: B006
    name: make.Name = "glan",
    seed: make.Seed = 0,
    prompts: make.PromptFolder = "",
    license: make.License = "",
    concurrency: make.Concurrency = 256,
    out: make.Out = None,
    set_: make.Overrides = [],  # noqa: B006
    print_recipe: make.PrintRecipe = False,
    update: make.Update = False,
    quiet: make.Quiet = False,
) -> None:
    """Make questions and answers from a taxonomy of human knowledge, without seeds: GLAN (Li et al., 2024).

    `llmsynth glan -m Qwen/Qwen3-8B --base-url http://localhost:8000/v1 --select Physics -n 1000`
    """
    models = {"default": {**make.model_spec(model, base_url, api_key_env), "concurrency": concurrency}}
    if answer_model:
        models["answers"] = {**make.model_spec(answer_model, base_url, api_key_env), "concurrency": concurrency}
    generator: dict[str, Any] = {"use": "glan", "taxonomy": taxonomy, "queries": queries}
    generator |= {"select": select} if select else {}
    generator |= {"held_out": held_out} if held_out else {}
    generator |= {"decontaminate": decontaminate} if decontaminate else {}
    data: dict[str, Any] = {"name": name, "seed": seed, "target": n, "generator": generator, "models": models}
    data |= {"prompts": prompts} if prompts else {}
    data |= {"license": license} if license else {}
    make.run_options(data, set_, print_recipe, out, update, quiet)


@app.command("validate")
def validate(taxonomy: Source) -> None:
    """Check a taxonomy and all it includes."""
    from llmsynth.taxonomy import Taxonomy

    loaded = Taxonomy.load(taxonomy)
    console.say(f"{taxonomy}: fine. {len(loaded.disciplines())} disciplines in {len(loaded.roots)} fields")


@app.command("ls")
def ls(
    taxonomy: Annotated[str, typer.Argument(metavar="TAXONOMY", help="Its disciplines are listed.")] = "",
    ballot: Annotated[
        bool, typer.Option("--ballot", help="Every node as CSV with an empty `vote` column, to fill in for `prune`.")
    ] = False,
) -> None:
    """List the shipped taxonomies, or the disciplines of one, each with its path."""
    from llmsynth.taxonomy import Taxonomy, shipped_names

    if not taxonomy:
        print("\n".join(shipped_names()))
        return
    loaded = Taxonomy.load(taxonomy)
    if ballot:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("path", "vote"))
        writer.writerows(("/".join(path), "") for path, _ in loaded.nodes())
        return
    print("\n".join("/".join(path) for path in loaded.disciplines()))


@app.command("copy")
def copy(taxonomy: Source, file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Write a taxonomy, with all it includes, into one file, to edit and use with --taxonomy."""
    from llmsynth.taxonomy import Taxonomy

    _write(file, Taxonomy.load(taxonomy).to_yaml())


@app.command("prune")
def prune(
    taxonomy: Source,
    ballots: Annotated[list[Path], typer.Argument(help="One file of votes per person or model: CSV or JSON Lines.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new file for what is left.")],
) -> None:
    """Leave out what the majority votes to drop, and all below it. `ls --ballot` prints a ballot."""
    from llmsynth.generators.glan.draft import prune as prune_by_votes
    from llmsynth.taxonomy import Taxonomy

    loaded = Taxonomy.load(taxonomy)
    pruned = prune_by_votes(loaded, ballots)
    _write(out, pruned.taxonomy.to_yaml())
    for path in pruned.voted_out:
        console.say(f"voted out: {'/'.join(path)}")
    console.say(f"{len(pruned.taxonomy.disciplines())} of {len(loaded.disciplines())} disciplines are left")


@app.command("draft")
def draft(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new file for the taxonomy.")],
    model: Annotated[str, typer.Option("--model", "-m", help="As for `glan`.")],
    base_url: Annotated[str, typer.Option(metavar="URL", help="An OpenAI-compatible server.")] = "",
    api_key_env: Annotated[str, typer.Option(metavar="NAME", help="The variable that holds the key.")] = "",
    ways: Annotated[int, typer.Option(min=1, help="Times each list is asked for, from different points of view.")] = 3,
    prompts: make.PromptFolder = "",
    set_: make.Overrides = [],  # noqa: B006
) -> None:
    """Draft a taxonomy with a model: fields, subfields, disciplines. People should prune it.

    The answers are kept in FILE.journal.jsonl; interrupted, the same command goes on from there.
    """
    from llmsynth.recipe import Recipe

    data: dict[str, Any] = {
        "generator": {"use": "glan"},
        "models": {"default": make.model_spec(model, base_url, api_key_env)},
    }
    if prompts:
        data["prompts"] = prompts
    _refuse_existing(out)
    asyncio.run(_draft(Recipe.from_data(data, set_, "the options"), out, ways))


async def _draft(recipe: Any, out: Path, ways: int) -> None:
    from llmsynth.generators.glan.draft import draft as draft_with_model
    from llmsynth.journal import Journal
    from llmsynth.request import Sampling
    from llmsynth.synthesis import open_run

    journal = Journal(out.with_name(f"{out.name}.journal.jsonl"))
    try:
        run, _ = open_run(recipe, journal, {}, None)
        try:
            sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=1024)
            drafted = await draft_with_model(run, out.stem, ways, sampling)
        finally:
            await asyncio.gather(*(each.aclose() for each in run.models.values()))
    finally:
        journal.close()
    if drafted.failed:
        raise SourceError(f"{drafted.failed} requests failed", "the same command again asks for those alone")
    _write(out, drafted.taxonomy.to_yaml())
    console.say(f"{len(drafted.taxonomy.disciplines())} disciplines; {drafted.empty} nodes brought nothing")


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise SourceError(f"{file} exists already", "name a new file, so that nothing of yours is overwritten")


def _write(file: Path, text: str) -> None:
    _refuse_existing(file)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {file}: {error.strerror}", "name a file where you can write") from error
    print(file)
