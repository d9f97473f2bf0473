"""What is asked of a model, and what comes back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from llmsynth.prices import Price

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample a completion. None leaves a parameter to the model's own default and is not sent.

    Names are those of the OpenAI API. `stop` strings end the completion and are not part of it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The parameters that are set, as a request body carries them."""
        body: dict[str, Any] = {}
        for name in _SAMPLING_FIELDS:
            value = getattr(self, name)
            if value is not None and value != ():
                body[name] = list(value) if name == "stop" else value
        return body

    def override(self, parameters: dict[str, Any]) -> Sampling:
        """The same sampling with some parameters replaced; a null unsets one."""
        if not parameters:
            return self
        values: dict[str, Any] = dict(parameters)
        if "stop" in values:
            values["stop"] = tuple(values["stop"] or ())
        return dataclasses.replace(self, **values)


_SAMPLING_FIELDS = tuple(f.name for f in dataclasses.fields(Sampling))


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to be asked for.

    stage: the part of the method that asks, such as "instructions"; usage is counted by it,
        and it is part of the journal key.
    prompt: the id of the prompt file the messages were rendered from.
    key: its journal key, set by `Model`: what identifies it across runs.
    seed: set by `Model` from the key, for backends that can seed their sampling per request.
    schema: the JSON schema that the answer has to satisfy, for backends that can constrain decoding. Not all can,
        nor do those that can always: the messages ask for it in words too, and who reads the answer checks it,
        as `parsing.parse_fitting` does.
    continuations: texts that might come next; how likely they are is asked for, and nothing is generated. The
        completion's text tells it as `llmsynth.likelihood` reads it. For backends that have `likelihoods`.
    """

    stage: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    prompt: str = ""
    key: str = ""
    seed: int = 0
    schema: dict[str, Any] | None = None
    continuations: tuple[str, ...] = ()

    def keyed(self, key: str) -> Request:
        """The same request under its journal key, with the seed that belongs to it."""
        seed = int(key[:8], 16) >> 1
        return Request(
            self.stage, self.messages, self.sampling, self.prompt, key, seed, self.schema, self.continuations
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no answer that can be used.

    kind: a class to count by: timeout, connection, http_500, content_filter, ...
    final: there is an answer, which was rejected; it is not asked for again.
    """

    kind: str
    message: str
    attempts: int = 1
    final: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, or the failure to get one.

    key: where the journal keeps it. Token counts are None where the backend does not tell.
    replayed: True when it came from the journal and cost nothing.
    request, model: what it answers, and the name of the model that did; set by `Model`.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    key: str = ""
    failure: Failure | None = None
    replayed: bool = False
    request: Request | None = None
    model: str = ""

    def answering(self, request: Request, model: str, key: str) -> Completion:
        """The same completion, as the answer to a request. (Spelt out: `replace` takes five times as long.)"""
        return Completion(
            self.text,
            self.finish_reason,
            self.prompt_tokens,
            self.completion_tokens,
            key,
            self.failure,
            self.replayed,
            request,
            model,
        )

    @property
    def truncated(self) -> bool:
        """True when the model ran into its token limit, so that the end is missing."""
        return self.finish_reason == "length"


class RequestFailedError(Exception):
    """Raised by a backend for one request; `Model` retries it or turns it into a `Failure`.

    retryable: whether asking again can help.
    retry_after: seconds the endpoint asked everyone to wait, if it did.
    limited: the endpoint is healthy but busy (HTTP 429); does not use up an attempt.
    """

    def __init__(
        self, kind: str, message: str, *, retryable: bool, retry_after: float | None = None, limited: bool = False
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after
        self.limited = limited


class Backend(Protocol):
    """The only seam to a language model: one request, one answer. No retry, no limit, no cache.

    identity: what answers, as one string (kind, endpoint, model, fixed parameters); part of the
        journal key, so it never holds a key or a concurrency.
    name: the model's name, fit for publication: no address, no path.
    price: what its tokens cost, None where that is unknown.
    complete: raises `RequestFailedError` for a failure of this request, a `BackendError` for one that
        ends the run.

    A backend may have more: `attach(directory)`, called before the first request with the run's directory;
    `stop_sending() -> float`, called when the run ends, which returns the seconds that waiting for what was sent is
    worth; `structured`, how it is told of a schema, which is part of the journal key of requests that have one;
    `schedules_itself = True` where adapting the concurrency would be in vain, and `unbounded = True` where
    there is to be no bound on it; `limited_as`, which models whose endpoints count their requests together have in
    common; `secrets`, which the journal is to refuse, by the names of their variables; `likelihoods`, which is "texts"
    where it can tell how likely any text is after the messages, and "choices" where it can tell that of single tokens
    only.
    """

    @property
    def identity(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> Price | None: ...

    async def complete(self, request: Request) -> Completion: ...

    async def aclose(self) -> None: ...
