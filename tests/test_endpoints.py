"""Endpoints as they are: limits in their headers, limits they keep to themselves, several for one model, dead ones."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Recipe, synthesize
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.errors import RecipeError, UnavailableError
from llmsynth.headers import rates, retry_after, seconds
from llmsynth.journal import Journal
from llmsynth.limits import Rates
from llmsynth.model import Model
from llmsynth.request import Message, Request
from llmsynth.synthesis import open_run
from tests.loopback import Fault, Loopback

GONE = "http://127.0.0.1:9/v1"


def request(text: object) -> Request:
    return Request("test", (Message(role="user", content=f"Task: {text}"),))


@pytest.fixture
def three() -> Iterator[list[Loopback]]:
    servers = [Loopback().start() for _ in range(3)]
    yield servers
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("7.66", 7.66),
        ("2015-10-21T07:28:00Z", 0.0),
        ("soon", None),
        ("12 parsecs", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_in_every_form_that_servers_write_them(value: str | None, expected: float | None) -> None:
    assert seconds(value) == pytest.approx(expected) if expected is not None else seconds(value) is None


def limits(requests: tuple[str, str, str], tokens: tuple[str, str, str]) -> dict[str, str]:
    return {
        f"x-ratelimit-{what}-{of}": value
        for of, values in (("requests", requests), ("tokens", tokens))
        for what, value in zip(("limit", "remaining", "reset"), values, strict=True)
    }


def test_limits_in_headers_are_per_minute_unless_they_take_longer_to_reset() -> None:
    assert rates({}) is None
    per_minute = limits(("60", "59", "1s"), ("150000", "149984", "6ms"))
    assert rates(per_minute) == Rates(requests_per_minute=60, tokens_per_minute=150_000)
    per_day = limits(("14400", "14370", "2m59.56s"), ("18000", "17997", "7.66ms"))
    assert rates(per_day) == Rates(requests_per_minute=None, tokens_per_minute=18_000)


def test_without_retry_after_the_reset_of_what_is_used_up_is_waited_for() -> None:
    used_up = limits(("60", "12", "48s"), ("1000", "0", "1.5s"))
    assert retry_after(used_up) == 1.5
    assert retry_after({**used_up, "Retry-After": "3"}) == 3
    assert retry_after({"retry-after-ms": "250"}) == 0.25
    assert retry_after(limits(("60", "12", "48s"), ("1000", "5", "1.5s"))) is None


async def test_the_limit_that_the_headers_tell_is_kept(journal: Journal, loopback: Loopback) -> None:
    reply = {"choices": [{"message": {"content": "fine"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    headers = limits(("1200", "1199", "50ms"), ("1000000", "999000", "60ms"))
    loopback.fault = lambda number, body: Fault("status", 200, headers, reply)
    backend = OpenAIBackend("teacher", loopback.url)
    model = Model(backend, journal, concurrency=4)
    await model.ask(request("to learn the limit"))
    await asyncio.gather(*(model.ask(request(number)) for number in range(10)))
    await model.aclose()
    gaps = [b - a for a, b in zip(loopback.times[1:], loopback.times[2:], strict=False)]
    assert sum(gaps) > 9 * 0.045  # 20 a second


async def test_several_endpoints_are_asked_by_what_is_outstanding(journal: Journal, three: list[Loopback]) -> None:
    for server, latency in zip(three, (0.01, 0.01, 0.1), strict=True):
        server.latency = (latency, latency)
    backend = OpenAIBackend("teacher", [server.url for server in three])
    model = Model(backend, journal, concurrency=12)
    await asyncio.gather(*(model.ask(request(number)) for number in range(120)))
    await model.aclose()
    counts = [server.requests for server in three]
    assert sum(counts) == 120
    assert counts[2] < min(counts[:2])


async def test_a_dead_endpoint_costs_no_attempt_and_its_return_is_noticed(
    journal: Journal, three: list[Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.limits._ASIDE", 0.2)
    three[1].stop()
    model = Model(OpenAIBackend("teacher", [server.url for server in three[:2]]), journal, concurrency=4, attempts=1)
    first = await asyncio.gather(*(model.ask(request(number)) for number in range(30)))
    assert not any(completion.failure for completion in first)
    assert (three[0].requests, three[1].requests) == (30, 0)
    three[1].start()
    await asyncio.sleep(0.5)
    for number in range(30, 60):
        await model.ask(request(number))
    await asyncio.gather(*(model.ask(request(number)) for number in range(60, 90)))
    await model.aclose()
    assert three[1].requests >= 5


@pytest.mark.usefixtures("quick_retries")
async def test_an_endpoint_that_fails_again_and_again_is_set_aside_for_the_others(
    journal: Journal, three: list[Loopback]
) -> None:
    three[0].fault = lambda number, body: Fault("status", 500)
    model = Model(OpenAIBackend("teacher", [server.url for server in three]), journal, concurrency=9)
    done = await asyncio.gather(*(model.ask(request(number)) for number in range(90)))
    await model.aclose()
    assert not any(completion.failure for completion in done)
    assert three[0].requests < 15


@pytest.mark.usefixtures("quick_retries")
async def test_the_run_ends_only_when_all_are_dead(journal: Journal, loopback: Loopback) -> None:
    loopback.fault = lambda number, body: threading.Thread(target=loopback.stop).start() if number == 5 else None
    loopback.latency = (0.01, 0.01)
    model = Model(OpenAIBackend("teacher", [GONE, loopback.url]), journal, concurrency=2, attempts=2)
    answered = 0
    with pytest.raises(UnavailableError, match="cannot reach"):
        async for _ in model.stream(map(request, range(10_000)), 8):
            answered += 1
    await model.aclose()
    assert answered >= 4


async def test_a_wait_at_one_endpoint_is_none_at_the_others(journal: Journal, three: list[Loopback]) -> None:
    three[0].fault = lambda number, body: Fault("status", 429, {"Retry-After": "60"})
    model = Model(OpenAIBackend("teacher", [server.url for server in three]), journal, concurrency=6)
    started = time.monotonic()
    await asyncio.gather(*(model.ask(request(number)) for number in range(60)))
    await model.aclose()
    assert time.monotonic() - started < 10
    assert three[0].requests <= 2


@pytest.mark.parametrize("told", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_an_endpoint_that_refuses_all_and_says_to_come_at_once_is_not_stormed(
    journal: Journal, loopback: Loopback, told: str
) -> None:
    refusal = Fault("status", 429, {"Retry-After": told})
    loopback.fault = lambda number, body: refusal if loopback.times[number] < loopback.times[0] + 1 else None
    model = Model(OpenAIBackend("teacher", loopback.url), journal, concurrency=8)
    done = await asyncio.gather(*(model.ask(request(number)) for number in range(8)))
    await model.aclose()
    assert not any(completion.failure for completion in done)
    assert loopback.requests < 100  # by its word it would be thousands


def two_roles(server: Loopback, journal: Journal, **judge: Any) -> tuple[Model, Model]:
    """The models of two roles of a run, of the same model but for what the second one's recipe says."""
    spec = {"use": "openai", "model": "m", "base_url": server.url}
    models = {"default": spec, "judge": {**spec, "sampling": {"temperature": 0}, **judge}}
    run, _ = open_run(Recipe.from_data({"generator": {"use": "self-instruct"}, "models": models}), journal, {}, 1)
    return run.models["default"], run.models["judge"]


