"""Steps that ask a model: several batches under way at once, and the same records whatever comes first."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from llmsynth import Completion, Recipe, Record, Request, Run, synthesize
from llmsynth.curation import Curation
from llmsynth.errors import BackendError, RunError
from llmsynth.finish import _usage
from llmsynth.funnel import Funnel
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.request import RequestFailedError
from llmsynth.steps.duplicates import ExactDuplicates
from llmsynth.steps.judge import Judge
from llmsynth.steps.tags import Tags
from tests.judging import row


@dataclass
class Slow:
    """Answers each request after a moment of its own, and knows how many were with it at once."""

    seed: int = 0
    name: str = "slow"
    fails_after: int | None = None
    with_it: int = 0
    most: int = 0
    asked: int = 0

    @property
    def price(self) -> None:
        return None

    @property
    def identity(self) -> str:
        return "slow"

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        if self.fails_after is not None and self.asked > self.fails_after:
            raise BackendError("it is gone", "start it again")
        self.with_it += 1
        self.most = max(self.most, self.with_it)
        await asyncio.sleep(Random(f"{self.seed}{request.key}").random() / 500)
        self.with_it -= 1
        mark = 1 + int(request.key[:4], 16) % 5  # a second sample of the same question may say something else
        told = {"judge": f"correctness: {mark}\ncompliance: {mark}\nclarity: {mark}", "tags": f'["tag {mark}"]'}
        return Completion(told[request.stage], "stop")

    async def aclose(self) -> None:
        return None


def rows(count: int) -> list[Record]:
    """Some of them the same, so that their questions are."""
    return [row(f"r{n}", f"Name river {n % 150}.", f"It is river {n % 150}.") for n in range(count)]


def running(journal: Journal, backend: Slow) -> Run:
    return Run({"default": Model(backend, journal, concurrency=512, attempts=1)})


async def through(records: list[Record], steps: list[Any], backend: Slow, journal: Journal, **more: Any) -> Any:
    run = running(journal, backend)
    done: list[Record] = []
    funnel = Funnel("rows", [type(step).__name__ for step in steps])
    curation = Curation(run, steps, done.extend, funnel, **more)
    try:
        for record in records:
            await curation.take(record)
        await curation.settle()
    finally:
        await curation.aclose()
        await run.aclose()
    return done, [{**stage, "seconds": 0} for stage in funnel.report()], run


def steps() -> list[Any]:
    return [Tags(), Judge(), ExactDuplicates(on=("instruction",)), Judge(name="second", role="judge")]


@dataclass
class Held(Slow):
    """Answers the first batch, then none before so many requests are with it."""

    until: int = 200
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(self, request: Request) -> Completion:
        if self.asked >= 32 and not self.enough.is_set():
            self.most += 1
            if self.most >= self.until:
                self.enough.set()
            self.asked += 1
            await asyncio.wait_for(self.enough.wait(), 30)
            self.asked -= 1
        return await super().complete(request)


async def test_batches_are_under_way_together(journal: Journal) -> None:
    done, _, _ = await through(rows(600), [Judge()], Held(), journal)
    assert [record.id for record in done] == [f"r{n}" for n in range(600)]
    assert all("judge" in record.scores for record in done)


async def test_when_answers_come_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for seed in range(2):
        journal = Journal(tmp_path / str(seed) / "journal.jsonl")
        told.append((await through(rows(400), steps(), Slow(seed), journal))[:2])
        journal.close()
    assert told[0] == told[1]
    for step in (Tags, Judge):  # the same one after the other
        monkeypatch.setattr(step, "overlaps", False)
    journal = Journal(tmp_path / "alone.jsonl")
    alone = await through(rows(400), steps(), backend := Slow(), journal)
    journal.close()
    assert alone[:2] == told[0]
    assert backend.most <= 32


@dataclass
class Failing(Slow):
    """Refuses some requests, now for this reason and now for that."""

    async def complete(self, request: Request) -> Completion:
        completion = await super().complete(request)
        if (kind := int(request.key[:4], 16) % 40) < 8:
            raise RequestFailedError(f"http_{(400, 413, 422, 451)[kind % 4]}", "no", retryable=False)
        return dataclasses.replace(completion, text="?") if kind < 12 else completion


async def test_neither_does_it_change_a_letter_of_what_the_report_tells(tmp_path: Path) -> None:
    told = set()
    for seed in range(3):
        journal = Journal(tmp_path / str(seed) / "journal.jsonl")
        _, _, run = await through(rows(600), steps(), Failing(seed), journal)
        journal.close()
        assert len(run.notes["judge"]["unscored"]) > 2
        told.add(orjson.dumps([run.notes, _usage(run)]))
    assert len(told) == 1


async def test_an_index_sees_the_batches_in_their_order(journal: Journal) -> None:
    done, funnel, _ = await through(rows(400), steps(), Slow(), journal)
    dropped = [record.id for record in done if record.dropped]
    assert dropped == [f"r{n}" for n in range(150, 400)]
    assert all(record.meta["duplicate_of"]["kept_id"] == f"r{int(record.id[1:]) % 150}" for record in done[150:])
    assert [(stage["stage"], stage["in"], stage["kept"]) for stage in funnel] == [
        ("rows", 400, 400),
        ("Tags", 400, 400),
        ("Judge", 400, 400),
        ("ExactDuplicates", 400, 150),
        ("Judge", 150, 150),
    ]
    assert funnel[3]["samples"]["exact_duplicate"]["id"] == "r150"


@pytest.mark.parametrize("after", [1, 40, 333, 900])
async def test_what_was_asked_before_the_end_is_not_asked_again(after: int, tmp_path: Path) -> None:
    whole = Journal(tmp_path / "whole.jsonl")
    expected, _, _ = await through(rows(400), steps(), Slow(), whole)
    whole.close()
    journal = Journal(tmp_path / "journal.jsonl")
    first = Slow(1, fails_after=after)
    with pytest.raises(BackendError, match="it is gone"):
        await through(rows(400), steps(), first, journal)
    journal.close()
    answered = sum("key" in entry for entry in read_entries(tmp_path / "journal.jsonl"))
    journal = Journal(tmp_path / "journal.jsonl")
    again = Slow(2)
    done, _, _ = await through(rows(400), steps(), again, journal)
    journal.close()
    assert done == expected
    assert again.asked == 400 + 400 + 150 - answered
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_near_the_target_nothing_is_under_way_ahead(journal: Journal) -> None:
    backend = Slow()
    run = running(journal, backend)
    run.target = 100
    curation = Curation(run, [Judge()], lambda batch: None)
    counted = []
    for number, record in enumerate(rows(128), 1):
        await curation.take(record)
        if number % 32 == 0:
            counted.append(run.tally.total)
    assert counted == [32, 64, 96, 128]
    run = running(journal, backend)
    run.target = 1_000
    curation = Curation(run, [Judge()], lambda batch: None)
    counted = []
    for number, record in enumerate(rows(1_024), 1):
        await curation.take(record)
        if number % 128 == 0:
            counted.append(number - run.tally.total)
    assert max(counted) == 7 * 32
    assert counted[1:] == sorted(counted[1:], reverse=True)
    assert counted[-1] == 0
    await curation.aclose()
    await run.aclose()


async def test_a_step_that_breaks_its_promise_ends_the_run_though_others_wait(journal: Journal) -> None:
    @dataclass
    class Forgetful:
        batches: int = 0

        async def apply(self, batch: list[Record], run: Run) -> list[Record]:
            self.batches += 1
            return batch if self.batches < 5 else batch[1:]

    with pytest.raises(RunError, match="Forgetful gave back other records"):
        await through(rows(600), [Judge(), Forgetful(), Judge(name="b")], Slow(), journal)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_gold_file_is_marked_once(journal: Journal, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_bytes(orjson.dumps({"instruction": "Name a lake.", "output": "Lake Constance.", "judge": 4}))
    backend = Slow()
    _, _, run = await through(rows(200), [Judge(gold=str(gold))], backend, journal)
    assert backend.asked == 201
    assert run.notes["judge"]["agreement"]["judge"]["rows"] == 1


def test_a_run_with_a_judge_is_the_same_at_any_speed_and_after_any_kill(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(dataclasses.asdict(record)["fields"]) for record in rows(3_000)))
    data = {
        "name": "r",
        "generator": {"use": "rows", "path": str(path)},
        "models": {"default": {"use": "fake", "function": "tests.judging:asked"}},
        "steps": [{"use": "judge"}, {"use": "exact-duplicates"}, {"use": "tags"}],
    }
    results = []
    for name, caps in (("whole", None), ("stopped", {"requests": 1_500})):
        recipe = Recipe.from_data({**data, **({"caps": caps} if caps else {})})
        backend = Slow(len(name))
        if caps:
            with pytest.raises(Exception, match="requests"):
                synthesize(recipe, tmp_path / name, backends={"default": backend})
            recipe = Recipe.from_data(data)
            backend = Slow(9)
        result = synthesize(recipe, tmp_path / name, backends={"default": backend})
        results.append(list(result.records()))
    assert results[0] == results[1]
