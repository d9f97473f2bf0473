"""The part of the transformers backend that needs torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import transformers
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from llmsynth.errors import ModelNotFoundError
from llmsynth.request import Completion, Request, RequestFailedError

_DEFAULT_MAX_TOKENS = 1024


class Engine:
    """A loaded model and tokenizer; runs in one thread."""

    def __init__(self, name: str, device: str, dtype: str, trust_remote_code: bool) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
            self.model = transformers.AutoModelForCausalLM.from_pretrained(
                name, dtype=dtype, trust_remote_code=trust_remote_code
            )
        except (OSError, ValueError) as error:
            raise ModelNotFoundError(
                f"cannot load {name}: {str(error).splitlines()[0]}",
                "give a directory that save_pretrained wrote, or a name that your Hub cache or connection can provide",
            ) from error
        if device == "cpu" and self.model.dtype == torch.float16:
            self.model = self.model.float()  # half precision is slower than single on most processors
        self.model = self.model.to(device).eval()
        self.tokenizer.padding_side = "left"  # a causal model continues the last token, which must be a real one
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.device = device
        self.window = int(getattr(self.model.config, "max_position_embeddings", 0) or 1 << 20)

    def generate(self, requests: list[Request]) -> list[Completion | RequestFailedError]:
        """One answer per request, in order. A prompt that does not fit fails its own row only."""
        texts = [self._text(request) for request in requests]
        lengths = [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        fitting = [i for i, length in enumerate(lengths) if length < self.window]
        answers: list[Completion | RequestFailedError] = [
            RequestFailedError("prompt_too_long", f"{length} tokens, the model takes {self.window}", retryable=False)
            for length in lengths
        ]
        if fitting:
            made = self._generate([requests[i] for i in fitting], [texts[i] for i in fitting])
            for i, answer in zip(fitting, made, strict=True):
                answers[i] = answer
        return answers

    def _generate(self, requests: list[Request], texts: list[str]) -> list[Completion]:
        encoded = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(self.device)
        prompt_length = int(encoded["input_ids"].shape[1])
        lengths = encoded["attention_mask"].sum(1).tolist()
        limits = [min(r.sampling.max_tokens or _DEFAULT_MAX_TOKENS, self.window - prompt_length) for r in requests]
        stops = _Stops(self.tokenizer, requests, limits, prompt_length)
        with torch.inference_mode():
            output = self.model.generate(
                **encoded,
                max_new_tokens=max(limits),
                do_sample=False,
                logits_processor=LogitsProcessorList([_Sampler(requests, prompt_length, self.device)]),
                stopping_criteria=StoppingCriteriaList([stops]),
                pad_token_id=self.tokenizer.pad_token_id,
            )
        return [
            self._completion(request, row[prompt_length:].tolist(), limit, length)
            for request, row, limit, length in zip(requests, output, limits, lengths, strict=True)
        ]

    def _text(self, request: Request) -> str:
        if self.tokenizer.chat_template is None:
            return request.messages[-1]["content"]
        return str(
            self.tokenizer.apply_chat_template(list(request.messages), tokenize=False, add_generation_prompt=True)
        )

    def _completion(self, request: Request, tokens: list[int], limit: int, prompt_length: int) -> Completion:
        ends = _end_tokens(self.model)
        finish_reason = "length"
        for position, token in enumerate(tokens):
            if token in ends or position >= limit:
                finish_reason = "stop" if token in ends and position < limit else "length"
                tokens = tokens[:position]
                break
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in request.sampling.stop:
            at = text.find(stop)
            if at >= 0:
                text, finish_reason = text[:at], "stop"
        return Completion(text, finish_reason, prompt_length, len(tokens))


class _Sampler(LogitsProcessor):  # type: ignore[misc]  # torch is untyped here
    """Penalties, temperature and nucleus of each row, and then its own Gumbel noise.

    The greatest of logits plus Gumbel noise is a sample from their softmax, so greedy search over
    these scores samples, and each row draws from a generator seeded by its own request.
    """

    def __init__(self, requests: list[Request], prompt_length: int, device: str) -> None:
        def column(values: list[float]) -> Any:
            return torch.tensor(values, dtype=torch.float32, device=device).unsqueeze(1)

        samplings = [request.sampling for request in requests]
        temperatures = [1.0 if s.temperature is None else s.temperature for s in samplings]
        self.prompt_length = prompt_length
        self.sampled = [i for i, temperature in enumerate(temperatures) if temperature > 0]
        self.temperature = column([temperatures[i] for i in self.sampled])
        self.top_p = column([1.0 if samplings[i].top_p is None else float(samplings[i].top_p) for i in self.sampled])  # type: ignore[arg-type]
        self.presence = column([s.presence_penalty or 0.0 for s in samplings])
        self.frequency = column([s.frequency_penalty or 0.0 for s in samplings])
        self.penalised = bool(self.presence.any() or self.frequency.any())
        self.noise = [np.random.Generator(np.random.Philox(key=requests[i].seed)) for i in self.sampled]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores = scores.float()
        if self.penalised:
            made = input_ids[:, self.prompt_length :]
            counts = torch.zeros_like(scores).scatter_add_(1, made, torch.ones_like(made, dtype=scores.dtype))
            scores = scores - self.presence * (counts > 0) - self.frequency * counts
        if not self.sampled:
            return scores
        logits = _nucleus(scores[self.sampled] / self.temperature, self.top_p)
        uniform = np.stack([noise.random(scores.shape[1], dtype=np.float32) for noise in self.noise])
        gumbel = -np.log(-np.log(np.clip(uniform, 1e-7, 1 - 1e-7)))
        scores[self.sampled] = logits + torch.from_numpy(gumbel).to(scores)
        return scores


class _Stops(StoppingCriteria):  # type: ignore[misc]  # torch is untyped here
    """Ends a row at its own token limit, or once one of its stop strings stands in its text."""

    def __init__(self, tokenizer: Any, requests: list[Request], limits: list[int], prompt_length: int) -> None:
        self.tokenizer = tokenizer
        self.requests = requests
        self.limits = limits
        self.prompt_length = prompt_length
        # a token is at least one byte long, so this many of the last ones hold any stop string that just ended
        self.tails = [max((len(s.encode()) for s in r.sampling.stop), default=0) + 1 for r in requests]

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        made = input_ids.shape[1] - self.prompt_length
        done = [made >= limit or self._stopped(row, input_ids[row], made) for row, limit in enumerate(self.limits)]
        return torch.tensor(done, device=input_ids.device)

    def _stopped(self, row: int, tokens: Any, made: int) -> bool:
        stops = self.requests[row].sampling.stop
        if not stops:
            return False
        tail = self.tokenizer.decode(tokens[-min(made, self.tails[row]) :], skip_special_tokens=True)
        return any(stop in tail for stop in stops)


def _nucleus(logits: Any, top_p: Any) -> Any:
    """In each row, the smallest set of tokens whose probabilities reach top_p; the others at minus infinity."""
    if bool((top_p >= 1).all()):
        return logits
    ordered, order = torch.sort(logits, dim=1, descending=True)
    probabilities = torch.softmax(ordered, dim=1)
    beyond = torch.cumsum(probabilities, dim=1) - probabilities >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -math.inf)


def _end_tokens(model: Any) -> set[int]:
    end = model.generation_config.eos_token_id
    return set(end) if isinstance(end, list) else {end}
