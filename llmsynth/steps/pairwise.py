"""An LLM as the judge of two answers, asked in both orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from llmsynth.errors import RecipeError, SourceError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.parsing import Preference, parse_preference
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.rubric import rubric_of
from llmsynth.run import Run
from llmsynth.steps._asking import forecast
from llmsynth.steps._gold import Gold, choice_agreement
from llmsynth.steps._scoring import (
    MOST_CHARACTERS,
    add_to,
    answers,
    note,
    noted,
    scored,
    traced,
    unanswered,
    unread,
    unscored,
    warn_of_family,
)
from llmsynth.steps._task import Columns, NoTask, Task, answer_in, task_of

_DIFFERENCE = (
    "Answer A names what was asked for and stops there. Answer B gives a reason as well, which the question wants. "
    "Neither says anything wrong.\nVerdict: B"
)
VARIABLES = {"rubric", "instruction", "input", "source", "first", "second"}
_SWAPPED: dict[Preference | None, Preference | None] = {"first": "second", "second": "first", "tie": "tie", None: None}
_SCORES = {"first": 1.0, "tie": 0.5, "second": 0.0}


@dataclass(frozen=True)
class PairwiseJudge:
    """Asks a model which of two answers is better, once in each order, as judges favour a place.

    The score `pairwise` is 1 where both verdicts are for the first answer, 0 where both are for the second, and 0.5, a
    tie, wherever they disagree or are ties. If either verdict cannot be read there is no score: the reason stays with
    the record as `pairwise_unscored`, and is counted, as is how often either place won regardless of the answer.

    first, second: the fields that hold the answers. instruction: in `columns`; rows of preference data have `prompt`.
    gold: a file of such rows with a column `better`: first, second or tie (or A, B, the fields' names), by people.
    rubric, role, name, generators: as in `Judge`; of the rubric, purpose and criteria are shown, and no marks.
    """

    overlaps: ClassVar[bool] = True

    first: str = "chosen"
    second: str = "rejected"
    rubric: str = "answer"
    gold: str = ""
    role: str = "judge"
    name: str = "pairwise"
    columns: Columns = Columns(instruction="prompt")
    generators: tuple[str, ...] = ()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=512)

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise RecipeError(f"both answers are in the field {self.first!r}", "name two fields: first and second")

    def validate(self, run: Run) -> None:
        """Read prompt, rubric and gold file, so that a mistake surfaces before a token is paid for."""
        run.prompts.load("judge/pairwise", VARIABLES)
        rubric_of(self.rubric, run.prompts)
        run.model(self.role)
        if self.gold:
            self._gold()

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """Two requests a row, and two for each of the gold file."""
        requests = self._requests(run)

        def asking(task: Task) -> list[Request]:
            return requests(task, task.output)  # the other answer is about as long

        return forecast(
            rows,
            run,
            role=self.role,
            columns=self._first_columns,
            asking=asking,
            reply=lambda _: _DIFFERENCE,
            more=2 * len(self._gold()[0]) if self.gold else 0,
        )

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        if self.gold and not noted(run, self.name, "agreement"):
            await self._judge_gold(run)
        done, waiting = list(batch), []
        for place, record in enumerate(batch):
            if record.dropped:
                continue
            pair = self._pair(record)
            if isinstance(pair, NoTask):
                done[place] = unscored(record, run, self.name, *pair)
            else:
                waiting.append((place, pair))
        completions = await self._ask([pair for _, pair in waiting], run)
        for (place, _), both in zip(waiting, completions, strict=True):
            warn_of_family(batch[place], run, self.name, both[0].model, self.generators)
            done[place] = self._judged(batch[place], run, both)
        return done

    @property
    def _first_columns(self) -> Columns:
        return Columns(self.columns.instruction, self.columns.input, self.first, self.columns.source, messages="")

    def _pair(self, record: Record) -> tuple[Task, str] | NoTask:
        task = task_of(record, self._first_columns)
        if isinstance(task, NoTask):
            return task
        other = answer_in(record.fields.get(self.second))
        if other is None or not other.strip():
            return NoTask("no_text", f"the field {self.second!r} holds no answer")
        if (length := sum(map(len, task)) + len(other)) > MOST_CHARACTERS:
            return NoTask("too_long", f"{length:,} characters")
        return task, other

    async def _ask(self, pairs: list[tuple[Task, str]], run: Run) -> list[tuple[Completion, Completion]]:
        """What the judge says of each pair, straight and swapped."""
        requests = self._requests(run)
        told = await answers(run.model(self.role), [request for pair in pairs for request in requests(*pair)])
        return list(zip(told[::2], told[1::2], strict=True))

    def _requests(self, run: Run) -> Callable[[Task, str], list[Request]]:
        """What is asked about a task's answer and another one, straight and swapped."""
        prompt = run.prompts.load("judge/pairwise", VARIABLES)
        rubric = rubric_of(self.rubric, run.prompts)

        def request(task: Task, first: str, second: str) -> Request:
            seen = {"instruction": task.instruction, "input": task.input, "source": task.source}
            messages = prompt.render(rubric=rubric, first=first, second=second, **seen)
            return Request(self.role, messages, self.sampling, prompt.id)

        return lambda task, other: [request(task, task.output, other), request(task, other, task.output)]

    def _judged(self, record: Record, run: Run, both: tuple[Completion, Completion]) -> Record:
        record = traced(record, both)
        for completion in both:
            if completion.failure:
                return unanswered(record, run, self.name, completion)
        straight, swapped = _verdicts(both)
        if straight is None or swapped is None:
            which = "both orders" if straight is swapped else "one order"
            return unread(record, run, self.name, both, "unreadable_verdict", f"in {which}")
        if {straight, swapped} == {"first", "second"}:
            # the same place won twice, whatever stood there
            add_to(run, self.name, "first_place_won_twice" if straight == "first" else "second_place_won_twice")
        verdict = straight if straight == swapped else "tie"
        add_to(run, self.name, f"verdict_{verdict}")
        return scored(record, run, self.name, **{self.name: _SCORES[verdict]})

    def _gold(self) -> tuple[list[tuple[Task, str]], list[str | None]]:
        """The pairs of the gold file, and the verdicts on them. Raises `SourceError`."""
        gold = Gold.read(self.gold, self._first_columns, ["better"])
        pairs = []
        for row in gold.rows:
            pair = self._pair(Record("", row.values))
            if isinstance(pair, NoTask):
                raise SourceError(f"{row.place}: {pair.detail}", "a gold row holds a whole task and two answers")
            pairs.append(pair)
        return pairs, [
            self._better(value, row.place) for value, row in zip(gold.verdicts["better"], gold.rows, strict=True)
        ]

    async def _judge_gold(self, run: Run) -> None:
        pairs, theirs = self._gold()
        ours: list[str | None] = []
        for both in await self._ask(pairs, run):
            straight, swapped = (None, None) if any(c.failure for c in both) else _verdicts(both)
            missing = straight is None or swapped is None
            ours.append(None if missing else straight if straight == swapped else "tie")
        note(run, self.name, "agreement", {"better": choice_agreement(theirs, ours)})
        note(run, self.name, "gold_answers", {self.role: 2 * len(ours)})

    def _better(self, value: Any, place: str) -> str | None:
        """A person's verdict."""
        if value is None or value == "":
            return None
        known = {"first": "first", "a": "first", "1": "first", self.first.lower(): "first"}
        known |= {"second": "second", "b": "second", "2": "second", self.second.lower(): "second", "tie": "tie"}
        if str(value).strip().lower() not in known:
            raise SourceError(f"{place}: better is {value!r}", "it is first, second or tie")
        return known[str(value).strip().lower()]


def _verdicts(both: tuple[Completion, Completion]) -> tuple[Preference | None, Preference | None]:
    """What each order says of the answers, however they were placed."""
    return parse_preference(both[0].text), _SWAPPED[parse_preference(both[1].text)]
