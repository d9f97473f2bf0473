"""Vectors on disk: a text that was embedded once is not embedded again, in this run or after a crash."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from llmsynth.embed import AskingEmbedder, Embedder
from llmsynth.embed.metering import Meter
from llmsynth.errors import BackendError, StorageError
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Shorts

_KEY_BYTES = 16


class Vectors:
    """The fixed vectors (`llmsynth.similarity.vectors`) of texts, from an embedder or from a file of an earlier call.

    meter: counts what vectors from an endpoint cost. Caps are looked at before each call, and overshot by one at most.
    folder: where the file is, one for each identity of an embedder; None keeps nothing, and neither does an embedder
        that says it is not `costly`.

    The file has a line of JSON that says what is in it, then for each text 16 bytes that stand for it and 2 bytes for
    each dimension. They are 16-bit integers because those, not the floats that a model gives, are what is compared: a
    vector read from the file gives the very decisions that the new one gave. They take half of what floats take, and
    8 bits would move a cosine by about 0.003. A killed run loses at most the vectors of one batch. In memory,
    about 100 bytes are held for each text in the file.
    """

    def __init__(self, embedder: Embedder, folder: Path | None, meter: Meter | None = None) -> None:
        self._embedder = embedder
        self._meter = meter if isinstance(embedder, AskingEmbedder) else None
        if isinstance(embedder, AskingEmbedder):
            embedder.meter = meter
        self._path = folder / f"{fingerprint(embedder.identity)[:16]}.bin" if folder and embedder.costly else None
        self._dimensions = 0
        self._places: dict[bytes, int] = {}
        if self._path is not None:
            self._open(self._path)
        self._uncounted = set(self._places) if self._meter else set[bytes]()  # paid for before, and not met so far

    async def of(self, texts: Sequence[str]) -> Shorts:
        """One row per text, in order. Raises `BackendError`, or `StorageError` where they could not be kept."""
        from llmsynth.similarity.vectors import fixed

        keys = [bytes.fromhex(fingerprint(text)) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._places}
        found = self._read([key for key in dict.fromkeys(keys) if key in self._places])
        if self._meter and self._uncounted:
            self._count(self._meter, dict(zip(keys, texts, strict=True)))
        if new:
            if self._meter:
                self._meter.budget.check()
            rows = await self._embedder.embed(list(new.values()))
            if rows.ndim != 2 or len(rows) != len(new) or not np.isfinite(rows).all():
                raise BackendError(
                    f"{self._embedder.identity} gave no vectors: shape {rows.shape} for {len(new)} texts",
                    "an embedder gives one row of numbers for each text",
                )
            vectors = fixed(rows)
            if self._dimensions not in (0, vectors.shape[1]):
                raise BackendError(
                    f"{self._embedder.identity} gave vectors of {vectors.shape[1]} numbers after some of"
                    f" {self._dimensions}",
                    "the model behind the name has changed: name it otherwise, or use a new directory",
                )
            self._dimensions = vectors.shape[1]
            self._append(list(new), vectors)
            found |= zip(new, vectors, strict=True)
        return np.ascontiguousarray([found[key] for key in keys], np.int16).reshape(len(keys), -1)

    def _count(self, meter: Meter, texts: Mapping[bytes, str]) -> None:
        """Note those of the texts that an earlier process has paid for, each once."""
        found = self._uncounted & texts.keys()
        self._uncounted -= found
        assert isinstance(self._embedder, AskingEmbedder)  # others have no meter
        known = [text for key, text in texts.items() if key in found]
        meter.found(known, self._embedder.batch, self._embedder.price)

    def _open(self, path: Path) -> None:
        """Learn what the file holds; cut a torn end off, put away a file that is no such."""
        try:
            data = path.read_bytes() if path.is_file() else b""
            head, newline, rows = data.partition(b"\n")
            about = _about(head) if newline else {}
            if about.get("identity") != self._embedder.identity:
                path.unlink(missing_ok=True)
                return
            self._dimensions = int(about["dimensions"])
            start, width = len(head) + 1, self._width
            whole = len(rows) // width
            for number in range(whole):
                at = number * width
                self._places.setdefault(rows[at : at + _KEY_BYTES], start + at + _KEY_BYTES)
            if len(rows) % width:
                os.truncate(path, start + whole * width)
        except OSError as error:
            raise _refused(path, error) from error

    @property
    def _width(self) -> int:
        return _KEY_BYTES + 2 * self._dimensions

    def _read(self, keys: list[bytes]) -> dict[bytes, Any]:
        if not keys or self._path is None:
            return {}
        size = 2 * self._dimensions
        try:
            with self._path.open("rb") as file:
                return {key: np.frombuffer(os.pread(file.fileno(), size, self._places[key]), "<i2") for key in keys}
        except OSError as error:
            raise _refused(self._path, error) from error

    def _append(self, keys: list[bytes], vectors: Shorts) -> None:
        if self._path is None:
            return
        rows = vectors.astype("<i2")
        data = b"".join(key + row.tobytes() for key, row in zip(keys, rows, strict=True))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                end = file.tell()
                if end == 0:
                    about = {"identity": self._embedder.identity, "dimensions": self._dimensions}
                    end = file.write(orjson.dumps(about, option=orjson.OPT_APPEND_NEWLINE))
                file.write(data)
        except OSError as error:
            raise _refused(self._path, error) from error
        for number, key in enumerate(keys):
            self._places[key] = end + number * self._width + _KEY_BYTES


def _about(line: bytes) -> dict[str, Any]:
    try:
        about = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return about if isinstance(about, dict) and isinstance(about.get("dimensions"), int) else {}


def _refused(path: Path, error: OSError) -> StorageError:
    why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
    return StorageError(f"cannot keep vectors in {path}: {why}", "make room and run the same command again")
