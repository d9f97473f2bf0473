"""Where a dataset comes from: method, models, prompts, seeds and their licences, recipe, papers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.markdown import code, count, fenced, line, plain, prose, public, table
from llmsynth.licences import UNKNOWN

# of a model's settings, what never belongs in public
_PRIVATE = frozenset({"api_key", "authorization", "headers", "password", "secret", "token"})


def making(facts: CardFacts) -> str:
    parts = [prose(facts.method)] if facts.method.strip() else []
    parts.append("\n".join(f"- {_model(model)}" for model in facts.models))
    if facts.sampled:
        rows = [(code(one.stage), code(one.model), settings(one.sampling) or "its defaults") for one in facts.sampled]
        parts.append("What was asked of them, stage by stage:\n\n" + table(("stage", "model", "sampling"), rows))
    if facts.prompts:
        parts.append("Prompts: " + ", ".join(code(name) for name in facts.prompts) + ".")
    if facts.days:
        first, last = facts.days
        parts.append(f"Answers of {first}." if first == last else f"Answers from {first} to {last}.")
    body = "\n\n".join(filter(None, parts))
    return f"## How it was made\n\n{body}" if body else ""


def _model(model: Mapping[str, Any]) -> str:
    told = settings({key: value for key, value in model.items() if key not in ("role", "model")})
    name = code(str(model.get("model", "unknown")))
    return f"**{line(str(model.get('role', 'model')))}**: {name}" + (f" ({told})" if told else "")


def settings(values: Mapping[str, Any]) -> str:
    """Parameters on one line, without any that are secret."""
    return ", ".join(
        f"{key} {public(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
        for key, value in values.items()
        if key not in _PRIVATE and value is not None
    )


def seeds(facts: CardFacts) -> str:
    """What the rows come from, and under which licences."""
    parts = []
    if facts.seeds or facts.seed_count is not None:
        what = f"{count(facts.seed_count, 'task')} from " if facts.seed_count is not None else ""
        source = code(facts.seeds) if facts.seeds else "an unknown source"
        parts.append(f"{what}{source}; licence: {plain(facts.seed_license) or UNKNOWN}.")
    if facts.licenses:
        what = "the source of a row" if facts.curated else "the seeds that a row comes from"
        rows = [(_license(name), f"{rows:,}") for name, rows in _commonest(facts.licenses)]
        several = " A row that comes from several counts for each." if sum(facts.licenses.values()) > facts.rows else ""
        parts.append(f"By the licence of {what}:{several}\n\n" + table(("licence", "rows"), rows))
    if not parts:
        return ""
    return ("## Source and its licence" if facts.curated else "## Seeds") + "\n\n" + "\n\n".join(parts)


def _license(name: str) -> str:
    return "unknown: nobody said" if name == UNKNOWN else code(name)


def _commonest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def recipe(facts: CardFacts) -> str:
    name = f" {code(facts.recipe_name)}" if facts.recipe_name else ""
    version = f" {line(facts.version)}" if facts.version else ""
    if not facts.recipe.strip():
        return f"## Recipe\n\nMade from the recipe{name}." if name else ""
    text = fenced(public(facts.recipe.strip()), "yaml")
    return f"## Recipe\n\nThe recipe{name}, for `llmsynth run`{f' (llmsynth{version})' if version else ''}:\n\n{text}"


def citation(facts: CardFacts) -> str:
    entries = [paper.bibtex for paper in facts.citations]
    what = "The method:" if len(entries) == 1 else "The methods:"
    return f"## Citation\n\n{what}\n\n" + fenced("\n\n".join(entries), "bibtex") if entries else ""
