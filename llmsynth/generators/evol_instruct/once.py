"""What is decided once in a run, however often it is resumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llmsynth.model import Model
from llmsynth.prices import FREE, Price
from llmsynth.request import Completion, Message, Request
from llmsynth.run import Run


async def once(run: Run, stage: str, about: str, make: Callable[[], Awaitable[str]]) -> str:
    """What `make` makes, kept in the journal as a model's answer is, so that a resumed run finds it there.

    about: everything that it depends on; another text is another decision. Without a journal it is made each time.
    """
    maker = _Maker(stage, make)
    request = Request(stage, (Message(role="user", content=about),))
    if run.journal is None:
        return (await maker.complete(request)).text
    return (await Model(maker, run.journal, concurrency=1, attempts=1).ask(request)).text


class _Maker:
    """A backend that answers by making the thing."""

    price: Price | None = FREE

    def __init__(self, name: str, make: Callable[[], Awaitable[str]]) -> None:
        self.name = name
        self.identity = f"once:{name}"
        self._make = make

    async def complete(self, request: Request) -> Completion:
        return Completion(await self._make(), prompt_tokens=0, completion_tokens=0)

    async def aclose(self) -> None:
        return None
