"""Records to be scored, and a run whose model is a function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmsynth import Completion, FakeBackend, Record, Request, Run
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Backend
from llmsynth.steps import Step

Answering = Callable[[Request], str | Completion]


def run_of(journal: Journal, models: Answering | Backend | Mapping[str, Backend] = str) -> Run:
    """A run with one model for every role, or with those given."""
    if callable(models):
        models = FakeBackend(models)
    roles = models if isinstance(models, Mapping) else {"default": models}
    return Run({role: Model(backend, journal, attempts=1) for role, backend in roles.items()})


def apply(step: Step, records: Sequence[Record], run: Run, batch: int = 32) -> list[Record]:
    """The records after a step, batch by batch, as a run applies it."""

    async def work() -> list[Record]:
        done: list[Record] = []
        for start in range(0, len(records), batch):
            done += await step.apply(list(records[start : start + batch]), run)
        for model in run.models.values():
            await model.aclose()
        return done

    return asyncio.run(work())


def row(id: str = "r", instruction: str = "Name a river.", output: str = "The Danube.", **fields: Any) -> Record:
    return Record(id, {"instruction": instruction, "input": "", "output": output, **fields})


def asked(request: Request) -> str:
    return request.messages[-1]["content"]


def between(prompt: str, tag: str) -> str:
    """What a prompt shows under a tag; nothing where it has no such tag."""
    return prompt.partition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]
