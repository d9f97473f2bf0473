"""Publishing to the Hub, whose endpoints a server on the loopback interface speaks to the real client."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import llmsynth.dataset
from llmsynth import Recipe, synthesize
from llmsynth.card import CardFacts, write_card
from llmsynth.cli import app
from llmsynth.dataset import write_dataset
from llmsynth.errors import LlmsynthError, PublishError
from llmsynth.publish import Target, look_ahead, publish
from llmsynth.record import Record
from tests.hub_server import TOKEN, Faults, HubServer

REPO = "ada/welsh"
COLUMNS = {"instruction": "string", "output": "string", "note": "int64"}


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client, online, by plain HTTP, with nobody's own token."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long client and publisher wait, without the waiting."""
    told: list[float] = []
    monkeypatch.setattr(time, "sleep", told.append)
    return told


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    (tmp_path / "store").mkdir()
    with HubServer(tmp_path / "store") as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        yield server


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes finished runs, with two rows in each shard."""
    monkeypatch.setattr(llmsynth.dataset, "GROUP_ROWS", 2)
    monkeypatch.setattr(llmsynth.dataset, "SHARD_BYTES", 1)

    def made(name: str, rows: int = 6, seed: int = 0, columns: dict[str, str] = COLUMNS, **more: Any) -> Path:
        run = tmp_path / name
        values = {"instruction": "Say hello in {}.", "output": "Helo {}" * 40, "note": None, "text": "{}"}
        records = (
            Record(f"{seed}-{n}", {c: v and v.replace("{}", f"{seed}-{n}") for c, v in values.items() if c in columns})
            for n in range(rows)
        )
        run.mkdir()
        info = write_dataset(records, run / "dataset", columns)
        facts: dict[str, Any] = {"license": "cc-by-4.0", "languages": ("en",), "generators": ("self-instruct",), **more}
        write_card(run / "dataset", CardFacts(name=f"{name} tasks", splits=(info,), **facts))
        recipe = {
            "name": name,
            "seed": seed,
            "target": rows,
            "generator": {"use": "self-instruct", "seeds": "/home/ada/private/seeds.jsonl"},
            "models": {
                "default": {"use": "openai", "model": "m", "base_url": "http://10.0.0.7/v1", "api_key_env": "K"}
            },
        }
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        (run / "journal.jsonl").write_text("")
        (run / "report.json").write_text("{}")
        return run

    return made


def header(hub: HubServer, repo: str = REPO) -> dict[str, Any]:
    return dict(yaml.safe_load(hub.text(repo, "README.md").split("---\n")[1]))


def shards(hub: HubServer, repo: str = REPO) -> list[str]:
    return sorted(path for path in hub.repos[repo].head if path.endswith(".parquet"))


def loaded(hub: HubServer, tmp_path: Path, repo: str = REPO) -> dict[str, Any]:
    """What the real `datasets` library makes of a repository, in a process of its own."""
    code = (
        "import datasets, json, sys; d = datasets.load_dataset(sys.argv[1]);"
        "print(json.dumps({s: {'rows': list(r['id']),"
        " 'types': {n: f.dtype for n, f in r.features.items()}} for s, r in d.items()}))"
    )
    done = python(["-c", code, repo], hub, tmp_path)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    return {**kept, **home, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "*"}


def python(arguments: list[str], hub: HubServer, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment(hub, tmp_path), capture_output=True, text=True, timeout=120)


def test_a_run_becomes_a_private_dataset_in_one_commit(hub: HubServer, make: Make, tmp_path: Path) -> None:
    done = publish(make("welsh"), Target(REPO))
    repo = hub.repos[REPO]
    assert repo.private
    assert repo.commits == 1
    assert done.address == f"{hub.url}/datasets/{REPO}/commit/{repo.branches['main'][-1]}"
    assert sorted(repo.head) == [
        ".gitattributes",
        "README.md",
        "data/train-00000-of-00003.parquet",
        "data/train-00001-of-00003.parquet",
        "data/train-00002-of-00003.parquet",
        "recipe.yaml",
    ]
    assert f'load_dataset("{REPO}"' in hub.text(REPO, "README.md")
    train = loaded(hub, tmp_path)["train"]
    assert train["rows"] == [f"0-{n}" for n in range(6)]
    assert train["types"] == {
        "id": "string",
        "instruction": "string",
        "output": "string",
        "note": "int64",
        "metadata": "string",
    }


def test_the_recipe_is_beside_the_data_without_addresses_folders_and_names_of_keys(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    recipe = yaml.safe_load(hub.text(REPO, "recipe.yaml"))
    assert recipe["generator"] == {"use": "self-instruct", "seeds": "seeds.jsonl"}
    assert recipe["models"] == {"default": {"use": "openai", "model": "m"}}


def test_the_dataset_of_a_run_comes_with_the_recipe_as_well(hub: HubServer, make: Make) -> None:
    publish(make("welsh") / "dataset", Target(REPO))
    assert "recipe.yaml" in hub.repos[REPO].head


def test_a_name_alone_is_the_users_own_and_public_is_said(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    publish(run, Target("mine", public=True))
    assert not hub.repos["ada/mine"].private
    publish(run, Target("lovelace/ours"))
    assert hub.repos["lovelace/ours"].private


def test_a_dry_run_lists_every_file_and_sends_nothing(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    done = CliRunner().invoke(app, ["push", str(run), REPO, "--dry-run"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"{REPO}: private, to be made"
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["add", "README.md"],
        *(["add", f"data/train-0000{n}-of-00003.parquet"] for n in range(3)),
        ["add", "recipe.yaml"],
    ]
    assert lines[1].split()[2:] == [f"{(run / 'dataset' / 'README.md').stat().st_size / 1000 - 0.011:.1f}", "kB"]
    assert lines[-1].startswith("would send 5 files, ")
    assert hub.writes == []
    assert hub.repos == {}


def test_a_dry_run_of_a_second_push_tells_what_it_would_replace_and_delete(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    before = len(hub.writes)
    _, _, plan = look_ahead(make("other", rows=4, seed=1), Target(REPO, overwrite=True))
    told = [line.split()[:2] for line in plan.lines()]
    assert told == [
        ["replace", "README.md"],
        ["add", "data/train-00000-of-00002.parquet"],
        ["add", "data/train-00001-of-00002.parquet"],
        ["replace", "recipe.yaml"],
        *(["delete", f"data/train-0000{n}-of-00003.parquet"] for n in range(3)),
    ]
    assert len(hub.writes) == before


def test_what_is_there_is_neither_sent_again_nor_refused(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    publish(run, Target(REPO))
    before = len(hub.writes)
    assert publish(run, Target(REPO)).address == ""
    assert len(hub.writes) == before
    assert hub.repos[REPO].commits == 1


def test_another_dataset_is_refused_unless_it_is_said_what_to_do(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    other = make("other", rows=4, seed=1)
    with pytest.raises(PublishError, match="there already, with 4 files") as caught:
        publish(other, Target(REPO))
    assert "--append" in caught.value.hint and "--overwrite" in caught.value.hint
    assert hub.repos[REPO].commits == 1
    publish(other, Target(REPO, overwrite=True))
    assert shards(hub) == ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 4
    assert hub.repos[REPO].commits == 2


def test_files_that_are_no_part_of_the_dataset_stay_when_it_is_overwritten(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "LICENSE", "mine")
    hub.edit(REPO, "extra/words.csv", "a\n1\n")
    config = "configs:\n- config_name: words\n  data_files: extra/*.csv\n"
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("configs:\n", config))
    publish(make("other", rows=2, seed=1), Target(REPO, overwrite=True))
    assert {"LICENSE", "extra/words.csv"} <= hub.repos[REPO].head.keys()
    assert [config["config_name"] for config in header(hub)["configs"]] == ["default", "words"]


def test_rows_are_added_behind_those_that_are_there(hub: HubServer, make: Make, tmp_path: Path) -> None:
    first, second = make("welsh"), make("irish", rows=3, seed=1, languages=("en", "ga"))
    publish(first, Target(REPO))
    old = header(hub)["dataset_info"]
    publish(second, Target(REPO, append=True))
    assert hub.repos[REPO].commits == 2
    assert shards(hub) == [f"data/train-0000{n}-of-00005.parquet" for n in range(5)]
    assert len(hub.received) == 5  # renamed at the Hub, not sent again
    new = header(hub)["dataset_info"]
    mine = yaml.safe_load((second / "dataset" / "README.md").read_text().split("---\n")[1])["dataset_info"]
    assert new["splits"][0]["num_examples"] == 9
    for key in ("download_size", "dataset_size"):
        assert new[key] == old[key] + mine[key]
    assert header(hub)["language"] == ["en", "ga"]
    assert "## Addition 2" in hub.text(REPO, "README.md")
    assert "With these rows there are 9." in hub.text(REPO, "README.md")
    assert "Their recipe is `recipe-2.yaml`." in hub.text(REPO, "README.md")
    assert yaml.safe_load(hub.text(REPO, "recipe-2.yaml"))["name"] == "irish"
    assert loaded(hub, tmp_path)["train"]["rows"] == [*(f"0-{n}" for n in range(6)), *(f"1-{n}" for n in range(3))]


def test_rows_that_are_there_are_not_added_again(hub: HubServer, make: Make) -> None:
    second = make("irish", rows=3, seed=1)
    publish(make("welsh"), Target(REPO))
    publish(second, Target(REPO, append=True))
    before = dict(hub.repos[REPO].head)
    assert publish(second, Target(REPO, append=True)).address == ""
    assert hub.repos[REPO].head == before


def test_a_run_that_has_grown_is_no_addition(hub: HubServer, make: Make, tmp_path: Path) -> None:
    publish(make("welsh"), Target(REPO))
    (tmp_path / "welsh").rename(tmp_path / "before")
    grown = make("welsh", rows=8)
    with pytest.raises(PublishError, match="holds rows of this run already") as caught:
        publish(grown, Target(REPO, append=True))
    assert "--overwrite" in caught.value.hint
    sent = sum(hub.received.values())
    publish(grown, Target(REPO, overwrite=True))
    assert sum(hub.received.values()) == sent + 1  # the only shard that is new
    assert len(shards(hub)) == 4


def test_rows_with_other_columns_are_not_added(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    with pytest.raises(PublishError, match="note is int64 there, string here, text is missing there, string here"):
        publish(make("x", seed=1, columns={**COLUMNS, "note": "string", "text": "string"}), Target(REPO, append=True))
    assert hub.repos[REPO].commits == 1


def test_rows_are_not_added_to_what_is_not_counted(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("dataset_info:", "was_info:"))
    with pytest.raises(PublishError, match="does not tell the columns, files and counts of a config 'default'"):
        publish(make("irish", seed=1), Target(REPO, append=True))


def test_what_was_added_is_gone_from_the_card_once_it_is_overwritten(hub: HubServer, make: Make) -> None:
    first = make("welsh")
    publish(first, Target(REPO))
    fresh = dict(hub.repos[REPO].head)
    publish(make("irish", rows=3, seed=1), Target(REPO, append=True))
    publish(make("breton", rows=3, seed=2), Target(REPO, append=True))
    assert "## Addition 3" in hub.text(REPO, "README.md")
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 12
    publish(first, Target(REPO, overwrite=True))
    assert {path: file.oid for path, file in hub.repos[REPO].head.items()} == {p: f.oid for p, f in fresh.items()}


def test_what_is_the_owners_is_so_after_an_addition_too(hub: HubServer, make: Make) -> None:
    first = make("welsh")
    publish(first, Target(REPO))
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("tags:\n", "tags:\n- celtic\n"))
    publish(make("irish", seed=1, languages=("en", "ga"), generators=("glan",)), Target(REPO, append=True))
    assert {"celtic", "glan", "self-instruct"} <= set(header(hub)["tags"])
    assert header(hub)["language"] == ["en", "ga"]
    publish(first, Target(REPO, overwrite=True))
    assert "celtic" in header(hub)["tags"]
    assert "glan" not in header(hub)["tags"]
    assert header(hub)["language"] == ["en"]
    assert "Addition" not in hub.text(REPO, "README.md")


def test_hand_edits_survive_three_pushes_and_counts_are_fresh(hub: HubServer, make: Make) -> None:
    publish(make("one"), Target(REPO))
    card = hub.text(REPO, "README.md").replace("license: cc-by-4.0", "license: mit\nmy_key: [1, 2]")
    hub.edit(REPO, "README.md", card.replace("## Columns", "I looked at all of these rows.\n\n## Columns"))
    for number, rows in enumerate((4, 8, 10), 1):
        publish(make(f"again-{number}", rows=rows, seed=number), Target(REPO, overwrite=True))
        found = header(hub)
        assert found["license"] == "mit"
        assert found["my_key"] == [1, 2]
        assert found["dataset_info"]["splits"][0]["num_examples"] == rows
        assert "I looked at all of these rows." in hub.text(REPO, "README.md")


def test_a_public_repository_gets_nothing_unless_public_is_said(hub: HubServer, make: Make) -> None:
    run, other = make("welsh"), make("other", seed=1)
    publish(run, Target(REPO, public=True))
    with pytest.raises(PublishError, match="is public"):
        publish(other, Target(REPO, overwrite=True))
    assert hub.repos[REPO].commits == 1
    publish(other, Target(REPO, overwrite=True, public=True))
    publish(run, Target("ada/later"))
    publish(run, Target("ada/later", public=True))
    assert not hub.repos["ada/later"].private


def test_a_change_can_be_proposed(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    done = publish(make("other", rows=2, seed=1), Target(REPO, pull=True))
    repo = hub.repos[REPO]
    assert done.address == f"{hub.url}/datasets/{REPO}/discussions/1"
    assert repo.commits == 1
    assert sum(path.endswith(".parquet") for path in repo.trees[repo.branches["refs/pr/1"][-1]]) == 1


def test_a_branch_is_made_where_it_is_named(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO, revision="draft"))
    repo = hub.repos[REPO]
    assert repo.commits == 0
    assert "recipe.yaml" in repo.trees[repo.branches["draft"][-1]]


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
    publish(make("irish", seed=1), Target(REPO, append=True))
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


def test_a_card_alone_is_no_dataset_to_be_refused_and_stays(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target("ada/other"))
    hub.repos[REPO] = repo = hub.repos.pop("ada/other")
    repo.commit("main", {".gitattributes": repo.head[".gitattributes"]}, "emptied")
    hub.edit(REPO, "README.md", "---\nlicense: mit\n---\n\n# Welsh\n\nMine.\n")
    publish(make("welsh-2"), Target(REPO))
    assert header(hub)["license"] == "mit"
    assert "Mine." in hub.text(REPO, "README.md")
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 6


def test_a_run_whose_recipe_asks_for_it_is_published_once_complete(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Say hello.", "output": "Helo"}\n' * 3)
    rows = f"{{use: rows, path: {tmp_path / 'rows.jsonl'}}}"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"{{name: asked, generator: {rows}, publish: {{repo: {REPO}}}}}")
    run = ["run", str(recipe), "-o", str(tmp_path / "run"), "-q"]
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 0, done.output
    assert f"published: {hub.url}/datasets/{REPO}/commit/" in done.stderr
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 3
    assert "publish" not in yaml.safe_load(hub.text(REPO, "recipe.yaml"))
    assert CliRunner().invoke(app, run).exit_code == 0
    assert hub.repos[REPO].commits == 1


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
