"""Auto Evol-Instruct: a model analyses what its method of evolving makes of prompts, and improves the method."""

from __future__ import annotations

import dataclasses
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmsynth.errors import RecipeError
from llmsynth.generators._provenance import failed
from llmsynth.generators._survival import survived
from llmsynth.generators.evol_instruct.evolving import FOLDER, METHOD_FILE, Method, Wording, read_evolution
from llmsynth.generators.evol_instruct.once import once
from llmsynth.generators.evol_instruct.operators import PACKS
from llmsynth.generators.evol_instruct.rows import Row
from llmsynth.parsing import parse_method, without_thinking
from llmsynth.prompts import Prompt, Prompts
from llmsynth.record import Drop
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.text import fingerprint, normalise, word_count

if TYPE_CHECKING:
    from llmsynth.generators.evol_instruct.method import EvolInstruct

MOST_STEPS = 12
_MOST_WORDS = 600  # of a method: more than any prompt has room for beside the task
_SHOWN = 2000  # characters of a prompt that an analysis sees
_OPERATOR = PACKS["auto"][0]


@dataclass(frozen=True)
class Auto:
    """How the method of the pack auto is improved before the run evolves by it (arXiv 2406.00770, section 3).

    In each step a mini-batch is evolved for some rounds. The model of the role `optimizer` analyses what became of it
    and proposes a better method, several times over. Every candidate evolves the same development set, and the one
    with the lowest failure rate is the next step's method. It ends when no candidate fails less often than the
    method it is to replace, when nothing fails, or after `steps`.

    steps: at most so many, and 12 at the very most, about where the paper saw methods become over-optimised. 0 evolves
        by the method of `prompts/evol_instruct/auto/method.yaml` as it stands.
    candidates: methods proposed in a step, the paper's m. batch: tasks evolved for an analysis, rounds: how often each.
    development: tasks to measure failure rates on, none of which is ever in a batch where there are enough for both.
    optimize: sampling of analyses and proposals. Like the other defaults but the cap, it is ours.

    The failure rate is the share of the development set whose evolution failed, by rules: the answer to it asks back
    (begins with "Understood", "Thank you" or "Sure" and ends in a question mark, or has "please provide"), as in the
    paper. Deviation: what the rules of `elimination` and `growth` reject, without a judge, has failed as well, as a
    method whose evolutions cannot even be read would never fail otherwise. What no model answers counts for nothing.
    """

    steps: int = 0
    candidates: int = 5
    batch: int = 10
    rounds: int = 3
    development: int = 50
    optimize: Sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=2048)

    def __post_init__(self) -> None:
        if not 0 <= self.steps <= MOST_STEPS:
            raise RecipeError(
                f"auto: {self.steps} steps", f"0 to {MOST_STEPS}: methods get worse when improved further"
            )
        if min(self.candidates, self.batch, self.rounds, self.development) < 1:
            raise RecipeError(
                "auto: candidates, batch, rounds and development must be at least 1", "5, 10, 3 and 50 are the defaults"
            )


