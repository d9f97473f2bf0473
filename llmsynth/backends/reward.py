"""Reward models: sequence classifiers that transformers can load, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from llmsynth.backends.transformers import TransformersBackend
from llmsynth.errors import MissingExtraError


@dataclass
class RewardBackend(TransformersBackend):
    """Answers a conversation that ends in the assistant's turn with the number its reward model gives it.

    model: a local directory, or a name on the Hub, of a model with a classification head.
    output: which of several outputs of the head is the reward. One that has a single output gives that.
    max_batch, device, dtype, trust_remote_code: as in `transformers`.

    The model is shown the chat template's text or, without one, the question and the answer as a pair.
    """

    output: int = 0
    rewards: ClassVar[bool] = True
    likelihoods: ClassVar[str] = ""

    @property
    def identity(self) -> str:
        return f"reward:{self._found.identity}" + (f":{self.output}" if self.output else "")

    def _load(self) -> Any:
        try:
            from llmsynth.backends._reward import Rater
        except ImportError as error:
            raise MissingExtraError("the reward backend", "local") from error
        return Rater(self._found.source, self.device, self.dtype, self.trust_remote_code, self.output)
