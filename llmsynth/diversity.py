"""How varied a set of texts is. Pure functions; what they tell of sets of different sizes cannot be compared.

Every measure depends on how many texts there are, and those of words on how long they are: `llmsynth.diversity_report`
puts sets on equal terms first. Vectors are rows of unit length, or all zeros, which do not count.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmsynth.heuristics import words_of

if TYPE_CHECKING:  # which load the compiler: measures of words do without
    from llmsynth.similarity.compiling import Floats, Shorts, Singles

_BLOCK = 1_024
_LEVEL = 9  # of zlib
_NO_MATCH = 0.1  # what counts as a match where there is none, as in "method 1" of Chen and Cherry (2014)


class Estimate(NamedTuple):
    """A mean over samples, and its standard error; 0 where all was measured."""

    value: float
    error: float


class Spread(NamedTuple):
    """How vectors fall into clusters: the share of clusters that are hit, and the entropy of the shares from 0 to 1."""

    coverage: float
    entropy: float


def distinct_n(texts: Sequence[str], n: int, tokens: int | None = None) -> float | None:
    """Different n-grams of words divided by all of them (Li et al., 2016); None for a set without any.

    tokens: how many words are looked at, from the first text on: more words repeat more, so sets have to be given the
    same number. An n-gram does not reach from one text into the next.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for words in _within(texts, tokens):
        grams = list(zip(*(words[i:] for i in range(n)), strict=False))
        seen.update(grams)
        total += len(grams)
    return len(seen) / total if total else None


def compression_ratio(texts: Sequence[str], tokens: int | None = None) -> float | None:
    """Bytes of the texts divided by what zlib makes of them: the higher, the more repeats (Shaib et al., 2024).

    tokens: as in `distinct_n`. zlib looks back 32 kB, so it sees what repeats nearby, such as a common frame.
    """
    data = "\n".join(" ".join(words) for words in _within(texts, tokens)).encode("utf-8", "replace")
    return len(data) / len(zlib.compress(data, _LEVEL)) if data else None


def self_bleu(texts: Sequence[str], *, size: int = 500, samples: int = 8, seed: int = 0) -> Estimate | None:
    """The mean BLEU-4 of a text against all others (Zhu et al., 2018), from 0 to 1: the higher, the less varied.

    It grows with the number of others, so it is always told for `size` texts: `samples` samples of so many are drawn,
    and their means averaged. Sets of no more texts are measured whole. None for less than two texts.
    """
    words = [words_of(text) for text in texts]
    if len(words) < 2:
        return None
    if len(words) <= size:
        return Estimate(_mean_bleu(words), 0.0)
    rng = Random(seed)
    means = [_mean_bleu(rng.sample(words, size)) for _ in range(samples)]
    return Estimate(float(np.mean(means)), float(np.std(means, ddof=1) / math.sqrt(samples)) if samples > 1 else 0.0)


def vendi_score(vectors: Singles, order: float = 1.0) -> float | None:
    """The Vendi score (Friedman and Dieng, 2023): the number of different texts that would be as varied as these.

    1 where all are equal, n where all are orthogonal. It is e to the entropy of the eigenvalues of K / n, where K holds
    the cosines; those of the d x d matrix V'V / n are the same, and it is the smaller one. `order` is that of the
    Rényi entropy: 1 is Shannon's, a higher one looks at the large eigenvalues more. None without vectors.
    """
    rows = present(vectors).astype(np.float64)
    if not len(rows):
        return None
    matrix = rows.T @ rows if rows.shape[1] < len(rows) else rows @ rows.T
    values = np.linalg.eigvalsh(matrix / len(rows))
    values = values[values > 1e-12]
    values /= values.sum()
    if order == 1:
        return float(np.exp(-(values * np.log(values)).sum()))
    if math.isinf(order):
        return float(1 / values.max())
    return float((values**order).sum() ** (1 / (1 - order)))


