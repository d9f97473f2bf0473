"""DEITA's two scores: how demanding an instruction is, and how good its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from llmsynth.forecast import Expected, StageEstimate
from llmsynth.likelihood import chances, read
from llmsynth.parsing import parse_marks
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.steps._asking import Asking, asked, forecast
from llmsynth.steps._scoring import note, scored, unread
from llmsynth.steps._task import Columns, Task

_SCALE = tuple(str(number) for number in range(1, 7))


@dataclass(frozen=True)
class Deita:
    """Scores complexity and quality from 1 to 6 (Liu et al., 2023): `deita` is their product.

    Where the model tells likelihoods, a score is the expectation over the next token being 1 to 6, which orders records
    finely: `transformers` with any causal model, such as the paper's scorers, or an API that returns log-probabilities.
    Else the model is asked for the number, which gives six steps. The report tells which it was.

    turns: what becomes of the products of a conversation's answers: their mean, or their sum, as in the paper's
        code, by which long conversations win. `deita_complexity` and `deita_quality` are means in either case.
    role: the model that is asked, `default` if there is none.

    Deviations: a reply that cannot be read is no score, where the paper's code says 3. The prompts are our own: a
    scorer that was trained on another wants that one, in a prompt folder, as `deita/complexity.jinja` and
    `deita/quality.jinja`. The paper ranks six variants of an instruction together to train its scorers; nothing is
    trained here.
    """

    name: ClassVar[str] = "deita"
    overlaps: ClassVar[bool] = True

    turns: Literal["mean", "sum"] = "mean"
    role: str = "deita"
    columns: Columns = Columns()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=16)

    def validate(self, run: Run) -> None:
        self._prompts(run)
        run.model(self.role)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """Two requests for every answer of a row."""
        return forecast(
            rows,
            run,
            role=self.role,
            columns=self.columns,
            asking=self._asking(run),
            reply=None if self._expects(run) else lambda _: _SCALE[-1],
            every_turn=True,
        )

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        expected = self._expects(run)
        note(run, "deita", "by", "expectation over the next token" if expected else "the number in the reply")

        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            read_all = [_expected(c) if expected else _said(c) for c in completions]
            numbers = [number for number in read_all if number is not None]
            if len(numbers) < len(read_all):
                which = "complexity" if read_all[0] is None else "quality"
                return unread(record, run, "deita", completions, "unreadable_score", which)
            demands, merits = numbers[::2], numbers[1::2]
            products = [one * other for one, other in zip(demands, merits, strict=True)]
            total = sum(products) / (len(products) if self.turns == "mean" else 1)
            return scored(
                record, run, "deita", deita=total, deita_complexity=_mean(demands), deita_quality=_mean(merits)
            )

        return await asked(
            batch,
            run,
            step="deita",
            role=self.role,
            columns=self.columns,
            asking=self._asking(run),
            reading=reading,
            every_turn=True,
        )

    def _asking(self, run: Run) -> Asking:
        complexity, quality = self._prompts(run)
        expected = self._expects(run)

        def request(prompt: Prompt, **variables: str) -> Request:
            messages = prompt.render(**variables)
            if expected:
                return Request(self.role, messages, prompt=prompt.id, continuations=_SCALE)
            return Request(self.role, messages, self.sampling, prompt.id)

        return lambda task: [
            request(complexity, instruction=task.question),
            request(quality, instruction=task.question, output=task.output),
        ]

    def _expects(self, run: Run) -> bool:
        """Whether a score is an expectation rather than a number that the model writes."""
        return bool(getattr(run.model(self.role).backend, "likelihoods", ""))

    def _prompts(self, run: Run) -> tuple[Prompt, Prompt]:
        return (
            run.prompts.load("deita/complexity", {"instruction"}),
            run.prompts.load("deita/quality", {"instruction", "output"}),
        )


def _expected(completion: Completion) -> float | None:
    """The expectation of the number that comes next, if it is one of the scale."""
    told = read(completion.text, len(_SCALE))
    shares = None if told is None else chances(told)
    return None if shares is None else sum(int(n) * share for n, share in zip(_SCALE, shares, strict=True))


def _said(completion: Completion) -> float | None:
    return parse_marks(completion.text, ["score"], 1, 6, completion.truncated)["score"]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
