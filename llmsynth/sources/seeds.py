"""`read_seeds`: seed tasks out of the formats people have them in."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmsynth.errors import SourceError
from llmsynth.licences import named
from llmsynth.sources.beside import licensed_rows
from llmsynth.sources.checks import UnusableError, filled, printable, text
from llmsynth.sources.qna import LAYOUT, Leaf, MisplacedError, find_leaves, read_leaf, same_task
from llmsynth.sources.readme import source_of
from llmsynth.sources.rows import Row, holds_data, kind_of
from llmsynth.sources.seed import Seed, Seeds

BUILTIN = "builtin"
OWN_SEEDS = "llmsynth's own seed tasks"  # what cards call these
_OUR_LICENSE = "apache-2.0"

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


def read_seeds(path: str | Path | None = BUILTIN, license: str = "") -> Seeds:
    """The seed tasks in a file, a folder or an InstructLab taxonomy; "builtin" or None means our own.

    license: of seeds that do not say theirs. Without it, that is what the card in the folder says.
    A folder with a `qna.yaml` anywhere below it is a taxonomy; see `sources.qna` for what its parts become.
    Every unusable row or leaf goes into one SourceError: a run must not start on fewer seeds than its owner
    believes it has.
    """
    ours = Path(__file__).parent.parent / "data" / "seeds.jsonl"
    path = ours if path is None or str(path) == BUILTIN else Path(path)
    given = named(license) or (_OUR_LICENSE if path == ours else source_of(path).license)
    leaves = find_leaves(path)
    if leaves and path.is_dir() and holds_data(path):
        raise SourceError(f"{path} holds both data files and qna.yaml leaves", "Name one of them, or a folder below.")
    seeds: list[Seed] = []
    duplicates: list[Seed] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    instructions: set[str] = set()
    parts = 0
    for part in map(_of_leaf, leaves) if leaves else itertools.starmap(_of_row, licensed_rows(path)):
        parts += 1
        problem = part.problem
        for seed in part.seeds:
            if seed.id in places:
                problem = f"{part.place}: the id {seed.id!r} is already that of {places[seed.id]}"
                break
            places[seed.id] = seed.source
            if given and not seed.licenses:
                seed = dataclasses.replace(seed, licenses=(given,))
            key = same_task(seed.instruction)
            (duplicates if key in instructions else seeds).append(seed)
            instructions.add(key)
        if problem:
            problems.append(problem)
    if problems:
        raise _unusable(path, problems, parts, bool(leaves))
    if not seeds:
        raise SourceError(f"{path} holds no seeds: it is empty", _UNDERSTOOD)
    if duplicates:
        shown = ", ".join(seed.source for seed in duplicates[:_SHOWN]) + (", ..." if len(duplicates) > _SHOWN else "")
        log.warning("%s: left out for repeating an earlier instruction: %d (%s)", path, len(duplicates), shown)
    return Seeds(seeds, duplicates)


class _Part(NamedTuple):
    """The seeds of one row or leaf, or the reason why it has none."""

    place: str
    seeds: tuple[Seed, ...]
    problem: str = ""


def _of_row(row: Row, licenses: tuple[str, ...]) -> _Part:
    try:
        return _Part(row.place, (_seed(row, licenses),))
    except UnusableError as unusable:
        return _Part(row.place, (), f"{row.place}: {unusable}")


def _of_leaf(leaf: Leaf) -> _Part:
    try:
        return _Part(leaf.place, read_leaf(leaf))
    except MisplacedError as unusable:
        return _Part(leaf.place, (), str(unusable))


def _unusable(path: Path, problems: list[str], parts: int, leaves: bool) -> SourceError:
    shown = problems[:_SHOWN]
    if more := len(problems) - len(shown):
        shown.append(f"and {more} more")
    listing = "\n".join(f"  {problem}" for problem in shown)
    what, hint = ("leaves", LAYOUT) if leaves else ("rows", _UNDERSTOOD)
    return SourceError(f"{path}: {len(problems)} of {parts} {what} cannot be used\n{listing}", hint)


def _seed(row: Row, licenses: tuple[str, ...]) -> Seed:
    if row.problem:
        raise UnusableError(row.problem)
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
        licenses=licenses,
    )


def _instances(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise UnusableError(f"instances is {kind_of(value)}, not a list")
    if not value:
        raise UnusableError("instances is empty")
    pairs = []
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict):
            raise UnusableError(f"instance {number} is {kind_of(entry)}, not an object with input and output")
        try:
            pairs.append(_instance(entry))
        except UnusableError as unusable:
            raise UnusableError(f"instance {number}: {unusable}") from None
    return tuple(pairs)


def _instance(values: Mapping[str, Any]) -> tuple[str, str]:
    name = _name(values, _INPUT)
    given = values[name] if name else None
    return "" if given is None else text(given, name or ""), _required(values, _OUTPUT, "output")


def _first_turns(turns: Any, name: str) -> tuple[str, str]:
    """The first user turn and the first assistant turn after it; ShareGPT's names are understood too."""
    if not isinstance(turns, list):
        raise UnusableError(f"{name} is {kind_of(turns)}, not a list")
    user: str | None = None
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, dict):
            raise UnusableError(f"turn {number} of {name} is {kind_of(turn)}, not an object with role and content")
        role = turn.get("role", turn.get("from"))
        where = f"content of turn {number} of {name}"
        if user is None and role in ("user", "human"):
            user = filled(turn.get("content", turn.get("value")), where)
        elif user is not None and role in ("assistant", "gpt"):
            return user, filled(turn.get("content", turn.get("value")), where)
    missing = "no user turn" if user is None else "no assistant turn after the user's"
    raise UnusableError(f"{name} has {missing}")


def _required(values: Mapping[str, Any], names: tuple[str, ...], what: str) -> str:
    name = _name(values, names)
    if name is None:
        found = ", ".join(printable(key) for key in list(values)[:12]) or "nothing"
        raise UnusableError(f"no {what}: found {found}; understood: {', '.join(names)}")
    return filled(values[name], name)


def _name(values: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the names that holds something, else the first that is there at all."""
    there = [name for name in names if name in values]
    return next((name for name in there if values[name] is not None), there[0] if there else None)


def _id(value: Any) -> str:
    if value is None or value == "":
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value, "id")


def _truth(value: Any) -> bool | None:
    """True, false or unsaid; CSV can only say it in words."""
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word == "":
        return None
    if word not in ("true", "false"):
        raise UnusableError(f"is_classification is {printable(repr(value))[:40]}, not true or false")
    return word == "true"
