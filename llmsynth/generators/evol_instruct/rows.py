"""The rows that evolve, how far they are, and when it is no longer worth going on."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmsynth import options
from llmsynth.errors import RecipeError
from llmsynth.generators._provenance import Trail
from llmsynth.generators._survival import survived
from llmsynth.generators.evol_instruct.evol_stop import EvolStop, Score
from llmsynth.generators.evol_instruct.operators import Operator
from llmsynth.lineage import inherited
from llmsynth.parsing import parse_rating
from llmsynth.record import Drop, Record
from llmsynth.request import Completion
from llmsynth.run import Run
from llmsynth.sources import Seed
from llmsynth.sources.licensing import KEY, joined

if TYPE_CHECKING:
    from llmsynth.generators.evol_instruct.seeding import Seeding

NAME = "evol-instruct"
_ASSUMED = 0.8  # share of the evolutions that survive, before any has been seen
_TASK = ("instruction", "input", "output")
_NO_NEWS = ("no_information_gain", "duplicate_instruction", "not_novel")


@dataclass
class Row:
    """A chain that began with a seed, and its latest accepted instruction.

    lineage: the seed's id. id, text, answer: of the latest accepted instruction. given: the input that it works on.
    history: the operators that made it, in order. more: columns beside instruction, input and output, as its seed has.
    meta: what the seed's file says of where it belongs, or whose relative another generator's record is.
    """

    lineage: str
    source: str
    origin: str
    given: str
    id: str
    text: str
    answer: str
    history: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: Seed) -> Row:
        """The row of a seed. Its input becomes part of the instruction, as an evolved one has no other place for it."""
        given, answer = seed.instances[0]
        text = _whole(seed.instruction, given)
        return cls(seed.id, seed.source, text, given.strip(), id_of(seed.id, 0), text, answer, meta=provenance_of(seed))

    @classmethod
    def grown_from(cls, record: Record) -> Row:
        """The row of another generator's record, whose further columns its evolutions inherit, such as a split."""
        more = {name: value for name, value in record.fields.items() if name not in _TASK}
        instruction, given, answer = (str(record.fields.get(name) or "") for name in _TASK)
        text = _whole(instruction, given)
        source = str(record.meta.get("generator", ""))
        meta = inherited(record)
        return cls(record.id, source, text, given.strip(), record.id, text, answer, more=more, meta=meta)


def provenance_of(seed: Seed) -> dict[str, Any]:
    """What of a seed goes into the provenance of all that comes of it."""
    return {KEY: joined([seed.licenses]), **seed.meta}


def rating_in(completion: Completion) -> dict[str, float]:
    """The score of a rated instruction; none where the rating cannot be read, as no record hangs on it."""
    rating = None if completion.failure else parse_rating(completion.text)
    return {} if rating is None else {"difficulty": rating}


def _whole(instruction: str, given: str) -> str:
    return f"{instruction}\n\n{given.strip()}" if given.strip() else instruction


def id_of(lineage: str, round: int) -> str:
    """The id of what a round made of a seed; round 0 is the seed itself."""
    return f"{lineage}@{round}"


def lineage_of(id: str) -> str:
    """The seed that an id of `id_of` is about."""
    return id.rpartition("@")[0]


@dataclass(frozen=True, slots=True)
class Evolution:
    """One attempt: a row as it was, an operator, and what has come of it so far.

    `parent` is a copy, as the row goes on. rates_seed: whether the row's seed is to be rated on the way.
    """

    number: int  # of the row
    round: int
    parent: Row
    operator: Operator
    trail: Trail
    text: str = ""
    answer: str = ""
    drop: Drop | None = None
    scores: dict[str, float] = field(default_factory=dict)
    rates_seed: bool = False
    seed_rating: Completion | None = None
    echo: bool = False  # as another seed's evolution, though their seeds were not alike

    @property
    def id(self) -> str:
        return id_of(self.parent.lineage, self.round)

    def after(self, stage: str, completion: Completion, **changes: Any) -> Evolution:
        return dataclasses.replace(self, trail=self.trail.after(stage, completion), **changes)

    def dropped(self, drop: Drop | None) -> Evolution:
        return dataclasses.replace(self, drop=drop)

    def record(self) -> Record:
        fields: dict[str, Any] = {**self.parent.more}
        if self.text:
            fields |= {"instruction": self.text, "input": ""}
        if self.answer:
            fields["output"] = self.answer
        meta = self.trail.meta()
        if self.drop is None:
            meta["history"] = [*self.parent.history, self.operator.name]
        return Record(self.id, fields, meta, self.scores, self.drop)


