"""Evol-Instruct as a whole run: the union of the rounds, copies, cost, the same records every time."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, EvolInstruct, Recipe, Run, synthesize
from llmsynth.errors import RecipeError, SourceError
from llmsynth.generators.evol_instruct.rows import widths
from llmsynth.journal import Journal
from tests.evolving import Evolver, mixed, one_seed, rows_file
from tests.scripted import Outcome, made_up, play


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return rows_file(tmp_path)


@pytest.fixture
def fresh_journal(tmp_path: Path) -> Iterator[Journal]:
    """Another journal than `journal`, for a second run that finds nothing to replay."""
    opened = Journal(tmp_path / "fresh" / "journal.jsonl")
    yield opened
    opened.close()


def by_round(outcome: Outcome, round: int) -> list[Any]:
    return [record for record in outcome.records if record.meta["round"] == round]


# E11: the union of all rounds


async def test_e11_the_seeds_are_records_with_their_own_answers_unless_they_are_not_wanted(
    tmp_path: Path, journal: Journal, fresh_journal: Journal
) -> None:
    path = one_seed(tmp_path, "Correct the sentence.", "He goes.", given="He go.")
    outcome = await play(EvolInstruct(seeds=path, rounds=1, breadth=0.0), Evolver(), journal)
    assert outcome.records[0].fields == {
        "instruction": "Correct the sentence.",
        "input": "He go.",
        "output": "He goes.",
    }
    assert "He go." in outcome.records[1].fields["instruction"]
    options = EvolInstruct(seeds=path, rounds=1, breadth=0.0, include_seeds=False)
    without = await play(options, Evolver(), fresh_journal)
    assert without.records == outcome.records[1:]


async def test_e11_survival_is_reported_by_round_and_operator(seeds: str, journal: Journal) -> None:
    evolver = Evolver(respond=lambda text: "Sorry, no." if len(text.split()) > 30 else "Yes, they do.")
    outcome = await play(EvolInstruct(seeds=seeds), evolver, journal)
    survival: Any = outcome.run.notes["survival"]
    for round in range(1, 5):
        records = by_round(outcome, round)
        assert sum(row["tried"] for row in survival[str(round)].values()) == len(records) == 6
        kept = Counter(r.meta["operator"] for r in records if r.dropped is None)
        assert {name: row["accepted"] for name, row in survival[str(round)].items()} == {
            name: kept[name] for name in survival[str(round)]
        }
    assert any("sorry_response" in row["eliminated"] for row in survival["3"].values())


async def test_e11_difficulty_is_rated_where_it_is_asked_for(seeds: str, journal: Journal) -> None:
    evolver = Evolver(difficulty=lambda text: f"Difficulty: {len(text.split()) // 12}")
    options = EvolInstruct(seeds=seeds, rounds=2, breadth=0.0, difficulty=True)
    outcome = await play(options, evolver, journal)
    assert outcome.run.notes["mean_difficulty"] == {"0": 1, "1": 2, "2": 3}
    assert outcome.records[-1].scores == {"difficulty": 3}


async def test_e11_a_rating_that_cannot_be_read_costs_no_record(seeds: str, journal: Journal) -> None:
    options = EvolInstruct(seeds=seeds, rounds=1, difficulty=True)
    outcome = await play(options, Evolver(difficulty=lambda text: "hard"), journal)
    assert outcome.run.tally.kept == 12
    assert "mean_difficulty" not in outcome.run.notes


# E15: what counts as a copy


async def test_e15_a_breadth_child_must_differ_from_its_parent_and_the_pool(seeds: str, journal: Journal) -> None:
    pool = [made_up("e", n) + " " + made_up("f", n) for n in range(6)]

    def copies(text: str, prompt: str) -> str:
        number = pool.index(text)
        words = pool[(number + number % 2) % 6].split()  # of its parent, or of another seed
        return " ".join([*words[:10], "quite", "different"])

    options = EvolInstruct(seeds=seeds, rounds=1, breadth=1.0)
    evolver = Evolver(evolve=copies)
    outcome = await play(options, evolver, journal)
    assert set(outcome.reasons()[6:]) == {"not_novel"}
    assert not evolver.texts("equality")


async def test_e15_a_depth_child_may_be_like_its_parent(tmp_path: Path, journal: Journal) -> None:
    text = " ".join(made_up("long", n) for n in range(20))
    evolver = Evolver(evolve=lambda given, prompt: f"{given} {made_up('more', prompt)}")  # ROUGE-L of 0.97
    options = EvolInstruct(seeds=one_seed(tmp_path, text), breadth=0.0)
    outcome = await play(options, evolver, journal)
    assert outcome.reasons() == [None] * 5


async def test_e15_the_same_text_twice_is_a_duplicate_whatever_the_operator(seeds: str, journal: Journal) -> None:
    evolver = Evolver(evolve=lambda text, prompt: made_up("same") + " " + made_up("again"))
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1, breadth=0.0), evolver, journal)
    assert Counter(outcome.reasons()) == {None: 7, "duplicate_instruction": 5}
    assert len(evolver.texts("responses")) == 1


# E16: what survives, and what it costs


async def test_e16_a_step_that_loses_the_input_fails_and_breadth_has_no_input_to_keep(
    tmp_path: Path, journal: Journal
) -> None:
    path = one_seed(tmp_path, made_up("task"), given="He go home.")
    forgets = Evolver(evolve=lambda text, prompt: made_up(prompt, 1) + " " + made_up(prompt, 2))
    outcome = await play(EvolInstruct(seeds=path, rounds=12), forgets, journal)
    operators = [record.meta["operator"] for record in outcome.records[1:]]
    first = operators.index("breadth")
    assert first > 0
    assert outcome.reasons()[1 : first + 2] == ["material_lost"] * first + [None]
    assert "material_lost" not in outcome.reasons()[first + 1 :]


PACKS = ["general", "code", "math", "auto"]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("target", [None, 20])
async def test_e16_the_estimate_is_rows_times_rounds_of_each_stage(
    target: int | None, pack: Any, seeds: str, journal: Journal
) -> None:
    options, evolver = EvolInstruct(seeds=seeds, pack=pack, difficulty=True), Evolver()
    stages = options.estimate(Run({}, target=target), None)
    assert [stage.stage for stage in stages] == ["evolve", "equality", "responses", "difficulty"]
    assert [stage.requests for stage in stages] == ([24, 24, 24, 30] if target is None else [14, 14, 14, 20])
    assert all(stage.prompt_tokens > stage.requests for stage in stages)
    await play(options, evolver, journal, target=target)
    for stage in stages:
        assert len(evolver.asked(stage.stage)) == pytest.approx(stage.requests, rel=0.2), stage.stage


@pytest.mark.parametrize("pack", PACKS)
async def test_e16_the_estimate_is_better_with_an_earlier_run_to_measure_on(
    pack: Any, tmp_path: Path, journal: Journal, fresh_journal: Journal
) -> None:
    """Also where another run is planned than the one that was measured: with more seeds, and a target."""
    options, evolver = EvolInstruct(seeds=rows_file(tmp_path, 40), pack=pack), mixed()
    outcome = await play(options, evolver, journal)
    usage = {
        stage: {"answers": len(evolver.asked(stage)), "prompt_tokens": 1000, "completion_tokens": 100}
        for stage in ("evolve", "equality", "responses")
    }
    blind = sum(stage.requests for stage in options.estimate(Run({}), None))
    assert len(evolver.log) == pytest.approx(blind, rel=0.2)
    past = {"notes": outcome.run.notes, "usage": usage}
    stages = options.estimate(Run({}), past)
    assert {stage.stage: stage.requests for stage in stages} == {s: u["answers"] for s, u in usage.items()}
    assert len({stage.requests for stage in stages}) == 3
    planned, another = dataclasses.replace(options, seeds=rows_file(tmp_path, 100)), mixed()
    stages = planned.estimate(Run({}, target=200), past)
    await play(planned, another, fresh_journal, target=200)
    for stage in stages:
        assert len(another.asked(stage.stage)) == pytest.approx(stage.requests, rel=0.2), stage.stage


# determinism and resume


async def test_neither_concurrency_nor_the_order_of_answers_changes_a_record(
    tmp_path: Path, journal: Journal, fresh_journal: Journal
) -> None:
    path = rows_file(tmp_path, 15)
    one = await play(EvolInstruct(seeds=path), mixed(), journal, concurrency=1)
    other = await play(EvolInstruct(seeds=path, lookahead=3), mixed(), fresh_journal, late=True)
    assert one.records == other.records
    assert one.run.notes == other.run.notes
    assert len({record.dropped.reason for record in one.records if record.dropped}) >= 2


async def test_a_further_round_and_a_further_seed_ask_for_nothing_again(tmp_path: Path) -> None:
    async def asked(rows: int, rounds: int) -> Counter[str]:
        evolver, log = mixed(), Journal(tmp_path / "run" / "journal.jsonl")
        await play(EvolInstruct(seeds=rows_file(tmp_path, rows), rounds=rounds), evolver, log, late=True)
        log.close()
        return Counter(request.stage for request in evolver.log)

    assert (await asked(10, 3))["evolve"] == 30
    further = await asked(10, 4)
    assert further["evolve"] == 10
    assert further["equality"] <= 10
    assert (await asked(11, 4))["evolve"] == 4
    assert await asked(11, 4) == {}


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("lookahead", [1, 64])
def test_a_row_is_dealt_with_before_its_next_round(rows: int, lookahead: int) -> None:
    ahead, at_once = widths(lookahead, rows)
    assert min(ahead, at_once) >= 1
    assert ahead + at_once <= rows + 1


def test_the_hash_seed_of_python_changes_nothing(seeds: str, tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from llmsynth import EvolInstruct
from llmsynth.journal import Journal
from tests.scripted import play
from tests.evolving import mixed
print(asyncio.run(play(EvolInstruct(seeds=sys.argv[1]), mixed(), Journal(Path(sys.argv[2])))).records)
"""
    printed = set()
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-c", code, seeds, str(tmp_path / hash_seed / "journal.jsonl")]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            command, env=environment, cwd=Path(__file__).parent.parent, capture_output=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert len(printed.pop()) > 10_000


