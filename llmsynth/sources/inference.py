"""`Values`: the type of a column, from all of its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmsynth.column_types import column_type, json_text, type_name
from llmsynth.text import has_lone_surrogate, shorten

_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
TURN = ({"role", "content"}, {"from", "value"})  # what a turn of a conversation has, in either spelling
_EXACT = 2**53  # whole numbers up to here are floats too


class Values:
    """What has been seen of a column's values, or of those inside them. Takes them as they come, in any portions."""

    def __init__(self) -> None:
        self.present = 0
        self.example = ""
        self._kinds: set[type] = set()
        self._least = self._most = 0
        self._elements: Values | None = None
        self._fields: dict[str, Values] | None = None
        self._alike = True  # all objects have the same keys
        self._common: set[str] = set()  # the keys that all objects have

    def note(self, values: Sequence[Any]) -> None:
        """Take further values; None is no value."""
        kinds = set(map(type, values))
        if type(None) in kinds:
            kinds.remove(type(None))
            values = [value for value in values if value is not None]
        self.present += len(values)
        self._kinds |= kinds
        if kinds <= {str}:
            return
        if not self.example:
            self.example = shorten(repr(next(value for value in values if type(value) is not str)), 40)
        whole = [value for value in values if type(value) is int]
        if whole:
            self._least, self._most = min(self._least, *whole), max(self._most, *whole)
        if list in kinds:
            self._elements = self._elements or Values()
            self._elements.note([element for value in values if type(value) is list for element in value])
        if dict in kinds:
            self._note_objects([value for value in values if type(value) is dict])

    @property
    def type(self) -> str:
        """The narrowest type (see `llmsynth.column_types`) that holds all values; `json` where only JSON text does."""
        return self._type() or "json"

    @property
    def conversations(self) -> bool:
        """Whether they are lists of turns, however these differ otherwise."""
        turns = self._elements
        if turns is None or self._kinds != {list}:
            return False
        return turns._kinds == {dict} and any(turns._common >= needed for needed in TURN)

    def _type(self) -> str | None:
        kinds = self._kinds
        if kinds <= {str}:
            return "string"  # also where there is no value at all
        if kinds == {bool}:
            return "bool"
        if kinds == {int}:
            if self._least >= _LEAST and self._most <= _MOST:
                return "int64"
            return "uint64" if self._least == 0 and self._most <= _MOST_UNSIGNED else None
        if kinds <= {int, float}:
            return "float64" if self._least >= -_EXACT and self._most <= _EXACT else None
        if kinds == {list} and self._elements is not None:
            item = self._elements._type()
            if item is None and self._elements._kinds == {dict}:  # tools, or turns of which some call them
                item = "object"
            return None if item is None else type_name(item=item)
        if kinds == {dict} and self._fields and self._alike and not has_lone_surrogate([*self._fields]):
            inner = {name: values._type() for name, values in self._fields.items()}
            known = {name: kind for name, kind in inner.items() if kind is not None}
            return type_name(fields=known) if len(known) == len(inner) else None
        return None

    def _note_objects(self, objects: Sequence[dict[str, Any]]) -> None:
        if self._fields is None:
            self._fields = {name: Values() for name in objects[0]}
            self._common = set(objects[0])
        self._common.intersection_update(*objects)
        keys = self._fields.keys()
        self._alike = self._alike and all(value.keys() == keys for value in objects)
        if self._alike:
            for name, values in self._fields.items():
                values.note([value[name] for value in objects])


def converted(value: Any, type_: str) -> Any:
    """The value as one of a declared type, where it says the same: text for numbers as in CSV, and the other way round.

    Raises `ValueError` where it does not.
    """
    kind = column_type(type_)
    if kind.problem(value) is None:
        return value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if kind.name == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind.names:
            value = kind.names.index(text) if text in kind.names else int(text)
        elif "int" in kind.name:
            value = int(text)
        elif "float" in kind.name:
            value = float(text)
    elif kind.name == "string":
        return json_text(value)
    if (problem := kind.problem(value)) is not None:
        raise ValueError(problem)
    return value
