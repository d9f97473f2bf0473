"""`rethreshold`: another threshold for a finished run, from the pairs that it noted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import orjson

from llmsynth.errors import RecipeError, RunError
from llmsynth.funnel import Funnel
from llmsynth.generators.protocol import asks
from llmsynth.recipe import Built, Recipe
from llmsynth.rejudging import Change, NearDuplicates, Rejudging
from llmsynth.run import Run
from llmsynth.steps import Step
from llmsynth.steps.duplicates import floor_of, note_of
from llmsynth.synthesis import Result, Watcher, remake


def rethreshold(directory: str | Path, settings: Sequence[str], *, watch: Watcher | None = None) -> Result:
    """Change thresholds of a finished curation, and its records, dataset and report with them.

    settings: `step=threshold`, the step by its name or, from 0, its place. It must have noted pairs, as it does where
        it has a `floor`, and the threshold must not be below that.

    What a step decides anew it decides from the pairs it noted. Where all rows that come to a later step have been
    there before, that is taken as it was, or from its own pairs. Where rows come to it that have not, it judges these
    alone if it judges each by itself, else all over again; with the rows as the run left them, should a step after it
    have changed their texts. A model is asked about new rows only.

    Raises `RunError` or `RecipeError` before anything is changed.
    """
    directory = Path(directory)
    old = _recipe(directory)
    built = old.build()
    if asks(built.generator) or old.target is not None:
        what = "has a target" if old.target is not None else "makes its rows"
        raise RunError(
            f"{directory} {what}, and other thresholds would have made it go on differently",
            "run its recipe with the threshold; what was asked is not asked again",
        )
    _check_apart(built.steps)
    thresholds = dict(_setting(text, old, built.steps) for text in settings)
    if not thresholds:
        raise RecipeError("no threshold was given", "such as minhash-duplicates=0.85")
    specs = [dict(spec) for spec in old.steps]
    for place, threshold in thresholds.items():
        step = built.steps[place]
        assert isinstance(step, NearDuplicates)
        specs[place] |= {"threshold": threshold, "floor": floor_of(step)}  # pairs are noted from where they were
    new = Recipe.from_data({**old.data(defaults=False), "steps": specs}, (), str(directory))
    change = Change.of(directory / "records", new.build().steps, min(thresholds))
    notes = orjson.loads((directory / "report.json").read_bytes())["notes"]

    async def make(run: Run, built: Built, directory: Path, funnel: Funnel) -> None:
        run.notes.update(notes)
        run.expected = notes["source"]["rows"]
        await Rejudging(change, run, built.steps, [spec["use"] for spec in new.steps], funnel).of(directory / "records")

    return remake(new, directory, make, watch)


def _recipe(directory: Path) -> Recipe:
    if not (directory / "recipe.yaml").is_file():
        raise RunError(f"{directory} is no run: there is no recipe.yaml in it", "name the directory given to --out")
    if not (directory / "report.json").is_file():
        raise RunError(
            f"{directory} has not finished", f"`llmsynth run {directory}/recipe.yaml -o {directory}` finishes it"
        )
    return Recipe.load(directory / "recipe.yaml")


def _check_apart(steps: Sequence[Step]) -> None:
    """Raise `RunError` where two steps have noted pairs under one name, the later one's in place of the other's."""
    names: dict[str, int] = {}
    for place, step in enumerate(steps):
        if isinstance(step, NearDuplicates) and floor_of(step) is not None:
            first = names.setdefault(note_of(step.method, step.on), place)
            if first != place:
                raise RunError(
                    f"the steps {first} and {place} look for duplicates of one kind in the same columns: their pairs"
                    " are noted in one place",
                    "run the recipe with the threshold",
                )


def _setting(text: str, recipe: Recipe, steps: Sequence[Step]) -> tuple[int, float]:
    """Place and threshold of `step=threshold`."""
    name, equals, value = text.partition("=")
    names = [spec["use"] for spec in recipe.steps]
    places = [int(name)] if name.isdecimal() else [place for place, use in enumerate(names) if use == name]
    if not equals or len(places) != 1 or places[0] >= len(names):
        many = f"it is at {', '.join(map(str, places))}: name the place" if len(places) > 1 else "step=threshold"
        raise RecipeError(f"cannot use {text!r}", f"{many}; the steps are {', '.join(names) or 'none'}")
    step = steps[places[0]]
    floor = floor_of(step) if isinstance(step, NearDuplicates) else None
    if floor is None:
        raise RecipeError(f"{name} has noted no pairs", "run it with a floor, such as --set steps.0.floor=0.7")
    try:
        threshold = float(value)
    except ValueError:
        threshold = math.nan
    if not 0 < threshold <= 1:
        raise RecipeError(f"{text!r}: no threshold", "above 0, at most 1")
    if threshold < floor:
        raise RunError(
            f"{name} has noted pairs from a score of {floor:g} on, not from {threshold:g}",
            "run it with a lower floor",
        )
    return places[0], threshold
