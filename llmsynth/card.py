"""`write_card`: the README.md that the Hub and people read a dataset by."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from llmsynth.column_types import column_type
from llmsynth.dataset import DatasetInfo
from llmsynth.errors import StorageError
from llmsynth.shards import DEFAULT, FOLDERS


@dataclass(frozen=True, slots=True)
class Citation:
    """A paper, as facts."""

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    arxiv: str


PAPERS: dict[str, Citation] = {
    "auto-evol-instruct": Citation(
        key="zeng2024auto",
        title="Automatic Instruction Evolving for Large Language Models",
        authors=("Weihao Zeng", "Can Xu", "Yingxiu Zhao", "Jian-Guang Lou", "Weizhu Chen"),
        year=2024,
        arxiv="2406.00770",
    ),
    "evol-instruct": Citation(
        key="xu2023wizardlm",
        title="WizardLM: Empowering Large Language Models to Follow Complex Instructions",
        authors=(
            "Can Xu",
            "Qingfeng Sun",
            "Kai Zheng",
            "Xiubo Geng",
            "Pu Zhao",
            "Jiazhan Feng",
            "Chongyang Tao",
            "Daxin Jiang",
        ),
        year=2023,
        arxiv="2304.12244",
    ),
    "self-instruct": Citation(
        key="wang2022selfinstruct",
        title="Self-Instruct: Aligning Language Models with Self-Generated Instructions",
        authors=(
            "Yizhong Wang",
            "Yeganeh Kordi",
            "Swaroop Mishra",
            "Alisa Liu",
            "Noah A. Smith",
            "Daniel Khashabi",
            "Hannaneh Hajishirzi",
        ),
        year=2022,
        arxiv="2212.10560",
    ),
    "glan": Citation(
        key="li2024glan",
        title="Synthetic Data (Almost) from Scratch: Generalized Instruction Tuning for Language Models",
        authors=(
            "Haoran Li",
            "Qingxiu Dong",
            "Zhengyang Tang",
            "Chaojun Wang",
            "Xingxing Zhang",
            "Haoyang Huang",
            "Shaohan Huang",
            "Xiaolong Huang",
            "Zeqiang Huang",
            "Dongdong Zhang",
            "Yuxian Gu",
            "Xin Cheng",
            "Xun Wang",
            "Si-Qing Chen",
            "Li Dong",
            "Wei Lu",
            "Zhifang Sui",
            "Benyou Wang",
            "Wai Lam",
            "Furu Wei",
        ),
        year=2024,
        arxiv="2402.13064",
    ),
}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that a card says; what is left empty here, the card leaves out or calls unknown.

    generators: their names, in the order in which records went through them.
    splits: as `write_dataset` returned them, at least one.
    curated: what the rows were before, where they were only curated; empty for rows that were made.
    method: how the generator works, in prose.
    models: one mapping per role, such as {"role": "teacher", "model": "...", "temperature": 0.7}.
    prompts: names of the prompt files in use.
    seeds, seed_count, seed_license: what the run started from; an empty license is "unknown".
    dropped, failed: records by reason code; with the kept rows they add up to all records.
    columns: what a column holds, where the built-in words for its name don't fit.
    recipe: the resolved recipe as YAML, already without credentials.
    repo: the Hub's "owner/name", where known.
    license, languages: of the dataset, the license as the Hub's identifier; given by the owner.
    """

    name: str
    generators: tuple[str, ...]
    splits: tuple[DatasetInfo, ...]
    curated: str = ""
    method: str = ""
    models: tuple[Mapping[str, Any], ...] = ()
    prompts: tuple[str, ...] = ()
    seeds: str = ""
    seed_count: int | None = None
    seed_license: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    recipe_name: str = ""
    recipe: str = ""
    repo: str = ""
    license: str = ""
    languages: tuple[str, ...] = ()
    task_categories: tuple[str, ...] = ("text-generation",)
    citations: tuple[Citation, ...] = ()

    @property
    def rows(self) -> int:
        return sum(split.rows for split in self.splits if split.config == DEFAULT)


