"""The compiled loops of the token pool.

A query is an array of tokens, -1 for one that the pool has never seen; a text is an array of
elements. `llmsynth.similarity.pool` says what elements are and why the search misses nothing.
"""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Flags, Floats, Ints, Longs, Words, compiled

# Bounds are rounded in other places than scores: loosen them by far more than a rounding error and
# far less than one token of any text that fits in memory.
SLACK = 1 - 1e-9


@compiled("int64(ints, int64, boolean, ints, ints, ints, ints, words)")
def number(
    tokens: Ints,
    count: int,
    create: bool,
    following: Ints,
    token_of: Ints,
    current: Ints,
    elements: Ints,
    sketch: Words,
) -> int:
    """Write the element of every token (-1: there is none) and their sketch; return how many elements there are.

    `create` makes the elements that are missing, which are further occurrences of a token.
    `current` holds -2 everywhere, before and after.
    """
    for i in range(tokens.size):
        token = tokens[i]
        element = -1
        if token >= 0:
            previous = current[token]
            if previous == -2:
                element = token
            elif previous >= 0:
                element = following[previous]
                if element < 0 and create:
                    element = count
                    count += 1
                    following[previous] = element
                    following[element] = -1
                    token_of[element] = token
            current[token] = element
        elements[i] = element
        if element >= 0:
            place = (np.uint64(element + 1) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(57)
            sketch[place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))
    for i in range(tokens.size):
        if tokens[i] >= 0:
            current[tokens[i]] = -2
    return count


@compiled("int64(ints, ints, ints, words, words)")
def lcs(query: Ints, text: Ints, token_of: Ints, bits: Words, carries: Words) -> int:
    """The length of the longest common subsequence, bit-parallel (Hyyrö 2004), 64 query tokens at a time.

    Sweeping the text once per 64 tokens, with one carry per token of the text, takes memory by the
    length of the text, not by the product. `bits` holds 0 everywhere, before and after.
    """
    first, m, n = 0, query.size, text.size
    while first < m and first < n and query[first] == token_of[text[first]]:
        first += 1
    while m > first and n > first and query[m - 1] == token_of[text[n - 1]]:
        m -= 1
        n -= 1
    length = first + query.size - m
    zero, one = np.uint64(0), np.uint64(1)
    carries[first:n] = zero
    for start in range(first, m, 64):
        stop = min(m, start + 64)
        bit = one
        for i in range(start, stop):
            if query[i] >= 0:
                bits[query[i]] |= bit
            bit <<= one
        row = ~zero
        for j in range(first, n):
            hits = row & bits[token_of[text[j]]]
            total = row + hits
            overflow = total < row
            total += carries[j]
            carries[j] = one if overflow or total < carries[j] else zero
            row = total | (row - hits)
        for i in range(start, stop):
            if query[i] >= 0:
                bits[query[i]] = zero
            if not row & one:
                length += 1
            row >>= one
    return length


@compiled("float64(int64, int64, int64)")
def f1(common: int, m: int, n: int) -> float:
    """`rouge_score`'s own arithmetic, which lands on either side of the exact fraction."""
    if common == 0:
        return 0.0
    precision = common / m
    recall = common / n
    return 2 * precision * recall / (precision + recall)


@compiled("int64(uint64)")
def _ones(word: np.uint64) -> int:
    """How many bits are set; LLVM knows this pattern and makes one instruction of it."""
    x = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled("boolean(int64, int64, float64, table, int64, words)")
def _possible(m: int, n: int, bar: float, sketches: Words, position: int, sketch: Words) -> bool:
    """Whether lengths and sketches leave it open that a query and a text reach `bar`.

    Every bit that only the text has set stands for at least one element that only the text has.
    """
    need = (m + n) * bar * 0.5 * SLACK
    alien = _ones(sketches[position, 0] & ~sketch[0]) + _ones(sketches[position, 1] & ~sketch[1])
    return m >= need and n - alien >= need


@compiled("float64(ints, ints, float64, ints, flags, words, words)")
def _score(query: Ints, text: Ints, bar: float, token_of: Ints, asked: Flags, bits: Words, carries: Words) -> float:
    """The F1 of a query, whose elements are `asked`, and a text; or -1 once it is certain to be below `bar`."""
    m, n = query.size, text.size
    spare = n - (m + n) * bar * 0.5 * SLACK
    for j in range(n):
        if not asked[text[j]]:
            spare -= 1
            if spare < 0:
                return -1.0
    return f1(lcs(query, text, token_of, bits, carries), m, n)


