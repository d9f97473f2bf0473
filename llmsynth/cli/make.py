"""The commands that make data: run, self-instruct, preview, validate."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llmsynth.cli import console
from llmsynth.cli.funnel import THIN, funnel_table, is_thin
from llmsynth.errors import BudgetError, RecipeError, SourceError
from llmsynth.prices import dollars

if TYPE_CHECKING:
    from llmsynth.recipe import Recipe
    from llmsynth.synthesis import Result, Watcher

RecipeArgument = Annotated[
    str, typer.Argument(help="A recipe file (YAML), or the name of a built-in one, such as demo.")
]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, such as generator.new=4.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where the run lives; runs/NAME when not given.")
]
Update = Annotated[
    bool,
    typer.Option(
        "--update", help="Go on in a directory that another recipe, or other seeds, began; its answers are used again."
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="pocket (offline teacher), a model served by --base-url, a folder or Hub name as transformers:NAME"
        " or vllm:NAME, or openai:NAME.",
    ),
]
BaseUrl = Annotated[
    str, typer.Option(metavar="URL", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
]
ApiKeyEnv = Annotated[
    str, typer.Option(metavar="NAME", help="The environment variable that holds the key. [OPENAI_API_KEY]")
]
Name = Annotated[str, typer.Option(help="What the dataset is called.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.")]
PromptFolder = Annotated[str, typer.Option(metavar="DIR", help="A folder of your own prompt files.")]
License = Annotated[str, typer.Option(help="Licence of the result, for the card, such as cc-by-4.0.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests in flight at most.")]
PrintRecipe = Annotated[bool, typer.Option("--print-recipe", help="Print the recipe and stop.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")]
Page = Annotated[
    bool,
    typer.Option("--report/--no-report", help="Write report.html, a page to look at, where that takes seconds only."),
]


def run(
    recipe: RecipeArgument,
    out: Out = None,
    set_: Overrides = [],  # noqa: B006
    update: Update = False,
    quiet: Quiet = False,
    report: Page = True,
    min_yield: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit with 3 when a smaller share of the rows survives.")
    ] = 0.0,
) -> None:
    """Make the dataset that a recipe describes.

    Interrupted or killed, the same command goes on where it stopped and asks for nothing twice.
    """
    from llmsynth.recipe import Recipe

    make_dataset(Recipe.load(recipe, set_), out, update, quiet, min_yield, report)


def self_instruct(
    seeds: Annotated[
        str,
        typer.Option(
            help="Seed tasks: JSONL, JSON, CSV, Parquet, a datasets folder, or a taxonomy of qna.yaml files."
            " [builtin: 184 of our own]",
        ),
    ] = "builtin",
    model: ModelOption = "pocket",
    base_url: BaseUrl = "",
    api_key_env: ApiKeyEnv = "",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Kept records to make.")] = 200,
    variant: Annotated[
        Literal["self-instruct", "alpaca"], typer.Option(help="alpaca makes whole tasks in one call.")
    ] = "self-instruct",
    name: Name = "self-instruct",
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
    """Grow instruction data from seed tasks: Self-Instruct (Wang et al., 2023), or its Alpaca variant.

    `llmsynth self-instruct -m pocket -n 200` works offline; a real corpus wants a real model:

    `llmsynth self-instruct -m Qwen/Qwen3-8B --base-url http://localhost:8000/v1 --seeds mine.jsonl -n 5000`
    """
    data: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "target": n,
        "generator": {"use": variant, "seeds": seeds},
        "models": {"default": {**model_spec(model, base_url, api_key_env), "concurrency": concurrency}},
    }
    data |= {"prompts": prompts} if prompts else {}
    data |= {"license": license} if license else {}
    run_options(data, set_, print_recipe, out, update, quiet, report)


def preview(
    recipe: RecipeArgument,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Kept records to make.")] = 5,
    out: Out = None,
    set_: Overrides = [],  # noqa: B006
) -> None:
    """Make a few records and show them: each prompt as it was sent, the raw reply, and the rows it led to.

    With --out, `run` with the same recipe and --out uses the answers again. Where `caps.requests` says nothing, it asks
    300 times, and 50 for each record, at most: a model that makes nothing of the prompts is to be seen, not paid for.
    """
    from llmsynth.cli.look import print_trail
    from llmsynth.dataset import read_records
    from llmsynth.recipe import Recipe
    from llmsynth.synthesis import synthesize

    loaded = Recipe.load(recipe, [*set_, f"target={n}"])
    loaded = dataclasses.replace(loaded, caps={"requests": 300 + 50 * n, **loaded.caps})
    directory = out or Path(tempfile.mkdtemp(prefix="llmsynth-preview-")) / "run"
    try:
        result = _with_progress(lambda watch: synthesize(loaded, directory, update=True, watch=watch), quiet=False)
    except BudgetError as reached:
        if (directory / "records").is_dir():
            print_trail(directory, itertools.islice(read_records(directory / "records"), 2 * n))
        hint = f"`llmsynth show {directory}` shows what was made; --set caps.requests=N lets it ask for more"
        raise BudgetError(reached.message, hint) from reached
    print_trail(directory, result.records())
    console.say(_summary(result))
    if not out and result.complete:  # else the summary names what there is to look at in it
        shutil.rmtree(directory.parent)


def validate(
    recipe: RecipeArgument,
    against: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="A benchmark file; seeds that share 13 words in a row with it are listed."),
    ] = [],  # noqa: B006
    set_: Overrides = [],  # noqa: B006
) -> None:
    """Check a recipe, its prompts and its seeds, offline: nothing is asked of any model, and no key is needed."""
    from llmsynth.endpoint import without_keys
    from llmsynth.journal import Journal
    from llmsynth.recipe import Recipe
    from llmsynth.synthesis import open_run
    from llmsynth.synthesis import validate as check

    with without_keys() as lacking, tempfile.TemporaryDirectory(prefix="llmsynth-validate-") as scratch:
        loaded = Recipe.load(recipe, set_)
        journal = Journal(Path(scratch) / "journal.jsonl")
        opened, built = open_run(loaded, journal, {}, loaded.target)
        check(opened, built)
        journal.close()
    models = ", ".join(f"{role}: {model.backend.name}" for role, model in opened.models.items())
    if isinstance(seeds := getattr(built.generator, "seeds", None), str):
        from llmsynth.sources import read_seeds

        console.say(f"seeds: {read_seeds(seeds).summary()}")
    for benchmark in against:
        _report_overlaps(built.generator, benchmark)
    method = ", then ".join(loaded.generators)
    console.say(f"{recipe}: fine. {method}, target {loaded.target or 'none'}, models {models}")
    if lacking:
        console.say(f"a run also needs a key, in {', '.join(sorted(lacking))}")


def _report_overlaps(generator: Any, benchmark: str) -> None:
    """Print each seed that a benchmark holds too: what grows from it would not test anything."""
    from llmsynth.benchmarks import texts_in
    from llmsynth.generated import Generated
    from llmsynth.overlap import find_overlaps
    from llmsynth.sources import read_seeds
    from llmsynth.sources.rows import EVERY, read_rows

    while isinstance(seeds := getattr(generator, "seeds", None), Generated):
        generator = seeds.generator
    if seeds is None:
        console.say(f"{benchmark}: nothing to look for, as this starts from no seeds")
        return
    ours = [(seed.id, text) for seed in read_seeds(seeds) for text in (seed.instruction, *seed.instances[0]) if text]
    compared = 0

    def theirs() -> Iterator[tuple[str, str]]:
        nonlocal compared
        for row in read_rows(Path(benchmark), EVERY):
            for text in texts_in(row.values):
                compared += 1
                yield row.place, text

    found = find_overlaps(ours, theirs())
    if not compared:
        raise SourceError(f"{benchmark} holds no text to compare with", "name a file with the benchmark's questions")
    for overlap in found:
        print(f"{overlap.id}\t{overlap.against}\t{overlap.share:.2f}\t{overlap.sample}")
    seeds_found = len({overlap.id for overlap in found})
    console.say(f"{benchmark}: {seeds_found} of the seeds overlap with its {compared} texts")


def estimate(
    recipe: RecipeArgument,
    past: Annotated[
        Path | None,
        typer.Option("--past", metavar="RUN", help="A finished run, such as a preview's, to take the survival from."),
    ] = None,
    set_: Overrides = [],  # noqa: B006
) -> None:
    """Say what a run will ask for and cost, by stage, without asking anything: no key is needed.

    How many rows survive is assumed, unless --past names a run it can be measured on.
    """
    from llmsynth.endpoint import without_keys
    from llmsynth.estimate import estimate_table
    from llmsynth.recipe import Recipe

    with without_keys():
        print(estimate_table(Recipe.load(recipe, set_), past))


def run_options(
    data: dict[str, Any],
    overrides: list[str],
    print_recipe: bool,
    out: Path | None,
    update: bool,
    quiet: bool,
    report: bool = True,
) -> None:
    """Make the dataset of the recipe that a shortcut command's options amount to, or print that recipe."""
    from llmsynth.recipe import Recipe

    if print_recipe:
        from llmsynth.endpoint import without_keys

        with without_keys():
            print(Recipe.from_data(data, overrides, "the options").to_yaml(), end="")
    else:
        make_dataset(Recipe.from_data(data, overrides, "the options"), out, update, quiet, report=report)