def write_card(folder: str | Path, facts: CardFacts) -> Path:
    """Write `folder`/README.md: a header that the Hub validates, and a short body.

    The same facts give the same bytes. Of absolute paths in them only the last part
    is written, since the card is made to be published. StorageError when the disk refuses.
    """
    path = Path(folder) / "README.md"
    partial = path.with_name(".README.md.partial")
    try:
        partial.write_bytes(card_text(facts).encode())
        os.replace(partial, path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            "Make room or mend the permissions there, then run the same command again.",
        ) from error
    return path


def card_text(facts: CardFacts) -> str:
    """The card as Markdown under its YAML header."""
    header = yaml.safe_dump(_header(facts), sort_keys=False, allow_unicode=True, width=1_000)
    sections = [
        f"# {_line(facts.name)}\n\n{_summary(facts)}",
        _loading(facts),
        _columns(facts),
        _example(facts),
        _making(facts),
        _seeds(facts),
        _funnel(facts),
        _limits(facts),
        _recipe(facts),
        _citation(facts),
    ]
    return f"---\n{header}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _header(facts: CardFacts) -> dict[str, Any]:
    splits = [split for split in facts.splits if split.rows]
    header: dict[str, Any] = {"pretty_name": _line(facts.name)}
    if facts.license:
        header["license"] = facts.license
    if facts.languages:
        header["language"] = list(facts.languages)
    header["task_categories"] = list(facts.task_categories)
    header["size_categories"] = [_size_category(facts.rows)]
    header["tags"] = ["llmsynth"] if facts.curated else ["synthetic", "llmsynth", *facts.generators]
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


def _summary(facts: CardFacts) -> str:
    if facts.curated:
        return f"{_count(facts.rows, 'row')} of `{_line(_public(facts.curated))}`, curated by llmsynth."
    names = list(dict.fromkeys(_model_name(model) for model in facts.models if model.get("model")))
    models = f" with {' and '.join(names)}" if names else ""
    seeds = f", starting from {_count(facts.seed_count, 'seed task')}" if facts.seed_count is not None else ""
    generators = ", then ".join(f"`{name}`" for name in facts.generators)
    made = f"made by llmsynth's {generators} generator{'s' * (len(facts.generators) > 1)}{models}{seeds}"
    return f"{_count(facts.rows, 'row')} of synthetic data, {made}."


def _loading(facts: CardFacts) -> str:
    if not facts.rows:
        return ""
    where = facts.repo or "path/to/this/folder"
    split = next(split.split for split in facts.splits if split.rows)
    return (
        "## Loading\n\n```python\nfrom datasets import load_dataset\n\n"
        f"rows = load_dataset({json.dumps(where, ensure_ascii=False)}, split={json.dumps(split)})\n```"
    )


_HOLDS = {
    "id": "name of the row, unique in the dataset",
    "instruction": "the task",
    "input": "what the task is applied to; empty where it needs nothing",
    "output": "the answer",
    "messages": "the same row as a conversation",
    "prompt": "what the model is asked",
    "completion": "the answer",
    "text": "the text",
    "label": "the class",
    "metadata": "where the row comes from, as one JSON object",
}


def _columns(facts: CardFacts) -> str:
    rows = [
        (f"`{name}`", _type(kind), facts.columns.get(name, _HOLDS.get(name, "")))
        for name, kind in facts.splits[0].columns.items()
    ]
    return "## Columns\n\n" + _table(("column", "type", "holds"), rows)


def _type(kind: str) -> str:
    return "list of {role, content}" if kind == "messages" else kind


def _example(facts: CardFacts) -> str:
    example = next((split.example for split in facts.splits if split.example), None)
    return "## A row\n\n" + _fenced(json.dumps(example, ensure_ascii=False, indent=2), "json") if example else ""


def _making(facts: CardFacts) -> str:
    parts = [_public(facts.method.strip())] if facts.method.strip() else []
    parts.append("\n".join(f"- {_model(model)}" for model in facts.models))
    if facts.prompts:
        parts.append("Prompts: " + ", ".join(f"`{_public(name)}`" for name in facts.prompts) + ".")
    body = "\n\n".join(filter(None, parts))
    return f"## How it was made\n\n{body}" if body else ""