@dataclass(frozen=True, slots=True)
class Assessment:
    """What became of the development set under a method: accepted, or the reason for its failure, by count.

    unanswered: what no model answered, by the kind of that; no fault of the method.
    """

    method: Method
    outcomes: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)

    @property
    def failure_rate(self) -> float:
        """The paper's lambda. A method that nothing was seen of has failed."""
        seen = self.outcomes.total()
        return 1 - self.outcomes["accepted"] / seen if seen else 1.0

    def told(self) -> dict[str, object]:
        rate, unanswered = round(self.failure_rate, 4), dict(sorted(self.unanswered.items()))
        return {"method": self.method.id, "failure_rate": rate, **survived(self.outcomes), "unanswered": unanswered}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a case that the optimizer is shown. problem: the code under which the text was rejected."""

    text: str
    problem: str = ""


@dataclass
class Improvement:
    """The improving of a method. Everything is asked in an order that no answer's speed changes."""

    options: EvolInstruct
    run: Run
    rows: Sequence[Row]
    wording: Wording
    asked: Counter[str] = field(default_factory=Counter)  # requests by stage

    def __post_init__(self) -> None:
        self.auto = self.options.auto
        self.analyse, self.improve = optimizer_prompts(self.run.prompts)
        self.development, self.others = divided(self.rows, self.auto, self.run)
        self.seen: set[str] = set()  # methods, normalised: none is assessed twice

    async def best(self) -> Method:
        """The method that is left in the end. Tells the report how it went, and leaves the method as a prompt file."""
        assert self.wording.method is not None
        self.seen.add(normalise(self.wording.method.text))
        [first] = await self._assess([self.wording.method])
        best = first
        steps: list[dict[str, object]] = []
        methods = [best.method]
        stopped = f"all {self.auto.steps} steps done"
        for number in range(1, self.auto.steps + 1):
            if not best.failure_rate:
                stopped = "nothing fails on the development set"
                break
            cases, outcomes = await self._trajectories(best.method, number)
            proposals = await self._propose(best.method, cases)
            assessed = await self._assess([p for p in proposals if isinstance(p, Method)])
            chosen = min(assessed, key=lambda each: each.failure_rate, default=best)  # the first of equals
            improved = chosen.failure_rate < best.failure_rate
            rejected = [{"rejected": p} for p in proposals if isinstance(p, str)]
            steps.append(
                {
                    "batch": survived(outcomes),
                    "candidates": [*(each.told() for each in assessed), *rejected],
                    "chosen": chosen.method.id if improved else None,
                }
            )
            if not improved:
                stopped = "no candidate fails less often" if assessed else "no candidate could be used"
                break
            best = chosen
            methods.append(best.method)
        method = await self._decided(best.method)
        self.run.notes["auto"] = {
            "stopped": stopped,
            "development": len(self.development),
            "initial": first.told(),
            "steps": steps,
            "final": best.told() if method == best.method else {"method": method.id, "decided": "in an earlier run"},
            "methods": {each.id: each.text for each in dict.fromkeys((*methods, method))},
            "requests": dict(sorted(self.asked.items())),
        }
        how = f"Made by Auto Evol-Instruct in {len(methods) - 1} steps, measured on {len(self.development)} tasks."
        rates = f"It failed on {best.failure_rate:.1%} of them, the method it began with on {first.failure_rate:.1%}."
        self.run.files[f"prompts/{METHOD_FILE}"] = method.to_file(
            *((how, rates) if method == best.method else ("Made by Auto Evol-Instruct, before it was resumed.",)),
            "To evolve by it: llmsynth evol-instruct --pack auto --prompts and the folder `prompts` of that run.",
        )
        return method

    async def _decided(self, best: Method) -> Method:
        """The method that the run evolves by: the one that was found best when first it came so far.

        A trial that failed then, as its server was down, is asked again by a resumed run, and might turn the balance:
        everything that was evolved by now would have been paid for in vain.
        """

        async def text() -> str:
            return best.text

        assert self.wording.method is not None
        seeds = fingerprint(*(text for row in self.rows for text in (row.lineage, row.text)))
        about = f"method {self.wording.method.id}, {self.auto}, seed {self.run.seed}, tasks {seeds}"
        return Method(await once(self.run, "method", about, text))

    async def _evolve(self, trials: Sequence[tuple[Method, Row]]) -> AsyncIterator[tuple[str, Drop | None]]:
        """What comes of evolving each row once by the method beside it, in their order."""
        rng = self.run.rng("auto", "evolve")  # nothing is drawn: the prompt shows no demonstrations
        requests = (self.wording.by(method).evolve(row.text, _OPERATOR, rng) for method, row in trials)
        position = 0
        async for completion in self._ask("evolve", requests):
            yield read_evolution(self.options, _OPERATOR, trials[position][1], completion)
            position += 1

    async def _assess(self, methods: Sequence[Method]) -> list[Assessment]:
        """How often each method fails. A text that several of them arrive at is answered once."""
        trials = [(method, row) for method in methods for row in self.development]
        evolved = [each async for each in self._evolve(trials)]
        texts = list(dict.fromkeys(text for text, drop in evolved if drop is None))
        replies = [reply async for reply in self._ask("responses", map(self.wording.answer, texts))]
        verdicts = dict(zip(texts, map(self._answered, replies), strict=True))
        assessments = {method: Assessment(method) for method in methods}
        for (method, _), (text, drop) in zip(trials, evolved, strict=True):
            drop = drop or verdicts[text]
            counts = assessments[method].unanswered if drop and drop.failed else assessments[method].outcomes
            counts[drop.reason if drop else "accepted"] += 1
        return list(assessments.values())

    def _answered(self, reply: Completion) -> Drop | None:
        """Why the answer to an evolved prompt shows that the evolution failed."""
        return (
            failed(reply) if reply.failure else self.options.elimination.failure(without_thinking(reply.text).strip())
        )

    async def _trajectories(self, method: Method, step: int) -> tuple[list[list[Stage]], Counter[str]]:
        """What a mini-batch goes through, round by round, and its outcomes by count.

        A rejected stage is shown with its reason; the next round begins from the stage before it again.
        """
        rows = [dataclasses.replace(row) for row in _drawn(self.others, self.auto.batch, f"auto {step}", self.run)]
        cases = [[Stage(_cut(row.text))] for row in rows]
        outcomes: Counter[str] = Counter()
        for _ in range(self.auto.rounds):
            position = 0
            async for text, drop in self._evolve([(method, row) for row in rows]):
                row, case = rows[position], cases[position]
                position += 1
                outcomes[drop.reason if drop else "accepted"] += 1
                if drop is None:
                    row.text, row.answer = text, ""
                if drop is None or not drop.failed:
                    case.append(Stage(_cut(text), drop.reason if drop else ""))
        return cases, outcomes

    async def _propose(self, method: Method, cases: list[list[Stage]]) -> list[Method | str]:
        """Candidates for the next method; in place of one that cannot be used, the reason."""
        low, high = self.options.growth.target
        analysis = self.analyse.render(method=method.text, cases=cases)
        request = Request("optimizer", analysis, self.auto.optimize, self.analyse.id)
        analyses = [reply async for reply in self._ask("optimizer", [request] * self.auto.candidates)]
        proposals: list[Method | str] = [_rejected(reply) or "" for reply in analyses]
        usable = [number for number, reason in enumerate(proposals) if not reason]
        requests = (
            Request(
                "optimizer",
                self.improve.render(
                    method=method.text, feedback=without_thinking(analyses[n].text).strip(), low=low, high=high
                ),
                self.auto.optimize,
                self.improve.id,
            )
            for n in usable
        )
        position = 0
        async for reply in self._ask("optimizer", requests):
            proposals[usable[position]] = self._read(reply)
            position += 1
        return proposals

    def _read(self, reply: Completion) -> Method | str:
        if reason := _rejected(reply):
            return reason
        step = parse_method(reply.text)
        if reply.truncated and not step.closed:
            return "truncated"
        method = Method.of(step.text)
        if not method.text:
            return "no_method"
        if word_count(method.text) > _MOST_WORDS:
            return "method_too_long"
        if normalise(method.text) in self.seen:
            return "method_repeated"
        self.seen.add(normalise(method.text))
        return method

    async def _ask(self, stage: str, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        async for completion in self.run.model(stage).stream(requests, self.options.lookahead):
            self.asked[stage] += 1
            yield completion


def optimizer_prompts(prompts: Prompts) -> tuple[Prompt, Prompt]:
    """The prompts for analysing and for improving, checked."""
    analyse = prompts.load(f"{FOLDER}/auto/analyse", {"method", "cases"})
    improve = prompts.load(f"{FOLDER}/auto/improve", {"method", "feedback", "low", "high"})
    analyse.render(method="a", cases=[[Stage("a"), Stage("b", "c")]])
    improve.render(method="a", feedback="b", low=1, high=2)
    return analyse, improve


def divided(rows: Sequence[Row], auto: Auto, run: Run) -> tuple[list[Row], list[Row]]:
    """The development set, and what mini-batches are drawn from: the other rows, or all where those are too few."""
    development = _drawn(rows, auto.development, "auto development", run)
    chosen = {row.lineage for row in development}
    others = [row for row in rows if row.lineage not in chosen]
    return development, others if len(others) >= auto.batch else list(rows)


def _drawn(rows: Iterable[Row], count: int, stage: str, run: Run) -> list[Row]:
    """So many of the rows, by a draw of each one's own: a further seed takes the place of one, or changes nothing."""
    return heapq.nsmallest(count, rows, key=lambda row: run.rng(stage, row.lineage).random())


def _rejected(reply: Completion) -> str | None:
    """Why a reply of the optimizer says nothing."""
    if reply.failure:
        return reply.failure.kind
    return None if without_thinking(reply.text).strip() else "empty_reply"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
