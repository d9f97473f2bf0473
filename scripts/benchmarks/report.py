"""The page of a run of 50,000 invented rows with two answers each: seconds and memory to write it, its size, the time
until Chromium has opened it, and how much of each row's neighbourhood the map keeps, beside two principal components.

scripts/bench report [--rows N] [--run DIR: a run of yours instead]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from llmsynth.dataset import read_records  # noqa: E402
from llmsynth.embed.static import StaticEmbedder  # noqa: E402
from llmsynth.report import write_report  # noqa: E402
from llmsynth.report.projection import neighbours_of, principal, project  # noqa: E402
from llmsynth.report.reading import reading_of  # noqa: E402
from tests.browsing import chromium, opened  # noqa: E402
from tests.reported import records, write_run  # noqa: E402

LOOKED_AT = 1_000  # rows whose neighbourhoods are compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--run", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = options.run or write_run(Path(scratch) / "run", records(options.rows), padding=60)
        page = Path(scratch) / "report.html"
        before = _peak()
        started, worked = time.perf_counter(), time.process_time()
        info = write_report(run, page)
        print(f"written in {time.perf_counter() - started:.1f} s ({time.process_time() - worked:.1f} s of processor)")
        print(f"peak memory {_peak():.0f} MB, {before:.0f} MB of it before")
        print(f"{info.size / 1e6:.1f} MB; {info.rows:,} of {info.all_rows:,} rows,", end=" ")
        print(f"{info.answers:,} of {info.all_answers:,} prompts and replies")
        with chromium() as browser:
            for _ in range(3):
                with opened(browser, page) as found:
                    print(f"opened in {found.page.evaluate('performance.now()') / 1000:.2f} s")
        print("of the 15 nearest rows the map keeps {:.1%}, two principal components {:.1%}".format(*_kept(run)))


def _kept(run: Path) -> tuple[float, float]:
    reading, rows = reading_of(read_records(run / "records"))
    vectors = StaticEmbedder().vectors([reading.asked_of(row) for row in rows])
    neighbours = neighbours_of(vectors)
    sample = np.random.default_rng(0).choice(len(vectors), min(LOOKED_AT, len(vectors)), replace=False)
    shares = []
    for points in (project(vectors, neighbours), principal(vectors)):
        found = 0
        for row in sample:
            distances = ((points - points[row]) ** 2).sum(axis=1)
            distances[row] = np.inf
            found += len(set(np.argpartition(distances, 15)[:15]) & set(neighbours.places[row]))
        shares.append(found / 15 / len(sample))
    return shares[0], shares[1]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
