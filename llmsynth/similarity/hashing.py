"""The hash that the compiled loops share."""

from __future__ import annotations

import numpy as np

from llmsynth.similarity.compiling import compiled


@compiled("uint64(uint64)")
def mixed(x: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of x."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
