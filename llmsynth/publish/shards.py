"""Names of shards, and which files a card's configs speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

_NUMBERED = re.compile(r"(?P<stem>.+)-(?P<number>\d{5,})-of-(?P<total>\d{5,})\.parquet")

Splits = dict[str, tuple[str, ...]]
"""By split, the patterns of its files."""


class Numbered(NamedTuple):
    """A shard's path, taken apart: data/train-00002-of-00005.parquet has the stem data/train."""

    stem: str
    number: int
    total: int

    @classmethod
    def read(cls, path: str) -> Numbered | None:
        match = _NUMBERED.fullmatch(path)
        return cls(match["stem"], int(match["number"]), int(match["total"])) if match else None

    def __str__(self) -> str:
        return f"{self.stem}-{self.number:05d}-of-{self.total:05d}.parquet"


def configs_of(header: Mapping[str, Any]) -> dict[str, Splits]:
    """The configs of a card's header, with the files of each; those that are written otherwise than usual are left out.

    Any of the ways that `datasets` reads is read: a pattern, several, or those by split, as a list or a mapping.
    """
    configs = header.get("configs")
    found: dict[str, Splits] = {}
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, Mapping) and "data_files" in config:
            splits: Splits = {}
            for split, patterns in _by_split(config["data_files"]):
                splits[split] = (*splits.get(split, ()), *patterns)
            found[str(config.get("config_name", "default"))] = splits
    return found


def matching(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The paths that one of the patterns stands for, in order."""
    wanted = [pattern.removeprefix("./") for pattern in patterns]
    return sorted(path for path in paths if any(fnmatchcase(path, pattern) for pattern in wanted))


def patterns_of(configs: Mapping[str, Splits]) -> list[str]:
    return [pattern for splits in configs.values() for patterns in splits.values() for pattern in patterns]


def _by_split(data_files: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(data_files, str):
        yield "train", (data_files,)
    elif isinstance(data_files, Mapping):
        for split, patterns in data_files.items():
            yield str(split), _texts(patterns)
    elif isinstance(data_files, list):
        for entry in data_files:
            if isinstance(entry, Mapping):
                yield str(entry.get("split", "train")), _texts(entry.get("path"))
            else:
                yield "train", _texts(entry)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()
