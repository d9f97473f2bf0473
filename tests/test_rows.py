"""Somebody's rows as records: every column as it was, every row that cannot be used with its reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmsynth import FakeBackend, LlmsynthError, Recipe, Result, Run, synthesize
from llmsynth.errors import RecipeError, RunError, SourceError
from llmsynth.generators.rows import Rows
from tests.chained import teacher
from tests.test_dataset import load, offline  # noqa: F401  (a fixture)


def lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def curated(path: Path, directory: Path, *steps: dict[str, Any], update: bool = False, **options: Any) -> Result:
    recipe = Recipe.from_data({"generator": {"use": "rows", "path": str(path), **options}, "steps": list(steps)})
    return synthesize(recipe, directory, update=update)


def dropped(result: Result) -> dict[str, str]:
    return {record.id: record.dropped.reason for record in result.records() if record.dropped}


TABLE: list[dict[str, Any]] = [
    {"question": "2 + 2?", "n": 1, "tags": ["a", "b"], "at": {"x": 1, "y": None}, "any": "text"},
    {"question": "3 + 3?", "n": None, "tags": [], "at": {"x": 2, "y": 0.5}, "any": 7},
]


def test_the_dataset_has_the_columns_and_types_of_the_source(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = curated(lines(tmp_path / "data.jsonl", TABLE), tmp_path / "run")
    rows = load(result.dataset, tmp_path / "cache")
    assert rows.column_names == ["id", "question", "n", "tags", "at", "any"]
    assert [str(rows.features[name].dtype) for name in ("question", "n", "any")] == ["string", "int64", "string"]
    assert [row | {"any": json.loads(row["any"])} for row in rows.select_columns(list(TABLE[0])).to_list()] == TABLE
    assert rows["id"][:] == ["data.jsonl:1", "data.jsonl:2"]
    more = load(result.dataset, tmp_path / "cache", config="full")
    assert json.loads(more["metadata"][0]) == {"generator": "rows", "source": "data.jsonl:1"}
    assert "data.jsonl: the values of any are of several kinds" in caplog.text
    assert result.complete


def parquet(path: Path) -> None:
    schema = pa.schema([("question", pa.large_string()), ("n", pa.int16()), ("at", pa.date32())])
    pq.write_table(pa.Table.from_pylist([{"question": "2 + 2?", "n": 7, "at": 1}], schema), path)


def saved(path: Path) -> None:
    import datasets

    features = datasets.Features(
        question=datasets.Value("string"), n=datasets.Value("int16"), at=datasets.Value("string")
    )
    rows = [{"question": "2 + 2?", "n": 7, "at": "1970-01-02"}]
    datasets.DatasetDict(train=datasets.Dataset.from_list(rows, features)).save_to_disk(str(path))


@pytest.mark.parametrize(("name", "write"), [("data.parquet", parquet), ("folder", saved)])
def test_declared_types_stay(name: str, write: Any, tmp_path: Path) -> None:
    write(tmp_path / name)
    rows = load(curated(tmp_path / name, tmp_path / "run", on=["question"]).dataset, tmp_path / "cache")
    assert rows.features["n"].dtype == "int16"
    assert rows.select_columns(["question", "n", "at"])[0] == {"question": "2 + 2?", "n": 7, "at": "1970-01-02"}


def test_csv_is_text_unless_types_say_more(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("question,score,ok\n2 + 2?,0.5,true\n3 + 3?,,false\n4 + 4?,high,true\n")
    plain = load(curated(path, tmp_path / "plain").dataset, tmp_path / "cache")
    assert plain["score"][:] == ["0.5", "", "high"]
    result = curated(path, tmp_path / "typed", types={"score": "float64", "ok": "bool"})
    typed = load(result.dataset, tmp_path / "cache")
    assert typed.select_columns(["score", "ok"]).to_list() == [{"score": 0.5, "ok": True}, {"score": None, "ok": False}]
    assert dropped(result) == {"data.csv:4": "wrong_type"}


def test_chosen_columns_alone_are_kept(tmp_path: Path) -> None:
    result = curated(lines(tmp_path / "data.jsonl", TABLE), tmp_path / "run", columns=["n", "question"])
    assert load(result.dataset, tmp_path / "cache").column_names == ["id", "n", "question"]
    assert {tuple(record.fields) for record in result.records()} == {("n", "question")}


def test_every_row_that_cannot_be_used_has_its_reason(tmp_path: Path) -> None:
    rows = [
        {"text": "fine"},
        "{broken",
        "[1, 2]",
        {"text": None},
        {"other": "text is missing"},
        {"text": "  \n"},
        {"text": "x" * 51},
        {"text": "fine", "other": ["y" * 51]},
        {"text": "half \ud83d"},
        {"text": "fine", "other": [{"deep": "\udc00"}]},
        {"text": "x" * 50},
    ]
    result = curated(lines(tmp_path / "data.jsonl", rows), tmp_path / "run", on=["text"], longest=50)
    reasons = [
        *("unreadable", "unreadable", "no_text", "no_text", "no_text"),
        *("too_long", "too_long", "not_unicode", "not_unicode"),
    ]
    assert dropped(result) == {f"data.jsonl:{line}": reason for line, reason in enumerate(reasons, 2)}
    counted = result.report["funnel"][0]
    assert (counted["in"], counted["kept"], counted["dropped"]["no_text"]) == (11, 2, 3)


def test_half_a_character_in_a_name_is_told_before_anything_is_done(tmp_path: Path) -> None:
    row = {"question": "a", "inner": {"\ud800": 1}}
    result = curated(lines(tmp_path / "data.jsonl", [row]), tmp_path / "run")
    assert dropped(result) == {"data.jsonl:1": "not_unicode"}
    with pytest.raises(SourceError, match=r"the name of the column .* holds half a character"):
        curated(lines(tmp_path / "more.jsonl", [{"question": "a", "\ud800": 1}]), tmp_path / "more")


def test_a_text_of_ten_megabytes_is_a_reason_and_no_trouble(tmp_path: Path) -> None:
    rows = [{"text": "word " * 2_000_000}, {"text": "short"}]
    step = {"use": "exact-duplicates", "on": ["text"]}
    result = curated(lines(tmp_path / "data.jsonl", rows), tmp_path / "run", step, on=["text"])
    assert dropped(result) == {"data.jsonl:1": "too_long"}
    sample = result.report["funnel"][0]["samples"]["too_long"]
    assert sample["detail"] == "text has 10,000,000 characters, and 1,000,000 is the most"
    assert len(sample["text"]) < 300


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": ["txet"]}, "no column 'txet'"),
        ({"columns": ["question", "m"]}, "no column 'm'"),
        ({"columns": ["n"], "on": ["question"]}, "no column 'question'"),
        ({"types": {"m": "int64"}}, "no column 'm'"),
        ({"on": ["n"]}, "the column n is no text: it holds int64, such as 1"),
        ({"on": ["question", "tags"]}, "the column tags is no text: it holds list<string>, such as ['a', 'b']"),
        ({"on": ["any"]}, "the column any is no text: it holds json, such as 7"),
    ],
)
def test_a_column_that_is_missing_or_no_text_is_a_clear_error(options: Any, said: str, tmp_path: Path) -> None:
    path = lines(tmp_path / "data.jsonl", TABLE)
    with pytest.raises(SourceError) as caught:
        curated(path, tmp_path / "run", **options)
    assert said in caught.value.message and str(path) in caught.value.message
    assert "question" in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_a_column_without_values_is_an_error_and_one_with_few_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = lines(tmp_path / "data.jsonl", [{"text": None, "rare": "x"}, *[{"rare": None}] * 9])
    with pytest.raises(SourceError, match="the column text has no value in any row"):
        curated(path, tmp_path / "run", on=["text"])
    result = curated(path, tmp_path / "run", on=["rare"])
    assert "the column rare has a value in 10.0% of the rows only" in caplog.text
    assert result.report["rows"] == {"in": 10, "kept": 1, "dropped": {"no_text": 9}, "failed": {}}


def test_bytes_are_refused_with_the_columns_that_can_stay(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "image": [b"\x00"]}), tmp_path / "data.parquet")
    with pytest.raises(SourceError, match="the column image holds binary") as caught:
        curated(tmp_path / "data.parquet", tmp_path / "run")
    assert caught.value.hint == "Leave it out: columns: [text]"
    assert curated(tmp_path / "data.parquet", tmp_path / "run", columns=["text"]).complete


@pytest.mark.parametrize(
    ("rows", "said"), [([], "holds no rows"), (["{"], "not one can be read\n  data.jsonl:1: is not")]
)
def test_a_source_without_rows_is_an_error(rows: list[Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=said):
        curated(lines(tmp_path / "data.jsonl", rows), tmp_path / "run")


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"longest": 0}, {"types": {"a": "text"}}):
        with pytest.raises(RecipeError):
            Recipe.from_data({"generator": {"use": "rows", "path": "x.jsonl", **options}})


def test_conversations_are_text(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]
    rows = [{"conversations": turns}, {"conversations": []}, {"conversations": [{"from": "gpt", "value": None}]}]
    result = curated(lines(tmp_path / "data.jsonl", rows), tmp_path / "run", on=["conversations"])
    assert dropped(result) == {"data.jsonl:2": "no_text", "data.jsonl:3": "no_text"}
    assert load(result.dataset, tmp_path / "cache")[0]["conversations"] == turns


def test_turns_that_differ_are_a_conversation_still_and_keep_what_each_has(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "add", "arguments": {"a": 2}}]}
    rows = [{"messages": [{"role": "user", "content": "2 + 2?"}, call]}, {"messages": [call]}]
    path = lines(tmp_path / "data.jsonl", rows)
    result = curated(path, tmp_path / "run", {"use": "exact-duplicates", "on": ["messages"]}, on=["messages"])
    assert dropped(result) == {"data.jsonl:2": "no_text"}
    assert load(result.dataset, tmp_path / "cache")[0]["messages"] == rows[0]["messages"]


def test_a_step_that_would_look_at_nothing_is_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "data.jsonl", TABLE)
    for step in ({"use": "exact-duplicates"}, {"use": "instruction-profile", "refusals": {"on": ["anser"]}}):
        with pytest.raises(RecipeError, match=r"steps\[0\]\.(\w+\.)?(on|words): there is no column") as caught:
            curated(path, tmp_path / "run", step)
        assert caught.value.hint == "the columns are question, n, tags, at, any"
        assert not (tmp_path / "run").exists()


def test_the_records_of_a_run_go_on_with_their_ids_provenance_and_scores(tmp_path: Path) -> None:
    first = synthesize(
        Recipe(
            target=30,
            generator={"use": "tests.plugins:Echoes"},
            models={"default": {"use": "fake", "function": "tests.plugins:last_words"}},
            steps=[{"use": "tests.plugins:odd"}],
        ),
        tmp_path / "first",
    )
    result = curated(tmp_path / "first", tmp_path / "second", {"use": "exact-duplicates", "on": ["output"]})
    theirs = {record.id: record for record in first.records() if record.dropped is None}
    for record in result.records():
        if record.dropped:
            assert record.meta["duplicate_of"]["kept_id"] in theirs
            continue
        assert (record.fields, record.meta) == (theirs[record.id].fields, theirs[record.id].meta)
    rows = load(result.dataset, tmp_path / "cache")
    assert rows.column_names == load(first.dataset, tmp_path / "cache").column_names
    assert rows["output"][:] == [f"answer {number}" for number in range(6)]
    assert rows["messages"][0][-1]["content"] == "answer 0"


def test_an_unfinished_run_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "run" / "records").mkdir(parents=True)
    (tmp_path / "run" / "recipe.yaml").write_text("name: x")
    with pytest.raises(SourceError, match="a run that has not finished"):
        curated(tmp_path / "run", tmp_path / "out")


def test_done_again_it_is_found_finished_unless_the_source_has_changed(tmp_path: Path) -> None:
    path = lines(tmp_path / "data.jsonl", TABLE)
    assert not curated(path, tmp_path / "run").before
    assert curated(path, tmp_path / "run").before
    lines(path, TABLE[:1])
    with pytest.raises(RunError, match=r"data\.jsonl is no longer what .*run was made from") as caught:
        curated(path, tmp_path / "run")
    assert "--update" in caught.value.hint
    assert curated(path, tmp_path / "run", update=True).report["rows"]["in"] == 1


def test_its_card_says_whose_rows_these_are(tmp_path: Path) -> None:
    result = curated(
        lines(tmp_path / "data.jsonl", TABLE), tmp_path / "run", {"use": "exact-duplicates", "on": ["question"]}
    )
    card = (result.dataset / "README.md").read_text()
    assert "2 rows of `data.jsonl`, curated by llmsynth." in card
    assert "synthetic" not in card and str(tmp_path) not in card


def test_reading_is_the_same_whatever_is_asked_first(tmp_path: Path) -> None:
    path = lines(tmp_path / "data.jsonl", TABLE)
    rows = Rows(str(path))
    assert [record.fields for record in rows.records()] == TABLE
    assert rows.about.columns["n"] == "int64"
    assert rows.estimate(None, None) == []  # type: ignore[arg-type]


def test_a_problem_with_the_source_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(LlmsynthError, match="does not exist"):
        curated(tmp_path / "nowhere.jsonl", tmp_path / "run")


def test_rows_can_be_the_seeds_of_another_generator(tmp_path: Path) -> None:
    rows = [{"instruction": f"Add {n} and {n}.", "output": str(2 * n), "source": "mine"} for n in range(9)]
    seeds = {"use": "rows", "path": str(lines(tmp_path / "mine.jsonl", rows)), "target": 4}
    recipe = Recipe.from_data(
        {
            "generator": {"use": "evol-instruct", "rounds": 1, "seeds": seeds},
            "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        }
    )
    result = synthesize(recipe, tmp_path / "run", backends={"default": FakeBackend(teacher)})
    records = {record.id: record for record in result.records()}
    assert [id for id in records if "@" not in id] == [f"mine.jsonl:{line}" for line in range(1, 5)]
    assert all(record.fields["source"] == "mine" for record in records.values())
    assert result.report["notes"]["seeds"]["rows"]["kept"] == 4


def test_of_a_folder_with_several_splits_it_is_told_which_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("train", "test"):
        pq.write_table(pa.table({"text": [f"a {name}"]}), tmp_path / f"{name}-00000-of-00001.parquet")
    rows = Rows(str(tmp_path))
    assert [record.fields for record in rows.records()] == [{"text": "a train"}]
    rows.validate(Run({}))
    assert caplog.text.count("of its splits train, test only train is read") == 1
    (tmp_path / "train-00000-of-00001.parquet").unlink()
    caplog.clear()
    Rows(str(tmp_path)).validate(Run({}))
    assert not caplog.text
