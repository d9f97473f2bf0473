"""What lands on disk: declared types, whole or not at all, the same bytes for the same records."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import llmsynth.shards as shards
from llmsynth.dataset import DatasetInfo, RecordWriter, read_records, write_configs, write_dataset
from llmsynth.errors import LlmsynthError, RunError, StorageError
from llmsynth.record import Drop, Record
from llmsynth.sources import read_rows
from llmsynth.sources.survey import survey

ALPACA = {"instruction": "string", "input": "string", "output": "string"}
COLUMNS = {**ALPACA, "messages": "messages"}


def record(number: int, **fields: Any) -> Record:
    instruction, output = f"Translate NASA into Welsh, attempt {number}.", f"Answer {number} – 日本\u0000 ```"
    turns = [{"role": "user", "content": instruction}, {"role": "assistant", "content": output}]
    return Record(
        f"si-{number:04}",
        {"instruction": instruction, "input": "", "output": output, "messages": turns, **fields},
        {"model": "teacher", "journal": [f"key{number}"]},
        {"novelty": 0.25},
    )


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def load(folder: Path, cache: Path, split: str = "train", config: str | None = None) -> Any:
    import datasets

    return datasets.load_dataset(str(folder), config, split=split, cache_dir=str(cache))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards and groups so small that a few rows fill several."""
    monkeypatch.setattr(shards, "GROUP_ROWS", 4)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1_500)


def test_the_datasets_library_loads_what_was_written(tmp_path: Path) -> None:
    records = [record(0), record(1).drop("too_similar"), record(2)]
    info = write_dataset(records, tmp_path / "out", COLUMNS)
    rows = load(tmp_path / "out", tmp_path / "cache")
    assert rows.column_names == ["id", "instruction", "input", "output", "messages"] == list(info.columns)
    assert rows["id"][:] == ["si-0000", "si-0002"]
    assert rows[1]["messages"] == records[2].fields["messages"]
    assert rows[1]["output"] == records[2].fields["output"]


def both(records: Iterable[Record], folder: Path, columns: dict[str, str] = COLUMNS) -> tuple[DatasetInfo, ...]:
    return write_configs(records, folder, columns, lambda record: record.meta.get("split", "train"))


def full(folder: Path) -> Any:
    """The rows of the config with provenance, as the files have them."""
    return pq.read_table(folder / "full" / "train-00000-of-00001.parquet")


def test_where_rows_come_from_is_a_config_of_its_own(tmp_path: Path) -> None:
    infos = both([record(0), record(1).drop("too_similar"), record(2)], tmp_path / "out")
    told = {info.config: info for info in infos if info.split == "train"}
    assert set(told) == {"default", "full"}
    rows = full(tmp_path / "out")
    assert rows.column_names == list(told["full"].columns) == [*told["default"].columns, "metadata"]
    assert told["full"].provenance == "metadata"
    assert json.loads(rows["metadata"][1].as_py()) == {
        "model": "teacher",
        "journal": ["key2"],
        "scores": {"novelty": 0.25},
    }
    # without the card too, a folder loads as what trainers read
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded.column_names == list(told["default"].columns)
    assert loaded["id"][:] == rows["id"].to_pylist()
    assert {info.split: info.rows for info in infos if not info.rows} == {"validation": 0, "test": 0}


def test_each_split_has_files_of_its_own_and_a_rerun_replaces_all_of_them(tmp_path: Path, small: None) -> None:
    names = ("train", "test", "validation")
    rows = [dataclasses.replace(record(n), meta={"split": names[n % 3]}) for n in range(12)]
    infos = both(rows, tmp_path / "out")
    assert [(info.config, info.split, info.rows) for info in infos] == [
        (config, split, 4) for config in ("default", "full") for split in ("train", "validation", "test")
    ]
    assert set(digests(tmp_path / "out")) == {name for info in infos for name in info.files}
    assert load(tmp_path / "out", tmp_path / "cache", "test")["id"][:] == [f"si-{n:04}" for n in (1, 4, 7, 10)]
    write_configs([record(0)], tmp_path / "out", COLUMNS, lambda record: "train", full=False)
    assert list(digests(tmp_path / "out")) == ["data/train-00000-of-00001.parquet"]


def test_the_counts_are_those_that_the_datasets_library_takes(tmp_path: Path, small: None) -> None:
    info = write_dataset(map(record, range(21)), tmp_path / "out", COLUMNS)
    rows = load(tmp_path / "out", tmp_path / "cache")
    assert len(info.files) > 1
    assert (info.split, info.rows) == ("train", len(rows)) == ("train", 21)
    assert info.num_bytes == rows.info.splits["train"].num_bytes
    assert info.download_size == rows.info.download_size
    assert info.download_size == sum((tmp_path / "out" / name).stat().st_size for name in info.files)


