"""`grown_card`: the card of a dataset to which rows were added."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmsynth.card import _size_category as size_category
from llmsynth.cards.marks import Block, Body, Record, stands_for
from llmsynth.frontmatter import Entry, Header, dumped, joined, split
from llmsynth.publish.shards import Splits
from llmsynth.publish.source import Source

_UNION = ("tags", "language", "task_categories")
_ELSEWHERE = ("## A row", "## Recipe", "## Loading", "## Columns", "## Citation")


def grown_card(
    published: str, source: Source, recipe: str, patterns: Mapping[str, Splits]
) -> tuple[str, tuple[str, ...]]:
    """The published card with the counts of both in its header, and a section about the rows that came.

    recipe: where the recipe of those rows lies, if anywhere. patterns: files that the configs there do not name yet.
    Also returns what its owner should know.
    """
    windows = "\r\n" in published.partition("\n")[0] + "\n"
    text, rest = split(published.removeprefix("\ufeff").replace("\r\n", "\n"))
    header, body = Header.read(text or ""), Body.read(rest)
    values = header.values
    info = _sum(values["dataset_info"], source.header["dataset_info"])
    rows = {name: sum(s["num_examples"] for s in one["splits"]) for name, one in _infos(info).items()}
    total = rows.get("default", max(rows.values()))
    new = {
        "size_categories": [size_category(total)],
        "configs": _with_patterns(values["configs"], patterns),
        "dataset_info": info,
        **{key: _union(values[key], source.header.get(key)) for key in _UNION if isinstance(values.get(key), list)},
    }
    if len(new.get("language", ())) > 1 and values.get("multilinguality") == ["monolingual"]:
        new["multilinguality"] = ["multilingual"]
    entries = dict(header.entries)
    for key, value in new.items():
        if key not in entries or entries[key].value != value:
            before = entries[key].before if key in entries else ""
            entries[key] = Entry(value, dumped({key: value}), before)
    number = 2 + sum(bool(re.fullmatch(r"addition-\d+", name)) for name in {*body.blocks, *_recorded(body)})
    block = Block.made(f"addition-{number}", _section(number, source, recipe, total, body))
    record = body.record or Record()
    unedited = {key for key, digits in record.header.items() if key in values and digits == stands_for(values[key])}
    record = replace(
        record,
        blocks=(*record.blocks, block.name),
        header={key: stands_for(new[key]) if key in unedited & new.keys() else d for key, d in record.header.items()},
        tags=tuple(_union(list(record.tags), source.header.get("tags"))),
    )
    grown = joined(Header(entries, header.after), str(Body((*body.parts, block), record if body.record else None)))
    notes: tuple[str, ...] = ()
    if (ours := source.header.get("license")) != (theirs := values.get("license")):
        notes = (f"the licence of these rows is {ours or 'unknown'}, that of the card {theirs or 'unknown'}",)
    return grown.replace("\n", "\r\n") if windows else grown, notes


def _section(number: int, source: Source, recipe: str, total: int, body: Body) -> str:
    """What the card of the rows says of them, but for what is said already."""
    _, text = split(source.card.replace("\r\n", "\n"))
    said = {_plain(part) for part in _sections(str(body))}
    sections = []
    for part in _sections(text):
        if _plain(part) in said or part.startswith(_ELSEWHERE):
            continue
        sections.append(f"#{part}" if part.startswith("##") else part.partition("\n")[2].strip())  # without the title
    made = f" Their recipe is `{recipe}`." if recipe else ""
    return "\n\n".join(
        [
            f"## Addition {number}",
            f"With these rows there are {total:,}. Their ids tell them apart from each other only.{made}",
            *filter(None, sections),
        ]
    )


def _sections(body: str) -> list[str]:
    """A card's body by its headings of the second and third level, without marks."""
    text = "\n".join(line for line in body.split("\n") if not re.match(r"<!-- /?llmsynth[ :].*-->\s*$", line))
    sections: list[list[str]] = [[]]
    fence = ""
    for line in text.split("\n"):
        if (ticks := re.match(r"`{3,}", line)) and (not fence or line.strip() == fence):
            fence = "" if fence else ticks[0]
        if not fence and re.match(r"###? ", line):
            sections.append([])
        sections[-1].append(line)
    return [part for lines in sections if (part := "\n".join(lines).strip())]


def _sum(theirs: Any, ours: Any) -> Any:
    """`dataset_info` of both: rows and bytes by split added up."""
    mine = _infos(ours)
    summed = []
    for name, info in _infos(theirs).items():
        info = copy.deepcopy(info)
        if name in mine:
            splits = {one["name"]: dict(one) for one in info.get("splits", ())}
            for one in mine[name]["splits"]:
                there = splits.setdefault(one["name"], {"name": one["name"], "num_bytes": 0, "num_examples": 0})
                for key in ("num_bytes", "num_examples"):
                    there[key] = there.get(key, 0) + one[key]
            info["splits"] = list(splits.values())
            for key in ("download_size", "dataset_size"):
                info[key] = info.get(key, 0) + mine[name].get(key, 0)
        summed.append(info)
    return summed if isinstance(theirs, list) else summed[0]


def _infos(info: Any) -> dict[str, dict[str, Any]]:
    return {str(one.get("config_name", "default")): one for one in (info if isinstance(info, list) else [info])}


def _with_patterns(configs: Any, patterns: Mapping[str, Splits]) -> Any:
    """The configs, with further files where theirs do not take in the new ones."""
    grown = copy.deepcopy(configs)
    for config in grown:
        for name, wanted in patterns.get(str(config.get("config_name", "default")), {}).items():
            if not isinstance(config["data_files"], list):
                config["data_files"] = _listed(config["data_files"])
            config["data_files"] += [{"split": name, "path": wanted[0] if len(wanted) == 1 else list(wanted)}]
    return grown


def _listed(data_files: Any) -> list[Any]:
    if isinstance(data_files, Mapping):
        return [{"split": name, "path": path} for name, path in data_files.items()]
    return [{"split": "train", "path": data_files}]


def _union(theirs: list[Any], ours: Any) -> list[Any]:
    return [*theirs, *(one for one in (ours if isinstance(ours, list) else ()) if one not in theirs)]


def _recorded(body: Body) -> tuple[str, ...]:
    return body.record.blocks if body.record else ()


def _plain(text: str) -> str:
    return " ".join(text.split())
