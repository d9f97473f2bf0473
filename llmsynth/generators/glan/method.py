"""`GLAN`: the method of the paper, from a taxonomy to questions and answers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from llmsynth.benchmarks import Benchmarks
from llmsynth.errors import RecipeError
from llmsynth.forecast import StageEstimate
from llmsynth.generators._provenance import Trail, failed, nothing_in
from llmsynth.generators.glan.account import Account
from llmsynth.generators.glan.branches import Branch, Branches, Course, NoCourse, Plan, Policy, slug
from llmsynth.generators.glan.forecast import Shape, forecast
from llmsynth.generators.glan.reading import Session, read_question, same
from llmsynth.generators.glan.sampling import Pick
from llmsynth.generators.glan.schedule import Schedule, Slot, evenness
from llmsynth.generators.protocol import About
from llmsynth.order import ordered
from llmsynth.parsing.wrapping import without_thinking
from llmsynth.record import Drop, Record
from llmsynth.request import Request, Sampling
from llmsynth.run import Run
from llmsynth.taxonomy import Names, Taxonomy
from llmsynth.text import fingerprint, shorten


@dataclass(frozen=True)
class GLAN:
    """Questions and answers from a taxonomy of human knowledge, without seeds (arXiv 2402.13064).

    Each discipline of the taxonomy is asked for its subjects, each subject for a syllabus; class sessions and key
    concepts of a syllabus are drawn, and a question on them is written and, by a call of its own, answered.
    A syllabus is asked for when the first question on it comes up, so a small target costs little.

    taxonomy: a shipped one by name, or a file. select: only these nodes of it, and what is below them.
    queries: times each discipline is asked for its subjects; the answers are merged. Equal names within a
        discipline are one subject; across disciplines they stay apart, unless `unique_subjects`.
    turns: 2 asks for free text and then, in the same conversation, for data; 1 asks for data at once, by a JSON
        schema that every answer has to fit, whether or not the model can be held to it; and so for the sessions of
        a syllabus, which are read more forgivingly.
    subjects: used per discipline at most.
    attempts: times a reply that cannot be read, or breaks the schema, is asked for again, the first included.
    sessions: how many a syllabus has, from and to. out_of_range: "trim" uses the first of too many and
        drops too few, "keep" takes any number, "drop" drops both; what is dropped is first asked for again.
    two_sessions: share of the questions that bring two sessions together (strategy B); see `Combinations`.
    questions_per_pick: questions asked on each combination of concepts.
    quotas: kept records at most, by a discipline's or a field's name; of two that fit, the smaller counts.
    held_out: share of the concept combinations whose questions are marked `split` "test"; by a hash of the
        concepts, so that no combination is in both splits, in whatever course it comes up.
    held_out_per_discipline: of those, questions asked per discipline at most; the paper's test has 50 each. What
        would be one more is passed over, for another combination that is not held out.
    decontaminate: benchmark files; a record that holds one of their texts, or `ngram` words in a row of one, is dropped
        as "contaminated". What is nearly one of them is for the step `decontaminate`.
    max_questions, stall: stop at so many questions, or when so many in a row were dropped, here or by the steps.
    lookahead: slots worked on ahead of the one whose answer is being used, at each of three stages.

    Deviations from the paper: the sampling of concepts is uniform over combinations, where the paper does not say;
    a question equal to an earlier one is dropped before it is answered; syllabi are made as needed.
    """

    about: ClassVar[About] = About(
        "GLAN: a taxonomy of human knowledge is broken down, discipline by discipline, into subjects and the syllabi of"
        " courses on them. Class sessions and key concepts drawn from a syllabus make a homework question, which"
        " another call answers. No seed data is used. The column `split` marks what is held out, by combination"
        " of concepts.",
        ("glan",),
        {"instruction": "string", "input": "string", "output": "string", "split": "string"},
    )

    taxonomy: str = "glan"
    select: tuple[str, ...] = ()
    queries: int = 10
    turns: Literal[1, 2] = 2
    subjects: int | None = None
    unique_subjects: bool = False
    attempts: int = 2
    sessions: tuple[int, int] = (10, 30)
    out_of_range: Policy = "trim"
    two_sessions: float = 0.5
    questions_per_pick: int = 1
    quotas: Mapping[str, int] = field(default_factory=dict)
    held_out: float = 0.0
    held_out_per_discipline: int | None = None
    decontaminate: tuple[str, ...] = ()
    ngram: int = 13
    max_questions: int | None = None
    stall: int = 200
    lookahead: int = 64
    structure: Sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=4096)
    question: Sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=1024)
    answer: Sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=2048)

    def __post_init__(self) -> None:
        counts = (self.queries, self.attempts, self.questions_per_pick, self.stall, self.lookahead, self.ngram)
        if min(counts) < 1 or (self.subjects is not None and self.subjects < 1):
            raise RecipeError(
                "queries, subjects, attempts, questions_per_pick, ngram, stall and lookahead must be at least 1",
                "the paper asks each discipline 10 times",
            )
        if not 1 <= self.sessions[0] <= self.sessions[1]:
            raise RecipeError(f"sessions is {list(self.sessions)}", "from and to; the paper has [10, 30]")
        if not 0 <= self.two_sessions <= 1 or not 0 <= self.held_out < 1:
            raise RecipeError("two_sessions and held_out are shares", "from 0 to 1; held_out below 1")
        if self.held_out_per_discipline is not None and not (self.held_out_per_discipline > 0 and self.held_out > 0):
            raise RecipeError(
                "held_out_per_discipline is a number above 0, of a share held_out above 0",
                "held_out: 0.1 holds out one combination in ten until each discipline has its number",
            )
        if any(quota < 0 for quota in self.quotas.values()):
            raise RecipeError("a quota is below 0", "0 leaves a discipline out")

    @property
    def plan(self) -> Plan:
        """The options that branches need."""
        return Plan(
            self.queries,
            self.turns,
            self.subjects,
            self.attempts,
            self.sessions,
            self.out_of_range,
            self.two_sessions,
            self.structure,
        )

    def validate(self, run: Run) -> None:
        """Read everything a run needs, so that a mistake in it costs nothing."""
        _Work(self, run)
        if run.target is None and self.max_questions is None:
            raise RecipeError("neither a target nor max_questions", "a taxonomy has questions without end: set one")

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]:
        """Requests and tokens by stage, for the run's target."""
        work = _Work(self, run)
        shape = Shape.of(past, self.queries, self.subjects)
        return forecast(self, run, work.branches, work.disciplines, shape, past)

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        """Records with the fields instruction, input (empty), output and split; what is dropped before has fewer."""
        work = _Work(self, run)
        try:
            while work.schedule.wants_more():
                async for done in ordered(work.answer, work.questions(), self.lookahead):
                    for record in work.finish(done):
                        yield record
                await run.settle()
        finally:
            run.notes |= work.notes()
            await work.branches.close()


