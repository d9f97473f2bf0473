"""One run in a process of its own, so that it can be killed: `python -m tests.one_run RECIPE DIRECTORY`."""

from __future__ import annotations

import importlib
import sys

import llmsynth.model
from llmsynth.recipe import Recipe
from llmsynth.similarity import RougeIndex
from llmsynth.synthesis import synthesize

# what is otherwise loaded when first used is loaded here once, rather than in each child that is forked off
for _module in (
    "backends.openai",
    "finish",
    *(f"generators.{name}" for name in ("evol_instruct", "glan", "self_instruct")),
):
    importlib.import_module(f"llmsynth.{_module}")
_index = RougeIndex(0.7)
_index.add("Name three rivers", "a")
_index.most_similar("Name four rivers", 1)
_index.nearest("Name four rivers")


def run(recipe: str, directory: str, first_wait: float | None = None) -> None:
    """Run a recipe given as YAML. `first_wait` replaces the model's own, for good: for a process of its own."""
    if first_wait is not None:
        llmsynth.model._FIRST_WAIT = first_wait
    synthesize(Recipe.parse(recipe), directory)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        run(file.read(), sys.argv[2])
