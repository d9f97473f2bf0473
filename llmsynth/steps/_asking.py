"""Steps that ask a model one batch of questions about each record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate, scaled, tokens_per_answer
from llmsynth.record import Record
from llmsynth.request import Completion, Request
from llmsynth.run import Run
from llmsynth.steps._scoring import MOST_CHARACTERS, answers, traced, unanswered, unscored
from llmsynth.steps._task import Columns, NoTask, Task, task_of, turns_of
from llmsynth.text import rough_tokens

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
        record = traced(batch[place], completions)
        failed = next((completion for completion in completions if completion.failure), None)
        if failed is not None:
            done[place] = unanswered(record, run, step, failed)
        else:
            done[place] = reading(record, tasks[-1], completions)
    return done


def forecast(
    rows: Expected,
    run: Run,
    *,
    role: str,
    columns: Columns,
    asking: Asking,
    reply: Callable[[Task], str] | None,
    every_turn: bool = False,
    more: int = 0,
) -> list[StageEstimate]:
    """What a step that works by `asked` will ask for, going by what it would ask about rows like those to come.

    reply: a text like the reply to a question about a task; None for a model that generates nothing.
    more: requests besides those about the rows, such as about a gold file's.
    """
    asked_of = [_questions(record, asking, columns, every_turn) for record in rows.like]
    if not any(asked_of):  # rows that get the columns only on their way, and that these stand for
        columns = Columns()
        asked_of = [_questions(record, asking, columns, every_turn) for record in rows.like]
    questions = [pair for pairs in asked_of for pair in pairs]
    if not questions:
        return []
    requests = round(rows.rows * len(questions) / len(rows.like)) + more
    spent = tokens_per_answer(role, rows.past)
    if spent is None:
        said = 0.0 if reply is None else mean(rough_tokens(reply(task)) for task, _ in questions)
        spent = mean(_tokens(request) for _, request in questions), said
    limit = questions[0][1].sampling.override(dict(run.model(role).sampling)).max_tokens
    return [scaled(role, requests, *spent, 0 if reply is None else limit)]


def _questions(record: Record, asking: Asking, columns: Columns, every_turn: bool) -> list[tuple[Task, Request]]:
    """Every request about a record, with the task that it is about."""
    tasks = _tasks(record, columns, every_turn)
    return [] if isinstance(tasks, NoTask) else [(task, request) for task in tasks for request in asking(task)]


def _tokens(request: Request) -> float:
    texts = [message["content"] for message in request.messages]
    return sum(map(rough_tokens, (*texts, *request.continuations)))


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
