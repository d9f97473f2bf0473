"""`merge`: a new card for a dataset whose old one people may have edited."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from llmsynth.cards.marks import Block, Body, Record, digits_of, stands_for
from llmsynth.frontmatter import Entry, Header, dumped, joined, split
from llmsynth.shards import FOLDERS

_COUNTED = ("size_categories", "configs", "dataset_info")  # never anybody's to edit: they must fit the files
_OF_CONFIG = {
    "configs": ("config_name", "data_files", "default"),
    "dataset_info": ("config_name", "features", "splits", "download_size", "dataset_size"),
}
_SPLITS_OF = {"configs": ("data_files", "split"), "dataset_info": ("splits", "name")}


def merge(published: str, fresh: str) -> str:
    """The fresh card with all that people have changed in the published one.

    In the body, a generated block is replaced if it is as it was generated, and stays as it is if somebody edited it,
    with everything between the blocks; one that somebody removed stays away. In the header, size, configs and
    dataset_info are always the fresh ones, with configs and splits that somebody added; a key that was edited, added or
    removed stays so; tags are added to and taken from. A published card without any of our marks is its owner's: what
    the fresh one has to say comes after it, but for headings that are there already.

    The fresh card may have been edited too, before it comes here. Where nobody edited the published one, that counts;
    where somebody did, only what has been edited anew since it was last merged.

    Unedited, the result is the fresh card itself; merged once more, it changes no more. Neither card needs to be valid:
    what is no YAML stays as a comment in the header.
    """
    windows = "\r\n" in published.partition("\n")[0] + "\n"
    old_header, old_text = _read(published)
    new_header, new_text = _read(fresh)
    old, new = Body.read(old_text), Body.read(new_text)
    header = _merged_header(old_header, new_header, old.record, new.record)
    merged = joined(header, str(_merged_body(old, new, _record(old, old_header, new, new_header))))
    return merged.replace("\n", "\r\n") if windows else merged


def edited(published: str) -> list[str]:
    """The generated blocks of a card that somebody changed or removed, by name."""
    body = Body.read(_read(published)[1])
    gone = [name for name in body.record.blocks if name not in body.blocks] if body.record else []
    return [name for name, block in body.blocks.items() if block.edited] + gone


def record_of(header: Mapping[str, Any], blocks: Iterable[Block]) -> Record:
    """What a card that was generated like this says of itself."""
    return Record(
        tuple(block.name for block in blocks),
        {key: stands_for(value) for key, value in header.items() if key not in (*_COUNTED, "tags")},
        tuple(_names(header.get("tags"))),
        tuple(_by_config(header.get("configs"))),
    )


def _read(card: str) -> tuple[Header, str]:
    header, body = split(card.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    return Header() if header is None else Header.read(header), body


# the body


def _merged_body(old: Body, new: Body, record: Record | None) -> Body:
    brought = old.record.brought if old.record else ()
    parts = [part for part in (_kept(part, new, brought) for part in old.parts) if part is not None]
    known = old.record.blocks if old.record else ()
    there = old.blocks
    headings = set() if old.record else _headings(old.parts)
    after: str | None = None  # the block that comes before this one
    theirs = False  # whether the section that a block belongs to is one that the owner has
    for part in new.parts:
        if isinstance(part, str):
            if digits_of(part) not in brought and not any(part in text for text in old.words):
                _put(parts, after, part, {text for text in old.words if digits_of(text) in brought} - {*new.words})
            continue
        theirs = bool(found & headings) if (found := _headings([part.text.partition("\n")[0]])) else theirs
        if part.name not in there:
            if part.name in known or theirs:
                continue
            parts.insert(_place(parts, after), part)
        after = part.name
    return Body(tuple(parts), record)


def _kept(part: str | Block, new: Body, brought: Sequence[str]) -> str | Block | None:
    if isinstance(part, str):
        return part
    fresh = new.blocks.get(part.name)
    if not part.edited:
        return fresh
    # somebody's edit gives way to a later one that was made where this one came from
    return fresh if fresh is not None and fresh.edited and digits_of(part.text) in brought else part


def _put(parts: list[str | Block], after: str | None, text: str, earlier: Set[str]) -> None:
    """Put somebody's words behind a block: in place of what stood there of theirs earlier, if anything does."""
    place = _place(parts, after)
    while place < len(parts) and isinstance(parts[place], str):
        if parts[place] in earlier:
            parts[place] = text
            return
        place += 1
    parts.insert(place, text)


def _place(parts: Sequence[str | Block], after: str | None) -> int:
    """Where a new block goes: behind the one that comes before it, else to the end."""
    found = [n for n, part in enumerate(parts, 1) if isinstance(part, Block) and part.name == after]
    return found[-1] if found else 0 if after is None and any(isinstance(p, Block) for p in parts) else len(parts)


def _headings(parts: Iterable[str | Block]) -> set[str]:
    """The headings in the texts among these; all of the first level are one, the title."""
    found = set()
    for text in parts:
        code = False
        for line in text.split("\n") if isinstance(text, str) else ():
            code ^= line.lstrip().startswith(("```", "~~~"))
            if not code and (heading := re.match(r"(#{1,6})\s+(.*)", line)):
                found.add("" if heading[1] == "#" else heading[2].strip().casefold())
    return found


