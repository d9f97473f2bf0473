"""`evaluate` compares the static embedder with its teacher and writes the figures into its card.

python scripts/embedder/evaluate.py --data FILE     on instructions sampled from a file of rows
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from string import Template

import numpy as np
from distil import DIMENSIONS, FOLDER
from numpy.typing import NDArray
from teacher import Teacher

from llmsynth.embed.static import StaticEmbedder
from llmsynth.sources import read_seeds
from llmsynth.sources.rows import read_rows

THRESHOLDS = (0.9, 0.95, 0.97)
CARD = Path(__file__).with_name("card.md")
PAIRS = [
    ("poem about the sea", "verse about the ocean"),
    ("Write a function that reverses a string.", "Implement string reversal."),
    ("How do I boil an egg?", "What is the best way to cook eggs in hot water?"),
    ("poem about the sea", "sort a list in Python"),
    ("How do I boil an egg?", "Name the capital of France."),
    ("The dog bites the man.", "The man bites the dog."),
    ("Add 12 and 30.", "Add 15 and 90."),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="rows with an instruction; llmsynth's own seeds without it")
    parser.add_argument("--described-as", default="", help="what the card is to call that data")
    parser.add_argument("--texts", type=int, default=500)
    options = parser.parse_args()
    if options.data:
        by_source: dict[str, dict[str, None]] = {}
        for row in read_rows(options.data):
            named = by_source.setdefault(str(row.values.get("source", "all")), {})
            named[str(row.values.get("instruction", ""))] = None
        sources = {name: list(texts) for name, texts in by_source.items()}
    else:
        sources = {"seeds": [seed.instruction for seed in read_seeds("builtin")]}
    texts = list(dict.fromkeys(text for each in sources.values() for text in each))
    texts = random.Random(0).sample(texts, min(options.texts, len(texts)))
    teacher = Teacher()
    drawn = {name: random.Random(0).sample(each, min(options.texts, len(each))) for name, each in sources.items()}
    figures = compared(texts, teacher) | {"precisions": "\n".join(precision(*each, teacher) for each in drawn.items())}
    examples = "\n".join(f"| {a} | {b} | {ours:.2f} | {theirs:.2f} |" for (a, b), ours, theirs in example_cosines())
    size = sum(path.stat().st_size for path in (FOLDER / "vectors.npz", FOLDER / "tokenizer.json")) / 1e6
    with np.load(FOLDER / "vectors.npz") as stored:
        tokens = len(stored["vectors"]) - 1
    card = Template(CARD.read_text(encoding="utf-8")).substitute(
        figures,
        tokens=f"{tokens:,}",
        dimensions=DIMENSIONS,
        size=f"{size:.1f}",
        texts=len(texts),
        data=options.described_as or ("instructions" if options.data else "of llmsynth's seed instructions"),
        examples=examples,
    )
    (FOLDER / "README.md").write_text(card, encoding="utf-8")
    print(card[card.index("## Measured") : card.index("## Limits")])


def compared(texts: list[str], teacher: Teacher) -> dict[str, str]:
    """The figures of the card, as text."""
    ours, theirs = StaticEmbedder().vectors(texts), teacher.texts(texts)
    here, there = ours @ ours.T, theirs @ theirs.T
    pairs = np.triu_indices(len(texts), 1)
    return {
        "spearman": f"{np.corrcoef(ranks(here[pairs]), ranks(there[pairs]))[0, 1]:.2f}",
        "neighbours": f"{100 * shared_neighbours(here, there, 10):.0f}",
    }


def precision(name: str, texts: list[str], teacher: Teacher) -> str:
    """A row of the card's table: of the pairs that are close here, how many are by the teacher too."""
    ours, theirs = StaticEmbedder().vectors(texts), teacher.texts(texts)
    pairs = np.triu_indices(len(texts), 1)
    here, there = (ours @ ours.T)[pairs], (theirs @ theirs.T)[pairs]
    cells = [name, f"{len(texts):,}"]
    for threshold in THRESHOLDS:
        close = here >= threshold
        share = f"{100 * (there[close] >= 0.8).mean():.0f} % of {close.sum():,}" if close.any() else "no pair"
        cells.append(share)
    return f"| {' | '.join(cells)} |"


def ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    places = np.empty(len(values))
    places[np.argsort(values, kind="stable")] = np.arange(len(values))
    return places


def shared_neighbours(here: NDArray[np.float32], there: NDArray[np.float32], count: int) -> float:
    own = np.arange(len(here))
    nearest = []
    for cosines in (here.copy(), there.copy()):
        cosines[own, own] = -2
        nearest.append(np.argsort(-cosines, axis=1)[:, :count])
    return float(np.mean([len(set(a) & set(b)) / count for a, b in zip(*nearest, strict=True)]))


def example_cosines() -> list[tuple[tuple[str, str], float, float]]:
    flat = [text for pair in PAIRS for text in pair]
    ours, theirs = StaticEmbedder().vectors(flat), Teacher().texts(flat)
    return [
        (pair, float(ours[2 * i] @ ours[2 * i + 1]), float(theirs[2 * i] @ theirs[2 * i + 1]))
        for i, pair in enumerate(PAIRS)
    ]


if __name__ == "__main__":
    main()
