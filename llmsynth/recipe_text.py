"""Recipes as text: YAML whose errors name a line, and `key=value` overrides."""

from __future__ import annotations

from typing import Any

import yaml

from llmsynth import options
from llmsynth.errors import RecipeError
from llmsynth.plain_yaml import PlainLoader


def parse_yaml(text: str, source: str) -> tuple[Any, dict[options.Path, int]]:
    """What a YAML text holds, and the line of every key path in it; `source` is what errors call it.

    Raises `RecipeError`, for a key that is there twice as well.
    """
    lines: dict[options.Path, int] = {}
    try:
        data = yaml.load(text, Loader=PlainLoader)
        _note_lines(yaml.compose(text, Loader=PlainLoader), (), lines, source)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise RecipeError(f"{source}{at}: {what}", "it is no valid YAML there") from error
    return data, lines


def apply_override(data: dict[str, Any], override: str) -> None:
    """Apply one `key.path=value`, the value being YAML; a number in the path is the place in a list, from 0."""
    key, equals, value = override.partition("=")
    parts = key_path(key)
    if not equals or not all(part != "" for part in parts):
        raise RecipeError(f"cannot use the override {override!r}", "write key=value, such as generator.new=4")
    place: Any = data
    for part, inner in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(place, list):
            if not isinstance(part, int) or part >= len(place):
                hint = f"it is a list: 0 to {len(place) - 1} are its places" if place else "it is an empty list"
                raise RecipeError(f"cannot use the override {override!r}: there is no place {part}", hint)
        elif isinstance(place, dict):
            part = str(part)
            if inner is not None:
                place.setdefault(part, {})
        else:
            before = parts[parts.index(part) - 1]
            raise RecipeError(f"cannot use the override {override!r}: {before} holds no keys", "check the key path")
        if inner is not None:
            place = place[part]
            continue
        try:
            place[part] = yaml.load(value, Loader=PlainLoader)
        except yaml.YAMLError as error:
            raise RecipeError(f"cannot use the override {override!r}: the value is no YAML", "quote it") from error


def key_path(key: str) -> tuple[str | int, ...]:
    """The path that an override's key stands for."""
    return tuple(int(part) if part.isdecimal() else part for part in key.strip().split("."))


def _note_lines(node: yaml.Node | None, path: options.Path, lines: dict[options.Path, int], source: str) -> None:
    """The line of every key path; a key given twice is an error, as YAML would drop the first silently."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            if inner in lines:
                line = key.start_mark.line + 1
                raise RecipeError(f"{source}, line {line}: {options.dotted(inner)} is there twice", "delete one")
            lines[inner] = key.start_mark.line + 1
            _note_lines(value, inner, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*path, i)] = value.start_mark.line + 1
            _note_lines(value, (*path, i), lines, source)
