"""What people's ratings of a run came to, for its page, without the names of those who rated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmsynth.errors import RunError
from llmsynth.rating.log import FOLDER

_LEVEL = "ordinal"  # of marks on a scale: that alpha is told of the three


def ratings_told(directory: Path) -> list[dict[str, Any]]:
    """The studies that `llmsynth rate` has reported for a run; none where nobody has rated.

    Raises `RunError` for a report that cannot be read.
    """
    path = directory / FOLDER / "report.json"
    if not path.is_file():
        return []
    try:
        return [_study(study) for study in json.loads(path.read_bytes())["studies"]]
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise RunError(
            f"{path} cannot be read: {error}", f"`llmsynth rate {directory} --report` writes it again"
        ) from error


def _study(study: dict[str, Any]) -> dict[str, Any]:
    told = {name: study[name] for name in ("kind", "items", "ratings", "skipped", "rated_by_several")}
    told["raters"] = len(study["raters"])
    if study["kind"] == "rows":
        told |= {name: study[name] for name in ("rubric", "least", "most")}
        told["marks"] = {
            name: {"mean": marks["mean"], "interval": marks["interval"], "alpha": _alpha(marks)}
            for name, marks in study["marks"].items()
        }
        return told
    kept = ("wins", "losses", "ties", "win_rate", "interval", "score", "score_interval")
    told["preference"] = {name: study["preference"][name] for name in kept}
    told["against"] = Path(study["against"]).name
    return told | {"alpha": _alpha(study)}


def _alpha(told: dict[str, Any]) -> float | None:
    """Krippendorff's, where several people rated; of what has no order but that of an interval, that one."""
    alphas: dict[str, dict[str, float | None]] = told.get("alpha", {})
    level = _LEVEL if _LEVEL in alphas else next(iter(alphas), "")
    return alphas[level]["value"] if level else None
