"""Any OpenAI-compatible server: hosted, or one's own vLLM, llama.cpp, Ollama, SGLang, ...

The request path is aiohttp with orjson: the official client costs 1.4 ms of processor time per
request where this costs 0.1 ms, which is the difference between feeding a GPU server and starving it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson
import yarl

from llmsynth.backends._headers import rates, retry_after
from llmsynth.backends._structured import Enforcement, Structured, response_format
from llmsynth.errors import AuthenticationError, BackendError, ModelNotFoundError, RecipeError
from llmsynth.limits import Rates
from llmsynth.prices import Price, published_price
from llmsynth.request import Completion, Request, RequestFailedError
from llmsynth.text import shorten

_DEFAULT_URL = "https://api.openai.com/v1"
_DEFAULT_KEY = "OPENAI_API_KEY"
_USER_INFO = re.compile(r"//[^/@\s'\"]+@")
_CONNECT_SECONDS = 30.0
_BROKEN_OFF = ("abort", "error")  # by these finish reasons servers say under status 200 that they have failed
_SHORTEST_KEY = 16  # characters


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
    api_key_env: str = _DEFAULT_KEY
    extra_body: dict[str, Any] = field(default_factory=dict)
    api: Literal["chat", "completions"] = "chat"
    structured: Structured = "json_schema"
    timeout: float = 600.0
    endpoints: Sequence[OpenAIBackend] = field(default=(), init=False, repr=False)
    rates_told: Rates | None = field(default=None, init=False, repr=False)
    _key: str = field(default="", init=False, repr=False)
    _url: str = field(default="", init=False, repr=False)
    _proxy: str | None = field(default=None, init=False, repr=False)
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)
    _enforcement: Enforcement = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = self.base_url if isinstance(self.base_url, list) else [self.base_url]
        urls = [(url or os.environ.get("OPENAI_BASE_URL") or _DEFAULT_URL).rstrip("/") for url in given]
        if not urls or len(set(urls)) < len(urls):
            raise RecipeError("base_url lists no address, or one twice", "name each endpoint once")
        for url in urls:
            _check_address(url)
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and (self.api_key_env != _DEFAULT_KEY or _DEFAULT_URL in urls):
            raise AuthenticationError(
                f"the environment variable {self.api_key_env} holds no key for {urls[0]}",
                f"export {self.api_key_env}=...",
            )
        self.base_url = urls if isinstance(self.base_url, list) else urls[0]
        self._key, self._url, self._proxy = key, urls[0], _proxy(urls[0])
        self._enforcement = Enforcement(self.structured, self.model)
        self.endpoints = (self,)
        if len(urls) > 1:
            self.endpoints = tuple(dataclasses.replace(self, base_url=url) for url in urls)

    @property
    def identity(self) -> str:
        extra = orjson.dumps(self.extra_body, option=orjson.OPT_SORT_KEYS).decode() if self.extra_body else ""
        return f"openai:{self.served_as or self._url}:{self.api}:{self.model}{extra}"

    @property
    def name(self) -> str:
        return self.model

    @property
    def price(self) -> Price | None:
        return published_price(self._url, self.model)

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return bool(self._key)

    async def complete(self, request: Request) -> Completion:
        return await self._enforcement.ask(request, self._answer)

    async def post(self, request: Request) -> bytes:
        """What the server answers to a request under status 200. Raises what `complete` raises."""
        path, body = self._request(request)
        data = self._without_key(orjson.dumps(body))
        try:
            async with self._http().post(self._url + path, data=data, proxy=self._proxy) as response:
                payload = await response.read()
        # nothing is raised `from` these: a traceback shows them as they are, with the password of a proxy
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RequestFailedError(
                "connection", f"cannot reach {self._url}: {self._redact(_cause(error))}", retryable=True
            ) from None
        except TimeoutError:
            raise RequestFailedError("timeout", f"no answer within {self.timeout:g} s", retryable=True) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise RequestFailedError(
                "connection_lost", f"the answer broke off: {self._redact(_cause(error))}", retryable=True
            ) from None
        told = rates(response.headers)
        if told is not None:
            self.rates_told = told
        if response.status != 200:
            raise self._refusal(response.status, response.headers, payload)
        return payload

    async def ask(self, request: Request) -> tuple[Completion, Any]:
        """The completion, and the whole reply that it was taken from."""
        payload = await self.post(request)
        return self._completion(payload), _loads(payload)

    async def aclose(self) -> None:
        for endpoint in self.endpoints:
            if endpoint is not self:
                await endpoint.aclose()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _answer(self, request: Request) -> Completion:
        return self._completion(await self.post(request))

    def _request(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where a request goes, below the base_url, and its body."""
        held = response_format(self.structured, request.schema)
        body: dict[str, Any] = {"model": self.model, **request.sampling.body(), **held, **self.extra_body}
        if self.api == "chat":
            return "/chat/completions", {**body, "messages": request.messages}
        return "/completions", {**body, "prompt": request.messages[-1]["content"]}

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                connector=aiohttp.TCPConnector(limit=0),  # `Model` limits what is in flight
                timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=min(_CONNECT_SECONDS, self.timeout)),
            )
        return self._session

    def _completion(self, payload: bytes) -> Completion:
        try:
            reply = _loads(payload)
            choice = reply["choices"][0]
            text = choice["message"]["content"] if "message" in choice else choice["text"]
            usage = reply.get("usage") or {}
            prompt_tokens, completion_tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
            finish_reason = choice.get("finish_reason") or "stop"
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            said = shorten(self._redact(payload[:2000].decode("utf-8", "replace")), 200)
            raise RequestFailedError("bad_reply", f"the server sent no completion: {said}", retryable=True) from error
        if finish_reason in _BROKEN_OFF:
            raise RequestFailedError("broken_off", f"the server ended the answer: {finish_reason}", retryable=True)
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise RequestFailedError("bad_reply", "the content of the completion is no text", retryable=True)
        if self._is_secret and self._key in text:
            text = self._redact(text)  # a server that repeats its headers, into a corpus that is published
        return Completion(text, str(finish_reason), _count(prompt_tokens), _count(completion_tokens))

    def _refusal(self, status: int, headers: Mapping[str, str], payload: bytes) -> Exception:
        """The error that stands for an HTTP status, with what the server said of it."""
        said = shorten(self._redact(_message(payload)), 300)
        where = f"{self._url} answered {status}: {said}"
        if status in (401, 403):
            return AuthenticationError(where, f"the key came from {self.api_key_env}; is it right for this endpoint?")
        if status in (404, 405) or (status == 400 and b"model_not_found" in payload):
            return ModelNotFoundError(where, f"does the endpoint serve {self.model!r}, and does base_url end in /v1?")
        if status == 402 or (status == 429 and b"insufficient_quota" in payload):
            return BackendError(where, "add credit, then run the same command again: nothing is lost")
        withheld = status == 400 and b"content_filter" in payload  # so Azure says it, of the prompt too
        return RequestFailedError(
            "content_filter" if withheld else f"http_{status}",
            said,
            retryable=status in (408, 409, 425, 429) or status >= 500,
            retry_after=retry_after(headers),
            limited=status == 429,
        )

    @property
    def _is_secret(self) -> bool:
        """Whether the key is one, rather than the EMPTY or x that a local server is given."""
        return len(self._key) >= _SHORTEST_KEY

    def _without_key(self, body: bytes) -> bytes:
        """A request body, which does not hold the key: the journal and the corpus would hold it too."""
        if self._is_secret and self._key.encode() in body:
            raise BackendError(
                f"a prompt holds the key that {self.api_key_env} names; it was not sent, nor written anywhere",
                "find it in the seeds, prompts or options of the recipe, take it out, and have the key replaced",
            )
        return body

    def _redact(self, text: str) -> str:
        """The text without the key, and without the password of a proxy."""
        text = _USER_INFO.sub("//", text)
        return text.replace(self._key, "[key]") if self._key else text