def test_columns_without_any_value_keep_their_declared_type(tmp_path: Path) -> None:
    import datasets

    columns = {"text": "string", "label": "int64", "score": "float64", "good": "bool", "messages": "messages"}
    write_dataset([Record("a", {}), Record("b", {"messages": []})], tmp_path / "out", columns)
    rows = load(tmp_path / "out", tmp_path / "cache")
    text = datasets.Value("string")
    assert rows.features == datasets.Features(
        id=text,
        text=text,
        label=datasets.Value("int64"),
        score=datasets.Value("float64"),
        good=datasets.Value("bool"),
        messages=datasets.List({"role": text, "content": text}),
    )
    assert rows[0] == {"id": "a", **dict.fromkeys(columns)}


def test_a_value_that_first_comes_after_ten_thousand_nulls_is_kept(tmp_path: Path) -> None:
    rows = (Record(str(number), {"note": "here" if number == 9_999 else None}) for number in range(10_000))
    write_dataset(rows, tmp_path / "out", {"note": "string"})
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded[9_999]["note"] == "here"
    assert loaded.features["note"].dtype == "string"


def test_the_same_records_give_the_same_bytes(tmp_path: Path, small: None) -> None:
    infos = [write_dataset(map(record, range(30)), tmp_path / name, COLUMNS) for name in ("one", "two")]
    assert infos[0] == infos[1]
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) > 2


def test_the_order_in_which_provenance_was_noted_does_not_change_the_bytes(tmp_path: Path) -> None:
    for name, meta in (("one", {"a": 1, "b": 2}), ("two", {"b": 2, "a": 1})):
        both([Record("x", {"text": "t"}, meta)], tmp_path / name, {"text": "string"})
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_shards_are_bounded_named_for_their_number_and_in_order(tmp_path: Path, small: None) -> None:
    info = write_dataset(map(record, range(21)), tmp_path / "out", ALPACA)
    count = len(info.files)
    assert info.files == tuple(f"data/train-{index:05}-of-{count:05}.parquet" for index in range(count))
    ids = [value for name in info.files for value in pq.read_table(tmp_path / "out" / name)["id"].to_pylist()]
    assert ids == [f"si-{number:04}" for number in range(21)]
    groups = pq.ParquetFile(tmp_path / "out" / info.files[0]).metadata
    assert {groups.row_group(index).num_rows for index in range(groups.num_row_groups)} == {4}


def test_long_texts_end_a_row_group_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "GROUP_CHARACTERS", 10_000)
    info = write_dataset((record(number, output="x" * 6_000) for number in range(6)), tmp_path / "out", ALPACA)
    assert pq.ParquetFile(tmp_path / "out" / info.files[0]).metadata.num_row_groups == 3


def test_records_are_taken_one_by_one(tmp_path: Path, small: None) -> None:
    alive: list[int] = []

    def stream() -> Iterator[Record]:
        for number in range(20):
            written = tmp_path / ".out.partial" / "data"
            alive.append(sum(1 for _ in written.iterdir()) if written.exists() else 0)
            yield record(number)

    write_dataset(stream(), tmp_path / "out", ALPACA)
    assert alive[0] == 0 < alive[-1]  # earlier shards are on disk while later records are still to come


def test_no_kept_record_leaves_no_file(tmp_path: Path) -> None:
    write_dataset([record(0)], tmp_path / "out", ALPACA)
    info = write_dataset([record(0).drop("echo")], tmp_path / "out", ALPACA)
    assert (info.rows, info.num_bytes, info.download_size, info.files, info.example) == (0, 0, 0, (), {})
    assert digests(tmp_path / "out") == {}


def test_a_new_dataset_replaces_the_old_and_leaves_the_rest(tmp_path: Path, small: None) -> None:
    write_dataset(map(record, range(30)), tmp_path / "out", ALPACA)
    write_dataset([record(99)], tmp_path / "out", ALPACA, split="test")
    (tmp_path / "out" / "NOTES.md").write_text("mine")
    write_dataset([record(1)], tmp_path / "out", ALPACA)
    assert sorted(digests(tmp_path / "out")) == [
        "NOTES.md",
        "data/test-00000-of-00001.parquet",
        "data/train-00000-of-00001.parquet",
    ]
    assert load(tmp_path / "out", tmp_path / "cache", "test")["id"][:] == ["si-0099"]
    assert sorted(os.listdir(tmp_path)) == ["cache", "out"]


def test_a_dataset_that_fails_half_way_leaves_the_old_one_untouched(tmp_path: Path, small: None) -> None:
    write_dataset(map(record, range(5)), tmp_path / "out", ALPACA)
    before = digests(tmp_path)

    def stream() -> Iterator[Record]:
        yield from map(record, range(20))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(stream(), tmp_path / "out", ALPACA)
    assert digests(tmp_path) == before


