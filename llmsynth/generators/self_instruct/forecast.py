"""What a run will ask for, before it asks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACCEPTED = 0.5
"""Share of the instructions asked for that pass the filters, where no earlier run tells."""

KEPT = 1.0
"""Rows kept per accepted instruction, where no earlier run tells: one instance each."""


@dataclass(frozen=True)
class Survival:
    """How much of what is asked for is kept.

    accepted: instructions accepted per request. kept: rows per accepted instruction.
    """

    accepted: float
    kept: float

    @classmethod
    def of(cls, past: Mapping[str, Any] | None, new: int) -> Survival:
        """Measured on an earlier run's report if that says anything, else assumed."""
        notes = past["notes"] if past else {}
        requests, accepted = notes.get("requests_for_instructions"), notes.get("instructions_accepted")
        kept = past["rows"]["kept"] if past else 0
        if not requests or not accepted or not kept:
            return cls(new * ACCEPTED, KEPT)
        return cls(accepted / requests, kept / accepted)

    def requests(self, target: float, most: int | None) -> tuple[int, int]:
        """Requests for instructions and instructions accepted, for so many kept rows."""
        wanted = math.inf if target == math.inf else math.ceil(target / self.kept / self.accepted)
        requests = min(wanted, math.inf if most is None else most)
        if requests == math.inf:
            return 0, 0
        return int(requests), min(math.ceil(requests * self.accepted), math.ceil(target / self.kept))
