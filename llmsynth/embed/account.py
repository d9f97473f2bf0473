"""`Account`: what embedding at an endpoint costs a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from llmsynth.budget import Budget, Usage
from llmsynth.errors import StorageError
from llmsynth.prices import Price
from llmsynth.text import rough_tokens


class Account:
    """Counts requests and tokens in a run's usage and budget, as `Model` does of completions.

    path: keeps them, a line a request, so that a run which goes on knows what it has spent; None keeps nothing.
    price: None where it is unknown.
    """

    def __init__(self, path: Path | None, usage: Usage, budget: Budget, price: Price | None) -> None:
        self._path, self._usage, self._budget, self._price = path, usage, budget, price
        for line in path.read_bytes().splitlines() if path is not None and path.is_file() else ():
            try:
                entry = orjson.loads(line)
                tokens, about = entry["tokens"], int(entry["about"])
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                continue  # torn by a kill: one request is not counted
            self._usage.replayed += 1
            self._budget.send()
            self._count(tokens, about)

    def begin(self) -> None:
        """Before a request is sent. Raises `BudgetError` once a cap has been reached."""
        self._budget.check()
        self._budget.send()

    def paid(self, texts: Sequence[str], tokens: int | None) -> None:
        """Note an answer. tokens: None where the server does not count them. Raises `StorageError`."""
        about = round(sum(map(rough_tokens, texts)))
        self._count(tokens, about)
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(orjson.dumps({"texts": len(texts), "tokens": tokens, "about": about}) + b"\n")
        except OSError as error:
            raise StorageError(
                f"cannot write {self._path}: {error.strerror}", "make room and run the same command again"
            ) from error

    def _count(self, tokens: int | None, about: int) -> None:
        self._usage.count(tokens, 0, self._price)
        self._budget.pay(about if tokens is None else tokens, 0, self._price)
