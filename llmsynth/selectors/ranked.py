"""Selectors that look at scores and groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llmsynth.errors import RecipeError
from llmsynth.selectors import Candidates, Needs, Selection
from llmsynth.selectors._order import HowMany, order_of, scores_of, told
from llmsynth.similarity.selection import shares


@dataclass(frozen=True)
class TopK:
    """The records of the highest score, or of the lowest.

    n, share: how many, or what share of the candidates. Records without the score come last, whichever way.
    """

    score: str
    n: int | None = None
    share: float | None = None
    lowest: bool = False

    def __post_init__(self) -> None:
        HowMany(self.n, self.share)

    @property
    def needs(self) -> Needs:
        return Needs(scores=(self.score,))

    def select(self, candidates: Candidates) -> Selection:
        chosen = order_of(candidates, self.score, self.lowest)[: HowMany(self.n, self.share).of(len(candidates))]
        said = told(len(chosen), candidates, "top-k")
        if len(chosen):
            said += f", the last with {self.score} {candidates.scores[self.score][chosen[-1]]:g}"
        return Selection(chosen, said)


@dataclass(frozen=True)
class Threshold:
    """The records whose score lies between two bounds, which belong to it.

    keep_missing: whether records without the score stay.
    """

    score: str
    least: float | None = None
    most: float | None = None
    keep_missing: bool = False

    def __post_init__(self) -> None:
        least, most = self.bounds
        if (self.least is None and self.most is None) or least > most:
            raise RecipeError("a threshold needs a bound: least, most, or both, least first", "such as least: 4.5")

    @property
    def bounds(self) -> tuple[float, float]:
        return (-np.inf if self.least is None else self.least, np.inf if self.most is None else self.most)

    @property
    def needs(self) -> Needs:
        return Needs(scores=(self.score,))

    def select(self, candidates: Candidates) -> Selection:
        scores = scores_of(candidates, self.score)
        least, most = self.bounds
        stays = (scores >= least) & (scores <= most) | (np.isnan(scores) & self.keep_missing)
        order = order_of(candidates, self.score)
        said = told(int(stays.sum()), candidates, "threshold") + f", with {self.score} from {least:g} to {most:g}"
        return Selection(order[stays[order]], said)


@dataclass(frozen=True)
class Quotas:
    """So many records of each group, the best by score first.

    by: the fields, or keys of the provenance, whose values together name the group.
    each: records of every group. quotas: of a particular group, by its name (several values are joined by "/");
        without `each` and `n`, other groups lose all.
    n: records in all, instead of `each`: spread over the groups as evenly as their sizes allow, what does not divide
        going to the first groups by name.
    score: decides who is best; without it the first by id are.
    """

    by: tuple[str, ...]
    each: int | None = None
    n: int | None = None
    quotas: dict[str, int] = field(default_factory=dict)
    score: str = ""

    def __post_init__(self) -> None:
        if not self.by:
            raise RecipeError("quotas are of groups: name the fields that make them", "such as by: [category]")
        if (self.each is not None and self.n is not None) or (self.n is not None and self.quotas):
            raise RecipeError("n spreads evenly by itself: give it alone, without each and quotas", "such as n: 6000")
        if self.each is None and self.n is None and not self.quotas:
            raise RecipeError("say how many: each, n or quotas", "such as each: 100")
        if min((self.each or 0, self.n or 0, *self.quotas.values())) < 0:
            raise RecipeError("a quota is at least 0", "such as each: 100")

    @property
    def needs(self) -> Needs:
        return Needs(scores=(self.score,) if self.score else (), groups=self.by)

    def select(self, candidates: Candidates) -> Selection:
        columns = [candidates.groups[name] for name in self.by]
        for name, values in zip(self.by, columns, strict=True):
            if len(values) and not any(values):
                raise RecipeError(f"no record has a value of {name!r}", "name a field, or a key of the provenance")
        names = ["/".join(values) for values in zip(*columns, strict=True)]
        members: dict[str, list[int]] = {}
        order = order_of(candidates, self.score)
        for place in order.tolist():
            members.setdefault(names[place], []).append(place)
        groups = sorted(members)
        if unknown := sorted(self.quotas.keys() - members.keys()):
            raise RecipeError(
                f"no record is of the group {unknown[0]!r}", f"the groups are {', '.join(map(repr, groups[:20]))}"
            )
        if self.n is not None:
            quotas = dict(zip(groups, shares([len(members[group]) for group in groups], self.n), strict=True))
        else:
            quotas = {group: self.quotas.get(group, self.each or 0) for group in groups}
        stays = np.zeros(len(candidates), np.bool_)
        for group in groups:
            stays[members[group][: quotas[group]]] = True
        said = told(int(stays.sum()), candidates, "quotas") + f", of {len(groups)} groups by {', '.join(self.by)}"
        return Selection(order[stays[order]], said)
