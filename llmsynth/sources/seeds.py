"""`read_seeds`: seed tasks out of the formats people have them in."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmsynth.errors import SourceError
from llmsynth.sources.rows import Row, kind_of, read_rows

BUILTIN = "builtin"
MAX_CHARACTERS = 20_000  # in one text of a seed; longer ones would crowd every prompt they are shown in

_INSTRUCTION = ("instruction", "prompt", "question")
_INPUT = ("input", "context")
_OUTPUT = ("output", "response", "completion", "answer")
_MESSAGES = ("messages", "conversations")
_UNDERSTOOD = (
    f"A row needs an instruction ({', '.join(_INSTRUCTION)}) and an output ({', '.join(_OUTPUT)}),"
    f" and may have an input ({', '.join(_INPUT)}); or an instruction and Self-Instruct's instances; or messages."
)
_SHOWN = 5  # places named in one error

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seed:
    """One task to start from.

    instances: (input, output) pairs, at least one; an input may be empty.
    is_classification: None where the file doesn't say.
    source: file name and line or row, such as "seeds.jsonl:12".
    """

    id: str
    instruction: str
    instances: tuple[tuple[str, str], ...]
    is_classification: bool | None
    source: str


class Seeds(list[Seed]):
    """The seeds of one file, in its order.

    duplicates: seeds left out because an earlier one has the same instruction
        (compared without case and spacing).
    """

    def __init__(self, seeds: Iterable[Seed] = (), duplicates: Iterable[Seed] = ()) -> None:
        super().__init__(seeds)
        self.duplicates = tuple(duplicates)


def read_seeds(path: str | Path | None = BUILTIN) -> Seeds:
    """The seed tasks in a file or folder; "builtin" or None means those that come with llmsynth.

    Every unusable row of the file goes into one SourceError: a run must not start
    on fewer seeds than its owner believes it has.
    """
    path = Path(__file__).parent.parent / "data" / "seeds.jsonl" if path is None or str(path) == BUILTIN else Path(path)
    seeds: list[Seed] = []
    duplicates: list[Seed] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    instructions: set[str] = set()
    rows = 0
    for row in read_rows(path):
        rows += 1
        try:
            seed = _seed(row)
            if seed.id in places:
                raise _UnusableError(f"the id {seed.id!r} is already that of {places[seed.id]}")
        except _UnusableError as unusable:
            problems.append(f"{row.place}: {unusable}")
            continue
        places[seed.id] = seed.source
        key = " ".join(seed.instruction.split()).casefold()
        (duplicates if key in instructions else seeds).append(seed)
        instructions.add(key)
    if problems:
        raise _unusable(path, problems, rows)
    if not seeds:
        raise SourceError(f"{path} holds no seeds: it is empty", _UNDERSTOOD)
    if duplicates:
        shown = ", ".join(seed.source for seed in duplicates[:_SHOWN]) + (", ..." if len(duplicates) > _SHOWN else "")
        log.warning("%s: left out for repeating an earlier instruction: %d (%s)", path, len(duplicates), shown)
    return Seeds(seeds, duplicates)


class _UnusableError(Exception):
    """What is wrong with one row."""


def _unusable(path: Path, problems: list[str], rows: int) -> SourceError:
    shown = problems[:_SHOWN]
    if more := len(problems) - len(shown):
        shown.append(f"and {more} more")
    listing = "\n".join(f"  {problem}" for problem in shown)
    return SourceError(f"{path}: {len(problems)} of {rows} rows cannot be used\n{listing}", _UNDERSTOOD)


def _seed(row: Row) -> Seed:
    if row.problem:
        raise _UnusableError(row.problem)
    values = row.values
    if values.get("instances") is not None:
        instruction, instances = _required(values, _INSTRUCTION, "instruction"), _instances(values["instances"])
    elif _name(values, _INSTRUCTION) is None and (name := _name(values, _MESSAGES)):
        instruction, output = _first_turns(values[name], name)
        instances = (("", output),)
    else:
        instruction, instances = _required(values, _INSTRUCTION, "instruction"), (_instance(values),)
    return Seed(
        id=_id(values.get("id")) or f"{Path(row.file).stem}:{row.number}",
        instruction=instruction.strip(),
        instances=instances,
        is_classification=_truth(values.get("is_classification")),
        source=row.place,
    )


def _instances(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise _UnusableError(f"instances is {kind_of(value)}, not a list")
    if not value:
        raise _UnusableError("instances is empty")
    pairs = []
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict):
            raise _UnusableError(f"instance {number} is {kind_of(entry)}, not an object with input and output")
        try:
            pairs.append(_instance(entry))
        except _UnusableError as unusable:
            raise _UnusableError(f"instance {number}: {unusable}") from None
    return tuple(pairs)


def _instance(values: Mapping[str, Any]) -> tuple[str, str]:
    name = _name(values, _INPUT)
    given = values[name] if name else None
    return "" if given is None else _text(given, name or ""), _required(values, _OUTPUT, "output")


def _first_turns(turns: Any, name: str) -> tuple[str, str]:
    """The first user turn and the first assistant turn after it; ShareGPT's names are understood too."""
    if not isinstance(turns, list):
        raise _UnusableError(f"{name} is {kind_of(turns)}, not a list")
    user: str | None = None
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, dict):
            raise _UnusableError(f"turn {number} of {name} is {kind_of(turn)}, not an object with role and content")
        role = turn.get("role", turn.get("from"))
        where = f"content of turn {number} of {name}"
        if user is None and role in ("user", "human"):
            user = _filled(turn.get("content", turn.get("value")), where)
        elif user is not None and role in ("assistant", "gpt"):
            return user, _filled(turn.get("content", turn.get("value")), where)
    missing = "no user turn" if user is None else "no assistant turn after the user's"
    raise _UnusableError(f"{name} has {missing}")


def _required(values: Mapping[str, Any], names: tuple[str, ...], what: str) -> str:
    name = _name(values, names)
    if name is None:
        found = ", ".join(_printable(key) for key in list(values)[:12]) or "nothing"
        raise _UnusableError(f"no {what}: found {found}; understood: {', '.join(names)}")
    return _filled(values[name], name)


def _name(values: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the names that holds something, else the first that is there at all."""
    there = [name for name in names if name in values]
    return next((name for name in there if values[name] is not None), there[0] if there else None)


def _filled(value: Any, name: str) -> str:
    text = _text(value, name)
    if not text.strip():
        raise _UnusableError(f"{name} is empty")
    return text


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _UnusableError(f"{name} is {kind_of(value)}, not text")
    if len(value) > MAX_CHARACTERS:
        raise _UnusableError(
            f"{name} has {len(value):,} characters, and {MAX_CHARACTERS:,} is the most a seed may have"
        )
    if "\0" in value:
        raise _UnusableError(f"{name} holds a NUL character (character {value.index(chr(0)) + 1})")
    if lone := re.search("[\ud800-\udfff]", value):
        raise _UnusableError(f"{name} holds half a character, U+{ord(lone[0]):04X} (character {lone.start() + 1})")
    return value


def _id(value: Any) -> str:
    if value is None or value == "":
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value, "id")


def _truth(value: Any) -> bool | None:
    """True, false or unsaid; CSV can only say it in words."""
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word == "":
        return None
    if word not in ("true", "false"):
        raise _UnusableError(f"is_classification is {_printable(repr(value))[:40]}, not true or false")
    return word == "true"


def _printable(text: object) -> str:
    return str(text).encode("utf-8", "backslashreplace").decode()
