"""Rows a second and peak memory of an export, in a process of its own: python scripts/benchmarks/export.py [ROWS]."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGETS = ("messages", "alpaca", "sharegpt", "prompt-completion")


def main() -> None:
    if len(sys.argv) == 4:
        work(*sys.argv[1:])
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        for count in (rows // 10, rows):
            source = Path(folder) / f"{count}.jsonl"
            made_up(source, count)
            for target in TARGETS:
                command = [sys.executable, __file__, str(source), target, str(Path(folder) / f"{target}-{count}")]
                seconds, peak = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                print(f"{count:,} rows to {target}: {count / seconds:,.0f} rows/s, {peak / 1024:,.0f} MiB at most")


def work(source: str, target: str, out: str) -> None:
    from llmsynth.export import Source, export

    started = time.perf_counter()
    export(Source(Path(source)), target, Path(out))
    print(json.dumps([time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))


def made_up(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            answer = " ".join(f"Sentence {n * k} says a little of what a bridge is made of." for k in range(12))
            turns = [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"id": n, "messages": turns}) + "\n")


if __name__ == "__main__":
    main()
