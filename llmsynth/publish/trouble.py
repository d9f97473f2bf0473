"""What went wrong at the Hub: whether it passes, how long to wait, and how to say it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmsynth.errors import LlmsynthError, PublishError
from llmsynth.headers import retry_after

ATTEMPTS = 20  # in a row, of one thing, beside those that the client makes itself
FIRST_ATTEMPTS = 3  # while nothing has been heard of the Hub at all
LONGEST_WAIT = 30.0  # seconds, where the Hub does not say how long

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_LOST = {"TransportError", "TimeoutException", "ConnectionError", "Timeout", "ChunkedEncodingError"}
_STATUS = re.compile(r"HTTP status \w+ error \((\d{3})")  # so the client's library for the store tells a refusal
_AGAIN = "The same command sends only what is missing."
OFFLINE = "HF_HUB_OFFLINE is set, so that the Hub is not to be reached"
NO_TOKEN = "there is no token for the Hub"
LOGIN = "`hf auth login`, or put a token that may write into HF_TOKEN."


class OutOfReachError(PublishError):
    """The Hub cannot be asked at all."""


class LookAgainError(Exception):
    """It cannot be known what became of a commit, or it came too late: look, and go on from what there is."""

    def __init__(self, said: str, wait: float | None) -> None:
        super().__init__(said)
        self.said = said
        self.wait = wait


@dataclass(frozen=True)
class Trouble:
    """status: of the answer, 0 where there was none. wait: seconds that the server asks for."""

    status: int
    passing: bool
    said: str
    wait: float | None = None


def trouble_of(error: BaseException) -> Trouble | None:
    """What an error, or one behind it, tells of the Hub; None where it tells nothing."""
    from huggingface_hub.utils import HfHubHTTPError, OfflineModeIsEnabled

    for cause in _causes(error):
        if isinstance(cause, OfflineModeIsEnabled):
            return None
        response = getattr(cause, "response", None)
        if isinstance(cause, HfHubHTTPError) and response is not None:
            status = int(response.status_code)
            wait = _wait(response.headers) if status in _PASSING else None
            return Trouble(status, status in _PASSING, f"the Hub answers {status}", wait)
        if (told := _STATUS.search(str(cause))) and isinstance(cause, ConnectionError):
            status = int(told[1])
            return Trouble(status, status in _PASSING, f"the store of the Hub answers {status}")
        if isinstance(cause, json.JSONDecodeError):  # the page of a proxy, where the client expects data
            return Trouble(502, True, "the Hub answers with something else than data")
        if _LOST & {kind.__name__ for kind in type(cause).__mro__}:
            return Trouble(0, True, f"the connection is lost ({type(cause).__name__})")
    return None


def explained(error: Exception, repo: str, sending: bool = False) -> Exception:
    """The error as a `PublishError` for people; itself where it is not about the Hub, or is told elsewhere."""
    from huggingface_hub.errors import LocalTokenNotFoundError
    from huggingface_hub.utils import (
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, LlmsynthError):
        return error
    causes = list(_causes(error))
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in causes):
        return OutOfReachError(OFFLINE, "unset it")
    if isinstance(error, LocalTokenNotFoundError):
        return PublishError(NO_TOKEN, LOGIN)
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError) and not sending:
        return error  # type: ignore[no-any-return]  # not seen to be an exception, as the client is not looked into
    answered = next((cause for cause in causes if isinstance(cause, HfHubHTTPError)), None)
    if answered is not None and answered.response is not None:
        return _refusal(int(answered.response.status_code), answered, repo)
    trouble = trouble_of(error)
    if trouble is not None and trouble.status and not trouble.passing:
        return _refusal(trouble.status, error, repo)
    if trouble is not None:
        said = "the Hub does not answer as it should" if trouble.status else "the Hub cannot be reached"
        return OutOfReachError(f"{said}: {trouble.said}", f"Is there a connection, and is HF_ENDPOINT right? {_AGAIN}")
    if isinstance(error, ValueError):
        return PublishError(f"{repo}: {_clean(str(error))}")
    if sending and (
        isinstance(error, RuntimeError | OSError) or "xet" in type(error).__module__
    ):  # xet has errors of its own
        return PublishError(
            f"sending failed: {_clean(str(error))}", f"{_AGAIN} HF_HUB_DISABLE_XET=1 sends by plain HTTP."
        )
    return error


def _refusal(status: int, error: Exception, repo: str) -> PublishError:
    said = _clean(getattr(error, "server_message", None) or str(error))
    if status == 401:
        return PublishError(f"the Hub does not accept the token: {said}", LOGIN)
    if status == 402:
        return PublishError(f"the Hub wants to be paid: {said}", "see the storage limits of your account there")
    if status == 403:
        owner = repo.partition("/")[0]
        return PublishError(
            f"the token may not write to {repo}: {said}",
            f"is {owner} you, or an organization of yours (`hf auth whoami`), and does the token have the write scope?",
        )
    if status == 404:
        return PublishError(f"{repo} is not there, or the token may not see it: {said}", "look at its name again")
    if status in _PASSING:
        return PublishError(f"the Hub goes on answering {status}: {said}", f"Wait a while. {_AGAIN}")
    return PublishError(f"the Hub answers {status}: {said}")


def _wait(headers: object) -> float | None:
    """Seconds to wait: of Retry-After, or until the window of a rate limit is over."""
    found = {str(name).lower(): str(value) for name, value in getattr(headers, "items", dict)()}
    told = retry_after({"Retry-After": found.get("retry-after", "")})
    if told is not None:
        return told
    window = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", found.get("ratelimit", ""))
    return float(window[1]) if window else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _clean(text: str) -> str:
    """A message on one line, without what follows an address, and without the token should it have been quoted."""
    from huggingface_hub import get_token

    text = re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", text)
    for secret in filter(None, (get_token(), os.environ.get("HF_TOKEN"))):
        text = text.replace(secret, "***")
    return " ".join(text.split())
