"""When a request may be sent, and to which endpoint: as many at once as pay, as often as is allowed."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass

from llmsynth.concurrency import Concurrency

_TOLERANCE = 0.01  # seconds by which a request may come too early, as timers are late by that much
_SAFE = 0.95  # of a rate that was refused, what is sent at first
_SHORTEST_PLATEAU, _LONGEST_PLATEAU = 2.0, 60.0  # seconds in which the whole of it is reached again
_HICCUP = 5.0  # seconds without a refusal after which one does not mean much
_FEW, _RARE, _USELESS = 50, 0.06, 60.0  # of so many paced requests this share may be refused; seconds without
_MEMORY = 10.0  # seconds of the past that count for what passed lately
_IN_VAIN = 3  # waits in a row that led to no answer, after which an endpoint's word on how long to wait is doubted
_DOUBTED_WAIT, _LONGEST_DOUBTED_WAIT = 0.1, 1.0  # seconds to wait at least from then on, doubling
_ASIDE = 5.0  # seconds that a dead endpoint is left alone; doubles, up to _LONGEST_ASIDE
_LONGEST_ASIDE = 120.0
_FAILURES = 5  # in a row that make an endpoint dead where there are others


@dataclass(frozen=True, slots=True)
class Rates:
    """What an endpoint allows, by hand or as its headers tell; None is no limit.

    Requests and tokens are spread evenly: 60 a minute is one every second, not 60 at once.
    tokens_per_minute counts the prompt's tokens as estimated and the completion's as limited.
    """

    requests_per_second: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def stricter(self, other: Rates) -> Rates:
        """The lower of each."""
        pairs = (
            (self.requests_per_second, other.requests_per_second),
            (self.requests_per_minute, other.requests_per_minute),
            (self.tokens_per_minute, other.tokens_per_minute),
        )
        return Rates(*(min((rate for rate in pair if rate is not None), default=None) for pair in pairs))

    def intervals(self) -> tuple[float, float]:
        """Seconds that one request, and one token, have to themselves."""
        per_request = max(1 / (self.requests_per_second or math.inf), 60 / (self.requests_per_minute or math.inf))
        return per_request, 60 / (self.tokens_per_minute or math.inf)


class Limiter:
    """The gate before the endpoints of one model; the longest waiting goes first, to where least is in flight.

    endpoints: how many there are; a `Lane` each.
    most: requests in flight at all endpoints together.
    adaptive: whether fewer are sent where more would not pay, see `Concurrency`.
    rates: of each endpoint; what its headers tell counts only where these set nothing.
    """

    def __init__(self, endpoints: int, most: int, *, adaptive: bool = True, rates: Rates = Rates()) -> None:
        self.lanes = [Lane(self, number, most, adaptive, rates) for number in range(endpoints)]
        self.most = most
        self.in_flight = 0
        self._waiting: deque[tuple[asyncio.Future[Lane], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def counts_tokens(self) -> bool:
        """Whether `enter` has to be told how many tokens a request is."""
        return any(lane.token_interval for lane in self.lanes)

    async def enter(self, tokens: float = 0.0, first: bool = False) -> Lane:
        """Wait for a turn; whoever gets a lane is in flight until its `leave`. `first`: before all who wait."""
        now = asyncio.get_running_loop().time()
        if first or not self._waiting:
            lane = self._free(now)
            if lane is not None:
                lane.take(tokens, now)
                return lane
        turn: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft((turn, tokens))
        else:
            self._waiting.append((turn, tokens))
        self._wake_later(now)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                turn.result().leave()
            raise

    def admit(self) -> None:
        """Let in whoever may come in now."""
        if not self._waiting:
            return
        now = asyncio.get_running_loop().time()
        while self._waiting:
            turn, tokens = self._waiting[0]
            if turn.done():  # cancelled
                self._waiting.popleft()
                continue
            lane = self._free(now)
            if lane is None:
                self._wake_later(now)
                return
            self._waiting.popleft()
            lane.take(tokens, now)
            turn.set_result(lane)

    def alive(self, but: Lane) -> bool:
        """Whether an endpoint other than this one is worth asking."""
        return any(lane is not but and not lane.doubtful for lane in self.lanes)

    def _free(self, now: float) -> Lane | None:
        if self.in_flight >= self.most:
            return None
        best: Lane | None = None
        for lane in self.lanes:
            if (
                lane.in_flight < lane.limit
                and lane.opens() <= now
                and (best is None or lane.in_flight < best.in_flight)
            ):
                best = lane
        return best

    def _wake_later(self, now: float) -> None:
        """Look again when time alone lets somebody in; that someone leaves is told by `Lane.leave`."""
        if self.in_flight >= self.most:
            return
        shut = [lane.opens() for lane in self.lanes if lane.in_flight < lane.limit]
        if not shut:
            return
        when = max(min(shut), now)
        if self._timer is not None:
            if self._timer.when() <= when and self._timer.when() > now:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self.admit()


class Lane:
    """What is known of one endpoint: how many it bears, how often, and when it wants to be asked again.

    doubtful: set aside as dead; after a while it gets one request at a time until one is answered.
    """

    def __init__(self, gate: Limiter, number: int, most: int, adaptive: bool, rates: Rates) -> None:
        self.number = number
        self.in_flight = 0
        self.doubtful = False
        self._gate = gate
        self._most = most
        self._concurrency = Concurrency(most) if adaptive else None
        self._by_hand = rates
        self._told: Rates | None = None
        self._pace = _Pace()
        self.request_interval, self.token_interval = rates.intervals()
        self._open_at = 0.0  # before which the endpoint asked, or has, not to be called
        self._next = 0.0  # when the rates allow the next request
        self._failures = 0
        self._in_vain = 0
        self._refused_at = -math.inf
        self._aside = _ASIDE

    @property
    def limit(self) -> int:
        """Requests in flight at most, as of now."""
        if self.doubtful:
            return 1
        return self._most if self._concurrency is None else self._concurrency.limit

    def opens(self) -> float:
        """Loop time from which a request may be sent."""
        return max(self._open_at, self._next - _TOLERANCE)

    def take(self, tokens: float, now: float) -> None:
        """Put a request in flight."""
        self.in_flight += 1
        self._gate.in_flight += 1
        interval = max(self.request_interval, self._pace.interval(now), tokens * self.token_interval)
        if interval:
            self._next = max(self._next, now - _TOLERANCE) + interval

    def leave(self) -> None:
        """Take a request out of flight."""
        self.in_flight -= 1
        self._gate.in_flight -= 1
        self._gate.admit()

    def answered(self, stage: str, sent: float, now: float) -> None:
        """Note an answer, before leaving. Loop times."""
        self._failures = self._in_vain = 0
        if self.doubtful:
            self.doubtful, self._aside = False, _ASIDE
        if self._concurrency is not None:
            self._concurrency.answered(stage, sent, now, self.in_flight)

    def refused(self, sent: float, now: float, wait: float) -> None:
        """The endpoint said 429: nobody asks it before `wait` seconds have passed, and all ask more slowly.

        One that says 0, or a time that has passed by our clock, and goes on refusing is waited for all the same.
        """
        if sent >= self._refused_at:  # not one of those that were in flight together
            self._in_vain, self._refused_at = self._in_vain + 1, now
        if self._in_vain > _IN_VAIN:
            wait = max(wait, min(_LONGEST_DOUBTED_WAIT, _DOUBTED_WAIT * 2.0 ** min(self._in_vain - _IN_VAIN - 1, 30)))
        self._open_at = max(self._open_at, now + wait)
        self._pace.refused(sent, now, self._open_at)
        if self._concurrency is not None:
            self._concurrency.refused(sent, now)

    def failed(self, now: float) -> None:
        """Note an error of the server. So many in a row set it aside where there is another."""
        self._failures += 1
        if self._failures >= _FAILURES and self._gate.alive(self):
            self.set_aside(now)

    def pause(self, until: float) -> None:
        """Send nothing before a loop time."""
        self._open_at = max(self._open_at, until)

    def set_aside(self, now: float, wait: float | None = None) -> None:
        """Nobody there: leave it alone for a while, `wait` seconds or longer with each time."""
        if self.doubtful and now < self._open_at:
            return  # one of those that were in flight together
        self.doubtful = True
        if wait is None:
            wait, self._aside = self._aside, min(_LONGEST_ASIDE, self._aside * 2)
        self._open_at = now + wait

    def told(self, rates: Rates) -> None:
        """Take the rates that the endpoint's headers tell."""
        if rates != self._told:
            self._told = rates
            by_hand, told = self._by_hand.intervals(), rates.intervals()
            self.request_interval, self.token_interval = (
                hand or tell for hand, tell in zip(by_hand, told, strict=True)
            )


