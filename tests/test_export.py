"""`llmsynth export`: from runs, folders and files to what a trainer reads, every row written or listed."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmsynth import Recipe, synthesize
from llmsynth.column_types import column_type
from llmsynth.errors import RunError, SourceError
from llmsynth.export import Source, export, lint, problem_file
from llmsynth.formats import FORMATS, Style
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_dataset import load, offline  # noqa: F401  (a fixture)
from tests.test_formats import CALLED, TALK, TOOL, turns
from tests.test_rows import lines

PAIR = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a row of each split."""
    source = lines(
        tmp_path_factory.mktemp("source") / "tasks.jsonl",
        [{"instruction": f"Task {n}", "input": f"In {n}" * (n % 2), "output": f"Out {n}"} for n in range(60)],
    )
    data = {"generator": {"use": "rows", "path": str(source)}, "splits": {"validation": 0.2, "test": 0.2}}
    return synthesize(Recipe.from_data(data), tmp_path_factory.mktemp("runs") / "run").directory


def test_a_run_is_exported_with_its_splits_and_declared_types(run: Path, tmp_path: Path) -> None:
    import datasets

    found = export(Source(run), "messages", tmp_path / "out", keep=("id",))
    assert found.read == found.fine == found.written.total() == 60
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == dict(found.written)
    assert set(found.written) == {"train", "validation", "test"}
    for rows in loaded.values():
        assert rows.features == datasets.Features(
            messages=datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")}),
            id=datasets.Value("string"),
        )
    ids = {split: set(rows["id"]) for split, rows in loaded.items()}
    original = datasets.load_dataset(str(run / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert ids == {split: set(rows["id"]) for split, rows in original.items()}
    assert [turn["role"] for turn in loaded["train"][0]["messages"]] == ["user", "assistant"]


def test_a_run_goes_to_alpaca_and_comes_back(run: Path, tmp_path: Path) -> None:
    export(Source(run, split="train"), "alpaca", tmp_path / "there.jsonl")
    original = pq.read_table(run / "dataset/data").to_pylist()
    there = rows_of(tmp_path / "there.jsonl")
    by_task = {row["instruction"]: row for row in original}
    assert all({key: by_task[row["instruction"]][key] for key in row} == row for row in there)
    assert any(row["input"] for row in there) and not all(row["input"] for row in there)
    export(Source(tmp_path / "there.jsonl"), "sharegpt", tmp_path / "sharegpt")
    export(Source(tmp_path / "sharegpt"), "messages", tmp_path / "back.jsonl")
    straight = tmp_path / "straight.jsonl"
    export(Source(tmp_path / "there.jsonl"), "messages", straight)
    assert rows_of(tmp_path / "back.jsonl") == rows_of(straight)


def test_tools_and_calls_come_back_from_the_datasets_library_with_no_key_added(tmp_path: Path) -> None:
    import datasets

    data = [{"messages": CALLED, "tools": [TOOL]}, {"messages": TALK, "tools": []}]
    export(Source(lines(tmp_path / "data.jsonl", data)), "messages", tmp_path / "out")
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded.features == datasets.Features(
        messages=datasets.List(datasets.Json()), tools=datasets.List(datasets.Json())
    )
    assert loaded.to_list() == data
    export(Source(tmp_path / "out"), "messages", tmp_path / "again.jsonl")
    assert rows_of(tmp_path / "again.jsonl") == data


def test_a_column_that_is_empty_for_9_999_rows_has_its_declared_type(tmp_path: Path) -> None:
    import datasets

    late = [{"messages": TALK[:2], "score": None} for _ in range(9_999)] + [{"messages": CALLED, "score": 0.5}]
    late[-1]["tools"] = [TOOL]
    export(Source(lines(tmp_path / "data.jsonl", late)), "messages", tmp_path / "out", keep=("score",))
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded.features == datasets.Features(
        messages=datasets.List(datasets.Json()),
        tools=datasets.List(datasets.Json()),
        score=datasets.Value("float64"),
    )
    assert loaded[0] == {"messages": TALK[:2], "tools": [], "score": None}
    assert loaded[9_999] == {"messages": CALLED, "tools": [TOOL], "score": 0.5}


@pytest.mark.parametrize(
    ("format", "row", "style"),
    [
        ("messages", {"messages": TALK}, Style()),
        ("prompt-completion", {"messages": TALK}, Style()),
        ("prompt-completion", {"messages": CALLED, "tools": [TOOL]}, Style()),
        ("prompt-completion", {"messages": TALK[:2]}, Style(plain=True)),
        ("alpaca", {"messages": TALK[:2]}, Style()),
        ("sharegpt", {"messages": TALK}, Style()),
        ("text-classification", {"messages": TALK[:2]}, Style()),
        ("preference", PAIR, Style()),
        ("preference", PAIR, Style(plain=True)),
        ("kto", PAIR, Style()),
        ("kto", PAIR, Style(plain=True)),
    ],
)
def test_every_format_loads_with_the_types_it_declares(
    format: str, row: dict[str, Any], style: Style, tmp_path: Path
) -> None:
    import datasets

    found = export(Source(lines(tmp_path / "data.jsonl", [row])), format, tmp_path / "out", style)
    columns = FORMATS[format].columns(found.needs, style)
    declared = {name: column_type(kind).feature for name, kind in columns.items()}
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded.features == datasets.Features.from_dict(declared)
    export(Source(tmp_path / "out"), format, tmp_path / "again", style)
    assert load(tmp_path / "again", tmp_path / "cache").to_list() == loaded.to_list()


def test_nulls_that_arrow_put_into_turns_and_tools_are_no_part_of_them(tmp_path: Path) -> None:
    import datasets

    add = {"name": "add", "parameters": {"a": "a number"}}
    data = [{"messages": CALLED[1:], "tools": [add, {"name": "now", "strict": True}]}]
    polluted = datasets.Dataset.from_list(json.loads(json.dumps(data).replace('"b": null', '"b": 1')))
    assert polluted[0]["tools"][0]["strict"] is None
    polluted.save_to_disk(str(tmp_path / "theirs"))
    export(Source(tmp_path / "theirs"), "messages", tmp_path / "out.jsonl")
    (row,) = rows_of(tmp_path / "out.jsonl")
    assert "null" not in json.dumps(row)
    assert row["tools"] == data[0]["tools"]


def test_classes_are_named_and_stay_classes_where_the_format_does(tmp_path: Path) -> None:
    import datasets

    labels = datasets.ClassLabel(names=["bad", "good"])
    features = datasets.Features(text=datasets.Value("string"), label=labels)
    rows = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, None]}, features=features)
    rows.save_to_disk(str(tmp_path / "theirs"))
    found = export(Source(tmp_path / "theirs"), "text-classification", tmp_path / "same")
    assert found.codes == {"null_text": 1}
    loaded = load(tmp_path / "same", tmp_path / "cache")
    assert loaded.features == features and loaded["label"][:] == [1, 0]
    export(Source(tmp_path / "theirs"), "messages", tmp_path / "chat.jsonl")
    assert [row["messages"][1]["content"] for row in rows_of(tmp_path / "chat.jsonl")] == ["good", "bad"]


