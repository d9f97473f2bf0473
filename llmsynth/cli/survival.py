"""Where a run lost nearly everything: told loudly, with the reasons, since a dataset looks the same either way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmsynth.cli.funnel import THIN, Loss, is_thin, losses, not_lost
from llmsynth.text import shorten

_REASONS = 4  # told of each round or level
_SHOWN = 300  # characters of a reply


def warnings(report: Mapping[str, Any], directory: Path, pocket: bool, least: float = THIN) -> list[str]:
    """Lines about a run of whose rows, rounds or levels nearly nothing survived; none if enough did.

    pocket: whether the pocket teacher made it. least: the share of the rows that is enough.
    """
    groups = [(name, outcomes) for name, outcomes in _groups(report) if outcomes[""] < THIN * outcomes.total()]
    thin = is_thin(report, least)
    if not groups and not thin:
        return []
    rows = f": {not_lost(report):,} of {report['rows']['in']:,} rows" if thin else ""
    lines = [f"WARNING: nearly nothing survived{rows}"]
    for name, outcomes in groups:
        reasons = Counter({reason: count for reason, count in outcomes.items() if reason and count})
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(_REASONS))
        lines.append(f"  {name}: {outcomes['']} of {outcomes.total()} accepted ({told})")
    lines += most_lost(report, directory)
    if pocket:
        lines.append("  the pocket teacher has learnt Self-Instruct's prompts alone: name a real model with --model")
    return lines


def most_lost(report: Mapping[str, Any], directory: Path) -> list[str]:
    """Lines about what took the most rows, with a row that it took each, and the reply that this was made of."""
    found = losses(report)
    replies = _replies(directory, found) if report["usage"] else {}
    lines = []
    for loss in found:
        lines.append(f"  {loss.count:,} ({loss.share:.0%}) {loss.reason}, by {loss.stage}; for example {loss.id}:")
        lines += [f"    {text}" for text in (loss.detail, loss.text) if text]
        if loss.id in replies:
            lines.append(f"    of the reply {shorten(replies[loss.id], _SHOWN)!r}")
    if replies:
        lines.append(f"  `llmsynth show {directory} {next(iter(replies))}` shows what was asked and answered")
    return lines


def _groups(report: Mapping[str, Any]) -> Iterator[tuple[str, Counter[str]]]:
    """What was tried, by round or by level; under "" what was accepted, under a reason what was lost for it."""
    for name, table in report["notes"].get("survival", {}).items():
        outcomes: Counter[str] = Counter()
        for each in [table] if "tried" in table else table.values():
            outcomes[""] += each["accepted"]
            outcomes.update(each["eliminated"])
        yield f"round {name}" if name.isdecimal() else name, outcomes


def _replies(directory: Path, found: list[Loss]) -> dict[str, str]:
    """The last reply behind each of the rows that were lost, by the row's id; of some rows there is none."""
    from llmsynth.dataset import read_records
    from llmsynth.journal import read_entries

    keys: dict[str, str] = {}
    ids = {loss.id for loss in found}
    for record in read_records(directory / "records"):
        if record.id in ids:
            ids.remove(record.id)
            if record.meta.get("journal"):
                keys[record.id] = record.meta["journal"][-1]
        if not ids:
            break
    wanted = set(keys.values())
    texts = {e["key"]: e["text"] for e in read_entries(directory / "journal.jsonl") if e.get("key") in wanted}
    return {loss.id: texts[keys[loss.id]] for loss in found if keys.get(loss.id) in texts}
