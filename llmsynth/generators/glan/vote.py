"""Votes on the nodes of a taxonomy, by models and by people, and what they leave of it (paper section 2.1)."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmsynth.errors import SourceError
from llmsynth.generators.glan.branches import FOLDER
from llmsynth.parsing import parse_yes_no
from llmsynth.request import Request, Sampling
from llmsynth.run import Run
from llmsynth.sources import read_rows
from llmsynth.taxonomy import Names, Taxonomy
from llmsynth.text import shorten

KEEP, DROP = "keep", "drop"
_LOOKAHEAD = 64


@dataclass(frozen=True, slots=True)
class Ballot:
    """What one voter says of each node, in the order of the taxonomy: keep, drop, or nothing.

    failed: requests without an answer, asked again by the same command. undecided: replies that are neither.
    """

    votes: tuple[tuple[Names, str], ...]
    failed: int = 0
    undecided: int = 0


async def vote(run: Run, taxonomy: Taxonomy, sampling: Sampling) -> Ballot:
    """Ask a model about each node whether it belongs where it is; one that answers neither way has no vote.

    The model sees what is below a node as well, as that says what the node means. The paper had people vote.
    """
    prompt = run.prompts.load(f"{FOLDER}/vote", {"path", "below"})
    nodes = list(taxonomy.nodes())
    requests = (
        Request(
            "vote",
            prompt.render(path=list(path), below=[child.name for child in node.children]),
            sampling,
            prompt.id,
        )
        for path, node in nodes
    )
    votes: list[str] = []
    failed = undecided = 0
    async for reply in run.model("vote").stream(requests, _LOOKAHEAD):
        said = None if reply.failure else parse_yes_no(reply.text)
        failed += reply.failure is not None
        undecided += said is None and reply.failure is None
        votes.append("" if said is None else KEEP if said else DROP)
    paths = (path for path, _ in nodes)
    return Ballot(tuple(zip(paths, votes, strict=True)), failed, undecided)


@dataclass(frozen=True, slots=True)
class Pruned:
    """A taxonomy after the vote. voted_out: the nodes that the majority dropped, without their descendants."""

    taxonomy: Taxonomy
    voted_out: tuple[Names, ...]


def prune(taxonomy: Taxonomy, ballots: Sequence[str | Path]) -> Pruned:
    """Leave out each node that more than half of its votes drop, and all below it.

    A ballot is one voter's file, a person's or a model's, of rows with `path` (names with slashes between, as
    `taxonomy ls --ballot` prints them) and `vote`: keep, drop or nothing. A tie keeps; so does no vote at all.
    Raises `SourceError` for a path that the taxonomy does not have or has twice, another word, or a second vote
    on the same node in one file.
    """
    paths: dict[str, Names] = {}
    twice: set[str] = set()  # as names may hold slashes
    for node, _ in taxonomy.nodes():
        joined = "/".join(node)
        if paths.setdefault(joined, node) != node:
            twice.add(joined)
    votes: dict[Names, Counter[str]] = {}
    for ballot in ballots:
        seen: set[str] = set()
        for row in read_rows(ballot):
            if row.problem:
                raise SourceError(f"{row.place}: {row.problem}", "a ballot has the columns path and vote")
            path, vote = (str(row.values.get(key) or "").strip() for key in ("path", "vote"))
            if path not in paths:
                near = difflib.get_close_matches(path, paths, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else "`llmsynth taxonomy ls --ballot` lists the paths"
                raise SourceError(f"{row.place}: the taxonomy has no {shorten(path)!r}", hint)
            if path in twice and vote:
                what = f"{row.place}: {shorten(path)!r} may be either of two nodes"
                raise SourceError(what, "rename one of them, as its name holds a slash")
            if path in seen and path not in twice:
                raise SourceError(f"{row.place}: a second vote on {shorten(path)!r}", "one file is one voter")
            seen.add(path)
            if vote.lower() not in (KEEP, DROP, ""):
                raise SourceError(
                    f"{row.place}: the vote is {shorten(vote)!r}", "write keep or drop, or leave it empty"
                )
            if vote:
                votes.setdefault(paths[path], Counter())[vote.lower()] += 1
    out = {path for path, count in votes.items() if count[DROP] > count[KEEP]}
    pruned = taxonomy.without(out)
    if not pruned.roots:
        raise SourceError("the votes leave nothing of the taxonomy", "is each ballot about this taxonomy?")
    top = [path for path, _ in taxonomy.nodes() if path in out and not any(path[:n] in out for n in range(len(path)))]
    return Pruned(pruned, tuple(top))
