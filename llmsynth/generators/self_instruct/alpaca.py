"""`Alpaca`: whole tasks in one call, from seeds alone."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llmsynth.errors import RecipeError
from llmsynth.forecast import StageEstimate, stage_estimate
from llmsynth.generators._provenance import Trail, failed, nothing_in, seed_facts
from llmsynth.generators.protocol import About
from llmsynth.generators.self_instruct.bootstrap import Bootstrap, Shown
from llmsynth.generators.self_instruct.filters import ALPACA_BLACKLIST, InstructionFilter, judge_instances
from llmsynth.generators.self_instruct.forecast import Survival
from llmsynth.generators.self_instruct.provenance import trail_from
from llmsynth.generators.self_instruct.seeding import read_usable_seeds
from llmsynth.parsing import Instance, parse_alpaca
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.sources import Seed
from llmsynth.text import one_line


@dataclass(frozen=True)
class Alpaca:
    """Self-Instruct as Stanford Alpaca simplified it: tasks with their input and output in one reply.

    `shown` seeds, never generated tasks, and a list that goes on to number `upto`. The novelty filter
    and the pool are those of `SelfInstruct`; there is no classification stage and one instance each.

    Deviation from the released code: no logit bias against the end of the text, which few servers take;
    a task cut by the token limit is dropped under a reason of its own.
    """

    about: ClassVar[About] = About(
        "Self-Instruct as simplified by Stanford Alpaca: a language model is shown three seed tasks and writes whole"
        " tasks, instruction, input and output, in one reply; those too similar to earlier ones are left out.",
        ("self-instruct",),
    )

    seeds: str = "builtin"
    seed_license: str = ""
    shown: int = 3
    upto: int = 20
    lookahead: int = 32
    threshold: float = 0.7
    filter: InstructionFilter = InstructionFilter(blacklist=ALPACA_BLACKLIST)
    max_requests: int | None = None
    stall_requests: int = 20
    stall_acceptance: float = 0.02
    similar: int = 10
    sampling: Sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=3072)

    def __post_init__(self) -> None:
        if not 1 <= self.shown < self.upto:
            raise RecipeError(f"shown is {self.shown}, upto {self.upto}", "Alpaca shows 3 and goes up to 20")
        if self.lookahead < 1 or self.stall_requests < 1:
            raise RecipeError("lookahead and stall_requests must be at least 1", "32 and 20 are usual")

    def validate(self, run: Run) -> None:
        """Read everything a run needs, so that a mistake in it costs nothing."""
        _Work(self, run)

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Requests and tokens of its one stage, for the run's target."""
        work = _Work(self, run)
        seeds = list(work.seeds.values())
        new = self.upto - self.shown
        requests, _ = Survival.of(past, new).requests(run.missing, self.max_requests, self.lookahead, 0)
        replies = [
            f"{s.instruction}\n4. Input:\n{s.instances[0][0]}\n4. Output:\n{s.instances[0][1]}" * new for s in seeds
        ]

        def shown(i: int) -> Any:
            tasks = work.pool.shown(0, run.rng("estimate", i), self.shown, made=0)
            return work.messages([work.seeds[task.id] for task in tasks])

        return [stage_estimate("instructions", requests, shown, replies, self.sampling, past)]

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        """Records with the fields instruction, input and output."""
        work = _Work(self, run)
        try:
            while work.pool.wants_more():
                async for record in work.records():
                    work.begun += record.dropped is None
                    yield record
                await run.settle()
        finally:
            run.notes |= {
                **seed_facts(self.seeds, list(work.seeds.values())),
                "stopped": work.pool.stop_reason() or "ended early",
                "requests_for_instructions": work.pool.asked,
                "requests_read": work.pool.consumed,
                "instructions_accepted": len(work.pool.accepted),
                "instructions_developed": work.begun,
            }


