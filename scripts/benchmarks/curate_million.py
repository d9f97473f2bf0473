"""A million rows through one `llmsynth curate`: scripts/bench curate_million [--rows N] [--steps FILE] [--folder DIR].

Exact and MinHash deduplication, the filters for instructions, the heuristics and semantic deduplication, which
compares within cells beyond 300,000 rows. Told are time and memory, of all and of each step, what was foreseen of them,
and how often a line of progress was written. LLMSYNTH_BENCH_DATA names a JSON Lines file with the columns instruction,
input and output, whose rows are repeated, two in three with words replaced; without it they are made up. DIR is where
the rows and the run are put; a temporary folder without it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from curate import COLUMNS, load, made_up_rows, rows_of

STEPS = "exact-duplicates,minhash-duplicates,instruction-profile,heuristics,semantic-duplicates"
MINUTES, GIB, FACTOR = 20.0, 4.0, 1.5
_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "MiB": 2.0**20, "GiB": 2.0**30}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--steps", default=STEPS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmsynth-million-") as scratch:
        folder = options.folder or Path(scratch)
        source = folder / f"rows-{options.rows}.jsonl"
        if not source.exists():
            write_rows(source, options.rows)
        print(f"{options.rows:,} rows, {source.stat().st_size / 2**20:,.0f} MiB; {os.cpu_count()} cores, load {load()}")
        outcome = curated(source, options.steps, folder / "run")
        met = tell(outcome, options.rows)
    sys.exit(0 if met else 1)


def write_rows(path: Path, count: int) -> None:
    """The rows of the data, then again and again, two in three times with up to a quarter of their words replaced."""
    data = os.environ.get("LLMSYNTH_BENCH_DATA")
    rows = rows_of(data) if data else made_up_rows(20_000)
    with path.open("wb") as file:
        for row in many(rows, count):
            file.write(orjson.dumps(row) + b"\n")


def many(rows: list[dict[str, str]], count: int) -> Iterator[dict[str, str]]:
    rng = random.Random(0)
    for number in range(count):
        row, round_ = rows[number % len(rows)], number // len(rows)
        if round_ % 3 == 0:
            yield {column: row.get(column) or "" for column in COLUMNS}
            continue
        fresh = (rng.choice(rows).get("instruction") or "").split(" ")
        fields = {}
        for column in COLUMNS:
            words = (row.get(column) or "").split(" ")
            for _ in range(rng.randint(0, max(1, len(words) // 4))):
                words[rng.randrange(len(words))] = rng.choice(fresh)
            fields[column] = " ".join(words)
        yield fields


class Outcome(NamedTuple):
    """What a run took, in seconds and bytes, what it said, and its report."""

    seconds: float
    processor: float
    peak: float
    said: str
    report: dict[str, Any]


def curated(source: Path, steps: str, out: Path) -> Outcome:
    command = [sys.executable, "-m", "llmsynth", "curate", str(source), "--steps", steps, "-o", str(out)]
    started = time.perf_counter()
    done = subprocess.run([*command, "--min-yield", "0"], stderr=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - started
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads((out / "report.json").read_bytes())
    return Outcome(seconds, spent.ru_utime + spent.ru_stime, 1024 * spent.ru_maxrss, done.stderr, report)


def tell(outcome: Outcome, rows: int) -> bool:
    print(outcome.said)
    spent = f"{outcome.seconds / 60:.1f} min, {outcome.processor / 60:.1f} min of processor time"
    print(f"took {spent}, {outcome.peak / 2**30:.2f} GiB; {rows / outcome.processor:,.0f} rows per second of that")
    for stage in outcome.report["funnel"]:
        print(f"  {stage['stage']}: {stage['in']:,} rows, {stage['seconds']:.1f} s")
    lines = len(re.findall(r"^rows [\d,]+/", outcome.said, re.MULTILINE))
    print(f"  {lines} lines of progress, load {load()}")
    checks = {
        f"under {MINUTES:g} minutes of processor time": outcome.processor < 60 * MINUTES,
        f"under {GIB:g} GiB": outcome.peak < GIB * 2**30,
    }
    size, busy = r"([\d.]+ \w+)", r"(?: \(([\d.]+ \w+) of the processor\))?"
    if foreseen := re.search(rf"expected: {size}{busy} and {size} of memory", outcome.said):
        clock, processor, memory = (_number(text) for text in foreseen.groups())
        taken = {
            "processor time" if processor else "time": (
                (outcome.processor, processor) if processor else (outcome.seconds, clock)
            ),
            "memory": (outcome.peak, memory),
        }
        for what, (real, told) in taken.items():
            factor = max(real / told, told / real)
            print(f"  {what} foreseen within a factor of {factor:.2f}")
            checks[f"{what} foreseen within a factor of {FACTOR:g}"] = factor <= FACTOR
    else:
        checks["a prediction was printed"] = False
    for what, met in checks.items():
        if not met:
            print(f"NOT MET: {what}")
    return all(checks.values())


def _number(text: str | None) -> float:
    number, unit = (text or "0 s").split()
    return float(number) * _UNITS[unit]


if __name__ == "__main__":
    main()
