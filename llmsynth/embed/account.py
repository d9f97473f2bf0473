"""`Account`: what embedding at an endpoint costs a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from llmsynth.budget import Budget, Usage
from llmsynth.errors import StorageError
from llmsynth.prices import Price
from llmsynth.text import rough_tokens


class Paid(NamedTuple):
    """One request that was answered. tokens: None where the server does not count them; about: as estimated here.

    cost: US dollars, None where it is not known. held: how many vectors the run's file held with those of this request.
    """

    tokens: int | None
    about: int
    cost: float | None
    held: int


def paid_in(path: Path) -> Iterator[Paid]:
    """The requests in the file of an account; none where there is no file. A line torn by a kill is left out."""
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            entry = orjson.loads(line)
            yield Paid(entry["tokens"], int(entry["about"]), entry["cost"], int(entry["held"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue


def _cut(path: Path | None) -> None:
    """Take off the line that a kill tore."""
    if path is not None and path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


class Account:
    """Counts requests and tokens in a run's usage and budget, as `Model` does of completions.

    path: keeps them, a line a request, so that a run which goes on knows what it has spent; None keeps nothing.
    price: None where it is unknown.

    held: how many vectors it knows of. What a file of them holds beyond was written by a process that was killed before
        it could say so here, and is asked for again: what a run has cost is the same then, killed or not.
    """

    def __init__(self, path: Path | None, usage: Usage, budget: Budget, price: Price | None) -> None:
        self._path, self._usage, self._budget, self._price = path, usage, budget, price
        self.held = 0
        _cut(path)
        for before in paid_in(path) if path is not None else ():
            self._usage.replayed += 1
            self._budget.send()
            self._count(before.tokens, before.about)
            self.held = before.held

    def begin(self) -> None:
        """Before a request is sent. Raises `BudgetError` once a cap has been reached."""
        self._budget.check()
        self._budget.send()

    def paid(self, texts: Sequence[str], tokens: int | None, held: int) -> None:
        """Note an answer, once its vectors are kept. Raises `StorageError`."""
        about = round(sum(map(rough_tokens, texts)))
        self._count(tokens, about)
        if self._path is None:
            return
        cost = None if self._price is None or tokens is None else self._price.cost(tokens, 0)
        entry = {"texts": len(texts), **Paid(tokens, about, cost, held)._asdict()}
        try:
            with self._path.open("ab") as file:
                file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise StorageError(
                f"cannot write {self._path}: {error.strerror}", "make room and run the same command again"
            ) from error

    def _count(self, tokens: int | None, about: int) -> None:
        self._usage.count(tokens, 0, self._price)
        self._budget.pay(about if tokens is None else tokens, 0, self._price)
