"""An LLM as the judge of answers: marks by a rubric."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmsynth.parsing import parse_marks
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.rubric import Rubric, rubric_of
from llmsynth.run import Run
from llmsynth.steps._gold import Gold, mark_agreement
from llmsynth.steps._scoring import (
    MOST_CHARACTERS,
    answers,
    note,
    scored,
    traced,
    unanswered,
    unscored,
    warn_of_family,
)
from llmsynth.steps._task import Columns, NoTask, Task, task_of

VARIABLES = {"rubric", "instruction", "input", "source", "output"}


@dataclass
class Judge:
    """Asks a model to mark each answer by a rubric, seeing instruction, input, source and answer.

    The score `judge` is the weighted mean of the marks, and `judge_<criterion>` each of them. A verdict that cannot be
    read is no score: the reason stays with the record as `judge_unscored`, and is counted. A request that failed for
    good makes the record fail, so that the next run asks again.

    rubric: a shipped one (answer, grounded, instruction), or the path of a YAML file of one's own.
    gold: a file of rows with the columns of the task and with marks by people, as `judge` (the overall mark) or by
        criterion. The judge marks them first; how far it agrees is in the report.
    role: the model that is asked, `default` if there is none; also the stage of its requests.
    name: of the scores, where several judges work in one run.
    generators: the models that wrote the answers, where the records do not tell.
    """

    rubric: str = "answer"
    gold: str = ""
    role: str = "judge"
    name: str = "judge"
    columns: Columns = Columns()
    generators: tuple[str, ...] = ()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=512)
    _prompt: Prompt | None = field(default=None, init=False, repr=False)
    _rubric: Rubric | None = field(default=None, init=False, repr=False)
    _gold: Gold | None = field(default=None, init=False, repr=False)

    def validate(self, run: Run) -> None:
        """Read prompt, rubric and gold file, so that a mistake surfaces before a token is paid for."""
        self._prompt = run.prompts.load("judge/absolute", VARIABLES)
        self._rubric = rubric_of(self.rubric, run.prompts)
        run.model(self.role)
        if self.gold:
            self._gold = Gold.read(self.gold, self.columns, ["judge", *self._rubric.names])

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        if self._prompt is None:
            self.validate(run)
        if self._gold is not None:
            gold, self._gold = self._gold, None
            await self._mark_gold(gold, run)
        done, waiting = list(batch), []
        for place, record in enumerate(batch):
            if record.dropped:
                continue
            task = task_of(record, self.columns)
            if isinstance(task, NoTask):
                done[place] = unscored(record, run, self.name, *task)
            elif sum(map(len, task)) > MOST_CHARACTERS:
                done[place] = unscored(record, run, self.name, "too_long", f"{sum(map(len, task)):,} characters")
            else:
                waiting.append((place, task))
        completions = await answers(run.model(self.role), [self._request(task) for _, task in waiting])
        for (place, _), completion in zip(waiting, completions, strict=True):
            warn_of_family(batch[place], run, self.name, completion.model, self.generators)
            done[place] = self._marked(batch[place], run, completion)
        return done

    def __getstate__(self) -> dict[str, Any]:
        """Without what is read again where it is needed."""
        return {**self.__dict__, "_prompt": None, "_rubric": None, "_gold": None}

    def _request(self, task: Task) -> Request:
        assert self._prompt is not None
        messages = self._prompt.render(rubric=self._rubric, **task._asdict())
        return Request(self.role, messages, self.sampling, self._prompt.id)

    def _marks(self, completion: Completion) -> dict[str, float | None]:
        rubric = self._rubric
        assert rubric is not None
        return parse_marks(completion.text, rubric.names, rubric.least, rubric.most, completion.truncated)

    def _marked(self, record: Record, run: Run, completion: Completion) -> Record:
        assert self._rubric is not None
        if completion.failure:
            return unanswered(record, run, self.name, completion)
        marks = self._marks(completion)
        overall = self._rubric.overall(marks)
        named = {f"{self.name}_{key}": mark for key, mark in marks.items() if mark is not None}
        record = traced(record, [completion])
        if overall is None:
            missing = [name for name, mark in marks.items() if mark is None]
            record = record.scored(**named)
            return unscored(record, run, self.name, "unreadable_verdict", f"no mark for {', '.join(missing)}")
        return scored(record, run, self.name, **{self.name: round(overall, 4)}, **named)

    async def _mark_gold(self, gold: Gold, run: Run) -> None:
        assert self._rubric is not None
        completions = await answers(run.model(self.role), [self._request(task) for task in gold.tasks])
        read = [{} if completion.failure else self._marks(completion) for completion in completions]
        ours: dict[str, list[float | None]] = {name: [marks.get(name) for marks in read] for name in self._rubric.names}
        ours["judge"] = [self._rubric.overall(marks) if marks else None for marks in read]
        note(run, self.name, "agreement", mark_agreement(gold, ours))
