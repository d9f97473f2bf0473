"""The keys of a card's header, but for those that follow from its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.markdown import line
from llmsynth.licences import hub_license
from llmsynth.sources import OWN_SEEDS

_TASKS = {"classification": "text-classification"}
_OF_A_SOURCE = ("language", "multilinguality", "task_categories", "annotations_creators", "language_creators")


def described(facts: CardFacts) -> dict[str, Any]:
    """What the dataset is, as the Hub's validation takes it. What a curated one's source says of itself still holds."""
    header: dict[str, Any] = {"pretty_name": line(facts.name), **_license(facts)}
    taken = facts.source.header if facts.curated else {}
    if facts.languages:
        header["language"] = list(facts.languages)
        header["multilinguality"] = ["monolingual" if len(facts.languages) == 1 else "multilingual"]
    words = facts.words
    header["task_categories"] = list(words.task_categories) or [_TASKS.get(facts.task, "text-generation")]
    if not facts.curated:
        header |= {"annotations_creators": ["machine-generated"], "language_creators": ["machine-generated"]}
    if sources := _sources(facts):
        header["source_datasets"] = sources
    for key in _OF_A_SOURCE:
        if (theirs := names_in(taken.get(key))) and not (key == "language" and facts.languages):
            if key == "task_categories" and words.task_categories:
                continue
            header[key] = theirs
    header["tags"] = _tags(facts, taken)
    return header


def _license(facts: CardFacts) -> dict[str, Any]:
    """The owner's word; without one, that of a curated dataset's source."""
    words = facts.words
    given = facts.license
    if not given and not words.license_name:
        return _license_of(facts.source.header) if facts.curated else {}
    name = hub_license(given) or "other"
    if name != "other":
        return {"license": name}
    called = words.license_name or ("" if hub_license(given) else line(given))
    more = {"license_name": called, "license_link": words.license_link}
    return {"license": "other", **{key: value for key, value in more.items() if value}}


def _license_of(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The licence of a source, or its several ones, by the Hub's names, as it may say it in words of its own."""
    said = names_in(theirs.get("license"))
    names = list(dict.fromkeys(hub_license(name) or "other" for name in said))
    if not names:
        return {}
    called = ", ".join(line(name) for name in said if not hub_license(name))
    more = {key: str(theirs[key]) for key in ("license_name", "license_link") if theirs.get(key)}
    return {"license": names if len(names) > 1 else names[0], **({"license_name": called} if called else {}), **more}


def _sources(facts: CardFacts) -> list[str]:
    """As the owner says, or what is certain: the source of what was curated; what had no seeds is original."""
    if facts.words.source_datasets:
        return list(facts.words.source_datasets)
    if facts.curated:
        return [facts.source.name] if facts.source.name else names_in(facts.source.header.get("source_datasets"))
    return ["original"] if facts.seed_count is None or facts.seeds == OWN_SEEDS else []


def _tags(facts: CardFacts, taken: Mapping[str, Any]) -> list[str]:
    made = ["synthetic"] if facts.synthetic else []
    task = [facts.task] if facts.task in ("sft", "dpo", "kto") else []
    generators = [] if facts.curated else list(facts.generators)
    return list(dict.fromkeys([*made, "llmsynth", *generators, *task, *names_in(taken.get("tags")), *facts.words.tags]))


def names_in(value: Any) -> list[str]:
    """A header's list, which may also stand there as a single name."""
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, str) and one.strip()]
