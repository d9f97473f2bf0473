"""`bytes_held`: what an object holds in memory, with all that it alone refers to."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

_SHARED = (type, FunctionType, ModuleType)  # belong to everybody
_SAMPLED = 4_000  # items of a container that are looked at one by one
_FLAT = (int, float, bool, str, bytes, type(None))


def bytes_held(thing: Any) -> int:
    """About how many bytes: arrays in full, of long lists and dicts an even sample.

    Looks into containers, dataclasses and plain objects; what two of them share counts once.
    """
    return _held(thing, set())


def _held(thing: Any, seen: set[int]) -> int:
    if isinstance(thing, _SHARED) or id(thing) in seen:
        return 0
    seen.add(id(thing))
    if hasattr(thing, "nbytes") and hasattr(thing, "base"):  # an array of numpy's, or a view of one
        return sys.getsizeof(thing) if thing.base is None else _held(thing.base, seen)
    size = sys.getsizeof(thing)
    if isinstance(thing, _FLAT):
        return size
    if isinstance(thing, dict):
        return size + _sampled(thing.keys(), len(thing), seen) + _sampled(thing.values(), len(thing), seen)
    if isinstance(thing, list | tuple | set | frozenset):
        return size + _sampled(thing, len(thing), seen)
    return size + sum(_held(value, seen) for value in _attributes(thing))


def _sampled(items: Iterable[Any], count: int, seen: set[int]) -> int:
    if count <= _SAMPLED:
        return sum(_held(item, seen) for item in items)
    stride = count // _SAMPLED
    chosen = [item for place, item in enumerate(items) if place % stride == 0]
    return round(sum(_held(item, seen) for item in chosen) * count / len(chosen))


def _attributes(thing: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(thing):
        yield from (getattr(thing, field.name, None) for field in dataclasses.fields(thing))
    yield from getattr(thing, "__dict__", {}).values()
    for cls in type(thing).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        yield from (getattr(thing, name, None) for name in ((slots,) if isinstance(slots, str) else slots))
