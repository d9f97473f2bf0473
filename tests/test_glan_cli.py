"""The commands of GLAN as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from llmsynth.cli import main
from llmsynth.taxonomy import Taxonomy
from tests.professor import TAXONOMY

FAKE = "models.default={use: fake, function: 'tests.test_glan_runs:stateless'}"
DRAFTER = "models.default={use: fake, function: 'tests.professor:draft_reply'}"

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def llmsynth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(TAXONOMY)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["llmsynth", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        captured = capsys.readouterr()
        return int(exit.value.code or 0), captured.out, captured.err

    return call


def test_glan_makes_a_dataset(llmsynth: Call) -> None:
    code, out, err = llmsynth(
        "glan", "--taxonomy", "small.yaml", "-n", "12", "--queries", "2", "-o", "out", "-q", "--set", FAKE
    )
    assert (code, out) == (0, "out/dataset\n")
    assert "12 kept" in err
    report = json.loads(Path("out/report.json").read_text())
    assert report["notes"]["disciplines_covered"] == 4


def test_glan_prints_its_recipe_which_can_be_run(llmsynth: Call) -> None:
    options = ("--select", "Physics", "--answer-model", "small", "-m", "big", "--base-url", "http://localhost:1/v1")
    code, out, _ = llmsynth("glan", "--taxonomy", "small.yaml", "--held-out", "0.1", *options, "--print-recipe")
    assert code == 0
    recipe = yaml.safe_load(out)
    assert recipe["generator"] == {
        "use": "glan",
        "taxonomy": "small.yaml",
        "queries": 10,
        "select": ["Physics"],
        "held_out": 0.1,
    }
    assert recipe["models"]["answers"]["model"] == "small" and recipe["models"]["default"]["model"] == "big"
    Path("recipe.yaml").write_text(out)
    assert llmsynth("validate", "recipe.yaml")[0] == 0
    code, out, _ = llmsynth("estimate", "recipe.yaml")
    assert code == 0 and "subject_lists" in out and "answers" in out


def test_a_broken_taxonomy_is_an_error_with_its_place(llmsynth: Call) -> None:
    Path("broken.yaml").write_text("fields:\n  A: [B, B]\n")
    for command in (["taxonomy", "validate", "broken.yaml"], ["glan", "--taxonomy", "broken.yaml", "--set", FAKE]):
        code, out, err = llmsynth(*command)
        assert (code, out) == (1, "")
        assert err.startswith("error: broken.yaml, line 2: 'B' is there twice") and "\nhint: " in err


def test_g1_taxonomies_can_be_listed_checked_and_copied(llmsynth: Call) -> None:
    assert llmsynth("taxonomy", "ls")[1] == "glan\n"
    assert llmsynth("taxonomy", "ls", "small.yaml")[1].splitlines() == [
        "Sciences/Physics/Optics",
        "Sciences/Physics/Acoustics",
        "Sciences/Biology/Botany",
        "Crafts/Carpentry",
    ]
    assert "small.yaml: fine. 4 disciplines in 2 fields" in llmsynth("taxonomy", "validate", "small.yaml")[2]
    assert llmsynth("taxonomy", "copy", "glan", "mine.yaml")[1] == "mine.yaml\n"
    assert Taxonomy.load("mine.yaml") == Taxonomy.load("glan")
    assert llmsynth("taxonomy", "copy", "glan", "mine.yaml")[0] == 1  # nothing is overwritten


def test_g1_ballots_prune_a_taxonomy(llmsynth: Call) -> None:
    code, ballot, _ = llmsynth("taxonomy", "ls", "small.yaml", "--ballot")
    assert code == 0 and ballot.splitlines()[:2] == ["path,vote", "Sciences,"]
    for voter in ("a", "b"):
        Path(f"{voter}.csv").write_text(ballot.replace("Sciences/Physics,", "Sciences/Physics,drop"))
    Path("c.csv").write_text(ballot.replace("Crafts,", "Crafts,drop"))
    code, out, err = llmsynth("taxonomy", "prune", "small.yaml", "a.csv", "b.csv", "c.csv", "-o", "pruned.yaml")
    assert (code, out) == (0, "pruned.yaml\n")
    assert "voted out: Sciences/Physics\n" in err and "voted out: Crafts" in err
    assert Taxonomy.load("pruned.yaml").disciplines() == [("Sciences", "Biology", "Botany")]


def test_g1_a_taxonomy_is_drafted_with_a_model_and_drafted_again_for_nothing(llmsynth: Call) -> None:
    arguments = ("taxonomy", "draft", "-m", "pocket", "--ways", "3", "--set", DRAFTER)
    code, out, err = llmsynth(*arguments, "-o", "drafted.yaml")
    assert (code, out) == (0, "drafted.yaml\n"), err
    drafted = Taxonomy.load("drafted.yaml")
    assert {len(path) for path in drafted.disciplines()} == {3}
    assert len(drafted.roots) >= 2 and not any("such" in name for path in drafted.disciplines() for name in path)
    assert drafted.name == "drafted"
    journal = Path("drafted.yaml.journal.jsonl")
    answers = len(journal.read_text().splitlines())
    Path("drafted.yaml").rename("first.yaml")
    assert llmsynth(*arguments, "-o", "drafted.yaml")[0] == 0
    assert Taxonomy.load("drafted.yaml") == drafted
    assert len(journal.read_text().splitlines()) == answers


def test_a_model_that_names_nothing_drafts_nothing(llmsynth: Call) -> None:
    silent = "models.default={use: fake, function: 'tests.teacher:silent'}"
    code, out, err = llmsynth("taxonomy", "draft", "-m", "pocket", "-o", "drafted.yaml", "--set", silent)
    assert (code, out) == (1, "") and "named no discipline" in err
    assert not Path("drafted.yaml").exists()


@pytest.mark.parametrize("name", ["validate", "ls", "copy", "draft", "vote", "prune"])
def test_every_command_on_taxonomies_has_help(name: str, llmsynth: Call) -> None:
    code, out, _ = llmsynth("taxonomy", name, "--help")
    assert code == 0 and len(out) > 200


def test_a_killed_run_ends_in_the_same_dataset(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nfrom tests.test_glan_runs import stateless\n\n"
        "def slowly(request):\n    time.sleep(0.004)\n    return stateless(request)\n"
    )
    (tmp_path / "small.yaml").write_text(TAXONOMY)
    recipe = {
        "target": 60,
        "generator": {"use": "glan", "taxonomy": "small.yaml", "queries": 3, "lookahead": 8},
        "models": {"default": {"use": "fake", "function": "slow:slowly"}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    environment = {"PATH": "", "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parent.parent}"}

    def command(out: str) -> list[str]:
        return [sys.executable, "-m", "llmsynth", "run", "recipe.yaml", "-q", "-o", out]

    def data(out: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((tmp_path / out / "dataset" / "data").iterdir())]

    subprocess.run(command("whole"), cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    journal = tmp_path / "killed" / "journal.jsonl"
    for lines in (20, 120):
        process = subprocess.Popen(
            command("killed"), cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command("killed"), cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    assert data("killed") == data("whole")
    keys = [entry["key"] for entry in map(json.loads, journal.read_bytes().splitlines()) if "key" in entry]
    assert len(keys) == len(set(keys))
