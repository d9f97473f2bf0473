"""`Layout`: which columns of somebody's rows hold the question and which the answer.

Steps look at `instruction`, `input` and `output` unless they are told otherwise. A layout tells them otherwise.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from llmsynth import options
from llmsynth.errors import RecipeError
from llmsynth.steps import columns_behind

_ROLES = ("instruction", "input", "output")
_ASKED = ("instruction", "prompt", "question", "query", "problem")
_GIVEN = ("input", "context")
_ANSWERED = ("output", "response", "completion", "answer", "solution", "chosen")
_WHOLE = ("messages", "conversations", "conversation", "text", "content", "chosen")  # question and answer in one
_TEXT = ("text",)
_BESIDE = {"chosen": "rejected"}  # an answer, and what belongs to the row with it, though it is not to be judged as one

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Layout:
    """The columns that stand for those that steps look at by default.

    instruction, input, output: what stands for each. whole: what stands for all of them together.
    """

    instruction: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    whole: tuple[str, ...]

    @classmethod
    def of(cls, columns: Iterable[str], on: tuple[str, ...] = ()) -> Layout:
        """The layout of rows with these columns of text.

        on: what a row is judged by as a whole; where that is the only thing known, its last column is the answer.
        Raises `RecipeError` where neither the names of the columns nor `on` tell.
        """
        columns = tuple(columns)
        asked, given, answered = (_first(names, columns) for names in (_ASKED, _GIVEN, _ANSWERED))
        beside = tuple(other for name, other in _BESIDE.items() if name in answered and other in columns)
        if asked and answered:
            return cls(asked, given, answered, on or (*asked, *given, *answered, *beside))
        whole = _first(_WHOLE, columns) or asked
        if on:
            return cls(on[:-1] or on, given, on[-1:], on)
        if not whole:
            raise RecipeError(
                "which columns hold the text of a row?", f"name them: --on {columns[0] if columns else 'COLUMN'}"
            )
        return cls(whole, given, whole, (*whole, *beside))

    @property
    def answer_is_whole(self) -> bool:
        """Whether one column holds question and answer, as a conversation does, or there is only a text."""
        return self.instruction == self.output and len(self.output) == 1

    def options(self, target: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a step, those that name columns added where they are not given and others than by default.

        target: the step's class; anything but a dataclass has no such options.
        """
        if not (isinstance(target, type) and dataclasses.is_dataclass(target)):
            return dict(given)
        added: dict[str, Any] = {}
        for field in dataclasses.fields(target):
            inner = given.get(field.name)
            if isinstance(inner, Mapping) and (step := _step_in(target, field.name)) is not None:
                added[field.name] = self.options(step, inner)  # given in part: the rest is as told here all the same
            elif field.init and field.name not in given and (option := self._option(field)) is not None:
                added[field.name] = option
        return {**given, **added}

    def _option(self, field: dataclasses.Field[Any]) -> Any:
        default = _default(field)
        if isinstance(default, str):
            names = self._named(field.name) if default == field.name else ()
            return names[0] if names and names[0] != default else None
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            return self.options(type(default), {}) or None
        if isinstance(default, dict) and default and default.keys() <= set(_ROLES):
            # of several columns the first, as the others may well be empty
            by_name = {name: value for role, value in default.items() for name in getattr(self, role)[:1]}
            return None if by_name == default else by_name
        if default == _TEXT:  # of rules for documents: where there are answers, those are
            return None if self.output == _TEXT else list(self.output)
        if not (isinstance(default, tuple) and default and set(default) <= set(_ROLES)):
            return None
        names = self._standing_for(default) if field.name != "on" or "instruction" not in default else self.whole
        return None if names == default else list(names)

    def _named(self, role: str) -> tuple[str, ...]:
        """What stands for a role in options that have a name for each, such as `columns: {output: answer}`."""
        apart = self.output != self.instruction  # of question and answer in one column, it is the conversation
        if role == "instruction":
            return self.instruction
        if role == "input":
            return self.input or self.instruction[1:]
        if role == "output":
            return self.output if apart else ()
        return self.whole if role == "messages" and not apart else ()

    def _standing_for(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for role in roles for name in getattr(self, role)))


