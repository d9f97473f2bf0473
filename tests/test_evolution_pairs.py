"""Pairs from the rounds of Evol-Instruct: a row's own answer against the answer to what it grew from."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, FakeBackend, Recipe, Record, Request, synthesize
from llmsynth.dataset import read_records
from llmsynth.steps.evolution_pairs import EvolutionPairs
from llmsynth.synthesis import Result
from tests.curating import curated, reasons
from tests.evolving import Evolver, mixed, rows_file
from tests.scripted import Answer, content
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)


def recipe(folder: Path, steps: list[Any], concurrency: int = 64, **generator: Any) -> Recipe:
    return Recipe.from_data(
        {
            "name": "evolved",
            "generator": {"use": "evol-instruct", "seeds": rows_file(folder, 12), "rounds": 3, **generator},
            "models": {"default": {"use": "fake", "function": "builtins:str", "concurrency": concurrency}},
            "steps": steps,
        }
    )


def run(made: Recipe, folder: Path, model: Any = None) -> Result:
    backend = model if isinstance(model, FakeBackend) else FakeBackend(model or Evolver())
    return synthesize(made, folder, backends={"default": backend})


class Late(FakeBackend):
    """Answers after a few turns of the event loop, differently many for each request."""

    async def complete(self, request: Request) -> Completion:
        for _ in range(random.Random(request.key).randrange(12)):
            await asyncio.sleep(0)
        return await super().complete(request)


def pairs(result: Result) -> dict[str, tuple[str, str, str]]:
    kept = (record for record in result.records() if record.dropped is None)
    return {record.id: tuple(record.fields[n] for n in ("prompt", "chosen", "rejected")) for record in kept}  # type: ignore[misc]


def test_within_a_run_every_evolution_in_depth_is_paired_with_its_parents_answer(tmp_path: Path) -> None:
    result = run(recipe(tmp_path, [{"use": "evolution-pairs"}]), tmp_path / "out")
    records = {record.id: record for record in result.records()}
    found = pairs(result)
    assert len(found) > 20
    for id, (prompt, chosen, rejected) in found.items():
        record = records[id]
        parent = records[record.meta["parents"][0]]
        assert (prompt, chosen) == (record.fields["instruction"], record.fields["output"])
        assert rejected == parent.fields["output"] != chosen
        assert parent.meta["round"] < record.meta["round"] and record.meta["operator"] != "breadth"
        assert parent.fields["instruction"] in prompt  # what the parent asked is still asked, with more to it
        assert record.meta["preferred_by"] == "evolution"
    dropped = Counter(record.dropped.reason for record in records.values() if record.dropped)
    assert dropped == {
        "not_evolved": 12,
        "other_task": sum(record.meta.get("operator") == "breadth" for record in records.values()),
    }
    assert result.report["rows"]["in"] == len(records) == 12 * 4 == len(found) + dropped.total()


def test_the_dataset_has_the_pairs_and_no_columns_of_the_task(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from datasets import load_dataset

    result = run(recipe(tmp_path, [{"use": "evolution-pairs"}]), tmp_path / "out")
    rows = load_dataset(str(result.dataset), split="train", cache_dir=str(tmp_path / "cache"))
    assert {"prompt", "chosen", "rejected"} <= set(rows.column_names)
    assert not {"instruction", "input", "output", "messages"} & set(rows.column_names)
    assert {(row["prompt"], row["chosen"], row["rejected"]) for row in rows} == set(pairs(result).values())


def test_a_finished_run_gives_the_same_pairs_as_a_step_within_it(tmp_path: Path, llmsynth: Any) -> None:  # noqa: F811
    run(recipe(tmp_path, []), tmp_path / "plain", mixed())
    within = run(recipe(tmp_path, [{"use": "evolution-pairs"}]), tmp_path / "within", mixed())
    outcome = llmsynth("curate", str(tmp_path / "plain"), "--steps", "evolution-pairs", "-o", str(tmp_path / "after"))
    assert outcome.code == 0, outcome.err
    kept = {
        record.id: tuple(record.fields[name] for name in ("prompt", "chosen", "rejected"))
        for record in read_records(tmp_path / "after" / "records")
        if record.dropped is None
    }
    assert kept == pairs(within) and kept


def test_neither_the_speed_of_answers_nor_the_concurrency_changes_a_pair(tmp_path: Path) -> None:
    made = [
        pairs(
            run(
                recipe(tmp_path, [{"use": "evolution-pairs"}], concurrency, lookahead=ahead),
                tmp_path / str(n),
                Late(Evolver()),
            )
        )
        for n, (concurrency, ahead) in enumerate([(1, 2), (64, 2), (64, 64)])
    ]
    assert made[0] == made[1] == made[2]


def test_a_parent_that_a_step_before_it_dropped_is_a_parent_all_the_same(tmp_path: Path) -> None:
    steps = [{"use": "tests.test_evolution_pairs:first_round"}, {"use": "evolution-pairs"}]
    result = run(recipe(tmp_path, steps, operators={"constraints": 1}, rounds=2), tmp_path / "out")
    assert len(pairs(result)) == 12
    assert {id.rpartition("@")[2] for id in pairs(result)} == {"2"}
    assert "parent_missing" not in result.report["rows"]["dropped"]


def first_round(record: Record) -> str | None:
    """A check: drops what the first round made."""
    return "first_round" if record.meta["round"] == 1 else None


def test_a_chain_is_paired_too_and_a_rejected_attempt_is_nobodys_parent(tmp_path: Path) -> None:
    def flaky(request: Request) -> Answer:
        if request.stage == "responses" and sum(map(ord, content(request))) % 3 == 0:
            return "Sorry, I cannot."
        return Evolver()(request)

    result = run(recipe(tmp_path, [{"use": "evolution-pairs"}], operators={"deepen": 1}), tmp_path / "out", flaky)
    records = {record.id: record for record in result.records()}
    assert any(record.dropped and "dropped_by" not in record.meta for record in records.values())
    assert not any("Sorry" in text for pair in pairs(result).values() for text in pair)
    for id, (_, _, rejected) in pairs(result).items():
        assert rejected == records[records[id].meta["parents"][0]].fields["output"]


def evolved(id: str, parent: str | None, output: str, operator: str = "deepen") -> Record:
    meta = {"parents": [parent], "operator": operator} if parent else {"parents": []}
    return Record(id, {"instruction": f"Task {id}", "input": "", "output": output}, meta)


async def test_each_row_without_a_pair_says_why() -> None:
    records = [
        evolved("a", None, "first"),
        evolved("b", "a", "second"),
        evolved("c", "b", "second"),
        evolved("d", "z", "fourth"),
        evolved("e", "c", "fifth", "breadth"),
        evolved("f", "e", ""),
        Record("g", {"instruction": "", "output": "x"}, {"parents": ["e"], "operator": "deepen"}),
        Record("h", {"instruction": "Task h", "output": "x"}),
    ]
    done = await curated(EvolutionPairs(), records, batch=3)
    assert reasons(done) == [
        "not_evolved",
        "",
        "equal_answers",
        "parent_missing",
        "other_task",
        "no_answer",
        "no_question",
        "not_evolved",
    ]
    assert done[1].fields["rejected"] == "first" and done[1].fields["chosen"] == "second"


async def test_it_holds_one_answer_a_line_and_no_more() -> None:
    step = EvolutionPairs()
    records = [evolved("s@0", None, "answer 0")]
    records += [evolved(f"s@{n}", f"s@{n - 1}", f"answer {n}") for n in range(1, 50)]
    done = await curated(step, records)
    assert reasons(done)[1:] == [""] * 49
    assert len(step._answers) == 1


async def test_operators_can_be_let_in() -> None:
    records = [evolved("a", None, "first"), evolved("b", "a", "second", "simplify")]
    assert reasons(await curated(EvolutionPairs(), records))[1] == "other_task"
    assert reasons(await curated(EvolutionPairs(leave_out=()), records))[1] == ""


def test_every_operator_that_makes_another_or_an_easier_task_is_left_out() -> None:
    from llmsynth.generators.evol_instruct.operators import PACKS

    other = {operator.name for pack in PACKS.values() for operator in pack if operator.kind in ("fresh", "down")}
    assert set(EvolutionPairs().leave_out) == other
