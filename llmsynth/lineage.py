"""`Splits`: which part of a dataset a record belongs to, so that relatives never part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.text import fingerprint

SPLITS = ("train", "validation", "test")  # in the order in which they are told
_WHOLE = 2**64


@dataclass(frozen=True)
class Splits:
    """The shares of `validation` and `test`; all else is `train`.

    by: fields, or keys of the provenance; records with the same values in them are relatives, whatever made them.
    Without it, `family_of` says who they are.

    Where a family belongs is a matter of its name alone: neither the seed of randomness nor other records change it,
    so a dataset that grows keeps its splits. What a generator has held out itself, as GLAN does, is in `test`.
    """

    validation: float = 0.0
    test: float = 0.0
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (min(self.validation, self.test) >= 0 and self.validation + self.test < 1):
            raise RecipeError("validation and test are shares", "such as 0.02 each; together below 1")

    @property
    def divide(self) -> bool:
        """Whether there is anything but `train`."""
        return self.validation + self.test > 0

    def of(self, record: Record) -> str:
        """The split of a record."""
        if not self.divide:
            return "train"
        if record.meta.get("split") == "test":
            return "test"
        family = _joined(record, self.by) if self.by else family_of(record)
        place = int(fingerprint("split", family)[:16], 16) / _WHOLE
        if place < self.test:
            return "test"
        return "validation" if place < self.test + self.validation else "train"


def family_of(record: Record) -> str:
    """What a record shares with its relatives and with nobody else.

    Rounds of evolution share the seed they began with; instructions that one prompt led to share the tasks it showed;
    GLAN's questions the combination of concepts they are about. Being shown as an example makes nobody kin, as by
    that all rows of Self-Instruct would be.
    """
    meta = record.meta
    if "family" in meta:
        return str(meta["family"])
    if "lineage" in meta:
        return f"lineage {meta['lineage']}"
    if meta.get("parents"):
        return f"parents {'|'.join(sorted(map(str, meta['parents'])))}"
    if meta.get("concepts"):
        return f"concepts {'|'.join(sorted({str(concept) for concepts in meta['concepts'] for concept in concepts}))}"
    return f"id {record.id}"


def inherited(record: Record) -> dict[str, Any]:
    """What the provenance of a record's descendants has to hold: so they stay where it is, and under its licences."""
    kept: dict[str, Any] = {key: record.meta[key] for key in ("split", "source_licenses") if key in record.meta}
    return {"family": family_of(record), **kept}


def _joined(record: Record, by: tuple[str, ...]) -> str:
    values: list[Mapping[str, Any]] = [record.fields, record.meta]
    return "|".join(str(next((place[name] for place in values if name in place), None)) for name in by)
