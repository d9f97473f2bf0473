"""The command that evolves instructions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llmsynth.cli.make import (
    ApiKeyEnv,
    BaseUrl,
    Concurrency,
    License,
    ModelOption,
    Name,
    Out,
    Overrides,
    Page,
    PrintRecipe,
    PromptFolder,
    Quiet,
    Seed,
    Update,
    model_spec,
    run_options,
)


def evol_instruct(
    seeds: Annotated[
        str,
        typer.Option(
            help="Tasks to evolve: JSONL, JSON, CSV, Parquet, a datasets folder, or a taxonomy of qna.yaml files."
            " [builtin: 184 of our own]"
        ),
    ] = "builtin",
    model: ModelOption = "pocket",
    base_url: BaseUrl = "",
    api_key_env: ApiKeyEnv = "",
    pack: Annotated[
        str, typer.Option(help="Which operators there are: general, code or math; or auto, which follows one method.")
    ] = "general",
    auto_steps: Annotated[
        int,
        typer.Option(
            min=0,
            max=12,
            help="Auto Evol-Instruct: a model improves the method of the pack auto first, in so many steps at most. The"
            " run's folder `prompts` keeps it for --prompts.",
        ),
    ] = 0,
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
    name: Name = "evol-instruct",
    seed: Seed = 0,
    prompts: PromptFolder = "",
    license: License = "",
    concurrency: Concurrency = 384,
    out: Out = None,
    set_: Overrides = [],  # noqa: B006
    print_recipe: PrintRecipe = False,
    update: Update = False,
    quiet: Quiet = False,
    report: Page = True,
) -> None:
    """Make tasks harder and rarer, round by round, and answer them: Evol-Instruct (Xu et al., 2024).

    `llmsynth evol-instruct -m Qwen/Qwen3-8B --base-url http://localhost:8000/v1 --seeds mine.jsonl --rounds 4`
    """
    generator: dict[str, Any] = {"use": "evol-instruct", "seeds": seeds, "pack": pack, "rounds": rounds}
    if breadth is not None:
        generator["breadth"] = breadth
    if not include_seeds:
        generator["include_seeds"] = False
    if auto_steps:
        generator |= {"pack": "auto" if pack == "general" else pack, "auto": {"steps": auto_steps}}
    if model == "pocket":  # so small a model seldom comes to an end by itself
        generator |= {"evolve": {"max_tokens": 256}, "respond": {"max_tokens": 256}}
        if auto_steps:
            generator["auto"]["optimize"] = {"max_tokens": 256}
    data: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "generator": generator,
        "models": {"default": {**model_spec(model, base_url, api_key_env), "concurrency": concurrency}},
    }
    if n is not None:
        data["target"] = n
    data |= {"prompts": prompts} if prompts else {}
    data |= {"license": license} if license else {}
    run_options(data, set_, print_recipe, out, update, quiet, report)
