"""What a run will ask for, before it asks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmsynth.errors import RecipeError

ACCEPTED = 0.5
"""Share of the instructions asked for that pass the filters, where no earlier run tells."""

KEPT = 1.0
"""Rows kept per accepted instruction, where no earlier run tells: one instance each."""

_FAR = 20_000  # requests beyond which a run's beginning and end no longer matter


@dataclass(frozen=True)
class Survival:
    """How much of what is asked for is kept.

    new: instructions asked for in one request. accepted: of them, per request that was read. kept: rows per
    instruction that was developed. instances: share of the developed that get as far as being asked for some.
    """

    new: int
    accepted: float
    kept: float
    instances: float = 1.0

    @classmethod
    def of(cls, past: Mapping[str, Any] | None, new: int) -> Survival:
        """Measured on an earlier run's report if that says anything, else assumed."""
        notes = past["notes"] if past else {}
        requests, accepted = notes.get("requests_read"), notes.get("instructions_accepted")
        developed, kept = notes.get("instructions_developed"), past["rows"]["kept"] if past else 0
        if not past or not requests or not accepted or not developed or not kept:
            return cls(new, new * ACCEPTED, KEPT)
        usage = {stage: past["usage"].get(stage, {}).get("answers", 0) for stage in ("classification", "instances")}
        asked = usage["instances"] / usage["classification"] if usage["classification"] else 1.0
        return cls(new, accepted / requests, kept / developed, min(1.0, asked))

    def requests(self, target: float, most: int | None, lookahead: int, ahead: float) -> tuple[int, int]:
        """Requests for instructions, and instructions developed, for so many kept rows.

        lookahead: requests asked for ahead. ahead: instructions judged ahead of the one whose rows are used.
        What is in flight when the target is met is asked for too, and in a small run it is much of it: so the
        run is played through, as `Bootstrap` decides, with the average for every answer. Where one window of
        instructions brings more rows than are wanted, fewer are asked about than told, as they come in at once.
        Raises `RecipeError` where nothing says how many are wanted.
        """
        limit = math.inf if most is None else most
        if target == math.inf:
            if most is None:
                raise RecipeError(
                    "nothing says how many rows are wanted: it would go on until hardly anything new comes",
                    "set target, or generator.max_requests, and estimate again",
                )
            return most, math.ceil(most * self.accepted)
        per_request = self.accepted * self.kept
        far = max(0, math.floor(target / per_request) - _FAR)  # beyond all that this method looks at
        near = target - far * per_request
        asked = read = 0
        used = 0.0  # requests whose instructions have been developed and their rows used
        window = ahead / self.new  # the same, in requests
        while used * per_request < near and not math.isclose(used * per_request, near):
            room = read == used or read - used < window
            while room and asked - read < lookahead and asked < limit and self._wants_more(asked, read, used, near):
                asked += 1
            if room and read < asked:
                read += 1
            elif used < read:
                used = min(read, used + 1 / self.accepted)  # an instruction's worth
            else:
                break
        requests = min(limit, asked + far)
        developed = min(read, used + window) + far
        return int(requests), math.ceil(min(developed, requests) * self.accepted)

    def _wants_more(self, asked: int, read: int, used: float, target: float) -> bool:
        """See `Bootstrap.wants_more`."""
        per_instruction = self.kept if used else KEPT
        coming = (asked - read) * (self.accepted if read else self.new * ACCEPTED) + (read - used) * self.accepted
        return coming * per_instruction < target - used * self.accepted * self.kept
