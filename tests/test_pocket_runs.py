"""Evol-Instruct and GLAN end to end on a real model: the pocket teacher on transformers, by the command line.

The teacher has not learnt these prompts. So nearly nothing survives, and what must hold is that nothing is lost
without a word: every row has its reason, every answer its record, and the command says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.accounts import check_evolution, check_tree, check_warning
from tests.evolving import rows_file
from tests.professor import small_taxonomy

pytest.importorskip("torch")
pytest.importorskip("transformers")

SHORT = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 40}


def finished(folder: Path, generator: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own, on one thread: more would only wait for each other."""
    recipe = {"name": "pocket", "seed": 7, "generator": generator, "models": {"default": {"use": "pocket"}}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    root = str(Path(__file__).parent.parent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": root}
    command = [sys.executable, "-m", "llmsynth", "run", "recipe.yaml", "-o", "out", "-q"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode in (0, 3), done.stderr[-3000:]  # 3 where nothing at all survived
    assert done.stdout == "out/dataset\n"
    return done


def check_again(folder: Path, generator: dict[str, Any], first: subprocess.CompletedProcess[str]) -> None:
    """The same command again asks nothing, and says the same."""
    journal = (folder / "out" / "journal.jsonl").read_bytes()
    again = finished(folder, generator)
    assert (folder / "out" / "journal.jsonl").read_bytes() == journal
    assert again.stderr.split("WARNING")[1:] == first.stderr.split("WARNING")[1:]


def test_evol_instruct_runs_on_transformers_with_its_lineage_whole(tmp_path: Path) -> None:
    tasks = [
        ("Sort the numbers from small to large.", "7 3 9", "3 7 9"),
        ("How many words are there?", "the red fox", "3"),
        ("Name the day after Monday.", "", "Tuesday"),
    ]
    rows = [{"id": f"s{n}", "instruction": i, "input": g, "output": o} for n, (i, g, o) in enumerate(tasks)]
    generator = {
        "use": "evol-instruct",
        "seeds": rows_file(tmp_path, rows),
        "rounds": 2,
        "evolve": SHORT,
        "respond": SHORT,
    }
    done = finished(tmp_path, generator)
    report = check_evolution(tmp_path / "out")
    assert report["notes"]["stopped"] == "all 2 rounds done"
    assert report["usage"]["evolve"]["answers"] == report["notes"]["evolutions"] == 3 * 2
    check_warning(report, done.stderr)
    check_again(tmp_path, generator, done)


def test_glan_runs_on_transformers_with_every_answer_accounted_for(tmp_path: Path) -> None:
    generator = {
        "use": "glan",
        "taxonomy": small_taxonomy(tmp_path, "fields:\n  Sciences: [Optics]\n  Crafts: [Carpentry]\n"),
        "queries": 2,
        "max_questions": 4,
        "structure": SHORT,
        "question": SHORT,
        "answer": SHORT,
    }
    done = finished(tmp_path, generator)
    report = check_tree(tmp_path / "out")
    assert report["usage"]["subjects"]["answers"] == report["notes"]["survival"]["subjects"]["tried"] == 2 * 2
    check_warning(report, done.stderr)
    if not report["notes"]["subjects"]:
        assert "no discipline has a usable subject" in done.stderr
        assert "name a real model" in done.stderr
    check_again(tmp_path, generator, done)