def _record(old: Body, old_header: Header, new: Body, new_header: Header) -> Record | None:
    """The fresh record, with what somebody removed, so that it is not taken for news should it be generated again."""
    before, fresh = old.record, new.record
    brought = [digits_of(text) for text in new.words]
    if fresh is None:
        return None if before is None else dataclasses.replace(before, brought=_union(before.brought, brought))
    edits = [digits_of(block.text) for block in new.blocks.values() if block.edited]
    values = {key: stands_for(value) for key, value in new_header.values.items() if key not in (*_COUNTED, "tags")}
    edits += [digits for key, digits in values.items() if fresh.header.get(key) != digits]
    brought += edits
    if before is None:
        theirs = {key for key in old_header.entries if key not in new_header.entries}
        header = {key: digits for key, digits in fresh.header.items() if key not in theirs}
        return dataclasses.replace(fresh, header=header, brought=_union(brought))
    gone = [name for name in before.blocks if name not in old.blocks and name not in fresh.blocks]
    removed = {key: digits for key, digits in before.header.items() if key not in old_header.entries}
    tags = [tag for tag in before.tags if tag not in _names(old_header.values.get("tags"))]
    return Record(
        (*fresh.blocks, *gone),
        {**fresh.header, **{key: digits for key, digits in removed.items() if key not in fresh.header}},
        _union(fresh.tags, tags),
        fresh.configs,
        _union(before.brought, brought),
    )


def _union(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))


# the header


def _merged_header(old: Header, new: Header, record: Record | None, fresh: Record | None) -> Header:
    base = record or Record()
    values = {**new.values}
    for key in _OF_CONFIG:
        if (found := _with_added_configs(key, old.values, new.values, base)) is not None:
            values[key] = found
    if "tags" in old.entries or "tags" in values:
        tags = _merged_tags(_names(old.values.get("tags")), _names(values.get("tags")), base.tags)
        values["tags"] = tags
    entries: dict[str, Entry] = {}
    for key in (*values, *(key for key in old.entries if key not in values)):
        theirs = old.entries.get(key)
        if key in (*_COUNTED, "tags"):
            value = values.get(key)
            if value:
                entries[key] = _entry(key, value, theirs)
        elif theirs is None:
            if key not in base.header:
                entries[key] = new.entries[key]
        elif base.header.get(key) != stands_for(theirs.value) and not _superseded(key, theirs, new, record, fresh):
            entries[key] = theirs
        elif key in values:
            entries[key] = _entry(key, values[key], theirs)
    return Header(entries, old.after)


def _superseded(key: str, theirs: Entry, new: Header, record: Record | None, fresh: Record | None) -> bool:
    """Whether somebody's value is to give way to a later one that was set where this one came from."""
    if record is None or fresh is None or key not in new.entries or stands_for(theirs.value) not in record.brought:
        return False
    return fresh.header.get(key) != stands_for(new.entries[key].value)


def _entry(key: str, value: Any, theirs: Entry | None) -> Entry:
    """A value in its owner's writing where that is the same."""
    if theirs is None:
        return Entry(value, dumped({key: value}))
    return theirs if theirs.value == value else Entry(value, dumped({key: value}), theirs.before)


def _merged_tags(old: Sequence[str], new: Sequence[str], base: Sequence[str]) -> list[str]:
    """What one side added is there, what one side removed is not."""
    here = [tag for tag in new if tag in old or tag not in base]
    return list(dict.fromkeys([*here, *(tag for tag in old if tag not in base)]))


def _with_added_configs(key: str, old: Mapping[str, Any], new: Mapping[str, Any], base: Record) -> Any:
    """The fresh configs, or their dataset_info, with those of which only their owner knows, and their further keys."""
    theirs, ours = _by_config(old.get(key)), _by_config(new.get(key))
    added = {name: entry for name, entry in theirs.items() if name not in ours and name not in base.configs}
    generated, splits, named = _OF_CONFIG[key], *_SPLITS_OF[key]
    added_splits = _added_splits(old, new, base)
    merged = []
    for name, entry in ours.items():
        there = theirs.get(name, {})
        more = {k: v for k, v in there.items() if k not in generated and k not in entry}
        found = _by_name(there.get(splits), named)
        if kept := [one for split, one in found.items() if split in added_splits.get(name, ())]:
            more[splits] = [*entry.get(splits, ()), *kept]
        merged.append({**entry, **more})
    if not merged and not added:
        return None
    if key == "dataset_info" and not added and len(merged) == 1 and isinstance(new.get(key), dict):
        return merged[0]
    return [{"config_name": name, **entry} for name, entry in (*zip(ours, merged, strict=True), *added.items())]


def _added_splits(old: Mapping[str, Any], new: Mapping[str, Any], base: Record) -> dict[str, set[str]]:
    """By config of ours, the splits that somebody added: the files of one that was made here are named for it."""
    made = _by_config(new.get("configs"))
    found = {}
    for name, config in _by_config(old.get("configs")).items():
        if name in base.configs:
            there = _by_name(config.get("data_files"), "split").items()
            named = {split for split, files in there if files.get("path") == f"{FOLDERS.get(name)}/{split}-*"}
            found[name] = dict(there).keys() - named - _by_name(made.get(name, {}).get("data_files"), "split").keys()
    return found


def _by_name(entries: Any, key: str) -> dict[str, dict[str, Any]]:
    """Entries of splits by the split's name, which has this key; none where they are written in another way."""
    listed = entries if isinstance(entries, list) else []
    return {str(entry[key]): entry for entry in listed if isinstance(entry, dict) and key in entry}


def _by_config(value: Any) -> dict[str, dict[str, Any]]:
    """Entries of configs or dataset_info by the config's name; a single one may stand without a list."""
    entries = value if isinstance(value, list) else [value]
    return {str(entry.get("config_name", "default")): entry for entry in entries if isinstance(entry, dict)}


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value if item is not None] if isinstance(value, list) else []
