"""Answers that are one word."""

from __future__ import annotations

import re

from llmsynth.parsing.wrapping import unwrap

_LEAD = r"(?:the )?(?:answer|classification(?: task)?|verdict|output)(?: is)?[ \t]*:?"
_WORD = r"\s*(yes|no)\b(?!\s+(?:and|or)\s+(?:yes|no)\b)(?!\s*/)"
_FIRST_WORD = re.compile(rf"(?:{_LEAD})?{_WORD}")
_AFTER_LEAD = re.compile(rf"^{_LEAD}{_WORD}", re.MULTILINE)
_DECORATION = re.compile(r"[*_`\"'“”‘’#>]")


def parse_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None where the reply says neither, or both.

    The word must come first, or behind "Answer:", "Output:" or "Classification:" at the start of a line.
    """
    plain = _DECORATION.sub("", unwrap(text)).strip().lower()
    found = _FIRST_WORD.match(plain) or _AFTER_LEAD.search(plain)
    return None if found is None else found.group(1) == "yes"


_NEGATION = r"(?:not|never|(?:is|are|was|were|do|does)nt)"  # apostrophes are gone by then
_UNEQUAL = rf"{_NEGATION}(?:[ \t]+\w+){{0,2}}?[ \t-]*equal|unequal|non-?equal"
_EQUALITY = rf"(?P<unequal>{_UNEQUAL})|(?P<equal>equal)"
_BARE = re.compile(rf"(?:{_LEAD})?\s*(?:{_EQUALITY})\b(?!\s*(?:/|\||or\b))")
_CONCLUDED = re.compile(rf"^\s*{_LEAD}\s*(?:{_EQUALITY})\b(?!\s*(?:/|\||or\b))", re.MULTILINE)
_MENTION = re.compile(rf"\b(?:{_EQUALITY})\b")
_CHOICE = re.compile(r"equal\W+(?:or\W+)?not[\W_]*equal|not[\W_]*equal\W+(?:or\W+)?equal")


def parse_equality(text: str) -> bool | None:
    """True for "Equal", False for "Not Equal", None where the reply says neither, or both.

    The verdict comes first, or behind "Answer:" or "Verdict:" at the start of a line; else every mention in the
    reply must agree.
    """
    plain = _DECORATION.sub("", unwrap(text)).strip().lower()
    if _CHOICE.search(plain):
        return None
    found = _BARE.match(plain) or _CONCLUDED.search(plain)
    if found:
        return found.group("equal") is not None
    verdicts = {mention.group("equal") is not None for mention in _MENTION.finditer(plain)}
    return verdicts.pop() if len(verdicts) == 1 else None


_RATING = re.compile(r"(?:(?:score|rating|difficulty)(?: score)?(?: is| of)?\s*[:=]?\s*)?(\d+(?:\.\d+)?)(?!\d)")


def parse_rating(text: str, least: float = 1, most: float = 10) -> float | None:
    """The first number of the reply if it lies on the scale, else None."""
    plain = _DECORATION.sub("", unwrap(text)).strip().lower()
    found = _RATING.search(plain)
    value = float(found.group(1)) if found else None
    return value if value is not None and least <= value <= most else None
