"""The ways of evolving an instruction, by domain pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from llmsynth.errors import RecipeError

Kind = Literal["depth", "data", "fresh", "down"]
Pack = Literal["general", "code", "math", "auto"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One way of evolving.

    kind: "depth" makes the same task harder in a few words; "data" does so by adding material, so it may grow
        more; "fresh" makes another task, which must be new to the pool; "down" makes the same task easier.
    stepwise: the reply works its way to the evolved instruction by the steps of a method, rather than being it.
    """

    name: str
    kind: Kind
    stepwise: bool = False


PACKS: Mapping[str, tuple[Operator, ...]] = {
    "general": (  # WizardLM: five in depth, one in breadth
        Operator("constraints", "depth"),
        Operator("deepen", "depth"),
        Operator("concretise", "depth"),
        Operator("reasoning", "depth"),
        Operator("complicate_input", "data"),
        Operator("breadth", "fresh"),
    ),
    "code": (  # WizardCoder's five heuristics
        Operator("constraints", "depth"),
        Operator("rarer_requirement", "depth"),
        Operator("reasoning", "depth"),
        Operator("misdirection", "data"),
        Operator("complexity", "depth"),
    ),
    "math": (  # WizardMath: three upward, two downward
        Operator("constraints", "depth"),
        Operator("concretise", "depth"),
        Operator("reasoning", "depth"),
        Operator("simplify", "down"),
        Operator("easier_topic", "fresh"),
    ),
    "auto": (Operator("evolve", "depth", stepwise=True),),  # Auto Evol-Instruct: one method for everything
}


def weighted(pack: Pack, weights: Mapping[str, float], breadth: float | None) -> list[tuple[Operator, float]]:
    """The operators of a pack that can be chosen, with their shares, which add up to 1.

    weights: by name; an operator left out of it is never chosen; empty for all alike.
    breadth: the share of the fresh operators together, whatever the weights; None to leave it to them.
    Raises `RecipeError` for a name the pack does not have, and for weights that choose nothing.
    """
    operators = PACKS[pack]
    names = [operator.name for operator in operators]
    for name, weight in weights.items():
        if name not in names:
            raise RecipeError(f"operators: the pack {pack} has no {name!r}", f"it has {', '.join(names)}")
        if not 0 <= weight < float("inf"):
            raise RecipeError(f"operators: the weight of {name} is {weight}", "0 or more")
    chosen = [(o, float(weights.get(o.name, 0.0) if weights else 1.0)) for o in operators]
    if breadth is not None:
        fresh, rest = _share(chosen, fresh=True), _share(chosen, fresh=False)
        if not 0 <= breadth <= 1 or (breadth > 0 and not fresh) or (breadth < 1 and not rest):
            raise RecipeError(
                f"breadth is {breadth}", f"a share from 0 to 1 that the operators chosen from the pack {pack} can have"
            )
        chosen = [
            (o, w * (breadth / fresh if o.kind == "fresh" else (1 - breadth) / rest) if w else 0.0) for o, w in chosen
        ]
    total = sum(weight for _, weight in chosen)
    if not total:
        raise RecipeError("operators: every weight is 0", "give at least one operator a weight")
    return [(operator, weight / total) for operator, weight in chosen if weight]


def choose(operators: list[tuple[Operator, float]], rng: Random) -> Operator:
    """One of them, as often as its share says."""
    return rng.choices([o for o, _ in operators], [share for _, share in operators])[0]


def _share(operators: list[tuple[Operator, float]], fresh: bool) -> float:
    return sum(weight for operator, weight in operators if (operator.kind == "fresh") is fresh)
