"""Evol-Instruct, GLAN and a chain of the two against a server: the same bytes however it went, nothing paid twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from llmsynth import Recipe, synthesize
from tests.chained import answer, diligent_answer, stage_of
from tests.evolving import rows_file
from tests.loopback import Loopback
from tests.professor import TAXONOMY, small_taxonomy
from tests.test_determinism import CONCURRENCY, contents, finish, kill_and_resume, report

KILLS = int(os.environ.get("LLMSYNTH_KILLS", "3"))
METHODS = ("evol-instruct", "auto", "glan", "chain")

AUTO = {"steps": 3, "candidates": 3, "batch": 4, "rounds": 2, "development": 8}


def generator(method: str, folder: Path) -> dict[str, Any]:
    """One that ends by itself, so that it asks for the same in every run."""
    evol = {"use": "evol-instruct", "rounds": 3, "lookahead": 8}
    glan = {"use": "glan", "taxonomy": small_taxonomy(folder), "queries": 3, "held_out": 0.2, "lookahead": 6}
    return {
        "evol-instruct": {**evol, "seeds": rows_file(folder, 24)},
        "auto": {**evol, "rounds": 2, "seeds": rows_file(folder, 24), "pack": "auto", "auto": AUTO},
        "glan": {**glan, "max_questions": 60},
        "chain": {**evol, "seeds": {**glan, "target": 20, "steps": [{"use": "exact-duplicates"}]}},
    }[method]


def recipe(server: Loopback, method: dict[str, Any], concurrency: int = CONCURRENCY, **more: Any) -> str:
    if server.echo is None:
        server.echo = answer
    model = {"use": "openai", "model": "teacher", "base_url": server.url, "concurrency": concurrency}
    steps = [{"use": "exact-duplicates"}]
    return yaml.safe_dump(
        {"name": "served", "generator": method, "models": {"default": model}, "steps": steps, "target": None, **more}
    )


@pytest.mark.parametrize("method", METHODS)
def test_neither_order_nor_concurrency_changes_a_byte(method: str, tmp_path: Path, loopback: Loopback) -> None:
    options = generator(method, tmp_path)
    finish(recipe(loopback, options, 1, target=60), tmp_path / "calm")
    expected = contents(tmp_path / "calm")
    assert {"README.md", "data/train-00000-of-00001.parquet"} <= expected.keys()
    loopback.latency = (0.0, 0.02)  # from now on answers overtake each other
    finish(recipe(loopback, options, 64, target=60), tmp_path / "wild")
    assert contents(tmp_path / "wild") == expected
    assert report(tmp_path / "wild") == report(tmp_path / "calm")
    assert report(tmp_path / "calm")["rows"]["kept"] > 40


def test_the_hash_seed_of_python_changes_no_byte_of_a_chain(tmp_path: Path, loopback: Loopback) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe(loopback, generator("chain", tmp_path)), encoding="utf-8")
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


@pytest.mark.parametrize("method", METHODS)
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes_and_pays_only_for_what_was_in_flight(
    method: str, tmp_path: Path, loopback: Loopback
) -> None:
    loopback.latency = (0.001, 0.01)
    text = recipe(loopback, generator(method, tmp_path))
    finish(text, tmp_path / "whole")
    expected, needed = contents(tmp_path / "whole"), loopback.requests
    assert needed > 120
    rng = random.Random(3)
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


# what a larger recipe costs, where the smaller one was run before


def bodies(server: Loopback, text: str, directory: Path) -> Counter[bytes]:
    """The requests that a run sends."""
    before = server.requests
    synthesize(Recipe.parse(text), directory, update=True)
    return Counter(orjson.dumps(body) for body in server.bodies[before:])


def only_the_new_ones(server: Loopback, smaller: str, larger: str, folder: Path, grow: Any = None) -> Counter[str]:
    """Run the smaller recipe and then the larger one; what the second of them asks for, by stage.

    It asks for exactly what the larger one asks for alone, less what the smaller one asked for.
    """
    first = bodies(server, smaller, folder / "run")
    if grow:
        grow()
    more = bodies(server, larger, folder / "run")
    alone = bodies(server, larger, folder / "alone")
    assert more == alone - first
    assert contents(folder / "run") == contents(folder / "alone")
    return sum((Counter({stage_of(orjson.loads(body)): n}) for body, n in more.items()), Counter())


@pytest.mark.parametrize("method", ["evol-instruct", "chain"])
def test_a_fourth_round_asks_for_the_fourth_round(method: str, tmp_path: Path, loopback: Loopback) -> None:
    loopback.echo = diligent_answer
    three = generator(method, tmp_path)
    rows = 24 if method == "evol-instruct" else 20
    more = only_the_new_ones(loopback, recipe(loopback, three), recipe(loopback, {**three, "rounds": 4}), tmp_path)
    assert more["evolve"] == rows >= more["equality"] >= more["responses"] > rows // 3
    assert set(more) == {"evolve", "equality", "responses"}


def test_one_seed_more_asks_for_its_rounds(tmp_path: Path, loopback: Loopback) -> None:
    text = recipe(loopback, generator("evol-instruct", tmp_path))
    more = only_the_new_ones(loopback, text, text, tmp_path, grow=lambda: rows_file(tmp_path, 25))
    assert more["evolve"] == 3 and more.total() <= 9


def test_one_seed_more_of_a_chain_asks_for_its_question_and_its_rounds(tmp_path: Path, loopback: Loopback) -> None:
    loopback.echo = diligent_answer
    options = generator("chain", tmp_path)
    larger = {**options, "seeds": {**options["seeds"], "target": 21}}
    more = only_the_new_ones(loopback, recipe(loopback, options), recipe(loopback, larger), tmp_path)
    assert (more["evolve"], more["questions"]) == (3, 1)
    assert more["syllabus"] <= 1 and more["sessions"] <= 1 and "subjects" not in more


@pytest.mark.parametrize("method", ["glan", "chain"])
def test_one_discipline_more_asks_for_its_branch(method: str, tmp_path: Path, loopback: Loopback) -> None:
    loopback.echo = diligent_answer
    options = generator(method, tmp_path)
    if method == "glan":  # as many questions on each discipline as before
        smaller, larger = {**options, "max_questions": 40}, {**options, "max_questions": 50}
        questions, rounds = 10, 0
    else:
        smaller, larger = options, {**options, "seeds": {**options["seeds"], "target": 25}}
        questions, rounds = 5, 3
    wider = TAXONOMY.replace("[Optics, Acoustics]", "[Optics, Acoustics, Mechanics]")
    grow = lambda: small_taxonomy(tmp_path, wider)  # noqa: E731
    more = only_the_new_ones(loopback, recipe(loopback, smaller), recipe(loopback, larger), tmp_path, grow)
    assert (more["subjects"], more["questions"], more["evolve"]) == (3, questions, questions * rounds)
