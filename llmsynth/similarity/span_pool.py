"""The arrays behind `SpanIndex`: items as words, and sorted tables of their runs.

**Words.** A word is 64 bits made of its letters, the same in every process; a character of a script without spaces is a
word of its own. An item is a stretch of the stream of all items' words.

**Tables.** The exact table lists every run of n words of every item, and the whole of an item that is shorter; a run's
hash tells its length too. The near table lists the runs of 4 words of the items that have n. Tables are sorted by
hash, with a directory by the first bits of it, so that a look-up is a step or two. What the exact table finds is
compared word by word. A run that more than `common` items hold says nothing of any of them and is in no table; the
words of runs of 4 that more items hold are set phrases: of an exact match half of n words, and of an item for a near
match 6, have to be others. Equal items are one in the stream; each counts as a holder, unless they are a passage: of n
words, and up to ten times `common`.

**Memory.** Per word of the items: 9 bytes for the stream, and 16 to 24 for each table, so 40 to 56 in all, and while
tables are built as much again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llmsynth.similarity import span_kernels as kernels
from llmsynth.similarity.compiling import Flags, Ints, Longs, Words, room
from llmsynth.similarity.shingles import LETTERS, encoded

_NEAR = 4  # words in a run that speaks for a near match
_NEAR_COMMON = 64  # items that may hold such a run
_PASSAGES = 10  # times `common`: equal items up to which a long one is a passage, such as a reading test's
_CANDIDATES = 8  # items that are compared in full
_LONGEST = 2_000  # words of an item that are aligned at most: the work grows by the square


class Text(NamedTuple):
    """A text as words, and where each begins and ends among its bytes."""

    data: bytes
    words: Words
    begins: Ints
    ends: Ints

    def stretch(self, first: int, end: int) -> str:
        """The words from one to the one before another, as they were written."""
        return self.data[self.begins[first] : self.ends[end - 1]].decode("utf-8", "replace")


class Hit(NamedTuple):
    """`size` words from place `first` of a text, shared with an item; `share` of the item's words."""

    item: int
    first: int
    size: int
    share: float


def words_of(text: str) -> Text:
    """The words of a text."""
    data = encoded(text)
    most = len(data) // 2 + 1
    words, begins, ends = np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most, np.int32)
    count = kernels.words(np.frombuffer(bytearray(data), np.uint8), LETTERS, words, begins, ends)
    return Text(data, words[:count], begins[:count], ends[:count])


class SpanPool:
    """Items, known by their position. `add` all, then ask."""

    def __init__(self, n: int, common: int) -> None:
        self._n = n
        self._common = common
        self._starts = np.zeros(2, np.int64)
        self._stream = np.zeros(0, np.uint64)
        self._items = 0
        self._equal: list[int] = []  # by item, how many there are
        self._built: _Tables | None = None

    def add(self, text: Text) -> None:
        end = int(self._starts[self._items]) + text.words.size
        self._stream = room(self._stream, end)
        self._stream[end - text.words.size : end] = text.words
        self._items += 1
        self._equal.append(1)
        self._starts = room(self._starts, self._items + 1)
        self._starts[self._items] = end
        self._built = None

    def add_equal(self, item: int) -> None:
        """Count one more that is equal to an item."""
        self._equal[item] += 1
        self._built = None

    def run(self, text: Text) -> Hit | None:
        """The longest run that the text shares with an item: of n words or more, or the whole of a shorter item."""
        tables, best = self._tables(), None
        scratch = tables.room(text.words.size)
        result = np.zeros(3, np.int64)
        for width in tables.widths:
            size = kernels.longest_run(
                text.words,
                width,
                *tables.exact,
                tables.places,
                tables.items,
                self._stream,
                tables.phrases,
                self._starts,
                scratch,
                result,
            )
            if size and (best is None or size > best.size):
                item = int(result[0])
                best = Hit(item, int(result[1]), size, min(1.0, size / self._size(item)))
        return best

    def near(self, text: Text, least: float) -> Hit | None:
        """The item of n words or more of which at least this share stands in the text, in order and close together."""
        tables = self._tables()
        scratch = tables.room(text.words.size)
        chosen = np.zeros(_CANDIDATES, np.int64)
        count = kernels.vote(
            text.words,
            _NEAR,
            *tables.near,
            tables.near_items,
            self._starts,
            tables.votes,
            _CANDIDATES,
            tables.touched,
            chosen,
            scratch,
        )
        best: Hit | None = None
        result = np.zeros(2, np.int64)
        for item in chosen[:count].tolist():
            if self._size(item) > _LONGEST:
                continue
            share = kernels.aligned(
                text.words,
                item,
                _NEAR,
                *tables.near,
                tables.near_places,
                tables.near_items,
                self._stream,
                tables.phrases,
                self._starts,
                scratch,
                np.empty(4 * text.words.size + 64, np.int32),
                result,
            )
            if share >= least and (best is None or share > best.share):
                best = Hit(item, int(result[0]), int(result[1] - result[0]), share)
        return best

    def shared(self, text: Text) -> list[Hit]:
        """Every item with which the text shares a run of n words, or all words of a shorter one, in no order.

        `share` is of the item's different runs, `first` the place of the first one in the text.
        """
        tables = self._tables()
        width = min(self._n, text.words.size)
        if not width:
            return []
        tables.turn += 1
        count = kernels.shared(
            text.words,
            width,
            *tables.exact,
            tables.items,
            tables.seen,
            tables.turn,
            tables.votes,
            tables.firsts,
            tables.touched,
            tables.room(text.words.size),
        )
        found = []
        for item in tables.touched[:count].tolist():
            found.append(Hit(item, int(tables.firsts[item]), width, tables.votes[item] / tables.runs[item]))
            tables.votes[item] = 0
        return found

    def _size(self, item: int) -> int:
        return int(self._starts[item + 1] - self._starts[item])

    def _tables(self) -> _Tables:
        if self._built is None:
            starts = self._starts[: self._items + 1]
            passages = zip(self._equal, (np.diff(starts) >= self._n).tolist(), strict=True)
            weights = [1 if long and equal <= _PASSAGES * self._common else equal for equal, long in passages]
            self._built = _Tables(self._stream, starts, np.array(weights, np.int64), self._n, self._common)
        return self._built


