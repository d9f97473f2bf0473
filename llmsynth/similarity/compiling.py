"""How the loops of this package are compiled, and the arrays they work on.

Signatures are spelled out, so that everything is compiled (or read from numba's cache) when a module of
kernels is imported and no call can compile again for slightly different types.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Shorts = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Halfwords = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

_ARRAYS = {
    "bytes": "uint8[::1]",
    "shorts": "int16[:,::1]",
    "ints": "int32[::1]",
    "longs": "int64[::1]",
    "singles": "float32[::1]",
    "matrix": "float32[:,::1]",
    "floats": "float64[::1]",
    "halfwords": "uint32[::1]",
    "words": "uint64[::1]",
    "flags": "boolean[::1]",
    "table": "uint64[:,::1]",
    "totals": "int32[:,::1]",
}

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(signature: str) -> Callable[[Kernel], Kernel]:
    """Compile now, through numba's disk cache where there is a folder to write it to."""
    for name, exact in _ARRAYS.items():
        signature = re.sub(rf"\b{name}\b", exact, signature)

    def compile_kernel(kernel: Kernel) -> Kernel:
        try:
            made: Kernel = numba.njit(signature, cache=True, error_model="numpy", nogil=True)(kernel)
        except (RuntimeError, OSError):  # numba's words for "no such folder" and "its disk is full"
            made = numba.njit(signature, error_model="numpy", nogil=True)(kernel)
        return made

    return compile_kernel


def room(array: npt.NDArray[Any], size: int, fill: int = 0) -> npt.NDArray[Any]:
    """The array itself, or a copy with room for at least `size` items and some to come."""
    if size <= len(array):
        return array
    shape = (max(size, len(array) * 3 // 2, 16), *array.shape[1:])
    # zeros take memory only once they are written to
    grown = np.full(shape, fill, array.dtype) if fill else np.zeros(shape, array.dtype)
    grown[: len(array)] = array
    return grown
