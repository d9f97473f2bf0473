"""Arrow data from rows, built from its buffers.

`pyarrow.array` imports pandas, where it is installed, to see whether it was given any of its types: half a second
of a run's start that nothing here needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_MOST_BYTES = 2**31 - 1  # of the texts in one column of a batch


def table_of(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """A table of rows, as few batches as their size allows."""
    return pa.Table.from_batches(_batches(rows, schema), schema)


def _batches(rows: Sequence[Mapping[str, Any]], schema: Any) -> list[Any]:
    try:
        return [batch_of(rows, schema)]
    except OverflowError:
        if len(rows) < 2:
            raise
        middle = len(rows) // 2
        return [*_batches(rows[:middle], schema), *_batches(rows[middle:], schema)]


def batch_of(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """A record batch of rows; what a row lacks is null. The values are of the schema's types already."""
    return batch_of_columns([[row.get(field.name) for row in rows] for field in schema], schema)


def batch_of_columns(columns: Iterable[Sequence[Any]], schema: Any) -> Any:
    """A record batch of columns, in the order of the schema. The values are of the schema's types already."""
    arrays = [_column(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(values: Sequence[Any], kind: Any) -> Any:
    if kind == pa.string():
        return _strings(values)
    if isinstance(kind, pa.BaseExtensionType):  # JSON text
        return pa.ExtensionArray.from_storage(kind, _strings(values))
    if pa.types.is_list(kind):
        inner = _column([element for value in values if value is not None for element in value], kind.value_type)
        lengths = [0 if value is None else len(value) for value in values]
        return pa.ListArray.from_buffers(kind, len(values), [_valid(values), _offsets(lengths)], children=[inner])
    if pa.types.is_struct(kind) and kind.num_fields:
        inner = [
            _column([None if value is None else value[field.name] for value in values], field.type) for field in kind
        ]
        # as buffers again: a mask would have to be made by pyarrow.array
        return pa.StructArray.from_buffers(kind, len(values), [_valid(values)], children=inner)
    return pa.array(values, kind)


def _strings(values: Sequence[str | None]) -> Any:
    texts = [value or "" for value in values]
    whole = "".join(texts)
    if whole.isascii():
        offsets, data = _offsets(map(len, texts)), whole.encode()
    else:
        encoded = [text.encode() for text in texts]
        offsets, data = _offsets(map(len, encoded)), b"".join(encoded)
    return pa.StringArray.from_buffers(len(values), offsets, pa.py_buffer(data), _valid(values))


def _offsets(lengths: Iterable[int]) -> Any:
    ends = np.cumsum(np.fromiter(lengths, np.int64))
    if len(ends) and ends[-1] > _MOST_BYTES:
        raise OverflowError
    return pa.py_buffer(np.concatenate([np.zeros(1, np.int32), ends.astype(np.int32)]))


def _valid(values: Sequence[Any]) -> Any:
    """The bits that tell values from nulls; None where there is no null."""
    if None not in values:
        return None
    return pa.py_buffer(np.packbits([value is not None for value in values], bitorder="little"))
