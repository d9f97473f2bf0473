"""Splits: relatives are never on two sides, whatever made them, and a row's side is its own for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmsynth import Recipe, Record, synthesize
from llmsynth.dataset import read_records
from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct.rows import Row
from llmsynth.lineage import Splits, family_of, inherited
from tests.professor import small_taxonomy
from tests.scripted import seed_file
from tests.test_rows import lines

HALF = {"validation": 0.3, "test": 0.3}
NAMES = ("train", "validation", "test")


def split_of(folder: Path) -> dict[str, str]:
    """The split of each row of a dataset, by id, the same in both configs."""
    found: list[dict[str, str]] = []
    for config in ("data", "full"):
        files = [(file, file.name.partition("-")[0]) for file in sorted((folder / config).iterdir())]
        ids = [(id, split) for file, split in files for id in pq.read_table(file, columns=["id"])["id"].to_pylist()]
        assert len(ids) == len(dict(ids))
        found.append(dict(ids))
    assert found[0] == found[1]
    return found[0]


def relatives(record: Record) -> list[str]:
    """What it shares with its relatives, in the words of the methods and not of `family_of`."""
    meta = record.meta
    if meta["generator"] == "evol-instruct":
        return [f"row {meta['lineage']}", *(f"row {id}" for id in meta["parents"])]
    if meta["generator"] == "glan":
        return [f"row {record.id}", str(sorted({concept for part in meta["concepts"] for concept in part}))]
    if meta["generator"] in ("self-instruct", "alpaca"):
        return [f"row {record.id}", str(meta["round"]), str(sorted(meta["parents"]))]
    return [f"row {record.id}"]


def families(records: list[Record]) -> list[set[str]]:
    """The ids of kept records, those that share anything in one set."""
    groups: list[tuple[set[str], set[str]]] = []  # ids, and what they share
    for record in records:
        ids, shared = {record.id}, set(relatives(record))
        apart = []
        for group in groups:
            if group[1] & shared:
                ids, shared = ids | group[0], shared | group[1]
            else:
                apart.append(group)
        groups = [*apart, (ids, shared)]
    kept = {record.id for record in records if record.dropped is None}
    return [ids & kept for ids, _ in groups if ids & kept]


def fake(function: str) -> dict[str, Any]:
    return {"default": {"use": "fake", "function": function}}


def self_instruct(folder: Path) -> dict[str, Any]:
    return {"target": 120, "generator": {"use": "self-instruct", "lookahead": 4}, "models": fake("tests.teacher:reply")}


def evol_instruct(folder: Path) -> dict[str, Any]:
    generator = {"use": "evol-instruct", "rounds": 3, "seeds": seed_file(folder, 30), "stop": {"survival": -1}}
    return {"generator": generator, "models": fake("tests.chained:diligent")}


def glan(folder: Path) -> dict[str, Any]:
    generator = {"use": "glan", "taxonomy": small_taxonomy(folder), "queries": 2, "questions_per_pick": 2}
    return {"target": 60, "generator": generator, "models": fake("tests.chained:diligent")}


def chain(folder: Path) -> dict[str, Any]:
    seeds = {**glan(folder)["generator"], "target": 30, "held_out": 0.3}
    generator = {"use": "evol-instruct", "rounds": 2, "seeds": seeds, "stop": {"survival": -1}}
    return {"generator": generator, "models": fake("tests.chained:diligent")}


def grown(folder: Path) -> dict[str, Any]:
    seeds = {"use": "self-instruct", "seeds": seed_file(folder, 12), "lookahead": 2, "target": 40}
    generator = {"use": "evol-instruct", "rounds": 2, "seeds": seeds, "stop": {"survival": -1}}
    return {"generator": generator, "models": fake("tests.test_chain_recipes:both")}


def rows(folder: Path) -> dict[str, Any]:
    path = lines(folder / "rows.jsonl", [{"question": f"{n} + {n}?", "answer": f"{n}"} for n in range(60)])
    return {"generator": {"use": "rows", "path": str(path)}}


@pytest.mark.parametrize(
    "recipe", [self_instruct, evol_instruct, glan, chain, grown, rows], ids=lambda made: made.__name__
)
def test_relatives_are_in_one_split_whatever_made_them(
    recipe: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    result = synthesize(Recipe.from_data({**recipe(tmp_path), "splits": HALF}), tmp_path / "run")
    where = split_of(result.dataset)
    records = list(read_records(result.directory / "records"))
    found = families(records)
    assert sum(map(len, found)) == len(where) == result.report["rows"]["kept"]
    assert [sorted({where[id] for id in ids}) for ids in found if len({where[id] for id in ids}) > 1] == []
    assert len(set(where.values())) > 1
    assert result.report["splits"] == {name: list(where.values()).count(name) for name in NAMES}
    if recipe is not rows:
        assert max(map(len, found)) > 1


def test_what_glan_holds_out_is_in_test_with_all_that_came_of_it(tmp_path: Path) -> None:
    result = synthesize(Recipe.from_data({**chain(tmp_path), "splits": {"validation": 0.2}}), tmp_path / "run")
    where = split_of(result.dataset)
    held_out = {record.id for record in result.records() if record.fields.get("split") == "test" and not record.dropped}
    evolved = {record.id for record in result.records() if record.meta["generator"] == "evol-instruct"}
    assert {id for id, split in where.items() if split == "test"} == held_out
    assert held_out & evolved and held_out - evolved
    for file in result.dataset.glob("*/*.parquet"):
        assert {where[row["id"]] == row["split"] for row in pq.read_table(file).to_pylist()} == {True}
    card = (result.dataset / "README.md").read_text()
    assert "| `split` | string | the part that the row belongs to; test is held out |" in card


def test_shares_are_about_those_asked_for() -> None:
    splits = Splits(validation=0.1, test=0.2)
    found = [splits.of(Record(f"r{n}", {})) for n in range(5_000)]
    assert abs(found.count("test") - 1_000) < 120 and abs(found.count("validation") - 500) < 90


def test_a_row_stays_where_it_is_when_others_come_or_shares_grow() -> None:
    records = [Record(f"r{n}", {}) for n in range(500)]
    small, large = (Splits(test=share) for share in (0.1, 0.3))
    assert {r.id for r in records if small.of(r) == "test"} < {r.id for r in records if large.of(r) == "test"}
    assert Splits().divide is False and Splits().of(Record("a", {}, {"split": "test"})) == "train"


def test_anybodys_rows_say_by_which_columns_they_are_related(tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", [{"text": f"t{n}", "author": f"a{n % 20}"} for n in range(200)])
    data = {"generator": {"use": "rows", "path": str(path)}, "splits": {**HALF, "by": ["author"]}}
    result = synthesize(Recipe.from_data(data), tmp_path / "run")
    where = split_of(result.dataset)
    by_author = defaultdict(set)
    for record in result.records():
        by_author[record.fields["author"]].add(where[record.id])
    assert all(len(splits) == 1 for splits in by_author.values()) and set(where.values()) == set(NAMES)


def test_curating_a_run_keeps_families_as_the_run_had_them(tmp_path: Path) -> None:
    first = synthesize(Recipe.from_data({**evol_instruct(tmp_path), "splits": HALF}), tmp_path / "first")
    data = {"generator": {"use": "rows", "path": str(first.directory)}, "splits": HALF}
    second = synthesize(Recipe.from_data(data), tmp_path / "second")
    assert split_of(second.dataset) == split_of(first.dataset)


def test_families_are_told_by_what_generators_note() -> None:
    assert family_of(Record("s@2", {}, {"lineage": "s", "parents": ["s@1"]})) == family_of(
        Record("s@0", {}, {"lineage": "s", "parents": []})
    )
    shown = Record("1-0-0", {}, {"parents": ["a", "b"]})
    assert family_of(shown) == family_of(Record("1-1-0", {}, {"parents": ["b", "a"]})) != family_of(Record("a", {}))
    fields = {"instruction": "x", "output": "y"}
    grown = Row.grown_from(Record("1-0-0", fields, {**shown.meta, "split": "test"}))
    assert family_of(Record("1-0-0@1", {}, dict(grown.meta))) == family_of(shown)
    assert inherited(Record("g", {}, {"split": "test"}))["split"] == "test"


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"test": 1.0}, "splits: validation and test are shares"),
        ({"validation": 0.6, "test": 0.4}, "splits: validation and test are shares"),
        ({"test": -0.1}, "splits: validation and test are shares"),
        ({"dev": 0.1}, "splits.dev: unknown key"),
        ({"test": "some"}, "splits.test"),
    ],
)
def test_shares_that_cannot_be_are_refused(splits: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe.from_data({"generator": {"use": "rows", "path": "x.jsonl"}, "splits": splits})


def test_without_full_there_is_only_what_trainers_read(tmp_path: Path) -> None:
    result = synthesize(Recipe.from_data(rows(tmp_path)), tmp_path / "run")
    assert sorted(path.name for path in result.dataset.iterdir()) == ["README.md", "data", "full"]
    lean = synthesize(Recipe.from_data({**rows(tmp_path), "full": False}), tmp_path / "run", update=True)
    assert sorted(path.name for path in lean.dataset.iterdir()) == ["README.md", "data"]
    assert "full" not in (lean.dataset / "README.md").read_text().split("---")[1]
    assert "splits" not in lean.report


def test_the_card_declares_every_config_and_split(tmp_path: Path) -> None:
    import datasets

    result = synthesize(Recipe.from_data({**rows(tmp_path), "splits": HALF}), tmp_path / "run")
    for config in ("default", "full"):
        loaded = datasets.load_dataset(str(result.dataset), config, cache_dir=str(tmp_path / "cache"))
        assert {name: len(part) for name, part in loaded.items()} == result.report["splits"]
        told = loaded["train"].info
        assert ("metadata" in told.features) is (config == "full")
        assert told.splits["test"].num_bytes > 0