@dataclass(frozen=True)
class Stop:
    """When a run ends early: of the last `window` evolutions too few survived, or too few were any news; or its
    development score fell.

    window: null for a whole round, so as many as there are rows. Evolutions that no model answered are not among
        them. A run of fewer than the window goes through all its rounds.
    survival: at most this share was accepted. -1 for never.
    novelty: at most this share was news: not its parent over again, nor a text that was there before, and like no
        evolution of another seed (a ROUGE-L F1 above the generator's `threshold`), unless the seeds were alike
        already. -1 for never.
    score: `module:function` from all records accepted so far and the number of a round to a number, the higher the
        better; asked after each round, see `EvolStop`. With it, a round is finished also where the target would not
        need all of it.
    """

    window: int | None = 100
    survival: float = 0.05
    novelty: float = 0.1
    score: Score | str | None = None

    def __post_init__(self) -> None:
        if (self.window is not None and self.window < 1) or not -1 <= self.survival < 1 or not -1 <= self.novelty < 1:
            raise RecipeError(
                "stop: window is at least 1, survival and novelty are shares below 1", "100, 0.05 and 0.1 are usual"
            )
        if isinstance(self.score, str):
            found = options.find(self.score, {}, ("score",))
            if not callable(found) or not hasattr(found, "__qualname__"):  # a recipe is saved with its name
                raise RecipeError(f"score: {self.score} is no function", "write it as module:function")
            object.__setattr__(self, "score", found)


