"""The funnel as people read it, and a loud word where nearly nothing came through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

THIN = 0.05  # a smaller share than this is nearly nothing
_REASONS = 3  # told of, with a row each, where nearly nothing was kept


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


def is_thin(report: Mapping[str, Any], least: float = THIN) -> bool:
    """Whether a smaller share than `least` of the rows was kept. What a selector left out was not lost."""
    total: int = report["rows"]["in"]
    return total > 0 and _before_selection(report["funnel"]) < least * total


def losses(report: Mapping[str, Any]) -> list[str]:
    """What took the most rows, with a row that it took each: lines for a run that kept nearly nothing."""
    total = report["rows"]["in"]
    kept = _before_selection(report["funnel"])
    found = [
        (count, stage["stage"], reason, stage["samples"].get(reason, {}))
        for stage in report["funnel"]
        for reason, count in (stage["dropped"] | stage["failed"]).items()
        if reason not in _NOT_LOST
    ]
    lines = [f"WARNING: nearly nothing survived: {kept:,} of {total:,} rows"]
    for count, stage_name, reason, sample in sorted(found, key=lambda item: -item[0])[:_REASONS]:
        lines.append(f"  {count:,} ({count / total:.0%}) {reason}, by {stage_name}; for example {sample.get('id')}:")
        lines += [f"    {sample[key]}" for key in ("detail", "text") if sample.get(key)]
    return lines


_NOT_LOST = ("beyond_target", "not_selected")


def _before_selection(stages: Sequence[Mapping[str, Any]]) -> int:
    """Rows that were neither dropped nor failed, but for those that were not needed."""
    kept: int = stages[-1]["kept"]
    unneeded: int = sum(stage["dropped"].get(reason, 0) for stage in stages for reason in _NOT_LOST)
    return kept + unneeded
