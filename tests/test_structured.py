"""A schema reaches the servers that take one, and no row is lost to those that don't."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Recipe, synthesize
from llmsynth.backends._structured import response_format
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.generators.glan.reading import SUBJECTS_SCHEMA
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.parsing import parse_fitting
from llmsynth.request import Completion, Message, Request, Sampling
from tests.batch_server import BatchServer
from tests.loopback import Fault, Loopback
from tests.professor import small_taxonomy

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
SAID = {"error": {"message": "unknown parameter: response_format"}}


def asked(n: int, schema: dict[str, Any] | None = SCHEMA) -> Request:
    return Request("test", (Message(role="user", content=f"Task: {n}"),), Sampling(max_tokens=9), schema=schema)


def refusing(status: int = 400) -> Callable[[int, dict[str, Any]], Fault | None]:
    """A server that knows no response_format."""
    return lambda number, body: Fault("status", status, body=SAID) if "response_format" in body else None


async def answers(server: Loopback, journal: Journal, requests: list[Request], **options: Any) -> list[Completion]:
    """The answers to requests, one after the other."""
    model = Model(OpenAIBackend("teacher", server.url, **options), journal, attempts=1)
    try:
        return [await model.ask(request) for request in requests]
    finally:
        await model.aclose()


def formats(server: Loopback) -> list[Any]:
    return [body.get("response_format", {}).get("type") for body in server.bodies]


async def test_a_schema_is_sent_as_the_option_says(journal: Journal, loopback: Loopback) -> None:
    for structured in ("json_schema", "json_object", "prompt"):
        await answers(loopback, journal, [asked(0), asked(1, None)], structured=structured)
    assert formats(loopback) == ["json_schema", None, "json_object", None, None, None]
    assert loopback.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }


async def test_a_response_format_of_the_users_own_goes_before(journal: Journal, loopback: Loopback) -> None:
    await answers(loopback, journal, [asked(0)], extra_body={"response_format": {"type": "text"}})
    assert formats(loopback) == ["text"]


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        (SUBJECTS_SCHEMA, True),
        ({**SCHEMA, "additionalProperties": True}, False),
        ({**SCHEMA, "required": []}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"anyOf": [SCHEMA, {"properties": {"x": {}}, "required": ["x"]}]}, False),
        ({"type": "array", "items": {"type": "string"}}, True),
    ],
)
def test_strict_is_asked_for_where_openai_would_take_it(schema: dict[str, Any], strict: bool) -> None:
    assert response_format("json_schema", schema)["response_format"]["json_schema"]["strict"] is strict


@pytest.mark.parametrize("status", [400, 415, 422, 501])
async def test_a_server_that_refuses_is_asked_without_and_asked_with_it_once_only(
    journal: Journal, loopback: Loopback, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    loopback.fault = refusing(status)
    completions = await answers(loopback, journal, [asked(n) for n in range(4)])
    assert not [completion for completion in completions if completion.failure]
    assert formats(loopback) == ["json_schema", None, None, None, None]
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "refuses a json_schema (unknown parameter: response_format)" in warning


async def test_another_schema_is_tried_for_itself(journal: Journal, loopback: Loopback) -> None:
    other = {"type": "array"}
    loopback.fault = lambda number, body: (
        Fault("status", 400) if "properties" in str(body.get("response_format")) else None
    )
    completions = await answers(loopback, journal, [asked(0), asked(1, other), asked(2), asked(3, other)])
    assert not [completion for completion in completions if completion.failure]
    assert formats(loopback) == ["json_schema", None, "json_schema", None, "json_schema"]


async def test_a_row_that_is_refused_either_way_fails_alone_and_proves_nothing(
    journal: Journal, loopback: Loopback
) -> None:
    loopback.fault = lambda number, body: Fault("status", 400) if "Task: 0" in str(body["messages"]) else None
    completions = await answers(loopback, journal, [asked(0), asked(1), asked(2)])
    assert [c.failure.kind if c.failure else "" for c in completions] == ["http_400", "", ""]
    assert formats(loopback) == ["json_schema", None, "json_schema", "json_schema"]


async def test_one_of_several_servers_behind_an_address_may_refuse(journal: Journal, loopback: Loopback) -> None:
    refuse = refusing()
    loopback.fault = lambda number, body: refuse(number, body) if number % 2 else None
    completions = await answers(loopback, journal, [asked(n) for n in range(4)])
    assert not [completion for completion in completions if completion.failure]
    assert formats(loopback) == ["json_schema", "json_schema", None, "json_schema", None, "json_schema", None]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_has_not_refused(journal: Journal, loopback: Loopback, status: int) -> None:
    loopback.faults = {0: Fault("status", status, {"Retry-After": "0"})}
    model = Model(OpenAIBackend("teacher", loopback.url), journal)
    assert not (await model.ask(asked(0))).failure
    await model.aclose()
    assert formats(loopback) == ["json_schema", "json_schema"]


async def test_a_server_that_breaks_on_a_schema_again_and_again_is_asked_without(
    journal: Journal, loopback: Loopback
) -> None:
    loopback.fault = refusing(500)
    model = Model(OpenAIBackend("teacher", loopback.url), journal)
    assert not [n for n in range(3) if (await model.ask(asked(n))).failure]
    await model.aclose()
    assert formats(loopback) == ["json_schema"] * 3 + [None] * 3


async def test_a_server_that_breaks_either_way_is_tried_without_a_schema_but_seldom(
    journal: Journal, loopback: Loopback
) -> None:
    loopback.fault = lambda number, body: Fault("status", 500)
    completions = await answers(loopback, journal, [asked(n) for n in range(7)])
    assert {completion.failure.kind for completion in completions if completion.failure} == {"http_500"}
    assert formats(loopback) == (["json_schema"] * 3 + [None]) * 2 + ["json_schema"]


async def test_a_rerun_finds_its_answers_whatever_the_server_has_learnt_meanwhile(
    tmp_path: Path, loopback: Loopback
) -> None:
    path = tmp_path / "journal.jsonl"
    for fault in (refusing(), None):
        loopback.fault = fault
        journal = Journal(path)
        last = await answers(loopback, journal, [asked(0)])
        journal.close()
    assert last[0].replayed and formats(loopback) == ["json_schema", None]
    assert [entry["schema"] for entry in read_entries(path)] == [SCHEMA]


async def test_the_option_is_in_the_key_of_requests_with_a_schema_and_in_no_other(
    tmp_path: Path, loopback: Loopback
) -> None:
    replayed = []
    for structured in ("json_schema", "prompt"):
        journal = Journal(tmp_path / "journal.jsonl")
        replayed.append(
            [c.replayed for c in await answers(loopback, journal, [asked(0), asked(1, None)], structured=structured)]
        )
        journal.close()
    assert replayed == [[False, False], [False, True]]


# what is read of the answers


@pytest.mark.parametrize(
    ("reply", "value", "broken"),
    [
        ('{"n": 3}', {"n": 3}, ""),
        ("<think>{}</think>Here:\n```json\n{'n': 3,}\n```\nDone.", {"n": 3}, ""),
        ('{"n": "3"}', None, "$.n: '3' is not of type 'integer' (type)"),
        ('{"n": 3, "m": 4}', None, "$: Additional properties are not allowed ('m' was unexpected)"),
        ('{"n": 3', None, "no JSON"),
        ("Three.", None, "no JSON"),
        ("", None, "no JSON"),
    ],
)
def test_an_answer_is_checked_against_the_schema_after_it_was_repaired(reply: str, value: Any, broken: str) -> None:
    fitting = parse_fitting(reply, SCHEMA)
    assert fitting.value == value
    assert fitting.broken.startswith(broken) and bool(fitting.broken) == bool(broken)


def professor(body: dict[str, Any]) -> str:
    """Now and then breaks the schema; what it says elsewhere is of no interest here."""
    if "subject_name" not in body["messages"][-1]["content"]:
        return "No."
    level: Any = 3 if "Acoustics" in str(body["messages"]) else "basic"
    return json.dumps({"subjects": [{"subject_name": "Waves", "level": level, "subtopics": ["a", "b"]}]})


@pytest.mark.parametrize("able", [True, False])
def test_glan_in_one_turn_checks_its_answers_whether_or_not_the_server_takes_the_schema(
    tmp_path: Path, loopback: Loopback, able: bool
) -> None:
    loopback.echo = professor
    loopback.fault = None if able else refusing()
    recipe = Recipe.from_data(
        {
            "generator": {
                "use": "glan", "taxonomy": small_taxonomy(tmp_path), "queries": 1, "turns": 1, "max_questions": 4,
            },
            "models": {"default": {"use": "openai", "model": "m", "base_url": loopback.url}},
            "target": 1,
        }
    )  # fmt: skip
    result = synthesize(recipe, tmp_path / "run")
    dropped = {
        record.meta["discipline"]: record.dropped for record in result.records() if record.id.endswith("-subjects-0")
    }
    assert {name: drop.reason for name, drop in dropped.items() if drop} == {"Acoustics": "schema"}
    subjects = [entry for entry in read_entries(result.directory / "journal.jsonl") if entry["stage"] == "subjects"]
    assert len(subjects) == 4 + 1  # the broken one was asked for twice
    assert result.report["rows"]["failed"] == {}


# batch jobs


@pytest.fixture
def batches() -> Iterator[BatchServer]:
    pytest.importorskip("openai")
    with BatchServer() as running:
        yield running


async def ask_batches(
    server: BatchServer, journal: Journal, requests: list[Request], **options: Any
) -> list[Completion]:
    from llmsynth.backends.batch import OpenAIBatchBackend

    backend = OpenAIBatchBackend("teacher", base_url=server.url, wait=0.03, poll=0.005, **options)
    model = Model(backend, journal, attempts=1)
    try:
        return [completion async for completion in model.stream(requests, len(requests))]
    finally:
        await model.drain(10)
        await model.aclose()


def row_formats(server: BatchServer) -> list[list[Any]]:
    return [[row["body"].get("response_format", {}).get("type") for row in job.rows] for job in server.jobs.values()]


async def test_the_rows_of_a_job_carry_the_schema(journal: Journal, batches: BatchServer) -> None:
    await ask_batches(batches, journal, [asked(0), asked(1, None)])
    assert row_formats(batches) == [["json_schema", None]]


async def test_rows_that_a_job_refuses_for_their_schema_are_asked_in_another_without(
    journal: Journal, batches: BatchServer
) -> None:
    batches.row = lambda number, row: "refused" if "response_format" in row["body"] else None
    completions = await ask_batches(batches, journal, [*(asked(n) for n in range(3)), asked(3, None)])
    assert [completion.text for completion in completions] == [f"re: Task: {n}\u2028" for n in range(4)]
    assert row_formats(batches) == [["json_schema"] * 3 + [None], [None] * 3]


async def test_a_job_refused_for_the_schemas_of_single_lines_is_asked_without_them(
    journal: Journal, batches: BatchServer
) -> None:
    batches.job = lambda number: "failed" if number == 0 else None
    batches.failing = [{"code": "invalid_request", "message": "no response_format here", "line": 1}]
    completions = await ask_batches(batches, journal, [asked(0), asked(1, None)])
    assert not [completion for completion in completions if completion.failure]
    assert [form for job in row_formats(batches)[1:] for form in job] == [None, None]


async def test_a_run_that_was_stopped_finds_the_rows_that_it_has_asked_without_the_schema(
    journal: Journal, batches: BatchServer
) -> None:
    from llmsynth.backends.batch import OpenAIBatchBackend

    batches.row = lambda number, row: "refused" if "response_format" in row["body"] else None
    model = Model(OpenAIBatchBackend("teacher", base_url=batches.url, wait=0.01, poll=0.005), journal, attempts=1)
    pending = asyncio.create_task(model.ask(asked(0)))
    while len(batches.jobs) < 2:
        await asyncio.sleep(0.001)
    await model.drain(0)
    await model.aclose()
    await asyncio.gather(pending, return_exceptions=True)
    [completion] = await ask_batches(batches, journal, [asked(0)])
    assert completion.text == "re: Task: 0\u2028"
    assert row_formats(batches) == [["json_schema"], [None]]
