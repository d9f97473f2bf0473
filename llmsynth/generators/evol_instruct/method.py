"""`EvolInstruct`: the method of the WizardLM paper, round by round."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmsynth.errors import RecipeError
from llmsynth.forecast import StageEstimate
from llmsynth.generated import Generated, joined
from llmsynth.generators._provenance import Trail, failed
from llmsynth.generators.evol_instruct.auto import Auto, Improvement
from llmsynth.generators.evol_instruct.elimination import Elimination, Growth
from llmsynth.generators.evol_instruct.evolving import FOLDER, Wording, read_evolution
from llmsynth.generators.evol_instruct.forecast import forecast
from llmsynth.generators.evol_instruct.operators import PACKS, Pack, choose, weighted
from llmsynth.generators.evol_instruct.rows import (
    NAME,
    Evolution,
    Progress,
    Row,
    Stop,
    id_of,
    lineage_of,
    provenance_of,
    rating_in,
    widths,
)
from llmsynth.generators.evol_instruct.seeding import Seeding
from llmsynth.generators.protocol import About
from llmsynth.order import ordered
from llmsynth.parsing import parse_equality, without_thinking
from llmsynth.prompts import Prompt
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.similarity import RougeIndex, rouge_l, tokens_of_any_script
from llmsynth.sources import Seed
from llmsynth.text import one_line, shorten

_PAPERS_OF_PACKS = {"code": ("wizardcoder",), "math": ("wizardmath",)}
_AFTERWARDS = (
    " Rewritings that gain nothing, repeat the rewriting prompt or cannot be answered are eliminated; the others are"
    " answered from their text alone, and rewritten further."
)
_NEIGHBOURS = 4  # texts of other rows that are looked at to tell whether an evolution is like one of them


@dataclass(frozen=True)
class EvolInstruct:
    """Makes instructions harder, or rarer, round by round, and answers them (arXiv 2304.12244, section 3).

    In every round each row's latest accepted instruction goes through one operator chosen at random. What comes
    out is checked, judged against its parent, answered, and its answer checked. If all went well it takes its
    parent's place, else the parent stays and the record of the attempt is dropped with its reason.

    seeds: a file or folder of seed tasks, or "builtin"; or another generator's records, `Generated`, which evolve while
        further ones are made. A seed's first input becomes part of its instruction.
    pack: general (WizardLM), code (WizardCoder, arXiv 2306.08568), math (WizardMath, arXiv 2308.09583), or auto
        (Auto Evol-Instruct, arXiv 2406.00770): one operator, which follows the method in a prompt file.
    auto: how a model improves that method first; with no steps it is followed as it stands.
    operators: weight by operator; one that is left out is never chosen; empty means all of the pack alike.
    breadth: the share of the operators that make another task, whatever the weights.
    seed_license: of seeds that do not say theirs.
    include_seeds: whether the seeds, with their own answers, are records too, as round 0. Another generator's records
        are records in any case; if not included, they are dropped, so that all are accounted for.
    threshold: ROUGE-L F1 above which a task made in breadth is no news. It is compared with the seeds (of another
        generator's records with those made by then) and with every evolved instruction before it, in the order of
        rounds and rows, whether those were accepted or not.
    difficulty: ask for a rating of every accepted instruction and every seed, from 1 to 10.
    demonstrations: how many worked examples the prompt of complicate_input shows.
    lookahead: evolutions asked for ahead; changes speed, and what is asked for near a target, but no record.
    evolve, judge, respond, rate: sampling of the stages. Of evolve and respond, temperature and max_tokens are those
        of the released code. Its top_p is 0.95; 0.9 is the paper's as we remember it, and has not been looked up again.

    Deviations from the paper: an evolution that repeats an instruction, or changes one word of its parent at
    most, is eliminated before the judge is paid; length, lost material and refusals are checked too.
    """

    seeds: str | Generated = "builtin"
    pack: Pack = "general"
    auto: Auto = field(default_factory=Auto)
    rounds: int = 4
    operators: dict[str, float] = field(default_factory=dict)
    breadth: float | None = None
    include_seeds: bool = True
    seed_license: str = ""
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
        if not isinstance(self.seeds, str | os.PathLike | Generated):
            raise RecipeError(
                f"seeds is {self.seeds!r}", "a file, or another generator's: Generated(GLAN(), target=500)"
            )
        if not 0 < self.threshold <= 1:
            raise RecipeError(f"threshold is {self.threshold}", "a ROUGE-L F1 above 0, at most 1")
        if self.pack not in PACKS:
            raise RecipeError(f"there is no pack {self.pack!r}", f"one of {', '.join(PACKS)}")
        if self.auto.steps and self.pack != "auto":
            raise RecipeError(f"auto: the pack {self.pack} has no method to improve", "take the pack auto, or no steps")
        if isinstance(self.seeds, Generated) and (self.auto.steps or self.stop.score is not None):
            what = "auto.steps" if self.auto.steps else "stop.score"
            raise RecipeError(
                f"{what} needs all seeds at once, and these are yet to be made",
                "make them in a run of their own, whose dataset is the seeds of this one",
            )
        weighted(self.pack, self.operators, self.breadth)

    @property
    def about(self) -> About:
        """What the card says: of the generator that makes the seeds too, if one does."""
        about = self._method()
        return joined(self.seeds.generator.about, about) if isinstance(self.seeds, Generated) else about

    def _method(self) -> About:
        """Told by how it evolves: by operators, or by a method."""
        if self.pack == "auto":
            improved = " A model analysed what came of that method, and improved it first." if self.auto.steps else ""
            return About(
                "Auto Evol-Instruct: a language model rewrites each task, round by round, into a more complex one,"
                f" following the steps of a method.{improved}{_AFTERWARDS}",
                ("auto-evol-instruct", "evol-instruct"),
            )
        return About(
            "Evol-Instruct: a language model rewrites each task, round by round, into a harder or a rarer one by an"
            f" operator chosen at random.{_AFTERWARDS}",
            ("evol-instruct", *_PAPERS_OF_PACKS.get(self.pack, ())),
        )

    def validate(self, run: Run) -> None:
        """Read everything a run needs, so that a mistake in it costs nothing."""
        Work(self, run)
        if isinstance(self.seeds, Generated):
            self.seeds.validate(run)

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Requests and tokens by stage: at most rows x rounds of each, and what improving a method takes."""
        return forecast(Work(self, run), past)

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        """Records with the fields instruction, input (of seeds only) and output; rejected ones have fewer."""
        work = Work(self, run)
        progress, seeding = work.progress, work.seeding
        try:
            if self.include_seeds:
                async for record in ordered(work.original, seeding.seeds, self.lookahead):
                    progress.note_original(record)
                    yield record
            if self.auto.steps and progress.wants_more():
                await work.improve()
            while progress.wants_more():
                ahead, at_once = widths(self.lookahead, progress.rows)
                held: list[Record] = []  # until its round has been scored, if it has to be
                async for outcome in ordered(work.develop, work.evolutions(ahead), at_once):
                    for record in work.passing(outcome):
                        yield record
                    work.settle(outcome)
                    if progress.evol_stop is None:
                        yield outcome.record()
                    else:
                        held.append(outcome.record())
                for record in work.passing():
                    yield record
                for record in await progress.scored(held):
                    yield record
                await run.settle()
            # no use in evolving further, but what the other generator makes is wanted for itself
            while self.include_seeds and seeding.open and run.missing > 0 and progress.stop_reason():
                await seeding.grow()
                for record in work.passing():
                    yield record
        finally:
            await seeding.aclose()
            run.notes |= {**seeding.notes(), **progress.notes()}


@dataclass
class Work:
    """One run of the method."""

    options: EvolInstruct
    run: Run

    def __post_init__(self) -> None:
        options, prompts = self.options, self.run.prompts
        self.seeding = Seeding(options.seeds, self.run, options.include_seeds, options.seed_license)
        self.rows = self.seeding.rows
        self.progress = Progress(self.run, self.seeding, options.rounds, options.stop)
        self.operators = weighted(options.pack, options.operators, options.breadth)
        self.wording = Wording.load(options, [operator for operator, _ in self.operators], prompts)
        self.ask_equal = prompts.load(f"{FOLDER}/equality", {"first", "second"})
        self.ask_difficulty = prompts.load(f"{FOLDER}/difficulty", {"instruction"})
        self.ask_equal.render(first="a", second="b")
        self.ask_difficulty.render(instruction="a")
        self.improvement = Improvement(options, self.run, self.rows, self.wording) if options.auto.steps else None
        self.seen: set[str] = set()
        self.origins: dict[str, str] = {}  # the seeds' texts, by lineage
        fresh = any(operator.kind == "fresh" for operator, _ in self.operators)
        self.index = RougeIndex(options.threshold, tokens_of_any_script) if fresh or options.stop.novelty >= 0 else None
        for row in self.rows:
            self._enter(row)

    async def improve(self) -> None:
        """Evolve by a better method from now on."""
        assert self.improvement is not None
        self.wording = self.wording.by(await self.improvement.best())

    async def original(self, seed: Seed) -> Record:
        """A seed as a record, with the answer it came with."""
        given, answer = seed.instances[0]
        fields = {"instruction": seed.instruction, "input": given, "output": answer}
        origin = {
            "round": 0,
            "lineage": seed.id,
            "parents": [],
            "source": seed.source,
            "history": [],
            **provenance_of(seed),
        }
        trail, scores = Trail(NAME, origin), {}
        if self.options.difficulty:
            text = Row.of(seed).text
            rating = await self._ask("difficulty", self.ask_difficulty, self.options.rate, instruction=text)
            trail, scores = trail.after("difficulty", rating), rating_in(rating)
        return Record(id_of(seed.id, 0), fields, trail.meta(), scores)

    def passing(self, evolution: Evolution | None = None) -> Iterator[Record]:
        """Another generator's records that go on now; see `Seeding`."""
        for record in self.seeding.passing(evolution):
            self.progress.note_original(record)
            yield record

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
                **row.meta,
            }
            asked.append(Evolution(number, round, row, operator, Trail(NAME, origin)))
            yield self.wording.evolve(row.text, operator, rng)

    def _read(self, evolution: Evolution, completion: Completion) -> Evolution:
        evolution = evolution.after("evolve", completion)
        if isinstance(self.options.seeds, Generated) and evolution.round == 1:
            # only now, and not when it came in: where that is depends on the lookahead
            new, options = self._enter(evolution.parent), self.options
            evolution = dataclasses.replace(evolution, rates_seed=new and options.difficulty and options.include_seeds)
        text, drop = read_evolution(self.options, evolution.operator, evolution.parent, completion)
        evolution = dataclasses.replace(evolution, text=text, drop=drop)
        return evolution if drop else self._news(evolution)

    def _enter(self, row: Row) -> bool:
        """Let a seed's text be one that was there before; False if it was."""
        text = one_line(row.text)
        new = text not in self.seen
        self.seen.add(text)
        self.origins[row.lineage] = row.origin
        if self.index is not None:
            self.index.add(row.text, row.id)
        return new

    def _news(self, evolution: Evolution) -> Evolution:
        """The evolution, dropped if its text was there before. One that was not is there from now on, whatever becomes
        of it: so the verdict on another never hangs on answers that may be in or not, and no two requests are alike."""
        text = one_line(evolution.text)
        if text in self.seen:
            return evolution.dropped(Drop("duplicate_instruction", shorten(text)))
        if self.index is not None:
            # of the row itself there is one text from each round before, at most
            near = self.index.matches(evolution.text, evolution.round + _NEIGHBOURS)
            if near and evolution.operator.kind == "fresh":
                return evolution.dropped(Drop("not_novel", f"ROUGE-L {near[0].score:.3f} with {near[0].id}"))
            evolution = dataclasses.replace(evolution, echo=self._echo(evolution.parent, [match.id for match in near]))
            self.index.add(evolution.text, evolution.id)
        self.seen.add(text)
        return evolution

    def _echo(self, row: Row, near: list[str]) -> bool:
        """Whether any of these texts comes from another seed, and one that this row's seed was not like."""
        others = {id if id in self.origins else lineage_of(id) for id in near} - {row.lineage}
        likeness = (rouge_l(row.origin, self.origins[other], tokens_of_any_script) for other in others)
        return any(f1 <= self.options.threshold for f1 in likeness)

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
            if equal is None and verdict.truncated:
                return evolution.dropped(Drop("truncated", "the token limit came before the verdict on equality"))
            if equal is None:
                return evolution.dropped(Drop("equality_unreadable", shorten(verdict.text) or "an empty verdict"))
            if equal:
                return evolution.dropped(Drop("no_information_gain", "judged equal to its parent"))
        reply = await self.run.model("responses").ask(self.wording.answer(evolution.text))
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
        self.progress.note(evolution.round, evolution.operator.name, evolution.record(), evolution.echo)
        if evolution.drop is not None:
            return
        row = self.rows[evolution.number]
        row.id, row.text, row.answer = evolution.id, evolution.text, evolution.answer
        row.history = (*row.history, evolution.operator.name)
        if evolution.operator.kind in ("fresh", "down"):
            row.given = ""  # the task works on something else now
