"""A key, or a header with one, goes to the server and nowhere else: no file, no log, no traceback, no corpus."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmsynth import FakeBackend, Recipe, synthesize
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.embed.openai import OpenAIEmbedder
from llmsynth.errors import AuthenticationError, BackendError, LlmsynthError, RecipeError, UnavailableError
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Message, Request
from llmsynth.synthesis import open_run
from tests.batch_server import BatchServer
from tests.loopback import Fault, Loopback, Mixture

KEY = "sk-verysecret-0123456789"
REQUEST = Request("test", (Message(role="user", content="Largest river?"),))
TOLD = {"error": {"message": f"Incorrect key {KEY}: Bearer {KEY}"}, "headers": {"Authorization": KEY}}


def everything_in(directory: Path) -> str:
    """All that the files of a directory say; what Parquet packs is unpacked."""
    texts: list[str] = []
    for path in directory.rglob("*"):
        if path.suffix == ".parquet":
            texts.append(str(pq.read_table(path).to_pylist()) + str(pq.read_schema(path).metadata))
        if path.is_file():
            texts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(texts)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
async def test_a_server_that_repeats_the_key_is_not_quoted(
    loopback: Loopback, caplog: pytest.LogCaptureFixture, journal: Journal, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    fault = Fault("status", status, {"Retry-After": "0"}, TOLD)
    loopback.fault = lambda number, body: fault if status != 429 or number == 0 else Fault("status", 400, body=TOLD)
    opened = OpenAIBackend("teacher", loopback.url, api_key_env="TEACHER_KEY")
    shown = f"{opened!r} {opened.identity} {opened.name}"
    try:
        shown += repr(await Model(opened, journal, attempts=2).ask(REQUEST))
    except LlmsynthError as error:
        shown += f"{error!r} {''.join(traceback.format_exception(error))}"
    await opened.aclose()
    assert loopback.headers[0]["Authorization"] == f"Bearer {KEY}"
    for text in (shown, caplog.text, journal.path.read_text(encoding="utf-8")):
        assert KEY not in text


@pytest.mark.parametrize("broken_at", [None, 20])
def test_the_command_line_tells_no_key_in_a_run_full_of_faults_and_in_a_crash(
    tmp_path: Path, loopback: Loopback, broken_at: int | None
) -> None:
    mixture = Mixture(0.4)

    def tell_tale(number: int, body: dict[str, Any]) -> Fault | None:
        fault = mixture(number, body)
        if fault and fault.kind in ("hang", "stall"):
            return None  # a timeout has nothing to tell
        return Fault("status", fault.status, fault.headers, TOLD) if fault and fault.kind == "status" else fault

    loopback.fault = tell_tale
    loopback.echo = lambda body: f"You sent Bearer {KEY}"
    recipe = {
        "generator": {"use": "tests.plugins:Echoes", "count": 30, "lookahead": 30, "broken_at": broken_at},
        "models": {
            "default": {
                "use": "openai", "model": "m", "base_url": loopback.url, "api_key_env": "TEACHER_KEY",
                "attempts": 2, "timeout": 30.0,
            }
        },
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "llmsynth", "--verbose", "run", str(path), "--out", str(tmp_path / "run")],
        env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == (3 if broken_at is None else 1), done.stderr
    assert ("ZeroDivisionError" in done.stderr) == (broken_at is not None)
    assert loopback.headers[0]["Authorization"] == f"Bearer {KEY}"
    told = done.stdout + done.stderr + everything_in(tmp_path / "run")
    assert "INFO: m: http_" in done.stderr and "Bearer [key]" in told
    assert KEY not in told and not re.search(r"Bearer (?!\[key\])", told)


def test_an_answer_that_repeats_the_key_reaches_the_corpus_without_it(tmp_path: Path, loopback: Loopback) -> None:
    loopback.echo = lambda body: f"You sent me {KEY}, thanks."
    model = {"use": "openai", "model": "m", "base_url": loopback.url, "api_key_env": "TEACHER_KEY"}
    generator = {"use": "tests.plugins:Echoes", "count": 3}
    result = synthesize(Recipe.from_data({"generator": generator, "models": {"default": model}}), tmp_path / "run")
    assert [record.fields["output"] for record in result.records()] == ["You sent me [key], thanks."] * 3
    assert KEY not in everything_in(tmp_path)


@pytest.mark.parametrize("use", ["openai:OpenAIBackend", "batch:OpenAIBatchBackend"])
async def test_a_prompt_that_holds_the_key_is_neither_sent_nor_written(
    loopback: Loopback, journal: Journal, caplog: pytest.LogCaptureFixture, use: str
) -> None:
    pytest.importorskip("openai")
    caplog.set_level(logging.DEBUG)
    module, _, name = use.partition(":")
    kind = getattr(importlib.import_module(f"llmsynth.backends.{module}"), name)
    model = Model(kind("m", base_url=loopback.url, api_key_env="TEACHER_KEY"), journal)
    with pytest.raises(BackendError, match="a prompt holds the key that TEACHER_KEY names") as caught:
        await model.ask(Request("test", (Message(role="user", content=f"Call it with {KEY}"),)))
    await model.aclose()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + everything_in(journal.path.parent)
    assert loopback.requests == 0 and KEY not in told


@pytest.mark.parametrize("told", ["prompt", "answer"])
def test_a_text_that_holds_the_key_of_another_model_of_the_run_is_not_written(
    tmp_path: Path, loopback: Loopback, told: str
) -> None:
    judge = {"use": "openai", "model": "m", "base_url": loopback.url, "api_key_env": "TEACHER_KEY"}
    local = {"use": "fake", "function": "tests.plugins:last_words"}
    recipe = Recipe.from_data(
        {"generator": {"use": "tests.plugins:Echoes", "count": 3}, "models": {"default": local, "judge": judge}}
    )
    said = FakeBackend(lambda request: f"Call it with {KEY}" if request.messages[0]["content"] == "Task: 1" else "x")
    asked = Request("test", (Message(role="user", content=f"{KEY} 1"),))
    with pytest.raises(BackendError, match="holds the key that TEACHER_KEY names") as caught:
        if told == "prompt":
            with contextlib.closing(Journal(tmp_path / "run" / "journal.jsonl")) as journal:
                asyncio.run(open_run(recipe, journal, {}, None)[0].models["default"].ask(asked))
        else:
            synthesize(recipe, tmp_path / "run", backends={"default": said})
    assert KEY not in "".join(traceback.format_exception(caught.value)) + everything_in(tmp_path)


async def test_a_text_that_holds_the_key_is_not_sent_to_be_embedded(loopback: Loopback) -> None:
    embedder = OpenAIEmbedder("m", loopback.url, "TEACHER_KEY")
    with pytest.raises(BackendError, match="holds the key that TEACHER_KEY names") as caught:
        await embedder.embed(["a river", f"Call it with {KEY}"])
    told = "".join(traceback.format_exception(caught.value)) + repr(embedder)
    assert loopback.requests == 0 and KEY not in told


async def test_a_placeholder_for_a_key_is_no_secret(
    loopback: Loopback, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "river")  # what people set for a server that wants none
    loopback.echo = lambda body: "The river Nile"
    opened = OpenAIBackend("teacher", loopback.url)
    assert (await Model(opened, journal).ask(REQUEST)).text == "The river Nile"
    await opened.aclose()


@pytest.mark.parametrize("point", ["upload", "create", "poll"])
async def test_the_batch_api_tells_no_key_in_a_traceback(journal: Journal, point: str) -> None:
    pytest.importorskip("openai")
    from llmsynth.backends.batch import OpenAIBatchBackend

    with BatchServer() as server:
        server.trouble = {point: [401] * 9}
        server.says = f"Incorrect key {KEY}"
        backend = OpenAIBatchBackend("m", base_url=server.url, api_key_env="TEACHER_KEY", wait=0.01, poll=0.005)
        model = Model(backend, journal)
        with pytest.raises(AuthenticationError) as caught:
            await model.ask(REQUEST)
        await model.aclose()
    told = "".join(traceback.format_exception(caught.value)) + everything_in(journal.path.parent)
    assert "Incorrect key [key]" in told and KEY not in told


@pytest.mark.usefixtures("quick_retries")
async def test_the_password_of_a_proxy_is_told_nowhere(
    journal: Journal, loopback: Loopback, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", loopback.url.removesuffix("/v1").replace("//", "//me:hunter2@"))
    loopback.stop()
    opened = OpenAIBackend("teacher", "http://outside.example/v1")
    with pytest.raises(UnavailableError) as caught:
        await Model(opened, journal, attempts=2).ask(REQUEST)
    await opened.aclose()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + everything_in(journal.path.parent)
    assert "cannot reach http://outside.example/v1" in told and "hunter2" not in told


@pytest.mark.parametrize("url", [f"http://localhost:1/v1?key={KEY}", f"http://localhost:1/v1#{KEY}"])
def test_a_key_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RecipeError, match="goes on behind its path") as caught:
        OpenAIBackend("teacher", url)
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("key", [f"{KEY}\nexport B=2", f"“{KEY}”", f"{KEY} {KEY}", f"{KEY}\t1"])
def test_a_key_that_no_header_takes_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("TEACHER_KEY", key)
    with pytest.raises(AuthenticationError, match="TEACHER_KEY holds is no key") as caught:
        OpenAIBackend("teacher", "http://localhost:1/v1", api_key_env="TEACHER_KEY")
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(RecipeError) as caught:
        OpenAIBackend("teacher", "http://me:hunter2@localhost:8000/v1")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
