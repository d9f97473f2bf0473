"""ROUGE-L novelty against a pool growing to 52,000 texts: python scripts/bench/novelty.py [TEXTS].

LLMSYNTH_BENCH_DATA names a JSON Lines file whose `instruction` column gives the words; without it
they come from a made-up vocabulary with word frequencies as in natural text.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator

from rapidfuzz.distance import LCSseq
from rouge_score import rouge_scorer

from llmsynth.similarity import RougeIndex, rouge_tokens

THRESHOLD = 0.7
CHECKED = 100  # decisions compared with brute force
MEAN_WORDS = 36


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 52_000
    path = os.environ.get("LLMSYNTH_BENCH_DATA")
    rows = rows_of(path) if path else made_up_rows(20_000)
    print(f"words: {f'{len(rows):,} rows of a file' if path else 'made up (LLMSYNTH_BENCH_DATA is not set)'}")
    cold, warm = start_seconds()
    print(f"first use in a process: {cold:.1f} s compiling, {warm:.1f} s from numba's cache")

    stream = candidates(rows, random.Random(0))
    index, accepted, decided = RougeIndex(THRESHOLD), list[str](), list[tuple[str, int, bool]]()
    seconds = 0.0
    while len(index) < wanted:
        batch = [next(stream) for _ in range(1000)]
        started = time.perf_counter()
        for text in batch:
            new = index.nearest(text) is None
            decided.append((text, len(accepted), new))
            if new:
                index.add(text, str(len(accepted)))
                accepted.append(text)
        seconds += time.perf_counter() - started
    words = sum(len(rouge_tokens(text)) for text in accepted) / len(accepted)
    rate = len(decided) / seconds
    print(f"pool: {len(accepted):,} texts, {words:.0f} words on average, from {len(decided):,} candidates")
    print(f"llmsynth: {rate:,.0f} candidates/s, {1e3 / rate:.3f} ms each while the pool grows")

    sample = random.Random(1).sample(decided, CHECKED)
    full = timed(index.nearest, [text for text, _, _ in sample])
    top = timed(index.most_similar, [text for text, _, _ in sample])
    print(f"against the full pool: nearest {full * 1e3:.3f} ms, most_similar (top 10 of all) {top * 1e3:.1f} ms")
    print(f"rouge_score: {rouge_score_seconds(sample[0][0], accepted) * 1e3:,.0f} ms a candidate against the full pool")

    tokens = [rouge_tokens(text) for text in accepted]
    wrong = sum(is_new(text, tokens[:size]) != new for text, size, new in sample)
    rejected = sum(not new for _, _, new in sample)
    print(f"brute force: {wrong} of {CHECKED} decisions differ ({rejected} of them were rejections)")
    print(f"memory: {bytes_per_text(accepted):.0f} bytes a text, with ids and vocabulary")
    sys.exit(1 if wrong else 0)


def candidates(rows: list[list[str]], rng: random.Random) -> Iterator[str]:
    """Cuts of rows with many words replaced by words of other rows, and in one case of three a light edit of such."""
    earlier: list[list[str]] = []
    while True:
        words = list(rng.choice(earlier)) if earlier and rng.random() < 1 / 3 else cut(rng.choice(rows), rng)
        edits = len(words) // 2 if rng.random() < 2 / 3 else len(words) // 8
        for _ in range(rng.randint(0, edits)):
            words[rng.randrange(len(words))] = rng.choice(rng.choice(rows))
        earlier.append(words)
        yield " ".join(words)


def cut(row: list[str], rng: random.Random) -> list[str]:
    size = min(len(row), max(5, round(rng.gauss(MEAN_WORDS, 12))))
    start = rng.randint(0, len(row) - size)
    return row[start : start + size]


def rows_of(path: str) -> list[list[str]]:
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line)["instruction"].split() for line in lines]
    # short rows would pull the mean below that of the cuts
    return [row for row in rows if len(row) >= MEAN_WORDS + 6]


def made_up_rows(count: int) -> list[list[str]]:
    rng = random.Random(2)
    vocabulary = [f"w{i}" for i in range(30_000)]
    weights = [1 / (i + 3) for i in range(len(vocabulary))]
    return [rng.choices(vocabulary, weights, k=rng.randint(36, 90)) for _ in range(count)]


def start_seconds() -> tuple[float, float]:
    """How long a new process takes until the first answer, with an empty numba cache and with a full one."""
    code = "from llmsynth.similarity import RougeIndex; RougeIndex().nearest('a')"
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(sys.path)}
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=env, check=True)
            seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def timed(ask: Callable[[str], object], texts: list[str]) -> float:
    """Seconds a text."""
    started = time.perf_counter()
    for text in texts:
        ask(text)
    return (time.perf_counter() - started) / len(texts)


def rouge_score_seconds(text: str, pool: list[str]) -> float:
    """What the package takes for the pool, extrapolated from 300 of its texts spread evenly."""
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    some = pool[:: max(1, len(pool) // 300)]
    started = time.perf_counter()
    for other in some:
        scorer.score(other, text)
    return (time.perf_counter() - started) / len(some) * len(pool)


def is_new(text: str, pool: list[list[str]]) -> bool:
    tokens = rouge_tokens(text)
    for other in pool:
        if common := LCSseq.similarity(tokens, other):
            precision, recall = common / len(tokens), common / len(other)
            if 2 * precision * recall / (precision + recall) > THRESHOLD:
                return False
    return True


def bytes_per_text(texts: list[str]) -> float:
    tracemalloc.start()
    index = RougeIndex(THRESHOLD)
    for i, text in enumerate(texts):
        index.add(text, f"row-{i}")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(index)


if __name__ == "__main__":
    main()
