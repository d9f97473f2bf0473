"""What a generator is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmsynth.forecast import StageEstimate
from llmsynth.record import Record
from llmsynth.run import Run


@dataclass(frozen=True)
class About:
    """What the card of a dataset says of a generator.

    summary: how the method works, in prose. papers: keys of `papers.PAPERS`.
    columns: the fields of its records that make the dataset, name to type (see `llmsynth.column_types`).
    conversations: whether rows of instruction, input and output get their conversation beside these.
    batch: records that go through the steps together at most, which is a matter of speed.
    """

    summary: str
    papers: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(
        default_factory=lambda: dict.fromkeys(("instruction", "input", "output"), "string")
    )
    conversations: bool = True
    batch: int = 32


class Generator(Protocol):
    """A method. A frozen dataclass whose fields are its options.

    One that asks no model has `asks = False`; one whose records are what they are because of data that may change has
    a `digest` of it.

    about: what the card says of it; a class attribute will do.
    validate: read prompts, seeds and whatever else is needed, so that a mistake surfaces before a
        token is paid for; raises `LlmsynthError`.
    estimate: what a run will ask for, from the seeds and from the report of an earlier run if there is one.
    generate: a plain loop that asks models and yields records, kept and dropped alike, until the run
        wants no more. All randomness comes from `run.rng`, so the same answers give the same records.
    """

    @property
    def about(self) -> About: ...

    def validate(self, run: Run) -> None: ...

    def estimate(self, run: Run, past: Mapping[str, Any] | None) -> list[StageEstimate]: ...

    def generate(self, run: Run) -> AsyncIterator[Record]: ...


def asks(generator: Generator) -> bool:
    """Whether it needs a model."""
    return bool(getattr(generator, "asks", True))


def digest_of(generator: Generator) -> str | None:
    """What stands for the data that its records are made of, where it says so."""
    digest = getattr(generator, "digest", None)
    return None if digest is None else str(digest)