@compiled(
    "int64(int64, words, ints, float64, int64, longs, table,"
    " table, ints, ints, longs, longs, ints, ints, longs, int64, ints)"
)
def candidates(
    m: int,
    sketch: Words,
    ranks: Ints,
    threshold: float,
    texts: int,
    starts: Longs,
    sketches: Words,
    slot_sketches: Words,
    lengths: Ints,
    order: Ints,
    no_longer: Longs,
    bounds: Longs,
    slots: Ints,
    reach: Ints,
    seen: Longs,
    turn: int,
    found: Ints,
) -> int:
    """Write to `found` the positions of all texts that may match a query of m tokens; return how many there are.

    `ranks` are those of the query's elements, ascending, and negative for those that are in no indexed text.
    """
    least = m * threshold / (2 - threshold) * SLACK
    count = 0
    for i in range(m):
        if ranks[i] < 0:
            continue
        # the longest match that this element can be the first shared one of
        longest = 2 * (m - i) / (threshold * SLACK) - m
        if longest < least:
            break
        end = no_longer[int(min(longest, no_longer.size - 1))]
        for entry in range(bounds[ranks[i]], bounds[ranks[i] + 1]):
            slot = slots[entry]
            if slot >= end:
                break
            if reach[entry] < m or seen[slot] == turn:
                continue
            if _possible(m, lengths[slot], threshold, slot_sketches, slot, sketch):
                seen[slot] = turn
                found[count] = order[slot]
                count += 1
    for position in range(order.size, texts):
        if _possible(m, starts[position + 1] - starts[position], threshold, sketches, position, sketch):
            found[count] = position
            count += 1
    return count


@compiled("int64(ints, ints, words, float64, ints, ints, longs, table, ints, flags, words, words, longs, floats)")
def best(
    query: Ints,
    elements: Ints,
    sketch: Words,
    floor: float,
    found: Ints,
    stream: Ints,
    starts: Longs,
    sketches: Words,
    token_of: Ints,
    asked: Flags,
    bits: Words,
    carries: Words,
    top: Longs,
    scores: Floats,
) -> int:
    """Fill `top` and `scores` with the best of the texts at `found`, best first and the earliest of equals first.

    Only scores above `floor` count. Returns how many there are. `asked` holds False everywhere, before and after.
    """
    m = query.size
    for i in range(m):
        if elements[i] >= 0:
            asked[elements[i]] = True
    filled = 0
    for position in found:
        n = starts[position + 1] - starts[position]
        bar = scores[filled - 1] if filled == top.size else max(floor, 0.0)
        if not _possible(m, n, bar, sketches, position, sketch):
            continue
        text = stream[starts[position] : starts[position + 1]]
        f = _score(query, text, bar, token_of, asked, bits, carries)
        if f <= floor:
            continue
        place = filled
        while place > 0 and (scores[place - 1] < f or (scores[place - 1] == f and top[place - 1] > position)):
            place -= 1
        if place == top.size:
            continue
        filled = min(filled + 1, top.size)
        for i in range(filled - 1, place, -1):
            scores[i] = scores[i - 1]
            top[i] = top[i - 1]
        scores[place] = f
        top[place] = position
    for i in range(m):
        if elements[i] >= 0:
            asked[elements[i]] = False
    return filled


@compiled("int64(ints, ints, words, float64, ints, ints, longs, table, ints, flags, words, words, floats)")
def above(
    query: Ints,
    elements: Ints,
    sketch: Words,
    floor: float,
    found: Ints,
    stream: Ints,
    starts: Longs,
    sketches: Words,
    token_of: Ints,
    asked: Flags,
    bits: Words,
    carries: Words,
    scores: Floats,
) -> int:
    """Leave in `found` the texts that score above `floor`, with their `scores`; return how many there are.

    `asked` holds False everywhere, before and after.
    """
    m = query.size
    for i in range(m):
        if elements[i] >= 0:
            asked[elements[i]] = True
    kept = 0
    for position in found:
        n = starts[position + 1] - starts[position]
        if _possible(m, n, floor, sketches, position, sketch):
            text = stream[starts[position] : starts[position + 1]]
            f = _score(query, text, floor, token_of, asked, bits, carries)
            if f > floor:
                found[kept] = position
                scores[kept] = f
                kept += 1
    for i in range(m):
        if elements[i] >= 0:
            asked[elements[i]] = False
    return kept


@compiled("int64(ints, longs, ints, ints, float64, longs, longs, ints, ints, ints)")
def index(
    stream: Ints,
    starts: Longs,
    order: Ints,
    rank: Ints,
    threshold: float,
    bounds: Longs,
    cursor: Longs,
    slots: Ints,
    reach: Ints,
    places: Ints,
) -> int:
    """List, by the rank of each element, the slots it is indexed for, ascending; return how many entries that makes.

    Before, `bounds` and `cursor` say where the slots of a rank would begin if all were listed;
    afterwards `bounds` says where they do. `places` holds 0 for every slot.
    """
    for slot in range(order.size):
        for j in range(starts[order[slot]], starts[order[slot] + 1]):
            r = rank[stream[j]]
            slots[cursor[r]] = slot
            cursor[r] += 1
    kept = 0
    for r in range(bounds.size - 1):
        first, last = bounds[r], bounds[r + 1]
        bounds[r] = kept
        for entry in range(first, last):
            slot = slots[entry]
            n = starts[order[slot] + 1] - starts[order[slot]]
            rest = n - places[slot]  # ranks come in order, so every text's elements do too
            places[slot] += 1
            if rest >= n * threshold / (2 - threshold) * SLACK:
                slots[kept] = slot
                reach[kept] = min(2 * rest / (threshold * SLACK) - n, 2.0**31 - 1)
                kept += 1
    bounds[bounds.size - 1] = kept
    return kept
