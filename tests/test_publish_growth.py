"""What a card says once rows were added to its dataset, and how files are named and found then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.publish.addition import _numbered
from llmsynth.publish.growth import grown_card
from llmsynth.publish.shards import Numbered, configs_of, matching
from llmsynth.publish.source import Shard, Source, header_of


def info(config: str = "", rows: int = 1, size: int = 10, split: str = "train") -> dict[str, Any]:
    """What `dataset_info` says of a config with one split."""
    splits = [{"name": split, "num_bytes": size, "num_examples": rows}]
    features = [{"name": "text", "dtype": "string"}]
    named = {"config_name": config} if config else {}
    return {**named, "features": features, "splits": splits, "download_size": size // 2, "dataset_size": size}


def card(dataset_info: Any, body: str = "# Words\n\nSome.\n", **more: Any) -> str:
    names = [
        one.get("config_name", "default")
        for one in ([dataset_info] if isinstance(dataset_info, dict) else dataset_info)
    ]
    configs = [{"config_name": n, "data_files": [{"split": "train", "path": f"{n}/train-*"}]} for n in names]
    header = {"license": "mit", **more, "configs": configs, "dataset_info": dataset_info}
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n{body}"


def source(text: str) -> Source:
    return Source(Path(), (), text, header=header_of(text))


def test_counts_are_added_by_config_and_split() -> None:
    published = card([info("default", 5, 100), info("full", 5, 300)])
    mine = card([info("default", 2, 10, "test"), info("full", 3, 30)])
    grown, _ = grown_card(published, source(mine), "", {})
    default, full = header_of(grown)["dataset_info"]
    assert default["splits"] == [
        {"name": "train", "num_bytes": 100, "num_examples": 5},
        {"name": "test", "num_bytes": 10, "num_examples": 2},
    ]
    assert full["splits"] == [{"name": "train", "num_bytes": 330, "num_examples": 8}]
    assert (default["download_size"], default["dataset_size"]) == (55, 110)
    assert (full["download_size"], full["dataset_size"]) == (165, 330)


@pytest.mark.parametrize(("there", "more", "word"), [(999, 1, "1K<n<10K"), (5, 5, "n<1K"), (9_999, 1, "10K<n<100K")])
def test_the_size_category_is_that_of_all_rows(there: int, more: int, word: str) -> None:
    grown, _ = grown_card(card(info(rows=there)), source(card(info(rows=more))), "", {})
    assert header_of(grown)["size_categories"] == [word]


def test_comments_order_and_unknown_keys_of_the_header_stay() -> None:
    published = card(info()).replace("license: mit\n", "# asked ada\nlicense: mit\nzeal: 9\n")
    grown, _ = grown_card(published, source(card(info())), "", {})
    assert grown.startswith("---\n# asked ada\nlicense: mit\nzeal: 9\nconfigs:\n")


def test_line_ends_of_windows_stay() -> None:
    grown, _ = grown_card(card(info()).replace("\n", "\r\n"), source(card(info())), "", {})
    assert grown.count("\n") == grown.count("\r\n")


def test_a_second_language_makes_it_multilingual() -> None:
    published = card(info(), language=["en"], multilinguality=["monolingual"])
    grown, _ = grown_card(published, source(card(info(), language=["ga"])), "", {})
    assert header_of(grown)["language"] == ["en", "ga"]
    assert header_of(grown)["multilinguality"] == ["multilingual"]


def test_another_licence_is_told() -> None:
    _, notes = grown_card(card(info()), source(card(info()).replace("license: mit", "license: gpl")), "", {})
    assert notes == ("the licence of these rows is gpl, that of the card mit",)
    assert grown_card(card(info()), source(card(info())), "", {})[1] == ()


def test_what_the_card_says_already_is_not_said_again_and_code_stays_as_it_is() -> None:
    published = card(info(), "# Words\n\nSome.\n\n## Limits\n\nMany.\n")
    mine = card(
        info(), "# More\n\nOthers.\n\n## Limits\n\nMany.\n\n## Seeds\n\n```sh\n## no heading\n# nor this\n```\n"
    )
    grown, _ = grown_card(published, source(mine), "recipe-2.yaml", {})
    assert "Others.\n\n### Seeds\n\n```sh\n## no heading\n# nor this\n```" in grown
    assert grown.count("Many.") == 1
    assert "# More" not in grown


names = st.sampled_from(["data/train", "full/test", "x"])


@given(names, st.integers(0, 12), st.integers(1, 12))
def test_shards_are_numbered_through_and_those_there_keep_their_order(stem: str, there: int, more: int) -> None:
    old = [str(Numbered(stem, number, there)) for number in range(there)]
    new = [Shard(str(Numbered(stem, number, more)), Path(f"{number}"), 1) for number in range(more)]
    sent, moves = _numbered(old, new, set(old))
    renamed = dict(moves)
    assert [*(renamed.get(path, path) for path in old), *sent] == [
        str(Numbered(stem, number, there + more)) for number in range(there + more)
    ]
    assert [*sent.values()] == new


@given(
    st.lists(st.sampled_from(["data/a.parquet", "data/b-2.parquet", "data/train-00000-of-00002.parquet"]), unique=True)
)
def test_files_that_somebody_else_has_named_keep_their_names_and_are_not_overwritten(old: list[str]) -> None:
    new = [Shard(str(Numbered("data/train", number, 2)), Path(f"{number}"), 1) for number in range(2)]
    sent, moves = _numbered([*old, "data/z.parquet"], new, {*old, "data/z.parquet"})
    assert moves == []
    assert not set(sent) & set(old)
    assert [*sent.values()] == new


def test_every_way_to_write_data_files_is_read() -> None:
    ways: list[Any] = [
        "a/*",
        ["a/*"],
        {"train": "a/*"},
        {"train": ["a/*"]},
        [{"split": "train", "path": "a/*"}],
        [{"split": "train", "path": ["a/*"]}],
    ]
    for way in ways:
        assert configs_of({"configs": [{"config_name": "c", "data_files": way}]}) == {"c": {"train": ("a/*",)}}
    assert configs_of({"configs": "nonsense"}) == {}
    assert matching(["a/1", "b/1", "a/2"], ["./a/*"]) == ["a/1", "a/2"]
