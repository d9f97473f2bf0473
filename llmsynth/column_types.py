"""The types that the columns of a dataset can have: what they are to Parquet and to the `datasets` library.

    string  bool  int8 int16 int32 int64  uint8 uint16 uint32 uint64  float32 float64
    class<"no", "yes">                  whole numbers that stand for these names, from 0; -1 for none
    list<TYPE>
    struct<"name": TYPE, ...>           objects with exactly these keys
    json                                any JSON value, kept as JSON text; not inside other types
    object                              any JSON value, which `datasets` (4.8 on) gives as it is, with no key added
    messages                            list<struct<"role": string, "content": string>>, with no text missing

All but the texts of messages may be null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa

_EXACT = 2**53  # whole numbers up to here are floats too
_INTEGERS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_PYTHON = {"string": str, "bool": bool, "float32": float, "float64": float, **dict.fromkeys(_INTEGERS, int)}
TURNS = 'list<struct<"role": string, "content": string>>'


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of columns.

    arrow: for Parquet. feature: for `datasets`, as JSON, in the form that its older versions understand as well;
    yaml: for `datasets`, as the header of a card has it.
    item: of a list. fields: of a struct. names: of a class.
    """

    name: str
    arrow: Any
    feature: Any
    yaml: dict[str, Any]
    item: ColumnType | None = None
    fields: Mapping[str, ColumnType] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """Why a column of this type cannot hold the value, in words that follow the column's name; None if it can.

        Lone surrogates are not looked for.
        """
        if value is None or self.name in ("json", "object"):
            return None
        if self.name == "messages":
            return _problem_in_turns(value)
        if self.item is not None:
            return self._problem_in_list(value, self.item)
        if self.fields:
            return self._problem_in_struct(value)
        if self.name in ("float32", "float64") and type(value) is int:
            return None if abs(value) <= _EXACT else f"is too large for {self.name}"
        if type(value) is not _python(self):
            return f"is of type {type(value).__name__}, not {self.name}"
        if type(value) is int and not self._holds(value):
            return f"is too large for {self.name}"
        return None

    def stored(self, value: Any) -> Any:
        """The value as Arrow is given it."""
        if value is None:
            return None
        if self.name in ("json", "object"):
            return json_text(value)
        if self.item is not None and self.item.encoded:
            return [self.item.stored(element) for element in value]
        if self.fields and self.encoded:
            return {name: inner.stored(value[name]) for name, inner in self.fields.items()}
        return value

    @property
    def encoded(self) -> bool:
        """Whether Arrow is given other values than these: JSON text for some of what is in them."""
        inner = [*self.fields.values(), *([self.item] if self.item else [])]
        return self.name in ("json", "object") or any(kind.encoded for kind in inner)

    def decoded(self, value: Any) -> Any:
        """The value that `stored` made what Arrow gives back of, but for `json`, which stays text."""
        if value is None:
            return None
        if self.name == "object":
            return json.loads(value)
        if self.item is not None and self.item.encoded:
            return [self.item.decoded(element) for element in value]
        if self.fields and self.encoded:
            return {name: inner.decoded(value[name]) for name, inner in self.fields.items()}
        return value

    def _holds(self, number: int) -> bool:
        if self.names:
            return -1 <= number < len(self.names)
        sign, bits = _INTEGERS[self.name]
        least, most = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return bool(least <= number < most)

    def _problem_in_list(self, value: Any, item: ColumnType) -> str | None:
        if type(value) is not list:
            return f"is of type {type(value).__name__}, not {self.name}"
        for number, element in enumerate(value, 1):
            if (problem := item.problem(element)) is not None:
                return f"has element {number} that {problem}"
        return None

    def _problem_in_struct(self, value: Any) -> str | None:
        # Arrow would drop a further key without a word, and fill a missing one with null
        if type(value) is not dict or value.keys() != self.fields.keys():
            return f"is not an object of exactly {' and '.join(self.fields)}"
        for name, inner in self.fields.items():
            if (problem := inner.problem(value[name])) is not None:
                return f"has {name} that {problem}"
        return None


@lru_cache(maxsize=1024)
def column_type(name: str) -> ColumnType:
    """The type of that name. Raises `ValueError` where there is none."""
    if name == "messages":
        turns = column_type(TURNS)
        return ColumnType(name, turns.arrow, turns.feature, turns.yaml)
    if name == "json":
        text = column_type("string")
        return ColumnType(name, text.arrow, text.feature, text.yaml)
    found, rest = _parse(name)
    if rest:
        raise ValueError(f"no column type: {name!r}")
    return found


def type_of_arrow(arrow: Any, feature: Any = None) -> str | None:
    """The name of the type for a column of an Arrow type, such as a Parquet file's; None where no JSON value is of it.

    feature: what a `datasets` library that wrote the file noted of the column: names of classes are nowhere else.
    Times and decimal numbers are text, if they are not inside something.
    """
    return "string" if read_as_text(arrow) else _type_of(arrow, feature)


def read_as_text(arrow: Any) -> bool:
    """Whether text stands for the values of an Arrow type, which JSON does not have: times, and decimal numbers."""
    return bool(pa.types.is_temporal(arrow) or pa.types.is_decimal(arrow))


