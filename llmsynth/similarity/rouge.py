"""ROUGE-L as the `rouge_score` package computes it, against one text or a growing pool of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from llmsynth.errors import RecipeError

_TOKEN = re.compile(r"[a-z0-9]+")
# scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana and Chinese characters
_NO_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN_OF_ANY_SCRIPT = re.compile(rf"[{_NO_BLANKS}]|[^\W_{_NO_BLANKS}]+")


class Match(NamedTuple):
    """A text of the pool and its ROUGE-L F1 with the text asked about."""

    id: str
    score: float


class RougeIndex:
    """A growing pool of texts that answers: is this text new?

    A text is new when no text of the pool has a ROUGE-L F1 above `threshold` with it: the
    Self-Instruct filter (section 2.2 of the paper). Every answer is the one that scoring the whole
    pool with `rouge_score` would give, to the last float: an F1 of seven tenths is a match or not
    as that package's own arithmetic comes out for the two lengths.

    tokens: from a text to its tokens, in place of those of `rouge_score`.

    The texts themselves are not kept: one of n words takes about 60 + 8 n bytes, up to half as much
    again while arrays grow, besides its id and any word not seen before. Comparing two long texts
    takes memory by their length and time by the product of their lengths: seconds for a megabyte each.
    Answers use scratch space in the index, so threads must not share one.
    """

    def __init__(self, threshold: float = 0.7, tokens: Callable[[str], list[str]] | None = None) -> None:
        if not 0 < threshold <= 1:
            raise RecipeError(
                f"The ROUGE-L threshold is {threshold}", "Use a number above 0 and at most 1; 0.7 is usual."
            )
        from llmsynth.similarity.pool import TokenPool

        self.threshold = threshold
        self._pool = TokenPool(threshold)
        self._tokens_of = tokens or rouge_tokens
        self._ids: list[str] = []
        self._latest: tuple[str, list[str]] = ("", [])

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, text: str, id: str) -> None:
        """Put a text into the pool, new or not."""
        self._pool.add(self._tokens(text))
        self._ids.append(id)

    def nearest(self, text: str) -> Match | None:
        """The most similar text of the pool above the threshold, the earliest of equals; None for a new text."""
        return next(iter(self.matches(text, 1)), None)

    def matches(self, text: str, k: int) -> list[Match]:
        """The k most similar of the texts above the threshold, the earliest of equals first."""
        return [Match(self._ids[position], score) for position, score in self._pool.matches(self._tokens(text), k)]

    def most_similar(self, text: str, k: int = 10) -> list[Match]:
        """The k texts of the pool most similar to this one, whatever the threshold, the earliest of equals first.

        It looks at every text of the pool, which `nearest` avoids.
        """
        return [Match(self._ids[position], score) for position, score in self._pool.most_similar(self._tokens(text), k)]

    def _tokens(self, text: str) -> list[str]:
        """The tokens of a text; whoever asks about one mostly adds it next."""
        if text is not self._latest[0]:
            self._latest = (text, self._tokens_of(text))
        return self._latest[1]


def rouge_l(a: str, b: str, tokens: Callable[[str], list[str]] | None = None) -> float:
    """The ROUGE-L F1 of two texts, from 0 to 1; 0 when either has no token."""
    from llmsynth.similarity.pool import token_f1

    tokens = tokens or rouge_tokens
    return token_f1(tokens(a), tokens(b))


def rouge_tokens(text: str) -> list[str]:
    """The tokens `rouge_score` sees without its stemmer: runs of a-z and 0-9 in the lower-cased text.

    A text written in another script has none, and is therefore like no other text.
    """
    return _TOKEN.findall(text.lower())


def tokens_of_any_script(text: str) -> list[str]:
    """The tokens of `rouge_tokens` where they hold at least half of the text, as they do in all Latin script.

    Of other texts they would leave nothing, so that none is like another, or a lone "Python", by which all are alike.
    Those are taken by their words, or by characters where no blanks divide words.
    """
    tokens = rouge_tokens(text)
    if text.isascii():
        return tokens
    all_tokens = _TOKEN_OF_ANY_SCRIPT.findall(text.lower())
    return tokens if 2 * sum(map(len, tokens)) >= sum(map(len, all_tokens)) else all_tokens
