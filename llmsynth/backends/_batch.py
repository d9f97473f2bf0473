"""The part of the openai-batch backend that needs the `openai` package: uploads, jobs and downloads."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import openai

from llmsynth.errors import BackendError, ModelNotFoundError, UnavailableError
from llmsynth.request import RequestFailedError

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds before an attempt is repeated, doubling
_FEW, _MANY = 5, 20  # attempts: to submit, and to hear of what is submitted, which takes about eight minutes
_CLOCKS_APART = 86_400.0  # seconds by which the provider's clock and ours may differ

Refusal = Callable[[int, Mapping[str, str], bytes], Exception]


class BatchApi:
    """The `/files` and `/batches` of an endpoint. Errors are those of a backend.

    refusal: the error that stands for an HTTP status, given with headers and body. redact: a text without secrets.
    """

    def __init__(self, url: str, key: str, timeout: float, refusal: Refusal, redact: Callable[[str], str]) -> None:
        self._url = url
        self._refusal = refusal
        self._redact = redact
        # no retries of its own: a job whose making was not confirmed must be looked for, not made again
        self._client = openai.AsyncOpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=0)

    async def upload(self, name: str, data: bytes) -> str:
        """Upload an input file; its id."""

        async def once() -> Any:
            return _sound(await self._client.files.create(file=(name, data), purpose="batch"), "id")

        made = await self._call(
            once,
            _FEW,
            "has the endpoint a batch API? `use: openai` asks for the same rows one by one",
        )
        return str(made.id)

    async def create(self, file: str, path: str, window: str, uploaded: float, uncertain: bool) -> Any:
        """Make the job of an input file; where it is `uncertain` whether it has one, look for that first."""
        look = uncertain

        async def once() -> Any:
            nonlocal look
            if look and (found := await self._find(file, uploaded)) is not None:
                return found
            look = True
            made = await self._client.batches.create(
                input_file_id=file,
                endpoint=path,  # type: ignore[arg-type]
                completion_window=window,  # type: ignore[arg-type]
            )
            return _sound(made, "id", "status")

        return await self._call(
            once,
            _FEW,
            f"if the input file {file} is gone, delete its line from batches.jsonl: its rows are then asked anew",
        )

    async def job(self, job: str) -> Any:
        """The job as it is now."""
        hint = (
            "if it is gone for good, delete its lines from batches.jsonl: its rows are then asked, and paid for, anew"
        )

        async def once() -> Any:
            return _sound(await self._client.batches.retrieve(job), "id", "status")

        return await self._call(once, _MANY, hint)

    async def download(self, file: str) -> bytes:
        """A file that a job has written."""
        hint = "if it has expired, delete its job from batches.jsonl: its rows are then asked, and paid for, anew"

        async def once() -> bytes:
            data = bytes((await self._client.files.content(file)).content)
            if data.strip() and b'"custom_id"' not in data:  # else every row of it would be paid for again
                raise _OddReplyError
            return data

        return await self._call(once, _MANY, hint)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _find(self, file: str, uploaded: float) -> Any:
        """The job made of an input file, if there is one. The newest are listed first."""
        try:
            async for job in self._client.batches.list(limit=100):
                if job.input_file_id == file:
                    return _sound(job, "id", "status")
                if job.created_at < uploaded - _CLOCKS_APART:
                    break
        except (AttributeError, TypeError):  # it is no list of jobs
            raise _OddReplyError from None
        return None

    async def _call(self, make: Callable[[], Awaitable[T]], attempts: int, if_missing: str) -> T:
        """The result of a call, repeated while that can help. Being told to wait is no attempt."""
        failed = waited = 0
        # nothing is raised `from` an error of the client's: a traceback shows what the server said, keys included
        while True:
            try:
                return await make()
            except openai.APIConnectionError as error:
                failed += 1
                if failed >= attempts:
                    raise UnavailableError(
                        f"cannot reach {self._url}: {self._redact(str(error.__cause__ or error))} ({failed} attempts)",
                        "run the same command again to go on: what was submitted is not submitted again",
                    ) from None
                wait = _backoff(failed)
            except (_OddReplyError, ValueError, openai.APIResponseValidationError):
                failed += 1
                if failed >= attempts:
                    raise BackendError(
                        f"{self._url} answers, but not as a batch API does ({failed} attempts)",
                        "run the same command again to go on: what was submitted is not submitted again",
                    ) from None
                wait = _backoff(failed)
            except openai.APIStatusError as error:
                refusal = self._refusal(error.status_code, error.response.headers, error.response.content)
                if isinstance(refusal, ModelNotFoundError):
                    raise BackendError(refusal.message, if_missing) from None
                if not isinstance(refusal, RequestFailedError):
                    raise refusal from None
                failed += not refusal.limited
                if not refusal.retryable or failed >= attempts:
                    raise BackendError(
                        f"{self._url} answered {error.status_code}: {refusal.message}",
                        "run the same command again to go on: what was submitted is not submitted again",
                    ) from None
                waited += 1
                wait = max(_backoff(waited), refusal.retry_after or 0.0)
            log.info("%s: trying again in %.1f s", self._url, wait)
            await asyncio.sleep(wait)


class _OddReplyError(Exception):
    """What came under status 200 is something else, such as the page of a proxy."""


def _sound(reply: Any, *names: str) -> Any:
    """The reply, which has to hold texts under these names. The client takes whatever is JSON, and even what is not."""
    if not all(isinstance(getattr(reply, name, None), str) for name in names):
        raise _OddReplyError
    return reply


def _backoff(attempt: int) -> float:
    longest: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)  # time only, so it need not be seeded
