"""A discipline's subjects, and a subject's syllabus with its sessions and key concepts."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, TypeVar

from llmsynth.generators._provenance import Trail, failed
from llmsynth.generators.glan.reading import (
    SESSIONS_SCHEMA,
    SUBJECTS_SCHEMA,
    Session,
    Subject,
    read_fitting_subjects,
    read_sessions,
    read_subjects,
    same,
)
from llmsynth.generators.glan.sampling import Combinations, Pick
from llmsynth.parsing.wrapping import without_thinking
from llmsynth.prompts import Prompt, Prompts
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Message, Request, Sampling
from llmsynth.run import Run
from llmsynth.taxonomy import Names
from llmsynth.text import fingerprint, normalise, shorten

FOLDER = "glan"

T = TypeVar("T")
Policy = Literal["trim", "keep", "drop"]


@dataclass(frozen=True, slots=True)
class Branch:
    """The subjects of a discipline, merged from all its queries, and the queries that brought none."""

    path: Names
    subjects: tuple[tuple[Subject, Trail], ...]
    drops: tuple[Record, ...]
    unreadable: int = 0  # replies that could not be read


@dataclass(slots=True)
class Course:
    """A subject's syllabus, and what is still to be asked about it.

    sessions: those that are used; the text is always the whole syllabus.
    """

    path: Names
    subject: Subject
    text: str
    sessions: tuple[Session, ...]
    combinations: Combinations
    trail: Trail
    unreadable: int = 0  # replies that could not be read
    out_of_range: int = 0  # syllabi with too few or too many sessions, this one included
    _pick: Pick | None = None
    _left: int = 0

    def next_pick(self, times: int) -> Pick:
        """What the next question is about; each pick is handed out so many times."""
        if self._pick is None or not self._left:
            self._pick, self._left = self.combinations.draw(), times
        self._left -= 1
        return self._pick

    def taken(self, pick: Pick) -> list[Session]:
        """The sessions of a pick, each with the concepts that were picked of it alone."""
        return [
            dataclasses.replace(self.sessions[at], concepts=tuple(self.sessions[at].concepts[i] for i in chosen))
            for at, chosen in zip(pick.sessions, pick.concepts, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class NoCourse:
    """A subject without a usable syllabus; the counts are those of `Course`."""

    record: Record
    unreadable: int
    out_of_range: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The options that branches need; see `GLAN`."""

    queries: int
    turns: Literal[1, 2]
    subjects: int | None
    attempts: int
    sessions: tuple[int, int]
    out_of_range: Policy
    two_sessions: float
    structure: Sampling


