"""Publishing to a Hub in a bad way, killed half-way, refused: what becomes of it, and what is said."""

# ruff: noqa: F811  (as the names of fixtures are those of parameters)

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmsynth import Recipe, synthesize
from llmsynth.errors import LlmsynthError, PublishError
from llmsynth.publish import Target, look_ahead, publish
from tests.hub_repo import Faults
from tests.hub_server import TOKEN, HubServer
from tests.publishing import REPO, Make, client, environment, header, hub, make, python, shards, waits  # noqa: F401  (fixtures)


@pytest.mark.parametrize("seed", range(3))
def test_with_a_third_of_all_answers_429_or_503_it_completes(
    hub: HubServer, make: Make, waits: list[float], seed: int
) -> None:
    hub.part = 1000
    hub.fault = Faults(0.3, seed, seconds=7)
    done = publish(make("welsh", rows=40), Target(REPO))
    assert done.address
    assert hub.repos[REPO].commits == 1
    assert len(shards(hub)) == 20
    assert hub.answered[429] + hub.answered[503] > 10
    assert max(waits) >= 7


def test_it_waits_as_long_as_it_is_told(hub: HubServer, make: Make, waits: list[float]) -> None:
    answers = iter([(429, {"Retry-After": "41"}, ""), (429, {"RateLimit": '"api";r=0;t=52'}, ""), (503, {}, "<html>")])
    hub.fault = lambda number, method, path: next(answers, None)
    publish(make("welsh"), Target(REPO))
    assert waits[:2] == [41, 52]
    assert 0.5 < waits[2] <= 4


def test_a_hub_that_does_not_recover_is_told_and_nothing_is_half_there(
    hub: HubServer, make: Make, waits: list[float]
) -> None:
    hub.fault = lambda number, method, path: (503, {}, "no") if "/commit/" in path else None
    with pytest.raises(PublishError, match="takes no commit") as caught:
        publish(make("welsh"), Target(REPO))
    assert "only what is missing" in caught.value.hint
    assert hub.repos[REPO].commits == 0
    hub.fault = None
    sent = dict(hub.received)
    publish(make("same"), Target(REPO))
    assert hub.received == sent


def test_a_commit_whose_answer_was_lost_is_not_made_twice(hub: HubServer, make: Make, waits: list[float]) -> None:
    hub.lose = lambda method, path: "/commit/" in path and len(hub.repos[REPO].trees) % 2 == 0
    publish(make("welsh"), Target(REPO))
    assert hub.repos[REPO].commits == 1
    hub.lose = lambda method, path: "/commit/" in path
    done = publish(make("irish", seed=1), Target(REPO, append=True))
    assert done.address == f"{hub.url}/datasets/{REPO}/commit/{hub.repos[REPO].branches['main'][-1]}"
    assert hub.repos[REPO].commits == 2
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 12
    assert len(waits) == 2


def test_somebody_elses_commit_in_between_is_merged_with(hub: HubServer, make: Make, waits: list[float]) -> None:
    publish(make("welsh"), Target(REPO))

    def edit(number: int) -> None:
        hub.stored = None
        hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("license: cc-by-4.0", "license: mit"))

    hub.stored = edit
    publish(make("irish", seed=1), Target(REPO, append=True))
    assert header(hub)["license"] == "mit"
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 12


def test_killed_in_the_middle_it_sends_only_what_is_missing_and_nobody_sees_a_part(
    hub: HubServer, make: Make, tmp_path: Path
) -> None:
    run = make("welsh", rows=60)
    enough = threading.Event()
    hub.stored = lambda number: enough.set() if number >= 12 else time.sleep(0.01)
    command = [sys.executable, "-m", "llmsynth", "push", str(run), REPO]
    process = subprocess.Popen(command, env=environment(hub, tmp_path), stderr=subprocess.PIPE, text=True)
    seen: set[int] = set()
    while not enough.is_set() and process.poll() is None:
        seen |= _seen(hub)
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert 12 <= len(hub.objects) < 30
    assert hub.repos[REPO].commits == 0
    hub.stored = None
    there = set(hub.objects)
    watching = threading.Thread(target=lambda: [seen.update(_seen(hub)) for _ in range(2000) if not time.sleep(0.001)])
    watching.start()
    done = python(["-m", "llmsynth", "push", str(run), REPO], hub, tmp_path)
    watching.join()
    assert done.returncode == 0, done.stderr
    assert all(hub.received[sha256] == 1 for sha256 in there)
    assert hub.repos[REPO].commits == 1
    assert seen == {0, 30}


def _seen(hub: HubServer) -> set[int]:
    """How many shards a reader finds on main, with a card that agrees."""
    if REPO not in hub.repos:
        return set()
    tree = hub.repos[REPO].head
    count = sum(path.endswith(".parquet") for path in tree)
    assert ("README.md" in tree) == bool(count)
    return {count}