def test_each_row_is_written_or_listed_with_its_place_and_reason(llmsynth: Any, tmp_path: Path) -> None:  # noqa: F811
    data = [
        {"messages": TALK},
        {"messages": TALK[:3]},
        '{"messages": ',
        {"messages": turns("system: s", *(f"{turn['role']}: {turn['content']}" for turn in TALK[:2]))},
        {"messages": TALK[:2]},
    ]
    lines(tmp_path / "data.jsonl", data)
    outcome = llmsynth("export", "data.jsonl", "--format", "alpaca", "-o", "out.jsonl")
    assert outcome.code == 3
    assert outcome.out == "out.jsonl\n"
    assert rows_of(tmp_path / "out.jsonl") == [{"instruction": "2 + 2?", "input": "", "output": "4"}]
    listed = [(row["row"], row["code"], row["place"]) for row in rows_of(tmp_path / "out.problems.jsonl")]
    assert listed == [
        ("data.jsonl:1", "no_place_for_turns", "prompt"),
        ("data.jsonl:2", "no_assistant_end", "the last turn"),
        ("data.jsonl:3", "unreadable", ""),
        ("data.jsonl:4", "no_place_for_system", "prompt"),
    ]
    assert "not written: 4 rows, listed in out.problems.jsonl" in outcome.err
    assert llmsynth("export", "data.jsonl", "-f", "alpaca", "-o", "out.jsonl").code == 1  # is there already
    again = llmsynth("export", "data.jsonl", "-f", "alpaca", "-o", "out.jsonl", "--without", "system", "--overwrite")
    assert again.code == 3 and len(rows_of(tmp_path / "out.jsonl")) == 2 and "no place for it: system 1" in again.err