class _Pace:
    """The rate that an endpoint turned out to allow, learned from its refusals.

    What was let through since the gate last opened, over the time until it opens next, is the rate; that
    holds for windows of a second and of a minute as for buckets. A little less than it is sent at first, the
    whole of it at the end of a plateau, then ever more, until the next refusal. Plateaus get longer the more
    often the rate is confirmed. Refusals that do not become rare by it have other causes: then it is given up
    for a while, and only the waits that were asked for are kept.
    """

    def __init__(self) -> None:
        self._rate = 0.0  # requests per second; 0 while nothing was refused
        self._before = 0.0  # the same before the present refusals
        self._hiccup = False  # they came after a long time without any
        self._opened = -1.0  # when the gate last opened
        self._opens = -1.0  # when it opens next, if it is shut
        self._sent = self._refused = 0  # since it last opened
        self._passed = self._seconds = 0.0  # what was let through before, and in what time, the longer ago the less
        self._plateau = _SHORTEST_PLATEAU
        self._paced = self._paced_refused = 0  # requests sent at that rate and refusals of them
        self._warm = False
        self._useless_until = -1.0

    def interval(self, now: float) -> float:
        """Note a request that is sent; seconds until the next."""
        if self._opens >= 0 or self._opened < 0:
            opened = max(self._opens, now)
            if self._opened >= 0:
                seconds = opened - self._opened
                kept = math.exp(-seconds / _MEMORY)
                self._passed = self._passed * kept + self._sent - self._refused
                self._seconds = self._seconds * kept + seconds
            self._opened, self._opens = opened, -1.0
            self._sent = self._refused = 0
        self._sent += 1
        if not self._rate:
            return 0.0
        self._paced += 1
        if self._paced == _FEW:
            if self._warm and self._paced_refused > _RARE * _FEW:
                self._rate, self._useless_until = 0.0, now + _USELESS
            self._warm = not self._useless_until > now
            self._paced = self._paced_refused = 0
        return 1 / self._at(now) if self._rate else 0.0

    def refused(self, sent: float, now: float, opens: float) -> None:
        """Note a refusal of a request sent at `sent`; the gate is shut until `opens`."""
        if sent < self._opened:
            return  # it belongs to what has been dealt with
        self._paced_refused += 1
        if self._opens < 0:
            self._before = self._at(now) if self._rate else 0.0
            self._hiccup = now - self._opened > _HICCUP
            grown = self._rate and self._before > 2 * self._rate
            self._plateau = _SHORTEST_PLATEAU if grown else min(_LONGEST_PLATEAU, self._plateau * 2)
        self._opens = max(self._opens, opens)
        self._refused += 1
        passed, seconds = max(1, self._sent - self._refused), max(self._opens - self._opened, 1e-3)
        rate = passed / seconds
        if self._before:
            lately = (self._passed + passed) / (self._seconds + seconds)
            rate = min(self._before, max(rate, lately, self._before * (0.9 if self._hiccup else 0.7)))
        if now >= self._useless_until:
            self._rate = rate

    def _at(self, now: float) -> float:
        share = max(0.0, now - self._opened) / self._plateau
        return self._rate * (_SAFE + (1 - _SAFE) * share if share < 1 else 2.0 ** min(share - 1, 30.0))
