"""Semantic deduplication beyond the rows it is exact for, and what it misses: scripts/bench cells [--rows N].

Made-up vectors of 2,000 topics, one in nineteen of them nearly a copy of an earlier one. Told are time and memory, the
share of the copies that were found, overall and among those that came after the exact part, what the step itself
measured of its loss, and for 400 rows from the end the pairs found by comparing with all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from curate import BATCH, load, size_of

from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity.vectors import EXACT_UP_TO
from llmsynth.steps.duplicates import SemanticDuplicates

WIDTH, TOPICS, COPIES, CHECKED, THRESHOLD = 256, 2_000, 19, 400, 0.95


@dataclass
class MadeUp:
    """Vectors by number: the text of a row is its number."""

    identity: ClassVar[str] = "made-up"
    dimensions: ClassVar[int] = WIDTH
    costly: ClassVar[bool] = False
    centres: ClassVar[Any] = None

    async def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([vector(int(text)) for text in texts])


def vector(number: int) -> Any:
    original = copied_from(number)
    if original is None:
        rng = np.random.default_rng(number)
        made = MadeUp.centres[rng.integers(TOPICS)] + rng.normal(0, 0.05, WIDTH)
    else:
        rng = np.random.default_rng(number + (1 << 40))
        made = vector(original) + rng.normal(0, rng.uniform(0.005, 0.0205), WIDTH)
    return (made / np.linalg.norm(made)).astype(np.float32)


def copied_from(number: int) -> int | None:
    """The earlier row that a row is nearly a copy of: itself no copy."""
    if number % COPIES or not number:
        return None
    original = int(np.random.default_rng(number + (2 << 40)).integers(number))
    return original + 1 if original % COPIES == 0 else original


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--exact-up-to", type=int, default=EXACT_UP_TO)
    options = parser.parse_args()
    centres = np.random.default_rng(0).normal(size=(TOPICS, WIDTH))
    MadeUp.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    print(
        f"{options.rows:,} vectors of {WIDTH}; exact up to {options.exact_up_to:,}; load {load()} of {os.cpu_count()}"
    )
    step = SemanticDuplicates(("text",), THRESHOLD, embedder=f"{__name__}:MadeUp", exact_up_to=options.exact_up_to)
    run = Run(models={})
    started, used = time.perf_counter(), time.process_time()
    dropped = asyncio.run(through(step, options.rows, run))
    print(
        f"{time.perf_counter() - started:.0f} s, {time.process_time() - used:.0f} s of processor time, vectors made;"
        f" index {size_of(step) / 2**20:.0f} MiB; {options.rows - len(dropped):,} kept"
    )
    copies = [number for number in range(COPIES, options.rows, COPIES) if cosine(number) >= THRESHOLD]
    late = [number for number in copies if number > options.exact_up_to * COPIES / (COPIES - 1)]
    for name, some in (("all", copies), ("after the exact part", late)):
        if some:
            found = sum(number in dropped for number in some)
            print(f"copies, {name}: {found:,} of {len(some):,} found, {found / len(some):.4f}")
    print(f"told by the step: {run.notes}")
    check(options.rows, dropped)


async def through(step: SemanticDuplicates, rows: int, run: Run) -> dict[int, str]:
    dropped: dict[int, str] = {}
    for start in range(0, rows, BATCH):
        batch = [Record(str(n), {"text": str(n)}) for n in range(start, min(rows, start + BATCH))]
        for record in await step.apply(batch, run):
            if record.dropped:
                dropped[int(record.id)] = record.meta["duplicate_of"]["kept_id"]
    return dropped


def cosine(copy: int) -> float:
    original = copied_from(copy)
    assert original is not None
    return float(vector(copy) @ vector(original))


def check(rows: int, dropped: dict[int, str]) -> None:
    """The last rows against all kept ones, in one product."""
    last = list(range(rows - CHECKED, rows))
    block = np.stack([vector(number) for number in last])
    should: set[int] = set()
    for start in range(0, rows, 10_000):
        kept = [n for n in range(start, min(rows, start + 10_000)) if n not in dropped]
        near = block @ np.stack([vector(number) for number in kept]).T >= THRESHOLD
        for row, number in enumerate(last):
            if any(kept[place] < number for place in np.flatnonzero(near[row])):
                should.add(number)
    should |= {number for number in last if number in dropped}
    missed = [number for number in should if number not in dropped]
    print(f"the last {CHECKED} rows compared with all kept ones: {len(should)} should go, {len(missed)} of them stayed")


if __name__ == "__main__":
    main()
