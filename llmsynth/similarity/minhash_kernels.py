"""The compiled loops of the MinHash index; `llmsynth.similarity.shingles` says what they are for."""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Bytes, Floats, Halfwords, Longs, Words, compiled
from llmsynth.similarity.hashing import mixed

_SLACK = 1 - 1e-9  # bounds may be rounded otherwise than scores


@compiled("int64(bytes, int64, bytes, words, words)")
def shingles(data: Bytes, n: int, letters: Bytes, words: Words, out: Words) -> int:
    """Write the hashes of all runs of n words, ascending and each once, to `out`; return how many there are.

    `letters` gives the byte that a byte counts as, 0 for one that parts words. A text of fewer than n
    words, but one at least, has a single shingle: all of it.
    """
    count = 0
    word = np.uint64(0)
    inside = False
    for byte in data:
        letter = letters[byte]
        if letter:
            if not inside:
                word = np.uint64(0xCBF29CE484222325)
                inside = True
            word = (word ^ np.uint64(letter)) * np.uint64(0x100000001B3)
        elif inside:
            words[count] = mixed(word)
            count += 1
            inside = False
    if inside:
        words[count] = mixed(word)
        count += 1
    if count == 0:
        return 0
    width = min(n, count)
    found = count - width + 1
    for first in range(found):
        run = np.uint64(width)
        for i in range(first, first + width):
            run = run * np.uint64(0x9E3779B97F4A7C15) + words[i]
        out[first] = mixed(run)
    out[:found].sort()
    distinct = 1
    for i in range(1, found):
        if out[i] != out[distinct - 1]:
            out[distinct] = out[i]
            distinct += 1
    return distinct


@compiled("void(words, words, words, int64, words, halfwords)")
def band_tags(elements: Words, factors: Words, offsets: Words, rows: int, signature: Words, tags: Halfwords) -> None:
    """Write 32 bits for every band of the MinHash signature of a text, whose shingles are `elements`.

    A permutation is x -> factor x + offset modulo 2^64 with an odd factor; `signature` is scratch space.
    """
    signature[:] = ~np.uint64(0)
    for x in elements:
        for i in range(signature.size):
            signature[i] = min(signature[i], factors[i] * x + offsets[i])
    for band in range(tags.size):
        tag = np.uint64(band + 1)
        for i in range(band * rows, (band + 1) * rows):
            tag = mixed(tag * np.uint64(0x9E3779B97F4A7C15) + signature[i])
        tags[band] = tag >> np.uint64(32)


@compiled("float64(words, words, float64)")
def jaccard(a: Words, b: Words, threshold: float) -> float:
    """The Jaccard index of two ascending sets, or -1 once it is certain to be below the threshold."""
    need = threshold * (a.size + b.size) / (1 + threshold) * _SLACK
    if min(a.size, b.size) < need:
        return -1.0
    spare = a.size - need  # elements of a that may yet be missing from b
    common = 0
    j = 0
    for x in a:
        while j < b.size and b[j] < x:
            j += 1
        if j < b.size and b[j] == x:
            common += 1
            j += 1
        else:
            spare -= 1
            if spare < 0:
                return -1.0
    return common / (a.size + b.size - common)


@compiled("int64(words, halfwords, float64, words, halfwords, words, longs, longs, int64, longs, floats)")
def similar(
    elements: Words,
    tags: Halfwords,
    threshold: float,
    table: Words,
    earlier: Halfwords,
    stream: Words,
    starts: Longs,
    seen: Longs,
    turn: int,
    found: Longs,
    scores: Floats,
) -> int:
    """Write positions and Jaccard indices of all texts that share a band and reach the threshold; return their number.

    A word of `table` is a tag and the number of the latest entry with it, counted from 1, in its lower half;
    `earlier` links an entry to the one before with the same tag. Entry e is of text e // bands.
    """
    mask = table.size - 1
    bands = tags.size
    count = 0
    for band in range(bands):
        tag = np.uint64(tags[band])
        slot = np.int64(tag) & mask
        while table[slot] and table[slot] >> np.uint64(32) != tag:
            slot = (slot + 1) & mask
        entry = np.int64(table[slot] & np.uint64(0xFFFFFFFF))
        while entry:
            text = (entry - 1) // bands
            if seen[text] != turn:
                seen[text] = turn
                score = jaccard(elements, stream[starts[text] : starts[text + 1]], threshold)
                if score >= threshold:
                    found[count] = text
                    scores[count] = score
                    count += 1
            entry = np.int64(earlier[entry - 1])
    return count


@compiled("int64(halfwords, int64, words, halfwords)")
def insert(tags: Halfwords, text: int, table: Words, earlier: Halfwords) -> int:
    """Enter a text under all its tags; return how many of them are new to the table."""
    mask = table.size - 1
    fresh = 0
    for band in range(tags.size):
        tag = np.uint64(tags[band])
        slot = np.int64(tag) & mask
        while table[slot] and table[slot] >> np.uint64(32) != tag:
            slot = (slot + 1) & mask
        entry = text * tags.size + band
        earlier[entry] = table[slot] & np.uint64(0xFFFFFFFF)
        fresh += table[slot] == 0
        table[slot] = (tag << np.uint64(32)) | np.uint64(entry + 1)
    return fresh


@compiled("void(words, words)")
def move(old: Words, new: Words) -> None:
    """Fill an empty table with what another one holds."""
    mask = new.size - 1
    for word in old:
        if word:
            slot = np.int64(word >> np.uint64(32)) & mask
            while new[slot]:
                slot = (slot + 1) & mask
            new[slot] = word
