"""`CardFacts`: all that a card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmsynth.cards.words import CardWords
from llmsynth.dataset import DatasetInfo
from llmsynth.papers import Citation
from llmsynth.shards import DEFAULT
from llmsynth.sources.readme import Source


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a stage asked with: the model that answered, and the parameters it was asked with."""

    stage: str
    model: str
    sampling: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is left empty here, the card leaves out or calls unknown.

    generators: their names, in the order in which records went through them.
    splits: as `write_dataset` returned them, at least one.
    curated: what the rows were before, where they were only curated; empty for rows that were made. source: its card.
    method: how the generator works, in prose.
    models: one mapping per role, such as {"role": "teacher", "model": "...", "temperature": 0.7}.
    authors: those of them, by name, whose text is in kept rows, as records tell; judges, for example, are none.
    sampled: what was asked of them stage by stage.
    prompts: names of the prompt files in use.
    days: of the first and the last answer, such as "2026-11-25". version: of llmsynth.
    seeds, seed_count, seed_license: what the run started from; an empty license is "unknown".
    licenses: of what rows come from, with how many rows each; a row that comes from several counts for each.
    dropped, failed: records by reason code; with the kept rows they add up to all records.
    steps: specs of steps and selectors, each with its `use`, in order.
    funnel, scores, diversity, usage, notes: as in the report of a run.
    columns: what a column holds, where the built-in words for its name don't fit.
    recipe: the resolved recipe as YAML, already without credentials.
    seed: of the run's randomness.
    repo: the Hub's "owner/name", where known.
    license, languages: of the dataset, the license as the Hub's identifier; given by the owner.
    words: what else the owner says.
    """

    name: str
    generators: tuple[str, ...]
    splits: tuple[DatasetInfo, ...]
    curated: str = ""
    source: Source = field(default_factory=Source)
    method: str = ""
    models: tuple[Mapping[str, Any], ...] = ()
    authors: tuple[str, ...] = ()
    sampled: tuple[Sampled, ...] = ()
    prompts: tuple[str, ...] = ()
    days: tuple[str, str] | None = None
    version: str = ""
    seeds: str = ""
    seed_count: int | None = None
    seed_license: str = ""
    licenses: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    funnel: tuple[Mapping[str, Any], ...] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)
    diversity: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    recipe_name: str = ""
    recipe: str = ""
    seed: int | None = None
    repo: str = ""
    license: str = ""
    languages: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    words: CardWords = field(default_factory=CardWords)

    @property
    def rows(self) -> int:
        return sum(split.rows for split in self.configs.get(DEFAULT, ()))

    @property
    def writers(self) -> tuple[str, ...]:
        """The models whose text is in the rows; where records don't tell, all that a run had which made rows."""
        known = () if self.curated else (str(model["model"]) for model in self.models if model.get("model"))
        return self.authors or tuple(dict.fromkeys(known))

    @property
    def synthetic(self) -> bool:
        """Whether models wrote anything in the rows."""
        return not self.curated or bool(self.authors)

    @property
    def configs(self) -> dict[str, list[DatasetInfo]]:
        """The splits of each config."""
        found: dict[str, list[DatasetInfo]] = {}
        for split in self.splits:
            found.setdefault(split.config, []).append(split)
        return found

    @property
    def task(self) -> str:
        """What a trainer would do with the columns: "dpo", "sft", "classification", or "" where they don't tell."""
        columns = self.splits[0].columns.keys()
        if columns >= {"chosen", "rejected"}:
            return "dpo"
        if columns >= {"prompt", "completion", "label"}:
            return "kto"
        if columns >= {"text", "label"}:
            return "classification"
        pairs = ({"messages"}, {"conversations"}, {"instruction", "output"}, {"prompt", "completion"})
        return "sft" if any(columns >= pair for pair in pairs) else ""
