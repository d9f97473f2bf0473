"""`find_overlaps`: which seeds a benchmark contains, so that data grown from them would not test anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.text import normalise


class Overlap(NamedTuple):
    """A text that shares words with a text of a benchmark.

    share: of the text's n-grams, how many the benchmark's text has too; 1 for an equal text.
    sample: the first words they share, in the normalised form that was compared.
    """

    id: str
    against: str
    share: float
    sample: str


def find_overlaps(texts: Iterable[tuple[str, str]], benchmark: Iterable[tuple[str, str]], n: int = 13) -> list[Overlap]:
    """Every text and benchmark text, both given as (id, text), that have `n` words in a row in common.

    Case, punctuation and spacing do not count. A text of fewer than `n` words, where no run of them can
    tell, overlaps with an equal text only; so does one in a script without spaces. 13 words are what
    the decontamination of GPT-3's training data looked for.

    In the order of the texts, the largest share first. Holds the n-grams of `texts`; `benchmark` is
    read once, text by text. Raises `RecipeError` for n below 1.
    """
    if n < 1:
        raise RecipeError(f"n is {n}", "n-grams have at least one word; 13 are usual")
    names: list[str] = []
    sizes: list[int] = []
    owners: dict[str, list[int]] = {}
    for position, (id, text) in enumerate(texts):
        grams = list(dict.fromkeys(_grams(text, n)))
        names.append(id)
        sizes.append(len(grams))
        for gram in grams:
            owners.setdefault(gram, []).append(position)
    found: list[tuple[int, Overlap]] = []
    for against, text in benchmark:
        shared: dict[int, list[str]] = {}
        for gram in dict.fromkeys(_grams(text, n)):
            for position in owners.get(gram, ()):
                shared.setdefault(position, []).append(gram)
        found += [
            (position, Overlap(names[position], against, len(grams) / sizes[position], grams[0]))
            for position, grams in shared.items()
        ]
    found.sort(key=lambda pair: (pair[0], -pair[1].share))
    return [overlap for _, overlap in found]


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a row of a benchmark, however deep: a question, its choices, the turns of a conversation."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def _grams(text: str, n: int) -> Iterator[str]:
    """The runs of `n` words, or all of a shorter text, which no run can equal."""
    words = normalise(text).split()
    if 0 < len(words) < n:
        yield " ".join(words)
    for start in range(len(words) - n + 1):
        yield " ".join(words[start : start + n])
