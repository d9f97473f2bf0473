"""The funnel as people read it, and what took the most rows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THIN = 0.1  # a smaller share than this is nearly nothing
_REASONS = 3  # that are told of, with a row each
_NOT_LOST = ("beyond_target", "not_selected")


def funnel_table(report: Mapping[str, Any]) -> str:
    """How many rows each stage was given, kept, dropped by reason, and saw fail. `report` is what report.json holds."""
    stages = report["funnel"]
    width = max([len("stage"), *(len(stage["stage"]) for stage in stages)])
    lines = [f"{'stage':<{width}} {'in':>10} {'kept':>10} {'dropped':>10} {'failed':>8}  reasons"]
    for stage in stages:
        dropped, failed = sum(stage["dropped"].values()), sum(stage["failed"].values())
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in (stage["dropped"] | stage["failed"]).items())
        line = (
            f"{stage['stage']:<{width}} {stage['in']:>10,} {stage['kept']:>10,} {dropped:>10,} {failed:>8,}  {reasons}"
        )
        lines.append(line.rstrip())
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that a stage took for one reason, and the first of them."""

    count: int
    share: float  # of all rows
    reason: str
    stage: str
    id: str
    detail: str
    text: str


def is_thin(report: Mapping[str, Any], least: float = THIN) -> bool:
    """Whether a smaller share than `least` of the rows survived."""
    total: int = report["rows"]["in"]
    return total > 0 and not_lost(report) < least * total


def not_lost(report: Mapping[str, Any]) -> int:
    """Rows that were kept, or were left out only because there were enough, or better ones."""
    stages = report["funnel"]
    kept: int = stages[-1]["kept"]
    unneeded: int = sum(stage["dropped"].get(reason, 0) for stage in stages for reason in _NOT_LOST)
    return kept + unneeded


def losses(report: Mapping[str, Any]) -> list[Loss]:
    """What took the most rows, the most first."""
    total = report["rows"]["in"]
    found = []
    for stage in report["funnel"]:
        for reason, count in (stage["dropped"] | stage["failed"]).items():
            if reason not in _NOT_LOST:
                sample = stage["samples"][reason]
                found.append(Loss(count, count / total, reason, stage["stage"], **sample))
    return sorted(found, key=lambda loss: -loss.count)[:_REASONS]
