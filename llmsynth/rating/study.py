"""A study: what people are asked, about what. Ratings of one study can be compared with each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmsynth.rating.items import Item
from llmsynth.rubric import Criterion, Rubric
from llmsynth.text import fingerprint

Kind = Literal["rows", "pairs"]


@dataclass(frozen=True)
class Study:
    """What every rating was asked by.

    source, against: what is rated, and compared with, as paths from the folder that holds the ratings, so that it may
        be moved with all it names. against and pairing are empty for rows. on: the columns that are shown, if they
        were named.
    """

    kind: Kind
    rubric: Rubric
    source: str
    against: str = ""
    pairing: str = ""
    on: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The same for the same question about the same source, however many items and whatever the seed."""
        return fingerprint(self.kind, self.rubric.id, self.source, self.against, self.pairing, *self.on)[:8]

    def told(self) -> dict[str, Any]:
        """For the log, from which the report is made without the rubric's file."""
        rubric = self.rubric
        return {
            "kind": self.kind,
            "source": self.source,
            "against": self.against,
            "pairing": self.pairing,
            "on": list(self.on),
            "rubric": rubric.id,
            "least": rubric.least,
            "most": rubric.most,
            "criteria": [{"name": c.name, "ask": c.ask, "weight": c.weight} for c in rubric.criteria],
        }


def study_of(told: dict[str, Any]) -> Study:
    """What `Study.told` told. Raises `KeyError`, `TypeError` or `ValueError` for what is none."""
    criteria = tuple(Criterion(str(c["name"]), str(c["ask"]), float(c["weight"])) for c in told["criteria"])
    rubric = Rubric("", criteria, int(told["least"]), int(told["most"]), str(told["rubric"]))
    if told["kind"] not in ("rows", "pairs"):
        raise ValueError(told["kind"])
    on = tuple(map(str, told["on"]))
    return Study(told["kind"], rubric, str(told["source"]), str(told["against"]), str(told["pairing"]), on)


def path_from(home: Path, path: Path) -> str:
    """A path as it is called in the ratings of `home`."""
    return Path(os.path.relpath(path.absolute(), home.absolute())).as_posix()


def order_for(rater: str, items: list[Item], seed: int) -> list[Item]:
    """The items in this rater's own order, the same in every session."""
    return sorted(items, key=lambda item: fingerprint(str(seed), "order", rater, item.key))


def is_swapped(rater: str, item: Item, seed: int) -> bool:
    """Whether this rater sees the run's side of a pair on the right: for half of them, by chance."""
    return int(fingerprint(str(seed), "side", rater, item.key), 16) % 2 == 1


def for_page(study: Study) -> dict[str, Any]:
    """What the page is told: the question and the scale, and nothing about where rows come from."""
    rubric = study.rubric
    criteria = [
        {"name": c.name, "ask": c.ask, "levels": {str(mark): said for mark, said in sorted(c.levels.items())}}
        for c in rubric.criteria
    ]
    return {
        "kind": study.kind,
        "own_questions": study.pairing == "random",
        "purpose": rubric.purpose,
        "least": rubric.least,
        "most": rubric.most,
        "criteria": criteria,
    }
