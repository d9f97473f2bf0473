"""One rater's ratings: an append-only file of JSON lines, on the disk itself before the page is told so."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from llmsynth.errors import RunError, StorageError

log = logging.getLogger(__name__)

FOLDER = "ratings"
_NAME = re.compile(r"\w(?:[\w .'-]{0,38}[\w])?")
Line = dict[str, Any]


class RatingLog:
    """The file of one rater, held open by one process at a time.

    A line is a study that begins (`{"study": id, "about": ...}`), a rating (`{"study": id, "item": key, ...}`), or its
    withdrawal (`{"study": id, "undo": key}`). A torn last line, of a machine that lost its power, is cut off on
    opening; nothing else is ever changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd, self._locked = -1, False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise StorageError(
                f"cannot open {path}: {error.strerror}", "choose a directory you can write to"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise RunError(
                f"{path.stem} is rating in another llmsynth process", "choose another name, or stop that process"
            ) from error
        self._locked = True
        with open(self._fd, "rb", closefd=False) as file:
            content = file.read()
        self._end = content.rfind(b"\n") + 1
        if self._end < len(content):
            log.warning("%s: a torn last line is cut off", path)
            os.ftruncate(self._fd, self._end)
        self.lines = _parsed(content[: self._end], path)

    def append(self, line: Line) -> None:
        """Write a line through to the disk. Raises `StorageError`, and then the file is as it was."""
        data = memoryview(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
            os.fsync(self._fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)  # no half line stays behind
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full" if full else error.strerror
            raise StorageError(f"cannot write {self.path}: {why}", "make room, then send it again") from error
        self._end += written
        self.lines.append(line)

    def close(self) -> None:
        """Release the file; one without a line, of somebody who only looked in, goes."""
        if self._fd < 0:
            return
        if self._locked and os.fstat(self._fd).st_size == 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._fd)
        self._fd = -1


def read_logs(home: Path) -> dict[str, list[Line]]:
    """The lines of every rater, by name, of ratings that may be under way."""
    found = {}
    for path in sorted((home / FOLDER).glob("*.jsonl")):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
        found[path.stem] = _parsed(content[: content.rfind(b"\n") + 1], path)
    return found


def standing(lines: Iterable[Line], study: str) -> dict[str, Line]:
    """The ratings of a study that stand, by item, in the order they were given: the last of each, unless withdrawn."""
    found: dict[str, Line] = {}
    for line in lines:
        if line.get("study") != study:
            continue
        if isinstance(item := line.get("item"), str):
            if _is_rating(line):
                found.pop(item, None)
                found[item] = line
        elif isinstance(item := line.get("undo"), str):
            found.pop(item, None)
    return found


def file_name(name: str) -> str | None:
    """The name of a rater's file, without its ending; None for a name that cannot be one.

    Names that differ in case alone are one person, as they are one file on some disks.
    """
    folded = unicodedata.normalize("NFC", " ".join(name.split())).casefold()
    usable = _NAME.fullmatch(folded) and len(folded.encode()) <= 120
    return folded if usable else None


def _is_rating(line: Line) -> bool:
    """Whether it says something that can be counted; a line that somebody has edited may not."""
    marks = line.get("marks")
    said = "skip" in line or line.get("prefers") in ("run", "against", "tie")
    said = said or (isinstance(marks, dict) and all(mark is None or type(mark) is int for mark in marks.values()))
    return said and isinstance(line.get("rows"), list)


def _parsed(content: bytes, path: Path) -> list[Line]:
    lines, damaged = [], 0
    for raw in filter(None, content.split(b"\n")):
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError:
            line = None
        if isinstance(line, dict):
            lines.append(line)
        else:
            damaged += 1
    if damaged:
        log.warning("%s: %d damaged line(s) skipped", path, damaged)
    return lines


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
