"""Gigabytes to a Hub on the loopback interface that is in a bad way: scripts/bench push [--gigabytes N] [--faults P].

A made up run is pushed by `llmsynth push`, in a process whose memory is measured, while that share of all answers is
429 or 503. Half-way the process is killed; the next one goes on. Told are memory, speed, and what was sent twice. Files
are sent in pieces (Xet), as the Hub's client does by default, which waits for some seconds after each fault, or with
--lfs whole, by plain HTTP. The data, of which the Hub keeps only the hashes, lie in a temporary folder, or in one in
--folder DIR, and are removed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from llmsynth.card import CardFacts, write_card
from llmsynth.dataset import DatasetInfo
from tests.hub_repo import Faults
from tests.hub_server import TOKEN, HubServer

REPO = "ada/big"
SHARD, ROW = 100_000_000, 1_000_000  # bytes
GIB = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--faults", type=float, default=0.3)
    parser.add_argument("--lfs", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmsynth-push-", dir=options.folder) as scratch:
        run = Path(scratch) / "run"
        count = max(2, round(options.gigabytes * 1e9 / SHARD))
        size = write_run(run, count)
        print(f"{size / 1e9:.2f} GB in {count} shards; {options.faults:.0%} of all answers are 429 or 503")
        with HubServer(None) as hub:
            hub.fault = Faults(options.faults, seconds=1)
            half = threading.Event()
            hub.stored = hub.xet.listed = lambda number: half.set() if number >= count // 2 else None
            received = hub.received if options.lfs else hub.xet.blocks
            first, peak = pushed(run, hub, Path(scratch), options.lfs, half)
            there = sum(hub.objects.values())
            print(f"killed after {first:.0f} s and {there / 1e9:.2f} GB; commits: {commits(hub)}")
            whole = hub.objects if options.lfs else hub.xet.used
            before = {sha256: received[sha256] for sha256 in whole}
            second, then = pushed(run, hub, Path(scratch), options.lfs)
            twice = sum(received[sha256] - parts for sha256, parts in before.items())
            refused = hub.answered[429] + hub.answered[503]
            total = hub.answered.total()
        peak = max(peak, then)
        sent = sum(hub.objects.values())
        print(f"finished after {second:.0f} s more; commits: {commits(hub)}; {refused} of {total} answers refused")
        print(f"{sent / (first + second) / 1e6:.0f} MB/s over both; parts of complete files sent again: {twice}")
        print(f"peak memory of a process that pushes: {peak:.2f} GiB")
        met = peak < GIB and sent == size and commits(hub) == 1 and not twice
    print("met" if met else "NOT met")
    sys.exit(0 if met else 1)


def write_run(run: Path, count: int) -> int:
    """A finished run of that many shards of noise, which nothing can compress; their size in bytes."""
    data = run / "dataset" / "data"
    data.mkdir(parents=True)
    rows = SHARD // ROW
    names = [f"data/train-{number:05d}-of-{count:05d}.parquet" for number in range(count)]
    size = 0
    for number, name in enumerate(names):
        texts = [base64.b64encode(os.urandom(ROW * 3 // 4)).decode() for _ in range(rows)]
        ids = [f"{number}-{row}" for row in range(rows)]
        pq.write_table(pa.table({"id": ids, "text": texts}), run / "dataset" / name, compression="none")
        size += (run / "dataset" / name).stat().st_size
    columns = {"id": "string", "text": "string"}
    info = DatasetInfo("train", columns, "id", rows * count, size, size, tuple(names), {})
    write_card(run / "dataset", CardFacts(name="Noise", generators=("self-instruct",), splits=(info,)))
    (run / "report.json").write_text("{}")
    return size


def pushed(
    run: Path, hub: HubServer, scratch: Path, lfs: bool, until: threading.Event | None = None
) -> tuple[float, float]:
    """Push in a process of its own, to the end or until something has happened; seconds, and its memory in GiB."""
    settings = {"HF_HOME": str(scratch / "home"), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    own = {"HF_HUB_DISABLE_XET": str(int(lfs)), "HF_HUB_OFFLINE": "0", "no_proxy": "*"}
    environment = {**os.environ, **settings, **own}
    started = time.monotonic()
    process: Any = subprocess.Popen([sys.executable, "-m", "llmsynth", "push", str(run), REPO], env=environment)
    peak = 0.0
    while process.poll() is None and not (until and until.is_set()):
        peak = max(peak, memory(process.pid))
        time.sleep(0.01)
    if until:
        process.kill()
    if process.wait() != 0 and not until:
        sys.exit("the push has failed")
    return time.monotonic() - started, peak


def memory(pid: int) -> float:
    """The most that a process has held so far, in GiB; what is told of children once they are gone counts us too."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 2**20
    return 0.0


def commits(hub: HubServer) -> int:
    return hub.repos[REPO].commits


if __name__ == "__main__":
    main()
