"""The command that curates rows which are there already."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmsynth.cli import console, make
from llmsynth.cli.funnel import THIN
from llmsynth.errors import RecipeError, RunError

if TYPE_CHECKING:
    from llmsynth.prediction import Prediction, Spent
    from llmsynth.recipe import Recipe
    from llmsynth.synthesis import Result, Watcher

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def curate(
    source: Annotated[
        list[str],
        typer.Argument(metavar="IN", help="JSONL, JSON, CSV, Parquet, a datasets folder or a run."),
    ],
    steps: Annotated[
        list[str],
        typer.Option(metavar="NAMES", help="Steps in order, such as exact-duplicates,length; or a YAML file of them."),
    ] = [],  # noqa: B006
    on: Annotated[
        str, typer.Option(metavar="COLUMNS", help="What a row is judged by, such as question,answer or messages.")
    ] = "",
    columns: Annotated[str, typer.Option(metavar="COLUMNS", help="The columns to keep. [all]")] = "",
    n: Annotated[int, typer.Option("--n", "-n", min=0, help="Stop at so many kept rows. [0: at the last row]")] = 0,
    model: Annotated[str, typer.Option("--model", "-m", help="For steps that ask one, as for `self-instruct`.")] = "",
    base_url: make.BaseUrl = "",
    api_key_env: make.ApiKeyEnv = "",
    prompts: make.PromptFolder = "",
    by: Annotated[
        str, typer.Option(metavar="COLUMNS", help="Tell in the report what the values of these columns lose each.")
    ] = "",
    name: Annotated[str, typer.Option(help="What the dataset is called. [as IN]")] = "",
    seed: make.Seed = 0,
    license: make.License = "",
    out: make.Out = None,
    set_: make.Overrides = [],  # noqa: B006
    memory_limit: Annotated[
        str, typer.Option(metavar="SIZE", help="Do not begin if more memory is expected to be needed, such as 4GiB.")
    ] = "",
    min_yield: Annotated[
        float, typer.Option(min=0, max=1, help="Keep a smaller share of the rows than this, and it ends with code 3.")
    ] = THIN,
    rethreshold: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Change thresholds of a finished curation; instead of IN, STEP=THRESHOLD ..."),
    ] = None,
    print_recipe: make.PrintRecipe = False,
    update: make.Update = False,
    quiet: make.Quiet = False,
    report: make.Page = True,
) -> None:
    """Deduplicate, filter, score and select rows that are there already, each removed one with its reason.

    `llmsynth curate data.jsonl --steps exact-duplicates -o runs/clean`

    `llmsynth curate data.csv --on question,answer --steps steps.yaml --set steps.0.threshold=0.8`

    `llmsynth curate --rethreshold runs/clean minhash-duplicates=0.85`
    """
    from llmsynth.recipe import Recipe

    if rethreshold is not None:
        make.watched(lambda watch: _rethreshold(rethreshold, source, watch), quiet, min_yield, report)
        return
    if len(source) != 1:
        raise typer.BadParameter(f"name one source, not {len(source)}", param_hint="IN")
    path = source[0]
    data: dict[str, Any] = {
        "name": name or f"{Path(path).stem}-curated",
        "seed": seed,
        "diversity": "full",
        "generator": {"use": "rows", "path": path},
        **_work(steps),
    }
    data |= {"target": n} if n else {}
    data |= {"categories": _names(by)} if by else {}
    data |= {"prompts": prompts} if prompts else {}
    data |= {"license": license} if license else {}
    if model:
        data["models"] = {**data.get("models", {}), "default": make.model_spec(model, base_url, api_key_env)}
    if columns:
        data["generator"]["columns"] = _names(columns)
    if not quiet:
        console.say(f"looking through {path}")
    _lay_out(data, tuple(_names(on)))
    for spec in data.get("steps", []):
        if isinstance(spec, dict) and spec.get("use") == "minhash-duplicates":
            spec.setdefault("floor", "threshold")  # which is cheap there, so that --rethreshold can raise it
    recipe = Recipe.from_data(data, set_, "the options")
    if print_recipe:
        print(recipe.to_yaml(), end="")
        return
    limit = _bytes(memory_limit) if memory_limit else None
    _look_ahead(recipe, out, limit, update, quiet)
    make.make_dataset(recipe, out, update, quiet, min_yield, report)


def _rethreshold(run: Path, settings: list[str], watch: Watcher) -> Result:
    from llmsynth.rethreshold import rethreshold

    return rethreshold(run, settings, watch=watch)


def _work(steps: list[str]) -> dict[str, Any]:
    """The steps, and what else a file of steps may bring: selectors and models."""
    if len(steps) == 1 and Path(steps[0]).suffix.lower() in (".yaml", ".yml"):
        from llmsynth.recipe_text import parse_yaml

        content, _ = parse_yaml(_text(steps[0]), steps[0])
        if isinstance(content, list):
            return {"steps": content}
        if not isinstance(content, dict) or not content.keys() <= _IN_FILE:
            raise RecipeError(
                f"{steps[0]} is no list of steps", f"or a mapping with the keys {', '.join(sorted(_IN_FILE))}"
            )
        return content
    return {"steps": [{"use": name} for part in steps for name in _names(part)]}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise RecipeError(f"cannot read {path}: {why}", "a YAML file with a list of steps") from error


_IN_FILE = {"steps", "selectors", "models", "categories"}


def _lay_out(data: dict[str, Any], on: tuple[str, ...]) -> None:
    """Tell the generator and each step which columns to look at, where their defaults are not those of the source."""
    from llmsynth import options
    from llmsynth.generators.rows import Rows
    from llmsynth.layout import Layout
    from llmsynth.selectors import SELECTORS
    from llmsynth.steps import STEPS

    rows = Rows(data["generator"]["path"], columns=tuple(data["generator"].get("columns", ())))
    rows.check_rows()
    layout = Layout.of(rows.texts, on)
    data["generator"]["on"] = [*layout.whole]
    for key, registry in (("steps", STEPS), ("selectors", SELECTORS)):
        for place, spec in enumerate(data.get(key, [])):
            if isinstance(spec, dict) and "use" in spec:
                target = options.find(spec["use"], registry, (key, place, "use"))
                data[key][place] = layout.options(target, spec)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _look_ahead(recipe: Recipe, out: Path | None, limit: int | None, update: bool, quiet: bool) -> None:
    """Tell what the run will take, if it is still to be made. Raises `RunError` where that is more than the limit."""
    import asyncio

    from llmsynth.prediction import predict
    from llmsynth.synthesis import inspect

    directory = out or Path("runs") / recipe.name
    if (quiet and limit is None) or inspect(recipe, directory, update) is not None:
        return
    expected = asyncio.run(predict(recipe, directory))
    if not quiet:
        for line in _asked(recipe, expected):
            console.say(line)
    if expected is None:
        return
    if not quiet:
        console.say(expectation(expected))
    if limit is not None and expected.bytes > limit:
        most = max(expected.stages, key=lambda stage: stage.bytes, default=None)
        held = f"; {most.name} holds {_size(most.bytes)} of it" if most else ""
        raise RunError(
            f"{_size(expected.bytes)} of memory are expected to be needed, more than the {_size(limit)} allowed{held}",
            "raise --memory-limit, leave that step out, or put a step that drops many rows before it",
        )


def _asked(recipe: Recipe, expected: Prediction | None) -> list[str]:
    """What steps will ask of models, and what it costs; at most that, where nobody knows what earlier steps drop."""
    from llmsynth.estimate import estimate, may_ask, told_in_short

    built = recipe.build()
    if not any(map(may_ask, [*built.steps, *built.selectors])):
        return []
    coming = [stage.rows for stage in expected.stages] if expected else None
    lines = told_in_short(estimate(recipe, coming=coming)[1])
    return [f"to be asked{'' if expected else ' at most'}: {line}" for line in lines]


def expectation(expected: Prediction) -> str:
    """A prediction as people read it."""
    lines = [
        f"expected: {_time(expected.spent)} and {_size(expected.bytes)} of memory for {expected.rows:,} rows,"
        f" going by {expected.sampled:,} of them"
    ]
    for stage in expected.stages:
        told = "asks a model, which takes its time" if stage.asks else _time(stage.spent)
        holds = f", holds {_size(stage.bytes)}" if stage.bytes > _WORTH_TELLING else ""
        lines.append(f"  {stage.name}: {stage.rows:,} rows, {told}{holds}")
    return "\n".join(lines)


_WORTH_TELLING = 2**20


def _time(spent: Spent) -> str:
    """On the clock; and of the processor, where the machine is so busy now that this is much less."""
    told = _duration(spent.seconds)
    return (
        f"{told} ({_duration(spent.processor)} of the processor)" if spent.seconds > _BUSY * spent.processor else told
    )


_BUSY = 1.5


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3_600:.1f} h"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _bytes(text: str) -> int:
    """A size such as 4GiB, 500M or 1000000. Raises `RecipeError`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text, re.IGNORECASE)
    if match is None:
        raise RecipeError(f"{text!r} is no size", "such as 4GiB, 500M or 1000000")
    return int(float(match[1]) * _UNITS[match[2].lower()])
