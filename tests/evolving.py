"""A model for Evol-Instruct that answers by script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from llmsynth import Completion, Request
from tests.scripted import Answer, content, made_up


def harder(given: str, prompt: str) -> str:
    """What a good model makes of a prompt: the given one with a dozen new words, or a new one in breadth."""
    if "brand-new" in prompt:
        return made_up(given, "a") + " " + made_up(given, "b")
    extra = made_up(prompt, 1) + " " + made_up(prompt, 2)
    return f"{extra}\n\n{given}"


@dataclass
class Evolver:
    """Answers stage by stage and keeps the requests.

    evolve: gets the given prompt and the whole request's text. equality: gets both prompts. respond: gets the
    instruction. difficulty: gets the instruction. analyse, improve: get the whole request.
    """

    evolve: Callable[[str, str], Answer] = harder
    equality: Callable[[str, str], Answer] = lambda first, second: "Not Equal"
    respond: Callable[[str], Answer] = lambda instruction: f"It is {made_up('answer', instruction)}"
    difficulty: Callable[[str], Answer] = lambda instruction: "5"
    analyse: Callable[[Request], Answer] = lambda request: f"Case 1, stage 1 failed. {request.seed}"
    improve: Callable[[Request], Answer] = lambda request: improved(f"Level {request.seed % 10}")
    log: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.log.append(request)
        text = content(request)
        if request.stage == "evolve":
            return self.evolve(given(text), text)
        if request.stage == "equality":
            return self.equality(tagged(text, "first_prompt"), tagged(text, "second_prompt"))
        if request.stage == "difficulty":
            return self.difficulty(tagged(text, "instruction"))
        if request.stage == "optimizer":
            return (self.improve if "<feedback>" in text else self.analyse)(request)
        assert request.stage == "responses"
        return self.respond(text)

    def asked(self, stage: str) -> list[Request]:
        return [request for request in self.log if request.stage == stage]

    def texts(self, stage: str) -> list[str]:
        return [content(request) for request in self.asked(stage)]


def improved(method: str) -> str:
    """A reply that proposes a method: two steps around the given words."""
    return f"Better:\n<improved_method>\nStep 1: List ways.\nStep 2: {method}\n</improved_method>"


def stepwise(prompt: str) -> str:
    """A reply that works its way to an evolved prompt as the pack auto asks for it."""
    return f"Step 1: ways\nStep 2: rewrite\n\n<rewritten_prompt>\n{prompt}\n</rewritten_prompt>"


def given(prompt: str) -> str:
    """The prompt that a request asks to evolve: the last one, as demonstrations come before it."""
    return tagged(prompt, "given_prompt")


def tagged(text: str, tag: str) -> str:
    found: list[str] = re.findall(rf"<{tag}>\n(.*?)\n</{tag}>", text, re.DOTALL)
    return found[-1]


def rows_file(folder: Path, rows: Sequence[dict[str, Any]] | int = 6) -> str:
    """A file of seeds; a number makes up so many, of twelve words each."""
    path = folder / "seeds.jsonl"
    if isinstance(rows, int):
        rows = [
            {"id": f"s{n}", "instruction": made_up("e", n) + " " + made_up("f", n), "output": f"Answer {n}"}
            for n in range(rows)
        ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def one_seed(folder: Path, instruction: str, output: str = "Fine.", given: str = "") -> str:
    return rows_file(folder, [{"id": "s", "instruction": instruction, "input": given, "output": output}])


def cut(text: str) -> Completion:
    return Completion(text, "length")


def mixed() -> Evolver:
    """Some of everything, every answer a function of its request, its seed included, as a model samples anew."""

    def one_in(many: int, *key: str) -> bool:
        return Random(str(key)).randrange(many) == 0

    def evolve(text: str, prompt: str) -> Answer:
        prompt += str(evolver.log[-1].seed)
        return "Sure, which?" if one_in(7, prompt) else harder(text, prompt)

    evolver = Evolver(
        evolve,
        equality=lambda a, b: "Equal" if one_in(5, a, b) else "Not Equal",
        respond=lambda text: "Sorry." if one_in(9, text) else made_up("answer", text),
    )
    return evolver
