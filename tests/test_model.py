"""The model's promises: order, lookahead, concurrency, replay, bounded attempts, nothing paid for in vain."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.backends.fake import FakeBackend
from llmsynth.errors import AuthenticationError, ModelNotFoundError, UnavailableError
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.order import ordered
from llmsynth.prices import Price
from llmsynth.request import Completion, Message, Request, RequestFailedError, Sampling


@dataclass
class Scripted:
    """A backend that does what a coroutine function says; it is given the request and its number."""

    behave: Callable[[Request, int], Awaitable[Completion]]
    calls: list[Request] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    identity: str = "scripted"
    name: str = "scripted"
    price: Price | None = None

    async def complete(self, request: Request) -> Completion:
        self.calls.append(request)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return await self.behave(request, len(self.calls) - 1)
        finally:
            self.busy -= 1

    async def aclose(self) -> None:
        return None


def request(text: object, stage: str = "test") -> Request:
    return Request(stage, (Message(role="user", content=str(text)),))


async def echo(request: Request, number: int) -> Completion:
    return Completion(f"re: {request.messages[0]['content']}")


def always(error: Exception) -> Callable[[Request, int], Awaitable[Completion]]:
    async def behave(request: Request, number: int) -> Completion:
        raise error

    return behave


def after_ticks(ticks: list[int]) -> Callable[[Request, int], Awaitable[Completion]]:
    """An answer that takes a number of turns of the event loop: latency without waiting."""

    async def behave(request: Request, number: int) -> Completion:
        for _ in range(ticks[number % len(ticks)]):
            await asyncio.sleep(0)
        return await echo(request, number)

    return behave


@given(
    ticks=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    count=st.integers(0, 25),
    lookahead=st.integers(1, 12),
    concurrency=st.integers(1, 12),
)
@settings(max_examples=60)
def test_order_lookahead_and_concurrency_hold_whatever_the_latency(
    tmp_path_factory: pytest.TempPathFactory, ticks: list[int], count: int, lookahead: int, concurrency: int
) -> None:
    journal = Journal(tmp_path_factory.mktemp("order") / "journal.jsonl")
    backend = Scripted(after_ticks(ticks))
    consumed = 0
    pulled_at: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(count):
            pulled_at.append(consumed)
            yield request(number)

    async def work() -> list[str]:
        nonlocal consumed
        texts = []
        async for completion in Model(backend, journal, concurrency=concurrency).stream(requests(), lookahead):
            texts.append(completion.text)
            consumed += 1
        return texts

    try:
        assert asyncio.run(work()) == [f"re: {number}" for number in range(count)]
    finally:
        journal.close()
    # request i is pulled once completion i - lookahead has been consumed: never earlier, never later
    assert pulled_at == [max(0, number - lookahead + 1) for number in range(count)]
    assert backend.most_busy <= min(concurrency, lookahead)


async def test_a_slow_answer_stalls_nothing_within_the_lookahead(journal: Journal) -> None:
    backend = Scripted(after_ticks([200, *[0] * 9]))
    stream = Model(backend, journal).stream(map(request, range(10)), 10)
    await anext(stream)
    assert len(backend.calls) == 10
    await stream.aclose()


async def test_concurrency_is_used_to_the_full(journal: Journal) -> None:
    backend = Scripted(after_ticks([20]))
    model = Model(backend, journal, concurrency=7)
    await asyncio.gather(*(model.ask(request(number)) for number in range(40)))
    assert backend.most_busy == 7


async def test_requests_may_come_from_an_async_source_which_is_closed(journal: Journal) -> None:
    closed = []

    async def requests() -> AsyncIterator[Request]:
        try:
            for number in range(100):
                yield request(number)
        finally:
            closed.append(True)

    stream = Model(Scripted(echo), journal).stream(requests(), 3)
    assert [(await anext(stream)).text for _ in range(4)] == [f"re: {n}" for n in range(4)]
    await stream.aclose()
    assert closed


async def test_a_lookahead_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="lookahead"):
        await anext(ordered(asyncio.sleep, [1.0], 0))


async def test_the_same_prompt_ten_times_is_ten_samples_replayed_in_order(tmp_path: Path) -> None:
    async def sample(request: Request, number: int) -> Completion:
        for _ in range(random.Random(number).randrange(20)):
            await asyncio.sleep(0)
        return Completion(f"seed {request.seed}")

    async def ten(backend: Scripted) -> list[Completion]:
        journal = Journal(tmp_path / "journal.jsonl")
        stream = Model(backend, journal).stream((request("same") for _ in range(10)), 4)
        completions = [completion async for completion in stream]
        journal.close()
        return completions

    first, second = Scripted(sample), Scripted(sample)
    asked, replayed = await ten(first), await ten(second)
    assert len({completion.text for completion in asked}) == 10
    assert [c.text for c in replayed] == [c.text for c in asked]
    assert all(c.replayed for c in replayed) and not any(c.replayed for c in asked)
    assert (len(first.calls), len(second.calls)) == (10, 0)


async def test_a_stage_a_prompt_or_a_parameter_of_its_own_is_a_key_of_its_own(journal: Journal) -> None:
    model = Model(Scripted(echo), journal)
    variants = [request("a"), request("b"), request("a", "other")]
    variants.append(Request("test", variants[0].messages, Sampling(temperature=0.5)))
    keys = [(await model.ask(variant)).key for variant in variants]
    assert len(set(keys)) == 4


async def test_two_fakes_are_told_apart_by_their_names(tmp_path: Path) -> None:
    async def ask(answer: str, **name: str) -> Completion:
        journal = Journal(tmp_path / "journal.jsonl")
        completion = await Model(FakeBackend(lambda request: answer, **name), journal).ask(request(1))
        journal.close()
        return completion

    assert (await ask("one")).text == (await ask("never given")).text == "one"
    other = await ask("two", name="other")
    assert (other.text, other.model, other.replayed) == ("two", "other", False)
    assert (await ask("never given", name="other")).text == "two"


async def test_parameters_of_the_model_replace_those_of_the_request(journal: Journal) -> None:
    backend = Scripted(echo)
    model = Model(backend, journal, sampling={"temperature": 0.1, "max_tokens": None, "stop": ["x"]})
    completion = await model.ask(Request("test", request("a").messages, Sampling(1.0, 0.9, 100)))
    assert backend.calls[0].sampling == Sampling(0.1, 0.9, None, stop=("x",))
    assert completion.request is not None and completion.request.sampling == backend.calls[0].sampling


@pytest.mark.usefixtures("quick_retries")
async def test_a_server_error_is_tried_exactly_so_many_times_and_becomes_data(journal: Journal) -> None:
    backend = Scripted(always(RequestFailedError("http_500", "boom", retryable=True)))
    model = Model(backend, journal, attempts=3)
    completion = await model.ask(request("a"))
    assert completion.failure is not None
    assert (completion.failure.kind, completion.failure.attempts, len(backend.calls)) == ("http_500", 3, 3)
    assert model.usage["test"].failed == {"http_500": 1}
    assert [entry["failure"]["attempts"] for entry in read_entries(journal.path)] == [3]


async def test_a_request_that_cannot_succeed_is_tried_once(journal: Journal) -> None:
    backend = Scripted(always(RequestFailedError("http_400", "too long", retryable=False)))
    completion = await Model(backend, journal).ask(request("a"))
    assert completion.failure is not None and completion.failure.kind == "http_400"
    assert len(backend.calls) == 1


@pytest.mark.usefixtures("quick_retries")
async def test_a_failure_is_overcome_by_another_attempt(journal: Journal) -> None:
    async def behave(request: Request, number: int) -> Completion:
        if number < 2:
            raise RequestFailedError("timeout", "slow", retryable=True)
        return Completion("at last")

    completion = await Model(Scripted(behave), journal, attempts=3).ask(request("a"))
    assert (completion.text, completion.failure) == ("at last", None)


@pytest.mark.usefixtures("quick_retries")
async def test_being_told_to_wait_uses_up_no_attempt(journal: Journal) -> None:
    async def behave(request: Request, number: int) -> Completion:
        if number < 6:
            raise RequestFailedError("http_429", "busy", retryable=True, limited=True, retry_after=0.001)
        return Completion("served")

    completion = await Model(Scripted(behave), journal, attempts=1).ask(request("a"))
    assert completion.text == "served"


@pytest.mark.parametrize("limited", [True, False], ids=["429", "503"])
async def test_retry_after_holds_everybody_back(journal: Journal, limited: bool) -> None:
    times: list[float] = []

    async def behave(request: Request, number: int) -> Completion:
        times.append(time.monotonic())
        if number == 0:
            raise RequestFailedError("busy", "come back later", retryable=True, limited=limited, retry_after=0.2)
        return Completion("served")

    model = Model(Scripted(behave), journal, concurrency=2)
    await asyncio.gather(*(model.ask(request(number)) for number in range(12)))
    # the second was on its way already; all others wait as long as the first was told to
    assert len([t for t in times if t - times[0] < 0.18]) <= 2
    assert len(times) == 13


async def test_an_error_that_says_to_come_at_once_does_not_use_up_the_attempts_at_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.model._FIRST_WAIT", 0.1)
    error = RequestFailedError("http_503", "loading", retryable=True, retry_after=0.0)
    times: list[float] = []

    def answer(request: Request) -> str:
        times.append(time.monotonic())
        raise error

    completion = await Model(FakeBackend(answer), journal, attempts=3).ask(request("a"))
    assert completion.failure is not None and completion.failure.attempts == len(times) == 3
    assert times[1] - times[0] > 0.045 and times[2] - times[1] > 0.09


async def test_busy_answers_without_a_time_are_waited_for_longer_and_longer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.model._FIRST_WAIT", 0.002)
    times: list[float] = []

    async def behave(request: Request, number: int) -> Completion:
        times.append(time.monotonic())
        if number < 6:
            raise RequestFailedError("http_429", "busy", retryable=True, limited=True)
        return Completion("served")

    await Model(Scripted(behave), journal).ask(request("a"))
    assert times[6] - times[5] >= 0.03  # at least half of 2 ms doubled five times
    assert len(times) == 7


@pytest.mark.usefixtures("quick_retries")
async def test_a_server_that_is_not_there_ends_the_run(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    backend = Scripted(always(RequestFailedError("connection", "cannot reach it", retryable=True)))
    model = Model(backend, journal, attempts=2, concurrency=4)
    with pytest.raises(UnavailableError, match="cannot reach it"):
        async for _ in model.stream(map(request, range(1000)), 50):
            pass
    await model.aclose()
    gc.collect()
    assert caplog.text == ""  # no complaint of asyncio's about the many that failed alike
    assert len(backend.calls) <= 8
    assert list(read_entries(journal.path)) == []


@pytest.mark.parametrize("error", [AuthenticationError("401", "the key"), ModelNotFoundError("404", "the name")])
async def test_what_no_other_request_can_escape_ends_the_run_at_once(journal: Journal, error: Exception) -> None:
    backend = Scripted(always(error))
    model = Model(backend, journal, concurrency=4)
    with pytest.raises(type(error)):
        async for _ in model.stream(map(request, range(1000)), 50):
            pass
    with pytest.raises(type(error)):
        await model.ask(request("later"))
    await model.aclose()
    assert len(backend.calls) <= 4


async def test_what_is_in_flight_when_the_consumer_stops_is_kept(journal: Journal) -> None:
    backend = Scripted(after_ticks([1, 50, 50, 50]))
    model = Model(backend, journal)
    stream = model.stream(map(request, range(100)), 4)
    assert (await anext(stream)).text == "re: 0"
    await stream.aclose()
    await model.drain(5)
    assert sorted(entry["text"] for entry in read_entries(journal.path)) == [f"re: {n}" for n in range(4)]


async def test_what_was_never_sent_is_not_sent_for_nobody(journal: Journal) -> None:
    backend = Scripted(after_ticks([5]))
    model = Model(backend, journal, concurrency=2)
    stream = model.stream(map(request, range(100)), 50)
    await anext(stream)
    await stream.aclose()
    sent = len(backend.calls)
    await model.drain(5)
    assert len(backend.calls) == sent < 10
    assert len(list(read_entries(journal.path))) == sent


async def test_a_request_that_waits_to_be_tried_again_does_not_hold_up_the_end(journal: Journal) -> None:
    backend = Scripted(always(RequestFailedError("http_429", "busy", retryable=True, limited=True, retry_after=3600)))
    model = Model(backend, journal)
    waiting = asyncio.create_task(model.ask(request("a")))
    await asyncio.sleep(0.01)
    started = time.monotonic()
    await model.drain(30)
    assert time.monotonic() - started < 1
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_giving_up_waiting_for_an_answer_does_not_give_up_the_answer(journal: Journal) -> None:
    model = Model(Scripted(after_ticks([20])), journal)
    waiting = asyncio.create_task(model.ask(request("a")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await model.drain(5)
    assert [entry["text"] for entry in read_entries(journal.path)] == ["re: a"]


async def test_a_lone_surrogate_in_a_reply_is_stored_as_a_replacement(journal: Journal) -> None:
    async def behave(request: Request, number: int) -> Completion:
        return Completion("half \ud83d a pair, whole \U0001f600")

    completion = await Model(Scripted(behave), journal).ask(request("a"))
    assert completion.text == "half \ufffd a pair, whole \U0001f600"
    assert [entry["text"] for entry in read_entries(journal.path)] == [completion.text]


async def test_a_surrogate_pair_is_the_character_it_stands_for(journal: Journal) -> None:
    async def behave(request: Request, number: int) -> Completion:
        return Completion("\ud83d\ude00")

    assert (await Model(Scripted(behave), journal).ask(request("a"))).text == "\U0001f600"


async def test_usage_counts_answers_replays_and_tokens(tmp_path: Path) -> None:
    async def behave(request: Request, number: int) -> Completion:
        return Completion("x", prompt_tokens=10, completion_tokens=None if number else 5)

    for replayed in (0, 2):
        journal = Journal(tmp_path / "journal.jsonl")
        model = Model(Scripted(behave), journal)
        for number in range(2):
            await model.ask(request(number))
        usage = model.usage["test"]
        assert (usage.requests, usage.replayed, usage.prompt_tokens, usage.completion_tokens) == (2, replayed, 20, 5)
        journal.close()
