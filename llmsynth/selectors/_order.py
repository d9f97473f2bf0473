"""How many, and in what order: what the selectors share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llmsynth.errors import RecipeError
from llmsynth.selectors import Candidates
from llmsynth.similarity.compiling import Floats, Longs
from llmsynth.similarity.selection import ranking


@dataclass(frozen=True)
class HowMany:
    """A number of records, or a share of the candidates; exactly one of them."""

    n: int | None
    share: float | None

    def __post_init__(self) -> None:
        if (self.n is None) == (self.share is None):
            raise RecipeError("say how many: n, or a share of the candidates", "such as n: 6000, or share: 0.2")
        if (self.n is not None and self.n < 1) or (self.share is not None and not 0 < self.share <= 1):
            raise RecipeError("n must be at least 1, a share above 0 and at most 1", "such as n: 6000, or share: 0.2")

    def of(self, count: int) -> int:
        """So many of `count`; a share is rounded, and is one at least."""
        if self.n is not None:
            return min(self.n, count)
        assert self.share is not None
        return min(count, max(1, math.floor(self.share * count + 0.5)))


def scores_of(candidates: Candidates, name: str) -> Floats:
    """A score's column. Raises `RecipeError` where no candidate has the score."""
    if not name:
        return np.zeros(len(candidates))
    scores = candidates.scores[name]
    if len(scores) and bool(np.isnan(scores).all()):
        raise RecipeError(f"no record has the score {name!r}", "a step that makes it must come before the selector")
    return scores


def order_of(candidates: Candidates, name: str, lowest: bool = False) -> Longs:
    """Places by score, the highest (or lowest) first, then by id; without a score last, or all by id for no name."""
    scores = scores_of(candidates, name)
    return ranking(-scores if lowest else scores, candidates.ids)


def told(chosen: int, of: Candidates, how: str) -> str:
    return f"{how} chose {chosen} of {len(of)}"
