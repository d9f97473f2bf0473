"""`Concurrency`: how many requests pay, found by watching what each more of them brings."""

from __future__ import annotations

import math

_START = 32  # requests in flight to begin with
_WORTH_IT = 0.1  # of a growth in concurrency, the share that must come back as growth in throughput
_STEPS = (2.0, 2.0**0.5, 2.0**0.25)  # what the limit is multiplied with, from coarse to fine
_REST = 20  # round trips to stay where neither more nor less was better, before trying again
_KEPT = 0.7  # of the weight of what was measured at a limit, when it is returned to
_CHANGE = 0.25  # difference in log latency at one limit that means another server
_SURE = 2.0  # standard errors that a measurement must lie off the threshold to be decided on early


class Concurrency:
    """The limit on requests in flight at one endpoint, adapted to what they bring.

    A saturated server rarely says so; it only gets slower. By Little's law throughput is requests in
    flight over latency, so with every change of the limit the change in latency tells what it brought:
    twice as many at the same latency is twice the throughput, twice as many at twice the latency is
    nothing. The limit grows while at least `_WORTH_IT` of its growth comes back (on a logarithmic scale)
    and shrinks while that costs less than the same share, in steps that get finer when neither is better.
    Latencies are compared within a stage only, because a yes or no takes less than a page.

    Deviation from AIMD on errors and from gradients against the least latency ever seen: batching servers
    get slower from the second request on, long before more requests stop paying.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(_START, most)
        self._changed_at = self._since = -math.inf  # answers to requests sent before met another load
        self._settled = False  # whether a round trip has passed since the last change
        self._rising = True  # from the start, until more was no better for the first time
        self._step = 0
        self._direction = 1
        self._failed = 0  # directions that were tried from here in vain
        self._resting = 0.0  # answers still to come before the next try
        self._now: dict[str, _Moments] = {}
        self._count = 0
        self._enough = self._fewest()
        self._from = 0  # the limit that `_before` was measured at; 0: nothing to compare with
        self._before: dict[str, _Moments] = {}
        self._seen: dict[int, dict[str, _Moments]] = {}  # what was measured during earlier stays, by limit

    def answered(self, stage: str, sent: float, now: float, in_flight: int) -> None:
        """Note an answer at `now` to a request sent at `sent`, in seconds; the limit may change."""
        if sent < self._since or in_flight < 0.8 * self.limit:
            return  # it met another load than the one to be judged
        if not self._settled:
            self._settled, self._since = True, now  # until now it was still growing into the new limit
            return
        moments = self._now.get(stage)
        if moments is None:
            moments = self._now[stage] = _Moments()
        moments.add(math.log(max(now - sent, 1e-6)))
        self._count += 1
        if self._count >= self._enough:
            self._consider(now)

    def refused(self, sent: float, now: float) -> None:
        """The endpoint said 429: back off, once for all that were in flight together."""
        if sent >= self._changed_at:
            self._rising = False
            self._from, self._step, self._failed = 0, len(_STEPS) - 1, 0
            self._move(max(1, math.floor(self.limit * 0.7)), now)
            self._direction, self._resting = 1, _REST * self._fewest()

    def _fewest(self) -> int:
        """Answers to judge by: while steps are coarse a part of a round trip's, as a doubling is soon told."""
        return max(8, self.limit if self._step else self.limit // 4)

    def _consider(self, now: float) -> None:
        change = self._change()
        if change:  # another server, or another load on it: nothing that was measured before means anything
            self._seen.clear()
            self._from, self._failed, self._resting = 0, 0, 0.0
            self._step, self._direction = 0, 1 if change < 0 else -1
        if self._resting > 0:
            self._rest(now)
        elif not self._from:
            self._begin(now)
        else:
            self._judge(now)

    def _rest(self, now: float) -> None:
        """Stay; what is measured meanwhile is what the next try is compared with."""
        self._resting -= self._fewest()
        self._remember()
        self._count, self._enough = 0, self._fewest()
        if self._resting <= 0:
            self._begin(now)

    def _change(self) -> float:
        """How much slower, as a logarithm, the server has become since an earlier stay here; 0 if it is the same."""
        seen = self._seen.get(self.limit, {})
        for stage, moments in self._now.items():
            past = seen.get(stage)
            if past is not None and past.count > 1 and moments.count > 1:
                slower = moments.mean - past.mean
                if abs(slower) > max(_CHANGE, 4 * math.sqrt(moments.error2() + past.error2())):
                    return slower
        return 0.0

    def _remember(self) -> None:
        """Add what was measured now to what was measured here before."""
        seen = self._seen.setdefault(self.limit, {})
        for stage, moments in self._now.items():
            past = seen.setdefault(stage, _Moments())
            past.include(moments)
            if past.count > 1000:
                past.forget(0.5)
        self._now = {}

    def _begin(self, now: float) -> None:
        """Take what was measured as the state to compare with, and try the next limit."""
        if self._step and self._count < 4 * self._fewest():
            self._enough = 4 * self._fewest()
            return
        self._remember()
        self._before, self._from = self._seen[self.limit], self.limit
        factor = _STEPS[self._step]
        limit = _near(self.limit * factor if self._direction > 0 else self.limit / factor, self.limit, self.most)
        if limit == self.limit:
            self._turn(now)
        else:
            self._move(limit, now)

    def _judge(self, now: float) -> None:
        gained, error = self._gain()
        most = self._fewest() * 4 if self._step == 0 else max(200, 4 * self._fewest())
        if abs(gained - _WORTH_IT) < _SURE * error and self._count < most:
            self._enough = self._count + self._fewest()
            return
        if (gained - error / 2 >= _WORTH_IT) == (self._direction > 0):  # in doubt, the fewer
            self._failed = 0
            self._begin(now)  # it is better here: on in the same direction
            return
        self._move(self._from, now)
        self._turn(now)

    def _turn(self, now: float) -> None:
        """This direction was no better. Try the other, then finer, then rest."""
        self._rising = False
        self._direction = -self._direction
        self._failed += 1
        self._from = 0
        if self._failed < 2:
            return
        self._failed = 0
        if self._step < len(_STEPS) - 1:
            self._step += 1
        else:
            self._step, self._direction = len(_STEPS) - 2, 1
            self._resting = _REST * self._fewest()
        self._enough = max(self._enough, self._count + self._fewest())

    def _gain(self) -> tuple[float, float]:
        """The share of the change in concurrency that came back as throughput, and its standard error."""
        more = math.log(self.limit / self._from)
        slower = variance = weights = 0.0
        seen = self._seen.get(self.limit, {})
        for stage, moments in self._now.items():
            before = self._before.get(stage)
            if stage in seen:
                moments = moments.together(seen[stage])
            if before is not None and before.count > 1 and moments.count > 1:
                slower += moments.count * (moments.mean - before.mean)
                variance += moments.count**2 * (moments.error2() + before.error2())
                weights += moments.count
        if not weights:
            return 1.0, math.inf
        return 1.0 - slower / weights / more, math.sqrt(variance) / weights / abs(more)

    def _move(self, limit: int, now: float) -> None:
        self._remember()
        # at the start one round trip for a doubling has to do: what is overlooked then is found on the way back
        self.limit, self._settled = limit, self._rising
        self._changed_at = self._since = now
        for moments in self._seen.get(limit, {}).values():
            moments.forget(_KEPT)  # what was measured at an earlier stay counts too, but less: servers change
        self._count, self._enough = 0, self._fewest()


def _near(wanted: float, limit: int, most: int) -> int:
    """The limit on a grid of quarter octaves next to the one wanted, other than `limit` unless it is at an end."""
    if wanted >= most:
        return most
    near: int = round(2.0 ** (round(4 * math.log2(max(1.0, wanted))) / 4))
    if near == limit:
        near += 1 if wanted > limit else -1
    return max(1, min(most, near))


class _Moments:
    """Count, mean and variance of the logarithms of latencies."""

    __slots__ = ("_squares", "_sum", "count")

    def __init__(self) -> None:
        self.count = 0.0
        self._sum = self._squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self._sum += value
        self._squares += value * value

    def include(self, other: _Moments) -> None:
        self.count, self._sum = self.count + other.count, self._sum + other._sum
        self._squares += other._squares

    def together(self, other: _Moments) -> _Moments:
        """A new one with all that both have seen."""
        both = _Moments()
        both.include(self)
        both.include(other)
        return both

    def forget(self, kept: float) -> None:
        """Let what is past weigh less."""
        self.count, self._sum, self._squares = self.count * kept, self._sum * kept, self._squares * kept

    @property
    def mean(self) -> float:
        return self._sum / self.count

    def error2(self) -> float:
        """The squared standard error of the mean."""
        return max(0.0, self._squares / self.count - self.mean**2) / max(self.count - 1, 0.1)
