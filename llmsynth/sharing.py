"""Which models of a run keep their limits together: an endpoint counts requests, not the roles they are made for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from llmsynth.limits import Limiter, Rates
from llmsynth.model import limiter_of
from llmsynth.recipe import HowToAsk
from llmsynth.request import Backend


def shared_limiters(asked: Mapping[str, tuple[Backend, HowToAsk]]) -> dict[str, Limiter]:
    """By role, the limiter of each backend that says what it is `limited_as`: the same one where they say the same.

    Where their recipes differ in how they are asked, the stricter rates hold, and the greater concurrency, which is
    adapted unless one of them is to be asked with a fixed one.
    """
    together: dict[str, list[str]] = {}
    for role, (backend, _) in asked.items():
        if name := getattr(backend, "limited_as", ""):
            together.setdefault(name, []).append(role)
    limiters: dict[str, Limiter] = {}
    for roles in together.values():
        hows = [asked[role][1] for role in roles]
        limiter = limiter_of(
            asked[roles[0]][0],
            max(how.concurrency for how in hows),
            all(how.adaptive for how in hows),
            reduce(Rates.stricter, (how.rates for how in hows)),
        )
        limiters |= dict.fromkeys(roles, limiter)
    return limiters
