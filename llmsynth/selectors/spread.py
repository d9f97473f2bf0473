"""Selectors that look at vectors: sets without echoes, that cover what there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmsynth.errors import RecipeError
from llmsynth.selectors import Candidates, Needs, Selection
from llmsynth.selectors._order import HowMany, order_of, scores_of, told
from llmsynth.similarity.compiling import Floats, Longs, Singles
from llmsynth.similarity.selection import (
    EXACT_UP_TO,
    NEIGHBOURS,
    facility_location,
    k_center,
    mmr,
    nearest_chosen,
    representation_filter,
)
from llmsynth.similarity.vectors import unfixed

_TEXTS = ("instruction", "input", "output")


@dataclass(frozen=True)
class KCenter:
    """Greedy k-center: first the best record, then again and again the one least like all that were chosen.

    n, share: how many, or what share of the candidates. score: which record is best; without it, the first by id.
    on: the fields whose text is embedded. It covers the rim of the set: outliers are chosen early.
    """

    n: int | None = None
    share: float | None = None
    score: str = ""
    on: tuple[str, ...] = _TEXTS
    embedder: str | dict[str, Any] = "static"

    def __post_init__(self) -> None:
        HowMany(self.n, self.share)

    @property
    def needs(self) -> Needs:
        return _needs(self.score, self.on, self.embedder)

    def select(self, candidates: Candidates) -> Selection:
        order, rows = _ordered(candidates, self.score)
        chosen = k_center(rows, HowMany(self.n, self.share).of(len(candidates)))
        return _selection(candidates, order, rows, chosen, "k-center")


@dataclass(frozen=True)
class FacilityLocation:
    """Greedy facility location: the records that stand best for the whole set, its centre before its rim.

    n, share, score, on: as in k-center. exact_up_to: candidates up to which every one is compared with all; beyond,
    with its `neighbours` most similar ones, which takes time by the square of their number.
    """

    n: int | None = None
    share: float | None = None
    score: str = ""
    on: tuple[str, ...] = _TEXTS
    embedder: str | dict[str, Any] = "static"
    exact_up_to: int = EXACT_UP_TO
    neighbours: int = NEIGHBOURS

    def __post_init__(self) -> None:
        HowMany(self.n, self.share)
        if self.neighbours < 1:
            raise RecipeError(f"neighbours is {self.neighbours}", "at least 1; 64 is usual")

    @property
    def needs(self) -> Needs:
        return _needs(self.score, self.on, self.embedder)

    def select(self, candidates: Candidates) -> Selection:
        order, rows = _ordered(candidates, self.score)
        k = HowMany(self.n, self.share).of(len(candidates))
        chosen = facility_location(rows, k, exact_up_to=self.exact_up_to, neighbours=self.neighbours)
        return _selection(candidates, order, rows, chosen, "facility location")


@dataclass(frozen=True)
class RepresentationFilter:
    """DEITA's quality-first filter: records by score, passing over those too similar to one that was chosen.

    n: how many at most; null for all that pass. threshold: the greatest similarity that still passes.
    score: what quality is; DEITA's is complexity times quality. Time grows with candidates times chosen.
    """

    n: int | None = None
    score: str = "deita"
    threshold: float = 0.9
    on: tuple[str, ...] = _TEXTS
    embedder: str | dict[str, Any] = "static"

    def __post_init__(self) -> None:
        if (self.n is not None and self.n < 1) or not -1 <= self.threshold <= 1:
            raise RecipeError("n must be at least 1 and the threshold a cosine", "DEITA has 0.9 and 6000")

    @property
    def needs(self) -> Needs:
        return _needs(self.score, self.on, self.embedder)

    def select(self, candidates: Candidates) -> Selection:
        order, rows = _ordered(candidates, self.score)
        done = representation_filter(rows, len(candidates) if self.n is None else self.n, self.threshold)
        against, similarity = np.full(len(order), -1, np.int64), np.zeros(len(order))
        against[order] = np.where(done.against >= 0, order[done.against], -1)
        similarity[order] = done.similarity
        said = told(len(done.chosen), candidates, "the representation filter")
        return Selection(order[done.chosen], f"{said}, by {self.score or 'id'}", (against, similarity))


@dataclass(frozen=True)
class MMR:
    """Maximal marginal relevance: a high score, weighed against being like what was chosen before.

    balance: the weight of the score, scaled to run from 0 to 1 over the candidates; the rest is that of similarity.
    n, share, on: as in k-center. A record without the score counts as the lowest.
    """

    score: str
    n: int | None = None
    share: float | None = None
    balance: float = 0.5
    on: tuple[str, ...] = _TEXTS
    embedder: str | dict[str, Any] = "static"

    def __post_init__(self) -> None:
        HowMany(self.n, self.share)
        if not 0 <= self.balance <= 1:
            raise RecipeError(f"balance is {self.balance}", "from 0, similarity alone, to 1, the score alone")

    @property
    def needs(self) -> Needs:
        return _needs(self.score, self.on, self.embedder)

    def select(self, candidates: Candidates) -> Selection:
        order, rows = _ordered(candidates, self.score)
        relevance = _from_0_to_1(scores_of(candidates, self.score)[order])
        chosen = mmr(rows, relevance, HowMany(self.n, self.share).of(len(candidates)), self.balance)
        return _selection(candidates, order, rows, chosen, "MMR")


def _needs(score: str, on: tuple[str, ...], embedder: str | Mapping[str, Any]) -> Needs:
    return Needs((score,) if score else (), (), on, embedder)


def _ordered(candidates: Candidates, score: str) -> tuple[Longs, Singles]:
    """Places in order of preference, and their vectors in that order."""
    assert candidates.vectors is not None  # it was asked for by `needs`
    if len(candidates) and not candidates.vectors.any():
        raise RecipeError("the embedder sees nothing in the text of any record", "name the fields that hold it by `on`")
    order = order_of(candidates, score)
    return order, unfixed(candidates.vectors[order])


def _selection(candidates: Candidates, order: Longs, rows: Singles, chosen: Longs, how: str) -> Selection:
    """A selection from ranks; of those not chosen it tells the chosen one that is most like them."""
    row, similarity = np.full(len(order), -1, np.int64), np.zeros(len(order))
    others = np.setdiff1d(np.arange(len(order)), chosen)
    if len(others) and len(chosen):
        nearest = nearest_chosen(rows, others, chosen)
        row[order[others]] = order[nearest.row]
        similarity[order[others]] = nearest.similarity
    return Selection(order[chosen], told(len(chosen), candidates, how), (row, similarity))


def _from_0_to_1(scores: Floats) -> Floats:
    """Scores scaled to run from 0 to 1; the lowest where there is none, 0 everywhere where all are equal."""
    finite = scores[np.isfinite(scores)]
    if not len(finite) or finite.min() == finite.max():
        return np.where(np.isposinf(scores), 1.0, 0.0)
    scaled: Floats = np.clip((scores - finite.min()) / (finite.max() - finite.min()), 0.0, 1.0)
    return np.where(np.isnan(scores), 0.0, scaled)
