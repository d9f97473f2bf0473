"""The compiled loops of the span index; `llmsynth.similarity.span_pool` says what they are for."""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Bytes, Flags, Ints, Longs, Words, compiled
from llmsynth.similarity.hashing import mixed

_TELLING = 6  # words of an item that have to be its own
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@compiled("int64(bytes, bytes, words, ints, ints)")
def words(data: Bytes, letters: Bytes, out: Words, begins: Ints, ends: Ints) -> int:
    """Write a hash of each word and where it begins and ends in `data`; return how many there are.

    `letters` gives the byte that a byte counts as, 0 for one that parts words.
    """
    count = 0
    word = np.uint64(0)
    inside = False
    for at in range(data.size):
        letter = letters[data[at]]
        if letter:
            if not inside:
                word = np.uint64(0xCBF29CE484222325)
                inside = True
                begins[count] = at
            word = (word ^ np.uint64(letter)) * np.uint64(0x100000001B3)
        elif inside:
            out[count] = mixed(word)
            ends[count] = at
            count += 1
            inside = False
    if inside:
        out[count] = mixed(word)
        ends[count] = data.size
        count += 1
    return count


@compiled("void(words, int64, words)")
def grams(text: Words, n: int, out: Words) -> None:
    """Write a hash of every run of n words of a text of at least n: a polynomial that rolls from one to the next."""
    out_of = np.uint64(1)
    for _ in range(n):
        out_of *= _FACTOR
    value = np.uint64(0)
    for i in range(text.size):
        value = value * _FACTOR + text[i]
        if i >= n:
            value -= out_of * text[i - n]
        if i >= n - 1:
            out[i - n + 1] = mixed(value + np.uint64(n))


@compiled("int64(uint64, words, ints, int64)")
def first_entry(gram: np.uint64, table: Words, directory: Ints, shift: int) -> int:
    """The first entry of the sorted table with this hash, or -1. The directory has the bounds by the first bits."""
    bucket = np.int64(gram >> np.uint64(shift))
    low, high = np.int64(directory[bucket]), np.int64(directory[bucket + 1])
    while low < high:
        middle = (low + high) // 2
        if table[middle] < gram:
            low = middle + 1
        else:
            high = middle
    if low < directory[bucket + 1] and table[low] == gram:
        return int(low)
    return -1


@compiled("int64(words, int64, words, ints, int64, ints, ints, words, flags, longs, words, longs)")
def longest_run(
    text: Words,
    n: int,
    table: Words,
    directory: Ints,
    shift: int,
    places: Ints,
    items: Ints,
    stream: Words,
    phrases: Flags,
    starts: Longs,
    scratch: Words,
    result: Longs,
) -> int:
    """The longest run of at least n words that the text shares with an item, the earliest item of equals.

    Half of n words in it are not in `phrases`. Returns its length, 0 for none; writes item, place in the text and place
    in the stream to `result`.
    """
    if text.size < n:
        return 0
    grams(text, n, scratch)
    best = 0
    for i in range(text.size - n + 1):
        entry = first_entry(scratch[i], table, directory, shift)
        if entry < 0:
            continue
        gram = scratch[i]
        while entry < table.size and table[entry] == gram:
            place, item = places[entry], items[entry]
            entry += 1
            end = starts[item + 1]
            length = 0
            while i + length < text.size and place + length < end and text[i + length] == stream[place + length]:
                length += 1
            if length < n or length < best or (length == best and item >= result[0]):
                continue
            telling = 0
            for word in range(place, place + length):
                telling += not phrases[word]
            if 2 * telling >= n:
                best = length
                result[0], result[1], result[2] = item, i, place
    return best


@compiled("int64(words, int64, words, ints, int64, ints, longs, ints, int64, ints, longs, words)")
def vote(
    text: Words,
    n: int,
    table: Words,
    directory: Ints,
    shift: int,
    items: Ints,
    starts: Longs,
    votes: Ints,
    most: int,
    touched: Ints,
    chosen: Longs,
    scratch: Words,
) -> int:
    """Write the items that share the largest share of their runs of n words with the text, best first, to `chosen`.

    At most `most`, and none with less than a twelfth or fewer than 2; returns how many. `votes` holds 0 everywhere,
    before and after.
    """
    if text.size < n:
        return 0
    grams(text, n, scratch)
    count = 0
    for i in range(text.size - n + 1):
        entry = first_entry(scratch[i], table, directory, shift)
        if entry < 0:
            continue
        gram = scratch[i]
        while entry < table.size and table[entry] == gram:
            item = items[entry]
            if votes[item] == 0:
                touched[count] = item
                count += 1
            votes[item] += 1
            entry += 1
    found = 0
    shares = np.empty(most, np.float64)
    for k in range(count):
        item = touched[k]
        share = votes[item] / (starts[item + 1] - starts[item] - n + 1)
        if votes[item] < 2 or share < 1 / 12:
            continue
        at = found if found < most else most
        while at > 0 and (shares[at - 1] < share or (shares[at - 1] == share and chosen[at - 1] > item)):
            if at < most:
                shares[at] = shares[at - 1]
                chosen[at] = chosen[at - 1]
            at -= 1
        if at < most:
            shares[at] = share
            chosen[at] = item
            found = min(found + 1, most)
    for k in range(count):
        votes[touched[k]] = 0
    return found


