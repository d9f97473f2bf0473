"""The part of the transformers backend that needs torch."""

from __future__ import annotations

import gc
import logging
import math
from typing import Any

import numpy as np
import torch
import transformers

from llmsynth.backends._likelihood import likelihoods
from llmsynth.backends._loading import is_out_of_memory, load, window_of
from llmsynth.backends._local import templated, too_long
from llmsynth.request import Completion, Request, RequestFailedError

log = logging.getLogger(__name__)

_DEFAULT_MAX_TOKENS = 1024


class Engine:
    """A loaded model and tokenizer; runs in one thread."""

    def __init__(self, name: str, device: str, dtype: str, trust_remote_code: bool) -> None:
        self.tokenizer, self.model, self.device = load(
            transformers.AutoModelForCausalLM, name, device, dtype, trust_remote_code
        )
        self.tokenizer.padding_side = "left"  # a causal model continues the last token, which must be a real one
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.ends = _end_tokens(self.model)
        self.capacity: float = math.inf  # tokens, padding included, that the memory holds in one batch
        self.window = window_of(self.model)

    def generate(self, requests: list[Request]) -> list[Completion | RequestFailedError | None]:
        """One answer per request, in order; None for those that found no room in memory beside the ones before them.

        A prompt that is too long for the model, or for the memory even alone, or that the chat template refuses, fails
        its own row only. Requests for continuations come by themselves.
        """
        if requests[0].continuations:
            return likelihoods(self, requests)
        answers: list[Completion | RequestFailedError | None] = [None] * len(requests)
        texts = [""] * len(requests)
        for i, request in enumerate(requests):
            try:
                texts[i] = self.text_of(request)
            except RequestFailedError as refusal:
                answers[i] = refusal
        lengths = [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        for i, length in enumerate(lengths):
            if length >= self.window:
                answers[i] = too_long(length, self.window)
        fitting = [i for i, answer in enumerate(answers) if answer is None]
        longest = [length + self._limit(request, length) for request, length in zip(requests, lengths, strict=True)]
        while fitting:
            batch = self._affordable(fitting, longest)
            made = self._in_memory([requests[i] for i in batch], [texts[i] for i in batch])
            if made is not None:
                for i, answer in zip(batch, made, strict=True):
                    answers[i] = answer
                break
            if len(batch) == 1:
                said = f"{longest[batch[0]]} tokens with its answer do not fit into the memory of {self.device}"
                answers[batch[0]] = RequestFailedError("out_of_memory", said, retryable=False)
                break
            self.capacity = len(batch) * max(longest[i] for i in batch) // 2
            log.warning("out of memory with %d requests at once; going on with half of that", len(batch))
        return answers

    def _affordable(self, rows: list[int], longest: list[int]) -> list[int]:
        """As many of the first rows as the memory takes, padded to the longest of them; one at least."""
        count, width = 1, longest[rows[0]]
        for i in rows[1:]:
            width = max(width, longest[i])
            if (count + 1) * width > self.capacity:
                break
            count += 1
        return rows[:count]

    def _in_memory(self, requests: list[Request], texts: list[str]) -> list[Completion] | None:
        """What the batch is answered, or None if the memory does not hold it."""
        try:
            return self._generate(requests, texts)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()  # only here, where no traceback holds the tensors any more
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _limit(self, request: Request, length: int) -> int:
        """Tokens that the answer to a prompt of this length may have."""
        return min(request.sampling.max_tokens or _DEFAULT_MAX_TOKENS, self.window - length)

    def _generate(self, requests: list[Request], texts: list[str]) -> list[Completion]:
        """Decode a batch token by token; a row leaves it when it is done, so that no row waits for a longer one."""
        encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(self.device)
        ids, mask = encoded["input_ids"], encoded["attention_mask"]
        lengths = mask.sum(1).tolist()
        rows = [_Row(r, length, self._limit(r, length)) for r, length in zip(requests, lengths, strict=True)]
        cache = transformers.DynamicCache(config=self.model.config)
        present = list(rows)
        with torch.inference_mode():
            while present:
                positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
                logits = self.model(
                    input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1
                ).logits[:, -1]
                ids = _sample(logits, present).unsqueeze(1)
                for row, token in zip(present, ids[:, 0].tolist(), strict=True):
                    row.take(token, self.ends, self.tokenizer)
                going = [i for i, row in enumerate(present) if row.finish_reason is None]
                if len(going) < len(present):
                    present = [present[i] for i in going]
                    if not present:
                        break
                    chosen = torch.tensor(going, device=ids.device)
                    cache.batch_select_indices(chosen)
                    ids, mask = ids[chosen], mask[chosen]
                mask = torch.cat([mask, mask.new_ones((len(present), 1))], dim=1)
        return [row.completion(self.tokenizer) for row in rows]

    def text_of(self, request: Request) -> str:
        """The prompt as the model is given it. Raises `RequestFailedError`."""
        if self.tokenizer.chat_template is None:
            return request.messages[-1]["content"]
        return templated(self.tokenizer, request.messages)


class _Row:
    """One request on its way through a batch."""

    def __init__(self, request: Request, prompt_length: int, limit: int) -> None:
        sampling = request.sampling
        self.request = request
        self.prompt_length = prompt_length
        self.temperature = 1.0 if sampling.temperature is None else sampling.temperature
        self.top_p = 1.0 if sampling.top_p is None else sampling.top_p
        self.presence = sampling.presence_penalty or 0.0
        self.frequency = sampling.frequency_penalty or 0.0
        self.noise = np.random.Generator(np.random.Philox(key=request.seed))
        self.tokens: list[int] = []
        self.finish_reason: str | None = None
        self._limit = limit
        # a token is at least one byte long, so this many of the last ones hold any stop string that just ended
        self._tail = max((len(stop.encode()) for stop in sampling.stop), default=0) + 1

    def take(self, token: int, ends: set[int], tokenizer: Any) -> None:
        """The next token; sets the finish reason when it is the last one."""
        if token in ends:
            self.finish_reason = "stop"
            return
        self.tokens.append(token)
        stops = self.request.sampling.stop
        if stops:
            tail = tokenizer.decode(self.tokens[-self._tail :], skip_special_tokens=True)
            if any(stop in tail for stop in stops):
                self.finish_reason = "stop"
                return
        if len(self.tokens) >= self._limit:
            self.finish_reason = "length"

    def completion(self, tokenizer: Any) -> Completion:
        text = tokenizer.decode(self.tokens, skip_special_tokens=True)
        for stop in self.request.sampling.stop:
            text = text.split(stop, 1)[0]
        return Completion(text, self.finish_reason or "length", self.prompt_length, len(self.tokens))


def _sample(logits: Any, rows: list[_Row]) -> Any:
    """The next token of each row, by its own penalties, temperature, nucleus and random numbers.

    logits: (rows, vocabulary). The greatest of logits plus Gumbel noise is a sample from their softmax, so each row
    draws from a generator seeded by its own request, whatever stands beside it.
    """

    def column(values: list[float]) -> Any:
        return torch.tensor(values, dtype=torch.float32, device=logits.device).unsqueeze(1)

    scores = logits.float()
    for i, row in enumerate(rows):
        if (row.presence or row.frequency) and row.tokens:
            seen, counts = torch.tensor(row.tokens, device=scores.device).unique(return_counts=True)
            scores[i, seen] -= row.presence + row.frequency * counts
    sampled = [i for i, row in enumerate(rows) if row.temperature > 0]
    if sampled:
        drawing = [rows[i] for i in sampled]
        chosen = scores[sampled] / column([row.temperature for row in drawing])
        chosen = _nucleus(chosen, column([row.top_p for row in drawing]))
        uniform = np.stack([row.noise.random(scores.shape[1], dtype=np.float32) for row in drawing])
        gumbel = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
        scores[sampled] = chosen + torch.from_numpy(gumbel).to(scores)
    return scores.argmax(1)


def _nucleus(logits: Any, top_p: Any) -> Any:
    """In each row, the smallest set of tokens whose probabilities reach top_p; the others at minus infinity."""
    if bool((top_p >= 1).all()):
        return logits
    ordered, order = torch.sort(logits, dim=1, descending=True)
    probabilities = torch.softmax(ordered, dim=1)
    beyond = (torch.cumsum(probabilities, dim=1) - probabilities >= top_p) & (top_p < 1)
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -math.inf)


def _end_tokens(model: Any) -> set[int]:
    end = model.generation_config.eos_token_id
    return set(end) if isinstance(end, list) else {end}
