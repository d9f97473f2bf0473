"""`SelfInstruct`: the method of the paper, stage by stage."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmsynth.errors import RecipeError
from llmsynth.forecast import StageEstimate, stage_estimate
from llmsynth.generators._provenance import Trail, failed, nothing_in, seed_facts
from llmsynth.generators.protocol import About
from llmsynth.generators.self_instruct.bootstrap import Bootstrap, Shown
from llmsynth.generators.self_instruct.filters import InstructionFilter, judge_instances
from llmsynth.generators.self_instruct.forecast import Survival
from llmsynth.generators.self_instruct.provenance import trail_from
from llmsynth.generators.self_instruct.seeding import read_usable_seeds
from llmsynth.order import ordered
from llmsynth.parsing import Instance, parse_input_first, parse_numbered, parse_output_first, parse_yes_no
from llmsynth.prompts import Prompt, Prompts
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.similarity import Match
from llmsynth.text import one_line, shorten

FOLDER = "self_instruct"


@dataclass(frozen=True)
class SelfInstruct:
    """Bootstraps instructions from a few seeds and makes instances for them (arXiv 2212.10560, section 2).

    Four stages: new instructions after `shown` examples, of which `made` are generated ones; whether each
    is a classification task; instances, input-first or, for classification, output-first; filters.

    seeds: a file or folder of seed tasks, or "builtin". seed_license: of those that do not say theirs.
    new: instructions asked for in one request.
    demonstrations: how many worked examples stand in the later prompts; None for all of them, which are
        as many as the paper's (31, 11 and 16).
    lookahead: requests asked for ahead of the one whose answer is being used; the pool a prompt is drawn
        from lags by this much. More keeps a fast server busy, less makes the pool grow sooner.
    threshold: ROUGE-L F1 above which an instruction is no news.
    max_instances: kept per instruction.
    classification_only: ask for classification tasks alone, from classification seeds.
    max_requests, stall_requests, stall_acceptance: see `Bootstrap`.
    similar: how many most similar earlier instructions are noted on each record.
    bootstrap, identify, instantiate: sampling of the stages.

    Deviations from the released code: the case of instructions is kept; an item cut by the token limit is
    dropped alone, where the code drops the whole reply; an answer to the classification question that is
    neither yes nor no drops the instruction, where the code takes it for no; four demonstrations instead of
    all, as instruction-tuned models need no more and every one is paid for; `identify` leaves room for
    decoration around the word and for a blank line before it; a blank line does not end a list, as chat models
    put one between items; "Task:" ends an answer only where it opens a paragraph, as answers may hold the word;
    instructions in other scripts than Latin, of which ROUGE sees nothing, are compared by their words or characters;
    labels get as many tokens as other examples, 350 and not 300; rows are left as fields, where the code writes each
    into one of thirteen templates at random.
    """

    about: ClassVar[About] = About(
        "Self-Instruct: a language model is shown eight tasks, six written by people and two of its own, and asked for"
        " eight more. Each new instruction that differs enough from all before it is identified as classification or"
        " not, and gets instances: input first, or label first for classification.",
        ("self-instruct",),
    )

    seeds: str = "builtin"
    seed_license: str = ""
    shown: int = 8
    made: int = 2
    new: int = 8
    demonstrations: int | None = 4
    lookahead: int = 32
    threshold: float = 0.7
    filter: InstructionFilter = InstructionFilter()
    max_instances: int = 5
    classification_only: bool = False
    max_requests: int | None = None
    stall_requests: int = 20
    stall_acceptance: float = 0.02
    similar: int = 10
    bootstrap: Sampling = Sampling(temperature=0.7, top_p=0.5, max_tokens=1024, presence_penalty=2.0)
    identify: Sampling = Sampling(temperature=0.0, max_tokens=8, stop=("\nTask",))
    instantiate: Sampling = Sampling(temperature=0.0, max_tokens=350, presence_penalty=1.5, stop=("\n\nTask:",))

    def __post_init__(self) -> None:
        if self.shown < 1 or self.new < 1 or self.lookahead < 1:
            raise RecipeError("shown, new and lookahead must be at least 1", "the paper shows 8 and asks for 8")
        if not 0 <= self.made < self.shown:
            raise RecipeError(f"made is {self.made} of {self.shown} shown", "leave room for at least one seed")
        if not 0 < self.threshold <= 1:
            raise RecipeError(f"threshold is {self.threshold}", "a ROUGE-L F1 above 0, at most 1; the paper takes 0.7")
        if self.max_instances < 1 or self.stall_requests < 1:
            raise RecipeError("max_instances and stall_requests must be at least 1", "5 and 20 are usual")

    def validate(self, run: Run) -> None:
        """Read everything a run needs, so that a mistake in it costs nothing."""
        _Work(self, run)

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Requests and tokens by stage, for the run's target."""
        return _Work(self, run).estimate(past)

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        """Records with the fields instruction, input and output; rejected instructions have the first alone."""
        work = _Work(self, run)
        try:
            while work.pool.wants_more():
                async for outcome in ordered(work.develop, work.instructions(), _AHEAD * self.lookahead):
                    work.begun += outcome.developed
                    for record in outcome.records:
                        yield record
                    work.note(outcome)
                await run.settle()
        finally:
            run.notes |= work.notes()


