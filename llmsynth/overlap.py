"""`find_overlaps`: which seeds a benchmark contains, so that data grown from them would not test anything."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from llmsynth.similarity.spans import NGRAM, SpanIndex
from llmsynth.text import normalise


class Overlap(NamedTuple):
    """A text that shares words with a text of a benchmark.

    share: of the text's n-grams, how many the benchmark's text has too; 1 for an equal text.
    sample: the first words they share, in small letters and without punctuation.
    """

    id: str
    against: str
    share: float
    sample: str


def find_overlaps(
    texts: Iterable[tuple[str, str]], benchmark: Iterable[tuple[str, str]], n: int = NGRAM
) -> list[Overlap]:
    """Every text and benchmark text, both given as (id, text), that have `n` words in a row in common.

    Case, punctuation and spacing do not count. A text of fewer than `n` words, where no run of them can
    tell, overlaps with an equal text only.

    In the order of the texts, the largest share first. Holds the n-grams of `texts`; `benchmark` is
    read once, text by text. Raises `RecipeError` for n below 1.
    """
    index = SpanIndex(n, near=None, shortest=1, common=sys.maxsize)
    equal: dict[str, list[tuple[int, str]]] = {}  # by the item of the index, the texts that are it
    for place, (id, text) in enumerate(texts):
        if item := index.add(text, str(place)):
            equal.setdefault(item, []).append((place, id))
    found = [
        (place, Overlap(id, against, shared.share, normalise(shared.text)))
        for against, text in benchmark
        for shared in index.shared(text)
        for place, id in equal[shared.id]
    ]
    found.sort(key=lambda pair: (pair[0], -pair[1].share))
    return [overlap for _, overlap in found]
