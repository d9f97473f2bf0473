"""A run from code that waits for it: `wait_for`, and the garbage collector meanwhile."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_COLLECT_AFTER = 200_000  # objects


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, also where an event loop is running in this thread already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[T] = []
    trouble: list[BaseException] = []
    done = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []

    async def watched() -> T:
        running.append((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    def work() -> None:
        try:
            outcome.append(asyncio.run(watched()))
        except BaseException as error:
            trouble.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="llmsynth").start()
    try:
        done.wait()  # and not join, which takes a thread for dead once a signal has interrupted the wait
    except BaseException:  # a notebook's stop button: stop as Ctrl-C does elsewhere, keeping what is in flight
        for loop, task in running:
            if task is not None:
                with contextlib.suppress(RuntimeError):  # it has just come to its end
                    loop.call_soon_threadsafe(task.cancel)
        done.wait()
        raise
    if trouble:
        raise trouble[0]
    return outcome[0]


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Let the collector look for cycles less often: a run makes millions of small objects and hardly any cycle, and
    looking through them at the usual pace takes a fifth of its time. Nor at the process's end, which frees it all.
    """
    _collect_nothing_at_exit()
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@functools.cache
def _collect_nothing_at_exit() -> None:
    atexit.register(gc.freeze)
