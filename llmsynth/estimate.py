"""What a run will ask for and cost, told before it begins."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Any

import orjson

from llmsynth.columns import joined
from llmsynth.dataset import read_records
from llmsynth.embed import asks_endpoint, embedding_of
from llmsynth.errors import RunError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.generated import Generated
from llmsynth.generators.rows import Rows
from llmsynth.journal import Journal
from llmsynth.prices import dollars, prices_as_of
from llmsynth.recipe import Built, Recipe
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.sources import read_seeds
from llmsynth.synthesis import open_run
from llmsynth.text import rough_tokens

_LIKE = 256  # rows that those to come are taken to be like


def estimate(
    recipe: Recipe, past: Path | None = None, coming: Sequence[int] | None = None
) -> tuple[Run, list[StageEstimate]]:
    """The stages of a recipe's run. `past` is the directory of a finished run to measure survival on.

    coming: how many rows come to each step, where that is known.
    """
    with tempfile.TemporaryDirectory(prefix="llmsynth-estimate-") as scratch:
        journal = Journal(Path(scratch) / "journal.jsonl")
        run, built = open_run(recipe, journal, {}, recipe.target)
        report = _report(past)
        stages = [*built.generator.estimate(run, report), *_of_steps(recipe, run, built, past, report, coming)]
        stages = [dataclasses.replace(stage, **_asked(run, stage)) for stage in stages]
        journal.close()
    return run, stages


def estimate_table(recipe: Recipe, past: Path | None = None) -> str:
    """The estimate as a table for people. A cost that cannot be known says so."""
    run, stages = estimate(recipe, past)
    if not stages:
        return f"{recipe.generators[-1]} asks nothing{', and neither do its steps' if recipe.steps else ''}"
    head = ("stage", "model", "requests", "tokens in", "tokens out", "at most", "US dollars")
    lines = ["{:<16} {:<24} {:>9} {:>11} {:>11} {:>11} {:>11}".format(*head)]
    costs: list[float | None] = []
    for stage in stages:
        cost = _cost(stage)
        costs.append(cost)
        most = "no limit" if stage.at_most is None else f"{stage.at_most:,}"
        lines.append(
            f"{stage.stage:<16} {stage.asked[:24]:<24} {stage.requests:>9,} {stage.prompt_tokens:>11,}"
            f" {stage.completion_tokens:>11,} {most:>11} {dollars(cost):>11}"
        )
    known = [cost for cost in costs if cost is not None]
    total = dollars(sum(known) if len(known) == len(costs) else None)
    requests = sum(stage.requests for stage in stages)
    lines.append(f"{_wanted(recipe, run)}, {requests:,} requests, {total} US dollars")
    basis = f"survival measured on {past}" if past else "survival assumed, as no run was named to measure it on"
    lines.append(f"{basis}; tokens {'as there' if past else 'at four characters each'}; prices of {prices_as_of()}")
    return "\n".join(lines)


def told_in_short(stages: Sequence[StageEstimate]) -> list[str]:
    """One line a stage, for where a table is too much."""
    return [
        f"{stage.stage}: {stage.requests:,} requests, {stage.prompt_tokens:,} + {stage.completion_tokens:,} tokens,"
        f" {dollars(_cost(stage))} US dollars"
        for stage in stages
    ]


def _rows_like(generator: Any) -> list[Record]:
    """Some rows that are like those a generator will yield: its source's, or its seeds."""
    if isinstance(generator, Rows):
        return _spread(generator.records(), generator.survey.rows)
    chained = _chained(generator)
    seeds = getattr(chained[-1].generator if chained else generator, "seeds", None)
    tasks = read_seeds(seeds if isinstance(seeds, str) and seeds else "builtin")
    rows = [
        Record(seed.id, {"instruction": seed.instruction, "input": given, "output": output})
        for seed in tasks
        for given, output in seed.instances[:1]
    ]
    return _spread(rows, len(rows))