def is_object(arrow: Any) -> bool:
    """Whether an Arrow type is JSON text that stands for any value."""
    return bool(getattr(arrow, "extension_name", None) == "arrow.json")


def type_name(item: str | None = None, fields: Mapping[str, str] | None = None) -> str:
    """The name of the type of lists of an item type, or of objects with these fields."""
    if item is not None:
        return f"list<{item}>"
    return f"struct<{', '.join(f'{_quoted(key)}: {kind}' for key, kind in (fields or {}).items())}>"


def json_text(value: Any) -> str:
    """JSON that people can read."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a character, a key that is no text, a number of more than 64 bits
        return json.dumps(value)


def _type_of(arrow: Any, feature: Any) -> str | None:
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names"):
        return f"class<{', '.join(map(_quoted, feature['names']))}>"
    if pa.types.is_dictionary(arrow):
        return _type_of(arrow.value_type, None)
    if any(test(arrow) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return "string"
    if pa.types.is_null(arrow):
        return "string"
    if is_object(arrow):
        return "object"
    if pa.types.is_boolean(arrow):
        return "bool"
    if pa.types.is_floating(arrow):
        return "float64" if arrow.bit_width == 64 else "float32"
    if pa.types.is_integer(arrow):
        return str(arrow)
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        inside = feature[0] if isinstance(feature, list) and feature else _inside(feature)
        item = _type_of(arrow.value_type, inside)
        return None if item is None else type_name(item)
    if pa.types.is_struct(arrow) and arrow.num_fields:
        notes = feature if isinstance(feature, dict) else {}
        inner = {f.name: _type_of(f.type, notes.get(f.name)) for f in arrow}
        known = {key: kind for key, kind in inner.items() if kind is not None}
        return type_name(fields=known) if len(known) == len(inner) else None
    return None


_TURN = {"role", "content"}


def _problem_in_turns(turns: Any) -> str | None:
    if type(turns) is not list:
        return f"is of type {type(turns).__name__}, not messages"
    for number, turn in enumerate(turns, 1):
        if type(turn) is not dict or turn.keys() != _TURN:
            return f"has turn {number} that is not an object of exactly role and content"
        if type(turn["role"]) is not str or type(turn["content"]) is not str:
            return f"has turn {number} whose role or content is not text"
    return None


def _inside(feature: Any) -> Any:
    return feature.get("feature") if isinstance(feature, dict) else None


def _quoted(name: str) -> str:
    return json.dumps(str(name), ensure_ascii=False)


def _python(kind: ColumnType) -> type:
    return int if kind.names else _PYTHON[kind.name]


# reading the names of types

_WORD = re.compile(r"\w+")
_STRING = json.JSONDecoder()


def _parse(text: str) -> tuple[ColumnType, str]:
    """The type that a text begins with, and the rest of the text."""
    match = _WORD.match(text)
    word = match[0] if match else ""
    rest = text[len(word) :]
    if word == "list":
        item, rest = _parse(_without(rest, "<"))
        return _list(item), _without(rest, ">")
    if word == "struct":
        fields: dict[str, ColumnType] = {}
        separator = "<"
        while not fields or rest.startswith(","):
            name, rest = _name(_without(rest, separator))
            fields[name], rest = _parse(_without(rest, ":"))
            separator = ","
        return _struct(fields), _without(rest, ">")
    if word == "class":
        names: list[str] = []
        while not names or rest.startswith(","):
            name, rest = _name(_without(rest, "," if names else "<"))
            names.append(name)
        return _class(tuple(names)), _without(rest, ">")
    if word == "object":
        return ColumnType(word, pa.json_(pa.string()), {"_type": "Json"}, {"dtype": "json"}), rest
    if word in _PYTHON:
        return ColumnType(word, pa.type_for_alias(word), {"dtype": word, "_type": "Value"}, {"dtype": word}), rest
    raise ValueError(f"no column type: {text!r}")


def _name(text: str) -> tuple[str, str]:
    try:
        name, end = _STRING.raw_decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no column type: a name in double quotes is missing before {text!r}") from error
    return str(name), text[end:]


def _without(text: str, sign: str) -> str:
    if not text.startswith(sign):
        raise ValueError(f"no column type: {sign!r} is missing before {text!r}")
    return text[1:].lstrip()


def _list(item: ColumnType) -> ColumnType:
    inner = item.yaml.get("dtype") or item.yaml.get("struct") or item.yaml
    return ColumnType(f"list<{item.name}>", pa.list_(item.arrow), [item.feature], {"list": inner}, item=item)


def _struct(fields: dict[str, ColumnType]) -> ColumnType:
    return ColumnType(
        type_name(fields={name: inner.name for name, inner in fields.items()}),
        pa.struct([(name, inner.arrow) for name, inner in fields.items()]),
        {name: inner.feature for name, inner in fields.items()},
        {"struct": [{"name": name, **inner.yaml} for name, inner in fields.items()]},
        fields=fields,
    )


def _class(names: tuple[str, ...]) -> ColumnType:
    label = {"class_label": {"names": {str(number): name for number, name in enumerate(names)}}}
    feature = {"names": list(names), "_type": "ClassLabel"}
    name = f"class<{', '.join(map(_quoted, names))}>"
    return ColumnType(name, pa.int64(), feature, {"dtype": label}, names=names)
