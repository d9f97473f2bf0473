"""Rows with a text that is missing, or too short or too long to be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmsynth.columns import text_of
from llmsynth.errors import RecipeError
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged

Bounds = Mapping[str, tuple[int, int | None]]

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Length:
    """Drops a record with a field that is "empty", "too_short" or "too_long".

    words, characters: by field, the least and the most; null sets no upper bound. A field that only one of them
    names is not measured in the other. The defaults suit instructions: any answer of a word passes.
    """

    words: Bounds = field(default_factory=lambda: {"instruction": (1, 3000), "output": (1, 6000)})
    characters: Bounds = field(default_factory=dict)

    def __post_init__(self) -> None:
        for bounds in (self.words, self.characters):
            for name, (least, most) in bounds.items():
                if least < 0 or (most is not None and most < least):
                    raise RecipeError(f"length of {name}: from {least} to {most}", "the least comes first")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        for unit, bounds in (("words", self.words), ("characters", self.characters)):
            for name, (least, most) in bounds.items():
                text = text_of(record.fields.get(name))
                drop = outside(count_words(text) if unit == "words" else len(text), least, most, f"{unit} in {name}")
                if drop:
                    return drop
        return None


def outside(size: int, least: int, most: int | None, what: str) -> Drop | None:
    """Why a size is not within its bounds, both inclusive."""
    if size < least:
        return Drop("too_short" if size else "empty", f"{size} {what}, {least} is the least")
    if most is not None and size > most:
        return Drop("too_long", f"{size} {what}, {most} is the most")
    return None


def count_words(text: str) -> int:
    """White-space separated words; a Chinese or Japanese character, between which no space stands, is a word."""
    unspaced = 0 if text.isascii() else len(_UNSPACED.findall(text))
    if not unspaced:
        return len(text.split())
    return unspaced + len(_UNSPACED.sub(" ", text).split())
