"""How a record tells that it is a duplicate, for people and for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from llmsynth.record import Drop, Record
from llmsynth.similarity import Match
from llmsynth.similarity.greedy import Greedy, Near


def duplicate(record: Record, method: str, of: Match) -> Record:
    """A kept record, dropped as `METHOD_duplicate`; `meta["duplicate_of"]` holds kept_id, method and score."""
    meta = {**record.meta, "duplicate_of": {"kept_id": of.id, "method": method, "score": of.score}}
    # a score of 1 may be of the same words in another order
    how_close = "same as" if method == "exact" else f"{of.score:.3f} close to"
    return dataclasses.replace(record, meta=meta, dropped=Drop(f"{method}_duplicate", f"{how_close} {of.id}"))


def judged(
    greedy: Greedy, record: Record, similar: Iterable[tuple[int, float]], method: str, note: str
) -> tuple[Record, bool]:
    """The record, dropped if it has to be, and whether it has entered.

    What is near it is noted in `meta["near"]` under the name `note`, in place of what was noted there before. Records
    of one lineage, which Evol-Instruct makes of one another, are no duplicates of each other.
    """
    verdict = greedy.judge(record.id, similar, record.meta.get("lineage"))
    noted = record.meta.get("near", {})
    if verdict.near or note in noted:
        noted = {name: near for name, near in {**noted, note: verdict.near}.items() if near}
        others = {key: value for key, value in record.meta.items() if key != "near"}
        record = dataclasses.replace(record, meta={**others, "near": noted} if noted else others)
    if verdict.duplicate_of is not None:
        record = duplicate(record, method, verdict.duplicate_of)
    return record, verdict.enters


def near(record: Record, note: str) -> tuple[str, Near]:
    """What `rethreshold` wants to know of a record that has passed a step."""
    return record.id, record.meta.get("near", {}).get(note, {})
