"""How varied sets of records are, on equal terms: as many texts of each, and as many words."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmsynth.diversity import (
    cluster_spread,
    clusters_of,
    compression_ratio,
    distinct_n,
    mean_nearest_distance,
    present,
    self_bleu,
    tokens_of,
    vendi_score,
)
from llmsynth.embed import Embedder
from llmsynth.run import Run
from llmsynth.verb_objects import verb_object_share

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Singles

MOST_TEXTS, MOST_TOKENS = 1_000, 50_000


class Bleu(NamedTuple):
    """How self-BLEU is sampled: so many samples of so many texts."""

    size: int = 500
    samples: int = 4


USUAL = Bleu()


@dataclass
class Sampled:
    """At most `most` of the texts that pass, drawn by their ids: not by their order, and not by a shared stream.

    Two sets that hold the same texts under the same ids draw the same ones.
    """

    most: int = MOST_TEXTS
    seed: int = 0
    _drawn: list[tuple[int, str, str]] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return len(self._drawn)

    def draws(self, id: str) -> bool:
        """Whether a text of that id would be drawn, as of now: what is not need not be made."""
        return len(self._drawn) < self.most or self._place(id) >= self._drawn[0][0]

    def add(self, id: str, text: str) -> None:
        entry = (self._place(id), id, text)
        if len(self._drawn) < self.most:
            heapq.heappush(self._drawn, entry)
        else:
            heapq.heappushpop(self._drawn, entry)

    def _place(self, id: str) -> int:
        digest = blake2b(f"{self.seed}\0{id}".encode("utf-8", "backslashreplace"), digest_size=8).digest()
        return -int.from_bytes(digest, "big")

    def texts(self) -> list[str]:
        """Those drawn, in the order of the draw: the first n of them are what a draw of n would have been."""
        return [text for _, _, text in sorted(self._drawn, reverse=True)]


async def measured(
    samples: Mapping[str, Sampled], run: Run, embedder: Embedder | None = None, bleu: Bleu = USUAL
) -> dict[str, Any]:
    """`diversity` of samples by name, such as of all records and of those kept; without an embedder, of words only.

    The texts are embedded through the run, which keeps their vectors where they cost something.
    """
    sets = {name: sample.texts() for name, sample in samples.items()}
    if embedder is None:
        return diversity(sets, bleu=bleu)
    from llmsynth.similarity.vectors import unfixed

    known = run.vectors(embedder)
    return diversity(sets, {name: unfixed(await known.of(texts)) for name, texts in sets.items() if texts}, bleu=bleu)


def diversity(
    sets: Mapping[str, Sequence[str]],
    vectors: Mapping[str, Singles] | None = None,
    *,
    tokens: int = MOST_TOKENS,
    bleu: Bleu = USUAL,
) -> dict[str, Any]:
    """The measures of `llmsynth.diversity` for every set by name, at equal numbers of texts and of words.

    sets: the texts of each, in an order drawn at random, as `Sampled` gives them; the first ones are taken.
    vectors: of the same texts. Without them, what needs vectors is left out.

    Every set is cut to as many texts as the smallest has, and measures of words to as many words as the one with the
    fewest then has, `tokens` at most. Clusters are made of all sets together. Of texts that an embedder sees nothing in
    there are words alone; `embedded` is how many others there are of each set.
    """
    texts = min(map(len, sets.values()), default=0)
    cut = {name: list(members[:texts]) for name, members in sets.items()}
    words = min([tokens, *map(tokens_of, cut.values())])
    told: dict[str, Any] = {name: _of_texts(members, words, bleu) for name, members in cut.items()}
    measured = {"texts": texts, "tokens": words, "self_bleu_texts": min(texts, bleu.size), "sets": told}
    if vectors is None or not texts:
        return measured
    rows = {name: present(vectors[name][:texts]) for name in sets}
    embedded = min(map(len, rows.values()))
    if embedded:
        rows = {name: members[:embedded] for name, members in rows.items()}
        centres = clusters_of(np.concatenate(list(rows.values())))
        for name, members in rows.items():
            spread = cluster_spread(members, centres)
            told[name] |= {
                "vendi_score": _short(vendi_score(members)),
                "mean_nearest_distance": _short(mean_nearest_distance(members)),
                "clusters": len(centres),
                "cluster_coverage": _short(spread and spread.coverage),
                "cluster_entropy": _short(spread and spread.entropy),
            }
    return {**measured, "embedded": embedded}


def _of_texts(texts: Sequence[str], words: int, sampled: Bleu) -> dict[str, Any]:
    bleu = self_bleu(texts, size=sampled.size, samples=sampled.samples)
    return {
        **{f"distinct_{n}": _short(distinct_n(texts, n, words)) for n in (1, 2, 3)},
        "self_bleu": _short(bleu and bleu.value),
        "self_bleu_error": _short(bleu and bleu.error),
        "compression_ratio": _short(compression_ratio(texts, words)),
        "verb_objects": verb_object_share(texts),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
