"""The command that evolves instructions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llmsynth.cli.make import Out, Overrides, Quiet, Update, _make, _model


def evol_instruct(
    seeds: Annotated[
        str,
        typer.Option(help="Tasks to evolve: JSONL, JSON, CSV, Parquet or a datasets folder. [builtin: 184 of our own]"),
    ] = "builtin",
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="pocket (offline teacher), a model served by --base-url, a folder or Hub name as transformers:NAME,"
            " or openai:NAME.",
        ),
    ] = "pocket",
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
    ] = "",
    api_key_env: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable that holds the key. [OPENAI_API_KEY]")
    ] = "",
    pack: Annotated[str, typer.Option(help="general, code or math: which operators there are.")] = "general",
    rounds: Annotated[int, typer.Option(min=1, help="How often each task is evolved.")] = 4,
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=1, help="Kept records to make, seeds included. [all rounds]")
    ] = None,
    breadth: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of rewritings into another task. [as much as each other operator]"),
    ] = None,
    include_seeds: Annotated[
        bool, typer.Option("--seeds-too/--no-seeds", help="Whether the seeds are records of the result too.")
    ] = True,
    name: Annotated[str, typer.Option(help="What the dataset is called.")] = "evol-instruct",
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
    prompts: Annotated[str, typer.Option(metavar="DIR", help="A folder of your own prompt files.")] = "",
    license: Annotated[str, typer.Option(help="Licence of the result, for the card, such as cc-by-4.0.")] = "",
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight at most.")] = 256,
    out: Out = None,
    set_: Overrides = [],  # noqa: B006
    print_recipe: Annotated[bool, typer.Option("--print-recipe", help="Print the recipe and stop.")] = False,
    update: Update = False,
    quiet: Quiet = False,
) -> None:
    """Make tasks harder and rarer, round by round, and answer them: Evol-Instruct (Xu et al., 2024).

    `llmsynth evol-instruct -m Qwen/Qwen3-8B --base-url http://localhost:8000/v1 --seeds mine.jsonl --rounds 4`
    """
    from llmsynth.recipe import Recipe

    generator: dict[str, Any] = {"use": "evol-instruct", "seeds": seeds, "pack": pack, "rounds": rounds}
    if breadth is not None:
        generator["breadth"] = breadth
    if not include_seeds:
        generator["include_seeds"] = False
    if model == "pocket":  # so small a model seldom comes to an end by itself
        generator |= {"evolve": {"max_tokens": 256}, "respond": {"max_tokens": 256}}
    data: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "generator": generator,
        "models": {"default": {**_model(model, base_url, api_key_env), "concurrency": concurrency}},
    }
    if n is not None:
        data["target"] = n
    if prompts:
        data["prompts"] = prompts
    if license:
        data["license"] = license
    recipe = Recipe.from_data(data, set_, "the options")
    if print_recipe:
        print(recipe.to_yaml(), end="")
        return
    _make(recipe, out, update, quiet)