@dataclass
class Progress:
    """Counts of evolutions, in the order of rounds and rows. Depends on what was consumed, never on time.

    open: rounds that may be asked for by now; all of them, unless each has to be scored first.
    """

    run: Run
    seeding: Seeding
    rounds: int
    stop: Stop
    asked: int = 0
    consumed: int = 0
    yielded: int = 0
    survival: dict[int, dict[str, Counter[str]]] = field(default_factory=dict)  # by round and operator
    news: dict[int, int] = field(default_factory=dict)  # by round
    ratings: dict[int, list[float]] = field(default_factory=dict)  # by round
    evol_stop: EvolStop | None = field(init=False)
    open: int = field(init=False)
    _recent: deque[tuple[bool, bool]] = field(init=False)  # accepted, and news, of each
    _failing: int = 0  # evolutions in a row that no model answered

    def __post_init__(self) -> None:
        score = self.stop.score
        self.evol_stop = EvolStop(score, self.run) if callable(score) else None
        self.open = 1 if self.evol_stop else self.rounds
        self._recent = deque(maxlen=self.window)

    @property
    def rows(self) -> float:
        """How many rows there will be; infinite while that is not known."""
        return math.inf if self.seeding.open else len(self.seeding.rows)

    @property
    def window(self) -> int:
        return self.stop.window or self.seeding.expected

    def note_original(self, record: Record) -> None:
        """A seed, or whatever else another generator made, goes on."""
        self.yielded += 1
        self._rate(0, record)
        if self.evol_stop:
            self.evol_stop.accepted.append(record)

    def note(self, round: int, operator: str, record: Record, echo: bool = False) -> None:
        """An evolution has been dealt with. echo: it is like what came of another seed."""
        self.consumed += 1
        self.yielded += 1
        reason = record.dropped.reason if record.dropped else "accepted"
        self.survival.setdefault(round, {}).setdefault(operator, Counter())[reason] += 1
        if record.status == "failed":
            self._failing += 1
            return
        self._failing = 0
        news = reason not in _NO_NEWS and not echo
        self.news[round] = self.news.get(round, 0) + news
        self._recent.append((record.dropped is None, news))
        if record.dropped is None:
            self._rate(round, record)

    async def scored(self, records: list[Record]) -> list[Record]:
        """The records of a round that was held back for its score; one that was not finished is passed on as it is."""
        if self.evol_stop is None or not records:
            return records
        round, unfinished = divmod(self.asked, len(self.seeding.rows))
        if unfinished:
            return records
        records = await self.evol_stop.judge(round, records)
        self.open += 1
        return records

    def wants_more(self) -> bool:
        """Whether one more evolution is worth its price: no more than the target needs, as far as is known."""
        if self.stop_reason() is not None or self.asked >= self.rows * self.open:
            return False
        if self.evol_stop and self.asked % self.rows:
            return True  # a round is scored as a whole
        tally = self.run.tally
        kept = tally.kept / tally.total if tally.total else _ASSUMED
        in_steps = self.yielded - tally.total  # on their way through the steps
        seeds = self.seeding.waiting if self.seeding.include else 0
        coming = (self.asked - self.consumed) * self._accepted() + (seeds + max(0, in_steps)) * kept
        return coming < self.run.missing

    def stop_reason(self) -> str | None:
        """Why nothing further will be asked, or None."""
        if self.run.missing <= 0:
            return "target reached"
        if self.evol_stop and self.evol_stop.fallen:
            return self.evol_stop.fallen
        if self.asked >= self.rows * self.rounds:
            return f"all {self.rounds} rounds done" if self.rows else "no seed was made"
        recent, window = len(self._recent), self.window
        if self._failing >= window:
            return f"each of the last {window} evolutions failed"
        if recent == window:
            accepted, news = sum(a for a, _ in self._recent), sum(n for _, n in self._recent)
            if accepted <= self.stop.survival * recent:
                return f"survival collapsed: {accepted} of the last {recent} evolutions were accepted"
            if news <= self.stop.novelty * recent:
                return f"novelty collapsed: {news} of the last {recent} evolutions were news"
        return None

    def notes(self) -> dict[str, object]:
        """For the report."""
        accepted = sum(c["accepted"] for by in self.survival.values() for c in by.values())
        notes: dict[str, object] = {
            "stopped": self.stop_reason() or "ended early",
            "evolutions": self.consumed,
            "evolutions_accepted": accepted,
            "survival": {
                str(round): {name: survived(outcomes) for name, outcomes in sorted(by.items())}
                for round, by in sorted(self.survival.items())
            },
        }
        notes["news"] = {str(round): count for round, count in sorted(self.news.items())}
        if self.evol_stop:
            notes["development_scores"] = {str(round): value for round, value in self.evol_stop.scores.items()}
        if self.ratings:
            notes["mean_difficulty"] = {str(r): round(sum(v) / len(v), 3) for r, v in sorted(self.ratings.items())}
        return notes

    def _accepted(self) -> float:
        known = sum(c["accepted"] for by in self.survival.values() for c in by.values())
        return max(0.05, (known + 5 * _ASSUMED) / (self.consumed + 5))

    def _rate(self, round: int, record: Record) -> None:
        if "difficulty" in record.scores:
            self.ratings.setdefault(round, []).append(record.scores["difficulty"])


def widths(lookahead: int, rows: float) -> tuple[int, int]:
    """How many evolutions to ask for ahead, and how many to judge and answer at once.

    Together at most rows + 1: then a row's last round has been dealt with before its next one begins.
    """
    evolve = max(1, int(min(lookahead, rows / 3)))
    return evolve, max(1, int(min(2 * lookahead, rows + 1 - evolve)))
