"""Texts that are nearly alike, and processes with another hash seed, for the tests of similarity."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def near_duplicates(count: int, rng: random.Random) -> list[str]:
    """Texts of 3 to 24 words, half of them an earlier one with some words replaced, added or lost."""
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.5:
            words = list(rng.choice(texts))
            for _ in range(rng.randint(1, 6)):
                place = rng.randrange(len(words))
                words[place : place + rng.randint(0, 1)] = [f"w{int(rng.paretovariate(0.4)) % 2000}"]
            texts.append(words)
        else:
            texts.append([f"w{int(rng.paretovariate(0.4)) % 2000}" for _ in range(rng.randint(3, 24))])
    return [" ".join(words) for words in texts]


def run_python(code: str, hash_seed: str = "0") -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