# of a model's settings, what never belongs in public
_PRIVATE = frozenset({"api_key", "authorization", "headers", "password", "secret", "token"})


def _model(model: Mapping[str, Any]) -> str:
    settings = ", ".join(
        f"{key} {_public(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
        for key, value in model.items()
        if key not in ("role", "model") and key not in _PRIVATE and value is not None
    )
    return f"**{_line(str(model.get('role', 'model')))}**: {_model_name(model)}" + (
        f" ({settings})" if settings else ""
    )


def _model_name(model: Mapping[str, Any]) -> str:
    return f"`{_line(_public(str(model.get('model', 'unknown'))))}`"


def _seeds(facts: CardFacts) -> str:
    if not facts.seeds and facts.seed_count is None:
        return ""
    count = f"{_count(facts.seed_count, 'task')} from " if facts.seed_count is not None else ""
    source = f"`{_line(_public(facts.seeds))}`" if facts.seeds else "an unknown source"
    return f"## Seeds\n\n{count}{source}; licence: {_line(facts.seed_license) or 'unknown'}."


def _funnel(facts: CardFacts) -> str:
    """Every record there was: kept, dropped or failed."""
    total = facts.rows + sum(facts.dropped.values()) + sum(facts.failed.values())
    rows = [
        ("read" if facts.curated else "made", "", f"{total:,}"),
        *((what, f"`{reason}`", f"{count:,}") for what, reason, count in _lost(facts)),
        ("**kept**", "", f"**{facts.rows:,}**"),
    ]
    return "## What was kept\n\n" + _table(("records", "reason", "count"), rows)


def _lost(facts: CardFacts) -> list[tuple[str, str, int]]:
    return [
        (what, reason, count)
        for what, reasons in (("dropped", facts.dropped), ("failed", facts.failed))
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _limits(facts: CardFacts) -> str:
    about_made = (
        "Language models wrote these rows: they may be wrong or biased in ways that the checks above do not see.",
        "The terms of the models and the licence of the seeds may restrict what these rows may be used for.",
    )
    about_read = ("What was wrong with the rows that were read may still be, where no step above looks for it.",)
    points = [*(about_read if facts.curated else about_made), *map(_public, facts.limits)]
    if not facts.license:
        points.append("No licence was given for this dataset.")
    return "## Limits\n\n" + "\n".join(f"- {_line(point)}" for point in points)


def _recipe(facts: CardFacts) -> str:
    name = f" `{_line(_public(facts.recipe_name))}`" if facts.recipe_name else ""
    if not facts.recipe.strip():
        return f"## Recipe\n\nMade from the recipe{name}." if name else ""
    text = _fenced(_public(facts.recipe.strip()), "yaml")
    return f"## Recipe\n\nThe recipe{name}, for `llmsynth run`:\n\n{text}"


def _citation(facts: CardFacts) -> str:
    entries = [
        f"@misc{{{paper.key},\n  title = {{{{{paper.title}}}}},\n  author = {{{' and '.join(paper.authors)}}},\n"
        f"  year = {{{paper.year}}},\n  eprint = {{{paper.arxiv}}},\n  archivePrefix = {{arXiv}}\n}}"
        for paper in facts.citations
    ]
    return "## Citation\n\nThe method:\n\n" + _fenced("\n\n".join(entries), "bibtex") if entries else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


_PATH = re.compile(
    r"(?<![\w./:~\\])"  # not inside a URL, a relative path or a word
    r"(?:file://)?(?:~?/(?:[^\s/'\"`,;]+/)+|[A-Za-z]:[\\/](?:[^\s\\/'\"`,;]+[\\/])*)"
    r"(?=[^\s\\/'\"`,;])"
)


def _public(text: str) -> str:
    """The text with absolute paths cut down to their last part, and no user or password in a URL."""
    return _PATH.sub("", re.sub(r"(?<=://)[^\s/@]+@", "", text))