@dataclass(frozen=True, slots=True)
class _Ready:
    """A slot whose branch has grown: with a course to ask about, or without."""

    slot: Slot
    branch: Branch
    records: tuple[Record, ...] = ()
    course: Course | NoCourse | None = None
    subjects: int = 0  # of the discipline


@dataclass(frozen=True, slots=True)
class _Question:
    """A slot on its way to a record. `record` is None where there was nothing to ask."""

    slot: Slot
    records: tuple[Record, ...]
    request: Request | None = None
    record: Record | None = None
    trail: Trail | None = None


class _Work:
    """One run of the method."""

    def __init__(self, options: GLAN, run: Run) -> None:
        self.options, self.run = options, run
        taxonomy = Taxonomy.load(options.taxonomy)
        if options.select:
            taxonomy = taxonomy.select(options.select)
        self.disciplines = taxonomy.disciplines()
        quotas = _quotas(taxonomy, options.quotas)
        self.schedule = Schedule(run, self.disciplines, quotas, options.max_questions, options.stall)
        self.branches = Branches(options.plan, run)
        self.benchmarks = Benchmarks(options.decontaminate, options.ngram, near=None)
        self.seen: set[str] = set()
        self.owners: dict[str, Names] = {}
        self.account = Account(options.queries)
        self.tests: Counter[Names] = Counter()  # questions asked that are held out, by discipline
        self.useless: Counter[Names] = Counter()  # subjects without a course
        self.branches.question_messages(("A discipline",), "A subject", "basic", "1. A session", _EXAMPLE)
        self.branches.prompts.answer.render(question="A question?")

    # stage 1: a slot's course, once its branch has grown that far

    async def prepare(self, slot: Slot) -> _Ready:
        branch = await self.branches.branch(slot.path)
        subjects = self._usable(branch)
        records = branch.drops if slot.index == 0 else ()
        if not subjects:
            return _Ready(slot, branch, records)
        subject, trail = subjects[slot.index % len(subjects)]
        course = await self.branches.course(slot.path, subject, trail)
        if isinstance(course, NoCourse) and slot.index < len(subjects):
            records = (*records, course.record)  # by the first slot that needed it
        return _Ready(slot, branch, records, course, len(subjects))

    def _usable(self, branch: Branch) -> Sequence[Any]:
        if not self.options.unique_subjects:
            return branch.subjects
        return [pair for pair in branch.subjects if self.owners.get(same(pair[0].name)) == branch.path]

    # stage 2: the question, asked in order, as equal ones are told apart by it

    async def questions(self) -> AsyncIterator[_Question]:
        """Slots in order, with a question that is no repetition, or with the reason why there is none."""
        if self.options.unique_subjects and not self.owners:
            async for branch in ordered(self.branches.branch, self.disciplines, self.options.lookahead):
                for subject, _ in branch.subjects:
                    self.owners.setdefault(same(subject.name), branch.path)
        async for question in ordered(self._ask, self._drawn(), self.options.lookahead):
            yield self._without_repetition(question)

    async def _drawn(self) -> AsyncIterator[_Question]:
        async for ready in ordered(self.prepare, self.schedule.slots(), self.options.lookahead):
            self._note(ready)
            yield self._draw(ready.slot, ready.records, ready.course if isinstance(ready.course, Course) else None)

    def _note(self, ready: _Ready) -> None:
        """Count what has grown, when it is first used; close a discipline once none of its subjects can be."""
        slot, course = ready.slot, ready.course
        if slot.index == 0:
            self.account.note_branch(ready.branch)
        if course is not None and slot.index < ready.subjects:
            self.account.note_course(course)
        if not isinstance(course, Course) and slot.index < max(1, ready.subjects):
            self.useless[slot.path] += 1
            if self.useless[slot.path] >= ready.subjects:
                self.schedule.close(slot)

    def _draw(self, slot: Slot, records: tuple[Record, ...], course: Course | None) -> _Question:
        if course is None:
            return _Question(slot, records)
        pick, sessions, split = self._pick(slot, course)
        subject = course.subject
        messages = self.branches.question_messages(slot.path, subject.name, subject.level, course.text, sessions)
        prompt = self.branches.prompts.question
        trail = _about(course.trail, pick, sessions, split)
        if split == "test" and self._full(slot.path):  # every combination of so small a course is held out
            record = Record(f"{slug(slot.path)}-{slot.index}", {"split": split}, trail.meta())
            drop = record.drop("held_out_full", "the discipline has its held-out questions, and the course no others")
            return _Question(slot, records, record=drop, trail=trail)
        self.tests[slot.path] += split == "test"
        record = Record(f"{slug(slot.path)}-{slot.index}", {"split": split}, trail.meta())
        request = Request("questions", messages, self.options.question, prompt.id)
        return _Question(slot, records, request, record, trail)

    def _pick(self, slot: Slot, course: Course) -> tuple[Pick, list[Session], str]:
        """The next combination of a course, and its split; one that the test split has no place for is passed over."""
        times = self.options.questions_per_pick
        for _ in range(course.combinations.total * times):
            pick = course.next_pick(times)
            sessions = course.taken(pick)
            split = self._split(sessions)
            if split == "train" or not self._full(slot.path):
                break
        return pick, sessions, split

    def _full(self, path: Names) -> bool:
        most = self.options.held_out_per_discipline
        return most is not None and self.tests[path] >= most

    def _split(self, sessions: Sequence[Session]) -> str:
        concepts = sorted({same(concept) for session in sessions for concept in session.concepts})
        return "test" if int(fingerprint("split", *concepts)[:8], 16) < self.options.held_out * 2**32 else "train"

    async def _ask(self, question: _Question) -> _Question:
        if question.request is None or question.record is None or question.trail is None:
            return question
        reply = await self.run.model("questions").ask(question.request)
        trail = question.trail.after("questions", reply)
        text = "" if reply.failure else read_question(reply.text)
        drop = None
        if reply.failure:
            drop = failed(reply)
        elif reply.truncated:
            drop = Drop("truncated", "the token limit came before the end of the question")
        elif not text:
            drop = nothing_in(reply, "no_question", "question")
        fields = {**question.record.fields, "instruction": text, "input": ""} if text else question.record.fields
        record = dataclasses.replace(question.record, fields=fields, meta=trail.meta(), dropped=drop)
        return dataclasses.replace(question, record=record, trail=trail)

    def _without_repetition(self, question: _Question) -> _Question:
        record = question.record
        if record is None or record.dropped:
            return question
        key = fingerprint(same(record.fields["instruction"]).rstrip(" .?!"))  # signs count: 7 - 2 is not 7 + 2
        if key not in self.seen:
            self.seen.add(key)
            return question
        drop = record.drop("duplicate_question", "the same question was asked before")
        return dataclasses.replace(question, record=drop)

    # stage 3: the answer

    async def answer(self, question: _Question) -> _Question:
        record, trail = question.record, question.trail
        if record is None or trail is None or record.dropped:
            return question
        prompt = self.branches.prompts.answer
        messages = prompt.render(question=record.fields["instruction"])
        reply = await self.run.model("answers").ask(Request("answers", messages, self.options.answer, prompt.id))
        trail = trail.after("answers", reply)
        text = "" if reply.failure else without_thinking(reply.text).strip()
        drop = None
        if reply.failure:
            drop = failed(reply)
        elif reply.truncated:
            drop = Drop("truncated", "the token limit came before the end of the answer")
        elif not text:
            drop = Drop("no_answer", "the reply is empty")
        fields = {**record.fields, "output": text} if text else record.fields
        return dataclasses.replace(
            question, record=dataclasses.replace(record, fields=fields, meta=trail.meta(), dropped=drop)
        )

    # the end: decontamination, counts

    def finish(self, done: _Question) -> Iterator[Record]:
        """The records that can go on, judged, and counted as they go."""
        ours = list(done.records)
        if done.record:
            ours.append(self._decontaminated(done.record))
            self.account.note_record(ours[-1])
        kept = bool(done.record) and ours[-1].dropped is None
        self.schedule.settle(done.slot, kept, len(ours), asked=bool(done.record))
        yield from ours

    def _decontaminated(self, record: Record) -> Record:
        if record.dropped or not self.benchmarks:
            return record
        found = self.benchmarks.find(f"{record.fields['instruction']}\n\n{record.fields['output']}", record.id)
        return record.drop("contaminated", f"shares {shorten(found.text)!r} with {found.id}") if found else record

    def notes(self) -> dict[str, object]:
        """For the report: why the run stopped, how evenly it covers the disciplines, what estimates go by."""
        kept = {"/".join(path): n for path, n in zip(self.disciplines, self.schedule.kept, strict=True)}
        return {
            "stopped": self.schedule.stop_reason() or "ended early",
            "taxonomy": self.options.taxonomy.rpartition("/")[2],
            "disciplines": len(self.disciplines),
            "slots": self.schedule.asked,
            **self.account.notes(),
            "disciplines_covered": sum(n > 0 for n in kept.values()),
            "evenness_over_disciplines": evenness(self.schedule.kept),
            "kept_by_discipline": {path: n for path, n in kept.items() if n},
            "decontamination": self.benchmarks.report(),
        }


_EXAMPLE = [Session(1, "A session", ("A concept", "Another")), Session(2, "Another session", ("A third",))]


def _about(trail: Trail, pick: Pick, sessions: Sequence[Session], split: str) -> Trail:
    """The course's trail, with what the question is about."""
    more = {
        "strategy": pick.strategy,
        "sessions": [session.name for session in sessions],
        "session_numbers": [session.number for session in sessions],
        "concepts": [list(session.concepts) for session in sessions],
        "split": split,
    }
    return Trail(trail.generator, {**trail.origin, **more}, trail.steps)


def _quotas(taxonomy: Taxonomy, quotas: Mapping[str, int]) -> dict[Names, int]:
    """The quota of each discipline that has one."""
    found: dict[Names, int] = {}
    for name, quota in quotas.items():
        for path in taxonomy.select([name]).disciplines():
            found[path] = min(quota, found.get(path, quota))
    return found
