"""What models put around the thing they were asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_THINKING = re.compile(r"^\s*<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_TAIL_OF_THINKING = re.compile(r"^.*?</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|end|>")
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+#.-]*)[ \t]*(?:\n|\Z)", re.MULTILINE)


def unwrap(text: str) -> str:
    """The reply without a thinking block in front, and without a code fence around all of it."""
    text = without_thinking(text)
    fences = _fences(text)
    if len(fences) == 1 and not text[: fences[0].start].strip() and not text[fences[0].end :].strip():
        return fences[0].content(text)
    opening = _FENCE.match(text.lstrip())
    if opening and text.count("```") == 1:  # a fence that was cut off before its end
        return text.lstrip()[opening.end() :]
    return text


def without_thinking(text: str) -> str:
    """The reply without a thinking block in front: all that a person would be shown.

    A thinking block that never ends leaves nothing: the answer was not reached. Some chat templates
    open the block in the prompt, so that a reply holds its end only; some servers leave the token
    that ended the reply in it.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _THINKING.match(text):
        text = _THINKING.sub("", text, count=1)
    elif "</think" in text.lower() and "<think" not in text.lower():
        text = _TAIL_OF_THINKING.sub("", text, count=1)
    return _without_end_tokens(text)


def fenced(text: str) -> list[str]:
    """The contents of the outermost closed code blocks."""
    return [fence.content(text) for fence in _fences(text)]


def marks_in(pattern: re.Pattern[str], text: str) -> tuple[str, list[re.Match[str]]]:
    """Where a pattern marks the parts of a reply, and the text that the places are in.

    What stands in a code block is code and marks nothing, unless everything does: then the text is
    the block, without the prose around it.
    """
    marks = list(pattern.finditer(text))
    fences = _fences(text)
    outside = [mark for mark in marks if not any(fence.start <= mark.start() < fence.end for fence in fences)]
    if outside or not marks:
        return text, outside
    around = next(fence for fence in fences if fence.start <= marks[0].start() < fence.end)
    return marks_in(pattern, around.content(text))


def sections(text: str, marks: list[re.Match[str]]) -> Iterator[tuple[re.Match[str], str]]:
    """Each mark with the text between it and the next one."""
    for position, mark in enumerate(marks):
        end = marks[position + 1].start() if position + 1 < len(marks) else len(text)
        yield mark, text[mark.end() : end]


def _without_end_tokens(text: str) -> str:
    """A loop rather than a pattern, as a model may say its end token thousands of times over."""
    end, found = len(text), len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        token = next((token for token in _END_TOKENS if text.endswith(token, 0, end)), None)
        if token is None:
            return text[:found]
        end = found = end - len(token)


class _Fenced(NamedTuple):
    """A code block: where it starts and ends, and where its content does."""

    start: int
    inner_start: int
    inner_end: int
    end: int

    def content(self, text: str) -> str:
        return text[self.inner_start : self.inner_end].removesuffix("\n")


def _fences(text: str) -> list[_Fenced]:
    """The outermost closed code blocks. A fence that names a language opens, so blocks may hold blocks."""
    if "```" not in text:
        return []
    blocks: list[_Fenced] = []
    opened: list[re.Match[str]] = []
    for line in _FENCE.finditer(text):
        if line.group(1) or not opened:
            opened.append(line)
            continue
        first = opened.pop()
        if not opened:
            blocks.append(_Fenced(first.start(), first.end(), line.start(), line.end()))
    return blocks