def test_what_a_killed_attempt_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".out.partial" / "data").mkdir(parents=True)
    (tmp_path / ".out.partial" / "data" / "0").write_bytes(b"half a shard")
    write_dataset([record(0)], tmp_path / "out", ALPACA)
    assert os.listdir(tmp_path) == ["out"]


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="No space left") as caught:
        write_dataset([record(0)], tmp_path / "out", ALPACA)
    assert str(tmp_path / "out") in caught.value.message
    assert os.listdir(tmp_path) == []
    writer = RecordWriter(tmp_path / "records")
    writer.write([record(0)])
    with pytest.raises(StorageError, match="No space left"):
        writer.flush()
    assert os.listdir(tmp_path / "records") == []
    monkeypatch.undo()
    writer.close()  # the rows were not lost with the refusal
    assert [kept.id for kept in read_records(tmp_path / "records")] == ["si-0000"]


@pytest.mark.parametrize(
    ("columns", "fields", "said"),
    [
        ({"output": "string"}, {"output": "half \ud83d"}, "output holds half a character"),
        ({"output": "string"}, {"output": 7}, "output is of type int, not string"),
        ({"label": "int64"}, {"label": True}, "label is of type bool, not int64"),
        ({"label": "int64"}, {"label": 2**63}, "label is too large for int64"),
        ({"score": "float64"}, {"score": "high"}, "score is of type str, not float64"),
        ({"label": "uint8"}, {"label": -1}, "label is too large for uint8"),
        ({"label": 'class<"no", "yes">'}, {"label": 2}, "label is too large for class"),
        ({"score": "float64"}, {"score": 2**53 + 1}, "score is too large for float64"),
        ({"tags": "list<string>"}, {"tags": "a"}, "tags is of type str, not list<string>"),
        ({"tags": "list<string>"}, {"tags": ["a", 1]}, "tags has element 2 that is of type int, not string"),
        ({"tags": "list<string>"}, {"tags": ["a", "\ud800"]}, "tags holds half a character"),
        ({"at": 'struct<"x": int64>'}, {"at": {"x": 1, "y": 2}}, "at is not an object of exactly x"),
        ({"at": 'struct<"x": int64>'}, {"at": {}}, "at is not an object of exactly x"),
        ({"at": 'struct<"x": int64>'}, {"at": {"x": "1"}}, "at has x that is of type str, not int64"),
        ({"messages": "messages"}, {"messages": "hi"}, "messages is of type str, not messages"),
        ({"messages": "messages"}, {"messages": ["hi"]}, "messages has turn 1 that is not an object"),
        (
            {"messages": "messages"},
            {"messages": [{"role": "user", "content": "hi", "name": "Ann"}]},
            "messages has turn 1 that is not an object of exactly role and content",
        ),
        ({"messages": "messages"}, {"messages": [{"role": "user", "content": None}]}, "content is not text"),
        (
            {"messages": "messages"},
            {"messages": [{"role": "user", "content": "\udc00"}]},
            "messages holds half",
        ),
    ],
)
def test_a_value_its_column_cannot_hold_names_the_record(
    columns: dict[str, str], fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LlmsynthError) as caught:
        write_dataset([Record("good", {}), Record("si-0007", fields)], tmp_path / "out", columns)
    assert caught.value.message.startswith("record si-0007: ")
    assert said in caught.value.message
    assert caught.value.hint
    assert os.listdir(tmp_path) == []


def test_broken_text_in_the_provenance_names_the_record_too(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="record a: metadata holds half a character"):
        both([Record("a", {}, {"raw": "\ud800"})], tmp_path / "out", {"text": "string"})


def test_a_score_that_is_no_number_is_null_in_the_metadata(tmp_path: Path) -> None:
    row = Record("a", {"text": "x"}, scores={"judge": float("nan"), "novelty": 1.0})
    both([row], tmp_path / "out", {"text": "string"})
    assert full(tmp_path / "out")["metadata"][0].as_py() == '{"scores":{"judge":null,"novelty":1.0}}'


def test_a_column_of_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column type: 'text'"):
        write_dataset([], tmp_path / "out", {"a": "text"})


def test_columns_called_id_and_metadata_are_the_rows_own(tmp_path: Path) -> None:
    fields = {"metadata": {"source": 3}, "id": 17, "text": "x"}
    columns = {"metadata": 'struct<"source": int64>', "id": "int32", "text": "string"}
    default, *_, more, _, _ = both([Record("a:1", fields, {"seen": "here"})], tmp_path / "out", columns)
    rows = full(tmp_path / "out")
    assert rows.to_pylist() == [{**fields, "llmsynth": '{"seen":"here"}'}]
    assert rows.column_names == list(more.columns) == [*columns, "llmsynth"]
    assert (more.provenance, default.columns) == ("llmsynth", columns)
    again = both([Record("a:1", fields)], tmp_path / "again", {**columns, "llmsynth": "string"})
    assert list(again[3].columns) == [*columns, "llmsynth", "llmsynth_2"]


