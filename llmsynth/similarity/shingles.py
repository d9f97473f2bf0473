"""The arrays behind `MinHashIndex`: texts as sets of shingles, and a hash table of the bands of their signatures.

**Shingles.** A text is the set of its runs of n words, each as 64 bits made of its letters, the same in every
process. Two different runs among the shingles of two texts of a hundred words have the same bits once in 10^15
pairs of texts.

**Bands.** A signature holds, for each of 128 permutations, the least shingle; two texts of Jaccard index J agree
in each place with probability J. `rows` places in a row are a band, and texts that agree in a whole band are
compared, shingle by shingle: so no text is found that is not similar, and one that is, is missed with
probability (1 - J^rows)^bands.

**Table.** All bands share one hash table with open addressing. What hashes to the same 32 bits by chance is one
more candidate to compare, nothing worse.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from llmsynth.similarity import minhash_kernels as kernels
from llmsynth.similarity.compiling import Floats, Halfwords, Longs, Words, room
from llmsynth.text import spaced

_FULL = 0.6  # the share of the table's slots that may be taken


class ShinglePool:
    """Texts, known by their position, as sets of shingles. `bands` x `rows` is the number of permutations."""

    def __init__(self, threshold: float, n: int, bands: int, rows: int) -> None:
        self._threshold = threshold
        self._n = n
        self._bands = bands
        self._rows = rows
        draw = np.random.Generator(np.random.PCG64(20240229))  # any numbers would do; these are always the same
        self._factors = draw.integers(0, 2**64, bands * rows, np.uint64) | np.uint64(1)
        self._offsets = draw.integers(0, 2**64, bands * rows, np.uint64)
        self._signature = np.zeros(bands * rows, np.uint64)
        self._texts = 0
        self._elements = 0
        self._turn = 0
        self._taken = 0
        # by text
        self._starts = np.zeros(2, np.int64)
        self._seen = np.zeros(0, np.int64)
        self._found = np.zeros(0, np.int64)
        self._scores = np.zeros(0, np.float64)
        # by shingle of all texts
        self._stream = np.zeros(0, np.uint64)
        # by text and band
        self._earlier = np.zeros(0, np.uint32)
        self._table = np.zeros(1024, np.uint64)
        # scratch space, by word of a text
        self._words = np.zeros(0, np.uint64)
        self._runs = np.zeros(0, np.uint64)
        self._latest: tuple[str, Words, Halfwords] = ("", np.zeros(0, np.uint64), np.zeros(bands, np.uint32))

    def add(self, text: str) -> None:
        """Put a text into the pool."""
        elements, tags = self._sketch(text)
        end = self._elements + elements.size
        self._starts = room(self._starts, self._texts + 2)
        self._seen = room(self._seen, self._texts + 1)
        self._found = room(self._found, self._texts + 1)
        self._scores = room(self._scores, self._texts + 1)
        self._stream = room(self._stream, end)
        self._earlier = room(self._earlier, (self._texts + 1) * self._bands)
        self._stream[self._elements : end] = elements
        self._elements = end
        if elements.size:
            self._taken += kernels.insert(tags, self._texts, self._table, self._earlier)
        self._texts += 1
        self._starts[self._texts] = end
        if self._taken + self._bands > _FULL * self._table.size:
            larger = np.zeros(2 * self._table.size, np.uint64)
            kernels.move(self._table, larger)
            self._table = larger

    def similar(self, text: str) -> tuple[Longs, Floats]:
        """Positions, ascending, and Jaccard indices of the texts found that reach the threshold."""
        elements, tags = self._sketch(text)
        if not elements.size:
            return self._found[:0], self._scores[:0]
        self._turn += 1
        count = kernels.similar(
            elements,
            tags,
            self._threshold,
            self._table,
            self._earlier,
            self._stream,
            self._starts,
            self._seen,
            self._turn,
            self._found,
            self._scores,
        )
        order = np.argsort(self._found[:count])
        return self._found[order], self._scores[order]

    def _sketch(self, text: str) -> tuple[Words, Halfwords]:
        """The shingles and the band tags of a text; whoever asks about one mostly adds it next."""
        if text is not self._latest[0]:
            elements = self._shingles(text)
            tags = np.empty(self._bands, np.uint32)
            kernels.band_tags(elements, self._factors, self._offsets, self._rows, self._signature, tags)
            self._latest = (text, elements, tags)
        return self._latest[1], self._latest[2]

    def _shingles(self, text: str) -> Words:
        data = np.frombuffer(bytearray(encoded(text)), np.uint8)
        self._words = room(self._words, data.size // 2 + 1)
        self._runs = room(self._runs, data.size // 2 + 1)
        return self._runs[: kernels.shingles(data, self._n, LETTERS, self._words, self._runs)].copy()


def jaccard(a: str, b: str, n: int) -> float:
    """The Jaccard index of the shingles of two texts; 0 when either has none."""
    pool = ShinglePool(1.0, n, 1, 1)
    return max(0.0, kernels.jaccard(pool._shingles(a), pool._shingles(b), 0.0))


def encoded(text: str) -> bytes:
    """The bytes whose letters, by `LETTERS`, are those of the words of a text."""
    return text.encode() if text.isascii() else spaced(text).encode("utf-8", "surrogatepass")


def _letters() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The byte that each byte counts as: 0 parts words, capitals are small, multi-byte characters stay."""
    letters = np.zeros(256, np.uint8)
    letters[128:] = np.arange(128, 256)
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789_":
        letters[ord(letter.upper())] = letters[ord(letter)] = ord(letter)
    return letters


LETTERS = _letters()


def least_shingle(text: str, n: int) -> int:
    """The least of a text's runs of n words, as 64 bits; two texts of Jaccard index J agree with probability J."""
    shingles = _pool_of(n)._shingles(text)
    return int(shingles.min()) if shingles.size else 0


@cache
def _pool_of(n: int) -> ShinglePool:
    return ShinglePool(1.0, n, 1, 1)