def test_the_list_of_problems_goes_when_there_are_none_any_more(tmp_path: Path) -> None:
    out = tmp_path / "v1.0"
    export(Source(lines(tmp_path / "data.jsonl", [PAIR, PAIR | {"rejected": "4"}])), "preference", out)
    assert [row["code"] for row in rows_of(problem_file(out))] == ["chosen_equals_rejected"]
    assert problem_file(out) == tmp_path / "v1.0.problems.jsonl"
    export(Source(lines(tmp_path / "data.jsonl", [PAIR])), "preference", out, overwrite=True)
    assert not problem_file(out).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl", "v1.0"]


def test_lint_lists_problems_on_stdout_and_writes_nothing(llmsynth: Any, tmp_path: Path) -> None:  # noqa: F811
    lines(tmp_path / "data.jsonl", [{"messages": TALK, "tools": None}, {"messages": TALK[:1]}, {"messages": TALK}])
    outcome = llmsynth("export", "data.jsonl", "--lint")
    assert outcome.code == 3
    assert [line.split("\t")[:3] for line in outcome.out.splitlines()] == [
        ["data.jsonl:1", "null_list", "tools"],
        ["data.jsonl:2", "no_assistant_end", "the last turn"],
    ]
    assert "3 rows, 2 with problems" in outcome.err
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".yaml"] == ["data.jsonl"]
    lines(tmp_path / "data.jsonl", [{"messages": TALK}])
    assert llmsynth("export", "data.jsonl", "--lint").code == 0


def test_columns_of_other_names_are_read_as_those_of_a_format(llmsynth: Any, tmp_path: Path) -> None:  # noqa: F811
    with (tmp_path / "data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answer", "stars"), ("2 + 2?", "4, of course", "5")])
    unknown = llmsynth("export", "data.csv", "-f", "messages", "-o", "out.jsonl")
    assert unknown.code == 1 and "question, answer, stars are those of no format" in unknown.err
    assert "Try --rename question=prompt --rename answer=completion." in unknown.err
    assert "--rename" in unknown.err
    renamed = ("--rename", "question=prompt", "--rename", "answer=completion")
    outcome = llmsynth("export", "data.csv", "-f", "messages", "-o", "out.jsonl", *renamed, "--keep", "stars")
    assert outcome.code == 0
    messages = turns("user: 2 + 2?", "assistant: 4, of course")
    assert rows_of(tmp_path / "out.jsonl") == [{"messages": messages, "stars": "5"}]


