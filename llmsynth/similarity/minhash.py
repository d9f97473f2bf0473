"""Near-duplicates by shared runs of words: MinHash with locality-sensitive hashing, every find verified."""

from __future__ import annotations

from typing import NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.similarity.rouge import Match

PERMUTATIONS = 128
_RECALL = 0.99


class Banding(NamedTuple):
    """How a signature is cut: `bands` of `rows` places each."""

    bands: int
    rows: int

    def recall(self, jaccard: float) -> float:
        """The S-curve: the probability that two texts of this Jaccard index share a band, and so are compared."""
        return 1 - (1 - jaccard**self.rows) ** self.bands


def banding(threshold: float, permutations: int = PERMUTATIONS) -> Banding:
    """The banding with the fewest candidates that finds 99 % of the pairs right at the threshold, more above it.

    As every candidate is verified, a false one costs time only; the usual compromise between false and missing
    ones would miss 60 % of the pairs at a threshold of 0.8.
    """
    for rows in range(permutations, 0, -1):
        found = Banding(permutations // rows, rows)
        if found.recall(threshold) >= _RECALL:
            return found
    return Banding(permutations, 1)


class MinHashIndex:
    """A growing pool of texts that answers: which earlier text has at least this share of its runs of words?

    Texts are compared as sets of their runs of n words (shingles), ignoring case, punctuation and spacing; a
    text of fewer words is one shingle, so it is like its equals only, and one without a word is like none. What
    is found has a Jaccard index of at least `threshold`, computed from the shingles, not estimated. What should be
    found is missed as the S-curve of `banding(threshold)` says: 1 % right at the threshold, less above.
    Runs of 3 words suit instructions: of 36 words, one changed leaves an index of 0.84, two leave 0.7.

    Answers depend on the texts and their order only: not on the process, nor on how the texts were batched.
    The texts themselves are not kept: one of n words takes about 8 n bytes and, at a threshold of 0.8, 400 to 680 for
    its bands, up to half as much again while arrays grow, besides its id.
    Answers use scratch space in the index, so threads must not share one.
    """

    def __init__(self, threshold: float = 0.8, n: int = 3) -> None:
        if not 0 < threshold <= 1:
            raise RecipeError(
                f"The Jaccard threshold is {threshold}", "Use a number above 0 and at most 1, such as 0.8."
            )
        if n < 1:
            raise RecipeError(f"n is {n}", "A shingle has at least one word; 3 suit instructions, 5 long texts.")
        from llmsynth.similarity.shingles import ShinglePool

        self.threshold = threshold
        self.banding = banding(threshold)
        self._pool = ShinglePool(threshold, n, *self.banding)
        self._ids: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, text: str, id: str) -> None:
        """Put a text into the pool."""
        self._pool.add(text)
        self._ids.append(id)

    def nearest(self, text: str) -> Match | None:
        """The most similar text that reaches the threshold, the earliest of equals; None for a new text."""
        return next(iter(self.similar(text)), None)

    def similar(self, text: str) -> list[Match]:
        """All texts found that reach the threshold, best first, the earliest of equals first."""
        positions, scores = self._pool.similar(text)
        best = sorted(zip((-scores).tolist(), positions.tolist(), strict=True))
        return [Match(self._ids[position], -score) for score, position in best]


def jaccard(a: str, b: str, n: int = 3) -> float:
    """The share of their runs of n words that two texts have in common, from 0 to 1; 0 when either has no word."""
    from llmsynth.similarity.shingles import jaccard as of_shingles

    return of_shingles(a, b, n)
