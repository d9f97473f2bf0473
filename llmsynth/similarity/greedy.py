"""Which rows go as duplicates: the greedy rule, and the same rule at another threshold afterwards.

Rows come in an order. A row goes if an earlier row that stays is similar enough; the most similar of those, the
earliest of equals, is the one it is a duplicate of. So a cluster is one row that stays and the rows that name it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llmsynth.errors import RunError
from llmsynth.similarity.rouge import Match

MOST_PAIRS = 50  # earlier rows that are noted for one row

Near = dict[str, Any]
"""What is noted of a row, as JSON: the earlier rows near it.

{} for none; {"same": id} for a row that is equal to an earlier one, whose fate it shares at any threshold; else
{"pairs": [[id, score], ...]}, best first. Where there are more than 50 pairs, "from" is the score from which on the
list is complete.
"""


class Verdict(NamedTuple):
    """duplicate_of: None for a row that stays. near: what is to be noted. enters: whether later rows must know it."""

    duplicate_of: Match | None
    near: Near
    enters: bool


@dataclass
class Greedy:
    """Decides row after row, given the earlier rows that are similar to it.

    threshold: the score from which on a row is similar enough; with `strict`, above which.
    notes: whether what `rethreshold` needs is noted. Then the rows that go have to be known to whoever looks for
        similar rows; otherwise only those that stay.
    """

    threshold: float
    strict: bool = False
    notes: bool = False
    _ids: list[str] = field(default_factory=list, init=False, repr=False)
    _fates: dict[int, Match] = field(default_factory=dict, init=False, repr=False)
    _families: dict[int, str] = field(default_factory=dict, init=False, repr=False)
    _entered: set[str] = field(default_factory=set, init=False, repr=False)  # families

    def __len__(self) -> int:
        """Rows that have entered; their places count from 0 in this order."""
        return len(self._ids)

    def judge(self, id: str, similar: Iterable[tuple[int, float]], family: str | None = None) -> Verdict:
        """Decide on the next row.

        similar: places of earlier rows that have entered, and scores, which are 1 for rows that equal this one.
        family: rows of one family are no duplicates of each other.
        """
        others = sorted(
            (-score, place) for place, score in similar if family is None or self._families.get(place) != family
        )
        twin = self._twin(others, family) if self.notes else None
        if twin is not None:
            fate = self._fates.get(twin) or Match(self._ids[twin], 1.0)
            return Verdict(fate, {"same": self._ids[twin]}, False)
        keeper = next(
            (Match(self._ids[p], -s) for s, p in others if p not in self._fates and self._enough(-s)),
            None,
        )
        enters = keeper is None or self.notes
        if enters:
            if keeper is not None:
                self._fates[len(self._ids)] = keeper
            if family is not None:
                self._families[len(self._ids)] = family
                self._entered.add(family)
            self._ids.append(id)
        return Verdict(keeper, self._near(others) if self.notes else {}, enters)

    def _enough(self, score: float) -> bool:
        return score > self.threshold if self.strict else score >= self.threshold

    def _twin(self, others: list[tuple[float, int]], family: str | None) -> int | None:
        """The earliest equal row, where sharing its fate is right: not if this row may be near others that one may not.

        An equal row has equal scores with all others. If it stays, this row is its duplicate; if it goes, this row is a
        duplicate of the same row; unless that row is of this row's family.
        """
        if not others or others[0][0] != -1.0 or family in self._entered:
            return None
        return others[0][1]

    def _near(self, others: list[tuple[float, int]]) -> Near:
        if not others:
            return {}
        near: Near = {"pairs": [[self._ids[place], -score] for score, place in others[:MOST_PAIRS]]}
        if len(others) > MOST_PAIRS:
            near["from"] = math.nextafter(-others[MOST_PAIRS][0], math.inf)
        return near


def rethreshold(
    rows: Iterable[tuple[str, Near]], threshold: float, floor: float, *, strict: bool = False
) -> dict[str, Match]:
    """The rows that go at another threshold, each with the row it is a duplicate of: what deciding anew would give.

    rows: ids, in order, and what was noted of them. floor: the score down to which pairs were looked for.
    Raises `RunError` for a threshold below the floor, or where a row had so many neighbours that not all
    were noted and those that were do not decide.
    """
    if not floor <= threshold:
        raise RunError(
            f"pairs were noted from a score of {floor:g} on, not from {threshold:g}", "run the step with a lower floor"
        )
    fates: dict[str, Match] = {}
    for id, near in rows:
        if "same" in near:
            first = near["same"]
            fates[id] = fates.get(first) or Match(first, 1.0)
            continue
        for other, score in near.get("pairs", ()):
            if not (score > threshold if strict else score >= threshold):
                break
            if other not in fates:
                fates[id] = Match(other, score)
                break
        if id not in fates and near.get("from", threshold) > threshold:
            raise RunError(
                f"{id} has more rows near it than were noted: they are complete from {near['from']:.4f} on",
                "run the step again with that threshold, or choose a higher one",
            )
    return fates
