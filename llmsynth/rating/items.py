"""Which rows, or pairs, are rated: chosen by the seed and their texts alone, so that every rater gets the same ones."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from llmsynth.errors import SourceError
from llmsynth.rating.entries import Entry, Part, Source
from llmsynth.text import fingerprint

Pairing = Literal["auto", "same", "random"]


@dataclass(frozen=True)
class Item:
    """What is rated at once.

    key: stands for all its texts. ids, rows: the id and the key of its row, or of its two rows: the run's first.
    question: what all sides have in common. sides: one answer, or two; whole rows where they share no question.
    """

    key: str
    ids: tuple[str, ...]
    rows: tuple[str, ...]
    question: tuple[Part, ...]
    sides: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True)
class Chosen:
    """Items in the order they were drawn; the first ten of a hundred are those of a draw of ten.

    pairing: how pairs came about, empty for rows. there: how many items there were to draw from. alike: pairs left out,
    as both answers are the same.
    """

    items: list[Item]
    there: int
    pairing: str = ""
    alike: int = 0


def choose_rows(source: Source, n: int, seed: int) -> Chosen:
    """n rows, or all there are; equal rows count as one. Raises `SourceError` where there is none."""
    there = _Counter(_unlike(source.entries()))
    entries = _draw(there, n, seed)
    if not entries:
        raise _nothing(source)
    items = [Item(entry.key, (entry.id,), (entry.key,), entry.question, (entry.answer,)) for entry in entries]
    return Chosen(items, there.count)


def choose_pairs(run: Source, against: Source, n: int, seed: int, pairing: Pairing = "auto") -> Chosen:
    """n pairs of a row of the run and one of what it is compared with.

    Two answers to one question are compared with the most certainty, as nothing but the answer differs. So `auto` pairs
    rows by their question (instruction and input, white space apart) as soon as both have one in common, and then shows
    no others: which of the two is better means something else where the tasks differ. Only without any common question
    are rows paired at random, each shown with its own question, and the choice is which is better to learn from.

    A question that stands several times in a source counts once, with its first answer.
    """
    if pairing != "random":
        chosen = _same(run, against, n, seed)
        if chosen.items:
            return chosen
        if pairing == "same" or chosen.alike:
            told = f": all {chosen.alike} have the same answer too" if chosen.alike else ""
            raise SourceError(
                f"{run.path} and {against.path} share no question that is answered differently{told}",
                "--pairs random compares rows with different questions",
            )
    return _random(run, against, n, seed)


def _same(run: Source, against: Source, n: int, seed: int) -> Chosen:
    answers = {entry.question_key: entry.answer_key for entry in _first_of_each_question(against.entries())}
    alike = shared = 0

    def candidates() -> Iterator[Entry]:
        nonlocal alike, shared
        for entry in _first_of_each_question(run.entries()):
            if (answer := answers.get(entry.question_key)) is not None:
                if answer == entry.answer_key:
                    alike += 1
                else:
                    shared += 1
                    yield entry

    ours = _draw(candidates(), n, seed)
    wanted = {entry.question_key for entry in ours}
    theirs = {
        entry.question_key: entry
        for entry in _first_of_each_question(against.entries())
        if entry.question_key in wanted
    }
    items = [
        _pair(entry, theirs[entry.question_key], entry.question, entry.answer, theirs[entry.question_key].answer)
        for entry in ours
    ]
    return Chosen(items, shared, "same", alike)


def _random(run: Source, against: Source, n: int, seed: int) -> Chosen:
    counted = [_Counter(_unlike(source.entries())) for source in (run, against)]
    ours, theirs = (_draw(entries, n, seed) for entries in counted)
    for source, entries in ((run, ours), (against, theirs)):
        if not entries:
            raise _nothing(source)
    items = [
        _pair(a, b, (), (*a.question, *a.answer), (*b.question, *b.answer)) for a, b in zip(ours, theirs, strict=False)
    ]
    unlike = [item for item in items if item.rows[0] != item.rows[1]]
    return Chosen(unlike, min(entries.count for entries in counted), "random", len(items) - len(unlike))


def _pair(a: Entry, b: Entry, question: tuple[Part, ...], *sides: tuple[Part, ...]) -> Item:
    return Item(fingerprint("pair", a.key, b.key), (a.id, b.id), (a.key, b.key), question, sides)


class _Counter:
    """Counts what passes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def _draw(entries: Iterable[Entry], n: int, seed: int) -> list[Entry]:
    """n of them, by a hash of seed and texts: what is drawn does not hang on the order, and little on other rows."""
    return heapq.nsmallest(n, entries, key=lambda entry: fingerprint(str(seed), "draw", entry.key))


def _unlike(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[int] = set()
    for entry in entries:
        short = int(entry.key[:16], 16)
        if short not in seen:
            seen.add(short)
            yield entry


def _first_of_each_question(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in entries:
        if entry.question_key and entry.question_key not in seen:
            seen.add(entry.question_key)
            yield entry


def _nothing(source: Source) -> SourceError:
    passed = (
        f", {source.unreadable} unreadable and {source.empty} empty rows apart"
        if source.unreadable + source.empty
        else ""
    )
    return SourceError(f"{source.path} holds no row to rate{passed}", "name a run with kept rows, or a file of rows")