def test_values_of_any_shape_come_back_with_no_key_added(tmp_path: Path) -> None:
    tools = [[{"name": "add", "parameters": {"a": {"type": "number"}}}, {"name": "now"}], [], [{"x": [None, "ä"]}]]
    rows = (Record(str(n), {"tools": value}) for n, value in enumerate(tools))
    info = write_dataset(rows, tmp_path / "out", {"tools": "list<object>"})
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert loaded["tools"][:] == tools
    assert info.example["tools"] == tools[0]
    assert [row.values["tools"] for row in read_rows(tmp_path / "out")] == tools
    assert survey(tmp_path / "out").columns["tools"].type == "list<object>"


def test_any_json_value_fits_into_a_column_of_json_text(tmp_path: Path) -> None:
    values = [None, "text", 7, {"a": [1, {"b": None}]}, 2**80]
    write_dataset([Record(str(n), {"any": value}) for n, value in enumerate(values)], tmp_path / "out", {"any": "json"})
    written = load(tmp_path / "out", tmp_path / "cache")["any"][:]
    assert [None if text is None else json.loads(text) for text in written] == values


def test_the_example_is_the_first_row_that_can_be_shown(tmp_path: Path) -> None:
    rows = [record(0, output="x" * 9_000), record(1, output="x" * 5_000), record(2), record(3)]
    assert write_dataset(rows, tmp_path / "out", ALPACA).example["id"] == "si-0002"
    assert write_dataset(rows[:2], tmp_path / "out", ALPACA).example["id"] == "si-0001"


# records/


def test_every_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    records = [
        record(0),
        record(1).drop("too_similar", "0.83 to si-0000"),
        Record("si-0002", {"instruction": "x"}, dropped=Drop("timeout", "after 4 attempts", failed=True)),
        record(3, output="half \ud83d, whole 🚀").drop("broken_text"),
        Record("si-0004", {}, {"nested": {"list": [1, None, True]}}, {"judge": 4.5}),
    ]
    writer = RecordWriter(tmp_path / "records")
    writer.write(records[:2])
    writer.write(records[2:])
    writer.close()
    assert list(read_records(tmp_path / "records")) == records


def test_records_can_be_asked_why_they_were_dropped(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path)
    failed = Record("b", {}, dropped=Drop("timeout", "cut \ud800", failed=True))
    writer.write([record(0), record(1).drop("echo", "input"), failed])
    writer.close()
    table = pq.read_table(tmp_path / "part-000000.parquet")
    assert table["status"].to_pylist() == ["kept", "dropped", "failed"]
    assert table["reason"].to_pylist() == [None, "echo", "timeout"]
    assert table["detail"].to_pylist() == [None, "input", "cut \\ud800"]
    assert "日本" in table["fields"].to_pylist()[0]
    assert {str(column.type) for column in table.schema} == {"string"}


def test_rows_are_on_disk_at_two_thousand_or_when_flushed(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path)
    writer.write(map(record, range(4_500)))
    assert sum(1 for _ in read_records(tmp_path)) == 4_000
    writer.flush()
    writer.flush()
    assert [kept.id for kept in read_records(tmp_path)] == [f"si-{number:04}" for number in range(4_500)]
    assert sorted(os.listdir(tmp_path)) == [f"part-{number:06}.parquet" for number in range(3)]
    writer.close()


def test_a_new_writer_removes_the_parts_of_an_earlier_attempt(tmp_path: Path) -> None:
    first = RecordWriter(tmp_path)
    first.write(map(record, range(4_001)))
    first.close()
    (tmp_path / ".part-000009.parquet.partial").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    second = RecordWriter(tmp_path)
    second.write([record(7)])
    second.close()
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "part-000000.parquet"]
    assert [kept.id for kept in read_records(tmp_path)] == ["si-0007"]


def test_the_same_records_give_the_same_parts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        writer = RecordWriter(tmp_path / name)
        writer.write(map(record, range(2_500)))
        writer.close()
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_records_that_are_not_there_or_damaged_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        list(read_records(tmp_path / "nowhere"))
    assert list(read_records(tmp_path)) == []
    (tmp_path / "part-000000.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(RunError, match=r"part-000000\.parquet cannot be read"):
        list(read_records(tmp_path))


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError):
        RecordWriter(tmp_path / "taken" / "records")
    with pytest.raises(StorageError):
        write_dataset([record(0)], tmp_path / "taken" / "dataset", ALPACA)
