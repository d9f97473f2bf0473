"""The growing pool of instructions, what to show the model next, and when to stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from llmsynth.record import Drop
from llmsynth.run import Run
from llmsynth.similarity import Match, RougeIndex, tokens_of_any_script
from llmsynth.sources import Seed
from llmsynth.sources.licensing import joined


@dataclass(frozen=True, slots=True)
class Shown:
    """A task in a prompt. `made` tells a generated one from a human-written one; `topic` is a taxonomy leaf's.

    licenses: of the seeds that it is, or that were shown on the way to it.
    """

    id: str
    instruction: str
    made: bool = False
    topic: str = ""
    licenses: tuple[str, ...] = ()


@dataclass
class Bootstrap:
    """State of the bootstrapping loop. Everything in it depends on completions in order, never on time.

    threshold: ROUGE-L F1 above which an instruction is no news, compared with all seeds and all accepted.
    stall_requests, stall_acceptance: stop when of the candidates of the last so many requests at most
        this share was accepted, or when so many requests' worth of instructions led to no kept record.
    """

    run: Run
    seeds: Sequence[Seed]
    reject: Callable[[str], Drop | None]
    threshold: float
    new_per_request: int
    lookahead: int
    max_requests: int | None
    stall_requests: int
    stall_acceptance: float
    asked: int = 0
    consumed: int = 0
    developed: int = 0
    accepted: list[Shown] = field(default_factory=list)
    _grown: list[int] = field(default_factory=list)  # accepted ones after each consumed request
    _recent: deque[tuple[int, int]] = field(init=False)  # candidates and accepted ones, per consumed request
    _fruitless: int = 0  # instructions developed since the last kept record
    _kept_before: int = 0

    def __post_init__(self) -> None:
        self.index = RougeIndex(self.threshold, tokens_of_any_script)
        for seed in self.seeds:
            self.index.add(seed.instruction, seed.id)
        self._recent = deque(maxlen=self.stall_requests)

    def shown(self, request: int, rng: Random, total: int, made: int) -> list[Shown]:
        """The tasks to show in a request: `made` generated ones and the rest human, shuffled.

        Generated ones are those accepted up to the answer `lookahead` requests before, whether more are known
        already or not: so a run with another target asks the same, and finds it answered.
        While there are fewer of them than wanted, seeds take their place. No task twice.
        """
        known = self._grown[request - self.lookahead] if request >= self.lookahead else 0
        generated = [self.accepted[i] for i in rng.sample(range(known), min(made, known))]
        human = rng.sample(self.seeds, min(total - len(generated), len(self.seeds)))
        tasks = [*generated, *(_human(seed) for seed in human)]
        rng.shuffle(tasks)
        return tasks

    def judge(self, instruction: str) -> tuple[Drop | None, Match | None]:
        """Why a candidate is rejected, or None; and what it is too similar to."""
        verdict = self.reject(instruction)
        if verdict is not None:
            return verdict, None
        nearest = self.index.nearest(instruction)
        if nearest is not None:
            return Drop("not_novel", f"ROUGE-L {nearest.score:.3f} with {nearest.id}"), nearest
        return None, None

    def accept(self, id: str, instruction: str, shown: Sequence[Shown] = ()) -> None:
        """Let an instruction into the pool. shown: the tasks that its prompt showed."""
        self.index.add(instruction, id)
        self.accepted.append(Shown(id, instruction, made=True, licenses=tuple(joined(task.licenses for task in shown))))

    def consume(self, candidates: int, accepted: int) -> None:
        """Note that a request's completion has been dealt with."""
        self.consumed += 1
        self._grown.append(len(self.accepted))
        self._recent.append((candidates, accepted))

    def develop(self) -> None:
        """Note that everything an accepted instruction led to has been yielded."""
        self.developed += 1
        kept, counted = self.run.tally.kept, self.run.tally.total
        # where nobody counts, as with a generator used by itself, nothing can be said of fruit
        self._fruitless = 0 if kept > self._kept_before or not counted else self._fruitless + 1
        self._kept_before = kept

    def wants_more(self) -> bool:
        """Whether one more request is worth its price.

        Near the target no more is asked for than the acceptance so far says is needed: what is in
        flight when the target is met was paid for in vain.
        """
        if self.stop_reason() is not None:
            return False
        per_request = len(self.accepted) / self.consumed if self.consumed else self.new_per_request / 2
        per_instruction = self.run.tally.kept / self.developed if self.developed else 1.0
        coming = (self.asked - self.consumed) * per_request + len(self.accepted) - self.developed
        return coming * per_instruction < self.run.missing

    def stop_reason(self) -> str | None:
        """Why no further request will be made, or None."""
        if self.run.missing <= 0:
            return "target reached"
        if self.max_requests is not None and self.asked >= self.max_requests:
            return f"max_requests ({self.max_requests}) reached"
        if len(self._recent) == self.stall_requests:
            candidates = sum(c for c, _ in self._recent)
            accepted = sum(a for _, a in self._recent)
            if not candidates:
                return f"each of the last {self.stall_requests} requests failed"
            if accepted <= candidates * self.stall_acceptance:
                return f"stalled: {accepted} of the last {candidates} candidate instructions were accepted"
        if self._fruitless >= self.stall_requests * self.new_per_request:
            return f"stalled: the last {self._fruitless} instructions led to no kept record"
        return None


def _human(seed: Seed) -> Shown:
    return Shown(seed.id, seed.instruction, topic=str(seed.meta.get("topic", "")), licenses=seed.licenses)
