"""The compiled loops of selection; `llmsynth.similarity.selection` says what they are for.

**Two precisions.** A similarity that decides is a dot product of float32 rows, summed in float64 in one order for all
rows, so equal rows tie exactly. Before it is worked out, the product of the rows rounded to integers of 16 bits tells,
ten times as fast, whether it can matter: rounding moves it by `slack` at most.

**Laziness.** What a row is worth can only fall as more rows are chosen, so a value worked out earlier is a bound from
above. The rows stand in a heap by their bounds, the greatest first, the earlier of equals. The first of them is
brought up to date; if it stays first it is the one that the plain algorithm, which updates all of them, would choose.
"""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Floats, Ints, Longs, Shorts, Singles, compiled
from llmsynth.similarity.vector_kernels import product


@compiled("float64(float32[:,::1], int64, int64)")
def exact(rows: Singles, i: int, j: int) -> float:
    """The product of rows i and j. Four sums side by side, as one would wait for each addition."""
    one, other = rows[i], rows[j]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    k = 0
    while k + 4 <= one.size:
        a += np.float64(one[k]) * np.float64(other[k])
        b += np.float64(one[k + 1]) * np.float64(other[k + 1])
        c += np.float64(one[k + 2]) * np.float64(other[k + 2])
        d += np.float64(one[k + 3]) * np.float64(other[k + 3])
        k += 4
    while k < one.size:
        a += np.float64(one[k]) * np.float64(other[k])
        k += 1
    return (a + b) + (c + d)


@compiled("boolean(int64, int64, floats)")
def _before(one: int, other: int, value: Floats) -> bool:
    return bool(value[one] > value[other] or (value[one] == value[other] and one < other))


@compiled("void(longs, floats, int64, int64)")
def sift(heap: Longs, value: Floats, place: int, size: int) -> None:
    """Let the row at a place of the heap sink below those of greater value, or of the same value and earlier."""
    row = heap[place]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and _before(heap[other], heap[child], value):
            child = other
        if not _before(heap[child], row, value):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = row


