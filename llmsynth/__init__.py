"""Text and instruction-tuning data, made with language models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmsynth.backends.fake import FakeBackend
    from llmsynth.errors import LlmsynthError
    from llmsynth.generated import Generated
    from llmsynth.generators.evol_instruct import EvolInstruct
    from llmsynth.generators.glan import GLAN
    from llmsynth.generators.self_instruct import Alpaca, SelfInstruct
    from llmsynth.recipe import Recipe
    from llmsynth.record import Drop, Record
    from llmsynth.request import Completion, Request, Sampling
    from llmsynth.run import Run
    from llmsynth.synthesis import Result, synthesize

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022  # in plain order: GLAN is a class like the others
    "Alpaca",
    "Completion",
    "Drop",
    "EvolInstruct",
    "FakeBackend",
    "GLAN",
    "Generated",
    "LlmsynthError",
    "Recipe",
    "Record",
    "Request",
    "Result",
    "Run",
    "Sampling",
    "SelfInstruct",
    "synthesize",
]

_HOME = {
    "Alpaca": "generators.self_instruct",
    "Completion": "request",
    "Drop": "record",
    "EvolInstruct": "generators.evol_instruct",
    "FakeBackend": "backends.fake",
    "GLAN": "generators.glan",
    "Generated": "generated",
    "LlmsynthError": "errors",
    "Recipe": "recipe",
    "Record": "record",
    "Request": "request",
    "Result": "synthesis",
    "Run": "run",
    "Sampling": "request",
    "SelfInstruct": "generators.self_instruct",
    "synthesize": "synthesis",
}


def __dir__() -> list[str]:
    """The public names as well, though they are not imported yet: for whoever completes them."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import llmsynth` stays quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'llmsynth' has no attribute {name!r}")
    return getattr(importlib.import_module(f"llmsynth.{_HOME[name]}"), name)
