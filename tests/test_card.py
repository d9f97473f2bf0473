"""The card: what the Hub validates, and what people read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard

from llmsynth.card import card_text, write_card
from llmsynth.cards.facts import CardFacts
from llmsynth.dataset import DatasetInfo, write_dataset
from llmsynth.errors import StorageError
from llmsynth.papers import PAPERS
from llmsynth.record import Record

COLUMNS = {"instruction": "string", "input": "string", "output": "string", "messages": "messages"}


def info(folder: Path, rows: int = 3, output: str = "Helo", split: str = "train") -> DatasetInfo:
    turns = [{"role": "user", "content": "Say hello in Welsh."}, {"role": "assistant", "content": output}]
    fields = {"instruction": "Say hello in Welsh.", "input": "", "output": output, "messages": turns}
    return write_dataset((Record(f"r{number}", fields) for number in range(rows)), folder, COLUMNS, split)


def facts(*splits: DatasetInfo, **more: Any) -> CardFacts:
    known: dict[str, Any] = {
        "name": "Welsh tasks",
        "generators": ("self-instruct",),
        "method": "New instructions are asked for by showing eight known ones.",
        "models": (
            {"role": "teacher", "model": "pocket", "kind": "transformers", "temperature": 0.7, "stop": ["\n\n"]},
        ),
        "prompts": ("self_instruct/instructions.jinja",),
        "seeds": "seeds.jsonl",
        "seed_count": 175,
        "seed_license": "apache-2.0",
        "dropped": {"too_similar": 40, "too_short": 2, "echo": 40},
        "failed": {"timeout": 1},
        "recipe_name": "welsh.yaml",
        "recipe": "generator:\n  use: self-instruct\n",
        "license": "cc-by-4.0",
        "languages": ("en", "no"),
        "citations": (PAPERS["self-instruct"],),
    }
    return CardFacts(splits=splits, **{**known, **more})


def header(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(content, dict)
    return content


def test_the_header_is_one_that_the_hub_understands(tmp_path: Path) -> None:
    written = info(tmp_path)
    data = DatasetCard.load(write_card(tmp_path, facts(written))).data
    assert data.pretty_name == "Welsh tasks"
    assert data.license == "cc-by-4.0"
    assert data.language == ["en", "no"]
    assert data.task_categories == ["text-generation"]
    assert data.size_categories == ["n<1K"]
    assert data.tags == ["synthetic", "llmsynth", "self-instruct", "sft"]
    assert data.configs == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]},
    ]
    assert data.dataset_info["splits"] == [{"name": "train", "num_bytes": written.num_bytes, "num_examples": 3}]
    assert data.dataset_info["download_size"] == written.download_size
    assert data.dataset_info["dataset_size"] == written.num_bytes


def test_the_header_agrees_with_what_the_datasets_library_would_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    written = info(tmp_path / "out")
    write_card(tmp_path / "out", facts(written))
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    declared = header((tmp_path / "out" / "README.md").read_text())["dataset_info"]
    assert datasets.Features._from_yaml_list(declared["features"]) == rows.features
    assert rows.info.splits["train"].num_bytes == declared["splits"][0]["num_bytes"]
    assert len(rows) == declared["splits"][0]["num_examples"]


def test_several_splits_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    splits = info(tmp_path / "out", 3), info(tmp_path / "out", 2, split="test")
    write_card(tmp_path / "out", facts(*splits))
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 3, "test": 2}
    assert "5 rows of synthetic data" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (9_999, "1K<n<10K"),
        (52_002, "10K<n<100K"),
        (10**6, "1M<n<10M"),
        (10**11, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_the_size_category_fits_the_rows(rows: int, word: str, tmp_path: Path) -> None:
    assert header(card_text(facts(replace(info(tmp_path), rows=rows))))["size_categories"] == [word]


def test_the_funnel_adds_up(tmp_path: Path) -> None:
    text = card_text(facts(info(tmp_path)))
    table = text.split("## What was kept\n\n")[1].split("\n\n")[0]
    assert table.splitlines()[2:] == [
        "| made |  | 86 |",
        "| dropped | `echo` | 40 |",
        "| dropped | `too_similar` | 40 |",
        "| dropped | `too_short` | 2 |",
        "| failed | `timeout` | 1 |",
        "| **kept** |  | **3** |",
    ]


def test_the_body_says_how_the_rows_were_made(tmp_path: Path) -> None:
    text = card_text(facts(info(tmp_path)))
    assert "3 rows of synthetic data, made by llmsynth's `self-instruct` generator with `pocket`" in text
    assert "starting from 175 seed tasks" in text
    assert '- **teacher**: `pocket` (kind transformers, temperature 0.7, stop ["\\n\\n"])' in text
    assert "`self_instruct/instructions.jinja`" in text
    assert "175 tasks from `seeds.jsonl`; licence: apache-2.0." in text
    assert "| `messages` | list of {role, content} |" in text
    assert "generator:\n  use: self-instruct\n```" in text
    assert "Self-Instruct: Aligning Language Models with Self-Generated Instructions" in text
    assert "eprint = {2212.10560}" in text
    assert "No licence was given" not in text


def test_the_row_shown_is_a_row_of_the_dataset(tmp_path: Path) -> None:
    written = info(tmp_path)
    block = card_text(facts(written)).split("```json\n")[1].split("\n```")[0]
    assert json.loads(block) == written.example
    assert written.example["output"] == "Helo"


def test_a_row_with_fences_stays_inside_its_own(tmp_path: Path) -> None:
    text = card_text(facts(info(tmp_path, output="```python\nprint(1)\n```\n````\n# Not a heading")))
    opening = next(line for line in text.splitlines() if line.endswith("`json"))
    assert opening == "`````json"
    block = text.split(opening + "\n")[1].split("\n`````")[0]
    assert json.loads(block)["output"].endswith("# Not a heading")


def test_what_is_not_known_is_left_out_or_said(tmp_path: Path) -> None:
    bare = CardFacts(name="Bare", generators=("self-instruct",), splits=(info(tmp_path),), seeds="mine.jsonl")
    text = card_text(bare)
    assert not {"license", "language"} & set(header(text))
    assert "No licence was given for this dataset." in text
    assert "`mine.jsonl`; licence: unknown." in text
    for absent in ("## How it was made", "## Recipe", "## Citation", "starting from"):
        assert absent not in text


def test_without_rows_there_is_nothing_to_load(tmp_path: Path) -> None:
    text = card_text(facts(info(tmp_path, rows=0)))
    assert not {"configs", "dataset_info"} & set(header(text))
    assert "## Loading" not in text
    assert "| **kept** |  | **0** |" in text


def test_no_absolute_path_and_no_credential_is_written(tmp_path: Path) -> None:
    text = card_text(
        facts(
            info(tmp_path),
            models=(
                {
                    "role": "teacher",
                    "model": "/home/owain/models/llama-3",
                    "endpoint": "http://owain:pass@10.0.0.7:8000/v1/chat",
                    "api_key": "sk-123",
                    "max_tokens": 512,
                    "headers": {"Authorization": "Bearer sk-123"},
                },
            ),
            seeds="C:\\Users\\owain\\seeds.jsonl",
            prompts=("~/owain/prompts/mine.jinja",),
            recipe=(
                "seeds: /home/owain/seeds.jsonl\nmodel: 'file:///home/owain/m'\nurl: https://host/v1/x and/or a/b/c\n"
            ),
        )
    )
    assert "owain" not in text
    assert "sk-123" not in text
    assert "`llama-3`" in text
    assert "http://10.0.0.7:8000/v1/chat" in text
    assert "max_tokens 512" in text
    assert "from `seeds.jsonl`" in text
    assert "`mine.jinja`" in text
    assert "seeds: seeds.jsonl\nmodel: 'm'\nurl: https://host/v1/x and/or a/b/c" in text


def test_a_name_with_signs_of_markdown_and_yaml_breaks_neither(tmp_path: Path) -> None:
    text = card_text(facts(info(tmp_path), name="a: b\n---\n| # c", columns={"input": "x | y\nz"}))
    assert header(text)["pretty_name"] == "a: b --- | # c"
    assert vars(DatasetCard(text).data)["pretty_name"] == "a: b --- | # c"
    assert "| `input` | string | x \\| y z |" in text


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    cards = [write_card(tmp_path, facts(info(tmp_path))).read_bytes() for _ in range(2)]
    assert cards[0] == cards[1]
    assert sorted(os.listdir(tmp_path)) == ["README.md", "data"]


def test_a_card_for_the_hub_names_the_repository(tmp_path: Path) -> None:
    assert 'load_dataset("ann/welsh", split="train")' in card_text(facts(info(tmp_path), repo="ann/welsh"))


def test_a_card_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    known = facts(info(tmp_path / "out"))
    with pytest.raises(StorageError, match=r"README\.md cannot be written"):
        write_card(tmp_path / "nowhere", known)
