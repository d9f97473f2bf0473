"""Which batch jobs a run has submitted, on disk before they are waited for.

One append-only file of JSON lines, `batches.jsonl`, beside the journal:

    {"file": ..., "requests": [custom_id, ...], "at": ...}      an input file is uploaded, its job about to be made
    {"file": ..., "job": ..., "requests": [...], "at": ...}     the provider has made the job
    {"file": ..., "again": [...], "at": ...}                    what the job did not answer, to be asked anew

A first line without a second is where a process was killed between the two: the provider may have the job or not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llmsynth.errors import StorageError


@dataclass(slots=True, eq=False)
class Submission:
    """Requests that went to the provider together. `job` is empty until it is known."""

    file: str
    requests: tuple[str, ...]
    at: float
    job: str = ""


class Ledger:
    """The submissions of a run, by the custom_id of each request. Without a path it forgets them at the end."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = -1
        self._files: dict[str, Submission] = {}
        self._by_request: dict[str, Submission] = {}
        if path is not None:
            self._open(path)

    def find(self, request: str) -> Submission | None:
        """The submission that a request belongs to, unless it was not answered there."""
        return self._by_request.get(request)

    def uploaded(self, file: str, requests: Sequence[str]) -> Submission:
        """Note an input file, before its job is made."""
        return self._note({"file": file, "requests": list(requests)})

    def created(self, submission: Submission, job: str) -> None:
        """Note the job of an input file, before it is waited for."""
        self._note({"file": submission.file, "job": job, "requests": submission.requests})

    def again(self, submission: Submission, requests: Sequence[str]) -> None:
        """Note that a submission will not answer these requests."""
        if requests:
            self._note({"file": submission.file, "again": list(requests)})

    def close(self) -> None:
        """Release the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _note(self, entry: dict[str, Any]) -> Submission:
        entry["at"] = round(time.time(), 3)
        if self._path is not None:
            try:
                data = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
                while data:
                    data = data[os.write(self._fd, data) :]
                os.fsync(self._fd)  # a job that is forgotten is paid for twice
            except OSError as error:
                raise StorageError(
                    f"cannot write {self._path}: {error.strerror}", "make room and run the same command again"
                ) from error
        return self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> Submission:
        file = entry["file"]
        submission = self._files.get(file)
        if submission is None:
            submission = self._files[file] = Submission(file, tuple(entry["requests"]), entry["at"])
            self._by_request |= dict.fromkeys(submission.requests, submission)
        submission.job = entry.get("job", submission.job)
        for request in entry.get("again", ()):
            if self._by_request.get(request) is submission:
                del self._by_request[request]
        return submission

    def _open(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.ftruncate(self._fd, whole)  # torn by a kill: what it was to tell has not happened yet
        except OSError as error:
            raise StorageError(
                f"cannot open {path}: {error.strerror}", "choose a directory you can write to"
            ) from error
        for line in data[:whole].splitlines():
            try:
                self._apply(orjson.loads(line))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                raise StorageError(
                    f"{path} is damaged: {line[:60].decode('utf-8', 'replace')!r}",
                    "mend or delete that line; the requests of a job that is not in it are asked, and paid for, again",
                ) from error
