"""Selection, diversity and heuristics: scripts/bench selection [PART ...] [--rows N] [--choose K] [--no-plain].

Parts: k-center mmr representation facility diversity heuristics; all of them without any. Selections are compared with
the plain algorithms, which compare every row with every chosen one in float64 and take minutes; --no-plain leaves that
out. LLMSYNTH_BENCH_DATA is as in `scripts/bench curate`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from curate import Spent, load, made_up_rows, records_of, rows_of

from llmsynth.diversity_report import diversity
from llmsynth.embed.static import StaticEmbedder
from llmsynth.heuristics import components
from llmsynth.record import Record
from llmsynth.similarity.selection import facility_location, k_center, mmr, nearest_chosen, representation_filter
from llmsynth.similarity.vectors import fixed, unfixed

failures: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS], default=[])
    parser.add_argument("--rows", type=int, default=52_000)
    parser.add_argument("--choose", type=int, default=6_000)
    parser.add_argument("--no-plain", action="store_true")
    options = parser.parse_args()
    path = os.environ.get("LLMSYNTH_BENCH_DATA")
    records = records_of(rows_of(path) if path else made_up_rows(20_000), options.rows)
    rows = unfixed(fixed(StaticEmbedder().vectors([str(record.fields["instruction"]) for record in records])))
    source = "rows of a file, repeated with edits" if path else "made up (LLMSYNTH_BENCH_DATA is not set)"
    print(f"{len(rows):,} x {rows.shape[1]}: {source}; {os.cpu_count()} cores, load {load()}")
    k_center(rows[:10], 2)  # compiles
    for name in options.parts or PARTS:
        PARTS[name](records, rows, options.choose, not options.no_plain)
    for failure in failures:
        print(f"NOT MET: {failure}")
    sys.exit(1 if failures else 0)


def centers(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    chosen, spent = timed(lambda: k_center(rows, k))
    told("k-center", spent, k, rows)
    under_5_seconds("k-center", spent)
    others = np.setdiff1d(np.arange(len(rows)), chosen)
    nearest, looked = timed(lambda: nearest_chosen(rows, others, chosen))
    print(f"  the nearest chosen row of all others: {clock(looked)}")
    print(f"  the least similar of them is at {nearest.similarity.min():.3f}")
    if plain:
        compare("k-center", chosen, lambda: plain_mmr(rows, np.zeros(len(rows)), k, 0.0), spent)


def relevance(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    worth = np.random.default_rng(1).random(len(rows))
    chosen, spent = timed(lambda: mmr(rows, worth, k, 0.5))
    told("MMR", spent, k, rows)
    if plain:
        compare("MMR", chosen, lambda: plain_mmr(rows, worth, k, 0.5), spent)


def representation(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    done, spent = timed(lambda: representation_filter(rows, k, 0.9))
    told("representation filter", spent, len(done.chosen), rows)
    print(f"  {int((done.against >= 0).sum()):,} were passed over")
    under_5_seconds("the representation filter", spent)
    if plain:
        compare("representation filter", done.chosen, lambda: plain_filter(rows, k, 0.9), spent)


def facility(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    chosen, spent = timed(lambda: facility_location(rows, k))
    told("facility location on the 64 nearest neighbours", spent, k, rows)
    at_random = np.random.default_rng(2).permutation(len(rows))[:k]
    means = [nearest_chosen(rows, np.arange(len(rows)), some).similarity.mean() for some in (chosen, at_random)]
    print(f"  mean similarity to the nearest chosen row {means[0]:.4f}; of rows drawn at random {means[1]:.4f}")


def measures(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    texts = [str(record.fields["instruction"]) for record in records[:2000]]
    found, spent = timed(lambda: diversity({"all": texts}, {"all": rows[:2000]}))
    print(f"diversity of 2,000 texts: {clock(spent)}")
    print(f"  {found['sets']['all']}")


def heuristics(records: list[Record], rows: Any, k: int, plain: bool) -> None:
    fields = [[str(record.fields[name]) for name in ("instruction", "input", "output")] for record in records]
    _, spent = timed(lambda: [components(*task) for task in fields])
    print(f"heuristics: {spent.rate(len(fields))}")


PARTS = {
    "k-center": centers,
    "mmr": relevance,
    "representation": representation,
    "facility": facility,
    "diversity": measures,
    "heuristics": heuristics,
}


def plain_mmr(rows: Any, worth: Any, k: int, balance: float) -> Any:
    wide = rows.astype(np.float64)
    near = np.full(len(rows), -np.inf)
    left = np.zeros(len(rows))  # minus infinity for those chosen
    chosen = [int(np.argmax(balance * worth))]
    while len(chosen) < k:
        left[chosen[-1]] = -np.inf
        near = np.maximum(near, wide @ wide[chosen[-1]])
        chosen.append(int(np.argmax(balance * worth - (1 - balance) * near + left)))
    return np.array(chosen)


def plain_filter(rows: Any, k: int, threshold: float) -> Any:
    wide = rows.astype(np.float64)
    chosen: list[int] = []
    taken = np.empty((k, rows.shape[1]))
    for row in range(len(rows)):
        if len(chosen) == k:
            break
        if not chosen or (taken[: len(chosen)] @ wide[row]).max() <= threshold:
            taken[len(chosen)] = wide[row]
            chosen.append(row)
    return np.array(chosen)


def compare(name: str, chosen: Any, plain: Callable[[], Any], spent: Spent) -> None:
    expected, took = timed(plain)
    same = len(chosen) == len(expected) and bool((chosen == expected).all())
    common = len(np.intersect1d(chosen, expected))
    print(
        f"  the plain algorithm: {took.seconds:.1f} s, {took.seconds / spent.seconds:.0f} times as long;"
        f" {'the same rows in the same order' if same else f'{common:,} of {len(expected):,} rows in common'}"
    )
    if not same:
        failures.append(f"{name} equal to the plain algorithm")


def under_5_seconds(name: str, spent: Spent) -> None:
    if spent.processor >= 5:
        failures.append(f"{name} in less than 5 s of processor time")


def told(name: str, spent: Spent, k: int, rows: Any) -> None:
    print(f"{name}, {k:,} of {len(rows):,}: {clock(spent)}")


def clock(spent: Spent) -> str:
    return f"{spent.seconds:.2f} s ({spent.processor:.2f} s of processor time)"


def timed(work: Callable[[], Any]) -> tuple[Any, Spent]:
    started, used = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - started, time.process_time() - used)


if __name__ == "__main__":
    main()
