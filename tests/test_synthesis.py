"""A whole run: what it promises about counts, reruns, other recipes, errors and the loops it is called in."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmsynth import FakeBackend, Recipe, Request, Result, synthesize
from llmsynth.errors import RecipeError, RunError, SourceError, UnavailableError
from llmsynth.journal import Journal, read_entries
from llmsynth.request import Completion, Failure
from tests import plugins
from tests.loopback import Fault, Loopback, reply


class Counting(FakeBackend):
    """A fake that remembers what it was asked."""

    def __init__(self, function: Callable[[Request], str | Completion]) -> None:
        self.asked: list[Request] = []
        super().__init__(lambda request: self.asked.append(request) or function(request))


def teacher() -> Counting:
    return Counting(lambda request: reply(request.messages[-1]["content"], str(request.seed)))


def echoes(target: int | None = None, steps: list[dict[str, Any]] | None = None, **options: Any) -> Recipe:
    return Recipe(
        target=target,
        generator={"use": "tests.plugins:Echoes", **options},
        models={"default": {"use": "fake", "function": "tests.plugins:last_words", "concurrency": 4}},
        steps=steps or [],
    )


def self_instruct(target: int, **options: Any) -> Recipe:
    return Recipe(
        target=target,
        generator={"use": "self-instruct", "lookahead": 4, **options},
        models={"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        steps=[{"use": "exact-duplicates"}],
    )


def run(recipe: Recipe, directory: Path, backend: Any = None, **options: Any) -> Result:
    return synthesize(recipe, directory, backends={"default": backend} if backend else None, **options)


def rows(result: Result) -> list[dict[str, Any]]:
    files = sorted(result.dataset.glob("data/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def reasons(result: Result) -> list[str | None]:
    return [record.dropped.reason if record.dropped else None for record in result.records()]


def check_sums(result: Result) -> None:
    """Rows in = kept + dropped + failed, in the report, in records/ and in dataset/ alike."""
    counted = result.report["rows"]
    assert counted["in"] == counted["kept"] + sum(counted["dropped"].values()) + sum(counted["failed"].values())
    records = list(result.records())
    assert len(records) == counted["in"]
    assert len(rows(result)) == counted["kept"] == sum(record.dropped is None for record in records)


@pytest.mark.parametrize("target", [1, 32, 45])
def test_the_target_is_met_exactly(tmp_path: Path, target: int) -> None:
    result = run(self_instruct(target), tmp_path / "run", teacher())
    assert result.complete
    assert result.report["rows"]["kept"] == target
    check_sums(result)
    assert all(row["instruction"] and row["output"] and len(row["messages"]) == 2 for row in rows(result))


def test_a_run_over_http_is_the_run_of_its_answers(tmp_path: Path, loopback: Loopback) -> None:
    loopback.latency = (0.0, 0.01)
    models = {"default": {"use": "openai", "model": "m", "base_url": loopback.url}}
    recipe = dataclasses.replace(self_instruct(40), models=models)
    result = run(recipe, tmp_path / "run")
    assert result.complete and len(rows(result)) == 40
    check_sums(result)
    usage = result.report["usage"].values()
    assert sum(stage["answers"] for stage in usage) == loopback.requests
    assert sum(stage["prompt_tokens"] for stage in usage) > 0
    assert len(list(read_entries(tmp_path / "run" / "journal.jsonl"))) == loopback.requests


def test_every_reply_is_accounted_for_ugly_ones_too(tmp_path: Path) -> None:
    result = run(self_instruct(60), tmp_path / "run", teacher())
    dropped = result.report["rows"]["dropped"]
    assert dropped["too_short"] and dropped["blacklisted_word"] and dropped["not_novel"]
    check_sums(result)


def test_exact_duplicates_are_dropped_and_a_check_gives_its_reason(tmp_path: Path) -> None:
    steps = [{"use": "tests.plugins:odd"}, {"use": "exact-duplicates", "on": ["output"]}]
    result = run(echoes(steps=steps, count=100), tmp_path / "run")
    assert result.report["rows"] == {
        "in": 100,
        "kept": 10,
        "dropped": {"odd": 50, "exact_duplicate": 40},
        "failed": {},
    }
    assert [row["output"] for row in rows(result)] == [f"answer {i}" for i in range(10)]
    check_sums(result)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first, second = teacher(), teacher()
    one = run(self_instruct(20), tmp_path / "run", first)
    written = (tmp_path / "run" / "report.json").stat().st_mtime_ns
    two = run(self_instruct(20), tmp_path / "run", second)
    assert first.asked and not second.asked
    assert two.report == one.report and two.complete
    assert (tmp_path / "run" / "report.json").stat().st_mtime_ns == written


def test_a_run_whose_report_is_lost_is_replayed_without_a_request(tmp_path: Path) -> None:
    one = run(echoes(20), tmp_path / "run", Counting(plugins.last_words))
    before = rows(one)
    (tmp_path / "run" / "report.json").unlink()
    again = Counting(plugins.last_words)
    two = run(echoes(20), tmp_path / "run", again)
    assert rows(two) == before
    assert two.report["usage"]["echo"]["replayed"] >= 20
    assert len(again.asked) <= 8  # what lies beyond the target and was never asked


def test_speed_is_not_part_of_the_recipe(tmp_path: Path) -> None:
    run(echoes(20), tmp_path / "run")
    recipe = echoes(20)
    recipe.models["default"]["concurrency"] = 9
    again = Counting(plugins.last_words)
    run(recipe, tmp_path / "run", again)
    assert not again.asked


def test_the_directory_of_another_recipe_is_refused_and_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    run(echoes(20), directory)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="target") as caught:
        run(echoes(30), directory)
    assert "--update" in caught.value.hint
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_raising_the_target_asks_for_what_is_new_only(tmp_path: Path) -> None:
    first, second, whole = teacher(), teacher(), teacher()
    run(self_instruct(20), tmp_path / "run", first)
    result = run(self_instruct(60), tmp_path / "run", second, update=True)
    reference = run(self_instruct(60), tmp_path / "other", whole)
    assert rows(result) == rows(reference) and len(rows(result)) == 60
    assert {r.messages for r in map(frozen, first.asked)} & {r.messages for r in map(frozen, second.asked)} == set()
    assert len(second.asked) < len(whole.asked)


def frozen(request: Request) -> Any:
    """The request with messages that can be put into a set."""
    return Request(request.stage, tuple((m["role"], m["content"]) for m in request.messages))  # type: ignore[misc]


@pytest.mark.parametrize("leftover", [[], ["journal.jsonl"], [".recipe.yaml.partial", "journal.jsonl"]])
def test_what_a_kill_at_the_very_beginning_leaves_is_no_obstacle(tmp_path: Path, leftover: list[str]) -> None:
    for name in leftover:
        (tmp_path / name).touch()
    assert run(echoes(5), tmp_path).complete


def test_a_directory_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="holds no run"):
        run(echoes(5), tmp_path)
    with pytest.raises(RunError, match="is a file"):
        run(echoes(5), tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", [b"", b"{open", b"- list", b"\xff"])
def test_a_spoilt_recipe_in_the_directory_is_named(tmp_path: Path, text: bytes) -> None:
    run(echoes(5), tmp_path)
    (tmp_path / "recipe.yaml").write_bytes(text)
    with pytest.raises(RunError, match=r"recipe\.yaml"):
        run(echoes(5), tmp_path)


def test_a_mistake_found_at_the_start_does_not_claim_the_directory(tmp_path: Path) -> None:
    backend = teacher()
    with pytest.raises(SourceError):
        run(self_instruct(5, seeds="no-such-file.jsonl"), tmp_path / "run", backend)
    assert not backend.asked
    assert run(self_instruct(5), tmp_path / "run", backend).complete


def test_a_directory_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    run(echoes(5), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in ("recipe.yaml", "report.json")}
    holder = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(RunError, match="in use by another"):
        run(echoes(6), tmp_path, update=True)
    holder.close()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    "recipe",
    [echoes(20, broken_at=7), echoes(50, steps=[{"use": "tests.plugins:broken"}])],
    ids=["generator", "step"],
)
def test_a_bug_keeps_its_traceback_and_what_was_answered_and_leaves_no_report(tmp_path: Path, recipe: Recipe) -> None:
    backend = Counting(plugins.last_words)
    with pytest.raises(ZeroDivisionError):
        run(recipe, tmp_path, backend)
    assert not (tmp_path / "report.json").exists()
    assert len(list(read_entries(tmp_path / "journal.jsonl"))) == len(backend.asked) > 0


def test_an_error_after_a_finished_run_leaves_no_report_of_it(tmp_path: Path) -> None:
    run(echoes(5), tmp_path)
    with pytest.raises(ZeroDivisionError):
        run(echoes(20, broken_at=7), tmp_path, update=True)
    assert not (tmp_path / "report.json").exists()


def test_failed_rows_are_data_and_are_asked_again_by_the_next_run(tmp_path: Path) -> None:
    def shaky(request: Request) -> Completion:
        number = int(request.messages[0]["content"].split()[-1])
        failure = Failure("http_500", "boom", 5) if number % 3 == 0 else None
        return Completion(f"answer {number}", failure=failure)

    one = run(echoes(count=12), tmp_path, Counting(shaky))
    assert one.report["rows"] == {"in": 12, "kept": 8, "dropped": {}, "failed": {"http_500": 4}}
    assert not one.complete
    check_sums(one)
    healed = Counting(lambda request: "answer at last")
    two = run(echoes(count=12), tmp_path, healed)
    assert [request.messages[0]["content"] for request in healed.asked] == [f"Task: {i}" for i in (0, 3, 6, 9)]
    assert two.complete and two.report["rows"]["kept"] == 12


def test_failures_do_not_stop_a_run_from_meeting_its_target(tmp_path: Path) -> None:
    def shaky(request: Request) -> str | Completion:
        if request.seed % 5 == 0:
            return Completion("", failure=Failure("timeout", "slow", 5))
        return reply(request.messages[-1]["content"], str(request.seed))

    result = run(self_instruct(30), tmp_path, Counting(shaky))
    assert result.report["rows"]["kept"] == 30 and result.report["rows"]["failed"]["timeout"] > 0
    assert not result.complete  # some rows wait to be asked again
    check_sums(result)


@pytest.mark.usefixtures("quick_retries")
def test_a_server_that_goes_away_ends_the_run_resumably(tmp_path: Path, loopback: Loopback) -> None:
    models = {"default": {"use": "openai", "model": "m", "base_url": loopback.url, "concurrency": 4, "attempts": 2}}
    recipe = dataclasses.replace(echoes(count=40), models=models)

    def go_away(number: int, body: dict[str, Any]) -> Fault | None:
        if number == 20:
            threading.Thread(target=loopback.stop).start()
        return Fault("hang") if number >= 20 else None

    loopback.fault = go_away
    with pytest.raises(UnavailableError, match="cannot reach"):
        run(recipe, tmp_path)
    assert not (tmp_path / "report.json").exists()
    answered = len(list(read_entries(tmp_path / "journal.jsonl")))
    before = loopback.requests
    loopback.fault = None
    loopback.start()
    result = run(recipe, tmp_path)
    assert result.complete and result.report["rows"]["kept"] == 40
    assert answered == 20 and loopback.requests - before == 20


async def test_it_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    assert run(echoes(10), tmp_path, Counting(plugins.last_words)).complete
    with pytest.raises(ZeroDivisionError):
        run(echoes(20, broken_at=7), tmp_path, update=True)


def test_a_notebooks_stop_button_stops_the_run_and_keeps_what_is_in_flight(tmp_path: Path) -> None:
    asked = threading.Event()

    async def cell() -> None:
        recipe = echoes(count=1_000_000)
        run(recipe, tmp_path, Counting(lambda request: asked.set() or plugins.last_words(request)))

    def press() -> None:
        asked.wait(20)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press).start()
    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    Journal(tmp_path / "journal.jsonl").close()  # nobody works on behind the scenes
    assert len(list(read_entries(tmp_path / "journal.jsonl"))) > 0
    assert not (tmp_path / "report.json").exists()


def test_a_watcher_sees_the_run_at_its_end(tmp_path: Path) -> None:
    kept = []
    run(echoes(10), tmp_path, watch=lambda seen: kept.append(seen.tally.kept))
    assert kept[-1] == 10


@pytest.mark.parametrize(("check", "warned"), [("tests.plugins:never", True), ("tests.plugins:odd", False)])
def test_that_hardly_anything_survives_is_told_while_there_is_money_left(
    check: str, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = echoes(target=200, steps=[{"use": check}], count=500)
    synthesize(recipe, tmp_path / "run")
    said = [record.getMessage() for record in caplog.records if "of the first" in record.getMessage()]
    assert len(said) == warned and all("0 of the first 2" in text and "(never 2" in text for text in said)


@pytest.mark.parametrize(
    ("selector", "missing"),
    [
        ({"use": "threshold", "score": "heuristic", "least": 0.0}, "the score 'heuristic'"),
        ({"use": "threshold", "score": "heuristics", "least": 0.0}, ""),
        ({"use": "quotas", "by": ["generater"], "each": 9}, "a value of 'generater'"),
        ({"use": "quotas", "by": ["instruction"], "each": 9}, ""),
    ],
)
def test_that_no_row_has_what_is_chosen_by_is_told_while_there_is_money_left(
    selector: dict[str, Any], missing: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = echoes(target=400, steps=[{"use": "heuristics"}], count=400)
    recipe = dataclasses.replace(recipe, selectors=[selector])
    try:
        synthesize(recipe, tmp_path / "run")
    except RecipeError as error:
        assert missing and missing in error.message
    said = [record.getMessage() for record in caplog.records if "goes by" in record.getMessage()]
    assert len(said) == bool(missing) and all(f"{missing}, which selectors[0] goes by" in text for text in said)


@pytest.mark.parametrize(("by", "warned"), [("familly", True), ("instruction", False)])
def test_that_no_row_has_what_the_splits_go_by_is_told_while_there_is_money_left(
    by: str, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = dataclasses.replace(echoes(count=400), splits={"test": 0.1, "by": [by]})
    synthesize(recipe, tmp_path / "run")
    said = [record.getMessage() for record in caplog.records if "has a value of" in record.getMessage()]
    assert len(said) == warned and all("'familly', which splits.by goes by" in text for text in said)
