"""Numbered lists."""

from __future__ import annotations

import re
from typing import NamedTuple

from llmsynth.parsing.wrapping import sections, unwrap
from llmsynth.text import one_line

# "9.", "9)", "**9.**", "### 9.", "Task 9:", "9. **" ... at the start of a line
_MARK = re.compile(
    r"^[ \t]*(?:[#>*_\-][#>*_\- \t]*)?(?:(?:task|instruction)[ \t]+)?(\d{1,4})[ \t]*(?:[.):](?=\D|$)|\*\*[.):]?)[*_]*[ \t]*",
    re.MULTILINE | re.IGNORECASE,
)
_LABEL = re.compile(r"^(?:(?:new )?(?:task|instruction)[ \t]*:)[ \t]*", re.IGNORECASE)


class NumberedItems(NamedTuple):
    """items: in order, each on one line. cut: a last item that the token limit cut short, or None."""

    items: list[str]
    cut: str | None


def parse_numbered(text: str, first: int, truncated: bool = False) -> NumberedItems:
    """The items of a list that was to go on from number `first`.

    The prompt may have ended in that number, so the first item may come without it. A model that
    starts again from 1, puts prose around the list or decorates the numbers is understood. A number
    that does not follow the one before belongs to the item's own text.
    """
    text = unwrap(text)
    marks = _sequence(text, first)
    pieces: list[str] = []
    head = text[: marks[0].start()] if marks else text
    if _head_is_item(head, int(marks[0].group(1)) if marks else None, first):
        pieces.append(head)
    pieces += [body for _, body in sections(text, marks)]
    if pieces:
        pieces[-1] = _without_remark(pieces[-1])
    items = [_clean(piece) for piece in pieces]
    cut = items.pop() if truncated and items else None
    return NumberedItems([item for item in items if item], cut or None)


def _sequence(text: str, first: int) -> list[re.Match[str]]:
    """The marks that count up by one, from `first`, the number after it, or 1."""
    marks = list(_MARK.finditer(text))
    for start in (first, first + 1, 1):
        chosen: list[re.Match[str]] = []
        expected = start
        for mark in marks:
            if int(mark.group(1)) == expected:
                chosen.append(mark)
                expected += 1
        if chosen and (start != first + 1 or text[: chosen[0].start()].strip()):
            return chosen
    return []


def _head_is_item(head: str, next_number: int | None, first: int) -> bool:
    """Whether the text before the first number is item `first`, whose number the prompt already held."""
    if not head.strip():
        return False
    if next_number is None:
        return "\n" not in head.strip()
    return next_number == first + 1


def _without_remark(piece: str) -> str:
    """A last item ends where a blank line does: what follows is the model taking leave."""
    return re.split(r"\n[ \t]*\n", piece.strip(), maxsplit=1)[0]


def _clean(piece: str) -> str:
    item = _LABEL.sub("", one_line(piece))
    if item.startswith("**") and item.count("**") == 2:
        item = item.replace("**", "")
    elif item.endswith("**") and item.count("**") == 1:
        item = item[:-2]
    if len(item) > 1 and (item[0], item[-1]) in (('"', '"'), ("“", "”")) and item.count(item[0]) <= 2:
        item = item[1:-1]
    return item.strip()
