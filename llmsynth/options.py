"""From plain data to the objects it describes: names to classes, mappings to dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from llmsynth.errors import RecipeError

Path = tuple[str | int, ...]


class OptionError(RecipeError):
    """A wrong value at a key path; the reader of the file adds its name and line."""

    def __init__(self, path: Path, what: str, hint: str = "") -> None:
        super().__init__(f"{dotted(path)}: {what}", hint)
        self.path = path


def dotted(path: Path) -> str:
    """A key path as people write it, such as `steps[0].on`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the recipe"


def refuse_unknown(keys: Iterable[Any], known: Iterable[str], path: Path) -> None:
    """Raise `OptionError` for the first key that is not known, with the nearest one that is."""
    known = sorted(known)
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise OptionError((*path, str(key)), "unknown key", hint)


def find(name: Any, registry: Mapping[str, str], path: Path) -> Any:
    """The class or function that a name of a registry, or a `module:name`, stands for."""
    if not isinstance(name, str):
        raise OptionError(path, f"expected a name, not {name!r}", f"one of {', '.join(sorted(registry))}")
    target = registry.get(name, name)
    module, _, attribute = target.partition(":")
    if not attribute or not module or module.startswith("."):
        near = difflib.get_close_matches(name, registry, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(registry))}, or module:name of yours"
        raise OptionError(path, f"there is no {name!r}", hint)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise OptionError(path, f"cannot import {target!r}: {error}", "is its package installed?") from error


def build(cls: Any, options: Mapping[str, Any], path: Path, default: Any = None) -> Any:
    """An instance of a dataclass with these options.

    Nested dataclasses take mappings, which change the default they stand in for rather than replace it.
    Raises `OptionError` at the key path of the first unknown, missing or wrong option.
    """
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        name = getattr(cls, "__qualname__", repr(cls))
        raise OptionError(path, f"{name} is no dataclass", "the fields of a dataclass are its options")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    refuse_unknown(options, fields, path)
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in options.items():
        where = (*path, key)
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping):
            inner = _default(fields[key]) if default is None else getattr(default, key)
            values[key] = build(hints[key], value, where, inner)
        else:
            values[key] = checked(hints[key], value, where)
    for name, f in fields.items():
        given = name in values or default is not None
        if not given and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise OptionError((*path, name), "missing", f"it has no default; {cls.__name__} needs it")
    try:
        return cls(**values) if default is None else dataclasses.replace(default, **values)
    except RecipeError as error:  # values that do not go together
        raise OptionError(path, error.message, error.hint) from error


def checked(hint: Any, value: Any, path: Path) -> Any:
    """The value, as one of this type. Raises `OptionError`."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        known = ", ".join(f.name for f in dataclasses.fields(hint))
        raise OptionError(path, "expected options of its own", f"it is {value!r} now; known keys: {known}")
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        hint = f"it is {value!r} now; correct the value"
        raise OptionError(path, first["msg"].lower(), hint) from error


def options_of(instance: Any) -> dict[str, Any]:
    """Every option of a dataclass instance as plain data, defaults included."""
    return {f.name: _plain(getattr(instance, f.name)) for f in dataclasses.fields(instance) if f.init}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return options_of(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if callable(value):
        return f"{value.__module__}:{value.__qualname__}"
    return value
