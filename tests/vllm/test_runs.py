"""Whole runs of the command line: vLLM in the same process, and served by `vllm serve`, which is started once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth.backends.openai import OpenAIBackend
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.parsing import validate
from llmsynth.request import Message, Request, Sampling
from tests.accounts import check_evolution, check_sums, check_tree, check_warning
from tests.evolving import rows_file
from tests.professor import small_taxonomy

pytestmark = pytest.mark.vllm

SERVE = Path(__file__).with_name("serve.py")
_START_SECONDS = 600.0
_RUN_SECONDS = 900.0


@pytest.fixture(scope="module")
def server(teacher: str, engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of `vllm serve` on the same model, under the name `teacher`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SERVE), teacher, "--served-model-name", "teacher"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    for name, value in engine.items():
        command.append("--" + name.replace("_", "-"))
        command += [] if value is True else [json.dumps(value) if isinstance(value, dict) else str(value)]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_healthy(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        assert process.poll() is None, f"vllm serve ended: {log.read_text('utf-8', 'replace')[-3000:]}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"vllm serve is not ready after {_START_SECONDS:g} s: {log.read_text()[-3000:]}")


def recipe(path: Path, model: dict[str, Any], **generator: Any) -> Path:
    """A small Self-Instruct run, written so that it ends by its number of requests whatever the model says."""
    method = {
        "use": "self-instruct",
        "lookahead": 4,
        "stall_requests": 100,
        "bootstrap": {"temperature": 1.0, "top_p": 0.95, "max_tokens": 300, "presence_penalty": 0.0},
        **generator,
    }
    return write(path, {**model, "sampling": {"presence_penalty": 0.0}}, method)


def write(path: Path, model: dict[str, Any], generator: dict[str, Any]) -> Path:
    data = {"name": "vllm-test", "seed": 7, "generator": generator, "models": {"default": model}}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def llmsynth(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "llmsynth", *map(str, arguments)]


def finished(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_SECONDS)
    assert done.returncode in (0, 3), done.stderr[-3000:]
    return done


def test_self_instruct_runs_with_vllm_in_the_same_process(teacher: str, engine: dict[str, Any], tmp_path: Path) -> None:
    model = {"use": "vllm", "model": teacher, "engine": engine}
    directory = tmp_path / "run"
    command = llmsynth("run", recipe(tmp_path / "recipe.yaml", model, max_requests=10), "--out", directory, "--quiet")
    done = finished(command)
    assert done.stdout.strip() == str(directory / "dataset")  # what vLLM logs is not mixed into it
    report = check_sums(directory)
    assert report["usage"]["instructions"]["answers"] == 10
    assert report["notes"]["instructions_accepted"] > 0
    before = (directory / "journal.jsonl").read_bytes()
    again = finished(command)  # finds the run finished, and starts no engine
    assert again.stdout == done.stdout
    assert (directory / "journal.jsonl").read_bytes() == before


def test_a_client_of_vllm_serve_that_was_killed_goes_on_where_it_was(server: str, tmp_path: Path) -> None:
    model = {"use": "openai", "model": "teacher", "base_url": server, "concurrency": 4}
    directory = tmp_path / "run"
    journal = directory / "journal.jsonl"
    command = llmsynth("run", recipe(tmp_path / "recipe.yaml", model, max_requests=30), "--out", directory, "--quiet")
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + _RUN_SECONDS
        while not (journal.is_file() and journal.read_bytes().count(b"\n") >= 8):
            assert client.poll() is None and time.monotonic() < give_up
            time.sleep(0.005)
    finally:
        os.kill(client.pid, signal.SIGKILL)
        client.wait()
    assert not (directory / "report.json").exists()
    answered = sum("key" in entry for entry in read_entries(journal))

    finished(command)
    report = check_sums(directory)
    assert report["journal"]["answers_found"] >= min(answered, 8)
    assert sum(stage["replayed"] for stage in report["usage"].values()) == report["journal"]["answers_found"]
    assert report["usage"]["instructions"]["answers"] == 30


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


async def test_vllm_serve_holds_answers_to_a_schema_which_check_tells(server: str, tmp_path: Path) -> None:
    backend = OpenAIBackend("teacher", server)
    journal = Journal(tmp_path / "journal.jsonl")
    model = Model(backend, journal)
    message = Message(role="user", content="Make up a person.")
    requests = [Request("person", (message,), Sampling(temperature=1.0, max_tokens=300), schema=PERSON)] * 6
    answers = [answer async for answer in model.stream(requests, 6)]
    await model.aclose()
    journal.close()
    assert not [answer for answer in answers if answer.failure]
    people = [validate(json.loads(answer.text), PERSON) for answer in answers if not answer.truncated]
    assert len(people) >= 4 and not any(people)
    told = finished(llmsynth("check", "teacher", "--base-url", server)).stdout
    assert "structured output:  yes" in told or "cut by the token limit" in told
    assert "logprobs:           yes" in told


SHORT = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 80}


def test_glan_runs_with_vllm_in_the_same_process_with_every_answer_accounted_for(
    teacher: str, engine: dict[str, Any], tmp_path: Path
) -> None:
    # the schema makes JSON even of a model that knows of none; how far down the tree that leads is the model's matter
    generator = {
        "use": "glan",
        "taxonomy": small_taxonomy(tmp_path, "fields:\n  Sciences: [Optics]\n  Crafts: [Carpentry]\n"),
        "turns": 1,
        "queries": 6,
        "attempts": 3,
        "sessions": [1, 30],
        "out_of_range": "keep",
        "max_questions": 24,
        "structure": {"temperature": 1.0, "top_p": 0.95, "max_tokens": 600},
        "question": SHORT,
        "answer": SHORT,
    }
    directory = tmp_path / "run"
    path = write(tmp_path / "recipe.yaml", {"use": "vllm", "model": teacher, "engine": engine}, generator)
    done = finished(llmsynth("run", path, "--out", directory, "--quiet"))
    report = check_tree(directory)
    assert report["notes"]["survival"]["subjects"]["tried"] == 2 * 6
    assert report["usage"]["subjects"]["answers"] >= 2 * 6
    assert (report["notes"]["subjects"] > 0) == ("syllabus" in report["usage"])
    assert report["notes"]["slots"] <= 24
    check_warning(report, done.stderr)


def test_evol_instruct_runs_with_vllm_serve_with_its_lineage_whole(server: str, tmp_path: Path) -> None:
    generator = {
        "use": "evol-instruct",
        "seeds": rows_file(tmp_path, 6),
        "rounds": 2,
        "evolve": SHORT,
        "respond": SHORT,
    }
    model = {"use": "openai", "model": "teacher", "base_url": server, "concurrency": 4}
    directory = tmp_path / "run"
    done = finished(llmsynth("run", write(tmp_path / "recipe.yaml", model, generator), "--out", directory, "--quiet"))
    report = check_evolution(directory)
    assert report["usage"]["evolve"]["answers"] == report["notes"]["evolutions"] == 6 * 2
    check_warning(report, done.stderr)