@dataclass
class _Work:
    """One run of the method."""

    options: Alpaca
    run: Run
    begun: int = 0  # accepted tasks that have begun to be yielded

    def __post_init__(self) -> None:
        options = self.options
        self.seeds = {seed.id: seed for seed in read_usable_seeds(options.seeds, options.seed_license)}
        self.pool = Bootstrap(
            run=self.run,
            seeds=list(self.seeds.values()),
            reject=options.filter,
            threshold=options.threshold,
            lookahead=options.lookahead,
            new_per_request=options.upto - options.shown,
            max_requests=options.max_requests,
            stall_requests=options.stall_requests,
            stall_acceptance=options.stall_acceptance,
        )
        self.prompt = self.run.prompts.load("self_instruct/alpaca", {"tasks", "first", "last"})
        self.messages([next(iter(self.seeds.values()))])

    async def records(self) -> AsyncIterator[Record]:
        """Records in order, until no further request is worth its price."""
        asked: deque[tuple[int, list[Shown]]] = deque()
        requests = self._requests(asked)
        async for completion in self.run.model("instructions").stream(requests, self.options.lookahead):
            before = len(self.pool.accepted)
            records = list(self._read(*asked.popleft(), completion))
            accepted = len(self.pool.accepted) - before
            self.pool.consume(0 if completion.failure else len(records), accepted)
            for record in records:
                yield record
            for _ in range(accepted):
                self.pool.develop()

    def _requests(self, asked: deque[tuple[int, list[Shown]]]) -> Iterator[Request]:
        options = self.options
        stop = (*options.sampling.stop, f"\n{options.upto + 1}.")
        while self.pool.wants_more():
            index = self.pool.asked
            self.pool.asked += 1
            shown = self.pool.shown(index, self.run.rng("instructions", index), options.shown, made=0)
            asked.append((index, shown))
            messages = self.messages([self.seeds[task.id] for task in shown])
            yield Request("instructions", messages, options.sampling.override({"stop": stop}), self.prompt.id)

    def messages(self, seeds: Sequence[Seed]) -> Any:
        tasks = [
            {"instruction": one_line(seed.instruction), "input": seed.instances[0][0], "output": seed.instances[0][1]}
            for seed in seeds
        ]
        return self.prompt.render(tasks=tasks, first=len(tasks) + 1, last=self.options.upto)

    def _read(self, index: int, shown: list[Shown], completion: Completion) -> Iterator[Record]:
        trail = trail_from("alpaca", index, shown).after("instructions", completion)
        if completion.failure:
            yield Record(f"{index}", {}, trail.meta(), dropped=failed(completion))
            return
        tasks = parse_alpaca(completion.text, len(shown) + 1, completion.truncated)
        if not tasks:
            yield Record(f"{index}", {}, trail.meta(), dropped=nothing_in(completion, "no_instruction", "task"))
        for position, task in enumerate(tasks):
            id = f"{index}-{position}"
            if task is None:
                cut = completion.truncated and position == len(tasks) - 1
                drop = Drop(
                    "truncated" if cut else "malformed_task", "not exactly an instruction, an input and an output"
                )
                yield Record(id, {}, trail.meta(), dropped=drop)
            else:
                yield self._judge(id, one_line(task[0]), task[1], trail)

    def _judge(self, id: str, instruction: str, instance: Instance, trail: Trail) -> Record:
        fields = {"instruction": instruction, "input": instance.input, "output": instance.output}
        drop, nearest = self.pool.judge(instruction)
        similar = [] if nearest is None else [nearest]
        if drop is None:
            drop = judge_instances([instance], 1, self.run.rng("instances", id))[0]
        if drop is None:
            similar = self.pool.index.most_similar(instruction, self.options.similar)
            self.pool.accept(id, instruction)
        meta = {**trail.meta(), "most_similar": [[m.id, round(m.score, 4)] for m in similar]}
        return Record(id, fields, meta, dropped=drop)
