"""What is said about seed files that don't do: the file, the place, the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmsynth.errors import SourceError
from llmsynth.sources import read_seeds

ALPACA = [
    {"instruction": "Sort the numbers.", "input": "3 1 2", "output": "1 2 3"},
    {"instruction": "Say hello in Welsh.", "input": "", "output": "Helo"},
]
CSV = "instruction,output\nSort the numbers.,1 2 3\nSay hello in Welsh.,Helo\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def complaint(path: str | Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_seeds(path)
    assert caught.value.hint
    return caught.value


BAD_ROWS: dict[str, tuple[Any, str]] = {
    "no instruction": (
        {"text": "hello", "output": "x"},
        "no instruction: found text, output; understood: instruction, prompt,",
    ),
    "no output": (
        {"instruction": "x", "outputs": "y"},
        "no output: found instruction, outputs; understood: output, response",
    ),
    "nothing": ({}, "no instruction: found nothing"),
    "empty instruction": ({"instruction": "  ", "output": "x"}, "instruction is empty"),
    "empty output": ({"instruction": "x", "output": ""}, "output is empty"),
    "null output": ({"instruction": "x", "output": None}, "output is null, not text"),
    "number": ({"instruction": "x", "output": 4}, "output is a number, not text"),
    "truth": ({"instruction": True, "output": "x"}, "instruction is true or false, not text"),
    "list": ({"prompt": [{"role": "user"}], "output": "x"}, "prompt is a list, not text"),
    "input number": ({"instruction": "x", "input": 0, "output": "x"}, "input is a number, not text"),
    "megabyte": (
        {"instruction": "a" * 1_048_576, "output": "x"},
        "instruction has 1,048,576 characters, and 20,000 is the most",
    ),
    "lone surrogate": (
        {"instruction": "say \ud800", "output": "x"},
        "instruction holds half a character, U+D800 (character 5)",
    ),
    "nul": ({"instruction": "x", "output": "a\0b"}, "output holds a NUL character (character 2)"),
    "not an object": ("just text", "is text, not an object with named fields"),
    "instances text": ({"instruction": "x", "instances": "y"}, "instances is text, not a list"),
    "no instances": ({"instruction": "x", "instances": []}, "instances is empty"),
    "instance text": ({"instruction": "x", "instances": ["y"]}, "instance 1 is text, not an object"),
    "instance field": (
        {"instruction": "x", "instances": [{"input": "", "output": "y"}, {"input": ""}]},
        "instance 2: no output: found input",
    ),
    "messages text": ({"messages": "hi"}, "messages is text, not a list"),
    "no user": ({"messages": [{"role": "assistant", "content": "hi"}]}, "messages has no user turn"),
    "no assistant": ({"messages": [{"role": "user", "content": "hi"}]}, "messages has no assistant turn after"),
    "turn text": ({"messages": ["hi"]}, "turn 1 of messages is text"),
    "content parts": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "content of turn 1 of messages is a list",
    ),
    "classification": (
        {"instruction": "x", "output": "y", "is_classification": "maybe"},
        "is_classification is 'maybe'",
    ),
    "id": ({"id": ["a"], "instruction": "x", "output": "y"}, "id is a list, not text"),
    "surrogate name": ({"\ud800": "x"}, r"no instruction: found \ud800"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
@pytest.mark.parametrize("array", [False, True])
def test_a_bad_row_is_named_by_file_and_place(name: str, array: bool, tmp_path: Path) -> None:
    row, said = BAD_ROWS[name]
    rows = [ALPACA[0], row, ALPACA[1]]
    path = write(tmp_path / "my.json", json.dumps(rows) if array else lines(*rows))
    error = complaint(path)
    assert f"{path}: 1 of 3 rows cannot be used" in error.message
    assert f"my.json:2: {said}" in error.message
    assert "instruction, prompt, question" in error.hint
    str(error).encode()  # can be printed, whatever the file holds


def test_one_error_shows_five_places_and_counts_all(tmp_path: Path) -> None:
    error = complaint(write(tmp_path / "a.jsonl", lines(*ALPACA, *[{"text": "x"}] * 9)))
    assert error.message.startswith(f"{tmp_path / 'a.jsonl'}: 9 of 11 rows cannot be used")
    assert [f"a.jsonl:{line}:" in error.message for line in range(3, 9)] == [True] * 5 + [False]
    assert error.message.endswith("and 4 more")


def test_an_id_used_twice_is_an_error_naming_both_places(tmp_path: Path) -> None:
    error = complaint(write(tmp_path / "a.jsonl", lines({**ALPACA[0], "id": "a"}, {**ALPACA[1], "id": "a"})))
    assert "a.jsonl:2: the id 'a' is already that of a.jsonl:1" in error.message


def test_a_line_cut_in_the_middle_is_named(tmp_path: Path) -> None:
    error = complaint(write(tmp_path / "a.jsonl", lines(*ALPACA)[:-20]))
    assert "a.jsonl:2: is not valid JSON" in error.message


def test_an_array_cut_in_the_middle_is_named_with_line_and_column(tmp_path: Path) -> None:
    error = complaint(write(tmp_path / "a.json", json.dumps(ALPACA, indent=1)[:-20]))
    assert "is not valid JSON" in error.message
    assert "line 10, column" in error.message
    assert "cut off" in error.hint


def test_json_nested_without_end_or_with_endless_digits_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in complaint(write(tmp_path / "a.json", "[" * 100_000)).message
    assert (
        "a.jsonl:1: is not usable JSON" in complaint(write(tmp_path / "a.jsonl", '{"id": ' + "1" * 5_000 + "}")).message
    )


def test_a_path_that_does_not_exist_gets_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path / "seeds.jsonl", lines(*ALPACA))
    error = complaint(tmp_path / "seed.jsonl")
    assert "does not exist" in error.message
    assert "seeds.jsonl" in error.hint
    assert complaint(tmp_path / "nowhere" / "x.jsonl").hint == "Check the path."


def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path) -> None:
    error = complaint(write(tmp_path / "a.xlsx", "x"))
    assert "'.xlsx'" in error.message
    assert ".jsonl" in error.hint and ".parquet" in error.hint
    assert "no ending" in complaint(write(tmp_path / "seeds", "x")).message


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_an_empty_file_is_an_error(content: bytes, ending: str, tmp_path: Path) -> None:
    assert "holds no seeds" in complaint(write(tmp_path / f"a.{ending}", content)).message


def test_an_empty_array_and_a_mere_header_are_errors(tmp_path: Path) -> None:
    assert "holds no seeds" in complaint(write(tmp_path / "a.json", "[]")).message
    assert "holds no seeds" in complaint(write(tmp_path / "a.csv", "instruction,output\n")).message


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_a_binary_file_is_named_as_such(ending: str, tmp_path: Path) -> None:
    error = complaint(write(tmp_path / f"a.{ending}", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"))
    assert f"a.{ending}:3: a NUL byte" in error.message


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_text_that_is_not_utf8_is_named_with_its_line(ending: str, tmp_path: Path) -> None:
    rows = {"jsonl": lines(*ALPACA), "json": json.dumps(ALPACA, indent=0), "csv": CSV}[ending]
    error = complaint(write(tmp_path / f"b.{ending}", rows.replace("Helo", "Hélo").encode("latin-1")))
    line = rows[: rows.index("Helo")].count("\n") + 1
    assert f"b.{ending}:{line}:" in error.message
    assert "not UTF-8: byte 0xe9" in error.message


def test_utf16_is_named(tmp_path: Path) -> None:
    assert "UTF-16" in complaint(write(tmp_path / "a.csv", "instruction,output\nx,y\n".encode("utf-16"))).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("instruction,output\na,b,c\n", "a.csv:2: has 3 cells where the header has 2"),
        ("instruction,output\na,b\nc\n", "a.csv:3: has 1 cells where the header has 2"),
        ('instruction,output\na,"b\nc,d\n', "a.csv:2: not valid CSV"),
        ("output,output\na,b\n", "a.csv:1: the header repeats 'output'"),
        ("instruction;output\na;b\n", "a.csv:1: the header is one column, 'instruction;output'"),
        (f"instruction,output\n{'a' * 200_000},b\n", "a.csv:2: instruction has 200,000 characters"),
        (f"instruction,output\n{'a' * 30_000},b\n", "a.csv:2: instruction has 30,000 characters"),
        ("instruction,output\na,b\0\n", "a.csv:2: a NUL byte"),
    ],
)
def test_bad_csv_is_named_with_its_line(content: str, said: str, tmp_path: Path) -> None:
    assert said in complaint(write(tmp_path / "a.csv", content)).message


def test_a_damaged_parquet_file_is_an_error(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "whole.parquet"
    pq.write_table(pa.Table.from_pylist(ALPACA), path)
    write(tmp_path / "cut.parquet", path.read_bytes()[:-10])
    assert "cut.parquet cannot be read" in complaint(tmp_path / "cut.parquet").message
    assert "cannot be read" in complaint(write(tmp_path / "empty.parquet", b"")).message


def test_parquet_text_that_is_not_utf8_is_named_with_its_row(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = pa.array([b"fine", b"h\xe9", b"fine too"]).view(pa.string())
    pq.write_table(pa.table({"instruction": broken, "output": ["a", "b", "c"]}), tmp_path / "a.parquet")
    error = complaint(tmp_path / "a.parquet")
    assert "1 of 3 rows" in error.message
    assert "a.parquet:2: holds text that is not UTF-8" in error.message


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", "x")
    assert "folder without data" in complaint(tmp_path).message


def test_a_folder_of_splits_without_train_asks_for_one(tmp_path: Path) -> None:
    write(tmp_path / "dataset_dict.json", '{"splits": ["dev", "test"]}')
    error = complaint(tmp_path)
    assert "no train split: its splits are dev, test" in error.message
    write(tmp_path / "dataset_dict.json", "{}")
    assert "is not what the datasets library writes" in complaint(tmp_path).message


def test_a_saved_dataset_that_lost_a_file_is_an_error(tmp_path: Path) -> None:
    import datasets

    folder = tmp_path / "saved"
    datasets.Dataset.from_list(ALPACA).save_to_disk(folder)
    next(folder.glob("*.arrow")).unlink()
    assert "cannot be read" in complaint(folder).message
