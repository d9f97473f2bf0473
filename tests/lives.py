"""Runs that are to end in the same bytes however often their processes are killed."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path
from typing import Any

import orjson
import yaml

from tests import one_run
from tests.loopback import Loopback

KILLS = int(os.environ.get("LLMSYNTH_KILLS", "6"))  # of each test that kills at random moments
CONCURRENCY = 8

# runs in children of a server that has imported everything already, and has no threads that a fork would break
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.one_run"])


def recipe(server: Loopback, generator: str = "self-instruct", **more: Any) -> str:
    """A recipe against a server; `method` and `model` are options of its generator and its model."""
    options = {"concurrency": CONCURRENCY, **more.pop("model", {})}
    method = {"use": generator, "lookahead": 8, **more.pop("method", {})}
    return yaml.safe_dump(
        {
            "name": "repeated",
            "generator": method,
            "models": {"default": {"use": "openai", "model": "teacher", "base_url": server.url, **options}},
            "steps": [{"use": "exact-duplicates"}],
            **more,
        }
    )


def start(text: str, directory: Path, first_wait: float | None = None) -> Any:
    """Run a recipe in a process of its own. `first_wait`: seconds there before the second attempt at a request."""
    process = _FORKS.Process(target=one_run.run, args=(text, str(directory), first_wait))
    process.start()
    return process


def finish(text: str, directory: Path) -> None:
    """Run a recipe in this process, to its end."""
    one_run.run(text, str(directory))


def contents(directory: Path) -> dict[str, str]:
    """A digest of every file of the dataset."""
    folder = directory / "dataset"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def report(directory: Path) -> dict[str, Any]:
    """The report without what may differ: times, and what was on its way when the target was met."""
    content: dict[str, Any] = orjson.loads((directory / "report.json").read_bytes())
    return {key: content[key] for key in ("complete", "target", "rows", "notes")}
