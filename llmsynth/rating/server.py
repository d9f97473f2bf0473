"""The page on loopback: who has its address may rate, and nobody else sees or says anything."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from llmsynth.errors import RunError, StorageError
from llmsynth.rating.items import Item
from llmsynth.rating.log import FOLDER, RatingLog, file_name
from llmsynth.rating.session import Session, WrongRatingError
from llmsynth.rating.study import Study, for_page

HOST = "127.0.0.1"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
_MOST_BYTES = 64 * 1024  # of a request
_MOST_RATERS = 200  # of one server: a file is held open for each
_A_NAME = "at most 40 letters, digits, blanks, dots and hyphens, and begins and ends in a letter or digit"
_PAGE = Path(__file__).parent / "page.html"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Serves a study to raters until it is closed.

    home: the folder that gets `ratings/`. rater: the only name that may rate, which the page then does not ask for.

    The address holds a random token. Besides it, a request is answered only if its Host is a name of this machine
    alone, so that no foreign name that resolves to it gets in, and a change only if it is JSON that comes from the page
    itself.
    """

    def __init__(self, home: Path, study: Study, items: Sequence[Item], *, seed: int = 0, rater: str = "") -> None:
        self.home = home
        self.study = study
        self.token = secrets.token_urlsafe(24)
        self._items = items
        self._seed = seed
        self._rater = rater
        self._sessions: dict[str, Session] = {}
        self._runner: web.AppRunner | None = None
        page = _PAGE.read_text(encoding="utf-8")
        self._page = page.encode()
        self._headers = {**_HEADERS, "Content-Security-Policy": _policy(page)}
        if rater:
            if file_name(rater) is None:
                raise RunError(f"{rater!r} cannot be a rater's name", f"a name is {_A_NAME}")
            self._session(rater)  # a name that cannot be, or a file in use, is known before anybody opens the page

    async def start(self, port: int = 0) -> str:
        """The address of the page. port: 0 for any that is free. Raises `RunError`."""
        app = web.Application(client_max_size=_MOST_BYTES, middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/", self._show),
                web.get("/{token}/task", self._task),
                web.post("/{token}/begin", self._begin),
                web.post("/{token}/rate", self._rate),
                web.post("/{token}/undo", self._undo),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            taken = error.errno == errno.EADDRINUSE
            why = "is in use" if taken else f"cannot be listened at: {error.strerror}"
            raise RunError(f"port {port} {why}", "name another one, or none: --port 0") from error
        return f"http://{HOST}:{self._runner.addresses[0][1]}/{self.token}/"

    async def close(self) -> None:
        """End the connections, and release the raters' files; every rating is on the disk already."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if problem := self._refusal(request):
                response: web.StreamResponse = _error(403, problem)
            else:
                response = await handler(request)
        except web.HTTPException as error:
            response = _error(error.status, error.reason)
        except WrongRatingError as error:
            response = _error(400, str(error))
        except StorageError as error:
            response = _error(507, error.message)
        except RunError as error:
            response = _error(409, error.message)
        response.headers.update(self._headers)
        return response

    def _refusal(self, request: web.Request) -> str:
        """Why a request is not answered; empty for one that is."""
        host = request.headers.get("Host", "")
        if _name_in(host) not in _LOCAL_NAMES:
            return "this page is served to this machine alone"
        origin = request.headers.get("Origin")
        changes = request.method not in ("GET", "HEAD")
        if origin is not None and origin != f"http://{host}":
            return "another page may not rate"
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return "another page may not look or rate"
        if changes and (origin is None or request.content_type != "application/json"):
            return "ratings are JSON, and come from the page"
        token = request.path.split("/", 2)[1]
        return "" if compare_digest(token.encode(), self.token.encode()) else "the address is wrong or out of date"

    async def _show(self, request: web.Request) -> web.Response:
        return web.Response(body=self._page, content_type="text/html", charset="utf-8")

    async def _task(self, request: web.Request) -> web.Response:
        return _json({**for_page(self.study), "rater": self._rater or None})

    async def _begin(self, request: web.Request) -> web.Response:
        return _json(self._session(_rater(await _body(request))).state())

    async def _rate(self, request: web.Request) -> web.Response:
        body = await _body(request)
        session = self._session(_rater(body))
        session.rate(body.get("place"), body)
        return _json(session.state())

    async def _undo(self, request: web.Request) -> web.Response:
        session = self._session(_rater(await _body(request)))
        session.undo()
        return _json(session.state())

    def _session(self, name: str) -> Session:
        key = file_name(name)
        if key is None:
            raise WrongRatingError(f"a name is {_A_NAME}")
        if self._rater and key != file_name(self._rater):
            raise WrongRatingError(f"this page is for {self._rater}")
        if key not in self._sessions:
            if len(self._sessions) >= _MOST_RATERS:
                raise WrongRatingError("too many names have rated here")
            log = RatingLog(self.home / FOLDER / f"{key}.jsonl")
            self._sessions[key] = Session(self.study, self._items, log, " ".join(name.split()), self._seed)
        return self._sessions[key]


_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "llmsynth",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _policy(page: str) -> str:
    """What a browser lets the page do: run its own script, use its own style, and talk to its own server."""

    def allowed(tag: str) -> str:
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; script-src {allowed('script')}; style-src {allowed('style')}; connect-src 'self';"
        " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'"
    )


def _name_in(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise WrongRatingError("the request is no JSON") from None
    if not isinstance(body, dict):
        raise WrongRatingError("the request is no JSON object")
    return body


def _rater(body: Mapping[str, Any]) -> str:
    name = body.get("rater")
    if not isinstance(name, str):
        raise WrongRatingError("who rates?")
    return name


def _json(value: Any) -> web.Response:
    # by the standard library, since a row may hold half a character, which orjson refuses and browsers show
    return web.Response(body=json.dumps(value).encode(), content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return web.Response(status=status, body=orjson.dumps({"error": message}), content_type="application/json")
