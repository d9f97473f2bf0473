"""A fake model for whole runs: its answer is a function of the request, and looks like Self-Instruct's replies."""

from __future__ import annotations

import random

from llmsynth.request import Request

_VERBS = "Describe Compare Summarise Rewrite Explain List Translate Classify Shorten Outline Rank Sort".split()
_THINGS = "river violin harbour market theorem garden recipe bridge comet ledger forest novel engine castle".split()
_WAYS = "briefly politely formally in French for children with two examples as a letter in plain words".split()


def reply(request: Request) -> str:
    """What the teacher says to one request."""
    rng = random.Random(f"{request.messages}{request.seed}")
    if request.stage == "instructions":
        items = [_instruction(rng) for _ in range(8)]
        return " " + "\n".join([items[0], *(f"{number}. {item}" for number, item in enumerate(items[1:], 10))])
    if request.stage == "classification":
        return rng.choice(["Yes", "No", "No", "No"])
    if "class label" in request.messages[-1]["content"]:
        return "Class label: river\nInput: It flows.\nClass label: comet\nInput: It glows."
    return f"Example 1\nInput: {rng.choice(_THINGS)} {rng.random():.6f}\nOutput: {_instruction(rng)}"


def _instruction(rng: random.Random) -> str:
    return " ".join(
        [rng.choice(_VERBS), "the", *rng.sample(_THINGS, 3), *rng.sample(_WAYS, 3), str(rng.randrange(10**6))]
    )


def silent(request: Request) -> str:
    """A teacher that never gives anything usable."""
    return "I would rather not."
