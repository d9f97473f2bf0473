"""Any OpenAI-compatible server: hosted, or one's own vLLM, llama.cpp, Ollama, SGLang, ..."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from llmsynth.backends import _logprobs as logprobs
from llmsynth.backends._structured import Enforcement, Structured, response_format
from llmsynth.endpoint import OPENAI_KEY, Endpoint, addresses, key_from, loads
from llmsynth.limits import Rates
from llmsynth.prices import Price, published_price
from llmsynth.request import Completion, Request, RequestFailedError

_OLDER, _NEWER = "max_tokens", "max_completion_tokens"
_IS_NEWER = re.compile(rf"\b{_OLDER}\b.*\buse\b.*\b{_NEWER}\b", re.IGNORECASE | re.DOTALL)
_BROKEN_OFF = ("abort", "error")  # by these finish reasons servers say under status 200 that they have failed


@dataclass
class OpenAIBackend:
    """One request to `/chat/completions` or `/completions`.

    base_url: up to and including `/v1`; OPENAI_BASE_URL or OpenAI's own when empty. A list of several is one
        model served at each of them.
    served_as: what stands for the address in the journal, where answers of another address are to count as the
        same model's; the first address when empty, so that more can be appended to a list at any time.
    api_key_env: the environment variable that holds the key. Its default may be unset, as local
        servers need none; one that is named must be set. The key itself is never in a recipe.
    extra_body: sent verbatim in each request body, such as {"top_k": 20, "min_p": 0.05}.
    api: "completions" sends the last message as a raw prompt, for base models.
    structured: how the server is held to the schema of a request that has one: by "json_schema", by "json_object",
        which promises JSON and no more, or by the "prompt" alone. A server that refuses is asked by prompt. It is
        part of the journal key of such requests; what a server made of it is not.
    timeout: seconds for one whole answer.
    """

    model: str
    base_url: str | list[str] = ""
    served_as: str = ""
    api_key_env: str = OPENAI_KEY
    extra_body: dict[str, Any] = field(default_factory=dict)
    api: Literal["chat", "completions"] = "chat"
    structured: Structured = "json_schema"
    timeout: float = 600.0
    endpoints: Sequence[OpenAIBackend] = field(default=(), init=False, repr=False)
    _endpoint: Endpoint = field(init=False, repr=False)
    _enforcement: Enforcement = field(init=False, repr=False)
    _newer: bool = field(
        default=False, init=False, repr=False
    )  # whether it takes the newer name of the limit on tokens

    def __post_init__(self) -> None:
        given = self.base_url if isinstance(self.base_url, list) else [self.base_url]
        urls = addresses(given)
        key = key_from(self.api_key_env, urls)
        self.base_url = urls if isinstance(self.base_url, list) else urls[0]
        self._endpoint = Endpoint(urls[0], key, self.api_key_env, self.timeout, self.model)
        self._enforcement = Enforcement(self.structured, self.model)
        self.endpoints = (self,)
        if len(urls) > 1:
            self.endpoints = tuple(dataclasses.replace(self, base_url=url) for url in urls)

    @property
    def identity(self) -> str:
        extra = orjson.dumps(self.extra_body, option=orjson.OPT_SORT_KEYS).decode() if self.extra_body else ""
        return f"openai:{self.served_as or self._endpoint.url}:{self.api}:{self.model}{extra}"

    @property
    def name(self) -> str:
        return self.model

    @property
    def price(self) -> Price | None:
        return published_price(self._endpoint.url, self.model)

    @property
    def limited_as(self) -> str:
        """Who a provider counts requests for: whoever asks this model here with this key."""
        urls = [endpoint._endpoint.url for endpoint in self.endpoints]
        return f"{self.model} at {' '.join(urls)} for {self.api_key_env}"

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return bool(self._endpoint.key)

    @property
    def secrets(self) -> dict[str, bytes]:
        """What must not be written, by the variable that holds it."""
        return self._endpoint.secrets

    @property
    def rates_told(self) -> Rates | None:
        """What the latest headers said the endpoint allows."""
        return self._endpoint.rates_told

    async def complete(self, request: Request) -> Completion:
        if request.continuations:
            return await self._likelihoods(request)
        return await self._enforcement.ask(request, self._answer)

    async def post(self, request: Request) -> bytes:
        """What the server answers to a request under status 200. Raises what `complete` raises."""
        path, body = self._request(request)
        try:
            return await self._endpoint.post(path, body)
        except RequestFailedError as refusal:
            if not self._learns_from(refusal) or _OLDER not in body:
                raise
        return await self._endpoint.post(*self._request(request))

    async def ask(self, request: Request) -> tuple[Completion, Any]:
        """The completion, and the whole reply that it was taken from."""
        payload = await self.post(request)
        return self._completion(payload), loads(payload)

    async def aclose(self) -> None:
        for endpoint in self.endpoints:
            if endpoint is not self:
                await endpoint.aclose()
        await self._endpoint.aclose()

    async def _answer(self, request: Request) -> Completion:
        return self._completion(await self.post(request))

    def _request(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where a request goes, below the base_url, and its body."""
        held = response_format(self.structured, request.schema)
        body: dict[str, Any] = {"model": self.model, **request.sampling.body(), **held, **self.extra_body}
        if self._newer and _OLDER in body:
            body.setdefault(_NEWER, body.pop(_OLDER))
        if self.api == "chat":
            return "/chat/completions", {**body, "messages": request.messages}
        return "/completions", {**body, "prompt": request.messages[-1]["content"]}

    def _learns_from(self, refusal: RequestFailedError) -> bool:
        """Whether a refusal is for the name of the limit on tokens, which newer models know by another only."""
        if not _IS_NEWER.search(refusal.message):
            return False
        self._newer = True
        return True

    @property
    def likelihoods(self) -> str:
        """What can be told of `continuations`: a chat endpoint tells the likeliest next tokens only."""
        return "choices" if self.api == "chat" else "texts"

    async def _likelihoods(self, request: Request) -> Completion:
        path, body = self._request(request) if request.messages else ("/completions", {"model": self.model})
        told = []
        for change in logprobs.asked(request, body, chat=self.api == "chat"):
            payload = await self._endpoint.post(path, {**body, **change})
            try:
                told.append(loads(payload))
            except ValueError as error:
                raise self._endpoint.bad_reply(payload, "log-probabilities") from error
        return logprobs.completion(request, told, chat=self.api == "chat")

    def _completion(self, payload: bytes) -> Completion:
        try:
            reply = loads(payload)
            choice = reply["choices"][0]
            finish_reason = choice.get("finish_reason") or "stop"
            said, field = (choice["message"], "content") if "message" in choice else (choice, "text")
            # what is withheld may be left out, where anything else that is left out is a fault
            text = said.get(field) if finish_reason == "content_filter" else said[field]
            usage = reply.get("usage")
            told = usage if isinstance(usage, dict) else {}
            prompt_tokens, completion_tokens = told.get("prompt_tokens"), told.get("completion_tokens")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise self._endpoint.bad_reply(payload, "completion") from error
        if finish_reason in _BROKEN_OFF:
            raise RequestFailedError("broken_off", f"the server ended the answer: {finish_reason}", retryable=True)
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise RequestFailedError("bad_reply", "the content of the completion is no text", retryable=True)
        if self._endpoint.key_in(text):
            text = self._endpoint.redact(text)  # a server that repeats its headers, into a corpus that is published
        return Completion(text, str(finish_reason), _count(prompt_tokens), _count(completion_tokens))


def _count(tokens: Any) -> int | None:
    return tokens if type(tokens) is int and tokens >= 0 else None
