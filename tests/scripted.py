"""A model that answers by script, and runs of a generator on it."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmsynth import Completion, FakeBackend, Record, Request, Run
from llmsynth.generators.protocol import Generator
from llmsynth.journal import Journal
from llmsynth.model import Model

Answer = str | Completion


def made_up(*key: object) -> str:
    """A sentence of six words that no other key's sentence shares."""
    rng = random.Random(str(key))
    words = ("".join(rng.choices("bdfgklmnprstaeiou", k=7)) for _ in range(6))
    return " ".join(words).capitalize() + "."


def numbered(items: Sequence[str], first: int = 9) -> str:
    """A reply that goes on from the number the prompt ended in."""
    return " " + "\n".join([items[0], *(f"{number}. {item}" for number, item in enumerate(items[1:], first + 1))])


@dataclass
class Script:
    """Answers stage by stage and keeps the requests.

    instructions: gets the number of the request. tasks: gets its prompt, and answers in its place.
    kind, instances: get the instruction they are asked about.
    """

    instructions: Callable[[int], Answer] = lambda n: numbered([made_up(n, i) for i in range(8)])
    kind: Callable[[str], Answer] = lambda instruction: "No"
    instances: Callable[[str], Answer] = lambda instruction: f"Output: {made_up('answer', instruction)}"
    tasks: Callable[[str], Answer] | None = None
    log: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.log.append(request)
        if request.stage == "instructions":
            if self.tasks:
                return self.tasks(content(request))
            return self.instructions(len(self.prompts("instructions")) - 1)
        return (self.kind if request.stage == "classification" else self.instances)(asked(request))

    def prompts(self, stage: str) -> list[str]:
        return [content(request) for request in self.log if request.stage == stage]


def content(request: Request) -> str:
    return request.messages[-1]["content"]


def asked(request: Request) -> str:
    """The instruction that a later stage asks about: the last task of the prompt."""
    tasks: list[str] = re.findall(r"^Task: (.*)$", content(request), re.MULTILINE)
    return tasks[-1]


def shown(prompt: str) -> list[str]:
    """The tasks that a prompt for instructions shows."""
    return re.findall(r"^\d+\. (.+)$", prompt, re.MULTILINE)


def seed_file(folder: Path, count: int = 20, classification: int = 0) -> str:
    """A file of made-up seeds, the first of them classification; returns its path."""
    path = folder / "seeds.jsonl"
    rows = [
        {
            "id": f"seed_{n}",
            "instruction": made_up("seed", n),
            "instances": [{"input": "" if n % 2 else f"given {n}", "output": f"answer {n}"}],
            "is_classification": n < classification,
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def seed_instructions(count: int = 20) -> list[str]:
    return [made_up("seed", n) for n in range(count)]


def reply(*items: str) -> Script:
    """A model whose every list of new instructions is the same."""
    return Script(instructions=lambda n: numbered(items))


def overlapping(common: int, length: int) -> tuple[str, str]:
    """Two texts of so many words that have the first ones in common."""
    a = [f"a{i}" for i in range(length)]
    return " ".join(a), " ".join(a[:common] + [f"b{i}" for i in range(common, length)])


def varied() -> Script:
    """A model whose every answer is a function of the request, as a resumed run needs."""
    return Script(
        tasks=lambda prompt: numbered([made_up(prompt, i) for i in range(8)]),
        kind=lambda instruction: "Yes" if instruction[0] in "AEIOU" else "No",
        instances=lambda instruction: "\n".join(
            f"Class label: {n}\nInput: in {n}" if instruction[0] in "AEIOU" else f"Input: in {n}\nOutput: {n}"
            for n in range(7)
        ),
    )


@dataclass
class Outcome:
    records: list[Record]
    run: Run

    @property
    def kept(self) -> list[Record]:
        return [record for record in self.records if record.dropped is None]

    def reasons(self) -> list[str | None]:
        return [record.dropped.reason if record.dropped else None for record in self.records]


async def play(
    generator: Generator,
    script: Callable[[Request], Answer],
    journal: Journal,
    target: int | None = None,
    seed: int = 0,
    late: bool = False,
    concurrency: int = 64,
) -> Outcome:
    """Run a generator as `synthesize` does, without steps. `late`: answers arrive out of order."""
    backend = _Late(script) if late else FakeBackend(script)
    run = Run({"default": Model(backend, journal, concurrency=concurrency, attempts=1)}, seed=seed, target=target)
    records: list[Record] = []
    generated = generator.generate(run)
    async for record in generated:
        run.tally.add(record)
        records.append(record)
        if run.missing <= 0:
            break
    await generated.aclose()  # type: ignore[attr-defined]
    await run.model("default").aclose()
    return Outcome(records, run)


class _Late(FakeBackend):
    """Answers after a few turns of the event loop, differently many for each request."""

    async def complete(self, request: Request) -> Completion:
        answer = await super().complete(request)
        for _ in range(random.Random(content(request)).randrange(12)):
            await asyncio.sleep(0)
        return answer
