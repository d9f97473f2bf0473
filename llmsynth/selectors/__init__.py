"""Selectors by the name recipes use, and what a selector is.

Values are `module:class`, imported when used. A third party's class works too: `use: their_package.module:Class`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Floats, Longs, Shorts

SELECTORS = {
    "facility-location": "llmsynth.selectors.spread:FacilityLocation",
    "k-center": "llmsynth.selectors.spread:KCenter",
    "mmr": "llmsynth.selectors.spread:MMR",
    "quotas": "llmsynth.selectors.ranked:Quotas",
    "representation-filter": "llmsynth.selectors.spread:RepresentationFilter",
    "threshold": "llmsynth.selectors.ranked:Threshold",
    "top-k": "llmsynth.selectors.ranked:TopK",
}


@dataclass(frozen=True)
class Needs:
    """What a selector has to be told of every kept record.

    scores: names of scores. groups: names of fields, or of keys of the provenance, that group the records.
    on: the fields whose text is made a vector by `embedder` (a name, or a mapping with `use`); none for no vectors.
    """

    scores: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    embedder: str | Mapping[str, Any] = "static"


@dataclass(frozen=True)
class Candidates:
    """The kept records, column by column, each in the order of the records; what a selector did not need is not there.

    scores: by name; NaN for a record without the score. groups: by name, as text; empty for a record without it.
    vectors: (n, d), fixed ones as `run.vectors(embedder).of(texts)` gives them (32,767 stands for 1); all zeros for a
        text without a meaning to the embedder.
    """

    ids: Sequence[str]
    scores: Mapping[str, Floats] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vectors: Shorts | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Selection:
    """Who stays.

    chosen: the places, among the candidates, of those that stay, in the order they were chosen.
    said: what is told of the others, for people.
    near: by place, the chosen one that a candidate was passed over for, or is most like, and how similar it is; a
        place of -1 says that there is none.
    """

    chosen: Longs
    said: str
    near: tuple[Longs, Floats] | None = None


class Selector(Protocol):
    """Which of the kept records stay: the one decision that needs the whole set at once.

    A frozen dataclass whose fields are its options. It runs last, sees columns and no texts, and is a function of
    them alone: the same candidates in another order are the same selection. Equals go by score, the highest first,
    then by id. Raises `RecipeError` for candidates that lack what it needs.
    """

    @property
    def needs(self) -> Needs: ...

    def select(self, candidates: Candidates) -> Selection: ...
