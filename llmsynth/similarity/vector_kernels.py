"""The compiled loops of the vector pool; `llmsynth.similarity.vectors` says what they are for.

All sums are of integers of 32 bits, which cannot overflow: a vector is at most 32,768 long, so a product of two, and
by the Cauchy-Schwarz inequality each part of it, stays below 2^31. The casts keep the compiler from widening.
"""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Floats, Ints, Longs, Shorts, Singles, compiled

HEAD = 64  # known when the loop is compiled, which makes it twice as fast


@compiled("int64(shorts, singles, shorts, singles, float64, ints, ints)")
def passing(
    heads: Shorts, tails: Singles, pool: Shorts, pool_tails: Singles, bar: float, rows: Ints, places: Ints
) -> int:
    """Write to `rows` and `places` all pairs of a row and one of the pool that may reach `bar`; return their number.

    Of a pair, the heads' product and the product of the tails' lengths bound the product of the whole vectors.
    """
    count = 0
    for place in range(pool.shape[0]):
        other = pool[place]
        for row in range(heads.shape[0]):
            head = heads[row]
            total = np.int32(0)
            for k in range(HEAD):
                total = np.int32(total + np.int32(np.int32(head[k]) * np.int32(other[k])))
            if total >= bar - tails[row] * pool_tails[place]:
                rows[count] = row
                places[count] = place
                count += 1
    return count


@compiled("int32(shorts, int64, shorts, int64)")
def product(a: Shorts, i: int, b: Shorts, j: int) -> np.int32:
    """The product of row i of `a` and row j of `b`."""
    total = np.int32(0)
    one, other = a[i], b[j]
    for k in range(one.size):
        total = np.int32(total + np.int32(np.int32(one[k]) * np.int32(other[k])))
    return total


@compiled("void(shorts, floats)")
def squares(vectors: Shorts, out: Floats) -> None:
    """Write the product of every row with itself."""
    for i in range(vectors.shape[0]):
        out[i] = product(vectors, i, vectors, i)


@compiled("void(shorts, floats, shorts, floats, longs, longs, floats)")
def cosines(
    block: Shorts, block_squares: Floats, pool: Shorts, pool_squares: Floats, rows: Longs, places: Longs, out: Floats
) -> None:
    """Write the cosine of each pair of a row of the block and one of the pool: 1 for equal vectors, less for others."""
    below_one = 1 - 2.0**-53
    for i in range(rows.size):
        row, place = rows[i], places[i]
        total = product(block, row, pool, place)
        lengths = block_squares[row] * pool_squares[place]
        if lengths == 0.0:
            out[i] = -1.0
            continue
        out[i] = total / np.sqrt(lengths)
        if out[i] >= below_one:
            equal = True
            for k in range(block.shape[1]):
                equal &= block[row, k] == pool[place, k]
            out[i] = 1.0 if equal else below_one


@compiled("void(shorts, shorts, longs, longs)")
def nearest_centres(vectors: Shorts, centres: Shorts, top: Longs, out: Longs) -> None:
    """Write the numbers of the nearest centres of each vector, best first, the first of equals first.

    `out` holds them vector by vector, as many of each as `top`, scratch space, is long.
    """
    width = top.size
    for i in range(vectors.shape[0]):
        filled = 0
        for c in range(centres.shape[0]):
            score = np.int64(product(vectors, i, centres, c))
            place = filled
            while place > 0 and top[place - 1] < score:
                place -= 1
            if place == width:
                continue
            filled = min(filled + 1, width)
            for k in range(filled - 1, place, -1):
                top[k] = top[k - 1]
                out[i * width + k] = out[i * width + k - 1]
            top[place] = score
            out[i * width + place] = c
