"""The seeds a run starts from."""

from __future__ import annotations

from llmsynth.errors import RecipeError
from llmsynth.sources import Seeds, read_seeds


def read_usable_seeds(path: str, license: str, classification_only: bool = False) -> Seeds:
    """The seeds, checked for there being enough of the right kind. license: of those that do not say theirs."""
    seeds = read_seeds(path, license)
    if classification_only:
        chosen = [seed for seed in seeds if seed.is_classification]
        if not chosen:
            raise RecipeError(f"{path} marks no seed as classification", "classification_only needs is_classification")
        return Seeds(chosen, seeds.duplicates)
    return seeds
