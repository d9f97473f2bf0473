"""What noting pairs for later thresholds costs the near-duplicate steps: scripts/bench floors [--rows N].

Each step is run without a floor, with one at its threshold and with one a tenth below it. Told are processor time, the
bytes of its index, and those of what it notes with the records, as JSON. LLMSYNTH_BENCH_DATA: as for curate.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import orjson
from curate import BATCH, load, made_up_rows, records_of, rows_of, size_of, warm_up

from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps.duplicates import MinhashDuplicates, RougeDuplicates, SemanticDuplicates

STEPS: dict[str, tuple[float, Callable[[float | None], Any]]] = {
    "minhash-duplicates": (0.8, lambda floor: MinhashDuplicates(floor=floor)),
    "rouge-duplicates": (0.7, lambda floor: RougeDuplicates(floor=floor)),
    "semantic-duplicates": (0.95, lambda floor: SemanticDuplicates(floor=floor)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=52_000)
    options = parser.parse_args()
    path = os.environ.get("LLMSYNTH_BENCH_DATA")
    records = records_of(rows_of(path) if path else made_up_rows(20_000), options.rows)
    print(f"{len(records):,} rows; {os.cpu_count()} cores, load {load()}; processor time")
    warm_up()
    for name, (threshold, make) in STEPS.items():
        for floor in (None, threshold, round(threshold - 0.1, 3)):
            step = make(floor)
            seconds, done = through(step, records)
            noted = sum(len(orjson.dumps(record.meta["near"])) for record in done if "near" in record.meta)
            kept = sum(record.dropped is None for record in done)
            print(
                f"{name}, threshold {threshold:g}, floor {floor}: {seconds:.2f} s, {kept:,} kept,"
                f" index {size_of(step) / 2**20:.0f} MiB, notes {noted / 2**20:.1f} MiB"
            )


def through(step: Any, records: list[Record]) -> tuple[float, list[Record]]:
    async def go() -> list[Record]:
        run = Run(models={})
        done: list[Record] = []
        for start in range(0, len(records), BATCH):
            done += await step.apply(records[start : start + BATCH], run)
        return done

    used = time.process_time()
    done = asyncio.run(go())
    return time.process_time() - used, done


if __name__ == "__main__":
    main()