def make_dataset(
    recipe: Recipe, out: Path | None, update: bool, quiet: bool, min_yield: float = 0.0, report: bool = True
) -> None:
    """Make a recipe's dataset, as `watched` does it."""
    from llmsynth.synthesis import synthesize

    directory = out or Path("runs") / recipe.name
    watched(lambda watch: synthesize(recipe, directory, update=update, watch=watch), quiet, min_yield, report)


def watched(work: Callable[[Watcher], Result], quiet: bool, min_yield: float = 0.0, report: bool = True) -> None:
    """Do what makes a run, with a progress line, tell what came of it, and end with the exit code for that.

    min_yield: the share of the rows that has to survive; that no row is kept is never right. report: write its page.
    """
    from llmsynth.cli.report import at_the_end

    result = _with_progress(work, quiet)
    console.say(_summary(result, min_yield))
    if result.published:
        console.say(f"published: {result.published}")
    if report:
        at_the_end(result)
    print(result.dataset)
    if not result.complete or not result.report["rows"]["kept"] or is_thin(result.report, min_yield):
        raise typer.Exit(3)


def _with_progress(work: Callable[[Watcher], Result], quiet: bool) -> Result:
    from llmsynth.cli.progress import Progress

    try:
        with Progress(quiet) as progress:
            return work(progress)
    except KeyboardInterrupt:
        console.say("interrupted: every answer that came in is kept; the same command goes on from here")
        raise typer.Exit(130) from None


