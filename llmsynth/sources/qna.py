"""InstructLab's taxonomy trees: folders whose leaves are files named qna.yaml, as seeds.

A leaf is of one of three kinds, told apart by what is in it:

    skill             seed_examples: [{question, answer}]
    grounded skill    seed_examples: [{context, question, answer}]
    knowledge (v3)    seed_examples: [{context, questions_and_answers: [{question, answer}]}]

The question is the seed's instruction and the answer its output. **The context is its input**: the passage that the
question is about. So Self-Instruct shows the question alone, Alpaca question and context, and Evol-Instruct evolves
the question with the context below it. Examples of a leaf that ask the same are one task with several instances.

The leaf's path, `task_description` and `domain` go into `Seed.meta`, and from there into records. Nothing that a leaf
only refers to is opened: the documents named by repository and pattern stay where they are. InstructLab's least
numbers of examples are not asked for, as a seed here is an example to show and not a training set.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

import yaml

from llmsynth.errors import SourceError
from llmsynth.licences import named
from llmsynth.sources.checks import UnusableError, filled, printable, text
from llmsynth.sources.seed import Seed
from llmsynth.text import has_lone_surrogate, one_line

LEAF = "qna.yaml"
LAYOUT = (
    "A qna.yaml has seed_examples, a list: of question, answer and maybe context (skills), or of context and"
    " questions_and_answers (knowledge). It is indented with blanks."
)
_NAMES = (LEAF, "qna.yml")  # what is called one of these, in whatever case, was meant to be a leaf
_OUTSIDE = "is a link out of the folder, and is not followed"
_MOST_BYTES = 1 << 20
_MOST_PAIRS = 10_000  # of a leaf: aliases in a small file could name more than memory holds
_ABOUT = ("task_description", "domain")
_TOP = (*_ABOUT, "seed_examples", "version", "created_by", "document", "document_outline", "attribution")
_EXAMPLE = ("context", "question", "answer", "questions_and_answers", "attribution")
_KINDS = ("skill", "grounded skill", "knowledge")  # a leaf is of the last that one of its examples is of
_NEAR = 0.8  # how like a known key an unknown one must be to be taken for a slip; others are left alone

KeyPath = str  # in a leaf, such as seed_examples[0].answer


class Leaf(NamedTuple):
    """A file to read. label: its path from the folder that was named, which comes first; with slashes.

    problem: why it is not to be read at all.
    """

    path: Path
    label: str
    problem: str = ""

    @property
    def place(self) -> str:
        return "".join(c if unicodedata.category(c) != "Cc" else f"\\x{ord(c):02x}" for c in printable(self.label))

    @property
    def topic(self) -> str:
        """The path of the leaf in its tree."""
        return self.label.rpartition("/")[0]


class MisplacedError(Exception):
    """What is wrong with a leaf, behind its file and line."""


class _AtError(Exception):
    """What is wrong, and in which line, from 0."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def find_leaves(path: Path) -> list[Leaf]:
    """The leaves of a tree, in the order of their paths; of a file, the file if it is one; else none.

    Hidden folders are passed over. No link leads out of the folder: one that would is a leaf with a problem, and
    so is a file whose name is not quite that of a leaf.
    """
    # without following a link in it, so that what is named is what is told of
    named = Path(os.path.abspath(path))
    if named.is_file():
        return [Leaf(path, f"{named.parent.name}/{LEAF}")] if named.name == LEAF else []
    try:
        found = list(_walk(path, named.name)) if named.is_dir() else []
    except OSError as error:
        raise SourceError(
            f"{error.filename or path} cannot be read: {error.strerror}", "Check its permissions."
        ) from error
    if not any(leaf.path.name.casefold() in _NAMES for leaf in found):
        return []  # links out of a folder that is no tree are nobody's business
    return sorted(found, key=lambda leaf: leaf.label.split("/"))


def read_leaf(leaf: Leaf) -> tuple[Seed, ...]:
    """The tasks of a leaf, at least one. Raises `MisplacedError` for the first thing that is wrong with it."""
    if leaf.problem:
        raise MisplacedError(f"{leaf.place}: {leaf.problem}")
    try:
        return _seeds(leaf, _compose(_content(leaf.path)))
    except _AtError as wrong:
        raise MisplacedError(f"{leaf.place}:{wrong.line + 1}: {wrong}") from None


def same_task(instruction: str) -> str:
    """What two instructions that differ in case and spacing have in common."""
    return one_line(instruction).casefold()


# files


