"""Preference data from the rounds of Evol-Instruct: the answer to a task against that to the one it grew from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps._pair import pair_columns, paired
from llmsynth.steps._question import Question, question_of
from llmsynth.steps._task import Columns, NoTask


@dataclass
class EvolutionPairs:
    """Makes of each evolved row a pair: its instruction, its own answer, and as rejected the answer to its parent.

    An operator in depth adds a requirement, a step of reasoning or a detail to a task and keeps the rest. So the answer
    to the parent is on the subject and well written, and does not do what was added: what the pair teaches is to heed
    all of the instruction. Nothing is asked of a model. What is not made, as it would teach something else:

    - of what was evolved by an operator in breadth, which makes another task, so that the parent's answer is off the
      subject; or by one that makes the task easier, whose parent's answer does all that is asked. See `leave_out`.
    - the other way round, the child's answer as rejected for the parent's instruction: doing more than was asked is no
      fault that could be told from merit.
    - from answers two rounds apart: a row whose parent was eliminated goes on from an earlier one, which is its parent.

    By chance a parent's answer may heed what was added too. A `pairwise-judge` behind this step tells, and
    `where` keeps the pairs whose `pairwise` is 1.

    leave_out: operators of which no pairs are made.

    Works within a run of `evol-instruct`, and on a finished one: `llmsynth curate RUN --steps evolution-pairs`. In any
    run a parent comes before its children, so the pairs depend on no order or speed of answers. One that a step before
    this one dropped is a parent all the same; of a finished run, which hands on what it kept, it is missing.

    Reasons: `not_evolved` (a seed, or no row of Evol-Instruct), `other_task` (see `leave_out`), `parent_missing`,
    `equal_answers`, `no_answer`, `no_question`, `too_long`.
    """

    leave_out: tuple[str, ...] = ("breadth", "easier_topic", "simplify")
    columns: Columns = Columns()
    _answers: dict[str, str] = field(default_factory=dict, init=False, repr=False)  # of the latest of each line, by id

    def columns_after(self, columns: Mapping[str, str]) -> Mapping[str, str]:
        """The pair in place of the task."""
        return pair_columns(columns, self.columns)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [self._pair(record) for record in batch]

    def _pair(self, record: Record) -> Record:
        if record.dropped and "dropped_by" not in record.meta:
            return record  # it was eliminated, and is nobody's parent
        question = question_of(record, self.columns)
        made = record if record.dropped else self._judged(record, question)
        for parent in record.meta.get("parents") or ():
            self._answers.pop(parent, None)  # the next round goes on from this row
        if isinstance(question, Question):
            self._answers[record.id] = question.task.output.strip()
        return record.drop(made.reason, made.detail) if isinstance(made, Drop) else made

    def _judged(self, record: Record, question: Question | NoTask) -> Record | Drop:
        parents = list(record.meta.get("parents") or ())
        operator = str(record.meta.get("operator", ""))
        if not operator or len(parents) != 1:
            return Drop("not_evolved", "it was not made by an operator of Evol-Instruct from one other row")
        if operator in self.leave_out:
            return Drop("other_task", f"made by {operator}")
        if isinstance(question, NoTask):
            return Drop(*question)
        rejected, chosen = self._answers.get(parents[0], ""), question.task.output.strip()
        if not chosen:
            return Drop("no_answer", "the row has none")
        if not rejected:
            return Drop("parent_missing", f"no answer of {parents[0]} came before it")
        if rejected == chosen:
            return Drop("equal_answers", f"the answer is that of {parents[0]}")
        record = paired(record, question, chosen, rejected)
        return dataclasses.replace(record, meta={**record.meta, "preferred_by": "evolution"})