def test_conversations_in_csv_are_json_text(tmp_path: Path) -> None:
    with (tmp_path / "data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("messages",), (json.dumps(TALK),)])
    export(Source(tmp_path / "data.csv"), "messages", tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl") == [{"messages": TALK}]


def test_a_preference_is_two_rows_of_kto(tmp_path: Path) -> None:
    source = Source(lines(tmp_path / "data.jsonl", [PAIR]))
    found = export(source, "kto", tmp_path / "kto.jsonl", Style(plain=True))
    assert (found.read, found.written) == (1, {"train": 2})
    assert [row["label"] for row in rows_of(tmp_path / "kto.jsonl")] == [True, False]


@pytest.mark.parametrize(
    ("rows", "target", "out", "said"),
    [
        ([{"messages": TALK}], "preference", "out", "messages cannot become preference"),
        ([{"messages": TALK[:1]}], "messages", "out", "none of its 1 rows can be written as messages"),
        ([{"messages": TALK}], "messages", "out.csv", "the ending '.csv' is not known"),
        ([{"messages": TALK}], "messages", "data.jsonl", "is what is read"),
        ([{"messages": TALK}], "chatml", "out", "there is no format 'chatml'"),
        (["[]"], "messages", "out", "holds no row that can be read"),
    ],
)
def test_what_cannot_come_to_a_good_end_is_one_error_and_leaves_nothing(
    rows: list[Any], target: str, out: str, said: str, tmp_path: Path
) -> None:
    source = Source(lines(tmp_path / "data.jsonl", rows))
    with pytest.raises((SourceError, RunError), match=said) as caught:
        export(source, target, tmp_path / out)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_a_file_holds_one_split(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has the splits train, ") as caught:
        export(Source(run), "messages", tmp_path / "out.jsonl")
    assert "--split train" in caught.value.hint
    with pytest.raises(SourceError, match="has no split 'dev'"):
        export(Source(run, split="dev"), "messages", tmp_path / "out.jsonl")
    with pytest.raises(RunError, match="is a run"):
        export(Source(tmp_path / "x", asked="messages"), "messages", run, overwrite=True)


def test_a_run_has_to_be_finished_and_to_have_kept_something(tmp_path: Path) -> None:
    path = lines(tmp_path / "tasks.jsonl", [{"instruction": "a", "output": "b"}])
    recipe = {"generator": {"use": "rows", "path": str(path)}, "steps": [{"use": "where", "keep": "words(output) > 9"}]}
    result = synthesize(Recipe.from_data(recipe), tmp_path / "run")
    with pytest.raises(SourceError, match="kept nothing"):
        export(Source(result.directory), "alpaca", tmp_path / "out")
    (result.directory / "report.json").unlink()
    with pytest.raises(SourceError, match="has not finished"):
        export(Source(result.directory), "alpaca", tmp_path / "out")


def test_the_name_of_a_split_leads_out_of_no_folder(tmp_path: Path) -> None:
    import datasets

    datasets.DatasetDict(train=datasets.Dataset.from_list([PAIR])).save_to_disk(str(tmp_path / "theirs"))
    (tmp_path / "theirs/dataset_dict.json").write_text('{"splits": ["train", "../../x"]}')
    with pytest.raises(SourceError, match="is no name of a split"):
        export(Source(tmp_path / "theirs"), "messages", tmp_path / "out")


def test_tool_rows_that_are_curated_stay_what_trainers_read(tmp_path: Path) -> None:
    data = [{"messages": CALLED, "tools": [TOOL]}, {"messages": TALK, "tools": []}]
    path = lines(tmp_path / "data.jsonl", data)
    recipe = {
        "generator": {"use": "rows", "path": str(path)},
        "steps": [{"use": "exact-duplicates", "on": ["messages"]}],
    }
    result = synthesize(Recipe.from_data(recipe), tmp_path / "run")
    rows = load(result.dataset, tmp_path / "cache", config="default")
    assert rows.select_columns(["messages", "tools"]).to_list() == data
    export(Source(result.directory), "messages", tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl") == data


def test_the_same_source_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        export(Source(run), "prompt-completion", tmp_path / name)
        found.append({path.name: path.read_bytes() for path in (tmp_path / name / "data").iterdir()})
    assert found[0] == found[1] and len(found[0]) == 3


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        source = lines(tmp_path / "data.jsonl", [{"messages": turns("user: a", "assistant: b" * 50)}] * count)
        tracemalloc.start()
        try:
            export(Source(source), "sharegpt", tmp_path / f"out-{count}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(3_600) < 1.3 * peak(1_200)


def test_lint_of_a_library_ends_with_the_counts(tmp_path: Path) -> None:
    *problems, found = lint(Source(lines(tmp_path / "data.jsonl", [PAIR, PAIR | {"chosen": ""}])))
    assert len(problems) == 1
    assert (found.read, found.fine, found.codes) == (2, 1, {"empty_content": 1})  # type: ignore[union-attr]


def test_splits_are_told_in_their_order(llmsynth: Any, run: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "out"
    told = llmsynth("export", str(run), "--format", "messages", "-o", str(out))
    found = Source(run)
    counts = {split: sum(1 for at, _ in found.rows() if at == split) for split in ("train", "validation", "test")}
    assert found.splits == list(counts) == Source(out).splits
    assert "written as messages: " + ", ".join(f"{count} {split}" for split, count in counts.items()) in told.err


def test_curation_says_which_of_several_splits_it_reads(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = {"generator": {"use": "rows", "path": str(run / "dataset")}}
    found = synthesize(Recipe.from_data(data), tmp_path / "run")
    assert "dataset: the rows of the split train are taken, those of validation, test are not" in caplog.text
    assert 0 < found.report["rows"]["in"] < 60
    caplog.clear()
    whole = synthesize(Recipe.from_data({"generator": {"use": "rows", "path": str(run)}}), tmp_path / "whole")
    assert whole.report["rows"]["in"] == 60 and "only train" not in caplog.text
