"""Rows become the Arrow data that pyarrow would make of them, without what pyarrow imports for that."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import arrow
from llmsynth.arrow import batch_of, table_of

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("score", pa.float64()),
        ("count", pa.int64()),
        ("tags", pa.list_(pa.list_(pa.string()))),
        ("at", pa.struct([("x", pa.int32()), ("names", pa.list_(pa.string()))])),
    ]
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | TEXT,
            "turns": st.none() | st.lists(st.fixed_dictionaries({"role": TEXT, "content": TEXT}), max_size=3),
            "score": st.none() | st.floats(allow_nan=False),
        },
        optional={
            "count": st.integers(-(2**63), 2**63 - 1),
            "tags": st.lists(st.none() | st.lists(st.none() | TEXT, max_size=2), max_size=3),
            "at": st.none() | st.fixed_dictionaries({"x": st.none() | st.just(7), "names": st.lists(TEXT, max_size=2)}),
        },
    ),
    max_size=12,
)


@given(ROWS)
def test_it_is_what_pyarrow_makes(rows: list[dict[str, object]]) -> None:
    batch = batch_of(rows, SCHEMA)
    batch.validate(full=True)
    assert batch.equals(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert table_of(rows, SCHEMA).equals(pa.Table.from_pylist(rows, schema=SCHEMA))


def test_more_text_than_a_batch_can_hold_is_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_MOST_BYTES", 10)
    rows = [{"text": "abcd"} for _ in range(9)]
    table = table_of(rows, SCHEMA)
    assert table.to_pylist() == pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()
    assert table.column("text").num_chunks > 2
    with pytest.raises(OverflowError):
        batch_of(rows, SCHEMA)


def test_pandas_is_not_imported_for_it() -> None:
    code = (
        "import sys, pyarrow as pa; from llmsynth.arrow import table_of\n"
        "table_of([{'a': 'x'}, {}], pa.schema([('a', pa.string())])); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
