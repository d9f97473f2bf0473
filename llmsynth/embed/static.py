"""The embedder that comes along: a vector per token, and their mean for a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from llmsynth.errors import ModelNotFoundError

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Shorts, Singles

FOLDER = Path(__file__).parents[1] / "data/embedder"
_CHARACTERS = 20_000  # of a text, that count
_FOREIGN_SHARE = 0.25  # letters of other scripts to a token, beyond which nothing is seen
_MOST_KNOWN = 500_000  # words whose tokens are remembered
_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
# Letters and marks beyond the Latin script, which the tokenizer has one by one at best
_FOREIGN = re.compile(
    r"[\u0370-\u1dff\u1f00-\u1fff\u2c80-\u2dff\u3005-\u3007\u3031-\ua71f\ua800-\ud7ff\uf900-\ufaff\ufb13-\ufdff\ufe70-\ufefc"
    r"\uff66-\uffdc\U00010000-\U0001cfff\U0001e000-\U0001efff\U00020000-\U0003ffff]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass
class StaticEmbedder:
    """Distilled from all-MiniLM-L6-v2: 256 dimensions, thousands of texts a second on one core, no framework.

    It knows words, not their order: "dog bites man" is "man bites dog". Of a text, the first 20,000 characters count.
    It knows English, and of other languages in the Latin script pieces of words. Of other scripts it has single letters
    at most, by which any two texts are alike: in a text with many of these it sees nothing.
    What it agrees on with its teacher is in the card beside the weights, in `llmsynth/data/embedder/`.
    """

    dimensions: ClassVar[int] = 256
    costly: ClassVar[bool] = False
    _tokens: Any = field(default=None, init=False, repr=False)
    _table: Any = field(default=None, init=False, repr=False)

    @property
    def identity(self) -> str:
        return "static:all-MiniLM-L6-v2:256:2"

    async def embed(self, texts: Sequence[str]) -> Singles:
        return self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> Singles:
        """The same as `embed`, at once."""
        from llmsynth.embed.kernels import sums

        if self._table is None:
            self._tokens, self._table = _Tokens(FOLDER / "tokenizer.json"), _table(FOLDER / "vectors.npz")
        numbers = [self._tokens.of(text[:_CHARACTERS]) for text in texts]
        ends = np.cumsum([len(tokens) for tokens in numbers], dtype=np.int64)
        totals = np.zeros((len(texts), self.dimensions), np.int32)
        sums(np.fromiter(chain.from_iterable(numbers), np.int32), ends, self._table, totals)
        rows = totals.astype(np.float32)
        lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be read again."""
        return {"_tokens": None, "_table": None}


class _Tokens:
    """The tokens of texts, by number.

    Those of a word are looked up once: a tokenizer takes 2 microseconds a word. What a word is, is as simple as this
    for ASCII only; other texts go through the tokenizer as they are.
    """

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._known: dict[str, list[int]] = {}

    def of(self, text: str) -> list[int]:
        if not text.isascii():
            encoded = self._encode(encodable(text))
            return encoded if len(_FOREIGN.findall(text)) <= _FOREIGN_SHARE * len(encoded) else []
        known = self._known
        tokens: list[int] = []
        for word in _WORD.findall(_CONTROL.sub("", text).lower()):
            numbers = known.get(word)
            if numbers is None:
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                numbers = known[word] = self._encode(word)
            tokens += numbers
        return tokens

    def _encode(self, text: str) -> list[int]:
        numbers: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return numbers


def _table(path: Path) -> Shorts:
    """The vectors of all tokens on one scale, as integers, so that their sums are exact in whatever order."""
    if not path.is_file():
        raise ModelNotFoundError(f"{path} is missing", "install llmsynth again: it comes along")
    with np.load(path) as stored:
        exact = stored["vectors"] * stored["scales"][:, None].astype(np.float64)
    table: Shorts = np.rint(exact * (32_767 / np.abs(exact).max())).astype(np.int16)
    return table


def encodable(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
