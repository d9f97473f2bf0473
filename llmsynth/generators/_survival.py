"""How much of what was tried was accepted, in the one shape that reports tell it in. Shared by the generators."""

from __future__ import annotations

from collections import Counter

ACCEPTED = "accepted"


def survived(outcomes: Counter[str]) -> dict[str, object]:
    """Counts by outcome, "accepted" or a drop reason, as `tried`, `accepted` and, by reason, `eliminated`."""
    eliminated = {reason: count for reason, count in sorted(outcomes.items()) if reason != ACCEPTED and count}
    return {"tried": outcomes.total(), "accepted": outcomes[ACCEPTED], "eliminated": eliminated}
