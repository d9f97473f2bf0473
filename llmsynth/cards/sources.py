"""`source_of`: what the card of a dataset says that lies in a folder."""

from __future__ import annotations

from pathlib import Path

from llmsynth.cards.facts import Source
from llmsynth.cards.frontmatter import Header, split

_MOST_BYTES = 4 << 20  # of a README that is read


def source_of(path: Path | None) -> Source:
    """The card in a folder of data, in the `dataset` of a run, or in the folder of a Hub's snapshot; else nothing."""
    if path is None:
        return Source()
    for folder in (path / "dataset", path):
        readme = folder / "README.md"
        if readme.is_file() and readme.stat().st_size <= _MOST_BYTES:
            header, _ = split(readme.read_text(encoding="utf-8-sig", errors="replace"))
            return Source(Header.read(header).values if header is not None else {}, _hub_name(path))
    return Source(name=_hub_name(path))


def _hub_name(path: Path) -> str:
    """The "owner/name" of a dataset in the Hub's cache, whose folders are called datasets--owner--name."""
    for part in path.absolute().parts:
        kind, _, name = part.partition("--")
        if kind == "datasets" and name:
            return name.replace("--", "/", 1)
    return ""
