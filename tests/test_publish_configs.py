"""Whole runs at the Hub: both configs, all splits, and what of a run's directory stays at home."""

# ruff: noqa: F811  (as the names of fixtures are those of parameters)

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.errors import PublishError
from llmsynth.publish import Target, publish
from tests.hub_server import HubServer
from tests.publishing import REPO, client, header, hub, python  # noqa: F401  (fixtures)

CONFIGS = ("default", "full")


def run_of(tmp_path: Path, name: str, splits: str = "{validation: 0.2, test: 0.2}") -> Path:
    """A finished run of forty rows of its own, in three splits."""
    rows = [{"instruction": f"Say {name} {n}.", "output": f"{name} {n}!"} for n in range(40)]
    (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / f"{name}.yaml"
    recipe.write_text(
        f"{{name: {name}, license: cc-by-4.0, splits: {splits},"
        f" generator: {{use: rows, path: {tmp_path / name}.jsonl}}}}"
    )
    done = CliRunner().invoke(app, ["run", str(recipe), "-o", str(tmp_path / name), "-q"])
    assert done.exit_code == 0, done.output
    return tmp_path / name


def counts(hub: HubServer) -> dict[str, dict[str, int]]:
    return {
        info["config_name"]: {split["name"]: split["num_examples"] for split in info["splits"]}
        for info in header(hub)["dataset_info"]
    }


def loaded_counts(hub: HubServer, tmp_path: Path) -> dict[str, dict[str, int]]:
    code = (
        "import datasets, json, sys; print(json.dumps({c: {s: len(r) for s, r in"
        " datasets.load_dataset(sys.argv[1], c).items()} for c in ('default', 'full')}))"
    )
    done = python(["-c", code, REPO], hub, tmp_path)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_second_run_is_added_split_by_split_in_both_configs(hub: HubServer, tmp_path: Path) -> None:
    first, second = run_of(tmp_path, "one"), run_of(tmp_path, "two")
    publish(first, Target(REPO))
    before = counts(hub)
    assert before["default"] == before["full"] and set(before["full"]) == {"train", "validation", "test"}
    assert sum(before["full"].values()) == 40
    publish(second, Target(REPO, append=True))
    after = counts(hub)
    assert sum(after["default"].values()) == 80 and after["default"] == after["full"]
    assert all(after["full"][split] > before["full"][split] for split in before["full"])
    assert loaded_counts(hub, tmp_path) == after
    assert hub.text(REPO, "README.md").count("## Addition 2") == 1
    assert publish(second, Target(REPO, append=True)).address == ""


def test_a_run_with_fewer_splits_is_added_to_those_it_has(hub: HubServer, tmp_path: Path) -> None:
    publish(run_of(tmp_path, "one"), Target(REPO))
    before = counts(hub)
    publish(run_of(tmp_path, "two", "{}"), Target(REPO, append=True))
    after = counts(hub)
    assert {split: after["full"][split] - before["full"][split] for split in after["full"]} == {
        "train": 40,
        "validation": 0,
        "test": 0,
    }
    assert loaded_counts(hub, tmp_path) == after


def test_only_data_card_and_recipe_leave_the_run(hub: HubServer, tmp_path: Path) -> None:
    run = run_of(tmp_path, "one")
    assert (run / "report.html").is_file()
    (run / "ratings").mkdir()
    (run / "ratings" / "anna.jsonl").write_text("{}\n")
    publish(run, Target(REPO))
    kinds = {path for path in hub.repos[REPO].head if not path.endswith(".parquet")}
    assert kinds == {".gitattributes", "README.md", "recipe.yaml"}
    assert all(path.startswith(("data/", "full/")) for path in hub.repos[REPO].head if path.endswith(".parquet"))


def test_a_dataset_without_the_second_config_takes_no_run_that_has_it(hub: HubServer, tmp_path: Path) -> None:
    publish(run_of(tmp_path, "one"), Target(REPO))
    card = hub.text(REPO, "README.md")
    start = card.index("- config_name: full")
    hub.edit(REPO, "README.md", card[:start] + card[card.index("dataset_info:") :])
    with pytest.raises(PublishError, match="config 'full'"):
        publish(run_of(tmp_path, "two"), Target(REPO, append=True))
