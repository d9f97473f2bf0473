"""Markdown out of plain text that may hold anything, and nothing that is not for the public."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PATH = re.compile(
    r"(?<![\w./:~\\])"  # not inside a URL, a relative path or a word
    r"(?:file://)?(?:~?/(?:[^\s/'\"`,;]+/)+|[A-Za-z]:[\\/](?:[^\s\\/'\"`,;]+[\\/])*)"
    r"(?=[^\s\\/'\"`,;])"
)


def public(text: str) -> str:
    """The text with absolute paths cut down to their last part, and no user or password in a URL."""
    return _PATH.sub("", re.sub(r"(?<=://)[^\s/@]+@", "", text))


def line(text: str) -> str:
    return " ".join(text.split())


def code(text: str) -> str:
    """A name, on one line and without paths."""
    return f"`{line(public(text)).replace('`', chr(39))}`"


def plain(text: str) -> str:
    """Somebody's name for something: as it is if it is plain words, else as code, so that it is no markup."""
    return line(text) if re.fullmatch(r"[\w\s.,+()/:-]*", text) else code(text)


def prose(text: str) -> str:
    """What somebody wrote to be read: their paragraphs and lists stay."""
    return public(text.strip())


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line(cell).replace("|", "\\|") for cell in row) + " |" for row in lines)


def fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def number(value: object) -> str:
    """A figure as a table has it; empty where there is none."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
