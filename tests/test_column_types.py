"""Types of columns: their names, and that Parquet and the `datasets` library take them for what they are called."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmsynth.column_types
from llmsynth.column_types import TURNS, column_type, type_name, type_of_arrow

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=6)
SCALARS = st.sampled_from(
    ["string", "bool", "int8", "int32", "int64", "uint16", "uint64", "float32", "float64", "object"]
)
CLASSES = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(
    lambda names: f"class<{', '.join(json.dumps(name) for name in names)}>"
)
KINDS = st.recursive(
    SCALARS | CLASSES,
    lambda inner: (
        inner.map(lambda item: type_name(item=item))
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(lambda fields: type_name(fields=fields))
    ),
    max_leaves=6,
)


@given(KINDS)
def test_a_type_is_found_again_from_what_parquet_and_datasets_know_of_it(name: str) -> None:
    kind = column_type(name)
    assert column_type(kind.name) == kind
    assert type_of_arrow(kind.arrow, kind.feature) == kind.name
    assert kind.problem(None) is None


@given(st.dictionaries(NAMES, KINDS, min_size=1, max_size=3))
def test_the_datasets_library_understands_features_and_header(columns: dict[str, str]) -> None:
    import datasets

    kinds = {name: column_type(kind) for name, kind in columns.items()}
    features = datasets.Features.from_dict({name: kind.feature for name, kind in kinds.items()})
    assert features.arrow_schema.types == [kind.arrow for kind in kinds.values()]
    header = [{"name": name, **kind.yaml} for name, kind in kinds.items()]
    assert datasets.Features._from_yaml_list(header) == features
    assert header == features._to_yaml_list()


@pytest.mark.parametrize(
    ("arrow", "name"),
    [
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.timestamp("ns", "UTC"), "string"),
        (pa.date32(), "string"),
        (pa.decimal128(10, 2), "string"),
        (pa.null(), "string"),
        (pa.float16(), "float32"),
        (pa.list_(pa.int64(), 3), "list<int64>"),
        (pa.large_list(pa.string()), "list<string>"),
        (pa.binary(), None),
        (pa.struct([("bytes", pa.binary()), ("path", pa.string())]), None),
        (pa.duration("s"), "string"),
        (pa.list_(pa.timestamp("s")), None),
        (pa.map_(pa.string(), pa.int64()), None),
        (pa.struct([]), None),
    ],
)
def test_other_arrow_types_get_the_nearest_one_or_none(arrow: Any, name: str | None) -> None:
    assert type_of_arrow(arrow) == name


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(st.none() | st.lists(VALUES, max_size=3))
def test_values_of_any_kind_are_stored_as_text_and_come_back(values: list[Any] | None) -> None:
    kind = column_type('struct<"a": list<object>, "b": string>')
    value = {"a": values, "b": "text"}
    assert kind.problem(value) is None
    stored = kind.stored(value)
    assert all(isinstance(item, str) for item in stored["a"] or ()) or None in (values or ())
    assert kind.decoded(stored) == value


def test_messages_lack_no_text_where_a_list_of_turns_may() -> None:
    turns = [{"role": "user", "content": None}]
    assert column_type(TURNS).problem(turns) is None
    assert column_type("messages").problem(turns) == "has turn 1 whose role or content is not text"
    assert column_type("messages").arrow == column_type(TURNS).arrow


@pytest.mark.parametrize(
    "name",
    ["", "text", "list", "list<", "list<text>", "struct<>", 'struct<"a">', "list<string>>", "class<>", "list<json>"],
)
def test_what_is_no_type_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no column type"):
        column_type(name)


def test_the_types_that_the_description_lists_are_there() -> None:
    scalars, *others = (llmsynth.column_types.__doc__ or "").split("\n\n")[1].strip().splitlines()
    names = [*scalars.split(), others[0].split("  ")[2], others[-2].split()[0], others[-1].split()[0]]
    assert [column_type(name.strip()).problem(None) for name in names] == [None] * 15
