"""Evol stop: a development score of the user's own says, round by round, whether going on is worth it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct.once import once
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.text import fingerprint

Score = Callable[[list[Record], int], float]
"""From all records accepted up to a round, and its number, to a score: the higher the better."""


@dataclass
class EvolStop:
    """Evolves while a development score does not fall (WizardCoder, arXiv 2306.08568).

    There a model is trained on all data up to a round and evaluated on a development set; when that gets worse, the
    data of the round before is final. Deviation: llmsynth trains nothing, so the score is a function of the user's,
    which may well train and evaluate, elsewhere if need be, and take hours: it runs in a thread of its own, and its
    result is kept in the journal, so that a resumed run does not pay for it again. A round is held back until it has
    been scored; that of a round that scores less than the best before it is dropped, and the run ends. What the score
    sees has not been through the recipe's steps. Round 0, the seeds, is not scored by itself.
    """

    score: Score
    run: Run
    accepted: list[Record] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)  # by round
    fallen: str = ""

    async def judge(self, round: int, records: list[Record]) -> list[Record]:
        """The records of a whole round, all of them dropped if it has made the score fall."""
        accepted = [*self.accepted, *(record for record in records if record.dropped is None)]
        value = await self._value(accepted, round)
        best = max(self.scores.values(), default=-math.inf)
        self.scores[round] = value
        if value < best:
            self.fallen = f"the development score fell to {value:g} with round {round}, from {best:g}"
            return [record.drop("evol_stop", self.fallen) for record in records]
        self.accepted = accepted
        return records

    async def _value(self, accepted: list[Record], round: int) -> float:
        name = f"{self.score.__module__}:{getattr(self.score, '__qualname__', type(self.score).__qualname__)}"

        async def ask() -> str:
            value = await asyncio.to_thread(self.score, list(accepted), round)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise RecipeError(
                    f"the score {name} of round {round} is {value!r}", "it returns a number, the higher the better"
                )
            return repr(float(value))

        texts = fingerprint(*(text for record in accepted for text in (record.id, *map(str, record.fields.values()))))
        about = f"{name} of round {round}: {len(accepted)} records, {texts}"
        return float(await once(self.run, "score", about, ask))
