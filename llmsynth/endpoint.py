"""One OpenAI-compatible address: where it is, with which key, and what its refusals mean.

The request path is aiohttp with orjson: the official client costs 1.4 ms of processor time per
request where this costs 0.1 ms, which is the difference between feeding a GPU server and starving it.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import yarl

from llmsynth.errors import AuthenticationError, BackendError, ModelNotFoundError, RecipeError, holds_key
from llmsynth.headers import rates, retry_after
from llmsynth.limits import Rates
from llmsynth.request import RequestFailedError
from llmsynth.text import shorten

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
_USER_INFO = re.compile(r"//[^/@\s'\"]+@")
_NO_MODEL = re.compile(r"\b(?:invalid|unknown) model\b|\bmodel\b.{0,80}?\bnot (?:exist|found)\b", re.IGNORECASE)
_CONNECT_SECONDS = 30.0
_SHORTEST_KEY = 16  # characters
_WITHHELD = (b"content_filter", b"content_policy_violation", b"flagged_input")  # of the prompt: no matter of the key


@dataclass
class Endpoint:
    """Posts JSON to an address.

    url: up to and including `/v1`. key: sent with every request, if there is one; `key_env` is where it came from.
    timeout: seconds for one whole answer. model: what is asked for, for messages.
    """

    url: str
    key: str = field(repr=False)
    key_env: str
    timeout: float
    model: str
    rates_told: Rates | None = field(default=None, init=False)
    proxy: str | None = field(default=None, init=False, repr=False)
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.proxy = _proxy(self.url)

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """What the server answers under status 200. Raises `RequestFailedError`, or a `BackendError`."""
        data = self.without_key(orjson.dumps(body))
        try:
            async with self._http().post(self.url + path, data=data, proxy=self.proxy) as response:
                payload = await response.read()
        # nothing is raised `from` these: a traceback shows them as they are, with the password of a proxy
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RequestFailedError(
                "connection", f"cannot reach {self.url}: {self.redact(_cause(error))}", retryable=True
            ) from None
        except TimeoutError:
            raise RequestFailedError("timeout", f"no answer within {self.timeout:g} s", retryable=True) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise RequestFailedError(
                "connection_lost", f"the answer broke off: {self.redact(_cause(error))}", retryable=True
            ) from None
        told = rates(response.headers)
        if told is not None:
            self.rates_told = told
        if response.status != 200:
            raise self.refusal(response.status, response.headers, payload)
        return payload

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def refusal(self, status: int, headers: Mapping[str, str], payload: bytes) -> Exception:
        """The error that stands for an HTTP status, with what the server said of it."""
        said = shorten(self.redact(_message(payload)), 300)
        where = f"{self.url} answered {status}: {said}"
        withheld = status in (400, 403) and any(word in payload for word in _WITHHELD)
        if status in (401, 403) and not withheld:
            return AuthenticationError(where, f"the key came from {self.key_env}; is it right for this endpoint?")
        unknown = status == 400 and (b"model_not_found" in payload or _NO_MODEL.search(said[:200]))
        if status in (404, 405) or unknown:
            return ModelNotFoundError(where, f"does the endpoint serve {self.model!r}, and does base_url end in /v1?")
        if status == 402 or (status == 429 and b"insufficient_quota" in payload):
            return BackendError(where, "add credit, then run the same command again: nothing is lost")
        return RequestFailedError(
            "content_filter" if withheld else f"http_{status}",
            said,
            retryable=status in (408, 409, 425, 429) or status >= 500,
            retry_after=retry_after(headers),
            limited=status == 429,
        )

    def bad_reply(self, payload: bytes, what: str) -> Exception:
        """The error of an answer under status 200 that does not hold what it should, but maybe another status."""
        status = _status_within(payload)
        if status:
            return self.refusal(status, {}, payload)
        said = shorten(self.redact(payload[:2000].decode("utf-8", "replace")), 200)
        return RequestFailedError("bad_reply", f"the server sent no {what}: {said}", retryable=True)

    def without_key(self, body: bytes) -> bytes:
        """A request body, which does not hold the key: the journal and the corpus would hold it too."""
        if self._is_secret and self.key.encode() in body:
            raise holds_key("a prompt", self.key_env, "it was not sent, nor written anywhere")
        return body

    @property
    def secrets(self) -> dict[str, bytes]:
        """The key, by the variable that holds it, where it is a secret."""
        return {self.key_env: self.key.encode()} if self._is_secret else {}

    def key_in(self, text: str) -> bool:
        """Whether a text holds the key, where that is a secret."""
        return self._is_secret and self.key in text

    def redact(self, text: str) -> str:
        """The text without the key, and without the password of a proxy."""
        text = _USER_INFO.sub("//", text)
        return text.replace(self.key, "[key]") if self.key else text

    @property
    def _is_secret(self) -> bool:
        """Whether the key is one, rather than the EMPTY or x that a local server is given."""
        return len(self.key) >= _SHORTEST_KEY

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self.key:
                headers["Authorization"] = f"Bearer {self.key}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                connector=aiohttp.TCPConnector(limit=0),  # whoever asks limits what is in flight
                timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=min(_CONNECT_SECONDS, self.timeout)),
            )
        return self._session


def addresses(given: list[str]) -> list[str]:
    """Base URLs as they are used: OPENAI_BASE_URL or OpenAI's own for an empty one. Raises `RecipeError`."""
    urls = [(url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).rstrip("/") for url in given]
    if not urls or len(set(urls)) < len(urls):
        raise RecipeError("base_url lists no address, or one twice", "name each endpoint once")
    for url in urls:
        _check_address(url)
    return urls


_NOT_NEEDED: ContextVar[set[str] | None] = ContextVar("_NOT_NEEDED", default=None)


@contextmanager
def without_keys() -> Iterator[set[str]]:
    """Where nothing will be asked, such as for an estimate: a variable without a key is no error, and comes in here."""
    lacking: set[str] = set()
    before = _NOT_NEEDED.set(lacking)
    try:
        yield lacking
    finally:
        _NOT_NEEDED.reset(before)


def key_from(variable: str, urls: list[str]) -> str:
    """The key in an environment variable; may be empty for local servers. Raises `AuthenticationError`."""
    key = os.environ.get(variable, "").strip()
    if not key and (variable != OPENAI_KEY or OPENAI_URL in urls):
        if (lacking := _NOT_NEEDED.get()) is not None:
            lacking.add(variable)
            return ""
        raise AuthenticationError(
            f"the environment variable {variable} holds no key for {urls[0]}", f"export {variable}=..."
        )
    if not key.isascii() or not key.isprintable() or " " in key:  # no header takes it, and its error would show the key
        raise AuthenticationError(
            f"what the environment variable {variable} holds is no key: there are characters in it that none has",
            "blanks, line ends or curly quotes, maybe, that were copied along with it",
        )
    return key


def loads(payload: bytes) -> Any:
    """The JSON value of an answer. Raises `ValueError`."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        # the standard library takes half a surrogate pair or half a character, which models do produce
        return json.loads(payload.decode("utf-8", "replace"))


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


def _message(payload: bytes) -> str:
    try:
        error = loads(payload)
        error = error.get("error", error)
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError, RecursionError):
        return payload[:2000].decode("utf-8", "replace")


def _status_within(payload: bytes) -> int:
    """The status of an error that came under 200, as routers send it that have begun to answer; 0 if there is none."""
    try:
        code = loads(payload)["error"]["code"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return 0
    return code if type(code) is int and 400 <= code < 600 else 0


def _cause(error: BaseException) -> str:
    return str(error) or type(error).__name__
