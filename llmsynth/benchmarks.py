"""`Benchmarks`: files whose rows must not be in the data, and what was found of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmsynth.errors import RecipeError
from llmsynth.similarity.spans import NGRAM, Span, SpanIndex
from llmsynth.sources.digest import digest_of
from llmsynth.sources.rows import EVERY, data_files, read_rows
from llmsynth.text import shorten

log = logging.getLogger(__name__)

_EXAMPLES = 5  # of finds, by file, in the report
_SHOWN = 200  # characters of a matched span
_KINDS = ("whole", "ngram", "near")


class Benchmarks:
    """The texts of benchmark files (JSON Lines, JSON, CSV, Parquet, datasets folders), held as an index.

    Of a folder all splits are read. Every text of every row is an item: questions, choices, turns of conversations;
    `columns` looks at these alone. `SpanIndex` says what ngram, near, shortest and common mean. A near match is never
    more than a strong suspicion: items made from one template are near each other.

    Truthy if there are any files. Raises `RecipeError` for a file without a text that is long enough, `SourceError` for
    one that cannot be read.
    """

    def __init__(
        self,
        files: Sequence[str | Path],
        ngram: int = NGRAM,
        near: float | None = 0.8,
        shortest: int = 5,
        common: int = 10,
        columns: Sequence[str] = (),
    ) -> None:
        self._index = SpanIndex(ngram, near, shortest, common)
        self._counts: dict[str, Counter[str]] = {}
        self._examples: dict[str, list[dict[str, object]]] = {}
        self._looked = 0
        for file in map(Path, files):
            counts = self._counts.setdefault(_name(file, self._counts), Counter())
            self._read(file, columns, counts)
        read = [data for file in map(Path, files) for _, data, _ in data_files(file, EVERY)]
        self.digest = digest_of(read)
        """Stands for the content of the files."""

    def __bool__(self) -> bool:
        return bool(self._counts)

    def find(self, text: str, id: str = "") -> Span | None:
        """What of the benchmarks stands in a text; counted for the report, where `id` names the text."""
        told = self.looked_at(text, id)
        return None if told is None else told[1]

    def looked_at(self, text: str, id: str) -> tuple[str, Span] | None:
        """The same, with the benchmark's name."""
        found = self._index.find(text) if self._counts else None
        if found is None:
            self.count(id, None)
            return None
        file, _, row = found.id.partition("\t")
        found = found._replace(id=row)
        self.count(id, evidence(file, found))
        return file, found

    def count(self, id: str, told: Mapping[str, Any] | None) -> None:
        """Count a text that was looked at, and what was found in it, which is nothing if it is of no file of these."""
        self._looked += 1
        if told is None or (file := told.get("benchmark")) not in self._counts:
            return
        self._counts[file][told["kind"]] += 1
        examples = self._examples.setdefault(file, [])
        if len(examples) < _EXAMPLES:
            examples.append({"record": id, **{name: told[name] for name in ("row", "kind", "share", "span")}})

    def forget(self) -> None:
        """Count from the beginning."""
        self._looked = 0
        self._examples.clear()
        for counts in self._counts.values():
            for kind in _KINDS:
                del counts[kind]

    def report(self) -> dict[str, object]:
        """What was looked for and what was found, by file; empty without files.

        texts: looked for. too_short: not looked for. By kind of match, how many texts were found to hold some, each
        counted once, for the file that has the longest match; and the first of them with the matched words.
        """
        if not self._counts:
            return {}
        return {
            "ngram": self._index.n,
            "near": self._index.near,
            "shortest": self._index.shortest,
            "looked_at": self._looked,
            "benchmarks": {
                file: {
                    **{name: counts[name] for name in ("texts", "too_short", "unreadable_rows")},
                    "found": {kind: counts[kind] for kind in _KINDS if counts[kind]},
                    "examples": self._examples.get(file, []),
                }
                for file, counts in self._counts.items()
            },
        }

    def _read(self, file: Path, columns: Sequence[str], counts: Counter[str]) -> None:
        name = next(name for name, theirs in self._counts.items() if theirs is counts)
        first = ""
        for row in read_rows(file, EVERY):
            if row.problem:
                counts["unreadable_rows"] += 1
                first = first or f"{row.place}: {row.problem}"
            values = [row.values.get(column) for column in columns] if columns else row.values
            for text in texts_in(values):
                if text.strip():
                    counts["texts" if self._index.add(text, f"{name}\t{row.place}") else "too_short"] += 1
        if counts["unreadable_rows"]:
            log.warning(
                "%s: %d rows cannot be read, and are not looked for; the first: %s",
                *(file, counts["unreadable_rows"], first),
            )
        if not counts["texts"]:
            least = f"{self._index.shortest} words or more"
            where = f"in {', '.join(columns)} " if columns else ""
            raise RecipeError(f"{file} holds no text {where}to look for", f"name a file of questions, of {least} each")


def evidence(file: str, found: Span) -> dict[str, Any]:
    """What is kept of a find."""
    span = shorten(found.text, _SHOWN)
    return {"benchmark": file, "row": found.id, "kind": found.kind, "share": round(found.share, 3), "span": span}


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a row of a benchmark, however deep: a question, its choices, the turns of a conversation."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def _name(file: Path, taken: Mapping[str, object]) -> str:
    """The file's name, with so many folders in front that no other has it."""
    for depth in range(1, len(file.parts) + 1):
        name = "/".join(file.parts[-depth:])
        if name not in taken:
            return name
    return str(file)
