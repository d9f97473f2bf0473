"""The jobs of one run with the openai-batch backend: gathering, submitting, finding again, answering."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from llmsynth.backends._ledger import Ledger, Submission
from llmsynth.errors import BackendError, ModelNotFoundError
from llmsynth.request import Completion, Request, RequestFailedError
from llmsynth.text import fingerprint, shorten

if TYPE_CHECKING:
    from llmsynth.backends.batch import OpenAIBatchBackend

log = logging.getLogger(__name__)

_LONGEST_GATHERING = 12  # times `wait` that the first request of a batch waits at most
_CREATION_SECONDS = 10.0  # to let a job come into being whose making has begun when the run stops
_ENDED = ("completed", "expired", "cancelled", "failed")


class Jobs:
    """The jobs of one run, as long as its event loop runs."""

    def __init__(self, options: OpenAIBatchBackend, ledger: Ledger) -> None:
        self._options = options
        self._ledger = ledger
        self._api = options.api_client()
        self._asked: dict[str, _Asked] = {}
        self._answers: dict[str, Completion] = {}  # of jobs that were found again, until they are asked for
        self._gathered: dict[str, bytes] = {}
        self._bytes = 0
        self._first = self._latest = 0.0  # loop times at which requests were gathered
        self._timer: asyncio.TimerHandle | None = None
        self._most = options.max_requests  # less, once the provider would not queue so many tokens
        self._tasks: set[asyncio.Task[None]] = set()
        self._creating: set[asyncio.Task[Any]] = set()
        self._followed: set[Submission] = set()
        self._running: set[Submission] = set()
        self._stopped = False

    async def answer(self, request: Request) -> Completion:
        """The completion of a request: of the job that it is in already, or of the next one."""
        custom_id = _custom_id(request)
        if custom_id in self._answers:
            return self._answers.pop(custom_id)
        asked = self._asked.get(custom_id)
        if asked is None:
            asked = self._asked[custom_id] = _Asked(request)
            submission = self._ledger.find(custom_id)
            if submission is None:
                try:
                    self._gather(custom_id, request)
                except RequestFailedError:
                    del self._asked[custom_id]
                    raise
            elif submission not in self._followed:
                self._followed.add(submission)
                self._spawn(self._follow(submission, uncertain=True))
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        asked.waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            asked.waiting.remove(future)
            if not asked.waiting and self._asked.get(custom_id) is asked:
                del self._asked[custom_id]
            raise

    def knows(self, request: Request) -> bool:
        """Whether a request is in a job already, and may be answered there."""
        return self._ledger.find(_custom_id(request)) is not None

    def stop(self) -> None:
        """Begin no further job."""
        self._stopped = True
        self._gathered.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def aclose(self) -> None:
        """Leave the jobs to themselves."""
        self.stop()
        if self._creating:
            await asyncio.wait(self._creating, timeout=_CREATION_SECONDS)
        unfinished = [*self._tasks, *self._creating]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._api.aclose()
        self._ledger.close()

    def _gather(self, custom_id: str, request: Request) -> None:
        """Put a request into the batch that is being gathered."""
        line = self._options.line(custom_id, request)
        if len(line) > self._options.max_bytes:
            raise RequestFailedError(
                "too_large", f"{len(line)} bytes, a batch takes {self._options.max_bytes}", retryable=False
            )
        if self._stopped:
            return
        if self._bytes + len(line) > self._options.max_bytes:
            self._send()
        now = asyncio.get_running_loop().time()
        if not self._gathered:
            self._first = now
        self._latest = now
        self._gathered[custom_id] = line
        self._bytes += len(line)
        if len(self._gathered) >= self._most:
            self._send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._options.wait, self._quiet)

    def _quiet(self) -> None:
        """Send what was gathered if nothing has come for a while."""
        loop, wait = asyncio.get_running_loop(), self._options.wait
        due = min(self._latest + wait, self._first + _LONGEST_GATHERING * wait)
        if due > loop.time() + 1e-3:
            self._timer = loop.call_at(due, self._quiet)
        else:
            self._send()

    def _send(self) -> None:
        """Submit what was gathered and is still wanted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines = {custom_id: line for custom_id, line in self._gathered.items() if custom_id in self._asked}
        self._gathered, self._bytes = {}, 0
        if lines:
            self._spawn(self._submit(lines))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, lines: dict[str, bytes]) -> None:
        try:
            file = await self._api.upload(f"llmsynth-{fingerprint(*lines)[:16]}.jsonl", b"".join(lines.values()))
            if self._stopped:
                return
            submission = self._ledger.uploaded(file, list(lines))
        except Exception as error:  # whatever it is, it is for those who wait
            self._fail(lines, error)
            return
        lines.clear()
        await self._follow(submission, uncertain=False)

    async def _follow(self, submission: Submission, uncertain: bool) -> None:
        """See a submission through to its end. `uncertain`: another process made it, or was about to."""
        self._followed.add(submission)
        try:
            job = await self._job(submission, uncertain)
            if job is None:
                return
            self._running.add(submission)
            status = ""
            while job.status not in _ENDED:
                if job.status != status:
                    status = job.status
                    log.info("batch %s of %d requests: %s", job.id, len(submission.requests), status)
                await asyncio.sleep(self._options.poll)
                job = await self._api.job(submission.job)
            self._running.discard(submission)
            log.info("batch %s of %d requests: %s", job.id, len(submission.requests), job.status)
            await self._finish(submission, job)
        except Exception as error:  # whatever it is, it is for those who wait
            self._fail([c for c in submission.requests if self._ledger.find(c) is submission], error)
        finally:
            self._running.discard(submission)
            self._followed.discard(submission)

    async def _job(self, submission: Submission, uncertain: bool) -> Any:
        """The job of a submission, made now if there is none; None if there is to be none."""
        if submission.job:
            return await self._api.job(submission.job)
        if self._stopped:
            return None
        making = asyncio.ensure_future(self._make(submission, uncertain))
        self._creating.add(making)
        making.add_done_callback(self._creating.discard)
        return await asyncio.shield(making)

    async def _make(self, submission: Submission, uncertain: bool) -> Any:
        """Have the job made and note it. Not to be cancelled half way, if that can be helped."""
        options = self._options
        job = await self._api.create(submission.file, options.path, options.window, submission.at, uncertain)
        self._ledger.created(submission, job.id)
        return job

    async def _finish(self, submission: Submission, job: Any) -> None:
        """Hand out what an ended job has answered, and what it has not."""
        outcomes: dict[str, Completion | Exception] = {}
        wanted = [
            c for c in submission.requests if self._ledger.find(c) is submission
        ]  # the others are elsewhere by now
        for file in (job.output_file_id, job.error_file_id):
            if file:
                await self._read(await self._api.download(file), set(wanted), outcomes)
        missing = [custom_id for custom_id in wanted if custom_id not in outcomes]
        self._ledger.again(submission, [c for c in wanted if not isinstance(outcomes.get(c), Completion)])
        for custom_id, outcome in outcomes.items():
            self._deliver(custom_id, outcome)
        if missing:
            await self._unanswered(job, missing, submission.requests)

    async def _read(self, data: bytes, wanted: set[str], outcomes: dict[str, Completion | Exception]) -> None:
        """The rows of a file, in whatever order they come, by custom_id."""
        for number, line in enumerate(io.BytesIO(data)):
            if number % 1000 == 999:
                await asyncio.sleep(0)
            try:
                row = orjson.loads(line)
                custom_id = str(row["custom_id"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                log.warning("a batch result is damaged: %s", shorten(line[:200].decode("utf-8", "replace")))
                continue
            if custom_id in wanted and not isinstance(outcomes.get(custom_id), Completion):
                outcomes[custom_id] = self._options.outcome(row)

    async def _unanswered(self, job: Any, missing: list[str], requests: tuple[str, ...]) -> None:
        """Tell those whom a job has not answered why."""
        if job.status == "cancelled":
            said = f"batch {job.id} was cancelled, with {len(missing)} of {len(requests)} requests unanswered"
            hint = "run the same command to ask for them again; the answers that there were are kept"
            self._fail(missing, BackendError(said, hint))
            return
        if job.status == "failed":
            await self._refused(job, missing, requests)
            return
        kind, what = ("batch_expired", "was not done in time") if job.status == "expired" else ("batch_lost", "ended")
        for custom_id in missing:
            said = f"batch {job.id} {what} without an answer to this request"
            self._deliver(custom_id, RequestFailedError(kind, said, retryable=True))

    async def _refused(self, job: Any, missing: list[str], requests: tuple[str, ...]) -> None:
        """The provider took no request of a job: for single ones of them, for their number, or for good."""
        errors = (job.errors.data if job.errors else None) or []
        said = "; ".join(dict.fromkeys(shorten(e.message or e.code or "", 200) for e in errors[:5])) or "no reason told"
        if any(e.code == "token_limit_exceeded" for e in errors):
            if not self._running:
                self._most = max(1, min(self._most, len(requests) // 2))
            log.warning("batch %s: %s; trying again in jobs of %d requests at most", job.id, said, self._most)
            if len(requests) == 1 and not self._running:
                self._deliver(requests[0], RequestFailedError("batch_token_limit", said, retryable=True))
                return
            await asyncio.sleep(self._options.poll)
            while self._running:
                await asyncio.sleep(self._options.poll)
            self._gather_again(missing)
            return
        if any(e.code and "model" in e.code for e in errors):
            hint = f"does the batch API serve {self._options.model!r}?"
            self._fail(missing, ModelNotFoundError(f"batch {job.id}: {said}", hint))
            return
        lines = {e.line for e in errors}
        if not lines or not all(isinstance(line, int) and 1 <= line <= len(requests) for line in lines):
            hint = "mend that and run the same command"
            self._fail(missing, BackendError(f"the provider refused batch {job.id}: {said}", hint))
            return
        for error in errors:
            refusal = RequestFailedError("batch_invalid", error.message or error.code or "", retryable=False)
            self._deliver(requests[error.line - 1], refusal)
        self._gather_again(missing)

    def _gather_again(self, requests: list[str]) -> None:
        for custom_id in requests:
            if custom_id in self._asked and custom_id not in self._gathered and self._ledger.find(custom_id) is None:
                self._gather(custom_id, self._asked[custom_id].request)

    def _fail(self, requests: Iterable[str], error: Exception) -> None:
        for custom_id in requests:
            self._deliver(custom_id, error)

    def _deliver(self, custom_id: str, outcome: Completion | Exception) -> None:
        """Answer those who wait for a request. An answer is kept where nobody does, a failure is not."""
        asked = self._asked.pop(custom_id, None)
        if asked is None:
            if isinstance(outcome, Completion):
                self._answers[custom_id] = outcome
            return
        for future in asked.waiting:
            if future.done():
                continue
            if isinstance(outcome, Completion):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)


@dataclass(slots=True)
class _Asked:
    """A request that waits for its answer, and those who wait."""

    request: Request
    waiting: list[asyncio.Future[Completion]] = field(default_factory=list)


def _custom_id(request: Request) -> str:
    """What identifies a request across runs: its journal key, which a longer second try shares, and what is asked."""
    asked = orjson.dumps([request.messages, request.sampling.body(), request.schema], option=orjson.OPT_SORT_KEYS)
    return f"{request.key}-{fingerprint(asked.decode())[:12]}"