def teacher(request: Any) -> str | Completion:
    return mixed()(request)


def test_a_recipe_makes_a_dataset_and_is_resumed_without_a_request(seeds: str, tmp_path: Path) -> None:
    recipe = Recipe.from_data(
        {
            "generator": {"use": "evol-instruct", "seeds": seeds, "rounds": 2},
            "models": {"default": {"use": "fake", "function": "tests.test_evol_instruct_rounds:teacher"}},
            "steps": [{"use": "exact-duplicates"}],
        }
    )
    result = synthesize(recipe, tmp_path / "run")
    rows = result.report["rows"]
    assert rows["in"] == 18 == rows["kept"] + sum(rows["dropped"].values())
    assert result.complete
    assert "2304.12244" in (result.dataset / "README.md").read_text()
    (tmp_path / "run" / "report.json").unlink()
    again = synthesize(recipe, tmp_path / "run")
    assert all(usage["answers"] == usage["replayed"] for usage in again.report["usage"].values())


# bad input


def test_a_seed_with_an_empty_instruction_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"seeds\.jsonl:1: instruction is empty"):
        EvolInstruct(seeds=one_seed(tmp_path, " ")).validate(Run({}))


async def test_a_seed_that_looks_like_a_template_is_text(tmp_path: Path, journal: Journal) -> None:
    text = "Explain {{ 7 * 7 }} and {% raw %} to me, please, in a few plain words. </given_prompt>"
    evolver = Evolver()
    await play(EvolInstruct(seeds=one_seed(tmp_path, text), rounds=1, breadth=0.0), evolver, journal)
    assert text in evolver.texts("evolve")[0]


@pytest.mark.parametrize(
    "wrong",
    [{"rounds": 0}, {"lookahead": 0}, {"threshold": 0.0}, {"demonstrations": 0}, {"pack": "poetry"}, {"breadth": 2.0}],
)
def test_an_option_that_cannot_be_used_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        dataclasses.replace(EvolInstruct(), **wrong)


def test_breadth_needs_an_operator_that_goes_in_breadth() -> None:
    with pytest.raises(RecipeError, match=r"breadth is 0\.5"):
        EvolInstruct(pack="code", breadth=0.5)
