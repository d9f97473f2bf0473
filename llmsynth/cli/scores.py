"""What was measured of a run's rows, as people read it: scores, losses by category, diversity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def score_lines(report: Mapping[str, Any]) -> list[str]:
    """A few lines of what report.json tells in full; none where nothing was measured. `report` is what it holds."""
    from llmsynth.score_report import lines
    from llmsynth.variety import line

    found = lines(report, report["notes"]) if "scores" in report else []
    found += [line(report)] if "diversity" in report else []
    for name, told in report["notes"].items():
        if ": recall beyond " in name:
            found.append(_recall(name, told))
        elif ": unseen by " in name:
            found.append(
                f"{name.partition(':')[0]}: {told['unseen']:,} of {told['texts']:,} texts were compared with none: the"
                " embedder sees nothing in them, as in a script it does not know"
            )
    return found


def _recall(name: str, told: Mapping[str, Any]) -> str:
    """What a search that is exact up to so many records has missed beyond."""
    step, _, beyond = name.partition(": recall beyond ")
    pairs = told["pairs_sampled"]
    return f"{step}: beyond {beyond}, {told['share_found']:.1%} of the pairs were found (of {pairs:,} looked at)"
