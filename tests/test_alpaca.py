"""S15: Self-Instruct as Stanford Alpaca simplified it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from llmsynth import Alpaca, Completion
from llmsynth.errors import RecipeError
from llmsynth.journal import Journal, read_entries
from llmsynth.request import Request, RequestFailedError
from tests.scripted import Answer, Outcome, content, made_up, play, seed_file, seed_instructions


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return seed_file(tmp_path)


class Teacher:
    """Answers each prompt with what a function makes of its number, and keeps the requests."""

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.answer = answer
        self.log: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.log.append(request)
        return self.answer(len(self.log) - 1)


def task(number: int, instruction: str, given: str = "<noinput>", output: str = "fine") -> str:
    return f"{number}. Instruction: {instruction}\n{number}. Input:\n{given}\n{number}. Output:\n{output}\n###\n"


def tasks(n: int) -> str:
    """Seventeen tasks, laid out as asked: the prompt holds the heading of the first."""
    text = "".join(task(4 + i, made_up(n, i), "<noinput>" if i % 2 else f"given {i}", f"made {i}") for i in range(17))
    return text.removeprefix("4. Instruction:")


async def alpaca(journal: Journal, teacher: Teacher, target: int | None = None, **options: object) -> Outcome:
    return await play(Alpaca(**options), teacher, journal, target)  # type: ignore[arg-type]


async def test_s15_one_call_makes_whole_tasks_and_nothing_else_is_asked(seeds: str, journal: Journal) -> None:
    teacher = Teacher(tasks)
    outcome = await alpaca(journal, teacher, seeds=seeds, max_requests=2)
    assert len(teacher.log) == 2
    assert len(outcome.kept) == 34
    assert outcome.records[0].fields == {"instruction": made_up(0, 0), "input": "given 0", "output": "made 0"}
    assert outcome.records[1].fields == {"instruction": made_up(0, 1), "input": "", "output": "made 1"}


async def test_s15_the_request_is_that_of_alpaca(seeds: str, journal: Journal) -> None:
    teacher = Teacher(tasks)
    await alpaca(journal, teacher, seeds=seeds, max_requests=1)
    [request] = teacher.log
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.stop) == (1.0, 1.0, 3072, ("\n21.",))
    assert "numbered 4 to 20" in content(request)
    assert content(request).endswith("###\n4. Instruction:")


async def test_s15_three_seeds_are_shown_and_never_a_made_task(seeds: str, journal: Journal) -> None:
    teacher = Teacher(tasks)
    await alpaca(journal, teacher, seeds=seeds, max_requests=8, lookahead=1)
    human = dict(zip(seed_instructions(), range(20), strict=True))
    asked = set()
    for request in teacher.log:
        parts = re.findall(r"^\d\. Instruction: (.+)\n\d\. Input:\n(.+)\n\d\. Output:\n(.+)$", content(request), re.M)
        assert len(parts) == 3
        for instruction, given, output in parts:
            n = human[instruction]
            assert (given, output) == ("<noinput>" if n % 2 else f"given {n}", f"answer {n}")
        asked.add(tuple(parts))
    assert len(asked) == 8


async def test_s15_what_is_not_instruction_input_and_output_is_malformed(seeds: str, journal: Journal) -> None:
    reply = task(4, made_up("a")) + "5. Instruction: Name it.\n5. Output:\nTrout\n###\n" + task(6, made_up("b"))
    outcome = await alpaca(journal, Teacher(lambda n: reply), seeds=seeds, max_requests=1)
    assert outcome.reasons() == [None, "malformed_task", None]


@pytest.mark.parametrize("end", ["12. Instruction: Tell a", task(12, made_up("last"), output="Once up")[:-5]])
async def test_s15_a_task_that_the_token_limit_cut_is_dropped_alone(end: str, seeds: str, journal: Journal) -> None:
    outcome = await alpaca(
        journal, Teacher(lambda n: Completion(task(11, made_up("a")) + end, "length")), seeds=seeds, max_requests=1
    )
    assert outcome.reasons() == [None, "truncated"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (task(4, "Describe the diagram in two sentences."), "blacklisted_word"),
        (task(4, "Compose music for a wedding, please."), "blacklisted_word"),
        (task(4, "Name it"), "too_short"),
        (task(4, made_up("seed", 3).upper()), "not_novel"),
        (task(4, made_up("a"), output=""), "empty_output"),
        (task(4, made_up("a"), "same", "same"), "output_repeats_input"),
        (task(4, made_up("a"), output="As follows:"), "trailing_colon"),
        ("I'm sorry, I can't do that.", "malformed_task"),
        ("", "no_instruction"),
        (Completion("<think>Seventeen tasks", "length"), "truncated"),
    ],
)
async def test_s15_each_rejection_has_its_reason(reply: Answer, reason: str, seeds: str, journal: Journal) -> None:
    outcome = await alpaca(journal, Teacher(lambda n: reply), seeds=seeds, max_requests=1)
    assert outcome.reasons() == [reason]
    assert outcome.run.notes["instructions_accepted"] == 0


async def test_s15_a_task_with_a_bad_output_does_not_stand_in_the_way_of_a_good_one(
    seeds: str, journal: Journal
) -> None:
    reply = task(4, made_up("a"), output="") + task(5, made_up("a")) + task(6, made_up("a"))
    outcome = await alpaca(journal, Teacher(lambda n: reply), seeds=seeds, max_requests=1)
    assert outcome.reasons() == ["empty_output", None, "not_novel"]


async def test_s15_a_failed_request_is_a_failed_record(seeds: str, journal: Journal) -> None:
    def answer(n: int) -> str:
        if n == 1:
            raise RequestFailedError("http_500", "the server is ill", retryable=False)
        return tasks(n)

    outcome = await alpaca(journal, Teacher(answer), seeds=seeds, max_requests=3)
    assert outcome.run.tally.failed == {"http_500": 1}
    assert len(outcome.kept) == 34


async def test_s15_records_tell_where_they_come_from(seeds: str, journal: Journal) -> None:
    outcome = await alpaca(journal, Teacher(tasks), seeds=seeds, max_requests=2)
    written = {entry["key"]: entry["stage"] for entry in read_entries(journal.path)}
    for record in outcome.records:
        meta = record.meta
        assert meta["generator"] == "alpaca"
        assert record.id.startswith(f"{meta['round']}-")
        assert len(meta["parents"]) == 3
        assert all(parent.startswith("seed_") for parent in meta["parents"])
        assert meta["made_parents"] == []
        assert [prompt.split("@")[0] for prompt in meta["prompts"]] == ["self_instruct/alpaca"]
        assert [written[key] for key in meta["journal"]] == ["instructions"]
        assert len(meta["most_similar"]) == 10


async def test_s15_it_stops_at_the_target_exactly(seeds: str, journal: Journal) -> None:
    outcome = await alpaca(journal, Teacher(tasks), target=20, seeds=seeds)
    assert len(outcome.kept) == 20
    assert outcome.run.notes["stopped"] == "target reached"


async def test_s15_it_stops_when_nothing_is_new(seeds: str, journal: Journal) -> None:
    teacher = Teacher(lambda n: tasks(0))
    outcome = await alpaca(journal, teacher, target=100, seeds=seeds, lookahead=1, stall_requests=3)
    assert outcome.run.notes["stopped"] == "stalled: 0 of the last 51 candidate instructions were accepted"
    assert (len(outcome.kept), len(teacher.log)) == (17, 4)


@pytest.mark.parametrize("wrong", [{"shown": 0}, {"shown": 20}, {"lookahead": 0}, {"stall_requests": 0}])
def test_s15_an_option_that_cannot_be_used_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(RecipeError):
        dataclasses.replace(Alpaca(), **wrong)  # type: ignore[arg-type]
