"""The journal: every completion on disk before anyone sees it.

One append-only file of JSON lines, `journal.jsonl`. A completion is released to its consumer once
its line has been written, so a killed process loses nothing it had used; all completions that land
in one tick of the event loop share a write. The file is flushed to the disk itself every two
seconds and on closing, for the sake of power cuts.

A line begins `{"key":"<32 hex digits>"`. A request that failed leaves a line that begins `{"failed":`:
evidence for people, invisible to the next run, which asks again.

Deviation from the first sketch of the design, which had SQLite here: a torn log loses exactly the
torn lines and needs no repair tool, can be read with any editor, and takes half the time per row.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import mmap
import os
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from llmsynth.errors import RunError, StorageError, holds_key
from llmsynth.request import Completion, Request

log = logging.getLogger(__name__)

_PREFIX = b'{"key":"'
_KEY_LENGTH = 32
_SYNC_SECONDS = 2.0


class Journal:
    """The completions of one run directory, by key.

    Keys found on opening are held as 16 bytes each, whatever the size of the answers; those written
    since are not, because a key is asked for once in a run.

    secrets: what is never written, by the name of the variable that holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.secrets: dict[str, bytes] = {}
        self._buffer: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._synced = time.monotonic()
        self._broken: StorageError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot open {path}: {error.strerror}", "choose a directory you can write to"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise RunError(f"{path.parent} is in use by another llmsynth process", "wait for it, or stop it") from error
        self.torn = 0
        self._keys, self._offsets, self._end = self._scan()
        self._found = mmap.mmap(self._fd, self._end, prot=mmap.PROT_READ) if self._end else None

    def __len__(self) -> int:
        """Completions found on opening."""
        return len(self._keys)

    def get(self, key: str, request: Request | None = None, model: str = "") -> Completion | None:
        """The completion stored under a key when the journal was opened, if any; `model` answered `request` with it."""
        short = int(key[:16], 16)
        position = bisect_left(self._keys, short)
        while position < len(self._keys) and self._keys[position] == short:
            entry = self._read(self._offsets[position])
            if entry is None:
                self.torn += 1
                log.warning("%s: the answer %s is damaged, and will be asked for again", self.path, key)
            elif entry.get("key") == key:
                return _completion(entry, request, model)
            position += 1
        return None

    async def append(self, key: str, request: Request, identity: str, completion: Completion) -> None:
        """Write a completion; returns once it is in the file. Raises `StorageError`, or `BackendError` for a secret."""
        entry: dict[str, Any] = {"key": key} if completion.failure is None else {"failed": key}
        entry |= {
            "stage": request.stage,
            "prompt": request.prompt,
            "model": identity,
            "messages": request.messages,
            "sampling": request.sampling.body(),
            "at": round(time.time(), 3),
        }
        if request.schema is not None:
            entry["schema"] = request.schema
        if request.continuations:
            entry["continuations"] = request.continuations
        if completion.failure is not None:
            failure = completion.failure
            entry["failure"] = {"kind": failure.kind, "message": failure.message, "attempts": failure.attempts}
        else:
            entry |= {
                "text": completion.text,
                "finish_reason": completion.finish_reason,
                "usage": [completion.prompt_tokens, completion.completion_tokens],
            }
        if self._broken:
            raise self._broken
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        for variable, secret in self.secrets.items():
            if secret in line:
                raise holds_key("a prompt or an answer", variable, "it was not written anywhere")
        self._buffer.append(line)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append(written)
        await written

    def close(self) -> None:
        """Write what is left, flush it to the disk and release the directory."""
        if self._fd < 0:
            return
        if self._buffer:
            self._commit()
        with contextlib.suppress(OSError):  # the pages are the kernel's by now; a full disk was reported at the write
            os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        if self._found is not None:
            self._found.close()
            self._found = None

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        data = b"".join(self._buffer)
        self._buffer.clear()
        try:
            self._write(data)
        except OSError as error:
            why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
            self._broken = StorageError(
                f"cannot write {self.path}: {why}",
                "make room and run the same command again: everything written so far is kept",
            )
            for written in waiting:
                if not written.done():  # cancelled: its line is in the file all the same
                    written.set_exception(self._broken)
            return
        for written in waiting:
            if not written.done():
                written.set_result(None)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, view[written:])
        except OSError:
            os.ftruncate(self._fd, self._end)  # no half line stays behind
            raise
        self._end += len(data)
        now = time.monotonic()
        if now - self._synced > _SYNC_SECONDS:
            self._synced = now
            descriptor = self._fd
            with contextlib.suppress(RuntimeError):  # no loop: closing, which flushes itself
                asyncio.get_running_loop().run_in_executor(None, _sync, descriptor)

    def _scan(self) -> tuple[array[int], array[int], int]:
        """Index every whole line; cut a torn last one off, count damaged ones.

        Whether an answer is damaged inside is seen when it is read: to parse each twice would take as long again.
        """
        keys, offsets = array("Q"), array("q")
        offset = 0
        size = os.fstat(self._fd).st_size
        with open(self._fd, "rb", closefd=False, buffering=1 << 20) as file:
            for line in file:
                start, offset = offset, offset + len(line)
                if not line.endswith(b"}\n") or not (line.startswith(_PREFIX) or _whole(line)):
                    self.torn += 1
                    if not line.endswith(b"\n"):
                        offset = start
                        break
                elif line.startswith(_PREFIX):
                    try:
                        keys.append(int(line[len(_PREFIX) : len(_PREFIX) + 16], 16))
                    except ValueError:
                        self.torn += 1
                        continue
                    offsets.append(start)
        if offset < size:
            os.ftruncate(self._fd, offset)
        if self.torn:
            log.warning(
                "%s: %d torn or damaged line(s) skipped; the answers in them will be asked for again",
                self.path,
                self.torn,
            )
        # stable: of two lines with one key the first counts, as it did for the run that wrote them
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return array("Q", map(keys.__getitem__, order)), array("q", map(offsets.__getitem__, order)), offset

    def _read(self, offset: int) -> dict[str, Any] | None:
        assert self._found is not None  # where there are offsets there are lines
        try:
            entry = orjson.loads(self._found[offset : self._found.find(b"\n", offset)])
        except orjson.JSONDecodeError:
            return None
        return entry if isinstance(entry, dict) else None


def _whole(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _completion(entry: dict[str, Any], request: Request | None, model: str) -> Completion | None:
    """What an entry holds; None for a line that somebody else wrote."""
    try:
        prompt_tokens, completion_tokens = entry["usage"]
        return Completion(
            text=str(entry["text"]),
            finish_reason=str(entry["finish_reason"]),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            key=entry["key"],
            replayed=True,
            request=request,
            model=model,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _sync(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # closed meanwhile: closing flushed it
        os.fsync(descriptor)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole line of a journal, answers and failures, without locking it."""
    with open(path, "rb") as file:
        for line in file:
            with contextlib.suppress(orjson.JSONDecodeError):  # a torn line was reported when the run opened it
                entry = orjson.loads(line)
                if isinstance(entry, dict):
                    yield entry
