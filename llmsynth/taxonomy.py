"""`Taxonomy`: a tree of fields, subfields and disciplines, in a YAML file that people write.

    name: mine
    include: [glan, more.yaml]     # shipped taxonomies by name, files by a path relative to this one
    fields:
      Natural sciences:            # what has something below it
        Physics: [Optics, Acoustics]
        Earth sciences:
          - Oceanography
          - Geology: [Mineralogy, Petrology]
      Philately:                   # nothing below it: a discipline, at any depth

The leaves are the disciplines. Names are data and nothing else: they are never taken for paths, markup or templates.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from llmsynth.errors import SourceError
from llmsynth.text import has_lone_surrogate, one_line, shorten

Names = tuple[str, ...]

_KEYS = ("name", "include", "fields")
_DEEPEST = 32
_MOST_NODES = 200_000  # a few aliases of aliases would make more than memory holds
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Node:
    """A field, a subfield, or without children a discipline."""

    name: str
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Trees of nodes. Siblings differ in more than case and spacing; two branches may share a name."""

    name: str
    roots: tuple[Node, ...]

    @classmethod
    def load(cls, source: str | Path) -> Taxonomy:
        """Read a file, or a shipped taxonomy by its name, with all it includes.

        Raises `SourceError` naming file and line.
        """
        taxonomy = _load(_find(str(source), None, ""), ())
        if not taxonomy.roots:
            raise SourceError(f"{source} holds no discipline", "write some under `fields`")
        return taxonomy

    def nodes(self) -> Iterator[tuple[Names, Node]]:
        """Every node with its path, parents before their children."""
        return _walk(self.roots, ())

    def disciplines(self) -> list[Names]:
        """The paths of the leaves, in the order of the file."""
        return [path for path, node in self.nodes() if not node.children]

    def merge(self, other: Taxonomy) -> Taxonomy:
        """Both trees in one: nodes of the same path become one, with the children of both, first come first."""
        return Taxonomy(self.name, _merged(self.roots, other.roots))

    def select(self, wanted: Sequence[str]) -> Taxonomy:
        """The nodes that are named, with all below and above them.

        A name is a node's own, or the end of its path with slashes, such as "Physics/Optics". Raises
        `SourceError` for one that names nothing.
        """
        ends: dict[str, list[Names]] = {}
        for path, _ in self.nodes():
            for start in range(len(path)):
                ends.setdefault(_key("/".join(path[start:])), []).append(path)
        chosen: set[Names] = set()
        for name in wanted:
            key = "/".join(part.strip() for part in _key(name).split("/"))
            found = ends.get(_key(name)) or ends.get(key)
            if not found:
                near = [end for end in ends if key in end][:1] or difflib.get_close_matches(key, ends, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else "`llmsynth taxonomy ls` lists the names"
                raise SourceError(f"the taxonomy {self.name} has no {shorten(name)!r}", hint)
            chosen.update(found)

        def keep(nodes: tuple[Node, ...], above: Names) -> tuple[Node, ...]:
            kept = []
            for node in nodes:
                path = (*above, node.name)
                if path in chosen:
                    kept.append(node)
                elif children := keep(node.children, path):
                    kept.append(Node(node.name, children))
            return tuple(kept)

        return Taxonomy(self.name, keep(self.roots, ()))

    def without(self, paths: set[Names]) -> Taxonomy:
        """The tree without these nodes and all below them; a node left with nothing below it goes too."""

        def keep(nodes: tuple[Node, ...], above: Names) -> tuple[Node, ...]:
            kept = []
            for node in nodes:
                path = (*above, node.name)
                if path in paths:
                    continue
                children = keep(node.children, path)
                if children or not node.children:
                    kept.append(Node(node.name, children))
            return tuple(kept)

        return Taxonomy(self.name, keep(self.roots, ()))

    def to_yaml(self) -> str:
        """The tree as a file that `load` reads back."""
        data = {"name": self.name, "fields": _plain(self.roots)}
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def build(name: str, paths: Sequence[Names]) -> Taxonomy:
    """The tree of these paths; those that differ in case or spacing only are one."""
    roots: dict[str, _Growing] = {}
    for path in paths:
        level = roots
        for part in path:
            node = level.setdefault(_key(part), _Growing(one_line(part), {}))
            level = node.children
    return Taxonomy(name, _grown(roots))


def shipped_folder() -> Path:
    """Where the shipped taxonomies are: inside the installed package, or at the top of a checkout."""
    installed = Path(__file__).parent / "data" / "taxonomies"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "taxonomies"


def shipped_names() -> list[str]:
    """The names of the shipped taxonomies."""
    return sorted(path.stem for path in shipped_folder().glob("*.yaml"))


@dataclass(slots=True)
class _Growing:
    name: str
    children: dict[str, _Growing]


def _grown(level: dict[str, _Growing]) -> tuple[Node, ...]:
    return tuple(Node(node.name, _grown(node.children)) for node in level.values())


def _walk(nodes: tuple[Node, ...], above: Names) -> Iterator[tuple[Names, Node]]:
    for node in nodes:
        path = (*above, node.name)
        yield path, node
        yield from _walk(node.children, path)


def _merged(one: tuple[Node, ...], other: tuple[Node, ...]) -> tuple[Node, ...]:
    merged = {_key(node.name): node for node in one}
    for node in other:
        key = _key(node.name)
        present = merged.get(key)
        merged[key] = Node(present.name, _merged(present.children, node.children)) if present else node
    return tuple(merged.values())


def _plain(nodes: tuple[Node, ...]) -> object:
    if any(node.children for node in nodes):
        return {node.name: _plain(node.children) if node.children else None for node in nodes}
    return [node.name for node in nodes]


def _key(name: str) -> str:
    """What two names that mean the same have in common. Punctuation counts: C, C++ and C# are three."""
    return one_line(unicodedata.normalize("NFKC", name)).casefold()


# reading


def _find(source: str, base: Path | None, at: str) -> Path:
    """The file that a name in a taxonomy, or on the command line, stands for."""
    path = Path(source) if base is None else base / source
    if path.is_file():
        return path
    shipped = shipped_names()
    if source in shipped:
        return shipped_folder() / f"{source}.yaml"
    near = difflib.get_close_matches(source, shipped, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"a YAML file, or one of those shipped: {', '.join(shipped)}"
    raise SourceError(f"{at}there is no taxonomy {shorten(source)!r}", hint)


def _load(path: Path, inside: tuple[Path, ...]) -> Taxonomy:
    resolved = path.resolve()
    if resolved in inside:
        circle = " > ".join(p.name for p in (*inside[inside.index(resolved) :], resolved))
        raise SourceError(f"{path}: taxonomies include each other in a circle: {circle}", "delete one of the includes")
    root = _compose(path)
    parts: dict[str, yaml.Node] = {}
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in _KEYS:
            near = difflib.get_close_matches(str(name), _KEYS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "disciplines stand under `fields`"
            raise SourceError(f"{_at(path, key)}: unknown key {shorten(str(name))!r}", hint)
        if name in parts:
            raise SourceError(f"{_at(path, key)}: {name} is there twice", "delete one, or put them together")
        parts[name] = value
    taxonomy = Taxonomy(_scalar(parts["name"], path) if "name" in parts else path.stem, ())
    if "include" in parts:
        includes = parts["include"]
        items = includes.value if isinstance(includes, yaml.SequenceNode) else [includes]
        for item in items:
            name = _scalar(item, path)
            found = _find(name, path.parent, f"{_at(path, item)}: ")
            taxonomy = taxonomy.merge(_load(found, (*inside, resolved)))
    fields = parts.get("fields")
    if isinstance(fields, yaml.ScalarNode) and not _is_null(fields):
        raise SourceError(
            f"{_at(path, fields)}: `fields` is one word, {shorten(fields.value, 40)!r}",
            "the fields stand below it, each on a line of its own",
        )
    if "fields" in parts:
        own = Taxonomy("", _Reader(path).children(parts["fields"], ()))
        taxonomy = taxonomy.merge(own)
    elif "include" not in parts:
        raise SourceError(f"{path} has no `fields`", "the disciplines stand under that key")
    return taxonomy


def _compose(path: Path) -> yaml.MappingNode:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = "no valid YAML there: check the indentation and colons, and quote names that hold `: `, `#` or braces"
        raise SourceError(f"{path}{at}: {what}", hint) from error
    except RecursionError as error:
        raise SourceError(f"{path} is nested too deeply", f"at most {_DEEPEST} levels") from error
    if not isinstance(root, yaml.MappingNode):
        raise SourceError(f"{path} is no mapping", "a taxonomy has the key `fields`, with the names below it")
    return root


class _Reader:
    """Nodes of YAML to nodes of the tree, with the place of every mistake."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def children(self, node: yaml.Node, above: Names) -> tuple[Node, ...]:
        if isinstance(node, yaml.ScalarNode):
            if _is_null(node):
                return ()
            return self._unique([(node, Node(self._name(node)))])
        if len(above) >= _DEEPEST:
            what = f"more than {_DEEPEST} levels below {shorten(above[0])!r}"
            raise SourceError(f"{_at(self.path, node)}: {what}", "a branch that holds itself by an alias has no end")
        found: list[tuple[yaml.Node, Node]] = []
        if isinstance(node, yaml.MappingNode):
            found = [self._entry(key, value, above) for key, value in node.value]
        else:
            for item in node.value:
                if isinstance(item, yaml.MappingNode):
                    found += [self._entry(key, value, above) for key, value in item.value]
                else:
                    found.append((item, Node(self._name(item))))
        if not found:
            where = f"{shorten(above[-1])!r} has" if above else "`fields` has"
            raise SourceError(
                f"{_at(self.path, node)}: {where} nothing in its list",
                "a name alone, without brackets, is a discipline; or delete it",
            )
        return self._unique(found)

    def _entry(self, key: yaml.Node, value: yaml.Node, above: Names) -> tuple[yaml.Node, Node]:
        name = self._name(key)
        return key, Node(name, self.children(value, (*above, name)))

    def _name(self, node: yaml.Node) -> str:
        self.count += 1
        if self.count > _MOST_NODES:
            raise SourceError(f"{self.path} has more than {_MOST_NODES:,} nodes", "do aliases repeat each other?")
        name = _scalar(node, self.path)
        if len(name) > _LONGEST_NAME:
            what = f"a name of {len(name)} characters: {shorten(name, 40)!r}"
            raise SourceError(f"{_at(self.path, node)}: {what}", f"at most {_LONGEST_NAME}")
        return name

    def _unique(self, found: list[tuple[yaml.Node, Node]]) -> tuple[Node, ...]:
        lines: dict[str, int] = {}
        for place, node in found:
            key, line = _key(node.name), place.start_mark.line + 1
            if key in lines:
                raise SourceError(
                    f"{_at(self.path, place)}: {shorten(node.name)!r} is there twice, first in line {lines[key]}",
                    "put what is below them together, or delete one",
                )
            lines[key] = line
        return tuple(node for _, node in found)


def _scalar(node: yaml.Node, path: Path) -> str:
    """A name as it is written: `No` and `1984` are names too."""
    if not isinstance(node, yaml.ScalarNode):
        raise SourceError(
            f"{_at(path, node)}: expected a name", "lists and mappings stand below a name, behind a colon"
        )
    name = one_line(node.value)
    if not name or _is_null(node):
        raise SourceError(f"{_at(path, node)}: an empty name", "write one, or delete the line")
    if has_lone_surrogate(name) or any(unicodedata.category(c) == "Cc" for c in name):
        raise SourceError(f"{_at(path, node)}: a name with control characters", "retype the name")
    return name


def _is_null(node: yaml.ScalarNode) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _at(path: Path, node: yaml.Node) -> str:
    return f"{path}, line {node.start_mark.line + 1}"
