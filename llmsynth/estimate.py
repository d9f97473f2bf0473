"""What a run will ask for and cost, told before it begins."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from llmsynth.errors import RunError
from llmsynth.generators.protocol import StageEstimate
from llmsynth.journal import Journal
from llmsynth.prices import Price, prices_as_of
from llmsynth.recipe import Recipe
from llmsynth.run import Run
from llmsynth.synthesis import open_run


def estimate(recipe: Recipe, past: Path | None = None) -> tuple[Run, list[StageEstimate]]:
    """The stages of a recipe's run. `past` is the directory of a finished run to measure survival on."""
    with tempfile.TemporaryDirectory(prefix="llmsynth-estimate-") as scratch:
        journal = Journal(Path(scratch) / "journal.jsonl")
        run, built = open_run(recipe, journal, {}, recipe.target)
        stages = built.generator.estimate(run, _report(past))
        journal.close()
    return run, stages


def estimate_table(recipe: Recipe, past: Path | None = None) -> str:
    """The estimate as a table for people. A cost that cannot be known says so."""
    run, stages = estimate(recipe, past)
    if not stages:
        return f"{recipe.generators[-1]} asks nothing; what steps ask is not estimated"
    head = ("stage", "model", "requests", "tokens in", "tokens out", "at most", "US dollars")
    lines = ["{:<16} {:<24} {:>9} {:>11} {:>11} {:>11} {:>11}".format(*head)]
    costs: list[float | None] = []
    for stage in stages:
        model = run.model(stage.stage)
        cost = _cost(model.price, stage)
        costs.append(cost)
        most = "no limit" if stage.at_most is None else f"{stage.at_most:,}"
        lines.append(
            f"{stage.stage:<16} {model.backend.name[:24]:<24} {stage.requests:>9,} {stage.prompt_tokens:>11,}"
            f" {stage.completion_tokens:>11,} {most:>11} {_dollars(cost):>11}"
        )
    known = [cost for cost in costs if cost is not None]
    total = _dollars(sum(known) if len(known) == len(costs) else None)
    requests = sum(stage.requests for stage in stages)
    target = "no target: bounded by max_requests" if run.target is None else f"{run.target:,} rows"
    lines.append(f"{target}, {requests:,} requests, {total} US dollars")
    basis = f"survival measured on {past}" if past else "survival assumed, as no run was named to measure it on"
    lines.append(f"{basis}; tokens {'as there' if past else 'at four characters each'}; prices of {prices_as_of()}")
    return "\n".join(lines)


def _report(past: Path | None) -> Mapping[str, Any] | None:
    if past is None:
        return None
    path = past / "report.json"
    if not path.is_file():
        raise RunError(f"{past} is no finished run: it has no report.json", "name the directory given to --out")
    report: dict[str, Any] = orjson.loads(path.read_bytes())
    return report


def _cost(price: Price | None, stage: StageEstimate) -> float | None:
    return None if price is None else price.cost(stage.prompt_tokens, stage.completion_tokens)


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:,.2f}"
