"""A row as a line of the page: what is searched first, then what is shown when it is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llmsynth.record import Record
from llmsynth.report.blobs import json_bytes


def row_line(record: Record, columns: Sequence[str], answers: Sequence[int]) -> bytes:
    """Two JSON values with a tab between, which JSON never holds as such.

    The first is searched: the id, the detail of a drop, the values of the columns. The second has the rest: m, the
    provenance; s, the scores; a, the numbers of the answers that the row was made of.
    """
    detail = record.dropped.detail if record.dropped else ""
    searched = [record.id, detail, *(record.fields.get(name) for name in columns)]
    rest: dict[str, object] = {"m": {name: value for name, value in record.meta.items() if name != "journal"}}
    more = {name: value for name, value in record.fields.items() if name not in columns}
    if more:
        rest["f"] = more
    if record.scores:
        rest["s"] = {
            name: value if value is not None and math.isfinite(value) else None for name, value in record.scores.items()
        }
    if answers:
        rest["a"] = list(answers)
    return json_bytes(searched) + b"\t" + json_bytes(rest)


def duplicate_of(record: Record) -> tuple[str, str, float] | None:
    """The id of the row that a dropped one repeats, the method that told so, and how close the two are."""
    found = record.meta.get("duplicate_of")
    if isinstance(found, dict):
        return str(found.get("kept_id")), str(found.get("method")), float(found.get("score") or 0.0)
    similar = record.meta.get("most_similar")
    if record.dropped is not None and record.dropped.reason == "not_novel" and similar:
        return str(similar[0][0]), "rouge", float(similar[0][1])
    return None
