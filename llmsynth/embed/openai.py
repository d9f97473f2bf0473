"""Any server with an OpenAI-compatible `/embeddings`: hosted, or one's own vLLM, llama.cpp, Ollama, ..."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from llmsynth.embed import Payer
from llmsynth.embed.static import encodable
from llmsynth.endpoint import OPENAI_KEY, Endpoint, addresses, key_from, loads
from llmsynth.errors import UnavailableError
from llmsynth.limits import Limiter
from llmsynth.prices import Price, published_price
from llmsynth.request import RequestFailedError

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Singles

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds before an attempt is repeated, doubling


@dataclass
class OpenAIEmbedder:
    """Embeds by `/embeddings`.

    base_url: up to and including `/v1`; OPENAI_BASE_URL or OpenAI's own when empty.
    api_key_env: the environment variable that holds the key. Its default may be unset, as local servers need none.
    shorten: ask for vectors of so many dimensions, of models that can give shorter ones.
    batch: texts in a request. concurrency: requests in flight. timeout: seconds for one answer.
    attempts: tries per request; being told to wait is none.

    A text that is empty has no vector, and is not sent: servers refuse it.
    """

    costly: ClassVar[bool] = True
    asks: ClassVar[bool] = True

    model: str
    base_url: str = ""
    api_key_env: str = OPENAI_KEY
    shorten: int | None = None
    batch: int = 128
    concurrency: int = 4
    attempts: int = 5
    timeout: float = 120.0
    _dimensions: int | None = field(default=None, init=False, repr=False)
    _key: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        urls = addresses([self.base_url])
        self.base_url, self._key = urls[0], key_from(self.api_key_env, urls)

    @property
    def identity(self) -> str:
        return f"openai:{self.base_url}:{self.model}" + (f":{self.shorten}" if self.shorten else "")

    @property
    def price(self) -> Price | None:
        """As far as a price file knows it."""
        return published_price(self.base_url, self.model)

    @property
    def dimensions(self) -> int | None:
        return self.shorten or self._dimensions

    async def embed(self, texts: Sequence[str], payer: Payer | None = None) -> Singles:
        """As `Embedder` says. payer: gets the vectors of each request as they come, whatever becomes of the others."""
        sent = [place for place, text in enumerate(texts) if text.strip()]
        batches = [sent[start : start + self.batch] for start in range(0, len(sent), self.batch)]
        # one gate and session per call: steps come and go with event loops
        endpoint = Endpoint(self.base_url, self._key, self.api_key_env, self.timeout, self.model)
        call = _Call(Limiter(1, self.concurrency, adaptive=False), endpoint, payer)

        async def ask(places: list[int]) -> Singles | None:
            try:
                return await self._ask(call, places, [encodable(texts[place]) for place in places])
            except Exception as error:
                call.trouble = call.trouble or error
            return None

        try:
            answers = await asyncio.gather(*map(ask, batches))
        finally:
            await endpoint.aclose()
        if call.trouble:
            raise call.trouble
        rows = np.zeros((len(texts), self.dimensions or 1), np.float32)
        for places, answer in zip(batches, answers, strict=True):
            rows[places] = answer
        return rows

    def __getstate__(self) -> dict[str, Any]:
        """Without the key, which is in the environment."""
        return {**self.__dict__, "_key": ""}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._key = key_from(self.api_key_env, [self.base_url])

    async def _ask(self, call: _Call, places: list[int], texts: list[str]) -> Singles:
        """The vectors of one request. Raises `UnavailableError` when its attempts are used up."""
        clock = asyncio.get_running_loop().time
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self.shorten:
            body["dimensions"] = self.shorten
        begun, failed, waited = False, 0, 0
        while True:
            lane, pause = await call.gate.enter(first=begun), 0.0
            sent = clock()
            try:
                if not begun:
                    call.begin()
                    begun = True
                payload = await call.endpoint.post("/embeddings", body)
                vectors, tokens = self._vectors(call.endpoint, payload, len(texts))
                lane.answered("embeddings", sent, clock())
                if call.payer is not None:
                    call.payer.answered(places, vectors, tokens)
                return vectors
            except RequestFailedError as error:
                if error.limited:  # to all who ask, not to this request alone
                    waited += 1
                    lane.refused(sent, clock(), _wait(waited, error))
                    continue
                failed += 1
                if not error.retryable or failed >= self.attempts:
                    raise UnavailableError(
                        f"{self.base_url} gave no embeddings: {error.message} ({error.kind})",
                        "put that right and run the same command again: vectors made so far are kept",
                    ) from error
                pause = _wait(failed, error)
            finally:
                lane.leave()
            await asyncio.sleep(pause)

    def _vectors(self, endpoint: Endpoint, payload: bytes, count: int) -> tuple[Singles, int | None]:
        """The vectors, and how many tokens they were made of, if the server tells."""
        try:
            reply = loads(payload)
            vectors = np.array([item["embedding"] for item in sorted(reply["data"], key=_index)], np.float32)
            if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
                raise ValueError
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise endpoint.bad_reply(payload, "embeddings") from error
        if self.dimensions not in (None, vectors.shape[1]):
            raise endpoint.bad_reply(payload, f"vectors of {self.dimensions} numbers")
        self._dimensions = vectors.shape[1]
        lengths = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        unit: Singles = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        return unit, _tokens(reply.get("usage"))


@dataclass(slots=True)
class _Call:
    """What the requests of one call share. trouble: why no more are begun; those in flight, being paid for, go on."""

    gate: Limiter
    endpoint: Endpoint
    payer: Payer | None
    trouble: Exception | None = None

    def begin(self) -> None:
        if self.trouble:
            raise self.trouble
        if self.payer is not None:
            self.payer.begin()


def _wait(times: int, error: RequestFailedError) -> float:
    """Seconds until another try: as told; where the server is in trouble, not less than without being told."""
    wait: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(times - 1, 30)) * random.uniform(0.5, 1.0)
    if error.retry_after is None:
        return wait
    return error.retry_after if error.limited else max(wait, error.retry_after)


def _tokens(usage: Any) -> int | None:
    """Of the texts, as the server counts them."""
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return told if type(told) is int and told >= 0 else None


def _index(item: dict[str, Any]) -> int:
    """Where an answer belongs; servers may send them in any order."""
    return int(item["index"])
