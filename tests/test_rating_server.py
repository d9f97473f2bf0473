"""The rating page's server over loopback, and the command around it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from llmsynth.errors import RunError, StorageError
from llmsynth.rating import Server, Source, Study, choose_rows
from llmsynth.rating.log import RatingLog, read_logs
from llmsynth.rubric import Criterion, Rubric

RUBRIC = Rubric("How good?", (Criterion("truth", "is it true?"),), 1, 5, "own@1")


def write_rows(path: Path, count: int = 4) -> Path:
    rows = [{"id": f"a-{i}", "instruction": f"Question {i}?", "output": f"answer {i}"} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def server(tmp_path: Path, **options: Any) -> Server:
    items = choose_rows(Source(write_rows(tmp_path / "a.jsonl")), 10, 0).items
    return Server(tmp_path, Study("rows", RUBRIC, "a.jsonl"), items, **options)


class Client:
    """What the page would do, and what others would."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.origin = url[: url.index("/", 8)]
        self.http = http

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        sent = {"Origin": self.origin, "Content-Type": "application/json", **headers}
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self._read(self.http.post(self.url + path, data=data, headers=sent))

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return await self._read(self.http.get(self.url + path, headers=headers))

    async def _read(self, request: Any) -> tuple[int, Any]:
        async with request as answer:
            content = await answer.read()
            return answer.status, orjson.loads(
                content
            ) if answer.content_type == "application/json" else content.decode()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    serving = server(tmp_path)
    url = await serving.start()
    async with aiohttp.ClientSession() as http:
        yield Client(url, http)
    await serving.close()


async def test_a_rater_rates_to_the_end_and_everything_is_kept(client: Client, tmp_path: Path) -> None:
    status, state = await client.post("begin", {"rater": " Anna "})
    assert (status, state["rater"], state["total"]) == (200, "Anna", 4)
    while state["shown"]:
        body = {"rater": "Anna", "place": state["shown"]["place"], "marks": {"truth": 4}}
        status, state = await client.post("rate", body)
        assert status == 200
        # each is in the file before the page is told so
        assert sum("item" in line for line in read_logs(tmp_path)["anna"]) == state["done"]
    status, state = await client.post("undo", {"rater": "anna"})
    assert state["done"] == 3 and state["shown"]["earlier"]["marks"] == {"truth": 4}
    assert (await client.get("task"))[1]["criteria"] == [{"name": "truth", "ask": "is it true?", "levels": {}}]


