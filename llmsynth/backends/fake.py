"""A backend that is a function: for tests, dry runs and teaching."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from llmsynth.errors import RecipeError
from llmsynth.prices import FREE, Price
from llmsynth.request import Completion, Request


@dataclass
class FakeBackend:
    """Answers each request with what a function makes of it: a text, or a whole `Completion`.

        FakeBackend(lambda request: "1. Write a haiku about rain")

    function: the function itself, or `module:name` of one, as a recipe spells it.
    name: what tells it from another fake in one journal, where they answer differently; part of the journal key.
    """

    function: Callable[[Request], str | Completion] | str
    name: str = "fake"

    def __post_init__(self) -> None:
        if isinstance(self.function, str):
            self.function = _import(self.function)

    @property
    def identity(self) -> str:
        return "fake" if self.name == "fake" else f"fake:{self.name}"

    @property
    def price(self) -> Price:
        return FREE

    async def complete(self, request: Request) -> Completion:
        assert callable(self.function)
        answer = self.function(request)
        return answer if isinstance(answer, Completion) else Completion(answer)

    async def aclose(self) -> None:
        return None


def _import(spec: str) -> Callable[[Request], str | Completion]:
    module, _, name = spec.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"cannot import {spec!r}: {error}", "write it as module:function") from error
    if not callable(function):
        raise RecipeError(f"{spec!r} is no function", "write it as module:function")
    return function  # type: ignore[no-any-return]
