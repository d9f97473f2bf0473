"""The part of the reward backend that needs torch."""

from __future__ import annotations

import gc
import logging

import torch
import transformers

from llmsynth.backends._loading import is_out_of_memory, load, window_of
from llmsynth.backends._local import templated, too_long
from llmsynth.errors import BackendError
from llmsynth.request import Completion, Request, RequestFailedError

log = logging.getLogger(__name__)


class Rater:
    """A loaded sequence classifier; runs in one thread."""

    def __init__(self, name: str, device: str, dtype: str, trust_remote_code: bool, output: int) -> None:
        kind = transformers.AutoModelForSequenceClassification
        self.tokenizer, self.model, self.device = load(kind, name, device, dtype, trust_remote_code)
        outputs = int(self.model.config.num_labels)
        if not 0 <= output < outputs:
            raise BackendError(f"{name} has {outputs} outputs, and no number {output}", "they are counted from 0")
        self.output = output
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if self.model.config.pad_token_id is None:  # by it the model finds the last token of a row
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        self.tokenizer.padding_side = "right"
        self.window = window_of(self.model)

    def generate(self, requests: list[Request]) -> list[Completion | RequestFailedError | None]:
        """The reward of each conversation, in order, as the text of a completion.

        One that is too long for the model, or for the memory even alone, or that the chat template refuses, fails by
        itself; it is never cut, as the end of the answer is what it is about.
        """
        answers: list[Completion | RequestFailedError | None] = [None] * len(requests)
        encoded: list[dict[str, list[int]]] = []
        for i, request in enumerate(requests):
            try:
                encoded.append(self._encoded(request))
            except RequestFailedError as refusal:
                encoded.append({"input_ids": []})
                answers[i] = refusal
        lengths = [len(row["input_ids"]) for row in encoded]
        for i, length in enumerate(lengths):
            if length > self.window:
                answers[i] = too_long(length, self.window)
        waiting = [i for i, answer in enumerate(answers) if answer is None]
        together = len(waiting)
        while waiting:
            batch = waiting[:together]
            rewards = self._in_memory([encoded[i] for i in batch])
            if rewards is None and len(batch) > 1:
                together = len(batch) // 2
                log.warning("out of memory with %d answers at once; going on with half of that", len(batch))
                continue
            if rewards is None:
                said = f"{lengths[batch[0]]} tokens do not fit into the memory of {self.device}"
                answers[batch[0]] = RequestFailedError("out_of_memory", said, retryable=False)
            else:
                for i, reward in zip(batch, rewards, strict=True):
                    answers[i] = Completion(f"{reward:.6f}", "stop", lengths[i], 0)
            waiting = waiting[len(batch) :]
        return answers

    def _encoded(self, request: Request) -> dict[str, list[int]]:
        """What the model is to be given of a conversation."""
        turns = list(request.messages)
        if self.tokenizer.chat_template is not None:
            text = templated(self.tokenizer, turns, asks=False)
            return dict(self.tokenizer(text, add_special_tokens=False))
        asked = "\n\n".join(turn["content"] for turn in turns[:-1])
        return dict(self.tokenizer(asked, turns[-1]["content"]))

    def _in_memory(self, encoded: list[dict[str, list[int]]]) -> list[float] | None:
        try:
            return self._rewards(encoded)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()  # only here, where no traceback holds the tensors any more
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _rewards(self, encoded: list[dict[str, list[int]]]) -> list[float]:
        batch = self.tokenizer.pad(encoded, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            logits = self.model(**batch).logits
        rewards: list[float] = logits[:, self.output].float().tolist()
        return rewards
