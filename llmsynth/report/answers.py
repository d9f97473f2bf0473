"""The prompts and replies behind the rows of a page, out of the journal."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from llmsynth.report.blobs import Lines, coded_share, json_bytes

_PLACES, _TOGETHER = 8, 250  # where answers are looked at to know how far they can be compressed
_SHOWN = (
    "stage",
    "prompt",
    "messages",
    "sampling",
    "schema",
    "continuations",
    "text",
    "finish_reason",
    "usage",
    "failure",
)


class Answers:
    """Numbers the answers of one run in the order in which rows name them, and writes as many as there is room for.

    first: the number of the first one, after those of other runs. Holds some 100 bytes an answer.
    """

    def __init__(self, journal: Path, first: int = 0) -> None:
        self._journal = journal
        self._first = first
        self._numbers: dict[int, int] = {}
        self._ranks = array("Q")  # of each answer, the lowest ticket of the rows made of it

    def __len__(self) -> int:
        return len(self._numbers)

    def expected(self) -> float:
        """About how many bytes of a page all answers of the run would take, going by the first of them."""
        with open(self._journal, "rb") as file:
            return self._journal.stat().st_size * coded_share(islice(file, 2_000))

    def numbered(self, keys: Iterable[str], ticket: int) -> list[int]:
        """The numbers of the answers behind a row."""
        numbers = []
        for key in keys:
            number = self._numbers.setdefault(int(key[:16], 16), len(self._numbers))
            if number == len(self._ranks):
                self._ranks.append(ticket)
            else:
                self._ranks[number] = min(ticket, self._ranks[number])
            numbers.append(self._first + number)
        return numbers

    def write(self, lines: Lines, room: float) -> int:
        """Add a line for each answer, an empty one for those there is no room for; returns how many are there.

        Those of rows with low tickets come first, so that a row has all of its answers or none, but for the last.
        """
        if not self._numbers:
            return 0
        offsets, sizes = self._found()
        there = np.flatnonzero(offsets >= 0)
        with open(self._journal, "rb") as file:
            # runs of neighbours, as they will be compressed together
            starts = np.linspace(0, max(0, len(there) - _TOGETHER), _PLACES).astype(np.int64)
            looked_at = np.unique(np.concatenate([np.arange(start, start + _TOGETHER) for start in starts]))
            share = coded_share(_read(file, offsets[there[looked_at[looked_at < len(there)]]]))
            order = there[np.argsort(np.asarray(self._ranks, np.uint64)[there], kind="stable")]
            fits = np.zeros(len(offsets), bool)
            fits[order[np.cumsum(sizes[order] * share) <= room]] = True
            written = _read(file, np.where(fits, offsets, -1))
            for line in written:
                lines.add(line)
        return int(fits.sum())

    def _found(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Where each answer begins in the journal, and its length; -1 for those that are not in it."""
        offsets = np.full(len(self._numbers), -1, np.int64)
        sizes = np.zeros(len(self._numbers), np.int64)
        offset = 0
        with open(self._journal, "rb") as file:
            for line in file:
                key = line[line.find(b'":"', 0, 20) + 3 :][:16]
                try:
                    number = self._numbers.get(int(key, 16))
                except ValueError:  # a torn or foreign line
                    number = None
                # of an answer that was written twice the first counts; a failure gives way to what came later
                came = line.startswith(b'{"key"')
                if number is not None and (offsets[number] < 0 or (came and sizes[number] < 0)):
                    offsets[number], sizes[number] = offset, len(line) if came else -len(line)
                offset += len(line)
        return offsets, np.abs(sizes)


def _read(file: Any, offsets: Iterable[int]) -> Iterator[bytes]:
    for offset in offsets:
        if offset < 0:
            yield b""
            continue
        file.seek(offset)
        try:
            entry = orjson.loads(file.readline())
        except orjson.JSONDecodeError:
            yield b""
            continue
        yield json_bytes({name: entry[name] for name in _SHOWN if name in entry})
