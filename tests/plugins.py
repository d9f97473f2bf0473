"""What a third party might write: a generator, steps and a backend, named by `tests.plugins:Name` in recipes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import ClassVar

from llmsynth.generators.protocol import About
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Message, Request, Sampling
from llmsynth.run import Run


@dataclass(frozen=True, slots=True)
class Echoes:
    """Asks for `count` echoes, some of them twice; `broken_at` raises, after that many records."""

    about: ClassVar[About] = About("Echoes.")

    count: int = 1_000_000
    lookahead: int = 8
    broken_at: int | None = None
    sampling: Sampling = Sampling(temperature=0.5, top_p=0.9)
    more: Sampling = field(default_factory=lambda: Sampling(max_tokens=9))

    def validate(self, run: Run) -> None:
        run.model("default")

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        requests = (
            Request("echo", (Message(role="user", content=f"Task: {i}"),), self.sampling) for i in range(self.count)
        )
        index = 0
        async for completion in run.model("default").stream(requests, self.lookahead):
            if index == self.broken_at:
                raise ZeroDivisionError("a bug in the generator")
            failure = completion.failure
            drop = Drop(failure.kind, failed=not failure.final) if failure else None
            fields = {"instruction": f"Task {index}", "input": "", "output": completion.text}
            yield Record(f"{index:06}", fields, {"journal": [completion.key]}, dropped=drop)
            index += 1
        run.notes["stopped"] = "all asked"


def never(record: Record) -> str | None:
    """A check that nothing passes."""
    return "never"


def odd(record: Record) -> str | None:
    """A check: drops the rows with an odd number."""
    return "odd" if int(record.id) % 2 else None


def nothing(record: Record) -> str | None:
    return "no"


def broken(record: Record) -> str | None:
    raise ZeroDivisionError("a bug in the step")


def last_words(request: Request) -> str | Completion:
    """A model that repeats the last number it sees, without its last digit: every answer comes ten times."""
    return f"answer {int(request.messages[-1]['content'].split()[-1]) // 10}"


NOT_CALLABLE = 3


def not_first(record: Record) -> str | None:
    """A check of rows that have no number: drops the first line of a file."""
    return "first" if record.id.endswith(":1") else None


@dataclass
class Unhurried:
    """A step that takes its time for each batch."""

    seconds: float = 0.0

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        await asyncio.sleep(self.seconds)
        return batch


@dataclass
class Asking:
    """A step that asks the judge about every so many-th record."""

    every: int

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        chosen = [record for record in batch if int(record.id.rpartition(":")[2]) % self.every == 0]
        requests = (Request("judge", (Message(role="user", content=record.id),)) for record in chosen)
        scores = {}
        async for completion in run.model("judge").stream(requests, 8):
            assert completion.request is not None
            scores[completion.request.messages[0]["content"]] = float(len(completion.text))
        return [record.scored(judged=scores[record.id]) if record.id in scores else record for record in batch]


def odd_line(record: Record) -> str | None:
    """A check of rows that have no number: drops every other line of a file."""
    return "odd" if int(record.id.rpartition(":")[2]) % 2 else None


@dataclass(frozen=True)
class Answers:
    """A step: asks for the output of every record; one that gets none has failed."""

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        requests = [Request("answer", (Message(role="user", content=r.fields["question"]),)) for r in batch]
        told = [completion async for completion in run.model("default").stream(requests, 8)]
        return [self._with(record, completion) for record, completion in zip(batch, told, strict=True)]

    @staticmethod
    def _with(record: Record, completion: Completion) -> Record:
        if completion.failure:
            drop = Drop(completion.failure.kind, completion.failure.message, failed=True)
            return dataclasses.replace(record, dropped=drop)
        return dataclasses.replace(record, fields={**record.fields, "answer": completion.text})
