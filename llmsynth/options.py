"""From plain data to the objects it describes: names to classes, mappings to dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from llmsynth.errors import RecipeError
from llmsynth.text import has_lone_surrogate

Path = tuple[str | int, ...]

_UNSURE: Any = object()


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
    hints = _hints(cls)
    values: dict[str, Any] = {}
    for key, value in options.items():
        where = (*path, key)
        inner_class = _options_class(hints[key]) if isinstance(value, Mapping) else None
        if inner_class is not None:
            inner = default_of(fields[key]) if default is None else getattr(default, key)
            values[key] = build(inner_class, value, where, inner)
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


def _options_class(hint: Any) -> Any:
    """The dataclass that a mapping stands for; None where it stands for itself."""
    arms = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    found = [arm for arm in arms if isinstance(arm, type) and dataclasses.is_dataclass(arm)]
    return found[0] if len(found) == 1 and not any(get_origin(arm) is dict for arm in arms) else None


def checked(hint: Any, value: Any, path: Path) -> Any:
    """The value, as one of this type; lists and objects anew. Raises `OptionError`."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        known = ", ".join(f.name for f in dataclasses.fields(hint))
        raise OptionError(path, "expected options of its own", f"it is {value!r} now; known keys: {known}")
    fit = _fit(hint, value)
    return _decided(hint, value, path) if fit is _UNSURE else fit


def _fit(hint: Any, value: Any) -> Any:
    """The value where it is plainly of the type, as most are; else `_UNSURE`."""
    if hint is Any:
        return value
    if hint in _PLAIN:
        return _UNSURE if type(value) is not hint or has_lone_surrogate(value) else value
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Literal:
        return value if any(type(value) is type(one) and value == one for one in inner) else _UNSURE
    if kind in (Union, types.UnionType):
        return next((fit for arm in inner if (fit := _fit(arm, value)) is not _UNSURE), _UNSURE)
    if kind is list and inner and type(value) is list:
        elements = [_fit(inner[0], element) for element in value]
        return _UNSURE if any(element is _UNSURE for element in elements) else elements
    if kind is dict and inner and type(value) is dict:
        items = {_fit(inner[0], key): _fit(inner[1], item) for key, item in value.items()}
        return _UNSURE if _UNSURE in items or any(item is _UNSURE for item in items.values()) else items
    return _UNSURE


_PLAIN = (str, int, float, bool, type(None))


def _decided(hint: Any, value: Any, path: Path) -> Any:
    """What pydantic makes of a value, or says of it. It loads in a twentieth of a second, which most runs can save."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        # of several types that were tried, the one that fits the furthest is the one that was meant
        inside, what = max(
            ((_inside(value, e["loc"]), e["msg"]) for e in error.errors()), key=lambda found: len(found[0])
        )
        wrong = functools.reduce(lambda place, key: place[key], inside, value)
        raise OptionError((*path, *inside), what.lower(), f"it is {wrong!r} now; correct the value") from error


def _inside(value: Any, location: Path) -> Path:
    """The keys and indices in a location of pydantic's, which names types as well."""
    path: Path = ()
    for key in location:
        if key in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
            value, path = value[key], (*path, key)
    return path


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def options_of(instance: Any) -> dict[str, Any]:
    """Every option of a dataclass instance as plain data, defaults included."""
    return {f.name: _plain(getattr(instance, f.name)) for f in dataclasses.fields(instance) if f.init}


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The value of a dataclass's field where none is given; None where it has no default."""
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
