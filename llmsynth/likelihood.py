"""How likely a model finds texts: what a request for `continuations` is answered with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import NamedTuple


class Likelihood(NamedTuple):
    """The sum of the log-probabilities of a text's tokens, and how many they are.

    logprob: None for a text that is less likely than all that the backend tells about.
    """

    logprob: float | None
    tokens: int

    @property
    def loss(self) -> float:
        """The mean negative log-probability of a token; infinite for one that is not told."""
        return math.inf if self.logprob is None else -self.logprob / self.tokens


def written(likelihoods: Iterable[Likelihood]) -> str:
    """The text of a completion that tells them."""
    return json.dumps([[None if x.logprob is None else round(x.logprob, 6), x.tokens] for x in likelihoods])


def read(text: str, count: int) -> list[Likelihood] | None:
    """So many likelihoods from the text of a completion; None for a text that does not tell them."""
    try:
        pairs = json.loads(text)
        found = [Likelihood(None if logprob is None else float(logprob), int(tokens)) for logprob, tokens in pairs]
    except (ValueError, TypeError, RecursionError):
        return None
    whole = len(found) == count and all(x.tokens > 0 and (x.logprob is None or x.logprob <= 1e-3) for x in found)
    return found if whole else None


def chances(likelihoods: Iterable[Likelihood]) -> list[float] | None:
    """The probabilities of texts of which one must come; None where none of them is told."""
    logprobs = [-math.inf if x.logprob is None else x.logprob for x in likelihoods]
    top = max(logprobs, default=-math.inf)
    if top == -math.inf:
        return None
    weights = [math.exp(logprob - top) for logprob in logprobs]
    return [weight / sum(weights) for weight in weights]
