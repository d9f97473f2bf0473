"""Tags of instructions: read from a reply, put in one form, cut by frequency (InsTag, Lu et al., 2023)."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from llmsynth.parsing import parse_json, parse_numbered, unwrap, without_thinking
from llmsynth.record import Record
from llmsynth.text import normalise

MOST = 20  # tags of one instruction; more is a model in a loop
_LABEL = re.compile(r"^\s*tags?\s*:", re.IGNORECASE)
_WORDS, _LETTERS = 5, 60  # of a tag; more is a sentence


def parse_tags(text: str) -> list[str] | None:
    """The tags of a reply in one form, without repetition; None for a reply that holds none.

    Read are JSON lists of strings or of objects with a "tag", objects with a list under "tags", numbered and bulleted
    lists, and tags on one line with commas between them.
    """
    plain = without_thinking(text)
    said = _from_json(plain)
    if said is None:
        listed = [item for item in parse_numbered(plain, 1).items if item.strip()]
        lines = re.findall(r"^\s*[-*•]\s+(.+)$", plain, re.MULTILINE)
        line = unwrap(plain).strip()
        one_line = [] if "\n" in line else re.split(r"[,;]", _LABEL.sub("", line))
        if not all(map(tag_of, one_line)):
            one_line = []  # prose with a comma in it
        said = lines or (listed if len(listed) > 1 else one_line)
    tags = [tag for tag in dict.fromkeys(map(tag_of, said)) if tag]
    return tags[:MOST] or None


def tag_of(text: str) -> str:
    """A tag without case, punctuation and plural: "Recipe-Writing" is "recipe writing". Empty for what is no tag."""
    words = normalise(text.split(":", 1)[0].replace("_", " ")).split()
    if not words or len(words) > _WORDS or sum(map(len, words)) > _LETTERS:
        return ""
    return " ".join((*words[:-1], _singular(words[-1])))


def tags_of(record: Record) -> list[str]:
    """The tags that the step `tags` left with a record, without those that were cut as rare."""
    return _listed(record, "tags")


def all_tags_of(record: Record) -> list[str]:
    """The tags that a record was given, the rare ones last."""
    return [*tags_of(record), *_listed(record, "rare_tags")]


def tag_counts(records: Iterable[Record]) -> Counter[str]:
    """In how many of the kept records each tag is."""
    return Counter(tag for record in records if not record.dropped for tag in all_tags_of(record))


def with_common_tags(records: Iterable[Record], counts: Mapping[str, int], least: int = 20) -> Iterator[Record]:
    """The records, each with the tags that at least `least` records have; its score `tags` is how many these are.

    A record may be left without any. What is cut goes into `meta["rare_tags"]`, so that it can be cut otherwise later.
    """
    for record in records:
        if "tags" in record.meta:
            given = all_tags_of(record)
            left = [tag for tag in given if counts.get(tag, 0) >= least]
            rare = [tag for tag in given if counts.get(tag, 0) < least]
            meta = {**record.meta, "tags": left, "rare_tags": rare}
            record = dataclasses.replace(record, meta=meta).scored(tags=float(len(left)))
        yield record


def tag_report(counts: Mapping[str, int], rare: int, records: int) -> dict[str, object]:
    """Distinct tags before and after the cut, tags per record, distinct tags per tag, and the commonest ones.

    counts: in how many records each tag is that was left. rare: how many tags were cut.
    """
    total = sum(counts.values())
    return {
        "distinct": len(counts) + rare,
        "distinct_after_cut": len(counts),
        "per_record": round(total / records, 3) if records else 0.0,
        "distinct_share": round(len(counts) / total, 4) if total else 0.0,
        "most_common": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]),
    }


def _listed(record: Record, name: str) -> list[str]:
    tags = record.meta.get(name)
    return list(tags) if isinstance(tags, list) else []


def _from_json(text: str) -> list[str] | None:
    parsed = parse_json(text)
    value = parsed.value if parsed else None
    if isinstance(value, dict):
        lists = [inner for key, inner in value.items() if str(key).lower() == "tags" and isinstance(inner, list)]
        value = lists[0] if lists else [value] if "tag" in value else None
    if not isinstance(value, list):
        return _bare_list(text)
    said = [item.get("tag") if isinstance(item, dict) else item for item in value]
    return [item for item in said if isinstance(item, str)]


def _bare_list(text: str) -> list[str] | None:
    """A whole reply that is a list of strings, in single quotes or double ones."""
    try:
        value = json.loads(text.strip().replace("'", '"'))
    except (ValueError, RecursionError):
        return None
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "ics")) else word