@pytest.mark.parametrize(("name", "paused"), [("m", True), ("another", False)])
async def test_a_wait_is_one_for_every_role_that_asks_the_same_model(
    journal: Journal, loopback: Loopback, name: str, paused: bool
) -> None:
    first, second = two_roles(loopback, journal, model=name)
    loopback.faults = {0: Fault("status", 429, {"Retry-After": "0.5"})}
    waiting = asyncio.create_task(first.ask(request("first")))
    await asyncio.sleep(0.1)
    await second.ask(request("second"))
    await waiting
    await asyncio.gather(first.aclose(), second.aclose())
    told, then, *_ = loopback.times
    assert (then - told >= 0.49) == paused


async def test_the_stricter_rate_of_two_roles_holds_for_both_together(journal: Journal, loopback: Loopback) -> None:
    first, second = two_roles(loopback, journal, requests_per_second=50)
    await asyncio.gather(*(model.ask(request(number)) for number in range(10) for model in (first, second)))
    await asyncio.gather(first.aclose(), second.aclose())
    assert loopback.times[-1] - loopback.times[0] > 18 / 50 - 0.02  # timers are late and early by some milliseconds
    assert first.in_flight == second.in_flight == 0


def recipe(base_url: Any, **more: Any) -> Recipe:
    return Recipe.from_data(
        {
            "generator": {"use": "tests.plugins:Echoes", "count": 40},
            "models": {"default": {"use": "openai", "model": "m", "base_url": base_url, **more}},
        }
    )


def test_endpoints_can_be_added_to_a_run_that_has_begun(tmp_path: Path, three: list[Loopback]) -> None:
    urls = [server.url for server in three]
    first = synthesize(recipe(urls[0]), tmp_path)
    (tmp_path / "report.json").unlink()
    again = synthesize(recipe(urls), tmp_path)
    assert first.complete and again.complete
    assert [server.requests for server in three] == [40, 0, 0]  # all answers were there already
    (tmp_path / "report.json").unlink()
    synthesize(recipe(urls[2], served_as=urls[0]), tmp_path)
    assert [server.requests for server in three] == [40, 0, 0]


def test_an_endpoint_that_is_listed_twice_is_refused() -> None:
    for wrong in ([], [GONE, GONE + "/"]):
        with pytest.raises(RecipeError, match="base_url"):
            OpenAIBackend("teacher", wrong)


@pytest.mark.slow
async def test_a_real_limit_is_found_and_kept(journal: Journal) -> None:
    with Loopback(latency=(0.05, 0.1), rate=50) as server:
        model = Model(OpenAIBackend("teacher", server.url), journal, concurrency=256, adaptive=True, attempts=1)
        completions = [c async for c in model.stream(map(request, range(1_500)), 400)]
        await model.aclose()
    assert not any(completion.failure for completion in completions)
    warm = server.times[0] + 10
    late = [t for t in server.times if t > warm]
    assert sum(t > warm for t, _ in server.refusals) < 0.05 * len(late)
    for told, wait in server.refusals:
        # what was under way when the refusal was told could not know of it
        assert not [t for t in server.times if told + 0.05 < t < told + wait - 0.005]
