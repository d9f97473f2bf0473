"""`ordered`: many things at once, and their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_END: Any = object()


@dataclass(frozen=True, slots=True)
class Ready(Generic[Result]):
    """A result that is there already, where a future of it would cost a replayed row more than anything else does."""

    value: Result

    def done(self) -> bool:
        return True

    def result(self) -> Result:
        return self.value


async def ordered(
    start: Callable[[Item], Awaitable[Result] | Ready[Result]],
    items: Iterable[Item] | AsyncIterable[Item],
    lookahead: int,
) -> AsyncGenerator[Result, None]:
    """`start(item)` for each item, concurrently, yielding results in the order of the items.

    Item i is pulled once result i - lookahead has been consumed, never earlier and never later: the
    state that `items` sees when it makes an item is the same in every run. `start` is called in item
    order as well. Coroutines whose results are never consumed are cancelled; futures are left alone.
    """
    if lookahead < 1:
        raise ValueError(f"lookahead must be at least 1, not {lookahead}")
    awaited = aiter(items) if isinstance(items, AsyncIterable) else None
    at_hand: Iterator[Item] = iter(()) if isinstance(items, AsyncIterable) else iter(items)
    pending: deque[tuple[asyncio.Future[Result] | Ready[Result], bool]] = deque()
    exhausted = False
    try:
        while True:
            while not exhausted and len(pending) < lookahead:
                item = next(at_hand, _END) if awaited is None else await anext(awaited, _END)
                if item is _END:
                    exhausted = True
                    break
                started = start(item)
                if isinstance(started, (asyncio.Future, Ready)):
                    pending.append((started, False))
                else:
                    pending.append((asyncio.ensure_future(started), True))
            if not pending:
                return
            oldest, _ = pending[0]
            if isinstance(oldest, asyncio.Future) and not oldest.done():
                await asyncio.wait((oldest,))
            pending.popleft()
            yield oldest.result()
    finally:
        # a future that `start` handed over is somebody else's, such as a request already paid for
        ours = [waiting for waiting, made_here in pending if made_here and isinstance(waiting, asyncio.Future)]
        for waiting in ours:
            waiting.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        if isinstance(items, AsyncGenerator):
            await items.aclose()