async def test_the_page_comes_with_a_strict_policy_and_loads_nothing(client: Client) -> None:
    async with client.http.get(client.url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(|innerHTML|insertAdjacent|eval\(""", page)
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page.partition("<script>")[0])


@pytest.mark.parametrize("token", ["", "x", "a" * 32, "é" * 8])
async def test_without_the_token_nothing_is_said(client: Client, token: str) -> None:
    client.url = f"{client.origin}/{token}/"
    for path in ("", "task"):
        assert (await client.get(path))[0] in (403, 404)
    status, said = await client.post("begin", {"rater": "Anna"})
    assert status in (403, 404) and "total" not in said


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "[", ""])
async def test_another_host_name_is_refused(client: Client, host: str) -> None:
    for status, said in (
        await client.get("task", Host=host),
        await client.post("begin", {"rater": "Anna"}, Host=host, Origin=f"http://{host}"),
    ):
        assert status in (400, 403) and "total" not in said and "criteria" not in said


async def test_a_forwarded_port_works(client: Client) -> None:
    headers = {"Host": "localhost:9999", "Origin": "http://localhost:9999"}
    assert (await client.post("begin", {"rater": "Anna"}, **headers))[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost:1"])
async def test_another_origin_is_refused(client: Client, origin: str, tmp_path: Path) -> None:
    assert (await client.post("begin", {"rater": "Anna"}, Origin=origin))[0] == 403
    assert (await client.get("task", Origin=origin))[0] == 403
    assert not (tmp_path / "ratings").exists()


async def test_a_form_of_another_page_is_refused(client: Client) -> None:
    assert (await client.post("begin", {"rater": "Anna"}, **{"Content-Type": "text/plain"}))[0] == 403
    assert (await client.post("begin", {"rater": "Anna"}, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    async with client.http.post(client.url + "begin", json={"rater": "Anna"}) as answer:  # no Origin at all
        assert answer.status == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'"x"', b'{"rater": 7}', b"{}", b'{"rater": "\\ud800"}', b"\xff"]
)
async def test_bad_json_is_refused(client: Client, body: bytes) -> None:
    status, said = await client.post("begin", body)
    assert status == 400 and said["error"]


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/../../b", "..", ".x", "a\x00b", "", "x" * 99])
async def test_a_name_that_leaves_the_folder_is_refused(client: Client, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for path in ("begin", "rate", "undo"):
        assert (await client.post(path, {"rater": name, "place": 0, "marks": {"truth": 1}}))[0] == 400
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "ratings/anna.jsonl", "page.html"])
async def test_no_file_is_served(client: Client, path: str) -> None:
    assert (await client.get(path))[0] in (403, 404)


async def test_too_large_a_request_and_a_wrong_method_are_refused(client: Client) -> None:
    assert (await client.post("begin", {"rater": "x" * 100_000}))[0] == 413
    assert (await client.get("begin"))[0] == 405


async def test_a_wrong_rating_is_told_and_not_kept(client: Client, tmp_path: Path) -> None:
    for body in ({}, {"place": 9}, {"place": 0}, {"place": 0, "marks": {"truth": 9}}, {"place": 0, "choice": "left"}):
        status, said = await client.post("rate", {"rater": "Anna", **body})
        assert status == 400 and said["error"]
    assert (await client.post("undo", {"rater": "Anna"}))[1] == {"error": "there is nothing to undo"}
    assert read_logs(tmp_path) == {"anna": []}


async def test_a_full_disk_is_told_to_the_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RatingLog, line: dict[str, Any]) -> None:
        raise StorageError("cannot write anna.jsonl: the disk is full")

    monkeypatch.setattr(RatingLog, "append", full)
    status, said = await client.post("rate", {"rater": "Anna", "place": 0, "marks": {"truth": 1}})
    assert status == 507 and "the disk is full" in said["error"]
    monkeypatch.undo()
    status, state = await client.post("rate", {"rater": "Anna", "place": 0, "marks": {"truth": 1}})
    assert (status, state["done"]) == (200, 1)


async def test_a_name_that_rates_in_another_process_is_told(client: Client, tmp_path: Path) -> None:
    other = RatingLog(tmp_path / "ratings" / "anna.jsonl")
    status, said = await client.post("begin", {"rater": "Anna"})
    assert status == 409 and "another llmsynth process" in said["error"]
    other.close()
    assert (await client.post("begin", {"rater": "Anna"}))[0] == 200


async def test_a_page_for_one_rater_takes_no_other(tmp_path: Path) -> None:
    serving = server(tmp_path, rater="Anna")
    url = await serving.start()
    async with aiohttp.ClientSession() as http:
        client = Client(url, http)
        assert (await client.get("task"))[1]["rater"] == "Anna"
        assert (await client.post("begin", {"rater": "anna"}))[0] == 200
        assert (await client.post("begin", {"rater": "Ben"}))[0] == 400
    await serving.close()
    with pytest.raises(RunError, match="cannot be a rater's name"):
        server(tmp_path, rater="../x")


async def test_half_a_character_in_a_row_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "\\ud800", "instruction": "a \\ud83d", "output": "b"}\n')
    items = choose_rows(Source(tmp_path / "a.jsonl"), 10, 0).items
    serving = Server(tmp_path, Study("rows", RUBRIC, "a.jsonl"), items)
    url = await serving.start()
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            url + "rate",
            json={"rater": "Anna", "place": 0, "marks": {"truth": 1}},
            headers={"Origin": url.split("/", 3)[0] + "//" + url.split("/")[2]},
        ) as answer,
    ):
        assert answer.status == 200
    await serving.close()
    assert read_logs(tmp_path)["anna"][1]["ids"] == ["\\ud800"]


async def test_a_port_in_use_is_an_error_with_a_remedy(client: Client, tmp_path: Path) -> None:
    port = int(client.origin.rsplit(":", 1)[1])
    with pytest.raises(RunError, match=f"port {port} is in use"):
        await server(tmp_path).start(port)


# the command


@contextmanager
def rating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`llmsynth rate` in a process of its own, and the address it tells."""
    command = [sys.executable, "-m", "llmsynth", "rate", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://\S+", line):
                break
        else:
            raise AssertionError(f"no address; {process.wait()}")
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


async def rate_some(url: str, count: int, rater: str = "Anna") -> None:
    async with aiohttp.ClientSession() as http:
        client = Client(url, http)
        _, state = await client.post("begin", {"rater": rater})
        for _ in range(count):
            marks = dict.fromkeys(("correctness", "compliance", "clarity"), 4)
            _, state = await client.post("rate", {"rater": rater, "place": state["shown"]["place"], "marks": marks})


async def test_killed_it_has_lost_nothing_and_goes_on_and_ctrl_c_ends_it_with_the_report(tmp_path: Path) -> None:
    arguments = (str(write_rows(tmp_path / "a.jsonl", 6)), "-o", str(tmp_path / "home"))
    with rating(*arguments) as (process, url):
        await rate_some(url, 3)
        process.kill()
        process.wait()
    assert sum("item" in line for line in read_logs(tmp_path / "home")["anna"]) == 3
    with rating(*arguments) as (process, url):
        await rate_some(url, 2)
        await rate_some(url, 1, "Ben")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    assert "Anna: 5 rated, 0 skipped" in told and "Ben: 1 rated" in told and "correctness" in told
    kept = orjson.loads((tmp_path / "home" / "ratings" / "report.json").read_bytes())
    assert kept["studies"][0]["raters"]["Anna"]["ratings"] == 5


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    from llmsynth.cli import main

    monkeypatch.setattr(sys, "argv", ["llmsynth", "rate", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


async def test_the_report_is_printed_as_text_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = server(tmp_path)
    url = await serving.start()
    async with aiohttp.ClientSession() as http:
        await Client(url, http).post("rate", {"rater": "Anna", "place": 0, "marks": {"truth": 2}})
    await serving.close()
    assert command(monkeypatch, tmp_path / "a.jsonl", "-o", tmp_path, "--report", "--json") == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["studies"][0]["marks"]["truth"]["mean"] == 2
    assert command(monkeypatch, tmp_path / "a.jsonl", "-o", tmp_path, "--report") == 0
    assert "rows of a.jsonl, marked from 1 to 5 by own@1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.jsonl"], "is no run: where should ratings be kept?"),
        (["nothing.jsonl"], "does not exist"),
        (["a.jsonl", "-o", "home", "--report"], "holds no rating"),
        (["a.jsonl", "-o", "home", "--against", "a.jsonl"], "have the same answer too"),
        (["a.jsonl", "-o", "home", "--criteria", "nonsense"], "no prompt judge/rubrics/nonsense.yaml"),
        (["a.jsonl", "-o", "home", "--on", "nothing"], "has no column nothing"),
        (["a.jsonl", "-o", "home", "--rater", "../x"], "cannot be a rater's name"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "a.jsonl")
    assert command(monkeypatch, *arguments) == 1
    errors = capsys.readouterr().err
    assert f"error: {os.curdir}" not in errors and said in errors and "hint:" in errors
