"""What a stage will ask for, before it asks. Shared by the generators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import mean
from typing import Any

from llmsynth.generators.protocol import StageEstimate
from llmsynth.request import Message, Sampling
from llmsynth.text import rough_tokens

_SAMPLES = 32


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
    usage = past["usage"].get(stage) if past else None
    if usage and usage["answers"]:
        prompt = usage["prompt_tokens"] / usage["answers"]
        completion = usage["completion_tokens"] / usage["answers"]
    else:
        rendered = [prompts(i) for i in range(_SAMPLES)]
        prompt = mean(sum(rough_tokens(m["content"]) for m in messages) for messages in rendered)
        completion = mean(map(rough_tokens, replies))
    most = None if sampling.max_tokens is None else sampling.max_tokens * requests
    made = round(completion * requests)
    return StageEstimate(stage, requests, round(prompt * requests), made if most is None else min(made, most), most)
