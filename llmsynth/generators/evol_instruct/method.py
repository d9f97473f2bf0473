"""`EvolInstruct`: the method of the WizardLM paper, round by round."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from llmsynth.errors import PromptError, RecipeError
from llmsynth.generated import Generated, joined
from llmsynth.generators._forecast import stage_estimate
from llmsynth.generators._provenance import Trail, failed
from llmsynth.generators.evol_instruct.elimination import Elimination, Growth
from llmsynth.generators.evol_instruct.operators import PACKS, Operator, Pack, choose, weighted
from llmsynth.generators.evol_instruct.rows import NAME, Evolution, Progress, Row, Stop, id_of, rating_in, widths
from llmsynth.generators.evol_instruct.seeding import Seeding
from llmsynth.generators.protocol import About, StageEstimate
from llmsynth.model import ordered
from llmsynth.parsing import parse_equality, unwrap, without_thinking
from llmsynth.prompts import Prompt
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.similarity import RougeIndex
from llmsynth.sources import Seed
from llmsynth.text import one_line, shorten

FOLDER = "evol_instruct"
_TYPICAL_TASK, _TYPICAL_ANSWER = "." * 400, "." * 1400  # for estimates, where the seeds are yet to be made


@dataclass(frozen=True)
class EvolInstruct:
    """Makes instructions harder, or rarer, round by round, and answers them (arXiv 2304.12244, section 3).

    In every round each row's latest accepted instruction goes through one operator chosen at random. What comes
    out is checked, judged against its parent, answered, and its answer checked. If all went well it takes its
    parent's place, else the parent stays and the record of the attempt is dropped with its reason.

    seeds: a file or folder of seed tasks, or "builtin"; or another generator's records, `Generated`, which evolve while
        further ones are made. A seed's first input becomes part of its instruction.
    pack: general (WizardLM), code (WizardCoder, arXiv 2306.08568) or math (WizardMath, arXiv 2308.09583).
    operators: weight by operator; one that is left out is never chosen; empty means all of the pack alike.
    breadth: the share of the operators that make another task, whatever the weights.
    include_seeds: whether the seeds, with their own answers, are records too, as round 0. Another generator's records
        are records in any case; if not included, they are dropped, so that all are accounted for.
    threshold: ROUGE-L F1 above which a task made in breadth is no news. It is compared with the seeds (of another
        generator's records with those made by then) and with every evolved instruction before it, in the order of
        rounds and rows, whether those were accepted or not.
    difficulty: ask for a rating of every accepted instruction and every seed, from 1 to 10.
    demonstrations: how many worked examples the prompt of complicate_input shows.
    lookahead: evolutions asked for ahead; changes speed, and what is asked for near a target, but no record.
    evolve, judge, respond, rate: sampling of the stages. evolve and respond have the paper's; the released code
        has a top_p of 0.95.

    Deviations from the paper: an evolution that repeats an instruction, or changes one word of its parent at
    most, is eliminated before the judge is paid; length, lost material and refusals are checked too.
    """

    method: ClassVar[About] = About(
        "Evol-Instruct: a language model rewrites each task, round by round, into a harder or a rarer one by an"
        " operator chosen at random. Rewritings that gain nothing, repeat the rewriting prompt or cannot be answered"
        " are eliminated; the others are answered from their text alone, and rewritten further.",
        ("evol-instruct",),
    )

    seeds: str | Generated = "builtin"
    pack: Pack = "general"
    rounds: int = 4
    operators: dict[str, float] = field(default_factory=dict)
    breadth: float | None = None
    include_seeds: bool = True
    growth: Growth = field(default_factory=Growth)
    elimination: Elimination = field(default_factory=Elimination)
    threshold: float = 0.7
    difficulty: bool = False
    demonstrations: int = 2
    stop: Stop = field(default_factory=Stop)
    lookahead: int = 64
    evolve: Sampling = Sampling(temperature=1.0, top_p=0.9, max_tokens=2048)
    judge: Sampling = Sampling(temperature=0.0, max_tokens=16)
    respond: Sampling = Sampling(temperature=1.0, top_p=0.9, max_tokens=2048)
    rate: Sampling = Sampling(temperature=0.0, max_tokens=16)

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.lookahead < 1 or self.demonstrations < 1:
            raise RecipeError("rounds, lookahead and demonstrations must be at least 1", "4, 64 and 2 are usual")
        if not 0 < self.threshold <= 1:
            raise RecipeError(f"threshold is {self.threshold}", "a ROUGE-L F1 above 0, at most 1")
        if self.pack not in PACKS:
            raise RecipeError(f"there is no pack {self.pack!r}", f"one of {', '.join(PACKS)}")
        weighted(self.pack, self.operators, self.breadth)

    @property
    def about(self) -> About:
        """What the card says: of the generator that makes the seeds too, if one does."""
        return joined(self.seeds.generator.about, self.method) if isinstance(self.seeds, Generated) else self.method

    def validate(self, run: Run) -> None:
        """Read everything a run needs, so that a mistake in it costs nothing."""
        _Work(self, run)
        if isinstance(self.seeds, Generated):
            self.seeds.validate(run)

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Requests and tokens by stage: at most rows x rounds of each."""
        return _Work(self, run).estimate(past)

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        """Records with the fields instruction, input (of seeds only) and output; rejected ones have fewer."""
        work = _Work(self, run)
        progress, seeding = work.progress, work.seeding
        try:
            if self.include_seeds:
                async for record in ordered(work.original, seeding.seeds, self.lookahead):
                    progress.note_original(record)
                    yield record
            while progress.wants_more():
                ahead, at_once = widths(self.lookahead, progress.rows)
                async for outcome in ordered(work.develop, work.evolutions(ahead), at_once):
                    for record in seeding.passing(outcome):
                        progress.note_original(record)
                        yield record
                    work.settle(outcome)
                    yield outcome.record()
                for record in seeding.passing():
                    progress.note_original(record)
                    yield record
                await run.settle()
            # no use in evolving further, but what the other generator makes is wanted for itself
            while self.include_seeds and seeding.open and run.missing > 0 and progress.stop_reason():
                await seeding.grow()
                for record in seeding.passing():
                    progress.note_original(record)
                    yield record
        finally:
            await seeding.aclose()
            run.notes |= {**seeding.notes(), **progress.notes()}


@dataclass
class _Work:
    """One run of the method."""

    options: EvolInstruct
    run: Run

    def __post_init__(self) -> None:
        options, prompts = self.options, self.run.prompts
        self.seeding = Seeding(options.seeds, self.run, options.include_seeds)
        self.rows = self.seeding.rows
        self.progress = Progress(self.run, self.seeding, options.rounds, options.stop)
        self.operators = weighted(options.pack, options.operators, options.breadth)
        folder = f"{FOLDER}/{options.pack}"
        variables = {"prompt", "low", "high", "demonstrations"}
        self.prompts = {o.name: prompts.load(f"{folder}/{o.name}", variables) for o, _ in self.operators}
        self.ask_equal = prompts.load(f"{FOLDER}/equality", {"first", "second"})
        self.ask_response = prompts.load(f"{FOLDER}/response", {"instruction"})
        self.ask_difficulty = prompts.load(f"{FOLDER}/difficulty", {"instruction"})
        self.examples: list[Any] = []
        if "complicate_input" in self.prompts:
            self.examples = _examples(prompts.data(f"{folder}/demonstrations.yaml"), options.demonstrations)
        self.seen: set[str] = set()
        self.index = RougeIndex(options.threshold) if any(o.kind == "fresh" for o, _ in self.operators) else None
        for row in self.rows:
            self._enter(row)
        for operator, _ in self.operators:  # what the templates reach for inside their variables must be there
            self._evolve_messages("A task.", operator, Random(0))
        self.ask_equal.render(first="a", second="b")
        for prompt in (self.ask_response, self.ask_difficulty):
            prompt.render(instruction="a")

    def estimate(self, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Rendered on the seeds; what survives is measured on an earlier run, or everything is taken to."""
        options, run = self.options, self.run
        notes, usage = (past["notes"], past["usage"]) if past else ({}, {})
        tried = notes.get("evolutions") or 0
        survival = (notes.get("evolutions_accepted") or 0) / tried if tried else 1.0
        each = float(options.include_seeds)  # records of each seed itself
        if isinstance(options.seeds, Generated):
            few = run.missing / max(each + survival, 0.01)  # a small target is met within the first round
            rows = options.seeds.target if few >= options.seeds.target else math.ceil(few)
            stages, texts, answers = options.seeds.estimate(run, past, rows), [_TYPICAL_TASK], [_TYPICAL_ANSWER]
        else:
            rows, stages = len(self.rows), []
            texts, answers = [row.text for row in self.rows], [row.answer for row in self.rows]
        wanted = run.missing - rows * each
        evolutions = rows * options.rounds
        if wanted < evolutions:
            evolutions = min(evolutions, math.ceil(max(0, wanted) / max(survival, 0.01)))

        def share(stage: str) -> int:
            asked = usage.get(stage, {}).get("answers")
            return round(evolutions * asked / tried) if tried and asked is not None else evolutions

        def evolve(i: int) -> Any:
            rng = run.rng("estimate", i)
            return self._evolve_messages(texts[i % len(texts)], choose(self.operators, rng), rng)

        stages.append(stage_estimate("evolve", evolutions, evolve, texts, options.evolve, past))
        if options.elimination.equality:
            pair = lambda i: self.ask_equal.render(first=texts[i % len(texts)], second=texts[i % len(texts)])  # noqa: E731
            stages.append(stage_estimate("equality", share("equality"), pair, ["Not Equal"], options.judge, past))

        def about(prompt: Prompt) -> Any:
            return lambda i: prompt.render(instruction=texts[i % len(texts)])

        reply = about(self.ask_response)
        stages.append(stage_estimate("responses", share("responses"), reply, answers, options.respond, past))
        if options.difficulty:
            rated = round(evolutions * survival + rows * each)
            stages.append(stage_estimate("difficulty", rated, about(self.ask_difficulty), ["7"], options.rate, past))
        return stages

    async def original(self, seed: Seed) -> Record:
        """A seed as a record, with the answer it came with."""
        given, answer = seed.instances[0]
        fields = {"instruction": seed.instruction, "input": given, "output": answer}
        origin = {"round": 0, "lineage": seed.id, "parents": [], "source": seed.source, "history": []}
        trail, scores = Trail(NAME, origin), {}
        if self.options.difficulty:
            text = Row.of(seed).text
            rating = await self._ask("difficulty", self.ask_difficulty, self.options.rate, instruction=text)
            trail, scores = trail.after("difficulty", rating), rating_in(rating)
        return Record(id_of(seed.id, 0), fields, trail.meta(), scores)

    # stage 1: evolutions

    async def evolutions(self, ahead: int) -> AsyncIterator[Evolution]:
        """Attempts in the order of rounds and rows, rejected ones too; the part that knows the pool."""
        asked: deque[Evolution] = deque()
        requests = self._requests(asked)
        async for completion in self.run.model("evolve").stream(requests, ahead):
            yield self._read(asked.popleft(), completion)

    async def _requests(self, asked: deque[Evolution]) -> AsyncIterator[Request]:
        while self.progress.wants_more():
            if self.seeding.open and not await self.seeding.grow():
                return  # the rows are all there: the second round goes by their number
            position = self.progress.asked
            self.progress.asked += 1
            round, number = position // len(self.rows) + 1, position % len(self.rows)
            row = dataclasses.replace(self.rows[number])
            rng = self.run.rng("evolve", id_of(row.lineage, round))
            operator = choose(self.operators, rng)
            origin = {
                "round": round,
                "lineage": row.lineage,
                "parents": [row.id],
                "operator": operator.name,
                "pack": self.options.pack,
                "source": row.source,
            }
            asked.append(Evolution(number, round, row, operator, Trail(NAME, origin)))
            messages = self._evolve_messages(row.text, operator, rng)
            yield Request("evolve", messages, self.options.evolve, self.prompts[operator.name].id)

    def _evolve_messages(self, text: str, operator: Operator, rng: Random) -> Any:
        low, high = self.options.growth.target
        shown = rng.sample(self.examples, min(len(self.examples), self.options.demonstrations))
        return self.prompts[operator.name].render(prompt=text, low=low, high=high, demonstrations=shown)

    def _read(self, evolution: Evolution, completion: Completion) -> Evolution:
        evolution = evolution.after("evolve", completion)
        if isinstance(self.options.seeds, Generated) and evolution.round == 1:
            # only now, and not when it came in: where that is depends on the lookahead
            new, options = self._enter(evolution.parent), self.options
            evolution = dataclasses.replace(evolution, rates_seed=new and options.difficulty and options.include_seeds)
        if completion.failure:
            return evolution.dropped(failed(completion))
        text = _unquoted(unwrap(completion.text).strip(), evolution.parent.text)
        evolution = dataclasses.replace(evolution, text=text)
        if completion.truncated:
            return evolution.dropped(Drop("truncated", "the token limit cut the instruction short"))
        options, kind, parent = self.options, evolution.operator.kind, evolution.parent
        drop = options.elimination.evolved(kind, parent.text, text, parent.origin, parent.given, parent.answer)
        drop = drop or options.growth(kind, parent.text, text)
        return evolution.dropped(drop or self._no_news(evolution))

    def _enter(self, row: Row) -> bool:
        """Let a seed's text be one that was there before; False if it was."""
        text = one_line(row.text)
        new = text not in self.seen
        self.seen.add(text)
        if self.index is not None:
            self.index.add(row.text, row.id)
        return new

    def _no_news(self, evolution: Evolution) -> Drop | None:
        """Whether the text was there before. One that was not is there from now on, whatever becomes of it:
        so the verdict on another never hangs on answers that may be in or not, and no two requests are alike."""
        text = one_line(evolution.text)
        if text in self.seen:
            return Drop("duplicate_instruction", shorten(text))
        if self.index is not None:
            nearest = self.index.nearest(evolution.text) if evolution.operator.kind == "fresh" else None
            if nearest is not None:
                return Drop("not_novel", f"ROUGE-L {nearest.score:.3f} with {nearest.id}")
            self.index.add(evolution.text, evolution.id)
        self.seen.add(text)
        return None

    # stages 2 and 3: was anything gained, and can it be answered?

    async def develop(self, evolution: Evolution) -> Evolution:
        """Judge and answer; a rejected evolution stays as it is."""
        options = self.options
        if evolution.rates_seed:
            task = evolution.parent.text
            rating = await self._ask("difficulty", self.ask_difficulty, options.rate, instruction=task)
            evolution = dataclasses.replace(evolution, seed_rating=rating)
        if evolution.drop is not None:
            return evolution
        if options.elimination.equality:
            verdict = await self._ask(
                "equality", self.ask_equal, options.judge, first=evolution.parent.text, second=evolution.text
            )
            evolution = evolution.after("equality", verdict)
            if verdict.failure:
                return evolution.dropped(failed(verdict))
            equal = parse_equality(verdict.text)
            if equal is None:
                return evolution.dropped(Drop("equality_unreadable", shorten(verdict.text) or "an empty verdict"))
            if equal:
                return evolution.dropped(Drop("no_information_gain", "judged equal to its parent"))
        reply = await self._ask("responses", self.ask_response, options.respond, instruction=evolution.text)
        evolution = evolution.after("responses", reply)
        if reply.failure:
            return evolution.dropped(failed(reply))
        evolution = dataclasses.replace(evolution, answer=without_thinking(reply.text).strip())
        if reply.truncated:
            return evolution.dropped(Drop("truncated", "the token limit cut the answer short"))
        evolution = evolution.dropped(options.elimination.answered(evolution.answer))
        if evolution.drop is None and options.difficulty:
            rating = await self._ask("difficulty", self.ask_difficulty, options.rate, instruction=evolution.text)
            evolution = evolution.after("difficulty", rating, scores=rating_in(rating))
        return evolution

    async def _ask(self, stage: str, prompt: Prompt, sampling: Sampling, **variables: str) -> Completion:
        return await self.run.model(stage).ask(Request(stage, prompt.render(**variables), sampling, prompt.id))

    def settle(self, evolution: Evolution) -> None:
        """Count an attempt; one that was accepted takes its parent's place in the row."""
        self.progress.note(evolution.round, evolution.operator.name, evolution.record())
        if evolution.drop is not None:
            return
        row = self.rows[evolution.number]
        row.id, row.text, row.answer = evolution.id, evolution.text, evolution.answer
        row.history = (*row.history, evolution.operator.name)
        if evolution.operator.kind in ("fresh", "down"):
            row.given = ""  # the task works on something else now


def _examples(data: dict[str, Any], least: int) -> list[Any]:
    examples = list(data.get("complicate_input") or [])
    if len(examples) < least:
        raise PromptError(
            f"{FOLDER}/general/demonstrations.yaml holds {len(examples)} examples for complicate_input",
            f"demonstrations asks for {least}",
        )
    return examples


def _unquoted(text: str, parent: str) -> str:
    """The text without the quotation marks that models put around what they quote."""
    marks = {'"': '"', "“": "”"}.get(text[:1])
    inner = text[1:-1]
    if (
        marks
        and text.endswith(marks)
        and len(text) > 2
        and not {text[0], marks} & {*inner}
        and text[0] not in parent[:1]
    ):
        return inner.strip()
    return text
