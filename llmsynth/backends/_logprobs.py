"""How likely texts are, as far as OpenAI-compatible servers tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from llmsynth.likelihood import Likelihood, written
from llmsynth.request import Completion, Request, RequestFailedError

_TOP = 20  # the most that servers tell
_LONGEST_CHOICE = 12  # characters that are taken for a single token


def asked(request: Request, body: Mapping[str, Any], chat: bool) -> list[dict[str, Any]]:
    """What to change in the body of each call that is needed: one, which tells the likeliest next tokens or echoes.

    A text of any length is sent to `/completions` behind its prompt, with `echo`, as vLLM and others answer it.
    """
    if len(request.continuations) > 1 or chat:
        if any(len(text) > _LONGEST_CHOICE or len(text.split()) != 1 for text in request.continuations):
            raise RequestFailedError(
                "refused",
                "a chat endpoint tells the likelihood of single tokens only; `api: completions` that of texts",
                retryable=False,
            )
        return [{"max_tokens": 1} | ({"logprobs": True, "top_logprobs": _TOP} if chat else {"logprobs": _TOP})]
    text = _before(body) + request.continuations[0]
    return [{"prompt": text, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}]


def completion(request: Request, replies: Sequence[Any], chat: bool) -> Completion:
    """The completion that tells the likelihoods. Raises `RequestFailedError` for replies that do not hold them."""
    try:
        told = replies[0]["choices"][0]["logprobs"]
        if chat:
            top = [(entry["token"], entry["logprob"]) for entry in told["content"][0]["top_logprobs"]]
            found = _choices(request.continuations, top)
        elif len(request.continuations) > 1:
            found = _choices(request.continuations, list(told["top_logprobs"][0].items()))
        else:
            found = [_echoed(told, request)]
        usage = replies[0].get("usage") or {}
        tokens = usage.get("prompt_tokens")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise RequestFailedError("no_logprobs", "the server tells no log-probabilities", retryable=False) from error
    return Completion(written(found), "stop", tokens if isinstance(tokens, int) else None, 1)


def _before(body: Mapping[str, Any]) -> str:
    """The prompt that a text goes on from, on a line of its own, as `transformers` joins them too."""
    prompt = str(body.get("prompt", ""))
    return f"{prompt}\n" if prompt else ""


def _choices(choices: Sequence[str], top: Sequence[tuple[str, float]]) -> list[Likelihood]:
    """Each choice by all tokens that spell it, with a blank before it or without."""
    found = []
    for choice in choices:
        chance = sum(math.exp(logprob) for token, logprob in top if token.strip(" \n▁Ġ") == choice.strip())
        found.append(Likelihood(math.log(chance) if chance > 0 else None, 1))
    return found


def _echoed(told: Mapping[str, Any], request: Request) -> Likelihood:
    """The tokens that lie within the text. Its first one has no log-probability where nothing comes before it."""
    text = request.continuations[0]
    start = len(request.messages[-1]["content"]) + 1 if request.messages else 0
    within = [
        logprob
        for offset, logprob in zip(told["text_offset"], told["token_logprobs"], strict=True)
        if start <= offset < start + len(text) and logprob is not None
    ]
    if not within:
        raise KeyError("no token")
    return Likelihood(float(sum(within)), len(within))
