"""`Benchmarks`: what must not be in the data, and what was found of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from llmsynth.errors import RecipeError
from llmsynth.overlap import find_overlaps, texts_in
from llmsynth.record import Record
from llmsynth.sources import read_rows


class Benchmarks:
    """Files of test and train questions, held in memory. Truthy if there are any.

    Raises `RecipeError` for a file without text, `SourceError` for one that cannot be read.
    """

    def __init__(self, files: Sequence[str], n: int) -> None:
        self._n = n
        self._texts: list[tuple[str, str]] = []
        self._unreadable: dict[str, int] = {}
        self._against: dict[str, str] = {}  # of the records judged last, the file that has their words
        self._found: Counter[str] = Counter()
        self._files = [Path(file) for file in files]
        for file in self._files:
            before = len(self._texts)
            for row in read_rows(file):
                if row.problem:
                    self._unreadable[file.name] = self._unreadable.get(file.name, 0) + 1
                self._texts += [(row.place, text) for text in texts_in(row.values) if text.strip()]
            if len(self._texts) == before:
                raise RecipeError(f"{file} holds no text to look for", "name a file of questions, such as JSON Lines")

    def __bool__(self) -> bool:
        return bool(self._files)

    def judge(self, records: Sequence[Record]) -> list[Record]:
        """The same records, dropped as "contaminated" where question or answer share words with a benchmark."""
        if not self._files:
            return list(records)
        ours = [
            (str(at), record.fields[name])
            for at, record in enumerate(records)
            if record.dropped is None
            for name in ("instruction", "output")
        ]
        first: dict[int, str] = {}
        self._against.clear()
        for overlap in find_overlaps(ours, self._texts, self._n):
            at = int(overlap.id)
            if at not in first:
                first[at] = f"shares {overlap.sample!r} with {overlap.against}"
                self._against[records[at].id] = overlap.against.rpartition(":")[0]
        return [record.drop("contaminated", first[at]) if at in first else record for at, record in enumerate(records)]

    def note(self, record: Record) -> None:
        """Count a judged record that goes on its way."""
        if record.id in self._against:
            self._found[self._against[record.id]] += 1

    def report(self) -> dict[str, object]:
        """What was looked for and how many records were dropped, by file; empty without files."""
        if not self._files:
            return {}
        return {
            "ngram": self._n,
            "texts": len(self._texts),
            "unreadable_rows": dict(self._unreadable),
            "dropped": {file.name: self._found[file.name] for file in self._files},
        }
