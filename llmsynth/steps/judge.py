"""An LLM as the judge of answers: marks by a rubric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmsynth.forecast import Expected, StageEstimate
from llmsynth.parsing import parse_marks
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.rubric import Rubric, rubric_of
from llmsynth.run import Run
from llmsynth.steps._asking import asked, forecast
from llmsynth.steps._gold import Gold, mark_agreement
from llmsynth.steps._scoring import answers, note, noted, scored, unread, warn_of_family
from llmsynth.steps._task import Columns, Task

_OVERALL = "judge"  # the column of a gold file
_FAULT = "The worst fault is that the answer does not say how sure it is. What it tells is right, and it is clear."
VARIABLES = {"rubric", "instruction", "input", "source", "output"}


@dataclass(frozen=True)
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

    overlaps: ClassVar[bool] = True

    rubric: str = "answer"
    gold: str = ""
    role: str = "judge"
    name: str = "judge"
    columns: Columns = Columns()
    generators: tuple[str, ...] = ()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=512)

    def validate(self, run: Run) -> None:
        """Read prompt, rubric and gold file, so that a mistake surfaces before a token is paid for."""
        rubric = self._examiner(run).rubric
        run.model(self.role)
        if self.gold:
            self._gold(rubric)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """One request a row, and one for each of the gold file."""
        examiner = self._examiner(run)
        rubric = examiner.rubric
        gold = len(self._gold(rubric).rows) if self.gold else 0
        marks = "\n".join(f"{name}: {rubric.most:g}" for name in rubric.names)
        return forecast(
            rows,
            run,
            role=self.role,
            columns=self.columns,
            asking=lambda task: [examiner.request(task)],
            reply=lambda _: f"{_FAULT}\n{marks}",
            more=gold,
        )

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        examiner = self._examiner(run)
        if self.gold and not noted(run, self.name, "agreement"):
            await self._mark_gold(examiner, run)

        def asking(task: Task) -> list[Request]:
            return [examiner.request(task)]

        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            (completion,) = completions
            warn_of_family(record, run, self.name, completion.model, self.generators)
            return self._marked(record, run, examiner.rubric, completion)

        return await asked(
            batch, run, step=self.name, role=self.role, columns=self.columns, asking=asking, reading=reading
        )

    def _examiner(self, run: Run) -> _Examiner:
        prompt = run.prompts.load("judge/absolute", VARIABLES)
        return _Examiner(prompt, rubric_of(self.rubric, run.prompts), self.role, self.sampling)

    def _marked(self, record: Record, run: Run, rubric: Rubric, completion: Completion) -> Record:
        marks = _marks(completion, rubric)
        named = {f"{self.name}_{key}": mark for key, mark in marks.items() if mark is not None}
        overall = rubric.overall(marks)
        if overall is None:
            missing = [name for name, mark in marks.items() if mark is None]
            record = record.scored(**named)
            lacking = f"no mark for {', '.join(missing)}"
            return unread(record, run, self.name, [completion], "unreadable_verdict", lacking)
        return scored(record, run, self.name, **{self.name: round(overall, 4)}, **named)

    def _gold(self, rubric: Rubric) -> Gold:
        return Gold.read_marks(self.gold, self.columns, [_OVERALL, *rubric.names])

    async def _mark_gold(self, examiner: _Examiner, run: Run) -> None:
        rubric = examiner.rubric
        gold = self._gold(rubric)
        completions = await answers(run.model(self.role), [examiner.request(task) for task in gold.tasks])
        read = [{} if completion.failure else _marks(completion, rubric) for completion in completions]
        ours: dict[str, list[float | None]] = {name: [marks.get(name) for marks in read] for name in rubric.names}
        ours[_OVERALL] = [rubric.overall(marks) if marks else None for marks in read]
        note(run, self.name, "agreement", mark_agreement(gold, ours))
        note(run, self.name, "gold_answers", {self.role: len(completions)})


@dataclass(frozen=True)
class _Examiner:
    """A prompt and a rubric, read."""

    prompt: Prompt
    rubric: Rubric
    role: str
    sampling: Sampling

    def request(self, task: Task) -> Request:
        messages = self.prompt.render(rubric=self.rubric, **task._asdict())
        return Request(self.role, messages, self.sampling, self.prompt.id)


def _marks(completion: Completion, rubric: Rubric) -> dict[str, float | None]:
    return parse_marks(completion.text, rubric.names, rubric.least, rubric.most, completion.truncated)
