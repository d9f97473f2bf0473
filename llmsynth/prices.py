"""What tokens cost. An unknown price is None, never 0."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parent / "data" / "prices.yaml"
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of prompts and completions."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


FREE = Price(0.0, 0.0)
"""Of a model that runs in this process: its tokens have no price."""


def published_price(base_url: str, model: str, batch: bool = False) -> Price | None:
    """The price our dated data file has for a model at an endpoint, asked directly or through the batch API.

    A dated name has the price of the undated one.
    """
    models = _published()["endpoints"].get(base_url.rstrip("/"), {})
    entry = models.get(model) or models.get(_DATED.sub("", model))
    share = _published()["batch_discount"] if batch else 1.0
    return Price(entry["prompt"] * share, entry["completion"] * share) if entry else None


def prices_as_of() -> str:
    """The date of the data file."""
    return str(_published()["as_of"])


@functools.cache
def _published() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return data
