"""The same recipe and the same answers give the same bytes, whatever the order of events and however often killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from llmsynth.journal import read_entries
from tests.lives import CONCURRENCY, KILLS, contents, finish, recipe, report, start
from tests.loopback import Loopback


@pytest.mark.parametrize("generator", ["self-instruct", "alpaca"])
def test_neither_order_nor_concurrency_nor_hash_seed_changes_a_byte(
    tmp_path: Path, loopback: Loopback, generator: str
) -> None:
    finish(recipe(loopback, generator, target=60), tmp_path / "calm")
    expected = contents(tmp_path / "calm")
    assert {"README.md", "data/train-00000-of-00001.parquet"} <= expected.keys()
    loopback.latency = (0.0, 0.02)  # from now on answers overtake each other
    finish(recipe(loopback, generator, target=60, model={"concurrency": 64}), tmp_path / "wild")
    finish(recipe(loopback, generator, target=60, model={"concurrency": 3}), tmp_path / "narrow")
    loopback.latency = (0.0, 0.0)
    finish(recipe(loopback, generator, target=60, model={"concurrency": 1}), tmp_path / "single")
    for name in ("wild", "narrow", "single"):
        assert contents(tmp_path / name) == expected, name
        assert report(tmp_path / name) == report(tmp_path / "calm"), name


def test_another_hash_seed_changes_no_byte(tmp_path: Path, loopback: Loopback) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe(loopback, target=40), encoding="utf-8")
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.one_run", str(tmp_path / "recipe.yaml"), str(tmp_path / seed)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    assert contents(tmp_path / "1") == contents(tmp_path / "2") != {}


def test_another_seed_changes_the_dataset(tmp_path: Path, loopback: Loopback) -> None:
    finish(recipe(loopback, target=10), tmp_path / "one")
    finish(recipe(loopback, target=10, seed=1), tmp_path / "two")
    data = [contents(tmp_path / name)["data/train-00000-of-00001.parquet"] for name in ("one", "two")]
    assert data[0] != data[1]


def test_a_replay_writes_the_same_bytes_and_asks_for_nothing_used_before(tmp_path: Path, loopback: Loopback) -> None:
    text = recipe(loopback, method={"max_requests": 12})
    finish(text, tmp_path / "run")
    expected, asked = contents(tmp_path / "run"), loopback.requests
    (tmp_path / "run" / "report.json").unlink()
    finish(text, tmp_path / "run")
    assert contents(tmp_path / "run") == expected
    assert loopback.requests == asked


def kill_and_resume(text: str, directory: Path, server: Loopback, moment: int, delay: float) -> int:
    """Kill a run after so many requests and a little more, then run it to its end; the requests lost by it."""
    begin = server.requests
    process = start(text, directory)
    while server.requests - begin < moment and process.is_alive():
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    process.join(60)
    journal = directory / "journal.jsonl"
    entries = read_entries(journal) if journal.exists() else iter(())
    kept = sum(not entry["model"].startswith("once:") for entry in entries)  # what no server was asked for is none
    lost = server.requests - begin - kept
    finish(text, directory)
    return lost


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes_and_pays_only_for_what_was_in_flight(
    tmp_path: Path, loopback: Loopback
) -> None:
    loopback.latency = (0.001, 0.01)
    text = recipe(loopback, method={"max_requests": 12})  # ends by itself, so that it asks the same in every run
    finish(text, tmp_path / "whole")
    expected, needed = contents(tmp_path / "whole"), loopback.requests
    assert needed > 60
    rng = random.Random(7)
    for number in range(KILLS):
        directory = tmp_path / f"killed-{number}"
        before = loopback.requests
        # from the first request to the last one and what comes after it
        moment = round(needed * number / max(1, KILLS - 1))
        lost = kill_and_resume(text, directory, loopback, moment, rng.uniform(0, 0.03))
        assert contents(directory) == expected, moment
        assert report(directory) == report(tmp_path / "whole")
        assert 0 <= lost <= CONCURRENCY
        assert loopback.requests - before <= needed + lost


def test_a_run_with_a_target_never_asks_again_for_what_it_has(tmp_path: Path, loopback: Loopback) -> None:
    loopback.latency = (0.001, 0.01)
    text = recipe(loopback, target=50)
    finish(text, tmp_path / "whole")
    loopback.bodies.clear()
    directory = tmp_path / "killed"
    lost = kill_and_resume(text, directory, loopback, 20, 0.01)
    repeated = Counter(orjson.dumps(body) for body in loopback.bodies)
    assert contents(directory) == contents(tmp_path / "whole")
    assert sum(count - 1 for count in repeated.values()) <= lost <= CONCURRENCY


def test_killed_again_and_again_it_still_gets_there(tmp_path: Path, loopback: Loopback) -> None:
    loopback.latency = (0.001, 0.005)
    text = recipe(loopback, method={"max_requests": 12})
    finish(text, tmp_path / "whole")
    needed = loopback.requests
    directory = tmp_path / "killed"
    for _ in range(4):
        begin = loopback.requests
        process = start(text, directory)
        while loopback.requests - begin < needed // 6 and process.is_alive():
            time.sleep(0.0005)
        process.kill()
        process.join(60)
    finish(text, directory)
    assert contents(directory) == contents(tmp_path / "whole")
    assert loopback.requests <= 2 * needed + 4 * CONCURRENCY
