"""What a stage will ask for, before it asks. Shared by generators and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from llmsynth.prices import Price
from llmsynth.record import Record
from llmsynth.request import Message, Sampling
from llmsynth.text import rough_tokens

_SAMPLES = 32


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will ask for. Tokens are of all its requests together.

    at_most: completion tokens if every answer ran into its limit; None where it has none.
    asked, price: what is asked and what it takes, where that is none of the recipe's models.
    """

    stage: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    at_most: int | None
    asked: str = ""
    price: Price | None = None


@dataclass(frozen=True)
class Expected:
    """The rows that a step is expected to be given.

    rows: how many, those dropped before it not counted. like: some like them, from which requests can be made.
    past: the report of an earlier run of the recipe, if there is one.
    """

    rows: int
    like: Sequence[Record]
    past: Mapping[str, Any] | None = None


def stage_estimate(
    stage: str,
    requests: int,
    prompts: Callable[[int], tuple[Message, ...]],
    replies: Iterable[str],
    sampling: Sampling,
    past: Mapping[str, Any] | None,
) -> StageEstimate:
    """One stage's tokens: measured per answer if an earlier run had the stage, else from rendered prompts
    and from texts like the replies."""
    measured = tokens_per_answer(stage, past)
    if measured is None:
        rendered = [prompts(i) for i in range(_SAMPLES)]
        prompt = mean(sum(rough_tokens(m["content"]) for m in messages) for messages in rendered)
        measured = prompt, mean(map(rough_tokens, replies))
    return scaled(stage, requests, *measured, sampling.max_tokens)


def tokens_per_answer(stage: str, past: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Tokens in and out of an answer, as an earlier run's report tells; None where it does not."""
    usage = past["usage"].get(stage) if past else None
    if not usage or not usage["prompt_tokens"]:  # no prompt is of no token: nobody counted
        return None
    return usage["prompt_tokens"] / usage["answers"], usage["completion_tokens"] / usage["answers"]


def scaled(stage: str, requests: int, prompt: float, completion: float, limit: int | None) -> StageEstimate:
    """So many requests, given the tokens in and out of one, and the most that may come out of it."""
    most = None if limit is None else limit * requests
    made = round(completion * requests)
    return StageEstimate(stage, requests, round(prompt * requests), made if most is None else min(made, most), most)
