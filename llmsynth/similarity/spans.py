"""Which of many items stands in a text: whole, in part, or nearly. The index behind decontamination."""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.text import one_line

NGRAM = 13
"""Words in a row that tell: what the decontamination of GPT-3's training data looked for."""


class Span(NamedTuple):
    """A stretch of a text that is an item's.

    kind: "whole", all of the item stands in the text; "ngram", n words in a row do; "near", most of the item's words
        do, in order and close together.
    share: of the item's words, how many.
    text: the stretch as it is written in the text; in small letters where the text is not ASCII.
    """

    id: str
    kind: Literal["whole", "ngram", "near"]
    share: float
    text: str


class Shared(NamedTuple):
    """An item that shares runs of n words with a text.

    share: of the item's different runs of n words. text: the first of them.
    """

    id: str
    share: float
    text: str


class SpanIndex:
    """Items to be looked for in texts, such as a benchmark's questions. Case, punctuation and spacing do not count.

    n: words in a row that tell; an item of fewer has to stand in the text whole.
    near: the share of the words of an item of at least n that has to stand in the text, in order and within a stretch
        of about the item's length, for a near match; None looks for none. With 0.8 an item is found with every twelfth
        word changed. A near match needs two runs of 4 words that are not changed.
    shortest: an item of fewer words is not looked for, as it stands in texts by chance.
    common: a run of words that more items than this hold is a phrase of the benchmark's and tells nothing. Equal items
        of n words are one if they are up to ten times as many, as a passage stands beside each of many questions; what
        comes oftener, or is shorter, is a set phrase.

    Answers depend on the items and the text alone, not on the process. Memory: see `span_pool`, 40 to 56 bytes per word
    of the items. Answers use scratch space in the index, so threads must not share one.
    """

    def __init__(self, n: int = NGRAM, near: float | None = 0.8, shortest: int = 5, common: int = 10) -> None:
        if n < 1:
            raise RecipeError(f"n is {n}", "n-grams have at least one word; 13 are usual")
        if near is not None and not 0.5 <= near <= 1:
            raise RecipeError(f"near is {near}", "a share from 0.5 to 1, such as 0.8; null looks for no near matches")
        if shortest < 1 or common < 1:
            raise RecipeError("shortest and common are at least 1", "5 and 10 are usual")
        from llmsynth.similarity.span_pool import SpanPool

        self.n, self.near, self.shortest = n, near, shortest
        self._pool = SpanPool(n, common)
        self._ids: list[str] = []
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, text: str, id: str) -> str:
        """Put an item into the index, if no equal one is there; the id that it is known by, "" if it is too short."""
        from llmsynth.similarity.span_pool import words_of

        item = words_of(text)
        if item.words.size < self.shortest:
            return ""
        key = hashlib.blake2b(item.words.tobytes(), digest_size=16).digest()
        place = self._known.setdefault(key, len(self._ids))
        if place == len(self._ids):
            self._pool.add(item)
            self._ids.append(id)
        else:
            self._pool.add_equal(place)
        return self._ids[place]

    def find(self, text: str) -> Span | None:
        """The item that the text holds most of: the longest run, or the nearest without one; the earliest of equals."""
        from llmsynth.similarity.span_pool import words_of

        if not self._ids:
            return None
        words = words_of(text)
        hit, near = self._pool.run(words), None
        if hit is None and self.near is not None:
            hit = near = self._pool.near(words, self.near)
        if hit is None:
            return None
        kind: Literal["whole", "ngram", "near"] = "near" if near else "whole" if hit.share == 1 else "ngram"
        stretch = one_line(words.stretch(hit.first, hit.first + hit.size))
        return Span(self._ids[hit.item], kind, hit.share, stretch)

    def shared(self, text: str) -> list[Shared]:
        """Every item with runs of n words in common, the largest share first; a shorter text or item must be equal."""
        from llmsynth.similarity.span_pool import words_of

        words = words_of(text)
        hits = sorted(self._pool.shared(words), key=lambda hit: (-hit.share, hit.item)) if self._ids else []
        return [
            Shared(self._ids[hit.item], hit.share, one_line(words.stretch(hit.first, hit.first + hit.size)))
            for hit in hits
        ]
