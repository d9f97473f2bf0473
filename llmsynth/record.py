"""`Record`, the only thing that flows from a generator to a dataset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["kept", "dropped", "failed"]


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a record is not in the dataset.

    `reason` is a code in snake_case that reports count by; `detail` is for people.
    `failed` tells a record the model never answered (asked again by the next run)
    from one that was answered and rejected.
    """

    reason: str
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One row on its way to a dataset.

    fields: the plain columns, such as instruction, input and output.
    meta: provenance; flat JSON values. `meta["journal"]` lists the keys of the
        completions the record was made from, in order.
    scores: what steps measured, by name.
    dropped: None while the record is kept. A dropped record flows on, so that
        nothing disappears; steps and datasets skip it.
    """

    id: str
    fields: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    dropped: Drop | None = None

    @property
    def status(self) -> Status:
        if self.dropped is None:
            return "kept"
        return "failed" if self.dropped.failed else "dropped"

    def drop(self, reason: str, detail: str = "") -> Record:
        """The same record, dropped. The first reason stands."""
        return self if self.dropped else dataclasses.replace(self, dropped=Drop(reason, detail))

    def scored(self, **scores: float) -> Record:
        """The same record with further scores."""
        return dataclasses.replace(self, scores={**self.scores, **scores})
