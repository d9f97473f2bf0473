"""In flight settles where it pays, rates are kept, and nobody asks before the endpoint wants to be asked."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from llmsynth.concurrency import Concurrency
from llmsynth.limits import Limiter, Rates
from tests.clock import in_virtual_time

Latency = Callable[[int], float]


@dataclass
class Server:
    """Takes `latency(n)` seconds for an answer, n being the requests in flight, give or take some noise."""

    latency: Latency
    noise: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    in_flight: int = 0

    async def answer(self) -> None:
        self.in_flight += 1
        factor = math.exp(self.rng.gauss(0, self.noise) - self.noise**2 / 2)
        await asyncio.sleep(self.latency(self.in_flight) * factor)
        self.in_flight -= 1


def saturating(capacity: int) -> Latency:
    return lambda n: 0.1 * max(1.0, n / capacity)


@dataclass
class Settled:
    """What was seen after the warm-up."""

    in_flight: float
    throughput: float


async def feed(server: Server, limiter: Limiter, answers: int, warm_up: int) -> Settled:
    """Keep the gate besieged until so many answers have come."""
    loop = asyncio.get_running_loop()
    left = answers
    seen: list[tuple[float, int]] = []

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            lane = await limiter.enter()
            sent = loop.time()
            await server.answer()
            seen.append((loop.time(), limiter.in_flight))
            lane.answered("stage", sent, loop.time())
            lane.leave()

    await asyncio.gather(*(work() for _ in range(300)))
    late = seen[warm_up : answers - 600]
    seconds = late[-1][0] - late[0][0]
    area = sum((b[0] - a[0]) * a[1] for a, b in itertools.pairwise(late))
    return Settled(area / seconds, len(late) / seconds)


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("capacity", [4, 20, 100])
def test_in_flight_settles_at_the_capacity_of_a_server_that_never_complains(capacity: int, noise: float) -> None:
    answers = 6_000 + 200 * capacity
    settled = in_virtual_time(feed(Server(saturating(capacity), noise), Limiter(1, 256), answers, answers // 2))
    assert 0.7 * capacity <= settled.in_flight <= 1.3 * capacity
    assert settled.throughput >= 0.9 * capacity / 0.1


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("half", [10, 40])
def test_a_batching_server_that_gets_slower_from_the_first_request_is_fed_well(half: int, noise: float) -> None:
    def latency(n: int) -> float:
        return 0.1 * (1 + n / half)

    settled = in_virtual_time(feed(Server(latency, noise), Limiter(1, 256), 12_000, 5_000))
    assert settled.throughput >= 0.9 * 256 / latency(256)


def test_a_server_that_takes_all_gets_all() -> None:
    settled = in_virtual_time(feed(Server(lambda n: 1.0), Limiter(1, 256), 6_000, 2_000))
    assert settled.in_flight > 0.9 * 256


def test_a_server_that_loses_half_its_capacity_is_fed_less() -> None:
    async def scene() -> tuple[Settled, Settled]:
        server, limiter = Server(saturating(80)), Limiter(1, 256)
        before = await feed(server, limiter, 10_000, 5_000)
        server.latency = saturating(20)
        return before, await feed(server, limiter, 15_000, 9_000)

    before, after = in_virtual_time(scene())
    assert 0.7 * 80 <= before.in_flight <= 1.3 * 80
    assert 0.7 * 20 <= after.in_flight <= 1.3 * 20


def test_stages_of_different_length_are_not_mistaken_for_load() -> None:
    async def scene() -> int:
        server, limiter = Server(saturating(20)), Limiter(1, 256)
        rng, loop = random.Random(1), asyncio.get_running_loop()

        async def work(number: int) -> None:
            for turn in range(120):
                stage = "short" if (number + turn // 20) % 2 else "long"  # the mixture keeps changing
                lane = await limiter.enter()
                sent = loop.time()
                await server.answer()
                if stage == "long":
                    await asyncio.sleep(0.02 * rng.random())
                lane.answered(stage, sent, loop.time())
                lane.leave()

        await asyncio.gather(*(work(number) for number in range(64)))
        return limiter.lanes[0].limit

    assert 14 <= in_virtual_time(scene()) <= 33


@dataclass
class Refusing:
    """Answers `allowed` requests in any `window` seconds, in `latency` seconds each; 429 to all others."""

    allowed: int
    window: float
    latency: float
    retry_after: bool
    taken: deque[float] = field(default_factory=deque)
    told_at: float = -1.0
    shut_until: float = -1.0
    too_early: int = 0

    async def ask(self) -> float | None:
        """None for an answer, else the seconds to wait."""
        now = asyncio.get_running_loop().time()
        if self.retry_after and now < self.shut_until - 1e-6:
            self.too_early += now > self.told_at + self.latency  # whoever was under way could not know
        while self.taken and self.taken[0] <= now - self.window:
            self.taken.popleft()
        if len(self.taken) >= self.allowed:
            wait = self.taken[0] + self.window - now
            if now >= self.shut_until:
                self.told_at = now
            self.shut_until = max(self.shut_until, now + wait)
            await asyncio.sleep(0.005)
            return wait
        self.taken.append(now)
        await asyncio.sleep(self.latency)
        return None


@pytest.mark.parametrize("retry_after", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize(
    ("allowed", "window", "latency"),
    [(20, 1.0, 0.05), (50, 1.0, 1.0), (200, 1.0, 0.02), (5, 1.0, 0.01), (120, 60.0, 0.3)],
)
def test_a_limit_that_nobody_told_is_found_and_kept(
    allowed: int, window: float, latency: float, retry_after: bool
) -> None:
    server = Refusing(allowed, window, latency, retry_after)
    seconds = 240.0 * max(1.0, window / 10)
    refusals: list[float] = []
    answers: list[float] = []

    async def scene() -> None:
        limiter, loop = Limiter(1, 256), asyncio.get_running_loop()

        async def work() -> None:
            tries = 0
            while loop.time() < seconds:
                lane = await limiter.enter(first=tries > 0)
                sent = loop.time()
                wait = await server.ask()
                if wait is None:
                    tries = 0
                    answers.append(loop.time())
                    lane.answered("stage", sent, loop.time())
                else:
                    tries += 1
                    refusals.append(loop.time())
                    lane.refused(sent, loop.time(), wait if retry_after else 0.5 * 2 ** (tries - 1))
                lane.leave()

        await asyncio.gather(*(work() for _ in range(300)))

    in_virtual_time(scene())
    warm = seconds / 4
    refused, answered = (sum(warm < time <= seconds for time in times) for times in (refusals, answers))
    assert server.too_early == 0
    assert refused < 0.05 * (refused + answered)
    assert answered >= 0.75 * allowed / window * (seconds - warm)


@pytest.mark.parametrize(
    ("rates", "per_second"),
    [
        (Rates(requests_per_second=30), 30.0),
        (Rates(requests_per_minute=120), 2.0),
        (Rates(tokens_per_minute=60_000), 10.0),
        (Rates(requests_per_second=30, requests_per_minute=300), 5.0),
    ],
)
def test_rates_set_by_hand_are_kept_evenly_and_used_up(rates: Rates, per_second: float) -> None:
    async def scene() -> list[float]:
        limiter, times = Limiter(1, 64, rates=rates), list[float]()
        await asyncio.sleep(100)  # an idle time buys no burst

        async def work() -> None:
            lane = await limiter.enter(tokens=100)
            times.append(asyncio.get_running_loop().time())
            lane.leave()

        await asyncio.gather(*(work() for _ in range(200)))
        return times

    times = in_virtual_time(scene())
    assert times[-1] - times[0] == pytest.approx(199 / per_second, rel=0.02)
    for start, end in zip(times, times[int(per_second) + 1 :], strict=False):
        assert end - start >= 0.97


def test_what_headers_tell_counts_where_nothing_is_set_by_hand() -> None:
    limiter = Limiter(1, 64, rates=Rates(requests_per_minute=600))
    lane = limiter.lanes[0]
    lane.told(Rates(requests_per_minute=60, tokens_per_minute=6_000))
    assert (lane.request_interval, lane.token_interval) == (0.1, 0.01)
    lane.told(Rates())
    assert (lane.request_interval, lane.token_interval) == (0.1, 0.0)


def test_the_longest_waiting_goes_first_and_a_second_try_before_all() -> None:
    async def scene() -> list[str]:
        limiter, order = Limiter(1, 1), list[str]()

        async def work(name: str, first: bool = False) -> None:
            lane = await limiter.enter(first=first)
            order.append(name)
            await asyncio.sleep(1)
            lane.leave()

        tasks = [asyncio.create_task(work(name)) for name in "abc"]
        await asyncio.sleep(0.5)
        tasks.append(asyncio.create_task(work("again", first=True)))
        await asyncio.gather(*tasks)
        return order

    assert in_virtual_time(scene()) == ["a", "again", "b", "c"]


def test_who_gives_up_waiting_takes_no_place() -> None:
    async def scene() -> int:
        limiter = Limiter(1, 1)
        lane = await limiter.enter()
        waiting = [asyncio.create_task(limiter.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        lane.leave()  # lets the second in, who gives up in the same moment
        waiting[1].cancel()
        third = await waiting[2]
        third.leave()
        await asyncio.gather(*waiting, return_exceptions=True)
        return limiter.in_flight

    assert in_virtual_time(scene()) == 0


def test_several_endpoints_share_by_what_is_outstanding() -> None:
    async def scene() -> list[int]:
        limiter, served = Limiter(3, 30), [0, 0, 0]
        latencies = (0.1, 0.2, 0.4)

        async def work() -> None:
            for _ in range(50):
                lane = await limiter.enter()
                served[lane.number] += 1
                await asyncio.sleep(latencies[lane.number])
                lane.leave()

        await asyncio.gather(*(work() for _ in range(60)))
        return served

    served = in_virtual_time(scene())
    assert sum(served) == 3000
    assert served[0] / served[2] == pytest.approx(4, rel=0.15)


def test_a_dead_endpoint_is_left_alone_tried_with_one_request_and_taken_back() -> None:
    async def scene() -> list[tuple[float, int]]:
        limiter, loop, log = Limiter(2, 8, adaptive=False), asyncio.get_running_loop(), list[tuple[float, int]]()

        async def work() -> None:
            while loop.time() < 20:
                lane = await limiter.enter()
                log.append((loop.time(), lane.number))
                sent = loop.time()
                await asyncio.sleep(0.1)
                if lane.number == 1 and sent < 6:
                    lane.set_aside(loop.time())
                else:
                    lane.answered("stage", sent, loop.time())
                lane.leave()

        await asyncio.gather(*(work() for _ in range(16)))
        return log

    log = in_virtual_time(scene())
    second = [time for time, number in log if number == 1]
    assert sum(time < 0.05 for time in second) <= 4
    assert not [time for time in second if 0.15 < time < 5]
    assert sum(5 <= time < 6 for time in second) <= 2
    assert sum(time > 16 for time in second) > 100


def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_slow_everything_down() -> None:
    rng = random.Random(3)

    async def scene() -> float:
        limiter, loop = Limiter(1, 64, adaptive=False), asyncio.get_running_loop()
        left = 20_000

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                lane = await limiter.enter()
                sent = loop.time()
                await asyncio.sleep(0.05)
                if rng.random() < 0.06:
                    lane.refused(sent, loop.time(), 0.01)
                else:
                    lane.answered("stage", sent, loop.time())
                lane.leave()

        await asyncio.gather(*(work() for _ in range(100)))
        return 20_000 / loop.time()

    assert in_virtual_time(scene()) > 0.5 * 64 / 0.06


@pytest.mark.parametrize("capacity", [4, 20])
def test_a_server_that_queues_what_it_cannot_take_is_not_kept_waiting_on_for_long(capacity: int) -> None:
    """Its first answers, to a burst that met an empty queue, are the quickest it will ever give."""
    concurrency = Concurrency(256)
    served: list[tuple[float, float]] = []  # when it will be answered, when it was sent
    queue: deque[float] = deque()
    limits = []
    now, in_flight = 0.0, 0
    rng = random.Random(capacity)
    for _ in range(400 * capacity):
        while in_flight < concurrency.limit:
            in_flight += 1
            if len(served) < capacity:
                heapq.heappush(served, (now + 0.1 * rng.uniform(0.97, 1.03), now))
            else:
                queue.append(now)
        now, sent = heapq.heappop(served)
        if queue:
            heapq.heappush(served, (now + 0.1 * rng.uniform(0.97, 1.03), queue.popleft()))
        concurrency.answered("only", sent, now, in_flight)
        in_flight -= 1
        limits.append(concurrency.limit)
    late = limits[len(limits) // 2 :]
    assert 0.7 * capacity <= sum(late) / len(late) <= 1.3 * capacity
