"""What tokens cost. An unknown price is None, never 0."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmsynth.errors import RecipeError

OWN_FILE = "LLMSYNTH_PRICES"
"""The environment variable that names a user's own price file."""

_FILE = Path(__file__).parent / "data" / "prices.yaml"
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_FORM = "as_of: DATE and endpoints: {https://host/v1: {model: {prompt: 0.1, completion: 0.4}}}, in dollars per million"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of prompts and completions."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


def dollars(cost: float | None) -> str:
    """US dollars as people read them: an unknown cost says so, and a small one is not rounded to nothing."""
    if cost is None:
        return "unknown"
    return f"{cost:,.2f}" if cost >= 0.01 or not cost else f"{cost:.2g}"


FREE = Price(0.0, 0.0)
"""Of a model that runs in this process: its tokens have no price."""


def published_price(base_url: str, model: str, batch: bool = False) -> Price | None:
    """The price our dated data file has for a model at an endpoint, asked directly or through the batch API.

    A dated name has the price of the undated one. What stands in a file of the same form that LLMSYNTH_PRICES names
    replaces what stands in ours. Raises `RecipeError` where that file cannot be used.
    """
    for prices in _published(os.environ.get(OWN_FILE, "")):
        models = prices["endpoints"].get(base_url.rstrip("/"), {})
        entry = models.get(model) or models.get(_DATED.sub("", model))
        if entry:
            share = prices["batch_discount"] if batch else 1.0
            return Price(entry["prompt"] * share, entry["completion"] * share)
    return None


def prices_as_of() -> str:
    """The dates of the price files, the user's own first."""
    return ", else ".join(str(prices["as_of"]) for prices in _published(os.environ.get(OWN_FILE, "")))


@functools.cache
def _published(own: str) -> list[dict[str, Any]]:
    """Our prices, and before them those of a user's file."""
    ours: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    if not own:
        return [ours]
    try:
        theirs = yaml.safe_load(Path(own).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = getattr(error, "strerror", None) or "it is no YAML"
        raise RecipeError(f"cannot read the prices in {own}, which {OWN_FILE} names: {why}", _FORM) from error
    if not _is_well_formed(theirs):
        raise RecipeError(f"{own}, which {OWN_FILE} names, is no price file", _FORM)
    theirs["endpoints"] = {url.rstrip("/"): models for url, models in theirs["endpoints"].items()}
    return [{"as_of": Path(own).name, "batch_discount": ours["batch_discount"], **theirs}, ours]


def _is_well_formed(prices: Any) -> bool:
    if not isinstance(prices, dict) or not isinstance(prices.get("endpoints"), dict):
        return False
    numbers = [prices.get("batch_discount", 1.0)]
    for url, models in prices["endpoints"].items():
        for entry in models.values() if isinstance(models, dict) and isinstance(url, str) else [None]:
            if not isinstance(entry, dict) or entry.keys() != {"prompt", "completion"}:
                return False
            numbers += entry.values()
    return all(isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in numbers)
