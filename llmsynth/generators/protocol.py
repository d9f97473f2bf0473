"""What a generator is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from llmsynth.record import Record
from llmsynth.run import Run


@dataclass(frozen=True)
class About:
    """What the card of a dataset says of a generator.

    summary: how the method works, in prose. papers: keys of `card.PAPERS`.
    """

    summary: str
    papers: tuple[str, ...] = ()


class Generator(Protocol):
    """A method. A frozen dataclass whose fields are its options.

    validate: read prompts, seeds and whatever else is needed, so that a mistake surfaces before a
        token is paid for; raises `LlmsynthError`.
    generate: a plain loop that asks models and yields records, kept and dropped alike, until the run
        wants no more. All randomness comes from `run.rng`, so the same answers give the same records.
    """

    about: ClassVar[About]

    def validate(self, run: Run) -> None: ...

    def generate(self, run: Run) -> AsyncIterator[Record]: ...
