"""Publishing as the Hub's client sends by default, to a store of pieces."""

# ruff: noqa: F811  (as the names of fixtures are those of parameters)

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmsynth.errors import PublishError
from llmsynth.publish import Target, publish
from llmsynth.publish.trouble import ATTEMPTS
from tests.hub_repo import Faults
from tests.hub_server import HubServer
from tests.publishing import REPO, Make, client, environment, hub, make, shards, waits  # noqa: F401  (fixtures)

QUICK = {"HF_XET_CLIENT_RETRY_BASE_DELAY": "5ms"}  # of the client, which tries again five times by itself


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    for name, value in {**QUICK, "HF_HOME": str(tmp_path / "home"), "no_proxy": "*"}.items():
        monkeypatch.setenv(name, value)


def push(run: Path, hub: HubServer, tmp_path: Path) -> subprocess.Popen[str]:
    own = {name: value for name, value in environment(hub, tmp_path).items() if name != "HF_HUB_DISABLE_XET"}
    own |= QUICK
    command = [sys.executable, "-m", "llmsynth", "push", str(run), REPO]
    return subprocess.Popen(command, env=own, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    return process.returncode, out + err


def test_what_is_sent_in_pieces_is_what_was_made_and_is_sent_once(hub: HubServer, make: Make, tmp_path: Path) -> None:
    run = make("welsh", rows=20)
    code, said = finished(push(run, hub, tmp_path))
    assert code == 0, said
    assert not hub.received and hub.xet.blocks and set(hub.xet.blocks.values()) == {1}
    there = {path: hub.repos[REPO].head[path] for path in shards(hub)}
    made = {f"{p.parent.name}/{p.name}": p.read_bytes() for p in (run / "dataset").glob("*/*.parquet")}
    assert {path: file.sha256 for path, file in there.items()} == {
        path: hashlib.sha256(data).hexdigest() for path, data in made.items()
    }
    assert {path: file.size for path, file in there.items()} == {path: len(data) for path, data in made.items()}
    code, said = finished(push(run, hub, tmp_path))
    assert code == 0 and hub.repos[REPO].commits == 1 and set(hub.xet.blocks.values()) == {1}, said


def test_with_a_third_of_all_answers_429_or_503_it_completes(hub: HubServer, make: Make, tmp_path: Path) -> None:
    hub.fault = Faults(0.3, 1)
    code, said = finished(push(make("welsh", rows=40), hub, tmp_path))
    assert code == 0, said
    assert hub.answered[429] + hub.answered[503] > 5 and len(shards(hub)) == 20 and hub.repos[REPO].commits == 1


def test_killed_in_the_middle_it_goes_on_and_nobody_sees_a_part(hub: HubServer, make: Make, tmp_path: Path) -> None:
    run = make("welsh", rows=60)
    there: set[str] = set()
    enough = threading.Event()

    def listed(number: int) -> None:
        if number >= 8 and not enough.is_set():
            there.update(hub.xet.blocks)
            enough.set()

    hub.xet.listed = listed
    process = push(run, hub, tmp_path)
    assert enough.wait(60)
    time.sleep(0.05)  # until the sender has been told, so that it remembers
    process.kill()
    process.communicate()
    assert 8 <= len(hub.objects) < 30 and hub.repos[REPO].commits == 0
    code, said = finished(push(run, hub, tmp_path))
    assert code == 0 and hub.repos[REPO].commits == 1 and len(shards(hub)) == 30, said
    assert there and all(hub.xet.blocks[block] == 1 for block in there)


def test_interrupted_it_says_how_to_go_on(hub: HubServer, make: Make, tmp_path: Path) -> None:
    some = threading.Event()
    hub.xet.listed = lambda number: (some.set(), time.sleep(1))[1]
    process = push(make("welsh", rows=60), hub, tmp_path)
    assert some.wait(60)
    process.send_signal(signal.SIGINT)
    code, said = finished(process)
    assert code not in (0, -9) and "same command" in said and "Traceback" not in said, (code, said)
    assert hub.repos[REPO].commits == 0


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("xet-write-token", 403, "may not write to ada/welsh: .*403 Forbidden"),
        ("xet-write-token", 401, "does not accept the token: .*401"),
        ("/v1/xorbs", 402, "wants to be paid: .*402"),
        ("/v1/xorbs", 400, "the Hub answers 400: "),
    ],
)
def test_a_refusal_is_explained_at_once(
    path: str, status: int, says: str, hub: HubServer, make: Make, in_pieces: None, waits: list[float]
) -> None:
    hub.fault = lambda number, method, asked: (status, {}, "no") if path in asked else None
    with pytest.raises(PublishError, match=says) as caught:
        publish(make("welsh"), Target(REPO))
    assert not waits and "?" not in caught.value.message  # what follows an address may open the store


@pytest.mark.parametrize("status", [500, 429])
def test_a_store_that_is_down_is_waited_for_and_then_told(
    status: int, hub: HubServer, make: Make, in_pieces: None, waits: list[float]
) -> None:
    hub.fault = lambda number, method, path: (status, {}, "later") if path.startswith("/v1/xorb") else None
    with pytest.raises(PublishError, match=f"the store of the Hub answers {status}"):
        publish(make("welsh"), Target(REPO))
    assert len(waits) == ATTEMPTS - 1 and hub.repos[REPO].commits == 0
    hub.fault = None
    publish(tmp_run := make("again"), Target(REPO))
    assert len(shards(hub)) == len(list(tmp_run.glob("dataset/data/*.parquet")))
