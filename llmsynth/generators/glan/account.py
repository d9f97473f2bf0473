"""`Account`: what has come of each level of the tree, for the report and for estimates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from llmsynth.generators._survival import ACCEPTED, survived
from llmsynth.generators.glan.branches import Branch, Course, NoCourse
from llmsynth.record import Record

_LEVELS = ("subjects", "syllabus", "questions", "answers")


@dataclass
class Account:
    """Counts of what was used, in the order of slots; so they depend on what was consumed, never on time.

    Of each level, what was tried is what the one above it left: queries for subjects, subjects, combinations of
    concepts, questions. What decontamination drops counts as an answer; what steps drop is not known here.
    """

    queries: int
    counts: Counter[str] = field(default_factory=Counter)
    survival: dict[str, Counter[str]] = field(default_factory=lambda: {level: Counter() for level in _LEVELS})
    held_out: Counter[str] = field(default_factory=Counter)  # kept records of the test split, by discipline

    def note_branch(self, branch: Branch) -> None:
        """A discipline is used for the first time."""
        self.counts["disciplines_asked"] += 1
        self.counts["subjects"] += len(branch.subjects)
        self.counts["unreadable_replies"] += branch.unreadable
        self.survival["subjects"][ACCEPTED] += self.queries - len(branch.drops)
        for drop in branch.drops:
            self._eliminate("subjects", drop)

    def note_course(self, course: Course | NoCourse) -> None:
        """A subject is used for the first time."""
        self.counts["unreadable_replies"] += course.unreadable
        self.counts["sessions_out_of_range"] += course.out_of_range
        if isinstance(course, Course):
            self.survival["syllabus"][ACCEPTED] += 1
        else:
            self._eliminate("syllabus", course.record)

    def note_record(self, record: Record) -> None:
        """A question has come to its end."""
        stages = record.meta["stages"]
        if "answers" in stages:
            self.survival["questions"][ACCEPTED] += 1
            if record.dropped:
                self._eliminate("answers", record)
        elif "questions" in stages:
            self._eliminate("questions", record)
        if record.dropped is None:
            self.survival["answers"][ACCEPTED] += 1
            self.counts[record.fields["split"]] += 1
            self.counts[record.meta["strategy"]] += 1
            self.held_out["/".join(record.meta["path"])] += record.fields["split"] == "test"

    def notes(self) -> dict[str, object]:
        """For the report, those that estimates go by included."""
        counts, survival = self.counts, self.survival
        syllabi = survival["syllabus"]
        return {
            "disciplines_asked": counts["disciplines_asked"],
            "subjects": counts["subjects"],
            "syllabi": syllabi[ACCEPTED],
            "syllabi_dropped": syllabi.total() - syllabi[ACCEPTED],
            "sessions_out_of_range": counts["sessions_out_of_range"],
            "unreadable_replies": counts["unreadable_replies"],
            "questions": survival["questions"].total(),
            "questions_answered": survival["answers"].total(),
            "questions_kept": survival["answers"][ACCEPTED],
            "survival": {level: survived(outcomes) for level, outcomes in survival.items() if outcomes.total()},
            "strategies": {name: counts[name] for name in ("one_session", "two_sessions")},
            "splits": {name: counts[name] for name in ("train", "test")},
            "held_out_by_discipline": {path: n for path, n in self.held_out.items() if n},
        }

    def _eliminate(self, level: str, record: Record) -> None:
        assert record.dropped is not None
        self.survival[level][record.dropped.reason] += 1
