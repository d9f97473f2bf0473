"""Evol stop: a development score of the user's own says, round by round, whether going on is worth it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from llmsynth.errors import RecipeError
from llmsynth.model import Model
from llmsynth.prices import FREE, Price
from llmsynth.record import Record
from llmsynth.request import Completion, Message, Request
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

    def __post_init__(self) -> None:
        self._scorer = _Scorer(self.score)
        journal = self.run.journal
        self._model = None if journal is None else Model(self._scorer, journal, concurrency=1, attempts=1)

    async def judge(self, round: int, records: list[Record]) -> list[Record]:
        """The records of a whole round, all of them dropped if it has made the score fall."""
        accepted = [*self.accepted, *(record for record in records if record.dropped is None)]
        value = await self._value(round, accepted)
        best = max(self.scores.values(), default=-math.inf)
        self.scores[round] = value
        if value < best:
            self.fallen = f"the development score fell to {value:g} with round {round}, from {best:g}"
            return [record.drop("evol_stop", self.fallen) for record in records]
        self.accepted = accepted
        return records

    async def _value(self, round: int, accepted: list[Record]) -> float:
        self._scorer.about = accepted, round
        texts = fingerprint(*(text for r in accepted for text in (r.id, *map(str, r.fields.values()))))
        message = Message(role="user", content=f"round {round}: {len(accepted)} records, {texts}")
        request = Request("score", (message,))
        completion = await (self._scorer.complete(request) if self._model is None else self._model.ask(request))
        return float(completion.text)


class _Scorer:
    """The score as a backend, so that the journal keeps what it says as it keeps any answer."""

    price: Price | None = FREE

    def __init__(self, score: Score) -> None:
        self.name = f"{score.__module__}:{getattr(score, '__qualname__', type(score).__qualname__)}"
        self.identity = f"score:{self.name}"
        self.about: tuple[list[Record], int] = ([], 0)
        self._score = score

    async def complete(self, request: Request) -> Completion:
        records, round = self.about
        value = await asyncio.to_thread(self._score, list(records), round)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RecipeError(
                f"the score {self.name} of round {round} is {value!r}", "it returns a number, the higher the better"
            )
        return Completion(repr(float(value)), prompt_tokens=0, completion_tokens=0)

    async def aclose(self) -> None:
        return None