def answer_column(generator: Any) -> str:
    """The column with the answers of a generator's rows, as far as the names of its columns tell; else "output"."""
    texts = getattr(generator, "texts", None)
    if texts is None:
        return "output"
    try:
        return Layout.of(texts, tuple(getattr(generator, "on", ()))).output[-1]
    except RecipeError:
        return "output"


def refuse_unread(steps: Iterable[Any], columns: Mapping[str, str], path: options.Path) -> None:
    """Raise `OptionError` for a step, or selector, that looks at columns of which there is none."""
    known = dict(columns)  # the fields that records have; those that the dataset leaves out stay with them
    for place, step in enumerate(steps):
        for name, on in _looks_at(step, (*path, place)):
            if on and not set(on) & known.keys():
                what = " or ".join(map(str, on))
                raise options.OptionError(name, f"there is no column {what}", f"the columns are {', '.join(known)}")
        known |= columns_behind([step], known)


def refuse_misspelt(
    steps: Sequence[Any], columns: Iterable[str], path: options.Path, selectors: Sequence[Any] = ()
) -> None:
    """Raise `OptionError` for a condition on a name that is nearly one of a column, or of a step that gives a score;
    and for a selector by a score that is nearly one.

    Only nearly: what scores and provenance there will be, nobody knows in full before. Names that say where they are to
    be looked up, such as `meta.round`, are taken as they are.
    """
    known = {*columns, *(_CAPITAL.sub("_", type(step).__name__).lower() for step in steps)}
    for place, step in enumerate(steps):
        for name in sorted(getattr(step, "looks_up", ())):
            near = next(iter(difflib.get_close_matches(name, known, 1, 0.75)), name)
            if "." not in name and name not in known and not (near.startswith(name) or name.startswith(near)):
                hint = f"did you mean {near}? If not, say where it is: scores.{name}, meta.{name} or fields[...]"
                raise options.OptionError((*path, place), f"nothing is called {name}", hint)
    for place, selector in enumerate(selectors):
        for name in selector.needs.scores:
            near = next(iter(difflib.get_close_matches(name, known, 1, 0.75)), name)
            if name not in known and not (near.startswith(name) or name.startswith(near)):
                raise options.OptionError(("selectors", place), f"no score is called {name}", f"did you mean {near}?")


def refuse_misspelt_roles(roles: Iterable[str], known: Iterable[str]) -> None:
    """Raise `OptionError` for the role of a model that nothing asks in and that is nearly one of those known."""
    known = set(known)
    for role in roles:
        near = difflib.get_close_matches(role, known - set(roles), 1, 0.75)
        if role not in known and near:
            hint = f"did you mean {near[0]}? As it is, the default answers there"
            raise options.OptionError(("models", role), "nothing asks in this role", hint)


def _looks_at(step: Any, path: options.Path) -> Iterator[tuple[options.Path, tuple[str, ...]]]:
    """The options of a step, and of those inside it, that name columns: `on` and those by column, with key paths."""
    if not dataclasses.is_dataclass(step):
        return
    for field in dataclasses.fields(step):
        value = getattr(step, field.name, None)
        if field.init and field.name == "on" and isinstance(value, tuple):
            yield (*path, "on"), value
        elif isinstance(value, Mapping) and isinstance(usual := _default(field), dict) and set(_ROLES) & usual.keys():
            yield (*path, field.name), tuple(value)
        elif field.init and dataclasses.is_dataclass(value):
            yield from _looks_at(value, (*path, field.name))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def _step_in(target: type, name: str) -> Any:
    """The class of the step that an option of a step holds, if it holds one."""
    kind = get_type_hints(target)[name]
    return next((one for one in (kind, *get_args(kind)) if dataclasses.is_dataclass(one)), None)


def _first(names: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    return next(((name,) for name in names if name in columns), ())
