"""`ordered`: many things at once, and their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    source = _as_async(items)
    pending: deque[tuple[asyncio.Future[Result] | Ready[Result], bool]] = deque()
    exhausted = False
    try:
        while True:
            while not exhausted and len(pending) < lookahead:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    exhausted = True
                else:
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
        await source.aclose()


async def _as_async(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        try:
            async for item in items:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
    else:
        for item in items:
            yield item
