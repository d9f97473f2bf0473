"""Numbered lists."""

from __future__ import annotations

import re
from typing import NamedTuple

from llmsynth.parsing.wrapping import marks_in, sections, unwrap
from llmsynth.text import one_line

# "9.", "9)", "(9)", "9、", "**9.**", "### 9.", "* 9.", "Task 9:", "**9. Title** ..." at the start of a line
_MARK = re.compile(
    r"^(?P<indent>[ \t]*)(?:[#>\-][#>\- \t]*|[*•+][ \t]+)?(?:(?P<bold>\*\*|__)[ \t]*)?"
    r"[(（]?(?:(?:task|instruction|question)[ \t]+)?(?P<number>\d{1,4})[ \t]*"
    r"(?:\\?[.):．、：）।](?=\D|$)(?P<closed>\*\*|__)?|(?P<closed_before>\*\*)[.):．、：）।]?)[ \t]*",
    re.MULTILINE | re.IGNORECASE,
)
_BULLET = re.compile(r"^(?P<indent>[ \t]*)[-*•+–][ \t]+", re.MULTILINE)
_LABEL = re.compile(r"^(?:(?:new )?(?:task|instruction)[ \t]*[:：])[ \t]*", re.IGNORECASE)
_HEADING = re.compile(r"\n[ \t]*(?:#{1,6}[ \t][^\n]*|\*\*[^*\n]+\*\*:?|[-*_=]{3,})[ \t]*\Z")
_GREETING = re.compile(
    r"(?:sure|certainly|of course|absolutely|okay|ok|great)\b[,!.:]|here(?:['’]s| is| are)\b[^\n]*[:：]\s*\Z",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:i['’]m|i am) (?:(?:so |very )?sorry|unable|afraid)|sorry\b"
    r"|i apologi[sz]e|i (?:can['’]?t|cannot|won['’]?t)|as an ai\b",
    re.IGNORECASE,
)


class NumberedItems(NamedTuple):
    """items: in order, each on one line. cut: a last item that the token limit cut short, or None."""

    items: list[str]
    cut: str | None


def parse_numbered(text: str, first: int, truncated: bool = False) -> NumberedItems:
    """The items of a list that was to go on from number `first`.

    The prompt may have ended in that number, so the first item may come without it. A model that
    starts again from 1, leaves a number out, puts prose around the list, decorates the numbers or
    writes bullets in their place is understood. A number that does not follow the one before belongs
    to the item's own text, and so does one that is indented further than the first.
    """
    text, marks = marks_in(_MARK, unwrap(text))
    marks = _sequence(text, marks, first)
    head = text[: marks[0].start()] if marks else text
    pieces: list[str] = []
    if not marks and (bullets := _bullets(text)):
        pieces = [body for _, body in sections(text, bullets)]
    else:
        if _head_is_item(head, _number(marks[0]) if marks else None, first):
            pieces.append(head)
        pieces += [_opening(mark) + body for mark, body in sections(text, marks)]
    if pieces:
        pieces[-1] = _without_remark(pieces[-1])
    items = [_clean(piece) for piece in pieces]
    cut = items.pop() if truncated and items else None
    return NumberedItems([item for item in items if item], cut or None)


def _number(mark: re.Match[str]) -> int:
    return int(mark.group("number"))


def _opening(mark: re.Match[str]) -> str:
    """The bold marker that the number took from its item, as in `**9. Title**: text`."""
    closed = mark.group("closed") or mark.group("closed_before")
    return "**" if mark.group("bold") == "**" and not closed else ("**" if closed and not mark.group("bold") else "")


def _sequence(text: str, marks: list[re.Match[str]], first: int) -> list[re.Match[str]]:
    """The marks that count up, from 1 if that leads past `first`, from `first`, the number after it, or 1."""
    again = _chain(marks, 1)
    if any(_number(mark) == first for mark in again):
        return again
    for start in (first, first + 1):
        chosen = _chain(marks, start)
        if chosen and (start == first or text[: chosen[0].start()].strip()):
            return chosen
    if len(marks) > 2 and len({_number(mark) for mark in marks}) == 1:
        return marks  # Markdown counts by itself, so some models write the same number throughout
    return again


def _chain(marks: list[re.Match[str]], start: int) -> list[re.Match[str]]:
    """The marks that count up from `start`; on from `start` again where a model repeats itself."""
    chosen: list[re.Match[str]] = []
    for position, mark in enumerate(marks):
        number = _number(mark)
        if not chosen:
            if number == start:
                chosen.append(mark)
            continue
        if len(mark.group("indent")) > len(chosen[0].group("indent")) + 1:
            continue
        expected = _number(chosen[-1]) + 1
        repeated = number == start > 1 and expected > start + 1
        if number == expected or repeated or (number == expected + 1 and _left_out(expected, marks[position:])):
            chosen.append(mark)
    return chosen


def _left_out(number: int, marks: list[re.Match[str]]) -> bool:
    """Whether a list goes on without this number."""
    later = {_number(mark) for mark in marks}
    return number not in later and number + 2 in later


def _bullets(text: str) -> list[re.Match[str]]:
    """The outermost bullets, if there are two or more."""
    bullets = list(_BULLET.finditer(text))
    outermost = min((len(bullet.group("indent")) for bullet in bullets), default=0)
    bullets = [bullet for bullet in bullets if len(bullet.group("indent")) <= outermost + 1]
    return bullets if len(bullets) > 1 else []


def _head_is_item(head: str, next_number: int | None, first: int) -> bool:
    """Whether the text before the first number is item `first`, whose number the prompt already held."""
    head = head.strip()
    if not head or _GREETING.match(head):
        return False
    if next_number is None:
        return "\n" not in head and not _REFUSAL.match(head)
    return next_number == first + 1


def _without_remark(piece: str) -> str:
    """A last item ends where a blank line does: what follows is the model taking leave."""
    return re.split(r"\n[ \t]*\n", piece.strip(), maxsplit=1)[0]


def _clean(piece: str) -> str:
    piece = piece.strip()
    while (shorter := _HEADING.sub("", piece).rstrip()) != piece:  # a heading of the list's next part
        piece = shorter
    item = one_line(piece)
    if item.startswith("**") and item.count("**") == 2:
        item = item.replace("**", "")
    elif item.startswith("**") and item.count("**") == 1:
        item = item[2:]
    elif item.endswith("**") and item.count("**") == 1:
        item = item[:-2]
    item = _LABEL.sub("", item.strip())
    if len(item) > 1 and (item[0], item[-1]) in (('"', '"'), ("“", "”")) and item.count(item[0]) <= 2:
        item = item[1:-1]
    return item.strip()
