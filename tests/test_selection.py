"""Selectors in a run: they choose among all that was kept, leave a reason with the rest, and cost no second answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmsynth import Recipe, Record, Result, synthesize
from llmsynth.cli.scores import score_lines
from llmsynth.dataset import RecordWriter, read_records, rewriting
from llmsynth.errors import RecipeError
from tests.test_funnel import check_sums
from tests.test_rows import lines


def selected(tmp_path: Path, *selectors: dict[str, Any], name: str = "run", **more: Any) -> Result:
    rows = [{"text": f"row {number}", "kind": "even" if number % 2 == 0 else "odd"} for number in range(3_000)]
    path = lines(tmp_path / "data.jsonl", rows)
    recipe = Recipe.from_data({"generator": {"use": "rows", "path": str(path)}, "selectors": list(selectors), **more})
    return synthesize(recipe, tmp_path / name)


def kept(result: Result) -> list[str]:
    return [record.id for record in result.records() if record.dropped is None]


def test_a_selector_decides_on_everything_that_was_kept(tmp_path: Path) -> None:
    steps = [{"use": "tests.plugins:not_first"}]
    result = selected(tmp_path, {"use": "quotas", "by": ["kind"], "each": 2}, steps=steps)
    check_sums(result.report)
    assert (
        kept(result) == ["data.jsonl:10", "data.jsonl:100", "data.jsonl:1000", "data.jsonl:1001"]
        or len(kept(result)) == 4
    )
    records = list(result.records())
    assert len(records) == 3_000 and records[0].dropped and records[0].dropped.reason == "first"
    assert {record.dropped.reason for record in records[1:] if record.dropped} == {"not_selected"}
    assert result.report["rows"]["dropped"] == {"not_selected": 2_995, "first": 1}


def test_selectors_choose_one_after_the_other(tmp_path: Path) -> None:
    one, two = {"use": "quotas", "by": ["kind"], "each": 10}, {"use": "quotas", "by": ["kind"], "n": 3}
    result = selected(tmp_path, one, two)
    check_sums(result.report)
    assert [(stage["in"], stage["kept"]) for stage in result.report["funnel"][1:]] == [(3_000, 20), (20, 3)]
    assert kept(result) == kept(selected(tmp_path, one, two, name="again"))


def test_selectors_see_vectors_of_the_texts_they_name(tmp_path: Path) -> None:
    spread = {"use": "k-center", "n": 10, "on": ["text"]}
    result = selected(tmp_path, spread, {"use": "facility-location", "n": 4, "on": ["text"]}, target=600)
    assert [stage["kept"] for stage in result.report["funnel"]][-2:] == [10, 4]
    assert result.report["funnel"][-2]["in"] == 600
    assert kept(selected(tmp_path, {**spread, "on": ["kind"]}, target=600, name="kinds"))[0] == "data.jsonl:1"


def test_it_is_told_of_how_many_texts_the_embedder_sees_nothing(tmp_path: Path) -> None:
    path = lines(tmp_path / "mixed.jsonl", [{"text": "a row" if n % 4 else "строка из таблицы"} for n in range(40)])
    data = {"generator": {"use": "rows", "path": str(path)}, "selectors": [{"use": "k-center", "n": 5, "on": ["text"]}]}
    report = synthesize(Recipe.from_data(data), tmp_path / "run").report
    assert report["notes"]["k-center: unseen by text"] == {"texts": 40, "unseen": 10}
    assert any(line.startswith("k-center: 10 of 40 texts were compared with none") for line in score_lines(report))


def test_a_target_counts_what_is_there_to_choose_from(tmp_path: Path) -> None:
    result = selected(tmp_path, {"use": "quotas", "by": ["kind"], "each": 1}, target=100)
    assert result.complete and result.report["missing"] == 0
    assert result.report["rows"]["kept"] == 2
    assert selected(tmp_path, {"use": "quotas", "by": ["kind"], "each": 1}, target=100).before


def test_a_selector_that_lacks_what_it_needs_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no record has the score 'quality'"):
        selected(tmp_path, {"use": "top-k", "score": "quality", "n": 3})


def test_unknown_selectors_and_options_are_refused() -> None:
    for selector, said in (
        ({"use": "topk"}, "did you mean top-k"),
        ({"use": "top-k", "scor": "x"}, "did you mean score"),
    ):
        with pytest.raises(RecipeError) as caught:
            Recipe.from_data({"generator": {"use": "rows", "path": "x.jsonl"}, "selectors": [selector]})
        assert caught.value.message.startswith("recipe: selectors[0].")
        assert said in caught.value.hint


def test_records_are_rewritten_while_they_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    writer = RecordWriter(folder)
    writer.write(Record(str(number), {"text": "x"}) for number in range(4_500))
    writer.close()
    with rewriting(folder) as writer:
        writer.write(record.drop("odd") if int(record.id) % 2 else record for record in read_records(folder))
    assert [record.status for record in read_records(folder)] == ["kept", "dropped"] * 2_250
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_records_that_cannot_be_rewritten_stay_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    writer = RecordWriter(folder)
    writer.write([Record("a", {"text": "x"})])
    writer.close()

    with pytest.raises(ZeroDivisionError), rewriting(folder) as writer:
        writer.write([Record("b", {})])
        raise ZeroDivisionError
    assert [record.id for record in read_records(folder)] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["records"]
