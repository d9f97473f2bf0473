"""Runs through the batch API: killed at any moment, and configured."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

pytest.importorskip("openai")

from llmsynth.backends.batch import OpenAIBatchBackend
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.errors import BackendError, RecipeError
from llmsynth.prices import published_price
from llmsynth.recipe import Recipe
from llmsynth.synthesis import synthesize
from tests import one_run
from tests.batch_server import BatchServer

KILLS = int(os.environ.get("LLMSYNTH_KILLS", "3"))

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.one_run"])


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(quick_retries: None) -> None:
    """Rows that are asked again are asked at once."""


def recipe(server: BatchServer, **more: Any) -> str:
    model = {"use": "openai-batch", "model": "teacher", "base_url": server.url, "wait": 0.05, "poll": 0.01}
    method = {"use": "tests.plugins:Echoes", "count": 30, "lookahead": 20, **more.pop("method", {})}
    return yaml.safe_dump(
        {
            "generator": method,
            "models": {"default": {**model, **more.pop("model", {})}},
            "steps": [{"use": "exact-duplicates"}],
            **more,
        }
    )


def start(text: str, directory: Path) -> Any:
    process = _FORKS.Process(target=one_run.run, args=(text, str(directory)))
    process.start()
    return process


def data(directory: Path) -> bytes:
    return (directory / "dataset" / "data" / "train-00000-of-00001.parquet").read_bytes()


def counts(directory: Path) -> dict[str, Any]:
    report: dict[str, Any] = orjson.loads((directory / "report.json").read_bytes())
    return report


def test_a_run_through_the_batch_api_is_a_run_like_any_other(tmp_path: Path, server: BatchServer) -> None:
    price = {"price": {"prompt": 1.0, "completion": 2.0}}
    result = synthesize(Recipe.parse(recipe(server, model=price)), tmp_path / "run")
    assert result.complete
    assert result.report["rows"]["kept"] == 30
    usage = result.report["usage"]["echo"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (300, 150)
    assert usage["cost"] == pytest.approx((300 * 1.0 + 150 * 2.0) / 1e6)
    assert server.sizes[0] == 20  # the lookahead
    assert sum(server.sizes) == 30


# where the killed process was, and how many uploads and jobs the two runs need together
MOMENTS = {"upload": (2, 1), "create": (1, 1), "created": (1, 1), "poll": (1, 1), "download": (1, 1)}


@pytest.mark.parametrize("point", MOMENTS)
def test_killed_at_any_point_of_a_job_the_next_run_submits_it_never_twice(
    tmp_path: Path, server: BatchServer, point: str
) -> None:
    text = recipe(server, method={"lookahead": 50})
    server.hold = point
    process = start(text, tmp_path / "run")
    assert server.reached.wait(30)
    process.kill()
    process.join(30)
    one_run.run(text, str(tmp_path / "run"))
    assert counts(tmp_path / "run")["rows"]["kept"] == 30
    assert (server.uploads, len(server.jobs)) == MOMENTS[point]
    assert set(server.submitted.values()) == set(server.worked.values()) == {1}


def test_killed_at_random_moments_it_ends_in_the_same_bytes_and_pays_for_no_row_twice(
    tmp_path: Path, server: BatchServer
) -> None:
    server.row = lambda number, row: (
        "expired" if row["custom_id"][0] in "01" and not server.worked[row["custom_id"]] else None
    )
    text = recipe(server, method={"count": 60, "lookahead": 25}, model={"max_requests": 10})
    one_run.run(text, str(tmp_path / "whole"))
    expired = sum(count - 1 for count in server.submitted.values())
    assert expired
    rng = random.Random(3)
    for number in range(KILLS):
        server.jobs.clear()
        server.worked.clear()
        directory = tmp_path / str(number)
        for _ in range(2):
            begun, moment = len(server.jobs), rng.randrange(4)
            process = start(text, directory)
            while len(server.jobs) < begun + moment and process.is_alive():
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
            process.join(30)
        one_run.run(text, str(directory))
        assert data(directory) == data(tmp_path / "whole")
        assert sum(count - 1 for count in server.submitted.values()) == expired
        assert sum(server.sizes) == 60 + expired


def test_ctrl_c_leaves_the_job_to_the_next_run(tmp_path: Path, server: BatchServer) -> None:
    server.hold = "poll"
    text = recipe(server, method={"lookahead": 50})
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "llmsynth", "run", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "run")],
        cwd=Path(__file__).parent.parent,
        stderr=subprocess.PIPE,
    )
    assert server.reached.wait(60)
    child.send_signal(2)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    one_run.run(text, str(tmp_path / "run"))
    assert server.sizes == [30]
    assert counts(tmp_path / "run")["rows"]["kept"] == 30


def test_its_answers_count_as_those_of_the_openai_backend() -> None:
    options = {"base_url": "http://localhost:1/v1", "extra_body": {"top_k": 1}}
    assert OpenAIBatchBackend("m", **options).identity == OpenAIBackend("m", **options).identity  # type: ignore[arg-type]


def test_the_published_price_is_that_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    direct = published_price("https://api.openai.com/v1", "gpt-4o-mini")
    price = OpenAIBatchBackend("gpt-4o-mini").price
    assert direct is not None and price is not None
    assert (price.prompt, price.completion) == (direct.prompt / 2, direct.completion / 2)
    assert OpenAIBatchBackend("unheard-of").price is None


@pytest.mark.parametrize(
    "options", [{"base_url": ["http://localhost:1/v1", "http://localhost:2/v1"]}, {"wait": -1.0}, {"max_requests": 0}]
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        OpenAIBatchBackend("m", **{"base_url": "http://localhost:1/v1", **options})


def test_without_the_package_the_recipe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(BackendError) as caught:
        OpenAIBatchBackend("m", base_url="http://localhost:1/v1")
    assert "llmsynth[batch]" in caught.value.hint


def test_how_batches_are_made_may_differ_from_run_to_run(tmp_path: Path, server: BatchServer) -> None:
    synthesize(Recipe.parse(recipe(server, target=40)), tmp_path)
    again = Recipe.parse(recipe(server, target=40, model={"wait": 0.01, "poll": 0.02, "max_requests": 3}))
    assert synthesize(again, tmp_path).report["rows"]["kept"] == 30


def test_the_openai_package_is_loaded_with_the_first_request_only() -> None:
    code = (
        "from llmsynth.backends.batch import OpenAIBatchBackend as B; import sys;"
        "B('m', base_url='http://localhost:1/v1'); print('openai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