def test_interrupted_it_says_how_to_go_on(hub: HubServer, make: Make, tmp_path: Path) -> None:
    run = make("welsh", rows=60)
    some = threading.Event()
    hub.stored = lambda number: (some.set(), time.sleep(0.05))[1]
    command = [sys.executable, "-m", "llmsynth", "push", str(run), REPO]
    process = subprocess.Popen(command, env=environment(hub, tmp_path), stderr=subprocess.PIPE, text=True)
    assert some.wait(60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "sends only what is missing" in said
    assert hub.repos[REPO].commits == 0


@pytest.mark.parametrize(
    ("repo", "token", "message", "hint"),
    [
        (REPO, "hf_wrong0123456789", "does not accept the token", "hf auth login"),
        (REPO, "", "no token", "hf auth login"),
        ("google/welsh", TOKEN, "may not write to google/welsh", "is google you"),
        ("a b/c", TOKEN, "no name of a repository", "owner/name"),
        ("a/b/c", TOKEN, "no name of a repository", "owner/name"),
    ],
)
def test_what_stands_in_the_way_is_explained(
    hub: HubServer, make: Make, monkeypatch: pytest.MonkeyPatch, repo: str, token: str, message: str, hint: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent")
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=message) as caught:
        publish(make("welsh"), Target(repo))
    assert hint in caught.value.hint
    assert not token or token not in str(caught.value)


def test_without_a_connection_it_says_so_soon(make: Make, waits: list[float]) -> None:
    with pytest.raises(PublishError, match="cannot be reached"):
        publish(make("welsh"), Target(REPO, endpoint="http://127.0.0.1:9"))
    assert len(waits) <= 3


def test_offline_is_respected(make: Make, monkeypatch: pytest.MonkeyPatch, hub: HubServer) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PublishError, match="HF_HUB_OFFLINE"):
        publish(make("welsh"), Target(REPO))
    assert hub.requests == []


def test_what_is_no_finished_dataset_is_refused(tmp_path: Path, make: Make, hub: HubServer) -> None:
    unfinished = make("unfinished")
    (unfinished / "report.json").unlink()
    (tmp_path / "nothing").mkdir()
    cases = {
        unfinished: "not finished",
        make("empty", rows=0): "has no rows",
        tmp_path / "nothing": "holds no dataset",
        tmp_path / "absent": "no directory",
    }
    for path, message in cases.items():
        with pytest.raises(PublishError, match=message):
            publish(path, Target(REPO))
    assert hub.requests == []


def test_the_token_is_nowhere_but_in_the_requests(
    hub: HubServer, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.part = 1000
    hub.fault = Faults(0.1, 1)
    run = make("welsh")
    done = python(["-m", "llmsynth", "-v", "push", str(run), REPO], hub, tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "3 of 3 files are at the Hub" in said
    assert TOKEN not in said
    assert "X-Signature" not in said  # the key of the store, for a while
    for file in (path for path in run.rglob("*") if path.is_file()):
        assert TOKEN.encode() not in file.read_bytes()
    for path in ("README.md", "recipe.yaml"):
        assert TOKEN not in hub.text(REPO, path)


def test_the_clients_own_loggers_and_bars_are_as_before(hub: HubServer, make: Make) -> None:
    from huggingface_hub.utils import are_progress_bars_disabled

    before = logging.getLogger("huggingface_hub").level, are_progress_bars_disabled()
    publish(make("welsh"), Target(REPO))
    assert (logging.getLogger("huggingface_hub").level, are_progress_bars_disabled()) == before


def test_a_dry_run_without_a_connection_lists_the_files_all_the_same(make: Make, waits: list[float]) -> None:
    told: list[str] = []
    _, remote, plan = look_ahead(make("welsh"), Target(REPO, endpoint="http://127.0.0.1:9"), told.append)
    assert remote is None
    assert len(plan.lines()) == 5
    assert told[-1].startswith(f"whether {REPO} is there already is not known: the Hub cannot be reached")


@pytest.mark.parametrize(
    ("publish", "message"),
    [
        ("{repo: ada/welsh, privat: true}", "publish.privat: unknown key"),
        ("{repo: a b}", "no name of a repository"),
        ("{repo: ada/welsh}", "there is no token"),
    ],
)
def test_what_cannot_be_published_to_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publish: str, message: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent")
    text = "{target: 3, generator: {use: self-instruct}, models: {default: {use: pocket}}, publish: " + publish + "}"
    with pytest.raises(LlmsynthError, match=message):
        synthesize(Recipe.parse(text), tmp_path / "run")
    assert not (tmp_path / "run").exists()
