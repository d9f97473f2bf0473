"""The rows that a page holds, of one run or several: lines written, and columns held for the index."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from llmsynth.embed.static import StaticEmbedder
from llmsynth.record import Record
from llmsynth.report.answers import Answers
from llmsynth.report.blobs import Lines
from llmsynth.report.rows import duplicate_of, row_line
from llmsynth.report.survey import Array, Survey, labels_of
from llmsynth.similarity.compiling import Singles

NO_LABEL = 255
_TOGETHER = 1_000  # texts embedded at once


class Gathered:
    """Rows by their number in the page. A row takes its vector, 1 kB, and 100 bytes and its id."""

    def __init__(self, lines: Lines, labels: Mapping[str, Sequence[str]]) -> None:
        self.lines = lines
        self._codes = {name: {value: code for code, value in enumerate(values)} for name, values in labels.items()}
        self.labels: dict[str, array[int]] = {name: array("B") for name in labels}
        self._embedder = StaticEmbedder()
        self._texts: list[str] = []
        self._vectors: list[Singles] = []
        self.pairs: list[list[Any]] = []

    def vectors(self) -> Singles:
        """Of all rows; they are not held any longer."""
        self._embed()
        held, self._vectors = self._vectors, []
        return np.concatenate(held) if held else np.zeros((0, StaticEmbedder.dimensions), np.float32)

    def take(self, records: Iterable[Record], survey: Survey, flags: Array, answers: Answers) -> None:
        """Add the flagged records of a run, in order."""
        numbers: dict[str, int] = {}
        repeats: list[tuple[int, tuple[str, str, float]]] = []
        tickets = iter(survey.priority(flags).tolist())
        for record, wanted in zip(records, flags.tolist(), strict=False):
            if not wanted:
                continue
            number = self.lines.count
            numbers.setdefault(record.id, number)
            if (found := duplicate_of(record)) is not None:
                repeats.append((number, found))
            keys = answers.numbered(record.meta.get("journal", ()), next(tickets))
            self.lines.add(row_line(record, survey.reading.columns, keys))
            labels = dict(labels_of(record))
            for name, codes in self.labels.items():
                codes.append(self._codes[name].get(labels.get(name, ""), NO_LABEL))
            self._texts.append(survey.reading.asked_of(record))
            if len(self._texts) == _TOGETHER:
                self._embed()
        # Self-Instruct tells of an instruction, 6-1, where its rows are called 6-1-0, 6-1-1 ...
        prefixes: dict[str, int] = {}
        for id, number in numbers.items():
            prefixes.setdefault(id.rpartition("-")[0], number)
        for number, (kept_id, method, score) in repeats:
            kept = numbers.get(kept_id, prefixes.get(kept_id, -1))
            self.pairs.append([number, kept, method, round(score, 4), kept_id if kept < 0 else ""])

    def _embed(self) -> None:
        if self._texts:
            self._vectors.append(self._embedder.vectors(self._texts))
            self._texts = []
