"""A real HTTP server on the loopback interface that behaves like a provider's /files and /batches.

A job goes on by one status with every question after it. Results come in random order. What becomes of a job or of
a single row can be scripted, and a request can be held at any point for as long as its sender lives.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

_PROGRESS = ("validating", "in_progress", "finalizing")


@dataclass
class Job:
    """A job as the provider keeps it. `end` is the status that it will come to."""

    id: str
    file: str
    rows: list[dict[str, Any]]
    end: str = "completed"
    errors: list[dict[str, Any]] = field(default_factory=list)
    polls: int = 0
    made: int = field(default_factory=lambda: int(time.time()))
    output: str | None = None
    error: str | None = None

    @property
    def status(self) -> str:
        if self.end == "failed":
            return "validating" if self.polls < 1 else "failed"
        return _PROGRESS[self.polls] if self.polls < len(_PROGRESS) else self.end


@dataclass
class BatchServer:
    """The server, running in a thread of its own.

    max_requests, max_bytes: limits as a provider enforces them: the first fails the job, the second the upload.
    max_queued: requests that may be in unfinished jobs together.
    row: what becomes of the n-th row that is worked on, counted from 0: None answers it; else "refused", "broken"
        (an error of the server's), "expired", "lost" or "damaged".
    job: the same of the n-th job: None; else "expired" or "cancelled" (half its rows are answered), "empty", or
        "failed", for the reasons in `failing`.
    hold: where the next request is held until its connection is gone: "upload", "create", "created", "poll" or
        "download". `reached` tells that it is.
    trouble: HTTP statuses to answer first with, by point or at "list"; under 200 comes the page of a proxy,
        under 0 half a document. says: what it says to the others. refusal: what it says to a row
        that is "refused".
    """

    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    max_queued: int = 1_000_000
    row: Callable[[int, dict[str, Any]], str | None] = lambda number, row: None
    job: Callable[[int], str | None] = lambda number: None
    failing: list[dict[str, Any]] = field(default_factory=list)
    hold: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    trouble: dict[str, list[int]] = field(default_factory=dict)
    says: str = "scripted trouble"
    refusal: str = "the row is refused"
    files: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    uploads: int = 0
    keys: set[str] = field(default_factory=set)
    worked: Counter[str] = field(default_factory=Counter)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def sizes(self) -> list[int]:
        """Requests of each job."""
        return [len(job.rows) for job in self.jobs.values()]

    @property
    def submitted(self) -> Counter[str]:
        """How many jobs each custom_id was in."""
        return Counter(row["custom_id"] for job in self.jobs.values() for row in job.rows)

    def __enter__(self) -> BatchServer:
        ready = threading.Event()

        def work() -> None:
            asyncio.run(self._serve(ready))

        self._thread = threading.Thread(target=work, name="batch-server", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._download)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._poll)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await self._stopping.wait()
        await runner.cleanup()

    async def _at(self, point: str) -> web.Response | None:
        if self.hold == point:
            self.hold = ""
            self.reached.set()
            await asyncio.sleep(3600)
        if self.trouble.get(point):
            return _refusal(self.trouble[point].pop(0), f"{self.says} at {point}")
        return None

    async def _upload(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers["Authorization"])
        form = await request.post()
        assert form["purpose"] == "batch"
        part = form["file"]
        assert isinstance(part, web.FileField)
        data = part.file.read()
        part.file.close()
        if len(data) > self.max_bytes:
            return _refusal(400, f"the file has {len(data)} bytes, {self.max_bytes} are allowed")
        self.uploads += 1
        file = f"file-{self.uploads}"
        self.files[file] = data
        if trouble := await self._at("upload"):
            return trouble
        made = int(time.time())
        about = {"id": file, "object": "file", "bytes": len(data), "created_at": made, "filename": part.filename}
        return web.json_response({**about, "purpose": "batch", "status": "processed"})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if trouble := await self._at("create"):
            return trouble
        if asked["input_file_id"] not in self.files:
            return _refusal(404, f"no file {asked['input_file_id']}")
        rows = [orjson.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        number = len(self.jobs)
        job = Job(f"batch_{number}", asked["input_file_id"], rows, self.job(number) or "completed")
        queued = sum(len(j.rows) for j in self.jobs.values() if j.status in _PROGRESS)
        if len(rows) > self.max_requests:
            job.errors.append({"code": "too_many_tasks", "message": f"{len(rows)} requests"})
        elif queued + len(rows) > self.max_queued:
            job.errors.append({"code": "token_limit_exceeded", "message": "too many tokens enqueued"})
        elif job.end == "failed":
            job.errors = self.failing
        seen: set[str] = set()
        for line, row in enumerate(rows, 1):
            assert row.keys() == {"custom_id", "method", "url", "body"} and row["method"] == "POST"
            assert row["url"] == asked["endpoint"]
            if row["custom_id"] in seen:
                job.errors.append({"code": "duplicate_custom_id", "message": "there twice", "line": line})
            seen.add(row["custom_id"])
        if job.errors:
            job.end = "failed"
        self.jobs[job.id] = job
        if trouble := await self._at("created"):
            return trouble
        return web.json_response(self._shown(job, asked))

    async def _list(self, request: web.Request) -> web.Response:
        if trouble := await self._at("list"):
            return trouble
        newest = list(self.jobs.values())[::-1]
        if after := request.query.get("after"):
            newest = newest[[job.id for job in newest].index(after) + 1 :]
        page = newest[: min(2, int(request.query["limit"]))]  # so that there are pages
        last = page[-1].id if page else None
        return web.json_response(
            {
                "object": "list",
                "data": [self._shown(job) for job in page],
                "last_id": last,
                "has_more": len(page) < len(newest),
            }
        )

    async def _poll(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return _refusal(404, "no such batch")
        job.polls += 1
        if trouble := await self._at("poll"):
            return trouble
        if job.status in ("completed", "empty", "expired", "cancelled") and job.output is job.error is None:
            self._finish(job)
        return web.json_response(self._shown(job))

    async def _download(self, request: web.Request) -> web.Response:
        if trouble := await self._at("download"):
            return trouble
        return web.Response(body=self.files[request.match_info["id"]], content_type="application/octet-stream")

    def _finish(self, job: Job) -> None:
        good: list[bytes] = []
        bad: list[bytes] = []
        for place, row in enumerate(job.rows):
            fate = self.row(self.worked.total(), row)
            self.worked[row["custom_id"]] += 1
            if job.end in ("expired", "cancelled") and place % 2:
                fate = "expired" if job.end == "expired" else "lost"
            if job.end == "empty" or fate == "lost":
                continue
            result: dict[str, Any] = {"id": f"r{place}", "custom_id": row["custom_id"], "response": None, "error": None}
            if fate == "expired":
                result["error"] = {"code": "batch_expired", "message": "could not be executed in time"}
            elif fate in ("refused", "broken"):
                status = 400 if fate == "refused" else 500
                body = {"error": {"message": self.refusal if fate == "refused" else "the row is broken"}}
                result["response"] = {"status_code": status, "request_id": "q", "body": body}
            else:
                result["response"] = {"status_code": 200, "request_id": "q", "body": answer(row["body"])}
            line = orjson.dumps(result)
            (bad if fate in ("expired", "refused", "broken") else good).append(line[:-9] if fate == "damaged" else line)
        rng = random.Random(len(self.jobs))
        for lines, name in ((good, "output"), (bad, "error")):
            if lines:
                rng.shuffle(lines)
                file = f"file-{name}-{job.id}"
                self.files[file] = b"\n".join(lines) + b"\n"
                setattr(job, name, file)

    def _shown(self, job: Job, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            "id": job.id,
            "object": "batch",
            "endpoint": asked["endpoint"] if asked else "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": job.made,
            "input_file_id": job.file,
            "status": "completed" if job.status == "empty" else job.status,
            "errors": {"object": "list", "data": job.errors} if job.status == "failed" else None,
            "output_file_id": job.output,
            "error_file_id": job.error,
        }


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """A chat completion: a pure function of the request."""
    asked = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    text = f"re: {asked}\u2028"  # a line separator that is none in a file of lines
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
    return {
        "id": "c",
        "object": "x",
        "model": body["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def _refusal(status: int, message: str) -> web.Response:
    if status == 200:
        return web.Response(body=b"<html><h1>Gateway</h1></html>", content_type="text/html")
    if status == 0:
        return web.Response(body=b'{"id": "half', content_type="application/json")
    headers = {"Retry-After": "0"} if status == 503 else {}
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)
