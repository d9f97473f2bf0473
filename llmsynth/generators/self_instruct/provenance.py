"""Where a way begins: with the tasks that a prompt showed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmsynth.generators._provenance import Trail
from llmsynth.generators.self_instruct.bootstrap import Shown
from llmsynth.sources.licensing import KEY, joined


def trail_from(generator: str, round: int, shown: Sequence[Shown]) -> Trail:
    """The trail of what the prompt of this number leads to. `topics` are there where seeds have some."""
    topics = list(dict.fromkeys(task.topic for task in shown if task.topic))
    origin: dict[str, Any] = {
        "round": round,
        "parents": [task.id for task in shown],
        "made_parents": [task.id for task in shown if task.made],
        KEY: joined(task.licenses for task in shown),
    }
    return Trail(generator, origin | ({"topics": topics} if topics else {}))
