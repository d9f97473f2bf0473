"""Rows per second through a recipe, beside bare aiohttp on one server: python scripts/benchmarks/client.py [PART...].

Parts: latency (2,000 rows against a server that takes 50 ms), share (against one that answers at once, 64 and 256 in
flight), replay (from the journal), memory (peak at 20,000 and 200,000 rows); all of them without arguments. The
server is a process of its own on the loopback interface, each measured run another.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmsynth import Recipe, synthesize
from llmsynth.generators.protocol import About, StageEstimate
from llmsynth.record import Drop, Record
from llmsynth.request import Message, Request, Sampling
from llmsynth.run import Run

BARE = Path(__file__).parent / "peers" / "bare_aiohttp.py"
IN_FLIGHT = 384
REPEATS = 5
PARTS = ("latency", "share", "replay", "memory")


@dataclass(frozen=True)
class OneCall:
    """A row for each of `count` prompts."""

    about: ClassVar[About] = About("One call for each row.")

    count: int = 2_000
    lookahead: int = 512
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=64)

    def validate(self, run: Run) -> None:
        run.model("default")

    def estimate(self, run: Run, past: Any) -> list[StageEstimate]:
        return [StageEstimate("row", self.count, 20 * self.count, 20 * self.count, 64 * self.count)]

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        requests = (Request("row", _messages(i), self.sampling) for i in range(self.count))
        index = 0
        async for completion in run.model("default").stream(requests, self.lookahead):
            drop = Drop(completion.failure.kind, failed=True) if completion.failure else None
            fields = {"instruction": f"Question {index}", "input": "", "output": completion.text}
            yield Record(f"{index:07}", fields, {"journal": [completion.key]}, dropped=drop)
            index += 1


def _messages(number: int) -> tuple[Message, ...]:
    return (Message(role="user", content=f"Question {number}: what is a bridge made of, and why of that?"),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(json.loads(options.work))))
        return
    for part in options.parts or PARTS:
        {"latency": latency, "share": share, "replay": replay, "memory": memory}[part]()


def latency() -> None:
    """2,000 rows against 50 ms: 384 in flight, which is the default, make at most 7,680 a second."""
    kinds: dict[str, dict[str, Any]] = {"fixed": {"adaptive": False}, "adaptive": {}}
    with serving(0.05) as url:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in (*kinds, "bare aiohttp")}
        for _ in range(REPEATS):  # in turns, so that another load on the machine meets all of them
            for name, more in kinds.items():
                runs[name].append(recipe_run(url, 2_000, **more))
            runs["bare aiohttp"].append(bare_run(url, 2_000, IN_FLIGHT))
    best = {name: min(one["process"] for one in each) for name, each in runs.items()}
    for name, each in runs.items():
        print(
            f"50 ms, 2,000 rows, {IN_FLIGHT} in flight, {name}: {2_000 / best[name]:,.0f} rows/s by the whole process,"
            f" {best['bare aiohttp'] / best[name]:.0%} of bare aiohttp's;"
            f" {2_000 / min(one['seconds'] for one in each):,.0f} without its start"
        )


def share() -> None:
    """What is left of bare aiohttp's speed against a server that answers at once."""
    rows = 10_000
    with serving(0.0) as url:
        for in_flight in (64, 256):
            ours, bare = [], []
            for _ in range(REPEATS):  # in turns, so that another load on the machine meets both
                ours.append(recipe_run(url, rows, concurrency=in_flight, adaptive=False)["seconds"])
                bare.append(bare_run(url, rows, in_flight)["seconds"])
            ratio = min(bare) / min(ours)
            print(
                f"no latency, {in_flight} in flight: {rows / min(ours):,.0f} rows/s,"
                f" bare aiohttp {rows / min(bare):,.0f}/s, share {ratio:.0%}"
            )


def replay() -> None:
    """A finished run whose report is lost is replayed whole."""
    rows = 200_000
    with serving(0.0) as url, tempfile.TemporaryDirectory() as folder:
        recipe_run(url, rows, folder=folder, adaptive=False)
        seconds = []
        for _ in range(REPEATS):
            (Path(folder) / "report.json").unlink()
            seconds.append(recipe_run(url, rows, folder=folder, adaptive=False)["seconds"])
        print(f"replay of {rows:,} rows: {rows / min(seconds):,.0f} rows/s")


def memory() -> None:
    """Peak resident memory of a run of 20,000 rows and of ten times as many."""
    with serving(0.0) as url:
        peaks = [recipe_run(url, rows, adaptive=False)["peak"] for rows in (20_000, 200_000)]
    print(f"peak memory: {peaks[0]} MiB at 20,000 rows, {peaks[1]} MiB at 200,000: {peaks[1] / peaks[0]:.2f} times")


def recipe_run(url: str, rows: int, folder: str = "", **model: Any) -> dict[str, Any]:
    """A run in a process of its own; in an empty folder unless one is given."""
    with tempfile.TemporaryDirectory() as scratch:
        return measured({"url": url, "rows": rows, "folder": folder or scratch, "model": model})


def bare_run(url: str, rows: int, in_flight: int) -> dict[str, Any]:
    return timed(str(BARE), url, str(rows), str(in_flight))


def measured(job: dict[str, Any]) -> dict[str, Any]:
    return timed(__file__, "--work", json.dumps(job))


def timed(*command: str) -> dict[str, Any]:
    """What a Python program prints, a number being its seconds without its start, and the seconds it took in all."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - started
    told = json.loads(done.stdout)
    return {**(told if isinstance(told, dict) else {"seconds": told}), "process": took}


def work(job: dict[str, Any]) -> dict[str, Any]:
    """What a measured process does."""
    started = time.perf_counter()
    spec = {"use": "openai", "model": "m", "base_url": job["url"], **job["model"]}
    generator = {"use": "scripts.benchmarks.client:OneCall", "count": job["rows"]}
    generator |= {"lookahead": job["lookahead"]} if "lookahead" in job else {}
    result = synthesize(Recipe(generator=generator, models={"default": spec}), job["folder"])
    assert result.report["rows"]["kept"] == job["rows"], result.report
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


_SERVER = """
import asyncio, sys
text = "Stone, brick, wood or steel, because each of them bears what has to be borne where it stands."
body = ('{"choices":[{"message":{"content":"' + text + '"},"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":20,"completion_tokens":20}}').encode()
answer = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
latency = float(sys.argv[1])

class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""
    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.data[:end].lower()
            at = head.index(b"content-length:") + 15
            size = int(head[at:].split(b"\\r\\n", 1)[0])
            if len(self.data) < end + 4 + size:
                return
            self.data = self.data[end + 4 + size:]
            if latency:
                loop.call_later(latency, self.transport.write, answer)
            else:
                self.transport.write(answer)

loop = asyncio.new_event_loop()
server = loop.run_until_complete(loop.create_server(Server, "127.0.0.1", 0, backlog=1024))
print(server.sockets[0].getsockname()[1], flush=True)
loop.run_forever()
"""


@contextlib.contextmanager
def serving(seconds: float) -> Iterator[str]:
    """The least server that can be: it answers every request with the same, after so many seconds."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
