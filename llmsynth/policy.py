"""What to do with an answer that ended otherwise than by itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from llmsynth.request import Completion, Failure, Request

_MOST_TOKENS = 16_384  # that a second try may ask for


@dataclass(frozen=True)
class FinishPolicy:
    """What becomes of answers by their `finish_reason`.

    on_length: an answer cut by the token limit is handed on for the method to use what is whole of it
        ("keep"), rejected, or asked for once more with twice the tokens, up to 16,384 ("retry"); what is cut
        even then is kept.
    on_content_filter: an answer that the provider withheld is rejected, or kept as it came.

    A rejected answer stays in the journal, as it was paid for, and is not asked for again: its records are
    dropped with the reason "length" or "content_filter".
    """

    on_length: Literal["keep", "reject", "retry"] = "keep"
    on_content_filter: Literal["reject", "keep"] = "reject"

    def judged(self, completion: Completion) -> Completion:
        """The completion, with a failure that is final if it is rejected."""
        reason = completion.finish_reason
        if reason == "stop" or completion.failure:
            return completion
        if reason == "length" and self.on_length == "reject":
            return _rejected(completion, "the token limit cut the answer short")
        if reason == "content_filter" and self.on_content_filter == "reject":
            return _rejected(completion, "the provider withheld the answer")
        return completion

    def longer(self, request: Request, completion: Completion) -> Request | None:
        """The request to send once more for a truncated answer, if there is one."""
        limit = request.sampling.max_tokens
        if self.on_length != "retry" or not completion.truncated or limit is None or limit >= _MOST_TOKENS:
            return None
        return dataclasses.replace(
            request, sampling=dataclasses.replace(request.sampling, max_tokens=min(2 * limit, _MOST_TOKENS))
        )


def both(first: Completion, second: Completion) -> Completion:
    """The second answer, with the tokens that both have cost."""
    return dataclasses.replace(
        second,
        prompt_tokens=_sum(first.prompt_tokens, second.prompt_tokens),
        completion_tokens=_sum(first.completion_tokens, second.completion_tokens),
    )


def _rejected(completion: Completion, message: str) -> Completion:
    return dataclasses.replace(completion, failure=Failure(completion.finish_reason, message, final=True))


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