def _summary(result: Result, min_yield: float = 0.0) -> str:
    """What a person wants to know at the end."""
    from llmsynth.cli.look import uses_pocket
    from llmsynth.cli.scores import score_lines
    from llmsynth.cli.survival import most_lost, warnings

    rows, usage = result.report["rows"], result.report["usage"].values()
    dropped, failed = sum(rows["dropped"].values()), sum(rows["failed"].values())
    lines = [funnel_table(result.report)] if rows["in"] else []
    measured = score_lines(result.report)
    lines.append(f"{rows['kept']} kept + {dropped} dropped + {failed} failed = {rows['in']} rows")
    thin = warnings(result.report, result.directory, uses_pocket(result.directory), max(THIN, min_yield))
    if not thin and not result.complete:
        thin = most_lost(result.report, result.directory)
    if result.before:
        return "\n".join([*lines, *measured, "it was finished already: nothing was asked", *thin])
    lines += measured
    asked = sum(u["answers"] - u["replayed"] for u in usage)
    replayed = sum(u["replayed"] for u in usage)
    tokens = sum(u["prompt_tokens"] + u["completion_tokens"] for u in usage)
    requests = f"{asked} requests, {replayed} answers reused, {tokens:,} tokens{_cost(usage)}; " if usage else ""
    lines.append(f"{requests}{result.report['notes'].get('stopped')}")
    if unused := result.report.get("unused_answers"):
        lines.append(
            f"{unused} answers led to no row, as they came when there were enough;"
            " a larger target, with --update, uses them"
        )
    if splits := result.report.get("splits"):
        lines.append(f"splits: {', '.join(f'{name} {count}' for name, count in splits.items())}")
        if not splits["train"]:
            lines.append("nothing is left to train on: the rows are of too few families for such splits; make more")
    target = result.report["target"]
    if target is not None and result.report["missing"]:
        lines.append(
            f"short of the target of {target}: `llmsynth show {result.directory}` shows what was dropped and why"
        )
    if result.report["notes"].get("evolutions") == 0 and rows["kept"] == target:
        lines.append("nothing was evolved: the seeds alone met the target; raise it, or leave them out (--no-seeds)")
    seeds = result.report["notes"].get("seeds")
    if isinstance(seeds, dict) and seeds["short"]:
        lines.append(f"{seeds['generator']} made {seeds['short']} seeds too few: {seeds['notes'].get('stopped')}")
    if failed:
        lines.append("the same command again asks for the failed ones")
    return "\n".join([*lines, *thin])


def _cost(usage: Iterable[Mapping[str, Any]]) -> str:
    """What all answers cost, as the end of an enumeration; nothing of models that are free."""
    costs = [stage["cost"] for stage in usage]
    if "unknown" in costs:
        return ", cost unknown"
    return f", {dollars(sum(costs))} US dollars" if any(costs) else ""


def backend_of(model: str, base_url: str, api_key_env: str) -> Any:
    """The backend for what was typed, nothing asked yet."""
    from llmsynth.recipe import Recipe

    spec = model_spec(model, base_url, api_key_env)
    generator = {"use": "self-instruct"}
    return Recipe.from_data({"generator": generator, "models": {"default": spec}}).build().models["default"].backend


def model_spec(model: str, base_url: str, api_key_env: str) -> dict[str, Any]:
    """The recipe's model for what was typed."""
    kind, colon, rest = model.partition(":")
    if model == "pocket":
        # so small a model cannot keep its format under the paper's presence penalty of 2
        return {"use": "pocket", "sampling": {"presence_penalty": 0.0, "top_p": 0.95}}
    if colon and kind in ("transformers", "vllm"):
        return {"use": kind, "model": rest}
    if not base_url and Path(model).is_dir():
        return {"use": "transformers", "model": model}
    if not base_url and get_close_matches(model, ["pocket"]):
        raise RecipeError(
            f"no model {model!r}", f"did you mean pocket? For a hosted model of that name: openai:{model}"
        )
    spec = {"use": "openai", "model": rest if colon and kind == "openai" else model}
    if base_url:
        spec["base_url"] = base_url
    if api_key_env:
        spec["api_key_env"] = api_key_env
    return spec
