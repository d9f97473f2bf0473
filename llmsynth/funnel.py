"""`Funnel`: where the rows went. At every stage, rows in = kept + dropped by reason + failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmsynth.record import Record
from llmsynth.text import shorten

_SAMPLE_CHARACTERS = 240


@dataclass(slots=True)
class Stage:
    """What one stage did with the rows that had come through all before it.

    samples: by reason, the first row that was lost for it: its id, the detail of the drop, the beginning of its texts.
    seconds: spent in it.
    """

    name: str
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    samples: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def entered(self) -> int:
        return self.kept + self.dropped.total() + self.failed.total()

    def count(self, record: Record) -> None:
        """Take note of one more that has come as far as this."""
        drop = record.dropped
        if drop is None:
            self.kept += 1
            return
        (self.failed if drop.failed else self.dropped)[drop.reason] += 1
        if drop.reason not in self.samples:
            texts = " ".join(str(value)[:_SAMPLE_CHARACTERS] for value in record.fields.values() if value)
            self.samples[drop.reason] = {
                "id": _shown(record.id),
                "detail": _shown(drop.detail),
                "text": _shown(texts),
            }

    def report(self) -> dict[str, Any]:
        """As plain data, the most frequent reasons first."""
        return {
            "stage": self.name,
            "in": self.entered,
            "kept": self.kept,
            "dropped": dict(self.dropped.most_common()),
            "failed": dict(self.failed.most_common()),
            "samples": self.samples,
            "seconds": round(self.seconds, 3),
        }


class Funnel:
    """The stages that rows go through, in order: what made them, each step, the target, each selector."""

    def __init__(self, made_by: str, steps: Sequence[str] = (), selectors: Sequence[str] = ()) -> None:
        self.made = Stage(made_by)
        self.steps = [Stage(name) for name in steps]
        self.target = Stage("target")
        self.selectors = [Stage(name) for name in selectors]

    def __iter__(self) -> Iterator[Stage]:
        yield from (self.made, *self.steps)
        if self.target.dropped:
            yield self.target
        yield from self.selectors

    def report(self) -> list[dict[str, Any]]:
        return [stage.report() for stage in self]


def _shown(text: str) -> str:
    """One short line that can be printed, even of what is no valid text."""
    return shorten(text, _SAMPLE_CHARACTERS).encode("utf-8", "backslashreplace").decode()
