"""What was measured of a run's rows, as people read it: scores, losses by category, diversity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def score_lines(report: Mapping[str, Any]) -> list[str]:
    """A few lines of what report.json tells in full; none where nothing was measured. `report` is what it holds."""
    from llmsynth.score_report import lines
    from llmsynth.variety import line

    found = lines(report, report["notes"]) if "scores" in report else []
    return [*found, line(report)] if "diversity" in report else found
