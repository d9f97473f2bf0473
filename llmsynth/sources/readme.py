"""`source_of`: what the card of a dataset says that lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmsynth.frontmatter import Header, split
from llmsynth.licences import named

_MOST_BYTES = 4 << 20  # of a README that is read


@dataclass(frozen=True, slots=True)
class Source:
    """What a folder tells of a dataset. header: the keys of its card. name: the Hub's "owner/name", if it has one."""

    header: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def license(self) -> str:
        """What the card says of it; empty where it says nothing. Of several licences, all."""
        said = self.header.get("license")
        names = said if isinstance(said, list) else [said]
        found = [named(str(name)) for name in names if isinstance(name, str) and name.strip()]
        if found == ["other"] and isinstance(self.header.get("license_name"), str):
            return str(self.header["license_name"]).strip()
        return ", ".join(found)


def source_of(path: str | Path) -> Source:
    """The card in a folder of data, in the `dataset` of a run, or in the folder of a Hub's snapshot; else nothing."""
    path = Path(path)
    for readme in (path / "dataset" / "README.md", path / "README.md"):
        try:
            if readme.is_file() and readme.stat().st_size <= _MOST_BYTES:
                header, _ = split(readme.read_text(encoding="utf-8-sig", errors="replace"))
                return Source(Header.read(header).values if header is not None else {}, _hub_name(path))
        except OSError:
            break  # what cannot be read says nothing
    return Source(name=_hub_name(path))


def _hub_name(path: Path) -> str:
    """The "owner/name" of a dataset in the Hub's cache, whose folders are called datasets--owner--name."""
    for part in path.absolute().parts:
        kind, _, name = part.partition("--")
        if kind == "datasets" and name:
            return name.replace("--", "/", 1)
    return ""
