"""The openai-batch backend against a server that behaves like a provider's batch API."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

pytest.importorskip("openai")

import llmsynth.backends._batch
from llmsynth.backends.batch import OpenAIBatchBackend
from llmsynth.errors import (
    AuthenticationError,
    BackendError,
    LlmsynthError,
    ModelNotFoundError,
    StorageError,
    UnavailableError,
)
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.policy import FinishPolicy
from llmsynth.request import Completion, Message, Request, Sampling
from tests.batch_server import BatchServer


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(quick_retries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llmsynth.backends._batch, "_FIRST_WAIT", 0.001)


def backend(server: BatchServer, **options: Any) -> OpenAIBatchBackend:
    return OpenAIBatchBackend("teacher", base_url=server.url, **{"wait": 0.05, "poll": 0.005, **options})


def requests(count: int, first: int = 0, **sampling: Any) -> list[Request]:
    return [
        Request("test", (Message(role="user", content=f"Task: {n}"),), Sampling(**sampling))
        for n in range(first, first + count)
    ]


async def ask(
    server: BatchServer,
    journal: Journal,
    asked: list[Request],
    attempts: int = 5,
    policy: FinishPolicy | None = None,
    **options: Any,
) -> list[Completion]:
    """The answers to requests, all of them asked for before the first answer is there."""
    model = Model(backend(server, **options), journal, concurrency=2, attempts=attempts, policy=policy)
    try:
        return [completion async for completion in model.stream(asked, max(1, len(asked)))]
    finally:
        await model.drain(30)
        await model.aclose()


def texts(completions: list[Completion]) -> list[str]:
    return [completion.text for completion in completions]


def expected(count: int, first: int = 0) -> list[str]:
    return [f"re: Task: {n}\u2028" for n in range(first, first + count)]


def noted(journal: Journal) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (journal.path.parent / "batches.jsonl").read_bytes().splitlines()]


async def test_all_that_is_asked_together_is_one_job_whatever_the_concurrency(
    server: BatchServer, journal: Journal
) -> None:
    answers = await ask(server, journal, requests(300))
    assert texts(answers) == expected(300)
    assert server.sizes == [300]
    assert {(a.prompt_tokens, a.completion_tokens, a.model) for a in answers} == {(10, 5, "teacher")}


async def test_each_row_says_what_the_openai_backend_would_send(
    server: BatchServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    asked = requests(1, temperature=0.5, max_tokens=7, stop=("x",))
    await ask(server, journal, asked, extra_body={"top_k": 3}, api_key_env="SOME_KEY")
    await ask(server, journal, asked, api="completions", api_key_env="SOME_KEY")
    chat, raw = (job.rows[0] for job in server.jobs.values())
    said = {"model": "teacher", "temperature": 0.5, "max_tokens": 7, "stop": ["x"]}
    assert chat["body"] == {**said, "top_k": 3, "messages": [{"role": "user", "content": "Task: 0"}]}
    assert chat["url"] == "/v1/chat/completions"
    assert raw["body"] == {**said, "prompt": "Task: 0"}
    assert raw["url"] == "/v1/completions"
    assert server.keys == {"Bearer sk-secret"}
    assert b"sk-secret" not in b"".join(path.read_bytes() for path in journal.path.parent.iterdir())


async def test_jobs_are_split_at_the_number_of_requests(server: BatchServer, journal: Journal) -> None:
    server.max_requests = 40
    assert texts(await ask(server, journal, requests(100), max_requests=40)) == expected(100)
    assert sorted(server.sizes) == [20, 40, 40]


async def test_jobs_are_split_at_the_size_of_the_file(server: BatchServer, journal: Journal) -> None:
    server.max_bytes = 3000
    long = [Request("test", (Message(role="user", content=f"{n} {'é' * (n % 7) * 60}"),)) for n in range(60)]
    answers = await ask(server, journal, long, max_bytes=3000)
    assert [a.text for a in answers] == [f"re: {r.messages[0]['content']}\u2028" for r in long]
    uploaded = [len(data) for name, data in server.files.items() if name.removeprefix("file-").isdigit()]
    assert sum(server.sizes) == 60
    assert max(uploaded) <= 3000
    assert all(
        one + next_one > 3000 for one, next_one in itertools.pairwise(uploaded)
    )  # none is smaller than it must be


@pytest.mark.slow
async def test_jobs_are_split_at_the_limits_that_providers_have(server: BatchServer, journal: Journal) -> None:
    default = backend(server)
    assert (default.max_requests, default.max_bytes) == (50_000, 200_000_000)
    assert texts(await ask(server, journal, requests(50_001), wait=2.0)) == expected(50_001)
    assert sorted(server.sizes) == [1, 50_000]
    long = [Request("long", (Message(role="user", content=f"{n} {'x' * 900_000}"),)) for n in range(250)]
    assert all(text.startswith("re: ") for text in texts(await ask(server, journal, long, wait=2.0)))
    uploaded = sorted(len(data) for name, data in server.files.items() if name in ("file-3", "file-4"))
    assert 199_000_000 < uploaded[1] <= 200_000_000 and sum(uploaded) > 225_000_000


async def test_a_request_that_no_file_can_hold_fails_alone(server: BatchServer, journal: Journal) -> None:
    long = Request("test", (Message(role="user", content="x" * 3000),))
    answers = await ask(server, journal, [*requests(2), long], max_bytes=3000)
    assert [a.failure.kind if a.failure else a.text for a in answers] == [*expected(2), "too_large"]


async def test_the_same_request_asked_twice_is_two_rows(server: BatchServer, journal: Journal) -> None:
    assert texts(await ask(server, journal, requests(1) * 3)) == expected(1) * 3
    assert set(server.submitted.values()) == {1}
    assert len(server.submitted) == 3


async def test_a_trickle_is_gathered_until_nothing_comes_for_a_while(server: BatchServer, journal: Journal) -> None:
    async def trickle() -> Any:
        for request in requests(20):
            yield request
            await asyncio.sleep(0.01)

    model = Model(backend(server, wait=0.3), journal)
    assert texts([c async for c in model.stream(trickle(), 20)]) == expected(20)
    await model.aclose()
    assert server.sizes == [20]


async def test_an_endless_trickle_is_sent_after_a_while_all_the_same(server: BatchServer, journal: Journal) -> None:
    async def trickle() -> Any:
        for request in requests(60):
            yield request
            await asyncio.sleep(0.005)

    model = Model(backend(server, wait=0.01), journal)
    assert texts([c async for c in model.stream(trickle(), 60)]) == expected(60)
    await model.aclose()
    assert len(server.sizes) > 1


@pytest.mark.parametrize("lookahead", [1, 3, 10])
async def test_a_short_lookahead_makes_small_jobs_and_never_hangs(
    server: BatchServer, journal: Journal, lookahead: int
) -> None:
    model = Model(backend(server, wait=0.005), journal)
    async with asyncio.timeout(20):
        assert texts([c async for c in model.stream(requests(9), lookahead)]) == expected(9)
    await model.aclose()
    assert max(server.sizes) <= lookahead


async def test_rows_that_fail_are_asked_again_in_a_new_job(server: BatchServer, journal: Journal) -> None:
    fates = {3: "broken", 5: "expired", 7: "lost", 9: "damaged"}
    server.row = lambda number, row: fates.get(number)
    answers = await ask(server, journal, requests(12))
    assert texts(answers) == expected(12)
    assert server.sizes == [12, 4]
    assert Counter(server.submitted.values()) == {1: 8, 2: 4}
    again = [entry for entry in noted(journal) if "again" in entry]
    assert [len(entry["again"]) for entry in again] == [4]


@pytest.mark.parametrize("end", ["expired", "empty"])
async def test_a_job_that_answers_a_part_or_nothing_is_followed_by_another(
    server: BatchServer, journal: Journal, end: str
) -> None:
    server.job = lambda number: end if number == 0 else None
    assert texts(await ask(server, journal, requests(10))) == expected(10)
    assert server.sizes == ([10, 5] if end == "expired" else [10, 10])
    assert len(list(read_entries(journal.path))) == 10


async def test_a_row_that_the_model_refuses_fails_alone_and_is_asked_again_by_the_next_run(
    server: BatchServer, journal: Journal
) -> None:
    server.row = lambda number, row: "refused" if row["body"]["messages"][0]["content"] == "Task: 2" else None
    answers = await ask(server, journal, requests(4))
    assert [a.failure.kind if a.failure else "" for a in answers] == ["", "", "http_400", ""]
    assert server.sizes == [4]
    server.row = lambda number, row: None
    answers = await ask(server, journal, requests(4))  # a journal knows only what it found on opening: nothing here
    assert texts(answers) == expected(4)
    assert server.sizes == [4, 1]


async def test_a_limit_on_tokens_that_is_known_by_its_newer_name_is_asked_for_by_that_in_the_next_job(
    server: BatchServer, journal: Journal
) -> None:
    server.refusal = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    server.row = lambda number, row: "refused" if "max_tokens" in row["body"] else None
    asked = [dataclasses.replace(request, sampling=Sampling(max_tokens=9)) for request in requests(4)]
    assert texts(await ask(server, journal, asked, attempts=2)) == expected(4)
    assert server.sizes == [4, 4]
    assert [row["body"]["max_completion_tokens"] for row in server.jobs["batch_1"].rows] == [9] * 4


async def test_rows_that_fail_for_ever_fail_after_their_attempts(server: BatchServer, journal: Journal) -> None:
    server.row = lambda number, row: "lost" if "Task: 1" in row["body"]["messages"][0]["content"] else None
    first, second = await ask(server, journal, requests(2), attempts=3)
    assert first.text == expected(1)[0]
    assert second.failure is not None
    assert (second.failure.kind, second.failure.attempts) == ("batch_lost", 3)
    assert server.sizes == [2, 1, 1]


async def test_a_cancelled_job_gives_what_it_answered_and_ends_the_run(server: BatchServer, journal: Journal) -> None:
    server.job = lambda number: "cancelled" if number == 0 else None
    with pytest.raises(BackendError, match=r"cancelled, with 5 of 10 requests unanswered"):
        await ask(server, journal, requests(10))
    assert len(list(read_entries(journal.path))) == 5
    journal.close()
    reopened = Journal(journal.path)
    assert texts(await ask(server, reopened, requests(10))) == expected(10)
    reopened.close()
    assert server.sizes == [10, 5]


async def test_a_job_refused_for_single_lines_fails_those_and_asks_for_the_others(
    server: BatchServer, journal: Journal
) -> None:
    server.job = lambda number: "failed" if number == 0 else None
    server.failing = [{"code": "invalid_request", "message": "no such parameter", "line": 3}]
    answers = await ask(server, journal, requests(5))
    assert [a.failure.kind if a.failure else "" for a in answers] == ["", "", "batch_invalid", "", ""]
    assert server.sizes == [5, 4]


async def test_a_model_that_takes_no_batches_ends_the_run(server: BatchServer, journal: Journal) -> None:
    server.job = lambda number: "failed"
    server.failing = [{"code": "model_not_found", "message": "teacher takes no batches", "line": 1}]
    with pytest.raises(ModelNotFoundError, match="teacher takes no batches"):
        await ask(server, journal, requests(5))
    assert server.sizes == [5]


async def test_a_job_refused_as_a_whole_ends_the_run_and_the_next_one_submits_it_again(
    server: BatchServer, journal: Journal
) -> None:
    server.job = lambda number: "failed" if number == 0 else None
    server.failing = [{"code": "billing", "message": "no credit left"}]
    with pytest.raises(BackendError, match="no credit left"):
        await ask(server, journal, requests(5))
    assert texts(await ask(server, journal, requests(5))) == expected(5)
    assert server.sizes == [5, 5]


async def test_jobs_beyond_what_the_provider_queues_wait_for_the_others(server: BatchServer, journal: Journal) -> None:
    server.max_queued = 25
    assert texts(await ask(server, journal, requests(40), max_requests=20)) == expected(40)
    refused = [job for job in server.jobs.values() if job.status == "failed"]
    assert refused
    assert sum(server.worked.values()) == 40


async def test_a_job_beyond_what_the_provider_queues_at_all_is_halved(server: BatchServer, journal: Journal) -> None:
    server.max_queued = 7
    assert texts(await ask(server, journal, requests(24))) == expected(24)
    done = [len(job.rows) for job in server.jobs.values() if job.status == "completed"]
    assert max(done) <= 7
    assert sum(done) == 24
    assert set(server.worked.values()) == {1}


async def test_a_longer_second_try_is_a_row_of_its_own(server: BatchServer, journal: Journal) -> None:
    policy = FinishPolicy(on_length="retry")
    asked = requests(2, max_tokens=50)

    class Cut(OpenAIBatchBackend):
        def outcome(self, row: dict[str, Any]) -> Completion | Exception:
            made = super().outcome(row)
            assert isinstance(made, Completion)
            short = row["response"]["body"]["model"] == "teacher" and len(server.jobs) == 1
            return Completion(made.text, "length" if short else "stop", 10, 5)

    model = Model(Cut("teacher", base_url=server.url, wait=0.02, poll=0.005), journal, policy=policy)
    answers = [c async for c in model.stream(asked, 2)]
    await model.aclose()
    assert texts(answers) == expected(2)
    assert server.sizes == [2, 2]
    limits = [job.rows[0]["body"]["max_tokens"] for job in server.jobs.values()]
    assert limits[1] > limits[0] == 50
    assert set(server.submitted.values()) == {1}


@pytest.mark.parametrize("point", ["upload", "create", "created", "poll", "download"])
async def test_a_provider_in_trouble_is_asked_again_and_no_job_is_made_twice(
    server: BatchServer, journal: Journal, point: str
) -> None:
    server.trouble = {point: [500, 503, 429, 429, 429, 429, 429, 429, 500]}
    assert texts(await ask(server, journal, requests(6))) == expected(6)
    assert server.sizes == [6]
    assert server.trouble == {point: []} or point == "created"  # found in the list after the first


@pytest.mark.parametrize("status", [200, 0])
@pytest.mark.parametrize("point", ["upload", "create", "created", "poll", "download", "list"])
async def test_a_proxys_page_is_not_taken_for_a_providers_word_and_no_row_is_paid_for_twice(
    server: BatchServer, journal: Journal, point: str, status: int
) -> None:
    server.trouble = {point: [status, status]}
    if point == "list":
        server.trouble["created"] = [500]
    assert texts(await ask(server, journal, requests(6))) == expected(6)
    assert server.sizes == [6] and set(server.worked.values()) == {1}


async def test_a_provider_in_trouble_that_says_to_come_at_once_is_waited_for_all_the_same(
    server: BatchServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llmsynth.backends._batch, "_FIRST_WAIT", 0.1)
    server.trouble = {"poll": [503, 503]}
    started = time.monotonic()
    assert texts(await ask(server, journal, requests(2))) == expected(2)
    assert time.monotonic() - started > 0.05 + 0.1


async def test_a_server_that_has_pages_only_ends_the_run_and_leaves_nothing_in_the_ledger(
    server: BatchServer, journal: Journal
) -> None:
    server.trouble = {"upload": [200] * 9}
    with pytest.raises(BackendError, match="not as a batch API does"):
        await ask(server, journal, requests(3))
    assert (journal.path.parent / "batches.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (404, BackendError), (400, BackendError), (500, BackendError)]
)
async def test_an_endpoint_that_takes_no_upload_ends_the_run(
    server: BatchServer, journal: Journal, status: int, error: type[LlmsynthError]
) -> None:
    server.trouble = {"upload": [status] * 9}
    with pytest.raises(error) as caught:
        await ask(server, journal, requests(3))
    assert "scripted trouble" in caught.value.message
    assert caught.value.hint
    assert server.jobs == {}


async def test_nobody_there_ends_the_run(server: BatchServer, journal: Journal) -> None:
    with BatchServer() as gone:
        pass
    with pytest.raises(UnavailableError, match="cannot reach"):
        await ask(gone, journal, requests(2))


async def test_the_job_is_on_disk_before_it_is_waited_for(server: BatchServer, journal: Journal) -> None:
    server.hold = "poll"
    model = Model(backend(server), journal)
    pending = [asyncio.create_task(model.ask(request)) for request in requests(3)]
    while not server.reached.is_set():
        await asyncio.sleep(0.005)
    first, second = noted(journal)
    (job,) = server.jobs.values()
    ids = [row["custom_id"] for row in job.rows]
    assert (first["file"], first["requests"]) == (job.file, ids)
    assert (second["file"], second["job"], second["requests"]) == (job.file, job.id, ids)
    await model.drain(30)
    await model.aclose()
    await asyncio.gather(*pending, return_exceptions=True)


async def test_a_run_that_stops_does_not_wait_for_its_jobs_and_submits_nothing_more(
    server: BatchServer, journal: Journal
) -> None:
    server.hold = "poll"
    model = Model(backend(server, wait=0.3), journal)
    early = [asyncio.create_task(model.ask(request)) for request in requests(3)]
    while not server.reached.is_set():
        await asyncio.sleep(0.005)
    late = [asyncio.create_task(model.ask(request)) for request in requests(3, first=3)]
    await asyncio.sleep(0.01)
    begun = time.monotonic()
    await model.drain(30)
    await model.aclose()
    assert time.monotonic() - begun < 5
    assert server.uploads == 1
    await asyncio.gather(*early, *late, return_exceptions=True)
    assert texts(await ask(server, journal, requests(6))) == expected(6)
    assert server.sizes == [3, 3]


async def test_a_torn_last_line_is_forgotten_and_a_damaged_one_is_told(server: BatchServer, journal: Journal) -> None:
    await ask(server, journal, requests(2))
    path = journal.path.parent / "batches.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"file":"file-9","req')
    assert texts(await ask(server, journal, requests(4))) == expected(4)
    assert server.sizes == [2, 2]
    assert [entry.get("job") for entry in noted(journal)] == [None, "batch_0", None, "batch_1"]
    path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(StorageError, match=r"batches\.jsonl is damaged: 'nonsense'"):
        await ask(server, journal, requests(2))


async def test_a_job_that_the_provider_has_forgotten_is_told_rather_than_paid_for_again(
    server: BatchServer, journal: Journal
) -> None:
    await ask(server, journal, requests(2))
    server.jobs.clear()
    with pytest.raises(BackendError, match="no such batch") as caught:
        await ask(server, journal, requests(2))
    assert "batches.jsonl" in caught.value.hint
    assert server.jobs == {}