@dataclass
class Branches:
    """Grows the tree below the disciplines, each part when it is first needed, and once."""

    plan: Plan
    run: Run
    _branches: dict[Names, asyncio.Task[Branch]] = field(default_factory=dict)
    _courses: dict[tuple[Names, str], asyncio.Task[Course | NoCourse]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prompts = Loaded(self.run.prompts)
        self.prompts = prompts
        subject = Subject("A subject", "basic", ("a", "b"))
        path = ("A field", "A discipline")
        self.subjects_messages(path)
        prompts.subject_lists.render()
        self.syllabus_messages(path, subject)
        self.sessions_messages(path, subject, "1. A session")

    async def branch(self, path: Names) -> Branch:
        """The subjects of a discipline."""
        return await self._once(self._branches, path, lambda: self._grow(path))

    async def course(self, path: Names, subject: Subject, trail: Trail) -> Course | NoCourse:
        """The course on a subject, or why there is none."""
        key = (path, same(subject.name))
        return await self._once(self._courses, key, lambda: self._teach(path, subject, trail))

    async def close(self) -> None:
        """Give up what nobody waits for any more; what was sent stays the model's to finish."""
        tasks: list[asyncio.Task[Any]] = [*self._branches.values(), *self._courses.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    async def _once(tasks: dict[Any, asyncio.Task[T]], key: Any, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = tasks.get(key)
        if task is None:
            task = tasks[key] = asyncio.create_task(work())
        return await asyncio.shield(task)  # one that gives up waiting must not end it for the others

    # subjects

    def subjects_messages(self, path: Names) -> tuple[Message, ...]:
        prompt = self.prompts.subjects if self.plan.turns == 2 else self.prompts.subjects_json
        return prompt.render(discipline=path[-1], path=list(path))

    async def _grow(self, path: Names) -> Branch:
        """Ask for subjects so many times. Each round is asked in order, as equal requests are told apart by it."""
        asked = self.subjects_messages(path)
        prompt = self.prompts.subjects if self.plan.turns == 2 else self.prompts.subjects_json
        schema = SUBJECTS_SCHEMA if self.plan.turns == 1 else None
        request = Request("subjects", asked, self.plan.structure, prompt.id, schema=schema)
        trail = Trail("glan", {"path": list(path), "discipline": path[-1]})
        texts = await self._ask_all([request] * self.plan.queries)
        found: list[list[Subject]] = [[] for _ in texts]
        broken = [""] * len(texts)
        last, asked_for = list(texts), [[text] for text in texts]
        unreadable = 0
        for attempt in range(self.plan.attempts):
            open_ = [i for i in range(len(texts)) if not found[i] and not last[i].failure]
            if self.plan.turns == 2:
                open_ = [i for i in open_ if _said(texts[i])]  # of nothing, no data can be made
            if self.plan.turns == 2:
                replies = await self._ask_all([self._convert(asked, texts[i]) for i in open_])
            elif attempt:
                replies = await self._ask_all([request] * len(open_))
            else:
                replies = [texts[i] for i in open_]
            for i, reply in zip(open_, replies, strict=True):
                last[i] = reply
                if reply is not texts[i]:
                    asked_for[i].append(reply)
                if not reply.failure:
                    found[i], broken[i] = self._read(reply)
                    unreadable += not found[i]
        merged: dict[str, tuple[Subject, Trail]] = {}
        drops: list[Record] = []
        for i, subjects in enumerate(found):
            # the replies behind what was read: one, or the list and what became of it in the second turn
            used = [texts[i], last[i]] if self.plan.turns == 2 and last[i] is not texts[i] else [last[i]]
            way = _after(trail, used, asked_for[i])
            for subject in subjects:
                merged.setdefault(same(subject.name), (subject, way))
            if not subjects:
                drop = failed(last[i]) if last[i].failure else _no_subject(last[i], broken[i])
                drops.append(Record(f"{slug(path)}-subjects-{i}", {}, way.meta(), dropped=drop))
        # by name, so that a subject more shifts no other, and in no order that the first query prefers
        order = sorted(merged, key=lambda name: fingerprint(str(self.run.seed), *path, name))
        chosen = tuple(merged[name] for name in order[: self.plan.subjects])
        return Branch(path, chosen, tuple(drops), unreadable)

    def _read(self, reply: Completion) -> tuple[list[Subject], str]:
        """The subjects of a reply, and what is wrong with it where it was to fit a schema."""
        return read_fitting_subjects(reply.text) if self.plan.turns == 1 else (read_subjects(reply.text), "")

    async def _ask_all(self, requests: Sequence[Request]) -> list[Completion]:
        return list(await asyncio.gather(*(self._ask(request) for request in requests)))

    async def _ask(self, request: Request) -> Completion:
        return await self.run.model(request.stage).ask(request)

    def _convert(self, asked: tuple[Message, ...], text: Completion) -> Request:
        """The second turn: the reply as it stood, and the request for data."""
        reply = Message(role="assistant", content=without_thinking(text.text).strip())
        prompt = self.prompts.subject_lists
        return Request("subject_lists", (*asked, reply, *prompt.render()), self.plan.structure, prompt.id)

    # syllabus

    def syllabus_messages(self, path: Names, subject: Subject) -> tuple[Message, ...]:
        fewest, most = self.plan.sessions
        return self.prompts.syllabus.render(
            discipline=path[-1],
            path=list(path),
            subject=subject.name,
            level=subject.level,
            subtopics=list(subject.subtopics),
            fewest=fewest,
            most=most,
        )

    def sessions_messages(self, path: Names, subject: Subject, text: str) -> tuple[Message, ...]:
        prompt = self.prompts.sessions if self.plan.turns == 2 else self.prompts.sessions_json
        return prompt.render(path=list(path), subject=subject.name, syllabus=text)

    def _sessions_request(self, path: Names, subject: Subject, text: str) -> Request:
        prompt = self.prompts.sessions if self.plan.turns == 2 else self.prompts.sessions_json
        schema = SESSIONS_SCHEMA if self.plan.turns == 1 else None
        messages = self.sessions_messages(path, subject, text)
        return Request("sessions", messages, self.plan.structure, prompt.id, schema=schema)

    def question_messages(
        self, path: Names, subject: str, level: str, syllabus: str, sessions: Sequence[Session]
    ) -> tuple[Message, ...]:
        latest = max(sessions, key=lambda session: session.number)
        return self.prompts.question.render(
            discipline=path[-1],
            subject=subject,
            level=level,
            syllabus=syllabus,
            sessions=[{"number": s.number, "name": s.name, "concepts": list(s.concepts)} for s in sessions],
            learned={"number": latest.number, "name": latest.name},
            count=sum(len(session.concepts) for session in sessions),
        )

    async def _teach(self, path: Names, subject: Subject, trail: Trail) -> Course | NoCourse:
        """Ask for a syllabus and for its sessions, a bounded number of times each."""
        id = f"{slug(path)}-{slug((*path, subject.name))}"
        extra = {"subject": subject.name, "level": subject.level, "subtopics": list(subject.subtopics)}
        start = Trail(trail.generator, {**trail.origin, **extra}, trail.steps)
        drop = Drop("no_session", "the syllabus is empty")
        written: Completion | None = None  # the syllabus in use
        text = ""
        used: list[Completion] = []
        asked_for: list[Completion] = []
        unreadable = out_of_range = 0
        for _ in range(self.plan.attempts):
            if not text:
                prompt = self.prompts.syllabus
                messages = self.syllabus_messages(path, subject)
                written = await self._ask(Request("syllabus", messages, self.plan.structure, prompt.id))
                asked_for.append(written)
                used = [written]
                if written.failure:
                    drop = failed(written)
                    break
                if written.truncated:
                    drop = Drop("truncated", "the token limit came before the end of the syllabus")
                    continue
                text = without_thinking(written.text).strip()
                if not text:
                    continue
            assert written is not None
            reply = await self._ask(self._sessions_request(path, subject, text))
            asked_for.append(reply)
            used = [written, reply]
            if reply.failure:
                drop = failed(reply)
                break
            sessions = read_sessions(reply.text)
            if reply.truncated or not sessions:
                unreadable += 1
                drop = Drop("no_session", f"no session with a key concept in {shorten(reply.text)!r}")
                if reply.truncated:
                    drop = Drop("truncated", "the token limit came before the end of the sessions")
                continue
            out_of_range += not self.plan.sessions[0] <= len(sessions) <= self.plan.sessions[1]
            judged = self._judge(sessions)
            if isinstance(judged, Drop):
                drop, text = judged, ""  # another sample of the syllabus, if there is an attempt left
                continue
            key = fingerprint(*path, same(subject.name))
            sizes = [len(session.concepts) for session in judged]
            combinations = Combinations(sizes, self.plan.two_sessions, Named(self.run, key))
            way = _after(start, used, asked_for)
            return Course(path, subject, text, tuple(judged), combinations, way, unreadable, out_of_range)
        record = Record(id, {}, _after(start, used, asked_for).meta(), dropped=drop)
        return NoCourse(record, unreadable, out_of_range)

    def _judge(self, sessions: list[Session]) -> list[Session] | Drop:
        """The sessions that are used, by the policy for too few and too many."""
        fewest, most = self.plan.sessions
        if fewest <= len(sessions) <= most or self.plan.out_of_range == "keep":
            return sessions
        if len(sessions) < fewest:
            return Drop("too_few_sessions", f"{len(sessions)} of at least {fewest}")
        if self.plan.out_of_range == "trim":
            return sessions[:most]
        return Drop("too_many_sessions", f"{len(sessions)} of at most {most}")


@dataclass(frozen=True, slots=True)
class Named:
    """Random sources of one course: by what it is, never by its position in the run."""

    run: Run
    key: str

    def __call__(self, name: str) -> Random:
        return self.run.rng(f"glan {self.key}", name)


class Loaded:
    """The prompts of the method, checked for the variables they may use."""

    def __init__(self, prompts: Prompts) -> None:
        where = {"discipline", "path"}
        about = {*where, "subject", "level", "subtopics", "fewest", "most"}
        asking = {"discipline", "subject", "level", "syllabus", "sessions", "learned", "count"}
        self.subjects: Prompt = prompts.load(f"{FOLDER}/subjects", where)
        self.subject_lists: Prompt = prompts.load(f"{FOLDER}/subject_lists", set())
        self.subjects_json: Prompt = prompts.load(f"{FOLDER}/subjects_json", where)
        self.syllabus: Prompt = prompts.load(f"{FOLDER}/syllabus", about)
        self.sessions: Prompt = prompts.load(f"{FOLDER}/sessions", {"path", "subject", "syllabus"})
        self.sessions_json: Prompt = prompts.load(f"{FOLDER}/sessions_json", {"path", "subject", "syllabus"})
        self.question: Prompt = prompts.load(f"{FOLDER}/question", asking)
        self.answer: Prompt = prompts.load(f"{FOLDER}/answer", {"question"})


def slug(path: Names) -> str:
    """A short name for ids: letters and digits of the last part, and a hash of the whole path."""
    words = "-".join(normalise(path[-1]).split())[:40].strip("-")
    return f"{words or 'x'}-{fingerprint(*path)[:8]}"


def _no_subject(reply: Completion, broken: str) -> Drop:
    """Why a reply brought no subject. `broken` tells what of the schema it breaks."""
    if reply.truncated:
        return Drop("truncated", "the token limit came before the end of the subjects")
    if broken and _said(reply):
        return Drop("schema", f"{broken}, in {shorten(reply.text)!r}")
    return Drop("no_subject", f"said {shorten(reply.text)!r}")


def _said(text: Completion) -> bool:
    return bool(without_thinking(text.text).strip())


def _after(start: Trail, used: Sequence[Completion], asked_for: Sequence[Completion]) -> Trail:
    """The way on by the completions that were used. `asked_again` lists the keys of those that were not."""
    keys = {completion.key for completion in used}
    again = [completion.key for completion in asked_for if completion.key not in keys]
    origin = start.origin
    if again:
        origin = {**origin, "asked_again": [*origin.get("asked_again", ()), *again]}
    trail = Trail(start.generator, origin, start.steps)
    for completion in used:
        assert completion.request is not None
        trail = trail.after(completion.request.stage, completion)
    return trail
