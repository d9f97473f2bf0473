"""Deduplication and embedding beside peers: scripts/bench curate [PART ...] [--rows N] [--peers PYTHON].

Parts: exact minhash rouge embed semantic; all of them without any. LLMSYNTH_BENCH_DATA names a JSON Lines file with the
columns instruction, input and output, whose rows are repeated with edits where more are needed; without it
they are made up. PYTHON is an interpreter that has datasketch and semhash; peers it lacks are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import LCSseq

from llmsynth.embed.static import StaticEmbedder
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.similarity import MinHashIndex, jaccard, rouge_tokens
from llmsynth.similarity.minhash import banding
from llmsynth.similarity.vectors import fixed
from llmsynth.steps import Step
from llmsynth.steps.duplicates import ExactDuplicates, MinhashDuplicates, RougeDuplicates, SemanticDuplicates

COLUMNS = ("instruction", "input", "output")
BATCH = 1024  # records a step is given at once
CHECKED = 2000  # ROUGE-L decisions compared with brute force
PLANTED = 2000  # pairs of each Jaccard index

failures: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *PARTS], default=[])
    parser.add_argument("--rows", type=int, default=52_000)
    parser.add_argument("--peers", default=sys.executable)
    options = parser.parse_args()
    path = os.environ.get("LLMSYNTH_BENCH_DATA")
    records = records_of(rows_of(path) if path else made_up_rows(20_000), options.rows)
    words = sum(len(text.split()) for record in records for text in record.fields.values()) / len(records)
    source = "rows of a file, repeated with edits" if path else "made up (LLMSYNTH_BENCH_DATA is not set)"
    print(f"{len(records):,} rows, {words:.0f} words on average: {source}; {os.cpu_count()} cores, load {load()}")
    warm_up()
    for name in options.parts or PARTS:
        PARTS[name](records, options.peers)
    for failure in failures:
        print(f"NOT MET: {failure}")
    sys.exit(1 if failures else 0)


def exact(records: list[Record], peers: str) -> None:
    spent, kept = deduplicated(ExactDuplicates(COLUMNS), records)
    print(f"exact: {spent.rate(len(records))}; {len(kept):,} kept")
    compare_with_datasketch("exact", spent, records, peers)


def minhash(records: list[Record], peers: str) -> None:
    step = MinhashDuplicates(COLUMNS)
    spent, kept = deduplicated(step, records)
    print(f"MinHash: {spent.rate(len(records))}; {len(kept):,} kept, {size_of(step) / len(kept):,.0f} bytes each")
    compare_with_datasketch("MinHash", spent, records, peers)
    chosen = banding(0.8)
    print(f"  recall on {PLANTED:,} planted pairs each, {chosen.bands} bands of {chosen.rows} rows:")
    for wanted in (0.8, 0.85, 0.9, 0.95, 1.0):
        index, pairs = MinHashIndex(0.8), [planted(wanted, random.Random(number)) for number in range(PLANTED)]
        for number, (text, _) in enumerate(pairs):
            index.add(text, str(number))
        found = sum(any(match.id == str(n) for match in index.similar(text)) for n, (_, text) in enumerate(pairs))
        index_of_pair = jaccard(*pairs[0])
        curve = chosen.recall(index_of_pair)
        print(f"    Jaccard {index_of_pair:.3f}: {found / PLANTED:.4f} found, S-curve {curve:.4f}")
        deviation = (curve * (1 - curve) / PLANTED) ** 0.5
        require(found / PLANTED >= curve - 3 * deviation, f"recall at {index_of_pair:.3f} is below the S-curve")


def rouge(records: list[Record], peers: str) -> None:
    step = RougeDuplicates()
    spent, kept = deduplicated(step, records)
    print(f"ROUGE-L: {spent.rate(len(records))}; {len(kept):,} kept, {size_of(step) / len(kept):,.0f} bytes each")
    require(len(records) / spent.processor >= 10_000, "ROUGE-L at 10,000 rows for each second of processor time")
    some = random.Random(3).sample(records, CHECKED)
    _, ours = deduplicated(RougeDuplicates(), some)
    theirs = brute_force_rouge([str(record.fields["instruction"]) for record in some])
    print(f"  decisions on {CHECKED:,} rows: {len({*ours} ^ {*theirs})} differ from brute force, {len(ours):,} kept")
    require(ours == theirs, "ROUGE-L decisions equal to brute force")


def embed(records: list[Record], peers: str) -> None:
    texts = [str(record.fields["instruction"]) for record in records]
    embedder = StaticEmbedder()
    embedder.vectors(["warm"])
    started, used = time.perf_counter(), time.process_time()
    embedder.vectors(texts)
    spent = Spent(time.perf_counter() - started, time.process_time() - used)
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"static embedding of instructions of {words:.0f} words: {spent.rate(len(texts))}")
    require(len(texts) / spent.processor >= 10_000, "static embedding at 10,000 rows for each second of processor time")


def semantic(records: list[Record], peers: str) -> None:
    """Search alone, on vectors made before, so that a peer that is given the vectors does the same work."""
    texts = [str(record.fields["instruction"]) for record in records]
    vectors = StaticEmbedder().vectors(texts)
    step = SemanticDuplicates(("instruction",), 0.9, embedder=f"{__name__}:Ready")
    Ready.vectors = dict(zip(texts, vectors, strict=True))
    spent, kept = deduplicated(step, records)
    shape = f"{len(records):,} x {vectors.shape[1]}"
    print(f"semantic: {shape} in {spent.seconds:.1f} s, {spent.processor:.1f} s of processor time; {len(kept):,} kept,")
    print(f"  {size_of(step) / len(kept):,.0f} bytes each")
    expected = brute_force_cosine(vectors)
    print(f"  kept set: {len({*kept} ^ {*expected})} rows differ from brute force")
    require(kept == expected, "semantic kept set equal to brute force")
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "vectors.npy", vectors)
        for name, factor in (("semhash-exact", 2.0), ("semhash-approximate", 1.0)):
            theirs = peer(peers, name, folder)
            if theirs:
                ratio, clock = theirs["seconds"] / spent.seconds, f"{theirs['seconds']:.1f} s"
                print(f"  {name} ({theirs['version']}): {clock}, {ratio:.1f} times ours; {len(theirs['kept']):,} kept")
                require(ratio >= factor, f"{factor:g} times as fast as {name}")


PARTS = {"exact": exact, "minhash": minhash, "rouge": rouge, "embed": embed, "semantic": semantic}


class Ready(StaticEmbedder):
    """Vectors that have been made already."""

    vectors: Any = None

    async def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([Ready.vectors[text] for text in texts])


class Spent(NamedTuple):
    """Seconds on the clock, and of processor time, which others on the machine do not lengthen."""

    seconds: float
    processor: float

    def rate(self, rows: int) -> str:
        return f"{rows / self.seconds:,.0f} rows/s, {rows / self.processor:,.0f} for each second of processor time"


def deduplicated(step: Step, records: list[Record]) -> tuple[Spent, list[int]]:
    """What it took, and the numbers of the records kept."""

    async def go() -> list[Record]:
        run = Run(models={})
        done: list[Record] = []
        for start in range(0, len(records), BATCH):
            done += await step.apply(records[start : start + BATCH], run)
        return done

    started, used = time.perf_counter(), time.process_time()
    done = asyncio.run(go())
    spent = Spent(time.perf_counter() - started, time.process_time() - used)
    return spent, [number for number, record in enumerate(done) if not record.dropped]


def compare_with_datasketch(name: str, spent: Spent, records: list[Record], peers: str) -> None:
    if "datasketch" not in _answers:
        with tempfile.TemporaryDirectory() as folder:
            texts = ["\n\n".join(str(record.fields[column]) for column in COLUMNS) for record in records]
            (Path(folder) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
            _answers["datasketch"] = peer(peers, "datasketch", folder)
    theirs = _answers["datasketch"]
    if theirs:
        used = Spent(theirs["seconds"], theirs["processor"])
        ratio = used.processor / spent.processor  # both use one core, whoever else uses it
        print(f"  {theirs['version']}: {used.rate(len(records))}; {len(theirs['kept']):,} kept")
        print(f"  ours is {used.seconds / spent.seconds:.1f} times as fast, {ratio:.1f} by processor time")
        require(ratio >= 3, f"{name} 3 times as fast as datasketch")


_answers: dict[str, dict[str, Any]] = {}


def peer(python: str, name: str, folder: str) -> dict[str, Any]:
    script = Path(__file__).parent / "peers/curate.py"
    done = subprocess.run([python, str(script), name, folder], check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if not answer:
        print(f"  {name}: not installed")
    return answer


def brute_force_rouge(texts: list[str]) -> list[int]:
    tokens = [rouge_tokens(text) for text in texts]
    kept: list[int] = []
    for number, own in enumerate(tokens):
        if not any(above(own, tokens[other], 0.7) for other in kept):
            kept.append(number)
    return kept


def above(a: list[str], b: list[str], threshold: float) -> bool:
    """By `rouge_score`'s own arithmetic."""
    common = LCSseq.similarity(a, b) if a and b else 0
    if not common:
        return False
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall) > threshold


