"""What models put around the thing they were asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

_THINKING = re.compile(r"^\s*<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_TAIL_OF_THINKING = re.compile(r"^.*?</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*$", re.DOTALL)


def unwrap(text: str) -> str:
    """The reply without a thinking block in front, and without a code fence around all of it.

    A thinking block that never ends leaves nothing: the answer was not reached. Some chat templates
    open the block in the prompt, so that a reply holds its end only.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _THINKING.match(text):
        text = _THINKING.sub("", text, count=1)
    elif "</think" in text.lower() and "<think" not in text.lower():
        text = _TAIL_OF_THINKING.sub("", text, count=1)
    fenced = _FENCE.match(text)
    return fenced.group(1) if fenced and "```" not in fenced.group(1) else text


def sections(text: str, marks: list[re.Match[str]]) -> Iterator[tuple[re.Match[str], str]]:
    """Each mark with the text between it and the next one."""
    for position, mark in enumerate(marks):
        end = marks[position + 1].start() if position + 1 < len(marks) else len(text)
        yield mark, text[mark.end() : end]
