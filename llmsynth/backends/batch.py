"""The batch API of OpenAI-compatible providers: half the price, for answers within a day."""

from __future__ import annotations

import dataclasses
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import orjson

from llmsynth.backends._jobs import Jobs
from llmsynth.backends._ledger import Ledger
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.errors import BackendError, MissingExtraError, RecipeError
from llmsynth.prices import Price, published_price
from llmsynth.request import Completion, Request, RequestFailedError
from llmsynth.text import shorten


@dataclass
class OpenAIBatchBackend(OpenAIBackend):
    """Gathers requests into batch jobs and answers each from its job's results.

    The options of `openai`, and further:
    wait: seconds without a new request before a batch is sent.
    poll: seconds between questions whether a job is done.
    window: the time the provider promises to take at most.
    max_requests, max_bytes: of one job; more is split.

    A batch is as large as what the generator asks for before it needs the first answer, which is its `lookahead`:
    raise that to thousands (a request that waits takes some 7 kB). The model's `concurrency` does not count here, and
    caps are overshot by what is submitted at the time.

    Jobs are written to `batches.jsonl` in the run's directory before they are waited for. A run that was killed finds
    its jobs there and takes their answers; what a job did not answer is asked for again in another. Answers count as
    those of `openai`: a run can be finished by either, with --update.
    """

    schedules_itself: ClassVar[bool] = True
    unbounded: ClassVar[bool] = True  # for the provider a job is a single request
    likelihoods: ClassVar[str] = ""
    limited_as: ClassVar[str] = ""  # jobs have limits of their own
    wait: float = 5.0
    poll: float = 30.0
    window: str = "24h"
    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    _directory: Path | None = field(default=None, init=False, repr=False)
    _jobs: Jobs | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.base_url, list):
            raise RecipeError("base_url lists several addresses", "a batch goes to one endpoint: name one")
        if self.wait < 0 or self.poll <= 0 or min(self.max_requests, self.max_bytes) < 1:
            raise RecipeError(
                "wait must not be negative, and poll, max_requests and max_bytes must be more than 0",
                "5 and 30 seconds, 50000 and 200000000 are usual",
            )
        super().__post_init__()
        if importlib.util.find_spec("openai") is None:
            raise MissingExtraError("the openai-batch backend", "batch")

    @property
    def price(self) -> Price | None:
        return published_price(self._endpoint.url, self.model, batch=True)

    def attach(self, directory: Path) -> None:
        """Keep the jobs of the run in this directory; called before the first request."""
        self._directory = directory

    async def complete(self, request: Request) -> Completion:
        if self._jobs is None:
            self._jobs = Jobs(self, Ledger(self._directory / "batches.jsonl" if self._directory else None))
        if request.schema is not None:
            plain = dataclasses.replace(request, schema=None)
            if self._jobs.knows(plain):  # a run that was killed has found out that it has to be asked so
                return await self._jobs.answer(plain)
        return await self._enforcement.ask(request, self._jobs.answer)

    def stop_sending(self) -> float:
        """Submit nothing more; the seconds that waiting for what is submitted is worth, as another run finds it."""
        if self._jobs is not None:
            self._jobs.stop()
        return 1.0

    async def aclose(self) -> None:
        if self._jobs is not None:
            await self._jobs.aclose()
            self._jobs = None
        await super().aclose()

    @property
    def path(self) -> str:
        """What the requests of a job go to."""
        return "/v1/chat/completions" if self.api == "chat" else "/v1/completions"

    def line(self, custom_id: str, request: Request) -> bytes:
        """A request as a line of an input file."""
        _, body = self._request(request)
        line = {"custom_id": custom_id, "method": "POST", "url": self.path, "body": body}
        return self._endpoint.without_key(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def outcome(self, row: dict[str, Any]) -> Completion | Exception:
        """What a line of an output or error file says of its request."""
        answered, failed = row.get("response"), row.get("error")
        response: dict[str, Any] = answered if isinstance(answered, dict) else {}
        error: dict[str, Any] = failed if isinstance(failed, dict) else {"message": failed}
        status = response.get("status_code")
        refusal: Exception
        if status == 200:
            try:
                return self._completion(orjson.dumps(response.get("body")))
            except (RequestFailedError, BackendError) as bad_reply:
                refusal = bad_reply
        elif status is None:
            code = error.get("code") or "error"
            kind = code if code == "batch_expired" else f"batch_{code}"
            said = shorten(str(error.get("message")), 300)
            return RequestFailedError(kind, said, retryable=True)
        else:
            refusal = self._endpoint.refusal(status, {}, orjson.dumps(response.get("body")))
        if isinstance(refusal, RequestFailedError):
            refusal.limited, refusal.retry_after = False, None  # that was then: another job has limits of its own
            refusal.retryable |= self._learns_from(refusal)
        return refusal

    def api_client(self) -> Any:
        """The provider's files and jobs."""
        from llmsynth.backends._batch import BatchApi

        endpoint = self._endpoint
        return BatchApi(endpoint.url, endpoint.key, self.timeout, endpoint.refusal, endpoint.redact)
