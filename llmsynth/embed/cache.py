"""Vectors on disk: a text that was embedded once is not embedded again, in this run or after a crash."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from llmsynth.embed import Embedder
from llmsynth.embed.account import Account
from llmsynth.errors import BackendError, StorageError
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Shorts

_KEY_BYTES = 16


class Vectors:
    """The fixed vectors (`llmsynth.similarity.vectors`) of texts, from an embedder or from a file of an earlier call.

    folder: where the file is, one for each identity of an embedder; None keeps nothing, and neither does an embedder
        that says it is not `costly`.

    The file has a line of JSON that says what is in it, then for each text 16 bytes that stand for it and 2 bytes for
    each dimension. They are 16-bit integers because those, not the floats that a model gives, are what is compared: a
    vector read from the file gives the very decisions that the new one gave. They take half of what floats take, and
    8 bits would move a cosine by about 0.003. A killed run loses at most the vectors of one batch. In memory,
    about 100 bytes are held for each text in the file.

    account: where what an endpoint costs is counted.
    """

    def __init__(self, embedder: Embedder, folder: Path | None, account: Account | None = None) -> None:
        self._embedder = embedder
        self._account = account
        self._path = place_of(embedder, folder) if folder and embedder.costly else None
        self._dimensions = 0
        self._places: dict[bytes, int] = {}
        self._held = 0  # vectors in the file
        if self._path is not None:
            self._open(self._path)

    async def of(self, texts: Sequence[str]) -> Shorts:
        """One row per text, in order. Raises `BackendError`, or `StorageError` where they could not be kept."""
        keys = [bytes.fromhex(fingerprint(text)) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._places}
        found = self._read([key for key in dict.fromkeys(keys) if key in self._places])
        if new:
            found |= zip(new, await self._made(list(new), list(new.values())), strict=True)
        return np.ascontiguousarray([found[key] for key in keys], np.int16).reshape(len(keys), -1)

    async def _made(self, keys: list[bytes], texts: list[str]) -> Shorts:
        """New vectors, kept by the time they are returned; those of an endpoint as each request is answered."""
        if self._account is None:
            vectors = self._fixed(await self._embedder.embed(texts), len(texts))
            self._append(keys, vectors)
            return vectors
        embedder: Any = self._embedder
        vectors = self._fixed(await embedder.embed(texts, _Payer(self, self._account, keys, texts)), len(texts))
        rest = [place for place, key in enumerate(keys) if key not in self._places]  # empty texts: nobody was asked
        self._append([keys[place] for place in rest], vectors[rest])
        return vectors

    def _fixed(self, rows: Any, count: int) -> Shorts:
        from llmsynth.similarity.vectors import fixed

        if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
            raise BackendError(
                f"{self._embedder.identity} gave no vectors: shape {rows.shape} for {count} texts",
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
        return vectors

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
            if self._account is not None:
                whole = min(whole, self._account.held)
            self._held = whole
            for number in range(whole):
                at = number * width
                self._places.setdefault(rows[at : at + _KEY_BYTES], start + at + _KEY_BYTES)
            if len(rows) > whole * width:
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
        if self._path is None or not keys:
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
        self._held += len(keys)
        for number, key in enumerate(keys):
            self._places[key] = end + number * self._width + _KEY_BYTES


@dataclass(frozen=True, slots=True)
class _Payer:
    """Keeps the vectors of each request, and counts what it cost."""

    vectors: Vectors
    account: Account
    keys: Sequence[bytes]
    texts: Sequence[str]

    def begin(self) -> None:
        self.account.begin()

    def answered(self, places: Sequence[int], rows: Any, tokens: int | None) -> None:
        kept = self.vectors
        kept._append([self.keys[place] for place in places], kept._fixed(rows, len(places)))
        self.account.paid([self.texts[place] for place in places], tokens, kept._held)


def place_of(embedder: Embedder, folder: Path) -> Path:
    """The file of an embedder's vectors."""
    return folder / f"{fingerprint(embedder.identity)[:16]}.bin"


def _about(line: bytes) -> dict[str, Any]:
    try:
        about = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return about if isinstance(about, dict) and isinstance(about.get("dimensions"), int) else {}


def _refused(path: Path, error: OSError) -> StorageError:
    why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
    return StorageError(f"cannot keep vectors in {path}: {why}", "make room and run the same command again")
