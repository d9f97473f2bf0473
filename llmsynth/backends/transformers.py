"""Any causal language model that transformers can load, in this process."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from llmsynth.backends._local import LocalModel
from llmsynth.errors import MissingExtraError
from llmsynth.prices import FREE, Price
from llmsynth.request import Completion, Request
from llmsynth.text import rough_tokens

_ALIKE = 1.0  # powers of two by which the lengths of requests in one batch may differ
_OPEN = 1024  # tokens that an answer without a limit is reckoned to have


@dataclass
class TransformersBackend:
    """Gathers the requests that wait into batches for `generate`.

    model: a local directory, or a name on the Hub.
    max_batch: requests generated together at most. Where the memory holds fewer, batches get smaller by themselves.
    device, dtype: as torch names them; "auto" uses a GPU if there is one, and the dtype of the weights.
    trust_remote_code: run code that comes with the model. Off unless asked for.

    Each request keeps its own sampling parameters and its own seed inside a batch, so what a request
    is answered does not depend on the requests beside it (up to rounding in the matrix products).
    """

    model: str
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_batch: int = 64
    trust_remote_code: bool = False
    schedules_itself: ClassVar[bool] = True  # all that is asked for is queued here, and batched
    likelihoods: ClassVar[str] = "texts"
    _waiting: list[tuple[Request, asyncio.Future[Completion]]] = field(default_factory=list, init=False, repr=False)
    _worker: asyncio.Task[None] | None = field(default=None, init=False, repr=False)
    _engine: Any = field(default=None, init=False, repr=False)
    _thread: ThreadPoolExecutor | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._found = LocalModel.find(self.model)

    @property
    def identity(self) -> str:
        return f"transformers:{self._found.identity}"

    @property
    def name(self) -> str:
        return self._found.name

    @property
    def price(self) -> Price:
        return FREE

    async def complete(self, request: Request) -> Completion:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await future

    async def aclose(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    async def _work(self) -> None:
        """Answer batch after batch until nobody waits."""
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="llmsynth-transformers")
        batch: list[tuple[Request, asyncio.Future[Completion]]] = []
        try:
            if self._engine is None:
                self._engine = await loop.run_in_executor(self._thread, self._load)
            while self._waiting:
                await asyncio.sleep(0)  # let everybody who was woken by the last batch ask again
                batch = self._next_batch()
                if not batch:
                    break
                requests = [request for request, _ in batch]
                answers = await loop.run_in_executor(self._thread, self._engine.generate, requests)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        continue
                    if isinstance(answer, Completion):
                        future.set_result(answer)
                    elif answer is not None:
                        future.set_exception(answer)
                again = [waiting for waiting, answer in zip(batch, answers, strict=True) if answer is None]
                batch, self._waiting = [], again + self._waiting  # they have waited longest
        except Exception as error:
            for _, future in [*batch, *self._waiting]:
                if not future.done():
                    future.set_exception(error)
            self._waiting.clear()

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Completion]]]:
        """The request that waits longest, and after it those most like it in the length of prompt and answer."""
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        if not self._waiting:
            return []
        first = self._waiting[0][0]
        prompt, most = _lengths(first)
        unlike: list[tuple[float, int]] = []
        for i, (request, _) in enumerate(self._waiting):
            if bool(request.continuations) != bool(first.continuations):
                continue
            its_prompt, its_most = _lengths(request)
            unlike.append((max(abs(math.log2(its_prompt / prompt)), abs(math.log2(its_most / most))), i))
        chosen = [i for distance, i in sorted(unlike)[: self.max_batch] if distance <= _ALIKE]
        batch = [self._waiting[i] for i in chosen]
        rest = set(chosen)
        self._waiting = [waiting for i, waiting in enumerate(self._waiting) if i not in rest]
        return batch

    def _load(self) -> Any:
        try:
            from llmsynth.backends._generate import Engine
        except ImportError as error:
            raise MissingExtraError("the transformers backend", "local") from error
        return Engine(self._found.source, self.device, self.dtype, self.trust_remote_code)


def _lengths(request: Request) -> tuple[float, float]:
    """About how many tokens a prompt has and its answer may have, so that little ones count as alike."""
    prompt = sum(rough_tokens(message["content"]) for message in request.messages)
    prompt += sum(map(rough_tokens, request.continuations))
    return prompt + 64, (request.sampling.max_tokens or _OPEN) + 16
