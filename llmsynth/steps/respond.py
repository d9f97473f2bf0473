"""Answers of models to the questions there are: several to choose from, or new ones in place of the old."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate, scaled, tokens_per_answer
from llmsynth.parsing.wrapping import without_thinking
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.steps._answers import FIELD, TYPE, Answer, answers_in, are_answers
from llmsynth.steps._question import Question, answered_turns, asked_turns, of_conversations, question_of
from llmsynth.steps._scoring import answers_by_role, count, failed, in_vain, made_by
from llmsynth.steps._task import Columns, NoTask
from llmsynth.text import rough_tokens

NAME = "respond"
_OF_AN_ANSWER = {"reasoning_content", "reasoning", "thinking", "tool_calls"}  # keys of a turn
_SOME_ANSWER = "An answer of some length, as there is none to go by. " * 20


@dataclass(frozen=True)
class Respond:
    """Asks one or several models to answer each row's own question, and keeps every answer.

    The field `answers` gets a list of them, in the order of `models`, behind those that are there already: each with
    its text, the role that was asked, the model, why it ended, and where the journal has it. A conversation is asked up
    to its last answer, or to its end where it ends in a question, turn by turn; other rows through the prompt
    `respond/answer`.

    models: the roles that are asked, each the stage of its requests; the model `default` stands in for one that the
        recipe does not have. Sampling that differs by model is that of `models.<role>.sampling`.
    samples: answers by each model; or by role, such as {strong: 1, weak: 3}.
    draw: ask only so many of the models about a row, drawn at random for each, as in UltraFeedback (Cui et al., 2023).
    replace: put the one answer that is asked for in the place of the row's own: of its last one ("last"), or of every
        answer in a conversation ("all"), in order, each after the new ones before it. The old ones stay in
        `meta["replaced"]`, and there is no field `answers`.
    answers: the field that gets them, where the rows have something else of that name.

    An answer that will not come however often it is asked for, such as one that the provider withholds, is missing, and
    so is an empty one; a row for which none came is dropped as `no_answer`. Where one may yet come the row failed, with
    the answers that came, or null for one to replace, and the next run asks again. Other reasons: `no_question`,
    `too_long`; `truncated`, of an answer that is to replace one.
    """

    models: tuple[str, ...] = (NAME,)
    samples: int | dict[str, int] = 4
    draw: int | None = None
    replace: Literal["none", "last", "all"] = "none"
    answers: str = FIELD
    columns: Columns = Columns()
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=1024)

    def __post_init__(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            raise RecipeError("models: name each role that is to answer, once", "such as models: [strong, weak]")
        if isinstance(self.samples, dict) and self.samples.keys() != set(self.models):
            raise RecipeError(
                f"samples is for {', '.join(self.samples)}, and models are {', '.join(self.models)}",
                "one number for all, or one for each of them",
            )
        if min(self._samples(role) for role in self.models) < 1:
            raise RecipeError(f"samples is {self.samples}", "at least 1 answer of each model; 4 in all are usual")
        if self.draw is not None and not 1 <= self.draw <= len(self.models):
            raise RecipeError(f"draw is {self.draw}, of {len(self.models)} models", "some of them, or null for all")
        if self.replace != "none" and self._most != 1:
            raise RecipeError(
                f"replace: {self._most} answers cannot take the place of one", "samples: 1, and draw: 1 of the models"
            )

    @property
    def _most(self) -> int:
        """Answers to a row, at most."""
        counts = sorted(map(self._samples, self.models), reverse=True)
        return sum(counts[: self.draw])

    @property
    def overlaps(self) -> bool:
        """Whether the next rows may come while it waits: where it asks for all answers at once."""
        return self.replace != "all"

    def columns_after(self, columns: Mapping[str, str]) -> Mapping[str, str]:
        """The dataset gets the answers; or an answer for each question, where there was none.

        Raises `RecipeError` for a column of that name which holds something else.
        """
        if self.replace == "none":
            if not are_answers(columns.get(self.answers, TYPE)):
                raise RecipeError(
                    f"there is a column {self.answers} already, and it holds no answers of models",
                    "name another for them: answers: responses, and the same for the step preference",
                )
            return {**columns, self.answers: TYPE}
        there = self.columns.output in columns or of_conversations(columns, self.columns)
        return columns if there else {**columns, self.columns.output: "string"}

    def validate(self, run: Run) -> None:
        self._prompt(run)
        for role in self.models:
            run.model(role)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """As many requests to each model as it is to make answers."""
        found = [(record, question_of(record, self.columns)) for record in rows.like]
        asking = [(record, question) for record, question in found if isinstance(question, Question)]
        if not asking:
            return []
        questions = [question for _, question in asking]
        count = sum(len(_Turns.of(*pair, self.replace).left) for pair in asking) / len(rows.like)
        prompt, stages = self._prompt(run), []
        for role in self.models:
            share = 1.0 if self.draw is None else self.draw / len(self.models)
            requests = round(rows.rows * count * share * self._samples(role))
            asked = [_request(role, question, prompt, self.sampling).messages for question in questions]
            spent = tokens_per_answer(role, rows.past) or (
                mean(sum(rough_tokens(message["content"]) for message in messages) for messages in asked),
                mean(rough_tokens(_like_answer(question)) for question in questions),
            )
            limit = self.sampling.override(dict(run.model(role).sampling)).max_tokens
            stages.append(scaled(role, requests, *spent, limit))
        return stages

    def like_after(self, records: Sequence[Record]) -> list[Record]:
        """The records, each with as many answers as will be there, like its own one; as they are once some came."""
        if self.replace != "none":
            return list(records)
        done = []
        for record in records:
            question = question_of(record, self.columns)
            came = any(answer.role in self.models for answer in answers_in(record.fields.get(self.answers)) or ())
            if isinstance(question, Question) and not came:
                text = _like_answer(question)
                answers = [Answer(f"{text} ({number})", self.models[0]) for number in range(self._most)]
                record = _with(record, self.answers, answers)
            done.append(record)
        return done

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        if self.replace != "none":
            return await self._replacing(batch, run)
        prompt = self._prompt(run)
        done = list(batch)
        waiting: list[tuple[int, list[str]]] = []
        requests: dict[str, list[Request]] = {role: [] for role in self.models}
        for place, record, question in self._questions(done):
            roles = self._asked(record, run)
            for role in roles:
                requests[role] += [_request(role, question, prompt, self.sampling)] * self._samples(role)
            waiting.append((place, roles))
        told = {role: iter(completions) for role, completions in (await answers_by_role(run, requests)).items()}
        for place, roles in waiting:
            completions = [next(told[role]) for role in roles for _ in range(self._samples(role))]
            done[place] = _answered(batch[place], self.answers, completions, run)
        return done

    async def _replacing(self, batch: list[Record], run: Run) -> list[Record]:
        """One answer after the other, those of all rows at once; see `replace`."""
        prompt = self._prompt(run)
        done = list(batch)
        waiting = {
            place: _Turns.of(record, question, self.replace) for place, record, question in self._questions(done)
        }
        while waiting:
            requests: dict[str, list[Request]] = {role: [] for role in self.models}
            places: dict[str, list[int]] = {role: [] for role in self.models}
            for place, row in list(waiting.items()):
                question = row.question(done[place])
                if isinstance(question, NoTask):
                    done[place] = done[place].drop(*question)
                    del waiting[place]
                    continue
                [role] = self._asked(batch[place], run)
                requests[role].append(_request(role, question, prompt, self.sampling))
                places[role].append(place)
            told = await answers_by_role(run, requests)
            for role in self.models:
                for place, completion in zip(places[role], told[role], strict=True):
                    after = _replaced(done[place], waiting[place], completion, run)
                    if after.dropped:  # half of it made anew is nothing to look at
                        after = dataclasses.replace(after, fields=batch[place].fields)
                    if after.status == "failed":  # where such rows are wanted, it is with null
                        after = dataclasses.replace(after, fields={**after.fields, waiting[place].asks.field: None})
                    done[place] = after
                    if after.dropped or not waiting[place].left:
                        del waiting[place]
        return done

    def _questions(self, done: list[Record]) -> Iterator[tuple[int, Record, Question]]:
        """The rows that ask something, with their places; those that do not are dropped where they are."""
        for place, record in enumerate(done):
            if record.dropped:
                continue
            question = question_of(record, self.columns)
            if isinstance(question, NoTask):
                done[place] = record.drop(*question)
            else:
                yield place, record, question

    def _asked(self, record: Record, run: Run) -> list[str]:
        """The roles that are asked about a row, in the order of `models`."""
        if self.draw is None:
            return list(self.models)
        drawn = run.rng(NAME, record.id).sample(self.models, self.draw)
        return [role for role in self.models if role in drawn]

    def _samples(self, role: str) -> int:
        return self.samples[role] if isinstance(self.samples, dict) else self.samples

    def _prompt(self, run: Run) -> Prompt:
        return run.prompts.load("respond/answer", {"instruction", "input"})


@dataclass
class _Turns:
    """The answers of a row that are still to be replaced, and those that have been.

    left: places of answers in the conversation, the next one first; the place after its last turn is one that it does
    not have yet. Of plain columns it is a place that says nothing.
    """

    asks: Question
    left: list[int]
    old: list[str]

    @classmethod
    def of(cls, record: Record, question: Question, replace: str) -> _Turns:
        if not question.turns:
            return cls(question, [0], [])
        places = answered_turns(record, question.field)
        here = len(question.turns)  # where its last answer is, or belongs
        return cls(question, sorted({*places, here}) if replace == "all" else [here], [])

    def question(self, record: Record) -> Question | NoTask:
        """What is asked next, of the record as it has become."""
        if not self.asks.turns:
            return self.asks
        turns = asked_turns(record, self.asks.field, self.left[0])
        return turns if isinstance(turns, NoTask) else self.asks._replace(turns=turns)

    def put(self, record: Record, text: str) -> Record:
        """The record with the next answer in its place."""
        field, place = self.asks.field, self.left.pop(0)
        if not self.asks.turns:
            self.old.append(self.asks.task.output)
            return dataclasses.replace(record, fields={**record.fields, field: text})
        conversation = list(record.fields[field])
        if place == len(conversation):
            conversation.append(_like(conversation[-1], text))
        else:
            turn = conversation[place]
            content = "content" if "content" in turn else "value"
            self.old.append(turn[content])
            # what the old answer had been thought of and called for is none of the new one
            conversation[place] = {**turn, **dict.fromkeys(turn.keys() & _OF_AN_ANSWER), content: text}
        return dataclasses.replace(record, fields={**record.fields, field: conversation})


def _like_answer(question: Question) -> str:
    """A text as long as an answer may be: the row's own one, if there is one."""
    return question.task.output or _SOME_ANSWER