def _walk(root: Path, name: str) -> Iterator[Leaf]:
    inside = _real(root)

    def refuse(error: OSError) -> NoReturn:
        raise error

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [each for each in folders if not each.startswith(".")]
        here = Path(folder)
        label = "/".join((name, *here.relative_to(root).parts))
        for each in folders:
            # one that stays inside is read where it leads
            if (here / each).is_symlink() and not _real(here / each).is_relative_to(inside):
                yield Leaf(here / each, f"{label}/{each}", _OUTSIDE)
        for each in files:
            if each.casefold() in _NAMES:
                yield Leaf(here / each, f"{label}/{each}", _trouble(here / each, f"{label}/", inside))


def _trouble(path: Path, folders: str, inside: Path) -> str:
    """Why a file is not to be read at all, or nothing."""
    if path.name != LEAF:
        return f"is not read: a leaf is named {LEAF}"
    if has_lone_surrogate(folders) or any(unicodedata.category(c) == "Cc" for c in folders):
        return "a folder's name holds control characters, or is not UTF-8"
    if not _real(path).is_relative_to(inside):
        return _OUTSIDE
    return ""


def _real(path: Path) -> Path:
    """Where a path leads, also if that is nowhere, or to itself."""
    return Path(os.path.realpath(path))


def _content(path: Path) -> str:
    try:
        # what is no plain file might never end, or never begin
        if not stat.S_ISREG((status := path.stat()).st_mode):
            raise _AtError(0, "is no plain file")
        if status.st_size > _MOST_BYTES:
            raise _AtError(0, f"has {status.st_size:,} bytes, and {_MOST_BYTES:,} is the most a leaf may have")
        raw = path.read_bytes()
    except OSError as error:
        raise _AtError(0, f"cannot be read: {error.strerror or error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start)
        raise _AtError(line, f"is not UTF-8: byte 0x{raw[error.start]:02x}") from error


def _compose(content: str) -> yaml.MappingNode:
    """The document as nodes, which keep their lines, and which aliases share rather than multiply.

    By PyYAML's own safe loader, as libyaml's, which is faster, overruns its stack on deep nesting.
    """
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = content.count("\n", 0, error.position)
        raise _AtError(line, f"holds a control character, U+{ord(content[error.position]):04X}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _AtError(mark.line if mark else 0, f"is not valid YAML: {printable(error.problem or error)}") from error
    except RecursionError as error:
        raise _AtError(0, "is nested too deeply") from error
    if root is None:
        raise _AtError(0, "is empty")
    if not isinstance(root, yaml.MappingNode):
        _wrong(root, f"is {_kind(root)}, not a mapping with seed_examples")
    return root


# what is in them


def _seeds(leaf: Leaf, root: yaml.MappingNode) -> tuple[Seed, ...]:
    top = _mapping(root, "", _TOP)
    about = {name: said.strip() for name in _ABOUT if name in top and (said := _text(top[name], name)).strip()}
    if "seed_examples" not in top:
        _wrong(root, f"has no seed_examples: found {_listed(top)}")
    tasks: dict[str, tuple[int, yaml.Node, str, list[tuple[str, str]]]] = {}
    kinds: set[str] = set()
    pairs = 0
    for at, node in enumerate(_list(top["seed_examples"], "seed_examples")):
        for kind, asked, question, given, answer in _examples(node, f"seed_examples[{at}]"):
            pairs += 1
            if pairs > _MOST_PAIRS:
                _wrong(node, f"has more than {_MOST_PAIRS:,} questions: do aliases repeat each other?")
            kinds.add(kind)
            _, _, _, instances = tasks.setdefault(same_task(question), (pairs, asked, question.strip(), []))
            instances.append((given, answer))
    licenses = _licenses(leaf, root)
    meta = {"topic": leaf.topic, "leaf_kind": max(kinds, key=_KINDS.index), **about}
    return tuple(
        Seed(
            f"{leaf.topic}:{number}",
            question,
            tuple(instances),
            None,
            f"{leaf.place}:{_line(asked) + 1}",
            meta,
            licenses,
        )
        for number, asked, question, instances in tasks.values()
    )


def _licenses(leaf: Leaf, root: yaml.MappingNode) -> tuple[str, ...]:
    """What `attribution` says in a leaf or its examples, and the file attribution.txt beside it, of works it uses."""
    said = [value for node in _attributions(root) for value in _scalars(node, "license")]
    beside = leaf.path.with_name("attribution.txt")
    with contextlib.suppress(OSError):  # what cannot be read says nothing
        if beside.is_file() and not beside.is_symlink() and beside.stat().st_size <= _MOST_BYTES:
            said += _OF_THE_WORK.findall(beside.read_text(encoding="utf-8-sig", errors="replace"))
    return tuple(dict.fromkeys(named(name) for name in said if name.strip() and len(name) <= _LONGEST_NAME))


_OF_THE_WORK = re.compile(r"^[ \t]*Licen[sc]e of the work[ \t]*:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_LONGEST_NAME = 200


def _attributions(root: yaml.MappingNode) -> Iterator[yaml.Node]:
    for key, value in root.value:
        if key.value == "attribution":
            yield value
        elif key.value == "seed_examples" and isinstance(value, yaml.SequenceNode):
            for example in value.value:
                if isinstance(example, yaml.MappingNode):
                    yield from (inner for name, inner in example.value if name.value == "attribution")


def _scalars(node: yaml.Node, name: str) -> Iterator[str]:
    """The texts under a key of a mapping, or of those in a list."""
    for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if isinstance(each, yaml.MappingNode):
            yield from (v.value for k, v in each.value if k.value == name and isinstance(v, yaml.ScalarNode))


def _examples(node: yaml.Node, path: KeyPath) -> Iterator[tuple[str, yaml.Node, str, str, str]]:
    """Kind, the question's node, question, context and answer of each pair in one of the seed examples."""
    example = _mapping(node, path, _EXAMPLE)
    given = _text(example["context"], f"{path}.context") if "context" in example else ""
    if "questions_and_answers" not in example:
        kind = "grounded skill" if given.strip() else "skill"
        yield kind, *_pair(node, path, example, given)
        return
    if extra := [name for name in ("question", "answer") if name in example]:
        _wrong(example[extra[0]], f"{path} has both {extra[0]} and questions_and_answers")
    if not given.strip():
        _wrong(node, f"{path}.context is empty" if "context" in example else f"{path} has no context")
    inner = f"{path}.questions_and_answers"
    for at, each in enumerate(_list(example["questions_and_answers"], inner)):
        here = f"{inner}[{at}]"
        yield "knowledge", *_pair(each, here, _mapping(each, here, ("question", "answer")), given)


def _pair(node: yaml.Node, path: KeyPath, pair: Mapping[str, yaml.Node], given: str) -> tuple[yaml.Node, str, str, str]:
    for name in ("question", "answer"):
        if name not in pair:
            _wrong(node, f"{path} has no {name}: found {_listed(pair)}")
    question, answer = (_text(pair[name], f"{path}.{name}", needed=True) for name in ("question", "answer"))
    return pair["question"], question, given, answer


def _mapping(node: yaml.Node, path: KeyPath, known: tuple[str, ...]) -> dict[str, yaml.Node]:
    """The values by key. A key that is there twice, or that looks like a slip of one that is known, is an error."""
    if not isinstance(node, yaml.MappingNode):
        _wrong(node, f"{path} is {_kind(node)}, not a mapping")
    found: dict[str, yaml.Node] = {}
    where = f"{path}." if path else ""
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            _wrong(key, f"{path or 'the leaf'} has {_kind(key)} for a key")
        name = key.value
        if name in found:
            _wrong(key, f"{where}{printable(name)} is there twice")
        if key.tag == "tag:yaml.org,2002:merge":
            _wrong(key, f"{where}<< is not understood: write out what it brings in")
        if name not in known and (near := difflib.get_close_matches(name, known, 1, _NEAR)):
            _wrong(key, f"{where}{printable(name)} is not known: {near[0]}?")
        found[name] = value
    return found


def _list(node: yaml.Node, path: KeyPath) -> list[yaml.Node]:
    if _is_null(node) or (isinstance(node, yaml.SequenceNode) and not node.value):
        _wrong(node, f"{path} is empty")
    if not isinstance(node, yaml.SequenceNode):
        _wrong(node, f"{path} is {_kind(node)}, not a list")
    items: list[yaml.Node] = node.value
    return items


def _text(node: yaml.Node, path: KeyPath, needed: bool = False) -> str:
    """A text as it is written: `answer: No` and `answer: 42` are texts too."""
    if not isinstance(node, yaml.ScalarNode):
        _wrong(node, f"{path} is {_kind(node)}, not text")
    value = "" if _is_null(node) else node.value
    try:
        return filled(value, path) if needed else text(value, path)
    except UnusableError as unusable:
        _wrong(node, str(unusable))


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _kind(node: yaml.Node) -> str:
    if _is_null(node):
        return "nothing"
    return (
        "text"
        if isinstance(node, yaml.ScalarNode)
        else "a list"
        if isinstance(node, yaml.SequenceNode)
        else "a mapping"
    )


def _listed(found: Mapping[str, yaml.Node]) -> str:
    return ", ".join(printable(name)[:40] for name in list(found)[:12]) or "nothing"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line)


def _wrong(node: yaml.Node, problem: str) -> NoReturn:
    raise _AtError(_line(node), problem)