_AHEAD = 4  # instructions developed ahead, for each request asked for ahead


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An instruction as a reply had it: rejected, failed, or accepted and to be developed."""

    id: str
    instruction: str
    trail: Trail
    drop: Drop | None = None
    similar: tuple[Match, ...] = ()

    def after(self, stage: str, completion: Completion) -> _Candidate:
        return dataclasses.replace(self, trail=self.trail.after(stage, completion))

    def record(self, drop: Drop | None = None, **more: Any) -> Record:
        """The record of an instruction without instances."""
        fields = {"instruction": self.instruction} if self.instruction else {}
        return Record(self.id, fields, self.meta(**more), dropped=drop or self.drop)

    def meta(self, **more: Any) -> dict[str, Any]:
        similar = [[match.id, round(match.score, 4)] for match in self.similar]
        return {**self.trail.meta(), "most_similar": similar, **more}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an instruction led to. `developed` is False for one that was rejected at once."""

    records: list[Record]
    developed: bool = True
    is_classification: bool = False


@dataclass
class _Work:
    """One run of the method."""

    options: SelfInstruct
    run: Run
    labels: list[Counter[str]] = field(default_factory=list)  # per classification task
    begun: int = 0  # instructions whose rows have begun to be yielded

    def __post_init__(self) -> None:
        options, prompts = self.options, self.run.prompts
        seeds = read_usable_seeds(options.seeds, options.seed_license, options.classification_only)
        self.pool = Bootstrap(
            run=self.run,
            seeds=seeds,
            reject=options.filter,
            threshold=options.threshold,
            lookahead=options.lookahead,
            new_per_request=options.new,
            max_requests=options.max_requests,
            stall_requests=options.stall_requests,
            stall_acceptance=options.stall_acceptance,
        )
        name = "instructions_classification" if options.classification_only else "instructions"
        self.ask_instructions = prompts.load(f"{FOLDER}/{name}", {"instructions", "first", "last"})
        self.ask_kind = prompts.load(f"{FOLDER}/classification", {"instruction", "demonstrations"})
        variables = {"instruction", "demonstrations", "max_instances"}
        self.ask_input_first = prompts.load(f"{FOLDER}/input_first", variables)
        self.ask_output_first = prompts.load(f"{FOLDER}/output_first", variables)
        self.demonstrations = _demonstrations(prompts, options.demonstrations)
        self._try_prompts()

    def _try_prompts(self) -> None:
        """Render every prompt once: what the templates reach for inside their variables must be there."""
        self._instructions_messages(["A task"])
        for prompt in (self.ask_kind, self.ask_input_first, self.ask_output_first):
            self._task_messages(prompt, "A task")

    def estimate(self, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Rendered on seeds, as generated tasks will be much like them."""
        options, run, seeds = self.options, self.run, self.pool.seeds
        survival = Survival.of(past, options.new)
        ahead = _AHEAD * options.lookahead
        requests, accepted = survival.requests(run.missing, options.max_requests, options.lookahead, ahead)

        def shown(i: int) -> Any:
            tasks = self.pool.shown(0, run.rng("estimate", i), options.shown, options.made)
            return self._instructions_messages([task.instruction for task in tasks])

        def about(prompt: Prompt) -> Any:
            return lambda i: self._task_messages(prompt, seeds[i % len(seeds)].instruction)

        lists = ["\n10. ".join([seed.instruction] * options.new) for seed in seeds]
        instances = [f"Example 1\nInput: {given}\nOutput: {out}" for s in seeds for given, out in s.instances]
        stages = [stage_estimate("instructions", requests, shown, lists, options.bootstrap, past)]
        if not options.classification_only:
            kind = about(self.ask_kind)
            stages.append(stage_estimate("classification", accepted, kind, ["Yes."], options.identify, past))
        prompt = about(self.ask_input_first)
        stages.append(
            stage_estimate(
                "instances", round(accepted * survival.instances), prompt, instances, options.instantiate, past
            )
        )
        return stages

    # stage 1: instructions

    async def instructions(self) -> AsyncIterator[_Candidate]:
        """Candidates in order, accepted and not, until no further request is worth its price."""
        shown: deque[tuple[int, list[Shown]]] = deque()
        requests = self._bootstrap_requests(shown)
        async for completion in self.run.model("instructions").stream(requests, self.options.lookahead):
            candidates = list(self._candidates(*shown.popleft(), completion))
            answered = 0 if completion.failure else len(candidates)
            self.pool.consume(answered, sum(candidate.drop is None for candidate in candidates))
            for candidate in candidates:
                yield candidate

    def _bootstrap_requests(self, asked: deque[tuple[int, list[Shown]]]) -> Iterator[Request]:
        while self.pool.wants_more():
            index = self.pool.asked
            self.pool.asked += 1
            shown = self.pool.shown(index, self.run.rng("instructions", index), self.options.shown, self.options.made)
            asked.append((index, shown))
            messages = self._instructions_messages([task.instruction for task in shown])
            yield Request("instructions", messages, self._until(len(shown)), self.ask_instructions.id)

    def _instructions_messages(self, shown: Sequence[str]) -> Any:
        return self.ask_instructions.render(
            instructions=[one_line(text) for text in shown], first=len(shown) + 1, last=len(shown) + self.options.new
        )

    def _until(self, shown: int) -> Sampling:
        """The bootstrap sampling, ended by the first number that was not asked for."""
        stop = f"\n{shown + self.options.new + 1}."
        return self.options.bootstrap.override({"stop": (*self.options.bootstrap.stop, stop)})

    def _candidates(self, index: int, shown: list[Shown], completion: Completion) -> Iterator[_Candidate]:
        trail = trail_from("self-instruct", index, shown).after("instructions", completion)
        if completion.failure:
            yield _Candidate(f"{index}", "", trail, failed(completion))
            return
        items, cut = parse_numbered(completion.text, len(shown) + 1, completion.truncated)
        if not items and not cut:
            yield _Candidate(f"{index}", "", trail, nothing_in(completion, "no_instruction", "list"))
        for position, instruction in enumerate(items):
            id = f"{index}-{position}"
            drop, nearest = self.pool.judge(instruction)
            if drop is None:
                similar = tuple(self.pool.index.most_similar(instruction, self.options.similar))
                self.pool.accept(id, instruction, shown)
            else:
                similar = () if nearest is None else (nearest,)
            yield _Candidate(id, instruction, trail, drop, similar)
        if cut:
            drop = Drop("truncated", "the token limit cut it short")
            yield _Candidate(f"{index}-{len(items)}", cut, trail, drop)

    # stages 2 and 3: its kind, its instances

    async def develop(self, candidate: _Candidate) -> _Outcome:
        """Ask for its kind and its instances; a rejected candidate is a record as it stands."""
        if candidate.drop is not None:
            return _Outcome([candidate.record()], developed=False)
        is_classification: bool | None = True
        if not self.options.classification_only:
            kind = await self._ask("classification", self.ask_kind, candidate.instruction, self.options.identify)
            candidate = candidate.after("classification", kind)
            if kind.failure:
                return _Outcome([candidate.record(failed(kind))])
            is_classification = parse_yes_no(kind.text)
            if is_classification is None:
                where = " within the token limit" if kind.truncated else ""
                said = f"neither yes nor no{where}: {shorten(kind.text)}"
                return _Outcome([candidate.record(Drop("classification_unreadable", said))])
        prompt = self.ask_output_first if is_classification else self.ask_input_first
        sampling = self.options.instantiate
        if not is_classification:  # the first example that was not asked for ends the reply
            sampling = sampling.override({"stop": (*sampling.stop, f"\nExample {self.options.max_instances + 1}")})
        reply = await self._ask("instances", prompt, candidate.instruction, sampling)
        candidate = candidate.after("instances", reply)
        if reply.failure:
            return _Outcome([candidate.record(failed(reply), is_classification=is_classification)])
        parse = parse_output_first if is_classification else parse_input_first
        instances = parse(reply.text, reply.truncated)
        if not instances:
            drop = nothing_in(reply, "no_instance", "instance")
            return _Outcome([candidate.record(drop, is_classification=is_classification)])
        drops = judge_instances(instances, self.options.max_instances, self.run.rng("instances", candidate.id))
        meta = candidate.meta(is_classification=is_classification)
        records = [
            Record(f"{candidate.id}-{i}", _fields(candidate.instruction, instance), meta, dropped=drop)
            for i, (instance, drop) in enumerate(zip(instances, drops, strict=True))
        ]
        return _Outcome(records, is_classification=bool(is_classification))

    async def _ask(self, stage: str, prompt: Prompt, instruction: str, sampling: Sampling) -> Completion:
        request = Request(stage, self._task_messages(prompt, instruction), sampling, prompt.id)
        return await self.run.model(stage).ask(request)

    def _task_messages(self, prompt: Prompt, instruction: str) -> Any:
        name = prompt.id.split("/")[-1].split("@")[0]
        variables: dict[str, Any] = {"instruction": instruction, "demonstrations": self.demonstrations[name]}
        if prompt is not self.ask_kind:
            variables["max_instances"] = self.options.max_instances
        return prompt.render(**variables)

    def note(self, outcome: _Outcome) -> None:
        """Keep count of what has been yielded."""
        if outcome.developed:
            self.pool.develop()
        if outcome.is_classification:
            self.labels.append(Counter(r.fields["output"] for r in outcome.records if r.dropped is None))

    def notes(self) -> dict[str, object]:
        """For the report: why the run stopped, and how balanced the labels came out."""
        spread = [_evenness(counts) for counts in self.labels if counts]
        return {
            **seed_facts(self.options.seeds, self.pool.seeds),
            "stopped": self.pool.stop_reason() or "ended early",
            "requests_for_instructions": self.pool.asked,
            "requests_read": self.pool.consumed,
            "instructions_accepted": len(self.pool.accepted),
            "instructions_developed": self.begun,
            "classification_tasks": len(spread),
            "mean_labels_per_task": round(sum(map(len, self.labels)) / max(1, len(spread)), 3),
            "mean_label_evenness": round(sum(spread) / len(spread), 3) if spread else None,
        }


def _demonstrations(prompts: Prompts, count: int | None) -> dict[str, list[Any]]:
    data = prompts.data(f"{FOLDER}/demonstrations.yaml")
    return {name: list(data.get(name) or [])[:count] for name in ("classification", "input_first", "output_first")}


def _fields(instruction: str, instance: Instance) -> dict[str, Any]:
    return {"instruction": instruction, "input": instance.input, "output": instance.output}


def _evenness(counts: Counter[str]) -> float:
    """Shannon entropy of the labels over its maximum: 1 when all are equally frequent, or there is one only."""
    if len(counts) < 2:
        return 1.0
    total = counts.total()
    return -sum(n / total * math.log(n / total) for n in counts.values()) / math.log(len(counts))