def _like(turn: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A model's turn in the manner of another: what else that has is there, and null."""
    said = {"role": "assistant", "content": text} if "content" in turn else {"from": "gpt", "value": text}
    return {**dict.fromkeys(turn), **said}


def _request(role: str, question: Question, prompt: Prompt, sampling: Sampling) -> Request:
    if question.turns:
        return Request(role, question.turns, sampling)
    task = question.task
    return Request(role, prompt.render(instruction=task.instruction, input=task.input), sampling, prompt.id)


def _answered(record: Record, field: str, completions: Sequence[Completion], run: Run) -> Record:
    """The record with the answers that came."""
    answers: list[Answer] = []
    missing: list[str] = []
    for completion in completions:
        text = _text(completion, run)
        if text:
            answers.append(_told(completion, text))
        else:
            missing.append(completion.failure.kind if completion.failure else "empty")
    record = made_by(record, completions)
    if answers:
        record = _with(record, field, answers)
    if (waited := _worth_asking_again(completions)) is not None:
        return failed(record, NAME, waited)
    if not answers:
        return record.drop("no_answer", f"of {len(completions)} asked for: {', '.join(sorted(set(missing)))}")
    return record


def _replaced(record: Record, row: _Turns, completion: Completion, run: Run) -> Record:
    """The record with one answer in the place of its own."""
    text = _text(completion, run)
    if (waited := _worth_asking_again([completion])) is not None:
        return failed(record, NAME, waited)
    record = made_by(record, [completion])
    if not text:
        return record.drop("no_answer", completion.failure.message if completion.failure else "it is empty")
    if completion.truncated:
        return record.drop("truncated", "the token limit cut the answer short")
    record = row.put(record, text)
    return dataclasses.replace(record, meta={**record.meta, "replaced": list(row.old)})


def _worth_asking_again(completions: Sequence[Completion]) -> Completion | None:
    return next((one for one in completions if one.failure and not in_vain(one.failure)), None)


def _text(completion: Completion, run: Run) -> str:
    """What is shown to a person of an answer, counted; nothing where there is none."""
    counts: dict[str, Any] = run.notes.setdefault(NAME, _nothing())  # type: ignore[assignment]
    failure = completion.failure
    text = "" if failure else without_thinking(completion.text).strip()
    counts["asked"] += 1
    if text:
        counts["answers"] += 1
        count(counts["models"], completion.model)
        count(counts["finish_reasons"], completion.finish_reason)
    elif failure is not None and not in_vain(failure):
        count(counts["failed"], failure.kind)
    else:
        count(counts["missing"], failure.kind if failure else "empty")
    return text


def _nothing() -> dict[str, Any]:
    """asked = answers + missing + failed, the last two by reason; the answers by model and by why they ended too."""
    return {"asked": 0, "answers": 0, "missing": {}, "failed": {}, "models": {}, "finish_reasons": {}}


def _told(completion: Completion, text: str) -> Answer:
    assert completion.request is not None
    return Answer(text, completion.request.stage, completion.model, completion.finish_reason, completion.key)


def _with(record: Record, field: str, answers: Sequence[Answer]) -> Record:
    """The record with further answers."""
    there = answers_in(record.fields.get(field)) or []
    told = [answer._asdict() for answer in (*there, *answers)]
    return dataclasses.replace(record, fields={**record.fields, field: told})
