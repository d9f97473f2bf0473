"""Self-consistency: does a model come to the same result again and again?"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.parsing.answers import Kind, canonical_answer, kind_of_answer
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.steps._asking import Asking, asked, forecast
from llmsynth.steps._scoring import add_to, scored, unread
from llmsynth.steps._task import Columns, Task
from llmsynth.text import wording

NAME = "self_consistency"
_THOUGHT = (
    "First I look at what is given and at what is asked for. Then I work it out step by step, writing down what each "
    "step comes to, and check the last one against what was given before I say what the result is.\nAnswer:"
)


@dataclass(frozen=True)
class SelfConsistency:
    """Answers each question k times and tells how many agree (Wang et al., 2022; as a filter, Huang et al., 2022).

    The score `self_consistency` is the share of the k samples that come to the commonest result, the earliest of
    equals; a sample whose result cannot be read counts among the k. `self_consistency_agrees` is 1 where the record's
    own answer comes to that result and 0 where it comes to another. `meta["consistency"]` has the results and how often
    each came. It means something only where results can be compared: numbers, labels, yes or no, short texts, and what
    a program prints, which is compared as text; no code is run.

    kind: of the results; "auto" tells it from the record's own answer. labels: for the kind "label".
    least: a record with a lower share is dropped as `inconsistent_answers`; null drops none.
    agree: drop a record whose own answer comes to another result, as `answer_disagrees`.
    role: the model that is asked, `default` if there is none.
    """

    name: ClassVar[str] = "self_consistency"
    overlaps: ClassVar[bool] = True

    samples: int = 8
    kind: Literal["auto", "number", "yes_no", "label", "code", "text"] = "auto"
    labels: tuple[str, ...] = ()
    least: float | None = None
    agree: bool = False
    role: str = "self_consistency"
    columns: Columns = Columns()
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=1024)

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise RecipeError(f"samples is {self.samples}", "at least 2; 8 to 32 are usual")
        if (self.kind == "label") != bool(self.labels):
            raise RecipeError("labels belong to kind: label, which needs them", "such as labels: [positive, negative]")
        if len(set(map(wording, self.labels))) < len(self.labels):
            raise RecipeError("two labels are the same but for case and punctuation", "no answer could tell them apart")

    def validate(self, run: Run) -> None:
        self._prompt(run)
        run.model(self.role)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """As many requests a row as there are samples."""
        return forecast(
            rows,
            run,
            role=self.role,
            columns=self.columns,
            asking=self._asking(run),
            reply=lambda task: f"{_THOUGHT} {task.output}",
        )

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            return self._judged(record, task, completions, run)

        return await asked(
            batch, run, step=NAME, role=self.role, columns=self.columns, asking=self._asking(run), reading=reading
        )

    def _asking(self, run: Run) -> Asking:
        prompt = self._prompt(run)

        def asking(task: Task) -> list[Request]:
            messages = prompt.render(
                instruction=task.instruction, input=task.input, kind=self._kind(task), labels=self.labels
            )
            return [Request(self.role, messages, self.sampling, prompt.id)] * self.samples

        return asking

    def _prompt(self, run: Run) -> Prompt:
        return run.prompts.load("self_consistency/answer", {"instruction", "input", "kind", "labels"})

    def _kind(self, task: Task) -> Kind:
        return kind_of_answer(task.output) if self.kind == "auto" else self.kind

    def _judged(self, record: Record, task: Task, completions: Sequence[Completion], run: Run) -> Record:
        kind = self._kind(task)
        results = [  # what stands at the end of a reply that was cut is no result
            None if completion.truncated else canonical_answer(completion.text, kind, self.labels)
            for completion in completions
        ]
        counts = Counter(result for result in results if result is not None)
        if not counts:
            said = f"none of {len(results)} answers tells a {kind}"
            return unread(record, run, NAME, completions, "no_result", said)
        if len(counts) < len(set(results)):
            add_to(run, NAME, "with_unreadable_samples")
        commonest, times = counts.most_common(1)[0]  # of equals the one that came first
        share = times / len(results)
        told = {result[:200]: count for result, count in counts.most_common(10)}
        record = dataclasses.replace(record, meta={**record.meta, "consistency": told})
        own = canonical_answer(task.output, kind, self.labels)
        agrees = {} if own is None else {f"{NAME}_agrees": float(own == commonest)}
        record = scored(record, run, NAME, **{NAME: share}, **agrees)
        if self.least is not None and share < self.least:
            return record.drop("inconsistent_answers", f"{times} of {len(results)} answers come to {commonest[:80]!r}")
        if self.agree and own is not None and own != commonest:
            return record.drop(
                "answer_disagrees", f"{own[:80]!r}, and {times} of {len(results)} say {commonest[:80]!r}"
            )
        return record
