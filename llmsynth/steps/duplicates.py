"""Rows that say the same, in other words at most.

The earliest of a cluster in the stream is kept, and every other names it: `meta["duplicate_of"]` has the kept row's
id, the method and the score. What is kept depends on the rows and their order only, not on batches, processes or
hash seeds. Put these steps after the filters: a row that is kept here and dropped later takes its duplicates with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from llmsynth.columns import texts_of
from llmsynth.embed import Embedder, embedder_of
from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity import Match, tokens_of_any_script
from llmsynth.similarity.greedy import Greedy
from llmsynth.similarity.minhash import banding
from llmsynth.steps._duplicate import duplicate, judged
from llmsynth.text import fingerprint, wording

Floor = float | Literal["threshold"] | None


@dataclass
class ExactDuplicates:
    """Drops a record whose text equals an earlier kept one's, but for case, punctuation and spacing.

    Signs count: C++ is not C#, and 7 + 5 is not 7 * 5.
    on: the fields that are compared; a missing one counts as empty.
    Holds 16 bytes and an id per kept record.
    """

    on: tuple[str, ...] = ("instruction", "input", "output")
    _seen: dict[bytes, str] = field(default_factory=dict, init=False, repr=False)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        if record.dropped:
            return record
        key = bytes.fromhex(fingerprint(*(wording(text) for text in texts_of(record, self.on))))
        first = self._seen.setdefault(key, record.id)
        return record if first == record.id else duplicate(record, "exact", Match(first, 1.0))


@dataclass
class RougeDuplicates:
    """Drops a record whose ROUGE-L F1 with an earlier kept one is above the threshold, as `rouge_score` computes it.

    on: the fields that are compared, together.
    floor: note for each record which earlier ones, kept or not, score above this, so that `rethreshold` can tell what
        any threshold from there on would keep; at most the threshold, which may be named as "threshold". None notes
        nothing, and holds kept records only. Where many rows are alike, noting pairs takes several times as long.

    Case and punctuation do not count. Of a text in another script `rouge_score` sees nothing but a lone "Python", by
    which all would be alike: its words count here, or its characters where no blanks divide words.
    A record of n words takes about 60 + 8 n bytes and its id. Records of one lineage (Evol-Instruct) are no duplicates.
    """

    method: ClassVar[str] = "rouge"

    on: tuple[str, ...] = ("instruction",)
    threshold: float = 0.7
    floor: Floor = None
    _greedy: Greedy = field(init=False, repr=False)
    _pool: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._greedy = _greedy(self.threshold, floor_of(self), below_one=True)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        if self._pool is None:
            from llmsynth.similarity.pool import TokenPool

            self._pool = TokenPool(_least(self))
        tokens = tokens_of_any_script(_text(record, self.on))
        if self.floor is None and "lineage" not in record.meta:
            similar = self._pool.matches(tokens, 1)  # which spares it the exact scores of others
        else:
            places, scores = self._pool.similar(tokens)
            similar = list(zip(places.tolist(), scores.tolist(), strict=True))
        record, enters = judged(self._greedy, record, similar, self.method, note_of(self.method, self.on))
        if enters:
            self._pool.add(tokens)
        return record


@dataclass
class MinhashDuplicates:
    """Drops a record that shares at least this part of its runs of n words with an earlier kept one.

    on: the fields that are compared, together.
    threshold: the Jaccard index of the runs. It is computed, not estimated; of the pairs right at the
        threshold, 1 % are missed, fewer above it (see `MinHashIndex`).
    n: words in a run; a character of Chinese, Japanese or Thai is a word.
    floor: as for rouge-duplicates, "from this on" instead of "above". Those right at the floor are then the pairs of
        which 1 % are missed.

    A record of n words takes about 8 n + 400 to 680 bytes and its id. Records of one lineage (Evol-Instruct) are no
    duplicates.
    """

    method: ClassVar[str] = "minhash"

    on: tuple[str, ...] = ("instruction", "input", "output")
    threshold: float = 0.8
    n: int = 3
    floor: Floor = None
    _greedy: Greedy = field(init=False, repr=False)
    _pool: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._greedy = _greedy(self.threshold, floor_of(self))
        if self.n < 1:
            raise RecipeError(f"n is {self.n}", "a run has at least one word; 3 suit instructions, 5 long texts")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        if self._pool is None:
            from llmsynth.similarity.shingles import ShinglePool

            least = _least(self)
            self._pool = ShinglePool(least, self.n, *banding(least))
        text = _text(record, self.on)
        places, scores = self._pool.similar(text)
        similar = zip(places.tolist(), scores.tolist(), strict=True)
        record, enters = judged(self._greedy, record, similar, self.method, note_of(self.method, self.on))
        if enters:
            self._pool.add(text)
        return record


@dataclass
class SemanticDuplicates:
    """Drops a record whose vector has at least this cosine with an earlier kept one's.

    on: the fields that are embedded, together.
    threshold: a matter of the embedder: look at pairs before you trust one. Of the pairs that the static one puts at
        0.95, its teacher finds nine in ten alike among varied instructions, and six in ten among those of one template;
        at 0.9, seven and five in ten (its card tells more). With a sentence-transformers model, 0.9 is usual.
    embedder: static, or a mapping with `use` and the embedder's options. Vectors are kept in the run, but for the
        static embedder's, which are quicker made. That one knows English: to it, a text in another script is like no
        other, and the report tells how many these were.
    exact_up_to: kept records up to which nothing is missed; beyond, a record is compared with those in the 32 cells (of
        256) nearest to it. The share of pairs found is measured on every 256th record, and is in the report's notes.
    floor: as for minhash-duplicates. Where whole clusters are alike, there are many pairs to note.

    A record takes 2 bytes for each dimension, 148 more, and its id. Records of one lineage (Evol-Instruct) are
    no duplicates.
    """

    method: ClassVar[str] = "semantic"

    on: tuple[str, ...] = ("instruction", "input")
    threshold: float = 0.95
    embedder: str | dict[str, Any] = "static"
    exact_up_to: int = 300_000
    floor: Floor = None
    _greedy: Greedy = field(init=False, repr=False)
    _embedder: Embedder = field(init=False, repr=False)
    _pool: Any = field(default=None, init=False, repr=False)
    _texts: int = field(default=0, init=False, repr=False)
    _unseen: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._greedy = _greedy(self.threshold, floor_of(self))
        self._embedder = embedder_of(self.embedder)
        if self.exact_up_to < 1:
            raise RecipeError(f"exact_up_to is {self.exact_up_to}", "records up to which nothing is missed; at least 1")

    @property
    def embeds(self) -> tuple[Embedder, tuple[str, ...]]:
        return self._embedder, self.on

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        if self._pool is None:
            from llmsynth.similarity.vectors import VectorPool

            self._pool = VectorPool(_least(self), self.exact_up_to)
        result = list(batch)
        wanted = [place for place, record in enumerate(batch) if not record.dropped]
        if not wanted:
            return result
        vectors = await run.vectors(self._embedder).of([_text(batch[place], self.on) for place in wanted])
        self._texts += len(wanted)
        self._unseen += int((~vectors.any(axis=1)).sum())
        if self._unseen:
            run.notes[f"{self.method}_duplicates: unseen by {', '.join(self.on)}"] = {
                "texts": self._texts,
                "unseen": self._unseen,
            }
        start = 0
        while start < len(wanted):
            end = start + self._pool.together(len(wanted) - start)
            self._judge(result, wanted[start:end], vectors[start:end])
            start = end
        if self._pool.recall is not None:
            run.notes[f"{self.method}_duplicates: recall beyond {self.exact_up_to} records"] = {
                "on": list(self.on),
                "pairs_sampled": self._pool.sampled_pairs,
                "share_found": round(self._pool.recall, 4),
            }
        return result

    def _judge(self, records: list[Record], places: list[int], vectors: Any) -> None:
        """Judge the records at some places, given their vectors."""
        before = len(self._pool)
        numbers: dict[int, int] = {}  # of those that have entered, by row of the block
        for row, found in enumerate(self._pool.similar(vectors)):
            similar = [
                (other if other < before else numbers[other - before], score)
                for other, score in zip(found.places.tolist(), found.cosines.tolist(), strict=True)
                if other < before or other - before in numbers
            ]
            place = places[row]
            number = len(self._greedy)
            records[place], enters = judged(
                self._greedy, records[place], similar, self.method, note_of(self.method, self.on)
            )
            if enters:
                numbers[row] = number
        self._pool.add(vectors[list(numbers)])


def note_of(method: str, on: tuple[str, ...]) -> str:
    """The name under which a step notes what is near a record, such as "minhash: instruction, output"."""
    return f"{method}: {', '.join(on)}"


def _text(record: Record, on: tuple[str, ...]) -> str:
    return "\n\n".join(filter(None, texts_of(record, on)))


def floor_of(step: RougeDuplicates | MinhashDuplicates | SemanticDuplicates) -> float | None:
    """The score from which on a step notes pairs; None where it notes none."""
    return step.threshold if step.floor == "threshold" else step.floor


def _least(step: RougeDuplicates | MinhashDuplicates | SemanticDuplicates) -> float:
    floor = floor_of(step)
    return step.threshold if floor is None else floor


def _greedy(threshold: float, floor: float | None, below_one: bool = False) -> Greedy:
    if not 0 < threshold <= 1 or (below_one and threshold == 1):
        raise RecipeError(f"threshold is {threshold}", f"above 0, {'below' if below_one else 'at most'} 1")
    if floor is not None and not 0 < floor <= threshold:
        raise RecipeError(f"floor is {floor}", f"above 0, at most the threshold of {threshold:g}")
    return Greedy(threshold, strict=below_one, notes=floor is not None)
