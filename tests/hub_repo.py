"""What the loopback Hub holds and how it fails: repositories as whole trees by commit, and faults by chance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MAIN = "main"
Fault = tuple[int, dict[str, str], str]
"""Status, headers and body that are answered instead."""


@dataclass(frozen=True)
class Faults:
    """Answers 429 or 503 to a share of the requests: some with the time to come back, some as the page of a proxy.

    seconds: what Retry-After says, where it is said.
    """

    share: float
    seed: int = 0
    seconds: int = 0

    def __call__(self, number: int, method: str, path: str) -> Fault | None:
        rng = random.Random(f"{self.seed}/{number}")
        if rng.random() >= self.share:
            return None
        status = rng.choice([429, 503])
        headers = {"Retry-After": str(self.seconds)} if rng.random() < 0.5 else {}
        if rng.random() < 0.3:
            return status, {**headers, "Content-Type": "text/html"}, "<html>try again later</html>"
        return status, headers, '{"error": "try again later"}'


@dataclass(frozen=True)
class File:
    """A file of a tree: its git hash, and its content, or the hash of it in the store."""

    oid: str
    size: int
    content: bytes | None = None
    sha256: str = ""


Tree = dict[str, File]


@dataclass
class Repo:
    """Branches and pull requests by name, each a list of commits, the newest last."""

    private: bool
    branches: dict[str, list[str]] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, tree: Tree, message: str) -> str:
        oid = hashlib.sha1(f"{len(self.trees)}{branch}{message}{sorted(tree)}".encode()).hexdigest()
        self.trees[oid] = tree
        self.messages[oid] = message
        self.branches.setdefault(branch, []).append(oid)
        return oid

    def resolved(self, revision: str) -> str | None:
        """The commit that a branch or the beginning of a hash stands for."""
        if revision in self.branches:
            return self.branches[revision][-1]
        return next((oid for oid in self.trees if len(revision) >= 7 and oid.startswith(revision)), None)

    @property
    def head(self) -> Tree:
        return self.trees[self.branches[MAIN][-1]]

    @property
    def commits(self) -> int:
        """How many there are on main beside the first, which the Hub makes itself."""
        return len(self.branches[MAIN]) - 1


def entries(tree: Tree, inside: str, recursive: bool) -> Iterable[dict[str, Any]]:
    prefix = f"{inside}/" if inside else ""
    folders: set[str] = set()
    for path, file in sorted(tree.items()):
        if not path.startswith(prefix):
            continue
        steps = path.removeprefix(prefix).split("/")
        for depth in range(1, len(steps) if recursive else min(2, len(steps))):
            folder = prefix + "/".join(steps[:depth])
            if folder not in folders:
                folders.add(folder)
                yield {"type": "directory", "path": folder, "oid": hashlib.sha1(folder.encode()).hexdigest(), "size": 0}
        if recursive or len(steps) == 1:
            entry: dict[str, Any] = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
            if file.sha256:
                entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
            yield entry


def small(content: bytes) -> File:
    return File(hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest(), len(content), content)


def large(sha256: str, size: int) -> File:
    return File(hashlib.sha1(f"pointer {sha256}".encode()).hexdigest(), size, sha256=sha256)
