"""`read_source`: what there is to publish in a run, or in a folder that holds a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from llmsynth.errors import PublishError
from llmsynth.plain_yaml import PlainLoader
from llmsynth.publish.shards import configs_of, matching, patterns_of

CARD, RECIPE = "README.md", "recipe.yaml"
PLACEHOLDER = '"path/to/this/folder"'  # for the name of a repository, in the card of a dataset that is in none yet


@dataclass(frozen=True)
class Shard:
    """A data file. path: in the dataset's folder, and so in the repository."""

    path: str
    file: Path
    size: int

    @cached_property
    def sha256(self) -> str:
        """Reads the file, once."""
        try:
            with self.file.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(self.file, error) from error

    @property
    def blob(self) -> str:
        """What git would call the file, were it a small one. Reads the file."""
        digest = hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        with self.file.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class Source:
    """A dataset on this machine.

    shards: its data files. card: the text of its README. recipe: what made it, as YAML that may be seen by anyone;
    empty where that is not known. left: files of the folder that are no part of the dataset.
    """

    folder: Path
    shards: tuple[Shard, ...]
    card: str
    recipe: str = ""
    left: tuple[str, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict)

    def card_for(self, repo: str) -> str:
        """The card, which tells how to load the dataset from its repository; that is nobody's edit of it."""
        from llmsynth.cards.marks import Block, Body
        from llmsynth.frontmatter import split

        _, text = split(self.card)
        body = Body.read(text)
        named = [
            Block.made(part.name, part.text.replace(PLACEHOLDER, f'"{repo}"'))
            if isinstance(part, Block) and PLACEHOLDER in part.text and not part.edited
            else part
            for part in body.parts
        ]
        if not body.blocks:
            return self.card.replace(PLACEHOLDER, f'"{repo}"')
        return self.card.removesuffix(text) + "\n" + str(Body(tuple(named), body.record))


def read_source(path: Path) -> Source:
    """The dataset of a finished run, or the one in a folder. Raises `PublishError` where there is none to publish."""
    if not path.is_dir():
        raise PublishError(f"{path} is no directory", "name the directory of a run, or of a dataset")
    if path.name == "dataset" and (path.parent / "report.json").is_file():
        path = path.parent  # which knows the recipe
    of_a_run = (path / "journal.jsonl").is_file() or (path / "report.json").is_file()
    if of_a_run and not (path / "report.json").is_file():
        raise PublishError(f"{path} is not finished", "run the command that began it again: it goes on from there")
    folder = path / "dataset" if of_a_run else path
    card = _text(folder / CARD)
    if not card:
        raise PublishError(
            f"{folder} holds no dataset: there is no {CARD} in it", "name the directory of a run, or of a dataset"
        )
    header = header_of(card)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not _hidden(file.relative_to(folder)))
    paths = {file.relative_to(folder).as_posix(): file for file in files}
    patterns = patterns_of(configs_of(header))
    data = matching(paths, patterns) if patterns else [name for name in paths if name.endswith(".parquet")]
    if not data:
        raise PublishError(f"the dataset in {folder} has no rows", "there is nothing to publish")
    recipe = next((text for place in (path, folder) if (text := _text(place / RECIPE))), "")
    return Source(
        folder,
        tuple(Shard(name, paths[name], paths[name].stat().st_size) for name in data),
        card,
        _publishable(recipe),
        tuple(name for name in paths if name not in {*data, CARD, RECIPE}),
        header,
    )


def header_of(card: str) -> dict[str, Any]:
    """The header of a card; empty where it has none that can be read."""
    from llmsynth.frontmatter import split

    text, _ = split(card.removeprefix("\ufeff").replace("\r\n", "\n"))
    try:
        header = yaml.load(text or "", PlainLoader)
    except (yaml.YAMLError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def _publishable(recipe: str) -> str:
    """The recipe without what is nobody's business: addresses, folders, how fast to ask."""
    from llmsynth.cards.markdown import public
    from llmsynth.recipe import publishable

    try:
        data = yaml.safe_load(recipe)
    except yaml.YAMLError:
        return ""
    if not isinstance(data, dict) or not isinstance(data.get("generator"), dict):
        return ""
    return public(yaml.safe_dump(publishable(data), sort_keys=False, allow_unicode=True, width=100))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(path: Path) -> str:
    """What a text file says; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise PublishError(f"{path} is not UTF-8 text", "save it as UTF-8") from error


def _unreadable(path: Path, error: OSError) -> PublishError:
    return PublishError(f"{path} cannot be read: {error.strerror or error}", "is a run writing there just now?")
