"""Planted benchmark items among 20,000 clean rows: what is found, what is found wrongly, how fast.

LLMSYNTH_BENCH_DATA names a JSON Lines file with `source`, `instruction`, `input` and `output`: 1,000 instructions of
its first source, drawn by chance, are the benchmark, and the other rows are the clean data; LLMSYNTH_BENCH_ITEMS may
name a file whose `text` column is the benchmark instead. Without them all is of a made-up vocabulary with word
frequencies as in natural text. Each item is planted once in each of these ways, as the
instruction of a row whose other fields are a clean row's:
  verbatim; case and punctuation changed; embedded in the middle of a clean row's output; one word in twelve changed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable

from llmsynth.similarity.spans import Span, SpanIndex
from llmsynth.text import normalise

ITEMS, CLEAN = 1_000, 20_000
FLOORS = {"verbatim": 0.99, "case and punctuation": 0.99, "embedded": 0.99}
MOST_FALSE = 0.001

Row = dict[str, str]


def main() -> None:
    rng = random.Random(0)
    path = os.environ.get("LLMSYNTH_BENCH_DATA")
    rows = rows_of(path) if path else made_up_rows(CLEAN + 3 * ITEMS)
    print(f"rows: {f'{len(rows):,} of a file' if path else 'made up (LLMSYNTH_BENCH_DATA is not set)'}")
    first = rows[0].get("source")
    rng.shuffle(rows)
    items = benchmark(rows, first)
    taken = {key(item) for item in items}
    clean = [row for row in rows if key(row["instruction"]) not in taken][:CLEAN]
    print(f"benchmark: {len(items):,} items of {words(items):.0f} words; clean: {len(clean):,} rows")

    started = time.perf_counter()
    index = SpanIndex()
    for number, item in enumerate(items):
        index.add(item, str(number))
    index.find("the tables are built when it is first asked")
    print(f"index built in {time.perf_counter() - started:.2f} s")

    texts = ["\n\n".join((row["instruction"], row["input"], row["output"])) for row in clean]
    started = time.perf_counter()
    found = [index.find(text) for text in texts]
    rate = len(texts) / (time.perf_counter() - started)
    print(f"llmsynth: {rate:,.0f} rows/s of {words(texts):.0f} words")
    failed = false_positives(found, texts, items)

    plants: dict[str, Callable[[str, Row, random.Random], str]] = {
        "verbatim": lambda item, row, rng: beside(item, row),
        "case and punctuation": lambda item, row, rng: beside(repunctuated(item, rng), row),
        "embedded": embedded,
        "one word in twelve": lambda item, row, rng: beside(reworded(item, clean, rng), row),
    }
    long = [number for number, item in enumerate(items) if len(item.split()) >= index.n]
    for name, plant in plants.items():
        hits = [index.find(plant(item, rng.choice(clean), rng)) for item in items]
        right = [hit is not None and items[int(hit.id)] == item for hit, item in zip(hits, items, strict=True)]
        recall = sum(right) / len(right)
        of_long = sum(right[number] for number in long) / len(long)
        kinds = Counter(hit.kind for hit in hits if hit)
        print(f"{name}: recall {recall:.2%} ({of_long:.2%} of {len(long)} items of 13 words or more); {dict(kinds)}")
        failed |= recall < FLOORS.get(name, 0)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    sys.exit(failed)


def false_positives(found: list[Span | None], texts: list[str], items: list[str]) -> bool:
    """Tell what was found in clean rows. The whole of an item in a row is no false find: it is there."""
    finds = [(span, text) for span, text in zip(found, texts, strict=True) if span]
    wrong = [(span, text) for span, text in finds if span.kind != "whole"]
    print(f"clean rows that hold a whole item by nature: {len(finds) - len(wrong)}")
    print(f"clean rows found otherwise: {len(wrong)} of {len(texts):,}, {len(wrong) / len(texts):.3%}")
    for span, _ in wrong[:8]:
        print(f"  {span.kind} {span.share:.2f}: {span.text[:90]!r} of {items[int(span.id)][:90]!r}")
    return len(wrong) / len(texts) >= MOST_FALSE


def beside(item: str, row: Row) -> str:
    return "\n\n".join([item, row["input"], row["output"]])


def embedded(item: str, row: Row, rng: random.Random) -> str:
    """The item in the middle of what the row says."""
    said = (row["output"] or row["instruction"]).split(" ")
    at = rng.randrange(len(said) + 1)
    return "\n\n".join([row["instruction"], row["input"], " ".join([*said[:at], item, *said[at:]])])


def repunctuated(item: str, rng: random.Random) -> str:
    """Another case, and other marks between the words."""
    text = rng.choice([str.upper, str.lower, str.title])(item)
    marks = str.maketrans({".": " -", ",": ";", "?": "...", "!": "", "'": "’", '"': "*", ":": " —"})
    return "  ".join(f"{word}," if rng.random() < 0.1 else word for word in text.translate(marks).split())


def reworded(item: str, clean: list[Row], rng: random.Random) -> str:
    """One word of every twelve, and one of a shorter item, replaced by a word of another row."""
    said = item.split()
    for first in range(0, max(len(said) - 11, 1), 12):
        at = rng.randrange(first, min(first + 12, len(said)))
        other = rng.choice(clean)["instruction"].split()
        said[at] = next((word for word in rng.sample(other, len(other)) if key(word) != key(said[at])), "otherwise")
    return " ".join(said)


def key(text: str) -> str:
    return " ".join(text.lower().split())


def words(texts: list[str]) -> float:
    return sum(len(text.split()) for text in texts) / len(texts)


def benchmark(rows: list[Row], source: str | None) -> list[str]:
    path = os.environ.get("LLMSYNTH_BENCH_ITEMS")
    if path:
        with open(path, encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
    else:
        texts = [row["instruction"] for row in rows if row.get("source") == source]
    return [text for text in dict.fromkeys(texts) if len(normalise(text).split()) >= 5][:ITEMS]


def rows_of(path: str) -> list[Row]:
    names = ("source", "instruction", "input", "output")
    with open(path, encoding="utf-8") as lines:
        rows = [{name: row.get(name) or "" for name in names} for row in map(json.loads, lines)]
    return list({key("\n".join(row.values())): row for row in rows}.values())


def made_up_rows(count: int) -> list[Row]:
    rng = random.Random(2)
    vocabulary = [f"w{i}" for i in range(30_000)]
    weights = [1 / (i + 3) for i in range(len(vocabulary))]

    def text(least: int, most: int) -> str:
        return " ".join(rng.choices(vocabulary, weights, k=rng.randint(least, most))) + "."

    return [{"instruction": text(6, 60), "input": "", "output": text(5, 150)} for _ in range(count)]


if __name__ == "__main__":
    main()
