"""Where a run lost nearly everything: told loudly, with the reasons, since a dataset looks the same either way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llmsynth.record import Record
from llmsynth.text import shorten

_THIN = 0.1  # a smaller share than this is nearly nothing
_REASONS = 4  # told of each round or level
_NOT_LOST = "beyond_target"


def warnings(report: Mapping[str, Any], records: Iterable[Record], directory: Path, pocket: bool) -> list[str]:
    """Lines about the rounds, levels or rows of a run of which nearly nothing survived; none if enough did.

    records: all of the run, of which one is shown for the reason that took the most. pocket: whether the
    pocket teacher made them.
    """
    thin = [(name, outcomes) for name, outcomes in _groups(report) if _accepted(outcomes) < _THIN * outcomes.total()]
    if not thin:
        return []
    lines = ["WARNING: nearly nothing survived"]
    lost: Counter[str] = Counter()
    for name, outcomes in thin:
        reasons = Counter({reason: count for reason, count in outcomes.items() if reason and count})
        lost += reasons
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(_REASONS))
        lines.append(f"  {name}: {_accepted(outcomes)} of {outcomes.total()} accepted ({told})")
    if lost:
        most = lost.most_common(1)[0][0]
        example = next((r for r in records if r.dropped and r.dropped.reason == most), None)
        if example is not None and example.dropped is not None:
            lines.append(f"  {most}, for example {example.id}: {shorten(example.dropped.detail, 160) or 'no detail'}")
            lines.append(f"  `llmsynth show {directory} {example.id}` shows what was asked and answered")
    if pocket:
        lines.append("  the pocket teacher has learnt Self-Instruct's prompts alone: name a real model with --model")
    return lines


def _groups(report: Mapping[str, Any]) -> Iterator[tuple[str, Counter[str]]]:
    """What was tried, by round, by level or as a whole; under "" what was accepted, under a reason what was lost."""
    survival = report["notes"].get("survival")
    if survival:
        for name, table in survival.items():
            tables = [table] if "tried" in table else table.values()
            outcomes: Counter[str] = Counter()
            for each in tables:
                outcomes[""] += each["accepted"]
                outcomes.update(each["eliminated"])
            yield f"round {name}" if name.isdecimal() else name, outcomes
        return
    rows = report["rows"]
    outcomes = Counter({"": rows["kept"]})
    outcomes.update(rows["dropped"])
    outcomes.update(rows["failed"])
    del outcomes[_NOT_LOST]
    yield "rows", outcomes


def _accepted(outcomes: Counter[str]) -> int:
    return outcomes[""]
