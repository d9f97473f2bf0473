"""From a finished run to `CardFacts`: what its recipe, its records and its report tell of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

import llmsynth
from llmsynth.cards.facts import CardFacts, Sampled
from llmsynth.dataset import DatasetInfo
from llmsynth.generators.protocol import asks
from llmsynth.licences import UNKNOWN
from llmsynth.papers import cited
from llmsynth.recipe import Built, Recipe, publishable
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.sources.licensing import KEY
from llmsynth.sources.readme import Source, source_of

_MOST_SAMPLED = 20  # of a stage and a model, in a table that people are to read


@dataclass
class Traces:
    """What records came from, noted while they pass: prompts and parameters of all, licences and models of the kept."""

    prompts: set[str] = field(default_factory=set)
    licenses: Counter[str] = field(default_factory=Counter)
    authors: dict[str, None] = field(default_factory=dict)
    told: bool = False  # whether any record knows of licences
    _sampled: dict[tuple[str, str], list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        meta = record.meta
        if "prompts" in meta:
            self.prompts.update(meta["prompts"])
        for stage, model, sampling in zip(*(meta.get(key, ()) for key in _ASKED), strict=False):
            known = self._sampled.setdefault((stage, model), [])
            if len(known) < _MOST_SAMPLED and sampling not in known:
                known.append(sampling)
        if record.dropped is None:
            for licence in meta.get(KEY) or (UNKNOWN,):
                self.licenses[licence] += 1
            self.told |= KEY in meta
            # behind those come the ones that judged it
            for author in meta.get("models", ())[: meta.get("completions")]:
                if author:
                    self.authors[author] = None

    @property
    def sampled(self) -> tuple[Sampled, ...]:
        """In the order of the stages' names, as records are not always in that of their stages."""
        return tuple(
            Sampled(stage, model, sampling)
            for stage, model in sorted(self._sampled)
            for sampling in sorted(self._sampled[stage, model], key=str)
        )


_ASKED = ("stages", "models", "sampling")


def facts_of(
    recipe: Recipe,
    run: Run,
    built: Built,
    splits: tuple[DatasetInfo, ...],
    traces: Traces,
    report: Mapping[str, Any],
    gaps: Counter[str],
) -> CardFacts:
    """What there is to say of a run whose records have passed by `traces`, and whose report this will be.

    gaps: rows that are there although no model answered, by reason.
    """
    about, tally = built.generator.about, run.tally
    resolved = recipe.resolved()
    public = publishable(resolved)
    source: Any = run.notes.get("source")
    curated = source is not None and not asks(built.generator)
    origin = _started_from(run.notes)
    steps = (*public["steps"], *public["selectors"])
    return CardFacts(
        name=recipe.name,
        generators=tuple(recipe.generators),
        splits=splits,
        curated=str(source["name"]) if curated else "",
        source=source_of(getattr(built.generator, "path", "")) if curated else Source(),
        method=about.summary,
        models=tuple(
            {
                "role": role,
                "model": model.backend.name,
                "kind": recipe.models[role]["use"] if role in recipe.models else None,
                "revision": _revision(model.backend.identity),
                **model.sampling,
            }
            for role, model in run.models.items()
        ),
        authors=tuple(traces.authors),
        sampled=traces.sampled,
        prompts=tuple(sorted(traces.prompts)),
        days=None if run.journal is None else days_of(run.journal.path),
        version=llmsynth.__version__,
        seeds=str(origin.get("seeds", "")),
        seed_count=origin.get("seed_count"),
        seed_license=str(origin.get("seed_license", "")),
        licenses=dict(traces.licenses) if curated or origin.get("seed_count") is not None or traces.told else {},
        dropped=dict(sorted(tally.dropped.items())),
        failed=dict(sorted((Counter(tally.failed) - gaps).items())),
        limits=(f"In {gaps.total():,} rows something is null, as a model gave no answer.",) if gaps else (),
        columns=_own_columns(about.columns)
        if curated
        else {"split": "the part that the row belongs to; test is held out"},
        steps=steps,
        funnel=tuple(report["funnel"]),
        scores=report.get("scores", {}),
        diversity=report.get("diversity", {}),
        usage=report["usage"],
        notes=run.notes,
        recipe_name=recipe.name,
        recipe=yaml.safe_dump(public, sort_keys=False, allow_unicode=True, width=100),
        seed=recipe.seed,
        license=recipe.license or "",
        languages=tuple(recipe.languages),
        citations=cited(about.papers, [str(step["use"]) for step in steps]),
        words=built.words,
    )


def _own_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """What is certain of columns that are anybody's, where their names would say more: ids may be there twice."""
    return {"id": "what the source calls the row"} if "id" in columns else {}


def _started_from(notes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is noted of the seeds that nobody made in this run."""
    while isinstance(notes.get("seeds"), dict):
        notes = notes["seeds"]["notes"]
    return notes


def _revision(identity: str) -> str | None:
    """What stands for the weights of a model that was loaded here; nothing of an endpoint, which has an address."""
    if identity.startswith(("openai", "http")):
        return None
    found = re.search(r"@([0-9a-f]{12})\b", identity)
    return found[1] if found else None


def days_of(journal: Path) -> tuple[str, str] | None:
    """The days of the first and the last answer in a journal, in UTC; None where it holds none."""
    try:
        with journal.open("rb") as file:
            first = _day(file.readline())
            size = file.seek(0, 2)
            length = 1 << 16
            while True:
                file.seek(max(0, size - length))
                lines = file.read().split(b"\n")
                last = next((day for line in reversed(lines[length < size :]) if (day := _day(line))), None)
                if last or length >= size:
                    break
                length *= 4
    except OSError:
        return None
    return (min(first, last), max(first, last)) if first and last else None


def _day(line: bytes) -> str | None:
    try:
        return datetime.fromtimestamp(orjson.loads(line)["at"], UTC).date().isoformat()
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
