"""Code blocks that are opened and not closed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.columns import answers
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import shorten


@dataclass(frozen=True)
class CodeFences:
    """Drops answers with a code block that does not end: "unbalanced_fence"."""

    on: tuple[str, ...] = ("output",)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, lambda record: find_open_fence(answers(record, self.on)))


def find_open_fence(text: str) -> Drop | None:
    """The fence that opens a block which nothing closes.

    As in CommonMark, a block ends at a fence of its own character, at least as long, with nothing behind it. As in
    what models write, a fence with a label within a block of the same fence opens one more.
    """
    open_fences: list[re.Match[str]] = []
    for fence in _FENCE.finditer(text):
        marks, label = fence.group(1), fence.group(2).strip()
        if "`" in label:  # code in a line of prose
            continue
        if open_fences and not label and _closes(marks, open_fences[-1].group(1)):
            open_fences.pop()
        elif not open_fences or (label and marks == open_fences[-1].group(1)):
            open_fences.append(fence)
    if not open_fences:
        return None
    return Drop("unbalanced_fence", f"not closed: {shorten(open_fences[-1].group())}")


def _closes(marks: str, opening: str) -> bool:
    return marks[0] == opening[0] and len(marks) >= len(opening)


_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
