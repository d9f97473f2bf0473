"""`Model`: a backend with everything around it that a paid answer needs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llmsynth.budget import Budget, Usage
from llmsynth.errors import LlmsynthError, UnavailableError
from llmsynth.journal import Journal
from llmsynth.limits import Lane, Limiter, Rates
from llmsynth.order import Ready, ordered
from llmsynth.policy import FinishPolicy, both
from llmsynth.prices import Price
from llmsynth.request import Backend, Completion, Failure, Request, RequestFailedError
from llmsynth.text import fingerprint, has_lone_surrogate, rough_tokens
from llmsynth.trouble import Trouble

log = logging.getLogger(__name__)

_FIRST_WAIT = 0.5  # seconds before the second attempt; doubles, up to _LONGEST_WAIT
_LONGEST_WAIT = 30.0
_UNKNOWN_TOKENS = 256  # of a completion without a limit, before any has been seen


class Model:
    """Asks a backend, in order, through the journal, within limits, with bounded attempts.

    concurrency: requests in flight at most. Changes speed, never the result.
    adaptive: whether fewer are sent where more would not pay; not for a backend that says `schedules_itself`.
    rates: what each endpoint allows.
    attempts: tries per request before it counts as failed; being told to wait is none.
    sampling: parameters that replace those of every request.
    policy: what becomes of answers that were cut short or withheld.
    price: what its tokens cost, where the backend's own answer is not to be used.
    budget: what the run may spend; shared by the models of a run.
    limiter: of its endpoints, in place of one of its own, where other models ask them too; it has a concurrency and
        rates already.
    """

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        *,
        concurrency: int = 64,
        adaptive: bool = False,
        rates: Rates | None = None,
        attempts: int = 5,
        sampling: dict[str, Any] | None = None,
        policy: FinishPolicy | None = None,
        price: Price | None = None,
        budget: Budget | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self.backend = backend
        self.price = price or backend.price
        self._budget = budget or Budget()
        self.sampling = sampling or {}
        self.usage: dict[str, Usage] = {}
        self.slowest = 0.0  # seconds that an answer took, the longest so far
        self._identity = backend.identity
        self._journal = journal
        journal.secrets |= getattr(backend, "secrets", {})
        self._endpoints: Sequence[Backend] = getattr(backend, "endpoints", (backend,))
        self._limiter = limiter or limiter_of(backend, concurrency, adaptive, rates or Rates())
        self._attempts = attempts
        self._policy = policy or FinishPolicy()
        self._trouble = Trouble(backend.name)
        self._occurrences: dict[str, int] = {}
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._sent: set[asyncio.Task[Any] | None] = set()  # those of them whose request is with the backend now
        self._closing = False
        self._stop_sending: Callable[[], float] | None = getattr(backend, "stop_sending", None)
        attach: Callable[[Path], None] | None = getattr(backend, "attach", None)
        if attach is not None:
            attach(journal.path.parent)
        self._fatal: LlmsynthError | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are with the backend now."""
        return len(self._sent)

    async def ask(self, request: Request) -> Completion:
        """The completion of one request; its `failure` is set where there is none.

        Raises `BackendError` when the model cannot be used at all, `StorageError` when the answer
        could not be kept.
        """
        answer = self._start(request)
        return answer if isinstance(answer, Completion) else await _outcome(answer)

    def stream(
        self, requests: Iterable[Request] | AsyncIterable[Request], lookahead: int
    ) -> AsyncGenerator[Completion, None]:
        """Completions in the order of their requests.

        Request i is pulled only after completion i - lookahead has been consumed, so a request may
        depend on all completions before that one, and does so deterministically whatever the
        order in which answers arrive.
        """

        def start(request: Request) -> asyncio.Future[Completion] | Ready[Completion]:
            answer = self._start(request)
            return answer if isinstance(answer, asyncio.Task) else Ready(answer)

        return ordered(start, requests, lookahead)

    async def drain(self, seconds: float) -> None:
        """Wait for what has been sent, so that it reaches the journal; give the rest up after `seconds`.

        What waits for its turn, or to be tried again, has cost nothing and is given up at once.
        """
        self._closing = True
        self._trouble.flush()
        if self._stop_sending is not None:
            seconds = min(seconds, self._stop_sending())
        for task in self._tasks - self._sent:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Drain nothing, free the backend."""
        await self.drain(0)
        await self.backend.aclose()

    def _start(self, request: Request) -> asyncio.Task[Completion] | Completion:
        """Look the request up, else start asking. The part that must happen in request order."""
        if self._fatal:
            raise self._fatal.with_traceback(None)
        if self.sampling:
            request = dataclasses.replace(request, sampling=request.sampling.override(self.sampling))
        key = self._key(request)
        usage = self.usage.get(request.stage)
        if usage is None:
            usage = self.usage[request.stage] = Usage()
        found = self._replayed(request, key)
        if found is not None:
            usage.replayed += 1
            usage.lengthened += found.key != key
            found = self._policy.judged(found)
            usage.add(found, self.price)
            return found
        task = asyncio.create_task(self._complete(request.keyed(key), key, usage))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Completion]) -> None:
        """Let go of a task. An error that ends the run reaches its consumer through another one of many."""
        self._tasks.discard(task)
        self._sent.discard(task)
        if not task.cancelled():
            task.exception()

    def _key(self, request: Request) -> str:
        parts: list[Any] = [request.messages, request.sampling.body()]
        if request.schema is not None:
            parts.append(request.schema)
            if how := getattr(self.backend, "structured", ""):
                parts.append(how)
        if request.continuations:
            parts.append(request.continuations)
        body = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
        content = fingerprint(self._identity, request.stage, body)
        occurrence = self._occurrences.get(content, 0)
        self._occurrences[content] = occurrence + 1
        return fingerprint(content, str(occurrence))

    def _replayed(self, request: Request, key: str) -> Completion | None:
        """What the journal holds for a request; None if something of it is still to be asked for."""
        found = self._journal.get(key, request, self.backend.name)
        if found is None:
            return None
        longer = self._policy.longer(request, found)
        second = self._journal.get(_second(key), longer, self.backend.name) if longer else None
        if longer and second is None:
            return None
        self._budget.send()
        self._budget.spend(request, found, self.price)
        if longer is None or second is None:
            return found
        self._budget.send()
        self._budget.spend(longer, second, self.price)
        return both(found, second)

    async def _complete(self, request: Request, key: str, usage: Usage) -> Completion:
        try:
            completion = await self._answer(request, key)
            longer = self._policy.longer(request, completion)
            if longer is not None:
                if self._closing:
                    raise asyncio.CancelledError  # the next run asks for the longer one: this one is in the journal
                usage.lengthened += 1
                self._sent.discard(asyncio.current_task())  # it waits for its turn anew
                second = await self._answer(longer.keyed(_second(key)), _second(key))
                completion = completion if second.failure else both(completion, second)
        except LlmsynthError as error:
            self._fatal = error  # what waits behind this one need not find out for itself
            raise
        completion = self._policy.judged(completion)
        usage.add(completion, self.price)
        return completion

    async def _answer(self, request: Request, key: str) -> Completion:
        """The answer to a request, in the journal by the time it is returned."""
        found = self._journal.get(key, request, self.backend.name)
        if found is not None:  # cut by the token limit in an earlier run, which ended before it asked for more
            self._budget.send()
            self._budget.spend(request, found, self.price)
            return found
        completion = await self._attempt(request)
        if has_lone_surrogate(completion.text):
            text = completion.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            completion = dataclasses.replace(completion, text=text)
        completion = completion.answering(request, self.backend.name, key)
        await self._journal.append(key, request, self._identity, completion)
        return completion

    async def _attempt(self, request: Request) -> Completion:
        tries = _Tries()
        tokens = self._tokens(request) if self._limiter.counts_tokens else 0.0
        while True:
            lane = await self._limiter.enter(tokens, first=tries.begun)
            try:
                if self._fatal:
                    raise self._fatal.with_traceback(None)
                if not tries.begun:
                    tries.begun = True
                    self._budget.check()
                    self._budget.send()
                outcome = await self._try(request, lane, tries)
                if isinstance(outcome, Completion):
                    self._budget.spend(request, outcome, self.price)  # before the next one may be sent
                    return outcome
            finally:
                lane.leave()
            if outcome:
                await asyncio.sleep(outcome)

    async def _try(self, request: Request, lane: Lane, tries: _Tries) -> Completion | float:
        """The completion, or the seconds to wait, beside what the lane wants, before trying again."""
        clock, task = asyncio.get_running_loop().time, asyncio.current_task()
        endpoint = self._endpoints[lane.number]
        sent = clock()
        self._sent.add(task)
        try:
            completion = await endpoint.complete(request)
        except RequestFailedError as error:
            self._sent.discard(task)
            if self._closing:
                raise asyncio.CancelledError from error  # nobody waits for another try
            return self._failed(error, lane, tries, sent, clock())
        now = clock()
        if now - sent > self.slowest:
            self.slowest = now - sent
        lane.answered(request.stage, sent, now)
        told: Rates | None = getattr(endpoint, "rates_told", None)
        if told is not None:
            lane.told(told)
        return completion

    def _failed(
        self, error: RequestFailedError, lane: Lane, tries: _Tries, sent: float, now: float
    ) -> Completion | float:
        """Tell the lane of it; the failure if that was the last attempt, else the seconds to wait."""
        self._trouble.note(error.kind, error.message, now)
        if error.retry_after is not None:
            self._trouble.wait(error.retry_after, now)
        if error.limited:
            tries.limited += 1
            lane.refused(sent, now, _backoff(tries.limited) if error.retry_after is None else error.retry_after)
            return 0.0
        nobody_there = error.kind == "connection"
        if nobody_there and self._limiter.alive(lane):
            lane.set_aside(now)
            return 0.0
        tries.failed += 1
        if not error.retryable or tries.failed >= self._attempts:
            if nobody_there:  # every other row would fail the same way
                raise UnavailableError(
                    f"{error.message} ({tries.failed} attempts)",
                    "is the server running, and is base_url right? Run the same command again to go on:"
                    " nothing that was answered is lost",
                ) from error
            return Completion("", "error", failure=Failure(error.kind, error.message, tries.failed))
        if nobody_there:
            for each in self._limiter.lanes:
                each.set_aside(now, _backoff(tries.failed))
            return 0.0
        lane.failed(now)
        if error.retry_after is not None:
            lane.pause(now + error.retry_after)
        return _backoff(tries.failed)  # a server in trouble that says to come at once is given time all the same

    def _tokens(self, request: Request) -> float:
        """What a limit on tokens counts a request as: the prompt, and the completion at its longest."""
        most = request.sampling.max_tokens
        if most is None:
            usage = self.usage[request.stage]
            most = round(usage.completion_tokens / usage.requests) if usage.requests else _UNKNOWN_TOKENS
        return sum(rough_tokens(message["content"]) for message in request.messages) + most


def limiter_of(backend: Backend, concurrency: int, adaptive: bool, rates: Rates) -> Limiter:
    """The gate before a backend's endpoints."""
    adaptive = adaptive and not getattr(backend, "schedules_itself", False)
    if getattr(backend, "unbounded", False):
        concurrency = sys.maxsize
    return Limiter(len(getattr(backend, "endpoints", (backend,))), concurrency, adaptive=adaptive, rates=rates)


def _second(key: str) -> str:
    """The key of the answer that was asked for because the one of this key was cut short."""
    return fingerprint(key, "longer")


@dataclass(slots=True)
class _Tries:
    """What one request has been through. `failed` counts attempts, `limited` answers that say to wait."""

    begun: bool = False
    failed: int = 0
    limited: int = 0


async def _outcome(task: asyncio.Task[Completion]) -> Completion:
    """The result of a request's task. Giving up waiting does not give up the request: it is paid for."""
    if not task.done():
        await asyncio.wait((task,))
    return task.result()


def _backoff(attempt: int) -> float:
    # jitter spreads the retries of many rows; it touches time only, so it need not be seeded
    longest: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)
