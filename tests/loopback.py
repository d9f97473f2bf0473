"""A real HTTP server on the loopback interface that speaks the OpenAI protocol, for tests and benchmarks.

What it answers is a pure function of the request body, so a run against it can be repeated; when it
answers is not. As a program (`python -m tests.loopback --port 8123`) it prints its address and serves
until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """What the server does to a request instead of answering it.

    kind: "status" (with `status`, `headers` and `body`); "hang"; "reset" (the connection is cut without an
        answer), "half" (it is cut within the answer), "stall" (it stays open there), "drip" (the answer comes
        whole, but slowly); under status 200 "bad_json" (half a document), "html", "huge" (10 MB of something
        else), "wrong_type" (numbers and lists where texts belong), "empty_choices"; and answers that end oddly:
        "null_content", "length", "content_filter", "invalid_utf8".
    """

    kind: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass
class Loopback:
    """The server, running in a thread of its own.

    port: 0 for any free one; `stop` and `start` keep the port once it is known.
    latency: shortest and longest time to an answer, in seconds, drawn anew for each request.
    capacity: requests in flight beyond which the latency grows in proportion. rate: requests a second beyond
        which the answer is 429, with the time to come back.
    slow_start: how many first requests take how many seconds longer.
    faults: what to do to the n-th request, counted from 0. `fault`: the same as a function of number and
        body. `echo`: reply to chat requests with a text made from the body by this function.
    logprobs: what to put under that name, made from the body, where it is asked for.
    """

    port: int = 0
    latency: tuple[float, float] = (0.0, 0.0)
    capacity: int | None = None
    rate: int | None = None
    slow_start: tuple[int, float] = (0, 0.0)
    faults: dict[int, Fault] = field(default_factory=dict)
    fault: Callable[[int, dict[str, Any]], Fault | None] | None = None
    echo: Callable[[dict[str, Any]], Any] | None = None
    logprobs: Callable[[dict[str, Any]], Any] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    refusals: list[tuple[float, float]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    _taken: deque[float] = field(default_factory=deque)
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> int:
        return len(self.bodies)

    def start(self) -> Loopback:
        started: list[BaseException | None] = []
        ready = threading.Event()

        def work() -> None:
            try:
                asyncio.run(self._serve(lambda: (started.append(None), ready.set())))
            except BaseException as error:
                started.append(error)
                ready.set()

        self._thread = threading.Thread(target=work, name="loopback", daemon=True)
        self._thread.start()
        ready.wait(10)
        if not started or started[0] is not None:
            raise RuntimeError(f"the loopback server did not start: {started}")
        return self

    def stop(self) -> None:
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._thread = None

    def __enter__(self) -> Loopback:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _serve(self, ready: Callable[[], object]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_post("/v1/completions", self._handle)
        app.router.add_post("/v1/embeddings", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True, backlog=1024)
            await site.start()
            self.port = runner.addresses[0][1]
            ready()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body: dict[str, Any] = orjson.loads(raw)
        number = len(self.bodies)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.times.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.rate and (wait := self._over_rate(number)):
                self.refusals.append((self.times[number], wait))
                return await _misbehave(Fault("status", 429, {"Retry-After": f"{wait:.3f}"}), request, b"")
            fault = self.faults.get(number) or (self.fault(number, body) if self.fault else None)
            if number < self.slow_start[0]:
                await asyncio.sleep(self.slow_start[1])
            if self.latency[1] > 0:
                load = max(1.0, self.in_flight / self.capacity) if self.capacity else 1.0
                await asyncio.sleep(random.uniform(*self.latency) * load)
            if fault:
                return await _misbehave(fault, request, self._answer(body, raw))
            return web.Response(body=self._answer(body, raw), content_type="application/json")
        finally:
            self.in_flight -= 1

    def _over_rate(self, number: int) -> float:
        """Seconds until a request may come that is answered; 0 if this one is."""
        assert self.rate
        now = self.times[number]
        while self._taken and self._taken[0] <= now - 1:
            self._taken.popleft()
        if len(self._taken) < self.rate:
            self._taken.append(now)
            return 0.0
        return self._taken[0] + 1 - now

    def _answer(self, body: dict[str, Any], raw: bytes) -> bytes:
        if "input" in body:
            return embeddings(body)
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        text = self.echo(body) if self.echo else reply(prompt, hashlib.sha256(raw).hexdigest())
        if isinstance(text, str):
            for stop in body.get("stop", ()):
                text = text.partition(stop)[0]
        choice = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        if self.logprobs and body.get("logprobs"):
            choice["logprobs"] = self.logprobs(body)
        words = len(prompt.split()), len(text.split()) if isinstance(text, str) else 0
        usage = {"prompt_tokens": words[0], "completion_tokens": words[1], "total_tokens": sum(words)}
        return orjson.dumps({"id": "cmpl", "object": "x", "model": body["model"], "choices": [choice], "usage": usage})


def embeddings(body: dict[str, Any]) -> bytes:
    """Vectors made of the letters of each text, not of unit length, and in no order."""
    size = body.get("dimensions", 8)
    items = [
        {"index": i, "embedding": [digit + 1.0 for digit in hashlib.sha256(text.encode()).digest()[:size]]}
        for i, text in enumerate(body["input"])
    ]
    usage = {"prompt_tokens": sum(len(text.split()) for text in body["input"])}
    return orjson.dumps({"object": "list", "model": body["model"], "data": items[::-1], "usage": usage})


async def _misbehave(fault: Fault, request: web.Request, answer: bytes) -> web.StreamResponse:
    kind = fault.kind
    if kind == "hang":
        await asyncio.sleep(3600)
    if kind in ("reset", "half", "stall", "drip"):
        return await _trickle(kind, request, answer)
    if kind == "status":
        said = fault.body if fault.body is not None else {"error": {"message": f"scripted fault {fault.status}"}}
        return web.json_response(said, status=fault.status, headers=fault.headers)
    if kind == "html":
        return web.Response(body=b"<html><h1>Gateway</h1></html>", content_type="text/html")
    return web.Response(body=_odd(kind, answer), content_type="application/json")


async def _trickle(kind: str, request: web.Request, answer: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(answer))})
    if kind != "reset":
        await response.prepare(request)
        middle = len(answer) // 2
        for start in range(0, len(answer) if kind == "drip" else middle, max(1, len(answer) // 8)):
            await response.write(answer[start : start + max(1, len(answer) // 8)])
            await asyncio.sleep(0.002)
        if kind == "drip":
            await response.write_eof()
            return response
        if kind == "stall":
            await asyncio.sleep(3600)
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return response


def _odd(kind: str, answer: bytes) -> bytes:
    """What an odd server sends under status 200 instead of an answer, or makes of it."""
    if kind == "bad_json":
        return b'{"choices": [{"message": {"cont'
    if kind == "huge":
        return orjson.dumps({"log": "x" * 10_000_000})
    reply = orjson.loads(answer)
    choice = reply["choices"][0]
    place, field = (choice["message"], "content") if "message" in choice else (choice, "text")
    if kind == "empty_choices":
        reply["choices"] = []
    elif kind == "wrong_type":
        place[field], reply["usage"] = [{"type": "text", "text": 7}], "many"
    elif kind == "null_content":
        place[field] = None
    elif kind == "length":
        place[field] = place[field][: len(place[field]) // 2]
        choice["finish_reason"] = "length"
    elif kind == "content_filter":
        place[field], choice["finish_reason"] = "", "content_filter"
    elif kind == "invalid_utf8":
        place[field] += "HERE"
        return orjson.dumps(reply).replace(b"HERE", b"\xc3(")
    else:
        raise ValueError(f"no such fault: {kind}")
    return orjson.dumps(reply)


@dataclass(frozen=True)
class Mixture:
    """Faults at random: give it to a server as its `fault`.

    Those of the way (statuses, cut connections, rubbish) fall on any request and are gone at another try; those of
    the answer (`null_content`, `length`, ...) stick to a prompt, as a provider would withhold it again.

    share: of the requests that meet a fault of the way. odd: of the prompts whose answer is odd.
    """

    share: float = 0.3
    odd: float = 0.0
    seed: int = 0

    def __call__(self, number: int, body: dict[str, Any]) -> Fault | None:
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        rng = random.Random(f"odd {prompt}")
        odd = Fault(rng.choice(ODD_ANSWERS)) if rng.random() < self.odd else None
        rng = random.Random(f"{self.seed} {number}")
        if rng.random() >= self.share:
            return odd
        fault = rng.choices(WAY_FAULTS, [0.1 if fault.kind in _SLOW else 1.0 for fault in WAY_FAULTS])[0]
        return odd if odd and fault.kind == "drip" else fault


@dataclass
class Bill:
    """What a provider would charge for: every request that it answers in full, whether or not anybody is left to take
    the answer. Wrap it around the faults of a server."""

    faults: Callable[[int, dict[str, Any]], Fault | None]
    answers: int = 0

    def __call__(self, number: int, body: dict[str, Any]) -> Fault | None:
        fault = self.faults(number, body)
        if fault is None or fault.kind == "drip" or fault.kind in ODD_ANSWERS:
            self.answers += 1
        return fault


_SLOW = ("hang", "stall", "huge")  # rarer in a mixture, for the sake of the tests' time
WAY_FAULTS = (
    Fault("status", 429),
    Fault("status", 429, {"Retry-After": "0.02"}),
    Fault("status", 500),
    Fault("status", 502, body="<html>Bad gateway</html>"),
    Fault("status", 503, {"Retry-After": "0.01"}),
    Fault("status", 400),
    Fault("hang"),
    Fault("stall"),
    Fault("drip"),
    Fault("reset"),
    Fault("half"),
    Fault("bad_json"),
    Fault("html"),
    Fault("huge"),
    Fault("wrong_type"),
    Fault("empty_choices"),
)
ODD_ANSWERS = ("null_content", "length", "content_filter", "invalid_utf8")


def reply(prompt: str, salt: str) -> str:
    """What the teacher says: a pure function of the prompt and the salt, now and then an ugly one."""
    rng = random.Random(f"{salt}\n{prompt}")
    tail = prompt.rstrip().rsplit("\n", 1)[-1]
    if numbered := re.fullmatch(r"(\d+)\.", tail):
        return _instructions(rng, int(numbered.group(1)))
    if tail.startswith("Classification"):
        return rng.choice(["Yes", "No", "No", "No.", "**Yes**", "no", "It depends"] if rng.random() < 0.3 else ["No"])
    if numbered := re.fullmatch(r"(\d+)\. Instruction:", tail):
        return _tasks(rng, int(numbered.group(1)))
    if "Class label:" in prompt:
        return _labelled(rng)
    return _examples(rng)


_VERBS = ("Describe", "Compare", "Summarise", "List", "Explain", "Outline", "Rewrite", "Invent", "Justify", "Criticise")
_THINGS = tuple(
    "bridge harvest violin glacier lantern market orchard tunnel comet kettle compass quarry meadow ferry loom"
    " anvil canal beacon cellar drum furnace garden hinge island jacket kiln ladder mirror needle oven".split()
)
_ENDS = ("in plain words", "for a child", "as a short poem", "in three points", "from memory", "as a letter")
_UGLY = [
    "Short one",
    "Draw a picture of the sea and the sky",
    "?! what is this thing here",
    "Write a program that adds",
]


def _instruction(rng: random.Random) -> str:
    a, b, c, d = rng.sample(_THINGS, 4)
    return f"{rng.choice(_VERBS)} the {a} and the {b} beside a {c} {rng.choice(_ENDS)}, then mention one {d}."


def _instructions(rng: random.Random, first: int) -> str:
    if rng.random() < 0.04:
        return "I am sorry, but I cannot\ndo that today."
    items = [rng.choice(_UGLY) if rng.random() < 0.1 else _instruction(rng) for _ in range(8)]
    if rng.random() < 0.2:
        items[-1] = items[0]
    lines = [f"{first + i}. {item}" for i, item in enumerate(items)]
    lines[0] = f" {items[0]}"
    return "\n".join(lines)


def _examples(rng: random.Random) -> str:
    if rng.random() < 0.05:
        return rng.choice(["", "Input: something\nOutput:", "Output: as follows:"])
    if rng.random() < 0.3:
        return f"Output: {_sentence(rng)}"
    pairs = [f"Example {i}\nInput: {_sentence(rng)}\nOutput: {_sentence(rng)}" for i in range(1, rng.randint(2, 4))]
    return "\n\n".join(pairs)


def _labelled(rng: random.Random) -> str:
    return "\n".join(f"Class label: {label}\nInput: {_sentence(rng)}" for label in ("good", "bad", "unclear")[:2])


def _tasks(rng: random.Random, first: int) -> str:
    parts = []
    for number in range(first, first + 5):
        head = "" if number == first else f"###\n{number}. Instruction:"
        given = "<noinput>" if rng.random() < 0.5 else _sentence(rng)
        parts.append(f"{head} {_instruction(rng)}\n{number}. Input:\n{given}\n{number}. Output:\n{_sentence(rng)}\n")
    return "".join(parts)


def _sentence(rng: random.Random) -> str:
    a, b, c = rng.sample(_THINGS, 3)
    return f"The {a} near the {b} kept {rng.randint(2, 999)} notes on every {c} — naïve or not."


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[Loopback]:
    """A server for the length of a block."""
    with Loopback(**options) as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.0), metavar=("SHORTEST", "LONGEST"))
    options = parser.parse_args()
    server = Loopback(port=options.port, latency=tuple(options.latency))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server._serve(lambda: print(server.url, flush=True)))


if __name__ == "__main__":
    main()
