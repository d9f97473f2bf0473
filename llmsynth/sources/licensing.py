"""Which licences a row comes under: what it says itself, and what is said of the file or folder it is from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llmsynth.licences import UNKNOWN, named

KEY = "source_licenses"  # in the provenance of a record
_OWN = ("license", "licence")
PROVENANCE = ("metadata", "llmsynth")  # columns in which a dataset of llmsynth tells where its rows come from
_LONGEST = 200  # characters of a licence's name; the text of one is no name


def licenses_in(values: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row says of its licence: in a column of that name, or in the provenance that llmsynth gave it."""
    for column in _OWN:
        if found := _names(values.get(column)):
            return found
    for column in PROVENANCE:
        text = values.get(column)
        if isinstance(text, str) and KEY in text:
            try:
                told = json.loads(text)
            except ValueError:
                continue
            if isinstance(told, dict) and (found := _names(told.get(KEY))):
                return found
    return ()


def joined(several: Iterable[Iterable[str]]) -> list[str]:
    """The licences of a row that comes from several others; of one that tells none, "unknown"."""
    return sorted({license for licenses in several for license in (tuple(licenses) or (UNKNOWN,))})


def _names(value: Any) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [value]
    names = [one.strip() for one in found if isinstance(one, str)]
    return tuple(dict.fromkeys(named(name) for name in names if name and len(name) <= _LONGEST and "\n" not in name))