def brute_force_cosine(vectors: Any) -> list[int]:
    """Every row against all kept ones, in exact integers wherever floats come near the threshold."""
    rows = fixed(vectors).astype(np.float32)
    units = rows / np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True))

    def same(number: int, other: int, cosine: float) -> bool:
        if abs(cosine - 0.9) > 1e-5:
            return cosine > 0.9
        a, b = rows[number].astype(int), rows[other].astype(int)
        return bool(int(a @ b) / np.sqrt(float(int(a @ a)) * float(int(b @ b))) >= 0.9)

    kept: list[int] = []
    for start in range(0, len(units), 512):
        block = units[start : start + 512]
        before, own = block @ units[kept].T, block @ block.T
        earlier = list(kept)
        for row in range(len(block)):
            near = [(earlier[place], before[row, place]) for place in np.flatnonzero(before[row] >= 0.9 - 1e-5)]
            near += [(number, own[row, number - start]) for number in kept[len(earlier) :]]
            if not any(same(start + row, other, float(cosine)) for other, cosine in near):
                kept.append(start + row)
    return kept


def size_of(step: Any) -> int:
    """Bytes of the arrays of a step's index."""
    pool = step._pool
    parts = [pool, *getattr(pool, "_cells", ())]
    return sum(value.nbytes for part in parts for value in vars(part).values() if isinstance(value, np.ndarray))


