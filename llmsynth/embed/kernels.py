"""The compiled loop of the static embedder."""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import Ints, Longs, Shorts, compiled


@compiled("void(ints, longs, shorts, totals)")
def sums(tokens: Ints, ends: Longs, table: Shorts, totals: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> None:
    """Add to each row of `totals` the rows of `table` for its tokens; text i has those up to ends[i]."""
    start = 0
    for i in range(ends.size):
        for j in range(start, ends[i]):
            for k in range(table.shape[1]):
                totals[i, k] += table[tokens[j], k]
        start = ends[i]
