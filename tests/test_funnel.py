"""The funnel: at every stage, rows in = kept + dropped by reason + failed, and near nothing is said aloud."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import Completion, FakeBackend, Recipe, Record, Request, synthesize
from llmsynth.cli.funnel import funnel_table, is_thin
from llmsynth.cli.survival import warnings
from llmsynth.curation import Curation
from llmsynth.funnel import Funnel
from llmsynth.record import Drop
from llmsynth.request import Failure
from llmsynth.run import Run
from llmsynth.steps import Check


def check_sums(report: dict[str, Any]) -> None:
    before = report["rows"]["in"]
    lost: dict[str, int] = {}
    for stage in report["funnel"]:
        assert stage["in"] == before
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values()) + sum(stage["failed"].values())
        before = stage["kept"]
        for reason, count in (stage["dropped"] | stage["failed"]).items():
            lost[reason] = lost.get(reason, 0) + count
            assert stage["samples"][reason]["id"]
    assert before == report["rows"]["kept"]
    assert lost == report["rows"]["dropped"] | report["rows"]["failed"]


def test_every_stage_of_a_generating_run_is_accounted_for(tmp_path: Path) -> None:
    def answer(request: Request) -> Completion:
        number = int(request.messages[-1]["content"].split()[-1])
        failure = Failure("http_500", "boom", 5) if number % 7 == 3 else None
        return Completion("" if failure else f"answer {number // 4}", failure=failure)

    recipe = Recipe(
        target=9,
        generator={"use": "tests.plugins:Echoes", "count": 60},
        models={"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        steps=[{"use": "tests.plugins:odd"}, {"use": "exact-duplicates", "on": ["output"]}],
    )
    result = synthesize(recipe, tmp_path / "run", backends={"default": FakeBackend(answer)})
    check_sums(result.report)
    made, odd, duplicates, target = result.report["funnel"]
    assert (made["stage"], made["failed"].keys(), made["dropped"]) == ("tests.plugins:Echoes", {"http_500"}, {})
    assert (odd["stage"], odd["dropped"].keys()) == ("tests.plugins:odd", {"odd"})
    assert duplicates["dropped"].keys() == {"exact_duplicate"}
    assert (target["kept"], target["dropped"].keys()) == (9, {"beyond_target"})


@given(st.lists(st.sampled_from(["kept", "made", "failed", "one", "two"]), max_size=60), st.integers(1, 70))
def test_the_counts_do_not_depend_on_the_batches(fates: list[str], size: int) -> None:
    def fated(name: str) -> Check:
        return Check(lambda record: name if record.fields["fate"] == name else None)

    async def through(batch: int) -> list[dict[str, Any]]:
        funnel = Funnel("maker", ["one", "two"])
        out: list[Record] = []
        curation = Curation(Run({}, target=20), [fated("one"), fated("two")], out.extend, funnel, batch)
        for number, fate in enumerate(fates):
            drop = {"made": Drop("made"), "failed": Drop("failed", failed=True)}.get(fate)
            await curation.take(Record(str(number), {"fate": fate}, dropped=drop))
        await curation.settle()
        assert [record.id for record in out] == [str(number) for number in range(len(fates))]
        assert funnel.made.entered == len(fates)
        assert [stage.entered for stage in funnel.steps] == [funnel.made.kept, funnel.steps[0].kept]
        return [{key: stage[key] for key in stage if key != "seconds"} for stage in funnel.report()]

    assert asyncio.run(through(size)) == asyncio.run(through(1))


def report(kept: int, dropped: dict[str, int], **more: int) -> dict[str, Any]:
    stage = {"in": kept + sum(dropped.values()), "kept": kept, "dropped": dropped, "failed": {}}
    samples = {reason: {"id": f"row of {reason}", "detail": f"why {reason}", "text": ""} for reason in dropped}
    later = [
        {"stage": name, "in": kept, "kept": kept - count, "dropped": {name: count}, "failed": {}, "samples": {}}
        for name, count in more.items()
    ]
    stages = [{"stage": "rows", **stage, "samples": samples}, *later]
    return {"rows": {"in": stage["in"]}, "funnel": stages, "notes": {}, "usage": {}}


def test_near_nothing_is_told_with_the_reasons_that_took_most_and_a_row_of_each(tmp_path: Path) -> None:
    told = report(4, {"rare": 1, "a": 50, "b": 30, "c": 15})
    assert is_thin(told) and not is_thin(told, 0.04)
    assert warnings(told, tmp_path, pocket=False, least=0.04) == []
    assert warnings(told, tmp_path, pocket=False) == [
        "WARNING: nearly nothing survived: 4 of 100 rows",
        "  50 (50%) a, by rows; for example row of a:",
        "    why a",
        "  30 (30%) b, by rows; for example row of b:",
        "    why b",
        "  15 (15%) c, by rows; for example row of c:",
        "    why c",
    ]
    assert "pocket teacher" in warnings(told, tmp_path, pocket=True)[-1]


def test_a_round_or_level_of_which_nearly_nothing_survived_is_told_of_where_enough_rows_did(tmp_path: Path) -> None:
    told = report(60, {"a": 30, "b": 10})
    fine = {"tried": 10, "accepted": 1, "eliminated": {"b": 9}}
    tables = {"0": {"add": fine}, "1": {"add": {"tried": 9, "accepted": 0, "eliminated": {"a": 9}}, "mix": fine}}
    told["notes"] = {"survival": {**tables, "answers": {"tried": 30, "accepted": 2, "eliminated": {"a": 28}}}}
    assert warnings(told, tmp_path, pocket=False)[:4] == [
        "WARNING: nearly nothing survived",
        "  round 1: 1 of 19 accepted (9 a, 9 b)",
        "  answers: 2 of 30 accepted (28 a)",
        "  30 (30%) a, by rows; for example row of a:",
    ]
    told["notes"]["survival"] = {"1": {"mix": fine}}
    assert warnings(told, tmp_path, pocket=False) == []


def test_what_was_not_needed_was_not_lost() -> None:
    assert not is_thin(report(100, {"a": 1}, not_selected=98))
    assert not is_thin(report(100, {"a": 1}, beyond_target=99))
    assert not is_thin({"rows": {"in": 0}, "funnel": report(0, {})["funnel"]})


def test_the_table_has_a_line_for_each_stage() -> None:
    table = funnel_table(report(4_000, {"a": 50, "b": 30}, not_selected=10)).splitlines()
    assert [line.split() for line in table] == [
        ["stage", "in", "kept", "dropped", "failed", "reasons"],
        ["rows", "4,080", "4,000", "80", "0", "a", "50,", "b", "30"],
        ["not_selected", "4,000", "3,990", "10", "0", "not_selected", "10"],
    ]


@pytest.mark.parametrize("detail", ["\ud800", "x" * 9_000, "two\nlines"])
def test_a_sample_is_short_and_can_be_printed(detail: str) -> None:
    funnel = Funnel("maker")
    funnel.made.count(Record("a", {"text": detail, "list": [detail]}, dropped=Drop("why", detail)))
    sample = funnel.report()[0]["samples"]["why"]
    assert all(len(text.encode()) < 1_200 and "\n" not in text for text in sample.values())
