"""A generator in code of one's own: no recipe, no command, and an event loop that runs already, as in a notebook."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from llmsynth import GLAN, EvolInstruct, FakeBackend, Generated, Record, Run, SelfInstruct
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.errors import RecipeError, RunError
from llmsynth.generators.protocol import Generator
from llmsynth.journal import read_entries
from tests.chained import answer, teacher
from tests.evolving import Evolver, rows_file
from tests.loopback import Loopback
from tests.professor import small_taxonomy
from tests.scripted import seed_file, varied


async def test_evol_instruct_goes_through_all_its_rounds_on_a_server(tmp_path: Path, loopback: Loopback) -> None:
    loopback.echo = answer
    generator = EvolInstruct(seeds=rows_file(tmp_path, 20), rounds=4)
    async with Run.open(tmp_path / "run", OpenAIBackend(model="teacher", base_url=loopback.url)) as run:
        records = [record async for record in generator.generate(run)]
    assert len(records) == 20 * 5
    assert {record.meta["round"] for record in records} == {0, 1, 2, 3, 4}
    assert run.notes["stopped"] == "all 4 rounds done"
    asked = loopback.requests
    async with Run.open(tmp_path / "run", OpenAIBackend(model="teacher", base_url=loopback.url)) as again:
        assert [record async for record in generator.generate(again)] == records
    assert loopback.requests == asked  # of what is in the journal, nothing is asked again


def generators(folder: Path) -> dict[str, Generator]:
    glan = GLAN(taxonomy=small_taxonomy(folder), queries=2, max_questions=30)
    return {
        "evol-instruct": EvolInstruct(seeds=rows_file(folder), rounds=2),
        "glan": glan,
        "chain": EvolInstruct(seeds=Generated(dataclasses.replace(glan, max_questions=None), 20), rounds=2),
    }


@pytest.mark.parametrize("name", ["evol-instruct", "glan", "chain"])
async def test_whoever_has_enough_leaves_off_and_may_come_back(name: str, tmp_path: Path) -> None:
    generator = generators(tmp_path)[name]
    async with Run.open(tmp_path / "run", FakeBackend(teacher)) as run:
        first: list[Record] = []
        async for record in generator.generate(run):
            first.append(record)
            if len(first) == 7:
                break
    answered = len(list(read_entries(tmp_path / "run" / "journal.jsonl")))
    assert answered > 0
    async with Run.open(tmp_path / "run", FakeBackend(teacher)) as run:
        whole = [record async for record in generator.generate(run)]
    assert whole[:7] == first and len(whole) > 15
    assert sum(usage.replayed for usage in run.model("default").usage.values()) == answered
    assert "target reached" not in str(run.notes["stopped"])


async def test_self_instruct_does_not_take_a_loop_that_counts_nothing_for_a_stall(tmp_path: Path) -> None:
    generator = SelfInstruct(seeds=seed_file(tmp_path), lookahead=4, max_requests=40)
    async with Run.open(tmp_path / "run", FakeBackend(varied())) as run:
        records = [record async for record in generator.generate(run)]
    assert run.notes["stopped"] == "max_requests (40) reached"
    assert run.notes["instructions_accepted"] == len({r.fields["instruction"] for r in records if not r.dropped}) > 160


async def test_each_role_may_have_a_model_of_its_own(tmp_path: Path) -> None:
    evolver, judge = Evolver(), Evolver()
    models = {"default": FakeBackend(evolver), "equality": FakeBackend(judge)}
    async with Run.open(tmp_path / "run", models) as run:
        _ = [record async for record in EvolInstruct(seeds=rows_file(tmp_path), rounds=1).generate(run)]
    assert len(judge.texts("equality")) == len(judge.log) > 0 and not evolver.texts("equality")


async def test_a_directory_is_used_by_one_at_a_time_and_let_go_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Run.open(tmp_path, FakeBackend(teacher)):
            with pytest.raises(RunError, match="in use"):
                async with Run.open(tmp_path, FakeBackend(teacher)):
                    pass
            raise ZeroDivisionError
    async with Run.open(tmp_path, FakeBackend(teacher)):
        pass


async def test_what_is_no_backend_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'pocket' is no backend"):
        async with Run.open(tmp_path / "run", "pocket"):  # type: ignore[arg-type]
            pass
    async with Run.open(tmp_path / "run", FakeBackend(teacher)):  # and the folder is free
        pass