def mean_nearest_distance(vectors: Singles) -> float | None:
    """The mean of 1 less the cosine with the most similar other text. None for less than two vectors."""
    rows = present(vectors)
    if len(rows) < 2:
        return None
    total = 0.0
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        total += float((1 - block.max(axis=1).astype(np.float64)).sum())
    return total / len(rows)


def clusters_of(vectors: Singles, most: int = 256) -> Shorts:
    """Centres of clusters for `cluster_spread`, at most a quarter as many as there are vectors."""
    from llmsynth.similarity.cells import centres_of
    from llmsynth.similarity.vectors import fixed

    rows = present(vectors)
    return centres_of(fixed(rows), max(1, min(most, len(rows) // 4)))


def cluster_spread(vectors: Singles, centres: Shorts) -> Spread | None:
    """How vectors spread over clusters that were made of these vectors and of those they are compared with.

    None without vectors. The entropy of a single cluster is 1: nothing could be spread better.
    """
    from llmsynth.similarity.vector_kernels import nearest_centres
    from llmsynth.similarity.vectors import fixed

    rows = np.ascontiguousarray(fixed(present(vectors)))
    if not len(rows):
        return None
    own = np.empty(len(rows), np.int64)
    nearest_centres(rows, np.ascontiguousarray(centres), np.empty(1, np.int64), own)
    counts = np.bincount(own, minlength=len(centres))
    shares: Floats = counts[counts > 0] / len(rows)
    entropy = float(-(shares * np.log(shares)).sum())
    return Spread(float((counts > 0).mean()), abs(entropy) / math.log(len(centres)) if len(centres) > 1 else 1.0)


def tokens_of(texts: Sequence[str]) -> int:
    """All words of the texts, as they are counted here."""
    return sum(len(words_of(text)) for text in texts)


def _within(texts: Sequence[str], tokens: int | None) -> list[list[str]]:
    """The words of the texts, in order, until there are so many."""
    taken: list[list[str]] = []
    left = math.inf if tokens is None else tokens
    for text in texts:
        if left <= 0:
            break
        words = words_of(text)
        taken.append(words if len(words) <= left else words[: int(left)])
        left -= len(taken[-1])
    return taken


def present(vectors: Singles) -> Singles:
    rows = np.asarray(vectors, np.float32)
    present: Singles = rows[(rows != 0).any(axis=1)] if len(rows) else rows.reshape(0, 1)
    return present


def _mean_bleu(texts: Sequence[list[str]]) -> float:
    """The mean BLEU-4 of each text against all others: uniform weights, the closest other length, smoothed.

    Of every n-gram the greatest and the second greatest count in a text are noted, with whose the greatest is, so that
    each text is held against all others at once.
    """
    logs = np.zeros(len(texts))
    for n in range(1, 5):
        counts = [Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in texts]
        most: dict[tuple[str, ...], tuple[int, int, int]] = {}
        for owner, grams in enumerate(counts):
            for gram, count in grams.items():
                first, second, whose = most.get(gram, (0, 0, -1))
                if count > first:
                    most[gram] = (count, first, owner)
                elif count > second:
                    most[gram] = (first, count, whose)
        for owner, grams in enumerate(counts):
            matches = 0
            for gram, count in grams.items():
                first, second, whose = most[gram]
                matches += min(count, second if whose == owner else first)
            logs[owner] += math.log((matches or _NO_MATCH) / max(1, grams.total())) / 4
    lengths = sorted(map(len, texts))
    scores = [
        math.exp(log + _brevity(len(words), lengths)) if words else 0.0
        for words, log in zip(texts, logs.tolist(), strict=True)
    ]
    return sum(scores) / len(scores)


def _brevity(length: int, lengths: list[int]) -> float:
    """The logarithm of BLEU's brevity penalty. lengths: of all texts, sorted; this one's is among them once."""
    place = bisect_left(lengths, length)
    others = lengths[max(0, place - 1) : place] + lengths[place + 1 : place + 2]
    closest = min(others, key=lambda other: (abs(other - length), other))
    return 0.0 if length > closest else 1 - closest / length
