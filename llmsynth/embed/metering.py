"""What vectors from an endpoint cost, counted beside what the models of a run cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from llmsynth.budget import Budget, Usage
from llmsynth.prices import Price
from llmsynth.request import Completion
from llmsynth.text import rough_tokens


@dataclass(slots=True)
class Meter:
    """Counts requests for vectors, of all embedders of a run together, under `usage`, and takes them off its budget."""

    usage: Usage = field(default_factory=Usage)
    budget: Budget = field(default_factory=Budget)

    def asked(self, texts: Sequence[str], tokens: int | None, price: Price | None) -> None:
        """Note a request that was answered. tokens: as the server counts them, None where it does not."""
        self.usage.add(Completion("", prompt_tokens=tokens, completion_tokens=0), price)
        self.budget.send()
        self.budget.spend_tokens(_reckoned(texts) if tokens is None else tokens, 0, price)

    def found(self, texts: Sequence[str], batch: int, price: Price | None) -> None:
        """Note vectors that an earlier process of the run has paid for, as reckoned: what it was told is not kept."""
        for start in range(0, len(texts), batch):
            part = texts[start : start + batch]
            self.asked(part, _reckoned(part), price)
            self.usage.replayed += 1


def _reckoned(texts: Sequence[str]) -> int:
    return round(sum(map(rough_tokens, texts)))
