"""Data inside a page: deflated, in base64, in script elements that no browser runs, so that nothing has to be escaped.

The page inflates a blob when it needs it, by the browser's own DecompressionStream.
"""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy.typing as npt
import orjson

from llmsynth.column_types import json_text

_CHUNK_BYTES = 400_000  # of lines inflated together: some milliseconds in a browser
_CHUNK_LINES = 256
_LEVEL = 6
_SAMPLE_BYTES = 4_000_000


class Blobs:
    """Writes blobs to a file, each under a name; `size` counts what they take in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def add(self, name: str, data: bytes) -> None:
        coded = base64.b64encode(zlib.compress(data, _LEVEL))
        blob = b'<script type="application/octet-stream" id="data-%s">%s</script>\n' % (name.encode(), coded)
        self.size += self._file.write(blob)

    def add_json(self, name: str, value: Any) -> None:
        self.add(name, json_bytes(value))

    def add_arrays(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> list[list[Any]]:
        """Several arrays as one blob, little-endian; returns the name, type and length of each."""
        kept = {key: values.astype(values.dtype.newbyteorder("<")) for key, values in arrays.items()}
        # the widest first, so that each begins where its type may
        order = sorted(kept, key=lambda key: -kept[key].dtype.itemsize)
        self.add(name, b"".join(kept[key].tobytes() for key in order))
        return [[key, kept[key].dtype.name, kept[key].size] for key in order]


class Lines:
    """Lines in blobs of some hundred each, numbered from 0. `starts`: the number of the first line of each blob."""

    def __init__(self, blobs: Blobs, name: str) -> None:
        self._blobs = blobs
        self._name = name
        self._waiting: list[bytes] = []
        self._bytes = 0
        self.starts = array("I")
        self.count = 0

    def add(self, line: bytes) -> None:
        self._waiting.append(line)
        self._bytes += len(line)
        self.count += 1
        if len(self._waiting) == _CHUNK_LINES or self._bytes >= _CHUNK_BYTES:
            self.close()

    def close(self) -> None:
        if self._waiting:
            self._blobs.add(f"{self._name}-{len(self.starts)}", b"\n".join(self._waiting))
            self.starts.append(self.count - len(self._waiting))
            self._waiting, self._bytes = [], 0


def json_bytes(value: Any) -> bytes:
    """As JSON on one line: what is half a character is escaped, what is no number null."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json_text(value).encode()


def coded_share(lines: Iterable[bytes], usual: float = 0.4) -> float:
    """Bytes that a page needs for a byte of such lines, by compressing a few million of them."""
    chunks: list[list[bytes]] = [[]]
    total = size = 0
    for line in lines:
        if total >= _SAMPLE_BYTES:
            break
        chunks[-1].append(line)
        total += len(line)
        size += len(line)
        if len(chunks[-1]) == _CHUNK_LINES or size >= _CHUNK_BYTES:
            chunks.append([])
            size = 0
    coded = sum(len(zlib.compress(b"\n".join(chunk), _LEVEL)) for chunk in chunks if chunk)
    return coded * 4 / 3 / total if total else usual
