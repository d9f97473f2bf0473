"""`distil` makes the static embedder: one vector per token, whose mean stands for a text.

Every token of the teacher's vocabulary goes through the teacher alone; its state is reduced to 256 principal
components and weighted by how rare it is, the rank in the vocabulary standing for the frequency (Zipf's law; smooth
inverse frequency, Arora et al. 2017). The recipe is that of Model2Vec, written anew. The same teacher gives the
same file but for rounding.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from teacher import Teacher

FOLDER = Path(__file__).parents[2] / "llmsynth/data/embedder"
DIMENSIONS = 256
SMOOTHING = 1e-4  # a token of this probability counts half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write it (default: %(default)s)")
    folder = parser.parse_args().folder
    teacher = Teacher()
    by_number = sorted((number, token) for token, number in teacher.tokenizer.get_vocab().items())
    kept = [(number, token) for number, token in by_number if not is_special(token)]
    states = teacher.tokens([number for number, _ in kept]).astype(np.float64)
    centred = states - states.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    vectors = centred @ axes[:, ::-1][:, :DIMENSIONS]
    odds = 1 / np.arange(2, len(kept) + 2)
    vectors *= (SMOOTHING / (SMOOTHING + odds / odds.sum()))[:, None]
    vectors /= np.linalg.norm(vectors, axis=1).mean()
    scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "vectors.npz",
        # the first row is that of unknown tokens
        vectors=np.concatenate([np.zeros((1, DIMENSIONS)), np.rint(vectors / scales)]).astype(np.int8),
        scales=np.concatenate([[0.0], scales[:, 0]]).astype(np.float32),
    )
    vocabulary = {"[UNK]": 0, **{token: place for place, (_, token) in enumerate(kept, 1)}}
    (folder / "tokenizer.json").write_text(tokenizer(teacher, vocabulary), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(kept):,} tokens of {DIMENSIONS} dimensions, {size / 1e6:.1f} MB in {folder}")


def is_special(token: str) -> bool:
    """Tokens that stand for no text; a bracket alone stands for itself."""
    return len(token) > 1 and token.startswith("[") and token.endswith("]")


def tokenizer(teacher: Teacher, vocabulary: dict[str, int]) -> str:
    """The teacher's tokenizer over the tokens that are left, without the frame around a text."""
    made = json.loads(teacher.tokenizer.to_str())
    made |= {"truncation": None, "padding": None, "post_processor": None}
    made["added_tokens"] = [token | {"id": 0} for token in made["added_tokens"] if token["content"] == "[UNK]"]
    made["model"]["vocab"] = vocabulary
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
