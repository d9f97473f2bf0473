"""Requests by aiohttp with nothing around them, each answer read and parsed: bare_aiohttp.py URL COUNT IN_FLIGHT.

Imports nothing else, so that the time of the whole process is a floor. Prints the seconds without its start.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import orjson


async def ask(url: str, count: int, in_flight: int) -> None:
    numbers = iter(range(count))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            message = {"role": "user", "content": f"Question {number}: what is a bridge made of, and why of that?"}
            body = {"model": "m", "temperature": 0.7, "max_tokens": 64, "messages": [message]}
            async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                reply = orjson.loads(await response.read())
            assert reply["choices"][0]["message"]["content"]

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:
        await asyncio.gather(*(work(session) for _ in range(in_flight)))


if __name__ == "__main__":
    started = time.perf_counter()
    asyncio.run(ask(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    print(time.perf_counter() - started)
