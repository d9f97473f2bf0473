"""Whatever a server does, every row ends kept, dropped or failed with its reason, and the next run mends the rest."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Recipe, Result, synthesize
from llmsynth.errors import AuthenticationError, LlmsynthError, ModelNotFoundError
from llmsynth.journal import read_entries
from tests.loopback import ODD_ANSWERS, WAY_FAULTS, Fault, Loopback, Mixture

pytestmark = pytest.mark.usefixtures("quick_retries")


def recipe(server: Loopback, generator: dict[str, Any], target: int | None = None, **model: Any) -> Recipe:
    spec = {"use": "openai", "model": "m", "base_url": server.url, "served_as": "here", "timeout": 0.5, **model}
    steps = [{"use": "exact-duplicates"}]
    return Recipe.from_data({"generator": generator, "models": {"default": spec}, "steps": steps, "target": target})


def echoes(server: Loopback, count: int, **model: Any) -> Recipe:
    return recipe(server, {"use": "tests.plugins:Echoes", "count": count, "lookahead": 100}, **model)


def bootstrap(server: Loopback, target: int, **model: Any) -> Recipe:
    return recipe(server, {"use": "self-instruct", "lookahead": 4}, target, **model)


def check(result: Result) -> None:
    """Every row has one end and a reason for it, the sums hold, no id comes twice."""
    rows = result.report["rows"]
    records = list(result.records())
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values()) == len(records)
    assert len({record.id for record in records}) == len(records)
    assert all(record.dropped is None or record.dropped.reason for record in records)
    written = list(read_entries(result.directory / "journal.jsonl"))
    keys = [entry["key"] for entry in written if "key" in entry]
    assert len(set(keys)) == len(keys)


def dataset(result: Result) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in result.dataset.rglob("*") if path.is_file()}


def dying(server: Loopback, at: int, otherwise: Mixture) -> Mixture:
    """The faults of a server that also dies with its n-th request, and is back in a fraction of a second."""

    def restart() -> None:
        server.stop()
        time.sleep(0.2)
        server.start()

    @dataclass(frozen=True)
    class Dying(Mixture):
        def __call__(self, number: int, body: dict[str, Any]) -> Fault | None:
            if number == at:
                threading.Thread(target=restart).start()
            return super().__call__(number, body)

    return Dying(otherwise.share, otherwise.odd, otherwise.seed)


def mend(make: Any, server: Loopback, directory: Path, faults: Mixture) -> tuple[Result, Result, Result]:
    """A run with faults, the same again without, and one that never met any; all with the same odd answers."""
    server.fault = faults
    ill = synthesize(make(server), directory / "run")
    check(ill)
    server.fault = Mixture(0.0, faults.odd)
    mended = synthesize(make(server), directory / "run")
    check(mended)
    return ill, mended, synthesize(make(server), directory / "faultless")


def test_each_fault_is_met_by_the_mixture(loopback: Loopback) -> None:
    mixture = Mixture(0.3, 0.1)
    met = [mixture(number, {"prompt": f"p {number}"}) for number in range(5_000)]
    faults = [fault for fault in met if fault]
    assert {fault.kind for fault in faults} == {fault.kind for fault in WAY_FAULTS} | set(ODD_ANSWERS)
    assert 0.33 < len(faults) / 5_000 < 0.41


def test_a_run_through_all_faults_accounts_for_every_row_and_is_mended_by_the_next(
    tmp_path: Path, loopback: Loopback
) -> None:
    ill, mended, faultless = mend(lambda server: echoes(server, 400), loopback, tmp_path, Mixture(0.3, 0.1))
    assert ill.report["rows"]["in"] == 400
    assert set(ill.report["rows"]["failed"]) <= {
        "http_400", "http_500", "http_502", "http_503", "timeout", "bad_reply", "connection_lost",
    }  # fmt: skip
    assert ill.report["rows"]["failed"]["http_400"] > 0 and "http_429" not in ill.report["rows"]["failed"]
    assert mended.complete and mended.report["rows"]["failed"] == {}
    assert dataset(mended) == dataset(faultless)
    lost = sum(ill.report["rows"]["failed"].values())
    assert sum(stage["answers"] - stage["replayed"] for stage in mended.report["usage"].values()) == lost


def test_a_pool_that_grew_around_failed_requests_is_grown_again_as_without_them(
    tmp_path: Path, loopback: Loopback
) -> None:
    faults = Mixture(0.3, 0.05, seed=1)
    ill, mended, faultless = mend(lambda server: bootstrap(server, 60, attempts=2), loopback, tmp_path, faults)
    assert ill.report["usage"]["instructions"]["failed"]
    assert mended.complete
    assert dataset(mended) == dataset(faultless)


@pytest.mark.slow
def test_five_thousand_rows_through_all_faults_of_a_server_that_wakes_slowly_and_dies(
    tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.model._FIRST_WAIT", 0.1)  # five attempts outlast the death
    loopback.slow_start = (100, 0.3)
    faults = dying(loopback, 2_000, Mixture(0.3, 0.1, 2))
    ill, mended, faultless = mend(lambda server: echoes(server, 5_000), loopback, tmp_path, faults)
    assert ill.report["rows"]["in"] == 5_000 and ill.report["rows"]["failed"]
    assert mended.complete
    assert dataset(mended) == dataset(faultless)


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (404, ModelNotFoundError)])
def test_a_key_that_is_withdrawn_in_the_midst_ends_the_run_resumably(
    tmp_path: Path, loopback: Loopback, status: int, error: type[LlmsynthError]
) -> None:
    faults = Mixture(0.3)
    loopback.fault = lambda number, body: Fault("status", status) if number == 150 else faults(number, body)
    with pytest.raises(error):
        synthesize(echoes(loopback, 300), tmp_path)
    answered = sum("key" in entry for entry in read_entries(tmp_path / "journal.jsonl"))
    assert answered > 50 and not (tmp_path / "report.json").exists()
    loopback.fault = None
    result = synthesize(echoes(loopback, 300), tmp_path)
    check(result)
    assert result.complete and result.report["usage"]["echo"]["replayed"] == answered


def test_a_server_that_dies_and_comes_back_at_once_costs_no_row(
    tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.model._FIRST_WAIT", 0.3)
    loopback.fault, loopback.latency = dying(loopback, 100, Mixture(0.0)), (0.0, 0.01)
    result = synthesize(echoes(loopback, 300), tmp_path)
    check(result)
    assert result.complete and result.report["rows"]["in"] == 300


def test_a_server_that_wakes_up_slowly_is_waited_for(tmp_path: Path, loopback: Loopback) -> None:
    loopback.slow_start = (30, 0.4)
    result = synthesize(echoes(loopback, 100, timeout=10.0), tmp_path)
    assert result.complete and loopback.requests == 100


def test_being_refused_now_and_then_uses_up_no_attempt(tmp_path: Path, loopback: Loopback) -> None:
    faults = (Fault("status", 429), Fault("status", 429, {"Retry-After": "0.01"}))
    loopback.fault = lambda number, body: faults[number % 2] if number % 3 == 0 else None
    result = synthesize(echoes(loopback, 60, attempts=1), tmp_path)
    check(result)
    assert result.complete and result.report["rows"]["in"] == 60


def test_no_fault_is_logged_as_an_error_of_ours(
    tmp_path: Path, loopback: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    loopback.fault = Mixture(0.5, 0.2, seed=4)
    check(synthesize(echoes(loopback, 150), tmp_path))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
