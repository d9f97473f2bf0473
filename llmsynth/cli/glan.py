"""The commands of GLAN: glan, and those on taxonomies."""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from llmsynth.cli import console, make
from llmsynth.errors import RecipeError, SourceError

if TYPE_CHECKING:
    from llmsynth.recipe import Recipe
    from llmsynth.run import Run

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True, help="Check, list, copy, draft, vote on and prune the taxonomies that `glan` starts from."
)

Source = Annotated[str, typer.Argument(metavar="TAXONOMY", help="A file, or a shipped one by name, such as glan.")]
ModelOfMany = Annotated[str, typer.Option("--model", "-m", help="As for `glan`.")]
Server = Annotated[str, typer.Option(metavar="URL", help="An OpenAI-compatible server.")]
KeyName = Annotated[str, typer.Option(metavar="NAME", help="The variable that holds the key.")]


def glan(
    taxonomy: Annotated[str, typer.Option(help="A taxonomy file, or a shipped one by name.")] = "glan",
    select: Annotated[
        list[str], typer.Option(metavar="NAME", help="Only this field or discipline of it. May be repeated.")
    ] = [],  # noqa: B006
    model: make.ModelOption = "",
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
    concurrency: make.Concurrency = 384,
    out: make.Out = None,
    set_: make.Overrides = [],  # noqa: B006
    print_recipe: make.PrintRecipe = False,
    update: make.Update = False,
    quiet: make.Quiet = False,
    report: make.Page = True,
) -> None:
    """Make questions and answers from a taxonomy of human knowledge, without seeds: GLAN (Li et al., 2024).

    `llmsynth glan -m Qwen/Qwen3-8B --base-url http://localhost:8000/v1 --select Physics -n 1000`
    """
    if not model and not print_recipe and not any(given.startswith("models") for given in set_):
        raise RecipeError(
            "no model is named",
            "--model NAME: one that knows the world; pocket has learnt Self-Instruct's prompts alone",
        )
    models = {"default": {**make.model_spec(model or "pocket", base_url, api_key_env), "concurrency": concurrency}}
    if answer_model:
        models["answers"] = {**make.model_spec(answer_model, base_url, api_key_env), "concurrency": concurrency}
    generator: dict[str, Any] = {"use": "glan", "taxonomy": taxonomy, "queries": queries}
    generator |= {"select": select} if select else {}
    generator |= {"held_out": held_out} if held_out else {}
    generator |= {"decontaminate": decontaminate} if decontaminate else {}
    data: dict[str, Any] = {"name": name, "seed": seed, "target": n, "generator": generator, "models": models}
    data |= {"prompts": prompts} if prompts else {}
    data |= {"license": license} if license else {}
    make.run_options(data, set_, print_recipe, out, update, quiet, report)


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
        _ballot(sys.stdout, ((path, "") for path, _ in loaded.nodes()))
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
    """Leave out what the majority votes to drop, and all below it.

    `ls --ballot` prints a ballot for a person, `vote` has a model fill one in.
    """
    from llmsynth.generators.glan.vote import prune as prune_by_votes
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
    model: ModelOfMany,
    base_url: Server = "",
    api_key_env: KeyName = "",
    ways: Annotated[int, typer.Option(min=1, help="Times each list is asked for, from different points of view.")] = 3,
    prompts: make.PromptFolder = "",
    set_: make.Overrides = [],  # noqa: B006
) -> None:
    """Draft a taxonomy with a model: fields, subfields, disciplines. People should prune it.

    The answers are kept in FILE.journal.jsonl; interrupted, the same command goes on from there.
    """
    from llmsynth.generators.glan.draft import draft as draft_with_model
    from llmsynth.request import Sampling

    sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=1024)
    recipe = _recipe(make.model_spec(model, base_url, api_key_env), prompts, set_)
    drafted = _ask_for(recipe, out, lambda run: draft_with_model(run, out.stem, ways, sampling))
    _refuse_failed(drafted.failed)
    _write(out, drafted.taxonomy.to_yaml())
    console.say(f"{len(drafted.taxonomy.disciplines())} disciplines; {drafted.empty} nodes brought nothing")


@app.command("vote")
def vote(
    taxonomy: Source,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new CSV file for the ballot.")],
    model: ModelOfMany,
    base_url: Server = "",
    api_key_env: KeyName = "",
    prompts: make.PromptFolder = "",
    set_: make.Overrides = [],  # noqa: B006
) -> None:
    """Have a model vote on every node: a ballot for `prune`, to look through and change. One file is one voter.

    The answers are kept in FILE.journal.jsonl; interrupted, the same command goes on from there.
    """
    from llmsynth.generators.glan.vote import DROP, Ballot
    from llmsynth.generators.glan.vote import vote as vote_with_model
    from llmsynth.request import Sampling
    from llmsynth.taxonomy import Taxonomy

    loaded = Taxonomy.load(taxonomy)
    sampling = Sampling(temperature=0.0, max_tokens=16)
    recipe = _recipe(make.model_spec(model, base_url, api_key_env), prompts, set_)
    ballot: Ballot = _ask_for(recipe, out, lambda run: vote_with_model(run, loaded, sampling))
    _refuse_failed(ballot.failed)
    text = io.StringIO()
    _ballot(text, ballot.votes)
    _write(out, text.getvalue())
    dropped = sum(said == DROP for _, said in ballot.votes)
    console.say(f"{len(ballot.votes)} nodes: {dropped} to drop, {ballot.undecided} without a vote")


def _ballot(file: TextIO, votes: Iterable[tuple[Sequence[str], str]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("path", "vote"))
    writer.writerows(("/".join(path), said) for path, said in votes)


def _recipe(model: dict[str, Any], prompts: str, overrides: list[str]) -> Recipe:
    from llmsynth.recipe import Recipe

    data: dict[str, Any] = {"generator": {"use": "glan"}, "models": {"default": model}}
    return Recipe.from_data(data | ({"prompts": prompts} if prompts else {}), overrides, "the options")


def _ask_for(recipe: Recipe, out: Path, work: Callable[[Run], Coroutine[Any, Any, T]]) -> T:
    """What a piece of work makes of a run whose journal stands beside a file that does not exist yet."""
    from llmsynth.journal import Journal
    from llmsynth.synthesis import open_run

    async def done(journal: Journal) -> T:
        run, _ = open_run(recipe, journal, {}, None)
        try:
            return await work(run)
        finally:
            await asyncio.gather(*(each.aclose() for each in run.models.values()))

    _refuse_existing(out)
    journal = Journal(out.with_name(f"{out.name}.journal.jsonl"))
    try:
        return asyncio.run(done(journal))
    finally:
        journal.close()


def _refuse_failed(count: int) -> None:
    if count:
        raise SourceError(f"{count} requests failed", "the same command again asks for those alone")


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