class _Tables:
    """Everything that is looked up, and the room for it."""

    def __init__(self, stream: Words, starts: Longs, weights: Longs, n: int, common: int) -> None:
        sizes = np.diff(starts)
        self.widths = [n, *sorted({int(size) for size in sizes if 0 < size < n}, reverse=True)]
        hashes, places = _runs(stream, starts, np.minimum(sizes, n))
        self.exact, self.places, self.items = _sorted(hashes, places, starts, weights, common)
        long = np.where(sizes >= n, _NEAR, 0)
        hashes, places = _runs(stream, starts, long)
        self.near, self.near_places, self.near_items = _sorted(hashes, places, starts, weights, _NEAR_COMMON)
        self.phrases = np.zeros(max(1, stream.size), np.bool_)
        for place in _common(hashes, places, starts, weights, common).tolist():
            self.phrases[place : place + _NEAR] = True
        count = len(sizes)
        self.runs = np.bincount(self.items, minlength=count)
        self.votes, self.firsts = np.zeros(count, np.int32), np.zeros(count, np.int32)
        self.touched = np.zeros(count, np.int32)
        self.seen = np.zeros(self.items.size, np.int64)
        self.turn = 0
        self._scratch = np.zeros(0, np.uint64)

    def room(self, size: int) -> Words:
        """Scratch space for the runs of a text."""
        self._scratch = room(self._scratch, size)
        return self._scratch


def _runs(stream: Words, starts: Longs, widths: Longs) -> tuple[Words, Ints]:
    """The hash and place of every run of `widths` words, by item; none of an item whose width is 0."""
    sizes = np.diff(starts)
    counts = np.where(widths > 0, np.maximum(sizes - widths + 1, 0), 0)
    hashes, places = np.empty(int(counts.sum()), np.uint64), np.empty(int(counts.sum()), np.int32)
    at = 0
    for item in np.flatnonzero(counts).tolist():
        count, start = int(counts[item]), int(starts[item])
        kernels.grams(stream[start : int(starts[item + 1])], int(widths[item]), hashes[at : at + count])
        places[at : at + count] = np.arange(start, start + count)
        at += count
    return hashes, places


def _sorted(
    hashes: Words, places: Ints, starts: Longs, weights: Longs, common: int
) -> tuple[tuple[Words, Ints, int], Ints, Ints]:
    """The table, its directory and shift; places and items. One entry for a run and an item, none for common runs.

    weights: by item, as how many holders it counts.
    """
    order = np.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    items = _items_at(places, starts)
    if hashes.size:
        fresh, holders = _holders(hashes, items, weights)
        keep = fresh & (holders <= common)
        hashes, places, items = hashes[keep], places[keep], items[keep]
    bits = max(1, int(hashes.size).bit_length())
    bounds = np.searchsorted(hashes >> np.uint64(64 - bits), np.arange((1 << bits) + 1, dtype=np.uint64))
    return (hashes, bounds.astype(np.int32), 64 - bits), places, items


def _common(hashes: Words, places: Ints, starts: Longs, weights: Longs, common: int) -> Ints:
    """The places of the runs that more than `common` items hold."""
    if not hashes.size:
        return places
    order = np.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    return places[_holders(hashes, _items_at(places, starts), weights)[1] > common]


def _holders(hashes: Words, items: Ints, weights: Longs) -> tuple[Flags, Longs]:
    """For every entry, sorted by hash and place: is it its item's first with the hash, and how many items have it?"""
    new_run = np.concatenate(([True], hashes[1:] != hashes[:-1]))
    fresh = new_run | np.concatenate(([True], items[1:] != items[:-1]))
    run = np.cumsum(new_run) - 1
    return fresh, np.bincount(run[fresh], weights[items[fresh]]).astype(np.int64)[run]


def _items_at(places: Ints, starts: Longs) -> Ints:
    return (np.searchsorted(starts, places, side="right") - 1).astype(np.int32)
