"""Steps that ask a model one batch of questions about each record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.request import Completion, Request
from llmsynth.run import Run
from llmsynth.steps._scoring import MOST_CHARACTERS, answers, traced, unanswered, unscored
from llmsynth.steps._task import Columns, NoTask, Task, task_of, turns_of

Asking = Callable[[Task], Sequence[Request]]
Reading = Callable[[Record, Task, Sequence[Completion]], Record]


async def asked(
    batch: Sequence[Record],
    run: Run,
    *,
    step: str,
    role: str,
    columns: Columns,
    asking: Asking,
    reading: Reading,
    every_turn: bool = False,
) -> list[Record]:
    """The records of a batch, with what `reading` makes of the answers to what `asking` asks about each.

    every_turn: ask about every answer of a conversation, rather than the last one; `reading` gets all their answers.
    Dropped ones pass as they are; one without a task, or whose question has no answer, has no score.
    All requests of a batch are asked at once.
    """
    done = list(batch)
    waiting: list[tuple[int, list[Task], int]] = []
    requests: list[Request] = []
    for place, record in enumerate(batch):
        if record.dropped:
            continue
        tasks = _tasks(record, columns, every_turn)
        if isinstance(tasks, NoTask):
            done[place] = unscored(record, run, step, *tasks)
            continue
        questions = [request for task in tasks for request in asking(task)]
        waiting.append((place, tasks, len(questions)))
        requests += questions
    told = iter(await answers(run.model(role), requests))
    for place, tasks, count in waiting:
        completions = [next(told) for _ in range(count)]
        record = batch[place]
        failed = next((completion for completion in completions if completion.failure), None)
        if failed is not None:
            done[place] = unanswered(record, run, step, failed)
        else:
            done[place] = reading(traced(record, completions), tasks[-1], completions)
    return done


def _tasks(record: Record, columns: Columns, every_turn: bool) -> list[Task] | NoTask:
    if every_turn:
        tasks = turns_of(record, columns)
    else:
        task = task_of(record, columns)
        tasks = task if isinstance(task, NoTask) else [task]
    if not isinstance(tasks, NoTask) and (length := max(sum(map(len, task)) for task in tasks)) > MOST_CHARACTERS:
        return NoTask("too_long", f"{length:,} characters")
    return tasks


def check_likelihoods(run: Run, role: str, step: str, *, texts: bool) -> None:
    """Raise `RecipeError` unless the role's model can tell how likely texts, or single tokens, are."""
    told = getattr(run.model(role).backend, "likelihoods", "")
    if told != "texts" and (texts or not told):
        raise RecipeError(
            f"{step} needs a model that tells how likely texts are, and models.{role} does not",
            f"such as models: {{{role}: {{use: transformers, model: ...}}}}, or a vLLM server with api: completions",
        )
