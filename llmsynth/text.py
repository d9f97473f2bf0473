"""Small pure functions on text that several layers share."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
_VARIANTS = range(0xFE00, 0xFE10)  # how a character is drawn, not which it is


def one_line(text: str) -> str:
    """Every run of white space as one blank, none at the ends."""
    return _SPACE.sub(" ", text).strip()


def normalise(text: str) -> str:
    """What is left of a text when case, compatibility forms, punctuation and spacing do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join((_WORD if folded.isascii() else _marked_word()).findall(folded))


def spaced(text: str) -> str:
    """The text normalised, every character of a script without spaces (Chinese, Japanese, Thai) a word of its own."""
    plain = normalise(text)
    return plain if plain.isascii() else _UNSPACED.sub(r" \g<0> ", plain)


_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")


def wording(text: str) -> str:
    """What is left of a text when case, compatibility forms, punctuation and spacing do not count, and signs do.

    Signs make another text: C++ is not C#, 7 + 5 not 7 * 5, and one emoji not another.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        found = _ASCII_WORDING.findall(folded)
    else:
        found = _any_wording().findall(folded.translate(_TYPED))
    return " ".join(found) or one_line(folded)


_TYPED = str.maketrans("−×÷", "-*/")
# - * / # and % are mere punctuation unless digits, or a letter before #, say otherwise
_MEANT = r"(?:(?<![-*/#%])|(?<=[-*/])(?=\s?\d)|(?<=\w#)|(?<=\w #)|(?<=\d%)|(?<=\d %))"
_ASCII_WORDING = re.compile(rf"\w+|[-*/#%+<=>|~$^]{_MEANT}")


@cache
def marks() -> str:
    """What stands on letters, or between them, and is none to `re`: the vowels of Hindi, the tones of Thai.

    For a character class.
    """
    return _characters("Mn", "Mc")


def _characters(*categories: str) -> str:
    """All of some categories beyond ASCII, as ranges, which `re` tells apart sooner."""
    ranges: list[list[int]] = []
    for place in range(0x80, 0x20000):
        if place in _VARIANTS or unicodedata.category(chr(place)) not in categories:
            continue
        if ranges and ranges[-1][1] == place - 1:
            ranges[-1][1] = place
        else:
            ranges.append([place, place])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _marked_word() -> re.Pattern[str]:
    return re.compile(rf"\w+(?:[{marks()}]+\w*)*")


@cache
def _any_wording() -> re.Pattern[str]:
    return re.compile(rf"{_marked_word().pattern}|[-*/#%+<=>|~$^{_characters('Sm', 'Sc', 'So')}]{_MEANT}")


def word_count(text: str) -> int:
    """White-space separated words."""
    return len(text.split())


def rough_tokens(text: str) -> float:
    """About how many tokens a text is, without a tokenizer: four characters each, as in English prose."""
    return len(text) / 4


def fingerprint(*parts: str) -> str:
    """32 hexadecimal digits that stand for the parts, in order."""
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces += (len(data).to_bytes(8, "big"), data)
    return hashlib.blake2b(b"".join(pieces), digest_size=16).hexdigest()


def shorten(text: str, width: int = 80) -> str:
    """One line of at most `width` characters, for messages."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def has_lone_surrogate(value: object) -> bool:
    """True where a text, or one inside a list or object, cannot be encoded, so neither stored nor sent."""
    if isinstance(value, str):
        if value.isascii():
            return False
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return True
        return False
    if isinstance(value, dict):
        return any(has_lone_surrogate(part) for item in value.items() for part in item)
    return isinstance(value, list) and any(map(has_lone_surrogate, value))
