"""One rater on the way through the items: what is shown next, what has been said, and taking it back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmsynth.rating.items import Item
from llmsynth.rating.log import RatingLog, standing
from llmsynth.rating.study import Study, is_swapped, order_for

MOST_COMMENT = 4_000
_CHOICES = ("left", "right", "tie")


class WrongRatingError(Exception):
    """A rating that the study does not ask for; the page shows the message."""


class Session:
    """Goes on where the rater's log stops. Items are called by their place in the rater's order, which says nothing."""

    def __init__(self, study: Study, items: Sequence[Item], log: RatingLog, name: str, seed: int) -> None:
        self.study = study
        self.name = name
        self._key = log.path.stem
        self._seed = seed
        self._log = log
        self._order = order_for(self._key, list(items), seed)
        self._place = {item.key: place for place, item in enumerate(self._order)}
        self._given = {key: line for key, line in standing(log.lines, study.id).items() if key in self._place}
        self._taken_back: dict[str, Any] | None = None
        self._shown: dict[int, float] = {}  # when each place was shown

    def state(self) -> dict[str, Any]:
        """How far the rater is, and what to show: None at the end."""
        skipped = sum("skip" in line for line in self._given.values())
        return {
            "rater": self.name,
            "total": len(self._order),
            "done": len(self._given),
            "skipped": skipped,
            "can_undo": bool(self._given),
            "shown": self._next(),
        }

    def rate(self, place: object, verdict: Mapping[str, Any]) -> None:
        """Keep a rating; of two of the same item the later one counts. Raises `WrongRatingError`, `StorageError`."""
        if type(place) is not int or not 0 <= place < len(self._order):
            raise WrongRatingError("there is no such item")
        item = self._order[place]
        said = self._said(item, verdict)
        line = {
            "study": self.study.id,
            "item": item.key,
            "rater": self.name,
            "ids": item.ids,
            "rows": item.rows,
            **said,
            "comment": _comment(verdict),
            "seconds": round(time.monotonic() - self._shown.pop(place, time.monotonic()), 1),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if not any(known.get("study") == self.study.id for known in self._log.lines):
            self._log.append({"study": self.study.id, "about": self.study.told(), "seed": self._seed})
        self._log.append(line)
        self._given.pop(item.key, None)
        self._given[item.key] = line
        if self._taken_back is not None and self._taken_back["item"] == item.key:
            self._taken_back = None

    def undo(self) -> None:
        """Withdraw the last rating; its item is shown again, with what had been said. Raises `WrongRatingError`."""
        if not self._given:
            raise WrongRatingError("there is nothing to undo")
        key, line = next(reversed(self._given.items()))
        self._log.append({"study": self.study.id, "undo": key})
        del self._given[key]
        self._taken_back = line

    def close(self) -> None:
        self._log.close()

    def _next(self) -> dict[str, Any] | None:
        earlier = self._taken_back
        if earlier is not None:
            place = self._place[earlier["item"]]
        else:
            open_ones = (place for place, item in enumerate(self._order) if item.key not in self._given)
            place = next(open_ones, -1)
        if place < 0:
            return None
        self._shown.setdefault(place, time.monotonic())
        item = self._order[place]
        sides = item.sides[::-1] if self._swapped(item) else item.sides
        return {
            "place": place,
            "question": [part._asdict() for part in item.question],
            "sides": [[part._asdict() for part in side] for side in sides],
            "earlier": {key: earlier[key] for key in ("marks", "choice", "comment") if key in earlier}
            if earlier
            else None,
        }

    def _swapped(self, item: Item) -> bool:
        return self.study.kind == "pairs" and is_swapped(self._key, item, self._seed)

    def _said(self, item: Item, verdict: Mapping[str, Any]) -> dict[str, Any]:
        if verdict.get("skip") is True:
            return {"skip": True}
        if self.study.kind == "rows":
            return {"marks": self._marks(verdict.get("marks"))}
        choice = verdict.get("choice")
        if choice not in _CHOICES:
            raise WrongRatingError(f"a choice is one of {', '.join(_CHOICES)}")
        run_side = "right" if self._swapped(item) else "left"
        prefers = "tie" if choice == "tie" else "run" if choice == run_side else "against"
        return {"choice": choice, "run": run_side, "prefers": prefers}

    def _marks(self, given: object) -> dict[str, int | None]:
        """A mark, or None for a criterion that cannot be judged, for each criterion."""
        rubric = self.study.rubric
        if not isinstance(given, dict) or given.keys() != set(rubric.names):
            raise WrongRatingError(f"marks are wanted for {', '.join(rubric.names)}")
        for mark in given.values():
            if mark is not None and not (type(mark) is int and rubric.least <= mark <= rubric.most):
                raise WrongRatingError(f"a mark is a whole number from {rubric.least} to {rubric.most}")
        if all(mark is None for mark in given.values()):
            raise WrongRatingError("an item without any mark is one to skip")
        return {name: given[name] for name in rubric.names}


def _comment(verdict: Mapping[str, Any]) -> str:
    comment = verdict.get("comment", "")
    if not isinstance(comment, str) or len(comment) > MOST_COMMENT:
        raise WrongRatingError(f"a comment is a text of at most {MOST_COMMENT} characters")
    return comment.strip()
