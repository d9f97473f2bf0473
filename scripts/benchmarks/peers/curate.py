"""What other packages take for the work of `curate.py`: python scripts/benchmarks/peers/curate.py PEER FOLDER.

Run with an interpreter that has them; llmsynth is not needed. FOLDER holds texts.json or vectors.npy. Prints JSON:
seconds on the clock and of processor time, the numbers of the rows kept, and the version; or {} where the peer is
not installed.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

_WORD = re.compile(r"\w+")


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    peer, package = PEERS[name]
    try:
        seconds, processor, kept = peer(folder)
    except ImportError:
        print("{}")
        return
    print(
        json.dumps(
            {"seconds": seconds, "processor": processor, "kept": kept, "version": f"{package} {version(package)}"}
        )
    )


def datasketch(folder: Path) -> tuple[float, float, list[int]]:
    """MinHash-LSH at 0.8, 128 permutations, word 3-grams; a row goes if the index holds anything like it."""
    from datasketch import MinHash, MinHashLSH

    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    kept = []
    started, used = time.perf_counter(), time.process_time()
    index = MinHashLSH(threshold=0.8, num_perm=128)
    for number, text in enumerate(texts):
        words = _WORD.findall(text.casefold())
        sketch = MinHash(num_perm=128)
        sketch.update_batch({" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))})
        if not index.query(sketch):
            index.insert(number, sketch)
            kept.append(number)
    return time.perf_counter() - started, time.process_time() - used, kept


def semhash(folder: Path, backend: str) -> tuple[float, float, list[int]]:
    """Semantic deduplication at 0.9 of given vectors."""
    import numpy as np
    from semhash import SemHash
    from vicinity import Backend

    vectors = np.load(folder / "vectors.npy")
    rows = [{"text": str(number), "number": number} for number in range(len(vectors))]
    started, used = time.perf_counter(), time.process_time()
    index = SemHash.from_embeddings(vectors, rows, columns=["text"], model=_NoModel(), ann_backend=Backend(backend))
    result = index.self_deduplicate(threshold=0.9)
    return time.perf_counter() - started, time.process_time() - used, [row["number"] for row in result.selected]


class _NoModel:
    """An encoder that is never asked."""

    def encode(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


PEERS: dict[str, tuple[Callable[[Path], tuple[float, float, list[int]]], str]] = {
    "datasketch": (datasketch, "datasketch"),
    "semhash-exact": (lambda folder: semhash(folder, "basic"), "semhash"),
    "semhash-approximate": (lambda folder: semhash(folder, "usearch"), "semhash"),
}


if __name__ == "__main__":
    main()