def _check_address(url: str) -> None:
    try:
        address = yarl.URL(url)
        host = address.host
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https"):
        raise RecipeError(f"base_url {url!r} is no http(s) address", "such as http://localhost:8000/v1")
    if address.query_string or address.fragment:
        raise RecipeError(
            f"base_url goes on behind its path, to {host}",
            "it ends in the path; a key goes into a variable, see api_key_env",
        )
    if address.user or address.password:
        raise RecipeError(
            f"base_url holds a password for {host}", "recipes are published: put it into a variable, see api_key_env"
        )


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address: looked up once, where aiohttp asks a thread every time."""
    address = yarl.URL(url)
    bypassed = address.host and urllib.request.proxy_bypass(address.host)
    return None if bypassed else urllib.request.getproxies().get(address.scheme)


def _loads(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        # the standard library takes half a surrogate pair or half a character, which models do produce
        return json.loads(payload.decode("utf-8", "replace"))


def _count(tokens: Any) -> int | None:
    return tokens if isinstance(tokens, int) else None


def _message(payload: bytes) -> str:
    try:
        error = _loads(payload)
        error = error.get("error", error)
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError, RecursionError):
        return payload[:2000].decode("utf-8", "replace")


def _cause(error: BaseException) -> str:
    return str(error) or type(error).__name__
