"""What a source holds: types that hold every value, found on all of them, whatever the portions they come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.column_types import TURNS, column_type
from llmsynth.sources.inference import Values, converted
from llmsynth.sources.survey import survey

TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False) | TEXT
KEYS = st.sampled_from("abc")
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2), max_leaves=8
)
ALIKE = st.one_of(
    *(
        st.lists(st.none() | one, max_size=8)
        for one in (
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False) | st.integers(-9, 9),
            st.lists(TEXT, max_size=2),
            st.fixed_dictionaries({"a": TEXT, "b": st.lists(st.none() | st.booleans(), max_size=2)}),
            JSON,
        )
    )
)


def type_of(values: list[Any], *cuts: int) -> str:
    seen = Values()
    for start, end in zip((0, *cuts), (*cuts, len(values)), strict=True):
        seen.note(values[start:end])
    assert seen.present == sum(value is not None for value in values)
    return seen.type


@given(ALIKE, st.data())
def test_the_type_holds_every_value_and_is_the_same_whatever_the_portions(
    values: list[Any], data: st.DataObject
) -> None:
    name = type_of(values)
    assert all(column_type(name).problem(value) is None for value in values)
    cut = data.draw(st.integers(0, len(values)))
    assert type_of(values, cut) == name
    assert (type_of(values[::-1]) == "json") == (name == "json")  # objects take the order of keys from the first one


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([], "string"),
        ([None, None], "string"),
        (["a", None], "string"),
        ([True, False], "bool"),
        ([1, -1], "int64"),
        ([2**63], "uint64"),
        ([2**63, -1], "json"),
        ([1, 2.5], "float64"),
        ([2**53 + 1, 2.5], "json"),
        ([1, True], "json"),
        (["a", 1], "json"),
        ([[], ["a"]], "list<string>"),
        ([[1], ["a"]], "json"),
        ([{"a": 1}, {"a": None}], 'struct<"a": int64>'),
        ([{"a": 1}, {"a": 1, "b": 2}], "json"),
        ([{}], "json"),
        ([[{"role": "user", "content": "x"}], [{"role": "user", "content": None}]], TURNS),
        ([[{"role": "user", "content": "x"}], [{"role": "tool", "content": "y", "name": "z"}]], "list<object>"),
    ],
)
def test_the_narrowest_type_is_taken(values: list[Any], name: str) -> None:
    assert type_of(values) == name


def test_a_type_is_a_matter_of_all_rows_and_not_of_the_first_ones(tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"
    rows = [{"text": "x", "score": None} for _ in range(2_500)] + [
        {"text": "x", "score": 1, "late": ["a"]},
        {"score": 0.5},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    found = survey(path)
    assert {name: column.type for name, column in found.columns.items()} == {
        "text": "string",
        "score": "float64",
        "late": "list<string>",
    }
    assert (found.rows, found.unreadable, found.columns["score"].values) == (2_503, 1, 2)
    assert found.problems[0].startswith("late.jsonl:2503: is not valid JSON")


def test_parquet_says_itself_what_it_holds(tmp_path: Path) -> None:
    schema = pa.schema(
        [("n", pa.int32()), ("at", pa.timestamp("ms")), ("image", pa.binary()), ("tags", pa.list_(pa.string()))]
    )
    rows = [{"n": None, "at": 5, "image": b"\x00", "tags": ["a"]}, {"n": 1, "at": None, "image": None, "tags": None}]
    for name in ("a", "b"):
        pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / f"{name}.parquet")
    found = survey(tmp_path)
    assert [column.type for column in found.columns.values()] == ["int32", "string", None, "list<string>"]
    assert (found.rows, found.columns["n"].values, found.columns["tags"].values) == (4, 2, None)


def test_files_that_do_not_agree_are_read_to_find_out(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": pa.array([1], pa.int32())}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [0.5], "more": ["x"]}), tmp_path / "b.parquet")
    found = survey(tmp_path)
    assert {name: column.type for name, column in found.columns.items()} == {"n": "float64", "more": "string"}


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.jsonl", "two.jsonl", "three.jsonl")]
    for path, text in zip(paths, ("a", "a", "b"), strict=True):
        path.write_text(json.dumps({"text": text}))
    one, two, three = (survey(path).digest for path in paths)
    assert one == two != three
    paths[0].write_text(json.dumps({"text": "changed"}))
    assert survey(paths[0]).digest != one


def test_names_of_classes_are_found_in_what_the_datasets_library_wrote(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["no", "yes"]))
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features)
    rows.to_parquet(str(tmp_path / "rows.parquet"))
    rows.save_to_disk(str(tmp_path / "saved"))
    for path in (tmp_path / "rows.parquet", tmp_path / "saved"):
        assert survey(path).columns["label"].type == 'class<"no", "yes">'
        assert survey(path).rows == 2


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        ("7", "int64", 7),
        (" 0.5 ", "float64", 0.5),
        ("", "int64", None),
        ("True", "bool", True),
        ("yes", 'class<"no", "yes">', 1),
        (7, "string", "7"),
        ([1], "string", "[1]"),
        ("as it is", "string", "as it is"),
        (None, "int64", None),
    ],
)
def test_text_becomes_what_it_says(value: Any, kind: str, result: Any) -> None:
    assert converted(value, kind) == result


@pytest.mark.parametrize(("value", "kind"), [("seven", "int64"), ("300", "int8"), ("maybe", "bool"), ([1], "int64")])
def test_what_is_not_of_the_type_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(ValueError):
        converted(value, kind)
