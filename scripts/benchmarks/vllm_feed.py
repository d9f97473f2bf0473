"""How fast llmsynth feeds vLLM in process: python scripts/benchmarks/vllm_feed.py [--model DIR]. Prints JSON.

The bare asynchronous engine, given prompts that are tokenised already, and `VLLMBackend` through
`Model.stream`, journal and all, answer the same prompts greedily on the same engine with as many in flight.
They take turns for several rounds, the first of which only warms up; the share is that of the median rates.
Processor time is that of this process, not of the engine's; on a machine whose cores are busy with other
work it says more than the rates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llmsynth
from llmsynth.backends.vllm import VLLMBackend
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Message, Request, Sampling

_WORDS = ["river", "violin", "harbour", "market", "theorem", "garden", "bridge", "comet", "ledger", "forest"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(Path(llmsynth.__file__).parent / "data" / "pocket"))
    parser.add_argument("--engine", type=json.loads, default={}, metavar="JSON", help="arguments of the engine")
    parser.add_argument("--requests", type=int, default=512, help="in a round (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=256, help="(%(default)s)")
    parser.add_argument("--words", type=int, default=40, help="in a prompt (%(default)s)")
    parser.add_argument("--tokens", type=int, default=64, help="in an answer at most (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="that count (%(default)s)")
    print(json.dumps(asyncio.run(measure(parser.parse_args(arguments))), indent=2))


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    # without the prefix cache, or whoever comes second would find the prompts read already
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; for the CPU build, which would take most of the memory
    engine = {"dtype": "float32", "enforce_eager": True, "max_model_len": 2048, "enable_prefix_caching": False}
    engine["gpu_memory_utilization"] = 0.5
    backend = VLLMBackend(options.model, engine={**engine, **options.engine})
    rng = random.Random(0)
    texts = [f"Write about {' '.join(rng.choices(_WORDS, k=options.words))}." for _ in range(options.requests)]
    sampling = Sampling(temperature=0.0, max_tokens=options.tokens)
    requests = [Request("feed", (Message(role="user", content=text),), sampling) for text in texts]
    rates: dict[str, list[float]] = {"bare": [], "llmsynth": []}
    busy: dict[str, list[float]] = {"bare": [], "llmsynth": []}
    made: dict[str, int] = {}
    try:
        await backend.complete(requests[0])  # starts the engine
        tokens = [backend._engine._tokens(request) for request in requests]
        ways = {
            "bare": lambda: ask_bare(backend._engine.llm, tokens, options.tokens, options.in_flight),
            "llmsynth": lambda: ask_llmsynth(backend, requests, options.in_flight),
        }
        for number in range(options.rounds + 1):
            for name in sorted(ways, reverse=number % 2 == 1):  # neither is always the first
                started, worked = time.perf_counter(), time.process_time()
                made[name] = await ways[name]()
                rates[name].append(options.requests / (time.perf_counter() - started))
                busy[name].append(1e3 * (time.process_time() - worked) / options.requests)
    finally:
        await backend.aclose()
    median = {name: statistics.median(rates[name][1:]) for name in rates}
    return {
        "requests": options.requests,
        "in_flight": options.in_flight,
        "tokens_made": made,
        "requests_per_second": {name: [round(rate, 1) for rate in rates[name][1:]] for name in rates},
        "processor_ms_per_request": {name: round(statistics.median(busy[name][1:]), 2) for name in busy},
        "share": round(median["llmsynth"] / median["bare"], 3),
    }


async def ask_bare(llm: Any, prompts: Sequence[list[int]], max_tokens: int, in_flight: int) -> int:
    """Tokens made by the engine alone."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    waiting = iter(enumerate(prompts))
    made = 0

    async def work() -> None:
        nonlocal made
        for number, tokens in waiting:
            sampling = SamplingParams(temperature=0.0, max_tokens=max_tokens, output_kind=RequestOutputKind.FINAL_ONLY)
            prompt = {"type": "token", "prompt_token_ids": tokens}
            async for output in llm.generate(prompt, sampling, f"bare-{number}"):
                made += len(output.outputs[0].token_ids)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return made


async def ask_llmsynth(backend: VLLMBackend, requests: Sequence[Request], in_flight: int) -> int:
    """Tokens made by way of `Model.stream`, as a run asks."""
    with tempfile.TemporaryDirectory(prefix="llmsynth-bench-") as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        model = Model(backend, journal, concurrency=in_flight)
        made = 0
        async for completion in model.stream(requests, 4 * in_flight):
            assert completion.failure is None, completion.failure
            made += completion.completion_tokens or 0
        journal.close()
    return made


if __name__ == "__main__":
    main()
