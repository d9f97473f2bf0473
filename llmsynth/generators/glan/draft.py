"""A taxonomy drafted by a model, the paper's first stage (section 2.1). It is pruned by votes: `vote.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.errors import SourceError
from llmsynth.generators.glan.branches import FOLDER
from llmsynth.generators.glan.reading import same
from llmsynth.parsing import parse_numbered
from llmsynth.prompts import Prompt
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.taxonomy import Names, Taxonomy, build

_LEVELS = ("fields", "subfields", "disciplines")
_LOOKAHEAD = 64
_LONGEST = 80  # characters of a name; what is longer is a sentence about it
_EXPLAINED = re.compile(r":\**\s|\s[–—-]\s")


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted taxonomy. failed: requests without an answer, asked again by the same command.

    empty: nodes below which the model named nothing; they are left out, as they are no disciplines.
    """

    taxonomy: Taxonomy
    failed: int
    empty: int


async def draft(run: Run, name: str, ways: int, sampling: Sampling) -> Draft:
    """Ask for fields, for the subfields of each, for the disciplines of each, `ways` times, and merge the answers.

    The prompt takes another point of view each time. Each level is asked once the one above is known.
    """
    prompt = run.prompts.load(f"{FOLDER}/draft", {"path", "kind", "way"})
    paths: list[Names] = [()]
    failed = empty = 0
    for kind in _LEVELS:
        asked = [(path, way) for path in paths for way in range(ways)]
        below: dict[Names, dict[str, str]] = {path: {} for path in paths}
        requests = (_request(prompt, kind, path, way, sampling) for path, way in asked)
        replies = run.model("draft").stream(requests, _LOOKAHEAD)
        position = 0
        async for reply in replies:
            path, _ = asked[position]
            position += 1
            failed += reply.failure is not None
            for item in _names(reply):
                below[path].setdefault(same(item), item)
        empty += sum(not names for names in below.values())
        paths = [(*path, item) for path in paths for item in below[path].values()]
    if not paths:
        raise SourceError("the model named no discipline", "look at its replies, or take another model")
    return Draft(build(name, paths), failed, empty)


def _names(reply: Completion) -> list[str]:
    """The names in a list of two or more, without what is said about them; a single line is no list but prose."""
    items = [] if reply.failure else parse_numbered(reply.text, 1, reply.truncated).items
    names = [_EXPLAINED.split(item, maxsplit=1)[0].strip(" .*_") for item in items]
    return [name for name in names if name.isprintable() and 0 < len(name) <= _LONGEST] if len(items) > 1 else []


def _request(prompt: Prompt, kind: str, path: Names, way: int, sampling: Sampling) -> Request:
    return Request("draft", prompt.render(path=list(path), kind=kind, way=way), sampling, prompt.id)
