"""The compiled loops of the map: the nearest vectors of each, and the layout of the graph they make."""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Floats, Ints, Singles, Totals, compiled


@compiled("void(matrix, int64, totals, matrix)")
def nearest(cosines: Singles, first: int, places: Totals, best: Singles) -> None:
    """Write the places and the cosines of the largest numbers of each row, but its own: row 0 is vector `first`.

    Largest first; of equals, the first.
    """
    width = places.shape[1]
    for row in range(cosines.shape[0]):
        filled = 0
        for place in range(cosines.shape[1]):
            cosine = cosines[row, place]
            if (filled == width and cosine <= best[row, width - 1]) or place == first + row:
                continue
            filled = min(filled + 1, width)
            at = filled - 1
            while at > 0 and best[row, at - 1] < cosine:
                best[row, at] = best[row, at - 1]
                places[row, at] = places[row, at - 1]
                at -= 1
            best[row, at] = cosine
            places[row, at] = np.int32(place)


@compiled("void(matrix, ints, ints, floats, int64)")
def arrange(points: Singles, heads: Ints, tails: Ints, every: Floats, epochs: int) -> None:
    """Move points so that those joined by an edge come together and others part, by stochastic gradient descent.

    This is the layout of UMAP (McInnes et al., 2018, algorithm 5), with 1 / (1 + 1.6 d^2) for its curve, whose exponent
    of 0.9 would cost two powers a step. Edge i is pulled each `every[i]` epochs, and pushes five points drawn at
    random. One thread and a generator of its own: the same edges give the same map.
    """
    steepness, pushes = np.float32(1.6), 5
    most = np.float32(4.0)  # that a coordinate moves by in a step, before the rate
    count = np.uint64(points.shape[0])
    state = np.uint64(88172645463325252)
    due = every.copy()
    for epoch in range(epochs):
        rate = np.float32(1.0 - epoch / epochs)
        for edge in range(heads.size):
            if due[edge] > epoch:
                continue
            due[edge] += every[edge]
            i, j = heads[edge], tails[edge]
            x, y = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            pull = np.float32(-2.0) * steepness / (np.float32(1.0) + steepness * (x * x + y * y))
            x = rate * min(most, max(-most, pull * x))
            y = rate * min(most, max(-most, pull * y))
            points[i, 0] += x
            points[i, 1] += y
            points[j, 0] -= x
            points[j, 1] -= y
            for _ in range(pushes):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                k = np.int64(state % count)
                if k == i:
                    continue
                x, y = points[i, 0] - points[k, 0], points[i, 1] - points[k, 1]
                square = x * x + y * y
                push = np.float32(2.0) / ((np.float32(0.001) + square) * (np.float32(1.0) + steepness * square))
                points[i, 0] += rate * min(most, max(-most, push * x))
                points[i, 1] += rate * min(most, max(-most, push * y))