@compiled("float64(words, int64, int64, words, ints, int64, ints, ints, words, flags, longs, words, ints, longs)")
def aligned(
    text: Words,
    item: int,
    n: int,
    table: Words,
    directory: Ints,
    shift: int,
    places: Ints,
    items: Ints,
    stream: Words,
    phrases: Flags,
    starts: Longs,
    grams_of_text: Words,
    diagonals: Ints,
    result: Longs,
) -> float:
    """The share of an item's words that stand in this order within one stretch of the text of about its length.

    Words in `phrases` do not count; an item with fewer than 6 others has the share 0.
    The stretch lies around the diagonal (place in the text less place in the item) that most common runs of n words
    are near. Its first matched word and the one behind its last are written to `result`.
    """
    start, size = starts[item], starts[item + 1] - starts[item]
    count = 0
    for i in range(text.size - n + 1):
        entry = first_entry(grams_of_text[i], table, directory, shift)
        if entry < 0:
            continue
        while entry < table.size and table[entry] == grams_of_text[i]:
            if items[entry] == item and count < diagonals.size:
                diagonals[count] = i - (places[entry] - start)
                count += 1
            entry += 1
    if count == 0:
        return 0.0
    near = diagonals[:count]
    near.sort()
    slack = size // 8 + 1
    best, middle, low = 0, 0, 0
    for high in range(count):
        while near[high] - near[low] > slack:
            low += 1
        if high - low + 1 > best:
            best = high - low + 1
            middle = (near[low] + near[high]) // 2
    first = max(0, middle - slack)
    end = min(text.size, middle + size + slack)
    width = end - first
    if width <= 0:
        return 0.0
    # longest common subsequence, with the first and last places of one such
    lengths = np.zeros(width + 1, np.int32)
    begun = np.full(width + 1, -1, np.int32)
    reached = np.full(width + 1, -1, np.int32)
    telling = 0
    for p in range(size):
        if phrases[start + p]:
            continue
        telling += 1
        word = stream[start + p]
        diagonal_length, diagonal_begun = 0, -1
        for w in range(1, width + 1):
            old_length, old_begun = lengths[w], begun[w]
            if text[first + w - 1] == word:
                if diagonal_length + 1 > lengths[w]:
                    lengths[w] = diagonal_length + 1
                    begun[w] = w - 1 if diagonal_length == 0 else diagonal_begun
                    reached[w] = w
            elif lengths[w - 1] > lengths[w]:
                lengths[w], begun[w], reached[w] = lengths[w - 1], begun[w - 1], reached[w - 1]
            if lengths[w - 1] > lengths[w]:
                lengths[w], begun[w], reached[w] = lengths[w - 1], begun[w - 1], reached[w - 1]
            diagonal_length, diagonal_begun = old_length, old_begun
    result[0] = first + begun[width]
    result[1] = first + reached[width]
    return lengths[width] / telling if telling >= _TELLING else 0.0


@compiled("int64(words, int64, words, ints, int64, ints, longs, int64, ints, ints, ints, words)")
def shared(
    text: Words,
    n: int,
    table: Words,
    directory: Ints,
    shift: int,
    items: Ints,
    seen: Longs,
    turn: int,
    counts: Ints,
    firsts: Ints,
    touched: Ints,
    scratch: Words,
) -> int:
    """Count, by item, which of its runs of n words the text has; return how many items have any.

    They are written to `touched` as they come up, with the place of the first run in `firsts`. `counts` holds 0
    everywhere, before and after the caller has read it.
    """
    if text.size < n:
        return 0
    grams(text, n, scratch)
    count = 0
    for i in range(text.size - n + 1):
        entry = first_entry(scratch[i], table, directory, shift)
        if entry < 0:
            continue
        gram = scratch[i]
        while entry < table.size and table[entry] == gram:
            item = items[entry]
            if seen[entry] != turn:
                seen[entry] = turn
                if counts[item] == 0:
                    touched[count] = item
                    firsts[item] = i
                    count += 1
                counts[item] += 1
            entry += 1
    return count