@compiled("void(longs, floats)")
def heapify(heap: Longs, value: Floats) -> None:
    """Make a heap of all rows."""
    for place in range(heap.size):
        heap[place] = place
    for place in range(heap.size // 2 - 1, -1, -1):
        sift(heap, value, place, heap.size)


@compiled("int64(float32[:,::1], shorts, float64, float64, floats, float64, longs)")
def spread(rows: Singles, small: Shorts, unit: float, slack: float, worth: Floats, weight: float, chosen: Longs) -> int:
    """Choose, again and again, the row of greatest worth less `weight` times its greatest similarity to a chosen one.

    The first is the one of greatest worth. `unit` is what a similarity of 1 is among products of `small`.
    Returns how many similarities were worked out in full.
    """
    count, size, wanted = rows.shape[0], rows.shape[0], chosen.size
    near = np.full(count, -2.0)  # below any similarity
    seen = np.zeros(count, np.int64)
    value = worth + 2.0 * weight  # a bound from above, as no similarity is below -1
    if count:
        value[np.argmax(worth)] = np.inf
    heap = np.empty(count, np.int64)
    heapify(heap, value)
    picked = np.empty((wanted, small.shape[1]), np.int16)
    made, worked = 0, 0
    while made < wanted:
        row = heap[0]
        second = heap[1] if size > 1 else row
        if size > 2 and _before(heap[2], second, value):
            second = heap[2]
        while seen[row] < made:
            bar = (near[row] - slack) * unit
            if product(small, row, picked, seen[row]) > bar:
                worked += 1
                similarity = exact(rows, row, chosen[seen[row]])
                if similarity > near[row]:
                    near[row] = similarity
                    value[row] = worth[row] - weight * similarity
                    if second != row and _before(second, row, value):
                        seen[row] += 1
                        break
            seen[row] += 1
        if seen[row] == made and (second == row or not _before(second, row, value)):
            chosen[made] = row
            picked[made] = small[row]
            made += 1
            size -= 1
            heap[0] = heap[size]
        sift(heap, value, 0, size)
    return worked


@compiled("int64(float32[:,::1], shorts, float64, float64, float64, longs, longs, floats)")
def accept(
    rows: Singles,
    small: Shorts,
    unit: float,
    slack: float,
    threshold: float,
    chosen: Longs,
    against: Longs,
    similarity: Floats,
) -> int:
    """Choose rows in their order, but none more similar than `threshold` to a chosen one; return how many.

    Of a row that was passed over, `against` tells the first chosen row that is too similar, and `similarity` how much.
    """
    picked = np.empty((chosen.size, small.shape[1]), np.int16)
    bar = (threshold - slack) * unit
    made = 0
    for row in range(rows.shape[0]):
        if made == chosen.size:
            break
        for place in range(made):
            if product(small, row, picked, place) <= bar:
                continue
            found = exact(rows, row, chosen[place])
            if found > threshold:
                against[row] = chosen[place]
                similarity[row] = found
                break
        if against[row] < 0:
            chosen[made] = row
            picked[made] = small[row]
            made += 1
    return made


@compiled("float64(int64, longs, ints, ints, ints)")
def _gain(row: int, starts: Longs, members: Ints, similarities: Ints, best: Ints) -> float:
    total = np.int64(0)
    for place in range(starts[row], starts[row + 1]):
        more = np.int64(similarities[place]) - np.int64(best[members[place]])
        if more > 0:
            total += more
    return float(total)


@compiled("void(longs, ints, ints, longs)")
def cover(starts: Longs, members: Ints, similarities: Ints, chosen: Longs) -> None:
    """Choose, again and again, what adds most to the sum over all rows of their best similarity to a chosen one.

    Row j counts for the rows members[starts[j]:starts[j + 1]], with the similarities of the same places.
    Sums are of integers, below 2^53, so they come out the same in any order.
    """
    count = starts.size - 1
    best = np.zeros(count, np.int32)
    value = np.zeros(count, np.float64)
    fresh = np.full(count, -1, np.int64)
    for row in range(count):
        value[row] = _gain(row, starts, members, similarities, best)
    heap = np.empty(count, np.int64)
    heapify(heap, value)
    size, made = count, 0
    fresh[:] = 0
    while made < chosen.size:
        row = heap[0]
        if fresh[row] < made:
            value[row] = _gain(row, starts, members, similarities, best)
            fresh[row] = made
        else:
            for place in range(starts[row], starts[row + 1]):
                best[members[place]] = max(best[members[place]], similarities[place])
            chosen[made] = row
            made += 1
            size -= 1
            heap[0] = heap[size]
        sift(heap, value, 0, size)


@compiled("void(float32[:,::1], int64, int32[:,::1], float32[:,::1])")
def strongest(block: Singles, first: int, places: Ints, values: Singles) -> None:
    """Write the places and values of the greatest numbers of each row, the earliest of equals, in no order.

    Row r of the block belongs to place `first` + r, which is always among them. The least number found so far stands
    on top of a heap, so that nearly all others are passed over by one comparison.
    """
    wanted = places.shape[1]
    for row in range(block.shape[0]):
        numbers = block[row]
        place, value = places[row], values[row]
        own = first + row
        size = 1
        place[0], value[0] = own, np.float32(np.inf)
        for column in range(numbers.size):
            number = numbers[column]
            if (size == wanted and number <= value[0]) or column == own:
                continue
            if size < wanted:  # rise from the end
                child = size
                size += 1
                while child > 0 and value[(child - 1) // 2] > number:
                    value[child], place[child] = value[(child - 1) // 2], place[(child - 1) // 2]
                    child = (child - 1) // 2
            else:  # sink from the top
                child = 0
                while True:
                    below = 2 * child + 1
                    if below >= size:
                        break
                    if below + 1 < size and value[below + 1] < value[below]:
                        below += 1
                    if value[below] >= number:
                        break
                    value[child], place[child] = value[below], place[below]
                    child = below
            value[child], place[child] = number, column
        for k in range(size):
            value[k] = numbers[place[k]]
