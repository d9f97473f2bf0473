"""Preference data: of several answers to a question, one that is better and one that is worse."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import mean
from typing import Any, Literal, NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps._answers import FIELD, Answer, answers_in
from llmsynth.steps._pair import Against, choose, pair_columns, paired
from llmsynth.steps._question import Question, question_of
from llmsynth.steps._scoring import in_order, judged_with, trail_of
from llmsynth.steps._task import Columns, NoTask
from llmsynth.steps.heuristics import Heuristics
from llmsynth.steps.judge import Judge
from llmsynth.steps.pairwise import PairwiseJudge
from llmsynth.steps.reward import RewardModel

NAME = "preference"
_SCORES = ("score_chosen", "score_rejected")


@dataclass(frozen=True)
class Preference:
    """Makes prompt, chosen and rejected of the answers to a row: the best, and one that is worse (UltraFeedback style).

    The answers are those in the field `answers`: from `respond`, or texts, or objects with a `text`. Each gets a score,
    and the best one is chosen, the first of equals. Rejected is one that lies below it by more than nothing, and by
    `margin` at least. The dataset has the pair in place of the task's columns, with `score_chosen` and
    `score_rejected`; `meta` tells the models that wrote the two, and the records keep all answers and their scores.

    by: what tells how good an answer is: "judge" gives marks by a rubric; "pairwise" compares each two answers in both
        orders, and an answer's score is the share of its comparisons that it wins, a tie being half of one; "reward" is
        a reward model; "heuristics" need no model. Each with options of its own, of which `columns` are this step's.
        "models" asks nobody: the better model's answer is taken for the better one.
    ranking: by "models", their roles, or names, the best first: its answers have the highest score, the last one's 1.
    margin: on the scale of these scores. against: what is rejected is the "worst" answer, or a "random" one of those
        that can be.
    own: let the row's own answer take part. truncated: let answers take part that the token limit cut short.
    answers: the field that holds them.

    A row without a pair is dropped: `no_answers` (the field is missing, or holds none), `no_question`, `too_long`,
    `too_few_answers` (fewer than two can take part), `equal_answers` (all say the same), `unscored_answers` (fewer than
    two have a score), `tie` (none lies below the best one, or none by the margin). Where a scorer's request failed, the
    row failed, and the next run asks again.
    """

    by: Literal["judge", "pairwise", "reward", "heuristics", "models"] = "judge"
    margin: float = 0.0
    against: Against = "worst"
    own: bool = False
    truncated: bool = False
    answers: str = FIELD
    ranking: tuple[str, ...] = ()
    judge: Judge = field(default_factory=lambda: Judge(rubric="preference"))
    pairwise: PairwiseJudge = field(default_factory=lambda: PairwiseJudge(rubric="preference"))
    reward: RewardModel = field(default_factory=RewardModel)
    heuristics: Heuristics = field(default_factory=Heuristics)
    columns: Columns = Columns()

    def __post_init__(self) -> None:
        if not self.margin >= 0:
            raise RecipeError(f"margin is {self.margin}", "0, or how much better the chosen answer has to be at least")
        if (self.by == "models") != bool(self.ranking):
            raise RecipeError("ranking belongs to by: models, which needs it", "such as ranking: [strong, weak]")

    @property
    def overlaps(self) -> bool:
        """Whether the next rows may come while it waits for a model: it asks for everything at once."""
        return self.role is not None

    @property
    def role(self) -> str | None:
        """The role that is asked, if one is."""
        return getattr(self._scorer, "role", None) if self.by != "models" else None

    def columns_after(self, columns: Mapping[str, str]) -> Mapping[str, str]:
        """The pair and its scores, in place of the task."""
        pair = pair_columns(columns, self.columns, [self.answers])
        return {**pair, **dict.fromkeys(_SCORES, "float64")}

    def validate(self, run: Run) -> None:
        if self.by != "models" and (check := getattr(self._scorer, "validate", None)) is not None:
            check(run)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """What judging all answers, or each two of them, takes."""
        asks = getattr(self._scorer, "estimate", None)
        if asks is None or self.by == "models" or not rows.like:
            return []
        contests = [(record.id, self._contest(record)) for record in rows.like]
        shown = [
            one for id, contest in contests if isinstance(contest, _Contest) for one in self._candidates(id, contest)
        ]
        stages: list[StageEstimate] = asks(
            run, Expected(round(rows.rows * len(shown) / len(rows.like)), shown, rows.past)
        )
        return stages

    def like_after(self, records: Sequence[Record]) -> list[Record]:
        """The records that something can be chosen of, as if the first answer were preferred to the second."""
        contests = [(record, self._contest(record)) for record in records if not record.dropped]
        return [
            dataclasses.replace(like, fields={**like.fields, **dict.fromkeys(_SCORES, 1.0)})
            for record, contest in contests
            if isinstance(contest, _Contest)
            for like in [paired(record, contest.question, *(one.text for one in contest.answers[:2]))]
        ]

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        done = list(batch)
        contests: dict[int, _Contest] = {}
        for place, record in enumerate(batch):
            if record.dropped:
                continue
            contest = self._contest(record)
            if isinstance(contest, Drop):
                done[place] = record.drop(contest.reason, contest.detail)
            else:
                contests[place] = contest
        candidates = {place: self._candidates(batch[place].id, contest) for place, contest in contests.items()}
        shown = [one for them in candidates.values() for one in them]
        judged = iter(shown if self.by == "models" else await self._scorer.apply(shown, run))
        for place, contest in contests.items():
            done[place] = self._decided(batch[place], contest, [next(judged) for _ in candidates[place]], run)
        return done

    @property
    def _scorer(self) -> Judge | PairwiseJudge | RewardModel | Heuristics:
        match self.by:
            case "judge":
                return dataclasses.replace(self.judge, columns=Columns())
            case "pairwise":
                return dataclasses.replace(self.pairwise, first="first", second="second", columns=Columns())
            case "reward":
                return dataclasses.replace(self.reward, columns=Columns())
        return dataclasses.replace(self.heuristics, columns=Columns())

    @property
    def _score(self) -> str:
        """The name under which the scorer leaves a score."""
        names = {"judge": self.judge.name, "pairwise": self.pairwise.name}
        return names.get(self.by, self.by)

    def _contest(self, record: Record) -> _Contest | Drop:
        """The question and the different answers to it, or why there is nothing to choose from."""
        question = question_of(record, self.columns)
        if isinstance(question, NoTask):
            return Drop(*question)
        there = answers_in(record.fields.get(self.answers))
        if there is None or (not there and not self.own):
            return Drop("no_answers", f"the field {self.answers!r} holds no list of answers")
        if self.own and (text := question.task.output.strip()):
            made = record.meta.get("models", ())[: record.meta.get("completions")]
            there.append(Answer(text, model=str(made[-1]) if made else ""))
        able = [one for one in there if one.text and (self.truncated or one.finish_reason != "length")]
        if len(able) < 2:
            return Drop("too_few_answers", f"{len(able)} of {len(there)} can take part")
        different: dict[str, Answer] = {}
        for one in able:
            different.setdefault(one.text, one)
        if len(different) < 2:
            return Drop("equal_answers", f"all {len(able)} say the same")
        return _Contest(question, list(different.values()))

    def _candidates(self, id: str, contest: _Contest) -> list[Record]:
        """What the scorer is shown: each answer, or each two of them, as a record of its own."""
        task, answers = contest.question.task, contest.answers
        asked = {"instruction": task.instruction, "input": task.input, "source": task.source}
        if self.by == "pairwise":
            return [
                Record(id, {**asked, "first": a.text, "second": b.text}, _made(a, b))
                for a, b in combinations(answers, 2)
            ]
        return [Record(id, {**asked, "output": one.text}, _made(one)) for one in answers]

    def _decided(self, record: Record, contest: _Contest, judged: list[Record], run: Run) -> Record:
        failed = next((one.dropped for one in judged if one.status == "failed"), None)
        if failed is not None:
            return dataclasses.replace(record, dropped=failed)
        record = judged_with(record, judged)
        scores = self._scores(contest.answers, judged)
        record = _with_scores(record, self.answers, contest.answers, scores)
        known = [score for score in scores if score is not None]
        if len(known) < 2:
            return record.drop("unscored_answers", f"{len(known)} of {len(scores)} have a score")
        pair = choose(scores, self.margin, self.against, run.rng(NAME, record.id))
        if pair is None:
            return record.drop("tie", f"{len(known)} answers from {min(known):g} to {max(known):g}")
        return self._paired(record, contest, pair, scores, run)

    def _scores(self, answers: Sequence[Answer], judged: Sequence[Record]) -> list[float | None]:
        """The score of each answer; None for one that has none."""
        if self.by == "models":
            ranks = {name: float(len(self.ranking) - place) for place, name in enumerate(self.ranking)}
            return [ranks.get(one.role, ranks.get(one.model)) for one in answers]
        told = [one.scores.get(self._score) for one in judged]
        return _shares(told, len(answers)) if self.by == "pairwise" else told

    def _paired(
        self, record: Record, contest: _Contest, pair: tuple[int, int], scores: Sequence[float | None], run: Run
    ) -> Record:
        chosen, rejected = (contest.answers[place] for place in pair)
        best, worse = (float(scores[place] or 0.0) for place in pair)
        record = paired(record, contest.question, chosen.text, rejected.text)
        meta: dict[str, Any] = {**record.meta, "preferred_by": self.by}
        for name, answer in (("chosen", chosen), ("rejected", rejected)):
            meta |= {f"{name}_model": answer.model, f"{name}_journal": answer.journal}
        _count(run, chosen, rejected)
        fields = {**record.fields, **dict(zip(_SCORES, (best, worse), strict=True))}
        record = dataclasses.replace(record, fields=fields, meta=meta)
        return record.scored(
            preference_chosen=best, preference_rejected=worse, preference_margin=round(best - worse, 6)
        )


class _Contest(NamedTuple):
    question: Question
    answers: list[Answer]


def _made(*answers: Answer) -> dict[str, Any]:
    """The trail of a candidate: who wrote what it holds, so that a judge of the same family is warned of."""
    trails = [trail_of(one.model, one.journal) for one in answers if one.model]
    if len(trails) < len(answers):
        return {}
    joined = {name: [value for trail in trails for value in trail[name]] for name in trails[0] if name != "completions"}
    return {"completions": len(trails), **joined}


def _shares(won: Sequence[float | None], count: int) -> list[float | None]:
    """Of each answer, the share of its comparisons that it wins; None for one without any that could be read."""
    points: list[list[float]] = [[] for _ in range(count)]
    for (a, b), first in zip(combinations(range(count), 2), won, strict=True):
        if first is not None:
            points[a].append(first)
            points[b].append(1 - first)
    return [round(mean(them), 4) if them else None for them in points]


def _with_scores(record: Record, name: str, answers: Sequence[Answer], scores: Sequence[float | None]) -> Record:
    """The record whose answers tell their scores, as far as they are objects."""
    known = {one.text: score for one, score in zip(answers, scores, strict=True)}
    there = record.fields.get(name) or []
    told = [
        {**one, "score": known.get(about.text)} if isinstance(one, Mapping) else one
        for one, about in zip(there, answers_in(there) or (), strict=True)
    ]
    return dataclasses.replace(record, fields={**record.fields, name: told})


def _count(run: Run, chosen: Answer, rejected: Answer) -> None:
    """Tell the report whose answers are preferred to whose, and how often the longer one is: judges favour length."""
    notes: dict[str, Any] = run.notes.setdefault(NAME, {"pairs": 0, "chosen_is_longer": 0, "models": {}})  # type: ignore[assignment]
    notes["pairs"] += 1
    notes["chosen_is_longer"] += len(chosen.text) > len(rejected.text)
    for which, answer in (("chosen", chosen), ("rejected", rejected)):
        counts = notes["models"].setdefault(answer.model or "unknown", {"chosen": 0, "rejected": 0})
        counts[which] += 1
    in_order(notes["models"])
