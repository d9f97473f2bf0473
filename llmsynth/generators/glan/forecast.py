"""What a run will ask for, level by level of the tree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmsynth.forecast import StageEstimate, stage_estimate
from llmsynth.generators.glan.reading import Session, Subject
from llmsynth.run import Run
from llmsynth.taxonomy import Names

if TYPE_CHECKING:
    from llmsynth.generators.glan.branches import Branches
    from llmsynth.generators.glan.method import GLAN

_NEW_PER_QUERY = 12  # subjects a further query adds, where no earlier run tells; the paper has 100 to 200 from 10
_TOKENS = {"subjects": 900, "subject_lists": 700, "syllabus": 1500, "sessions": 900, "questions": 100, "answers": 350}


@dataclass(frozen=True, slots=True)
class Shape:
    """How the tree grows. subjects: used per discipline. kept, answered: of the slots, or of the questions."""

    subjects: float
    kept: float = 1.0
    asked: float = 1.0
    answered: float = 1.0
    syllabi: float = 1.0  # requests per subject
    extractions: float = 1.0
    conversions: float = 1.0  # requests per query

    @classmethod
    def of(cls, past: Mapping[str, Any] | None, queries: int, most: int | None) -> Shape:
        """Measured on an earlier run's report if that says anything, else assumed."""
        notes: Mapping[str, Any] = past["notes"] if past else {}
        used = notes.get("syllabi", 0) + notes.get("syllabi_dropped", 0)
        if not past or not notes.get("questions_kept") or not used or not notes.get("disciplines_asked"):
            subjects = queries * _NEW_PER_QUERY
            return cls(subjects if most is None else min(subjects, most))

        def answers(stage: str) -> int:
            return int(past["usage"].get(stage, {}).get("answers", 0))

        return cls(
            notes["subjects"] / notes["disciplines_asked"],
            notes["questions_kept"] / notes["slots"],
            notes["questions"] / notes["slots"],
            notes["questions_answered"] / notes["questions"],
            answers("syllabus") / used,
            answers("sessions") / used,
            answers("subject_lists") / max(1, answers("subjects")),
        )


def forecast(
    options: GLAN, run: Run, branches: Branches, disciplines: Sequence[Names], shape: Shape, past: Any
) -> list[StageEstimate]:
    """One estimate for each stage; prompts are rendered with texts of the usual length."""
    slots = math.inf if run.missing == math.inf else math.ceil(run.missing / shape.kept)
    slots = int(min(slots, options.max_questions if options.max_questions is not None else slots, 2**53))
    if run.target is None and options.max_questions is None:
        slots = 0
    share, more = divmod(slots, len(disciplines))
    most = max(1, round(shape.subjects))
    syllabi = more * min(share + 1, most) + (len(disciplines) - more) * min(share, most)
    queries = min(len(disciplines), slots) * options.queries
    questions = round(slots * shape.asked)
    subject = Subject("A subject of this name", "second year", ("One of its subtopics",) * 5)
    session = Session(12, "The name of a class session", ("a key concept",) * 3)
    text = {stage: "." * 4 * tokens for stage, tokens in _TOKENS.items()}

    def path(i: int) -> Names:
        return disciplines[i % len(disciplines)]

    def list_messages(i: int) -> Any:
        return (
            *branches.subjects_messages(path(i)),
            {"role": "assistant", "content": text["subjects"]},
            *branches.prompts.subject_lists.render(),
        )

    def question_messages(i: int) -> Any:
        chosen = [session, session][: 1 + (options.two_sessions > 0.5)]
        return branches.question_messages(path(i), subject.name, subject.level, text["syllabus"], chosen)

    def stage(name: str, requests: float, prompts: Any, sampling: Any) -> StageEstimate:
        return stage_estimate(name, round(requests), prompts, [text[name]], sampling, past)

    stages = [stage("subjects", queries, lambda i: branches.subjects_messages(path(i)), options.structure)]
    if options.turns == 2:
        stages.append(stage("subject_lists", queries * shape.conversions, list_messages, options.structure))
    return [
        *stages,
        stage(
            "syllabus",
            syllabi * shape.syllabi,
            lambda i: branches.syllabus_messages(path(i), subject),
            options.structure,
        ),
        stage(
            "sessions",
            syllabi * shape.extractions,
            lambda i: branches.sessions_messages(path(i), subject, text["syllabus"]),
            options.structure,
        ),
        stage("questions", questions, question_messages, options.question),
        stage(
            "answers",
            questions * shape.answered,
            lambda i: branches.prompts.answer.render(question=text["questions"]),
            options.answer,
        ),
    ]
