"""Scores from how likely a causal language model finds the answer: perplexity and IFD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.likelihood import Likelihood, read
from llmsynth.record import Record
from llmsynth.request import Completion, Message, Request
from llmsynth.run import Run
from llmsynth.steps._asking import asked, check_likelihoods, forecast
from llmsynth.steps._scoring import scored, unscored
from llmsynth.steps._task import Columns, Task


@dataclass(frozen=True)
class Perplexity:
    """Scores how surprised a model is by the answer: the score `perplexity` is that of a token, given the question.

    given: whether the question is given; without it, it is the perplexity of the answer as a text by itself.
    least, most: a record outside is dropped as `perplexity_out_of_band`. A low perplexity is not a good one: what is
        repeated, or known by heart, has the lowest.
    role: a model that tells how likely texts are: `transformers`, or `openai` with api: completions.
    """

    name: ClassVar[str] = "perplexity"
    overlaps: ClassVar[bool] = True

    given: bool = True
    least: float | None = None
    most: float | None = None
    role: str = "perplexity"
    columns: Columns = Columns()

    def __post_init__(self) -> None:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise RecipeError(f"least {self.least} is above most {self.most}", "such as least: 2, most: 200")

    def validate(self, run: Run) -> None:
        check_likelihoods(run, self.role, "perplexity", texts=True)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """One pass of the model a row; nothing is generated."""
        return forecast(rows, run, role=self.role, columns=self.columns, asking=self._asking, reply=None)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        self.validate(run)

        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            told = _told(completions[0])
            if told is None:
                return unscored(record, run, "perplexity", "unreadable_likelihood")
            value = perplexity(told)
            record = scored(record, run, "perplexity", perplexity=value)
            if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
                return record.drop("perplexity_out_of_band", f"{value:.2f}")
            return record

        return await asked(
            batch, run, step="perplexity", role=self.role, columns=self.columns, asking=self._asking, reading=reading
        )

    def _asking(self, task: Task) -> list[Request]:
        return [_request(self.role, task, given=self.given)]


@dataclass(frozen=True)
class IFD:
    """Instruction-following difficulty: how much the question helps a model to write the answer.

    The score `ifd` is score(A|Q) / score(A): that of the answer given the question over that of the answer alone. Near
    1 the question helps little, so the pair is hard, or the answer is not one to it; at 1 and above it does not help
    at all, and the answer does not follow from the question. Near 0 the answer is easy. `ifd_given` and `ifd_alone` are
    the two perplexities.

    measure: what the score is. "perplexity" as in Superfiltering (Li et al., 2024); "loss", the mean of the negative
        log-probabilities, as in Cherry LLM (Li et al., 2023). Both reach 1 together, and rank alike but not equally.
    drop_at: a record with an IFD of this or more is dropped as `ifd_too_high`; 1 is usual, null drops none.
    role: a model that tells how likely texts are: `transformers`, or `openai` with api: completions. A small one will
        do, as GPT-2 does in Superfiltering.

    Both are of the same tokens, the answer's as tokenized by itself. Each answer costs two passes of the model.
    """

    name: ClassVar[str] = "ifd"
    overlaps: ClassVar[bool] = True

    measure: Literal["perplexity", "loss"] = "perplexity"
    drop_at: float | None = None
    role: str = "ifd"
    columns: Columns = Columns()

    def __post_init__(self) -> None:
        if self.drop_at is not None and self.drop_at <= 0:
            raise RecipeError(f"drop_at is {self.drop_at}", "1 drops what the question does not help")

    def validate(self, run: Run) -> None:
        check_likelihoods(run, self.role, "ifd", texts=True)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """Two passes of the model a row; nothing is generated."""
        return forecast(rows, run, role=self.role, columns=self.columns, asking=self._asking, reply=None)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        self.validate(run)

        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            given, alone = _told(completions[0]), _told(completions[1])
            if given is None or alone is None:
                return unscored(record, run, "ifd", "unreadable_likelihood")
            ratio = ifd(given, alone, self.measure)
            if ratio is None:
                return unscored(record, run, "ifd", "certain_answer", "the answer alone has no loss to compare with")
            record = scored(record, run, "ifd", ifd=ratio, ifd_given=perplexity(given), ifd_alone=perplexity(alone))
            if self.drop_at is not None and ratio >= self.drop_at:
                return record.drop("ifd_too_high", f"{ratio:.3f}: the question does not help to write the answer")
            return record

        return await asked(
            batch, run, step="ifd", role=self.role, columns=self.columns, asking=self._asking, reading=reading
        )

    def _asking(self, task: Task) -> list[Request]:
        return [_request(self.role, task, given=True), _request(self.role, task, given=False)]


def perplexity(told: Likelihood) -> float:
    """e to the mean loss of a token."""
    return _exp(told.loss)


def ifd(given: Likelihood, alone: Likelihood, measure: Literal["perplexity", "loss"]) -> float | None:
    """score(A|Q) / score(A); None for a ratio of losses whose second one is 0."""
    if measure == "perplexity":
        return _exp(given.loss - alone.loss)
    return given.loss / alone.loss if alone.loss > 0 else None


def _request(role: str, task: Task, *, given: bool) -> Request:
    """The answer's likelihood is asked for, not a completion: nothing is sampled, and no prompt file is used."""
    question = (Message(role="user", content=task.question),) if given else ()
    return Request(role, question, continuations=(task.output,))


def _told(completion: Completion) -> Likelihood | None:
    told = read(completion.text, 1)
    return None if told is None or told[0].logprob is None else told[0]


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
