"""What the tests of publishing share: runs to publish, the Hub, and looks at what is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import llmsynth.shards
from llmsynth.card import CardFacts, write_card
from llmsynth.dataset import write_dataset
from llmsynth.record import Record
from tests.hub_server import TOKEN, HubServer

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
    monkeypatch.setattr(llmsynth.shards, "GROUP_ROWS", 2)
    monkeypatch.setattr(llmsynth.shards, "SHARD_BYTES", 1)

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
