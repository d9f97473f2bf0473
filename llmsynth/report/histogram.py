"""Bars of how often values occur, the kept rows' beside those of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmsynth.similarity.compiling import Floats

_BARS = 32
_FEW = 12  # different whole values that get a bar each


def of_lengths(kept: Floats, lost: Floats) -> dict[str, Any]:
    """Lengths in words: bars as wide as they are far from 0, since lengths spread over powers of ten."""
    longest = max((float(values.max()) for values in (kept, lost) if len(values)), default=0.0)
    edges = np.unique(np.rint(np.geomspace(1, longest + 1, _BARS + 1)).astype(np.int64)) if longest >= 1 else [1]
    return _counted(np.concatenate([[0], edges]).astype(np.float64), kept, lost)


def of_scores(kept: Floats, lost: Floats) -> dict[str, Any]:
    """Scores of any scale: a bar for each where there are few different whole ones, else bars of equal width."""
    kept, lost = kept[np.isfinite(kept)], lost[np.isfinite(lost)]
    values = np.concatenate([kept, lost])
    if not len(values):
        return _counted(np.array([0.0, 1.0]), kept, lost)
    low, high = float(values.min()), float(values.max())
    if high - low < _FEW and (values == np.rint(values)).all():
        return _counted(np.arange(low, high + 2), kept, lost)
    edges = np.linspace(low, high, _BARS + 1)
    if len(np.unique(edges)) <= _BARS:  # closer together than numbers can tell
        edges = np.array([low, np.nextafter(high, np.inf)])
    return _counted(edges, kept, lost)


def _counted(edges: Floats, kept: Floats, lost: Floats) -> dict[str, Any]:
    return {
        "edges": edges.tolist(),
        "kept": np.histogram(kept, edges)[0].tolist(),
        "lost": np.histogram(lost, edges)[0].tolist(),
        "median": {
            name: float(np.median(values)) if len(values) else None for name, values in (("kept", kept), ("lost", lost))
        },
    }