def _of_steps(
    recipe: Recipe,
    run: Run,
    built: Built,
    past: Path | None,
    report: Mapping[str, Any] | None,
    coming: Sequence[int] | None,
) -> list[StageEstimate]:
    """What the steps will ask for, those of a generator of seeds first."""
    chained = _chained(built.generator)
    steps = [*built.steps, *(step for seeds in chained for step in seeds.steps)]
    if not any(map(may_ask, [*steps, *built.selectors])):
        return []
    if past is None or report is None:
        like = _rows_like(built.generator)
    else:
        like = _spread(read_records(past / "records"), report["rows"]["in"])
    stages: list[StageEstimate] = []
    embedded: set[tuple[str, tuple[str, ...]]] = set()
    together = built.generator.about.batch
    for seeds in reversed(chained):
        for step in seeds.steps:
            expected = Expected(seeds.target, like, report)
            stages += [*_of(step, run, expected), *_embedding(step, expected, together, embedded)]
            like = _like_after(step, like)
    names = [spec["use"] for spec in recipe.steps]
    for place, step in enumerate(built.steps):
        count = coming[place] if coming else _coming(run, built.generator, names, place, report)
        expected = Expected(count, like, report)
        stages += [*_of(step, run, expected), *_embedding(step, expected, together, embedded)]
        like = _like_after(step, like)
    for selector in built.selectors:
        count = coming[-1] if coming else _coming(run, built.generator, names, len(names), report)
        stages += _embedding(selector, Expected(count, like, report), _SELECTED, embedded)
    return stages


_SELECTED = 1_024  # texts that are embedded together for selectors


def may_ask(part: Any) -> bool:
    """Whether a step or selector may have something to ask for."""
    return hasattr(part, "estimate") or asks_endpoint(embedding_of(part))


def _embedding(
    part: Any, rows: Expected, together: int, embedded: set[tuple[str, tuple[str, ...]]]
) -> list[StageEstimate]:
    """What embedding asks of an endpoint. embedded: by what, and which fields, so far: their vectors are kept."""
    embeds = embedding_of(part)
    if embeds is None or not asks_endpoint(embeds) or (embeds[0].identity, embeds[1]) in embedded or not rows.like:
        return []
    embedder: Any = embeds[0]
    embedded.add((embedder.identity, embeds[1]))
    texts = [text for record in rows.like if (text := joined(record, embeds[1])).strip()]
    share, size = len(texts) / len(rows.like), min(embedder.batch, together)
    tokens = round(rows.rows * share * mean(map(rough_tokens, texts))) if texts else 0
    requests = ceil(rows.rows * share / size)
    return [StageEstimate("embeddings", requests, tokens, 0, 0, embedder.model, embedder.price)]


def _of(step: Any, run: Run, rows: Expected) -> list[StageEstimate]:
    told = getattr(step, "estimate", None)
    return [] if told is None else list(told(run, rows))


def _like_after(step: Any, like: list[Record]) -> list[Record]:
    """Rows like those that leave a step."""
    after = getattr(step, "like_after", None)
    return like if after is None else list(after(like))


def _chained(generator: Any) -> list[Generated]:
    """The generators whose records are seeds, the one nearest to the dataset first."""
    found: list[Generated] = []
    while isinstance(seeds := getattr(generator, "seeds", None), Generated):
        found.append(seeds)
        generator = seeds.generator
    return found


def _coming(run: Run, generator: Any, names: Sequence[str], place: int, report: Mapping[str, Any] | None) -> int:
    """How many rows will come to a step: as large a share as came to it in an earlier run, else all that are wanted."""
    there = generator.survey.rows if isinstance(generator, Rows) else None
    wanted = run.target if there is None else min(there, run.target or there)
    if wanted is None:
        return 0
    stages = report["funnel"][1:] if report else []
    same = [stage["stage"] for stage in stages[: len(names)]] == list(names)
    if report is None or not same or place >= len(stages):
        return wanted
    came = stages[place]["in"]
    of = report["rows"]["kept"] if run.target is not None else report["rows"]["in"]
    coming = round(wanted * came / of) if of else wanted
    return coming if there is None else min(coming, there)


def _spread(rows: Iterable[Record], count: int) -> list[Record]:
    """Some of the rows that were not dropped for what they are, evenly from first to last."""
    chosen = islice(rows, 0, None, max(1, count // _LIKE))
    return [record for record in chosen if any(record.fields.values())][:_LIKE]


def _wanted(recipe: Recipe, run: Run) -> str:
    if run.target is not None:
        return f"{run.target:,} rows"
    return "all rows" if recipe.generators == ["rows"] else "no target: bounded by max_requests"


def _report(past: Path | None) -> Mapping[str, Any] | None:
    if past is None:
        return None
    path = past / "report.json"
    if not path.is_file():
        raise RunError(f"{past} is no finished run: it has no report.json", "name the directory given to --out")
    report: dict[str, Any] = orjson.loads(path.read_bytes())
    return report


def _asked(run: Run, stage: StageEstimate) -> dict[str, Any]:
    """Who is asked and what it takes."""
    if stage.asked:
        return {}
    model = run.model(stage.stage)
    return {"asked": model.backend.name, "price": model.price}


def _cost(stage: StageEstimate) -> float | None:
    return None if stage.price is None else stage.price.cost(stage.prompt_tokens, stage.completion_tokens)