def planted(wanted: float, rng: random.Random) -> tuple[str, str]:
    """Two texts of about 60 runs of three words with this share of them in common: one has other words at its end."""
    size = 60
    common = math.ceil(2 * size * wanted / (1 + wanted))
    start = [f"w{rng.randrange(10**6)}" for _ in range(common + 2)]
    one, other = ([f"{side}{rng.randrange(10**6)}" for _ in range(size - common)] for side in "xy")
    return " ".join([*start, *one]), " ".join([*start, *other])


def records_of(rows: list[dict[str, str]], count: int) -> list[Record]:
    """The rows, then rows drawn from them, each with up to a quarter of the words of its columns replaced by others."""
    rng = random.Random(0)
    made = [{column: row.get(column) or "" for column in COLUMNS} for row in rows[:count]]
    while len(made) < count:
        row, other = rng.choice(rows), rng.choice(rows)
        fields = {}
        for column in COLUMNS:
            words = (row.get(column) or "").split(" ")
            fresh = (other.get("instruction") or "").split(" ")
            for _ in range(rng.randint(0, max(1, len(words) // 4))):
                words[rng.randrange(len(words))] = rng.choice(fresh)
            fields[column] = " ".join(words)
        made.append(fields)
    return [Record(str(number), fields) for number, fields in enumerate(made)]


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def made_up_rows(count: int) -> list[dict[str, str]]:
    rng = random.Random(2)
    words = [f"w{i}" for i in range(30_000)]
    weights = [1 / (i + 3) for i in range(len(words))]
    sizes = {"instruction": (8, 60), "input": (0, 20), "output": (5, 60)}
    return [
        {column: " ".join(rng.choices(words, weights, k=rng.randint(*size))) for column, size in sizes.items()}
        for _ in range(count)
    ]


def warm_up() -> None:
    """Load and compile everything before anything is timed."""
    records = [Record(str(i), dict.fromkeys(COLUMNS, f"a text of some words {i}")) for i in range(3)]
    for step in (ExactDuplicates(), RougeDuplicates(), MinhashDuplicates(), SemanticDuplicates()):
        deduplicated(step, records)


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def require(met: bool, what: str) -> None:
    if not met:
        failures.append(what)


if __name__ == "__main__":
    main()
