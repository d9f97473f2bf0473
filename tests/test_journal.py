"""Nothing that was paid for is lost, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import RunError, StorageError
from llmsynth.journal import Journal, read_entries
from llmsynth.request import Completion, Failure, Message, Request, Sampling
from llmsynth.text import fingerprint

REQUEST = Request("instructions", (Message(role="user", content="Zähle bis 3 🙂"),), Sampling(stop=("\n",)), "p@1")


def key(number: int) -> str:
    return fingerprint("test", str(number))


async def put(journal: Journal, number: int, text: str) -> None:
    await journal.append(key(number), REQUEST, "fake", Completion(text, "length", 3, None))


def filled(path: Path, count: int, text: Callable[[int], str] = "answer {}".format) -> list[int]:
    """Write a journal; the sizes of the file after each entry."""
    journal = Journal(path)
    sizes = []

    async def work() -> None:
        for number in range(count):
            await put(journal, number, text(number))
            sizes.append(path.stat().st_size)

    asyncio.run(work())
    journal.close()
    return sizes


def texts(path: Path, count: int) -> list[str | None]:
    journal = Journal(path)
    found = [journal.get(key(number)) for number in range(count)]
    journal.close()
    return [None if completion is None else completion.text for completion in found]


async def test_a_completion_is_in_the_file_when_append_returns(journal: Journal) -> None:
    await put(journal, 1, "kept")
    [entry] = read_entries(journal.path)
    assert entry["text"] == "kept"
    assert entry["messages"] == [{"role": "user", "content": "Zähle bis 3 🙂"}]
    assert entry["sampling"] == {"stop": ["\n"]}


async def test_completions_of_one_tick_share_a_write(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(len(data)) or write(fd, data))
    await asyncio.gather(*(put(journal, number, "x") for number in range(50)))
    assert len(writes) == 1
    assert len(list(read_entries(journal.path))) == 50


def test_what_was_written_is_found_again_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    filled(path, 3)
    journal = Journal(path)
    assert len(journal) == 3
    assert journal.get(key(1)) == Completion("answer 1", "length", 3, None, key(1), replayed=True)
    assert journal.get(key(7)) is None
    assert journal.torn == 0
    journal.close()


def test_an_entry_far_larger_than_the_read_buffer_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    big = "Größe\n\x00 " * 300_000
    filled(path, 3, lambda number: big if number == 1 else "small")
    assert texts(path, 3) == ["small", big, "small"]


@given(count=st.integers(2, 4), cut=st.integers(1, 10_000))
def test_a_torn_last_line_loses_that_line_alone(tmp_path_factory: pytest.TempPathFactory, count: int, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    sizes = filled(path, count)
    cut = 1 + cut % (sizes[-1] - sizes[-2] - 1)  # of the last line, never all of it
    os.truncate(path, sizes[-1] - cut)
    journal = Journal(path)
    assert (len(journal), journal.torn) == (count - 1, 1)
    assert path.stat().st_size == sizes[-2]  # the next line starts a line of its own
    asyncio.run(put(journal, count - 1, "asked again"))
    journal.close()
    assert texts(path, count) == [*(f"answer {i}" for i in range(count - 1)), "asked again"]


def test_a_torn_line_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal.jsonl"
    os.truncate(path, filled(path, 2)[-1] - 1)
    with caplog.at_level(logging.WARNING):
        Journal(path).close()
    assert "1 torn" in caplog.text
    assert str(path) in caplog.text


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 5000 + b"\n",
        b'{"key":"0123"}\n',
        b'{"key":"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz","text":"x"}\n',
        b'{"key":"0123456789abcdef0123456789abcdef"}\n',
        b"not json at all\n\n",
        b"\xff\xfe\xfa\n",
        b'{"key":"' + b"0" * 40_000 + b"\n",
        b"[1, 2]\n",
    ],
)
def test_garbage_in_the_middle_costs_nothing_else(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    first = filled(path, 4)[1]
    data = path.read_bytes()
    path.write_bytes(data[:first] + garbage + data[first:])
    journal = Journal(path)
    assert journal.get("0123456789abcdef0123456789abcdef") is None
    journal.close()
    assert texts(path, 4) == [f"answer {i}" for i in range(4)]


def test_zero_bytes_at_the_end_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    end = filled(path, 2)[-1]
    with open(path, "ab") as file:
        file.write(b"\x00" * 4096)  # what some file systems leave after a power cut
    assert texts(path, 2) == ["answer 0", "answer 1"]
    assert path.stat().st_size == end


def test_a_damaged_entry_is_asked_for_again_not_served(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    filled(path, 2)
    path.write_bytes(path.read_bytes().replace(b'"answer 0"', b'"answer 0', 1))
    assert texts(path, 2) == [None, "answer 1"]


def test_an_empty_journal_opens(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.touch()
    assert texts(path, 1) == [None]


async def test_failures_are_evidence_and_no_answer(journal: Journal) -> None:
    failure = Failure("http_500", "boom", 5)
    await journal.append(key(0), REQUEST, "fake", Completion("", "error", failure=failure))
    journal.close()
    assert [entry["failure"]["kind"] for entry in read_entries(journal.path)] == ["http_500"]
    again = Journal(journal.path)
    assert again.get(key(0)) is None
    assert (len(again), again.torn) == (0, 0)
    again.close()


def test_of_two_entries_with_one_key_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    filled(path, 1, lambda _: "first")
    filled(path, 1, lambda _: "second")
    assert texts(path, 1) == ["first"]


def test_two_processes_cannot_share_a_directory(journal: Journal) -> None:
    code = f"from pathlib import Path; from llmsynth.journal import Journal; Journal(Path({str(journal.path)!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "RunError" in other.stderr and "in use by another" in other.stderr
    with pytest.raises(RunError, match="in use by another"):
        Journal(journal.path)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        Journal(tmp_path / "file" / "journal.jsonl")


@pytest.mark.parametrize("room", [0, 1, 150])
def test_a_full_disk_leaves_no_half_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "journal.jsonl"
    before = filled(path, 3)[-1]
    write = os.write
    left = [room]

    def full(fd: int, data: memoryview) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(fd, data[: left[0]])  # as much as fits, which is how a disk fills up
        left[0] -= written
        return written

    async def work(journal: Journal) -> list[BaseException | None]:
        return await asyncio.gather(*(put(journal, i, "more") for i in (3, 4)), return_exceptions=True)

    journal = Journal(path)
    monkeypatch.setattr(os, "write", full)
    outcomes = asyncio.run(work(journal))
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert "the disk is full" in str(outcomes[0]) and str(path) in str(outcomes[0])
    with pytest.raises(StorageError):  # and it stays closed: a later line could not be trusted to be in order
        asyncio.run(put(journal, 5, "later"))
    journal.close()
    monkeypatch.undo()
    assert path.stat().st_size == before
    assert texts(path, 5) == ["answer 0", "answer 1", "answer 2", None, None]


async def test_writes_that_take_only_a_part_are_gone_on_with(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    await put(journal, 0, "in many pieces")
    monkeypatch.undo()
    assert [entry["text"] for entry in read_entries(journal.path)] == ["in many pieces"]


async def test_an_append_whose_caller_gave_up_is_still_written(journal: Journal) -> None:
    task = asyncio.create_task(put(journal, 0, "paid for"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal.close()
    assert [entry["text"] for entry in read_entries(journal.path)] == ["paid for"]


def test_every_line_is_json_that_any_tool_can_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    filled(path, 3)
    for line in path.read_bytes().splitlines():
        entry = orjson.loads(line)
        assert {"key", "stage", "prompt", "model", "messages", "sampling", "at", "text", "usage"} <= entry.keys()
