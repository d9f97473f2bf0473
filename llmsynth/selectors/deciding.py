"""Between records, which flow, and selectors, which see columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from llmsynth.record import Record
from llmsynth.selectors import Candidates, Needs, Selection


def candidates_of(records: Iterable[Record], needs: Needs) -> Candidates:
    """The kept records as columns, but for the vectors."""
    ids: list[str] = []
    scores: dict[str, list[float]] = {name: [] for name in needs.scores}
    groups: dict[str, list[str]] = {name: [] for name in needs.groups}
    for record in records:
        if record.dropped:
            continue
        ids.append(record.id)
        for name, column in scores.items():
            column.append(record.scores.get(name, np.nan))
        for name, values in groups.items():
            values.append(group_of(record, name))
    return Candidates(ids, {name: np.array(column, np.float64) for name, column in scores.items()}, groups)


def group_of(record: Record, name: str) -> str:
    """What groups a record by a name: the field's value as text, else that of the provenance, else nothing."""
    value = record.fields.get(name)
    value = record.meta.get(name) if value is None else value
    return "" if value is None else str(value)


def decided(records: Iterable[Record], candidates: Candidates, selection: Selection) -> Iterator[Record]:
    """The records, those that were not chosen dropped as `not_selected`; dropped ones pass as they are.

    Those chosen get the place in the order of choice as `selection_order`; the others get `nearest_selected` and
    `nearest_similarity` where the selector tells them.
    """
    order = np.full(len(candidates), -1, np.int64)
    order[selection.chosen] = np.arange(len(selection.chosen))
    place = -1
    for record in records:
        if record.dropped:
            yield record
            continue
        place += 1
        if order[place] >= 0:
            yield dataclasses.replace(record, meta={**record.meta, "selection_order": int(order[place])})
        else:
            yield _not_selected(record, place, candidates, selection)


def _not_selected(record: Record, place: int, candidates: Candidates, selection: Selection) -> Record:
    said, meta = selection.said, record.meta
    if selection.near is not None and selection.near[0][place] >= 0:
        other, similarity = candidates.ids[int(selection.near[0][place])], float(selection.near[1][place])
        said += f"; it is like {other} ({similarity:.3f})"
        meta = {**meta, "nearest_selected": other, "nearest_similarity": round(similarity, 6)}
    return dataclasses.replace(record, meta=meta).drop("not_selected", said)
