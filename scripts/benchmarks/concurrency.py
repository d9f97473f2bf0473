"""How well a real server of limited capacity is fed: in flight and throughput, each over what would be right.

The server answers `capacity` requests at once in 0.1 s each and queues the rest; it never says 429. Targets: in flight
within 0.7 and 1.3 of the capacity, throughput at least 0.9 of what it allows. Both processes share the machine.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from llmsynth.backends.openai import OpenAIBackend
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Message, Request
from tests.loopback import Loopback

LATENCY = 0.1
LOOKAHEAD = 400


def main() -> None:
    results = {}
    for capacity in (4, 20, 60):
        with tempfile.TemporaryDirectory() as folder, Loopback(latency=(LATENCY, LATENCY), capacity=capacity) as server:
            in_flight, throughput = asyncio.run(feed(server.url, Path(folder) / "journal.jsonl", capacity))
        results[capacity] = {
            "in flight / capacity": round(in_flight / capacity, 2),
            "throughput / best": round(throughput * LATENCY / capacity, 2),
        }
    print(json.dumps(results, indent=2))


async def feed(url: str, path: Path, capacity: int) -> tuple[float, float]:
    """Mean in flight and answers per second over the second half of a run, but for its end."""
    journal = Journal(path)
    model = Model(OpenAIBackend("teacher", url), journal, concurrency=256, adaptive=True)
    requests = (Request("only", (Message(role="user", content=f"number {i}"),)) for i in range(400 * capacity))
    seen = [(time.monotonic(), model.in_flight) async for _ in model.stream(requests, LOOKAHEAD)]
    await model.aclose()
    journal.close()
    late = seen[len(seen) // 2 : -LOOKAHEAD]
    return sum(count for _, count in late) / len(late), len(late) / (late[-1][0] - late[0][0])


if __name__ == "__main__":
    main()
