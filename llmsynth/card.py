"""`write_card`: the README.md that the Hub and people read a dataset by."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from llmsynth.cards import datasheet, origin, preferences, results, using
from llmsynth.cards.facts import CardFacts
from llmsynth.cards.header import described
from llmsynth.cards.marks import Block, Body
from llmsynth.cards.merging import merge, record_of
from llmsynth.column_types import column_type
from llmsynth.dataset import DatasetInfo
from llmsynth.errors import StorageError
from llmsynth.frontmatter import Header, joined
from llmsynth.shards import FOLDERS

# in their order; one that has nothing to say is left out
_BLOCKS: dict[str, Callable[[CardFacts], str]] = {
    "title": using.title,
    "summary": using.summary,
    "loading": using.loading,
    "columns": using.columns,
    "example": using.example,
    "making": origin.making,
    "seeds": origin.seeds,
    "funnel": results.funnel,
    "checks": results.checks,
    "preferences": preferences.preferences,
    "scores": results.scores,
    "diversity": results.diversity,
    "cost": results.cost,
    "datasheet": datasheet.facts_sheet,
    "intended-use": datasheet.intended,
    "out-of-scope": datasheet.out_of_scope,
    "bias": datasheet.bias,
    "validated": datasheet.validated,
    "model-terms": datasheet.model_terms,
    "maintenance": datasheet.maintenance,
    "limits": datasheet.limits,
    "recipe": origin.recipe,
    "citation": origin.citation,
}


def write_card(folder: str | Path, facts: CardFacts) -> Path:
    """Write `folder`/README.md: a header that the Hub validates, and a short body.

    The same facts give the same bytes. What people have changed in a card that is there already stays: see
    `cards.merging`. Of absolute paths in the facts only the last part is written, since the card is made to be
    published. StorageError when the disk refuses.
    """
    path = Path(folder) / "README.md"
    partial = path.with_name(".README.md.partial")
    try:
        text = card_text(facts)
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                text = merge(file.read(), text)
        partial.write_bytes(text.encode())
        os.replace(partial, path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            "Make room or mend the permissions there, then run the same command again.",
        ) from error
    return path


def card_text(facts: CardFacts) -> str:
    """The card as Markdown under its YAML header, as nobody has edited it."""
    header = Header.of(_header(facts))
    blocks = [Block.made(name, text) for name, said in _BLOCKS.items() if (text := said(facts))]
    return joined(header, str(Body(tuple(blocks), record_of(header.values, blocks))))


def _header(facts: CardFacts) -> dict[str, Any]:
    splits = [split for split in facts.splits if split.rows]
    header = {**described(facts), "size_categories": [_size_category(facts.rows)]}
    configs = {name: [split for split in splits if split.config == name] for name in FOLDERS}
    configs = {name: splits for name, splits in configs.items() if splits}
    if configs:
        header["configs"] = [_config(name, splits) for name, splits in configs.items()]
        infos = [{"config_name": name, **_counts(splits)} for name, splits in configs.items()]
        header["dataset_info"] = infos if len(infos) > 1 else _counts(splits)
    return header


def _config(name: str, splits: Sequence[DatasetInfo]) -> dict[str, Any]:
    files = [{"split": split.split, "path": f"{FOLDERS[name]}/{split.split}-*"} for split in splits]
    return {"config_name": name, "data_files": files}


def _counts(splits: Sequence[DatasetInfo]) -> dict[str, Any]:
    """The columns and counts of one config, as the `datasets` library writes them."""
    return {
        "features": [{"name": name, **deepcopy(column_type(kind).yaml)} for name, kind in splits[0].columns.items()],
        "splits": [{"name": split.split, "num_bytes": split.num_bytes, "num_examples": split.rows} for split in splits],
        "download_size": sum(split.download_size for split in splits),
        "dataset_size": sum(split.num_bytes for split in splits),
    }


def _size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    bounds = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    if rows < 1_000:
        return "n<1K"
    for power, (low, high) in enumerate(itertools.pairwise(bounds), 4):
        if rows < 10**power:
            return f"{low}<n<{high}"
    return "n>1T"
