"""Answers that are one word."""

from __future__ import annotations

import re

from llmsynth.parsing.wrapping import unwrap

_LEAD = r"(?:the )?(?:answer|classification|verdict)(?: is)?[ \t]*:?"
_WORD = r"\s*(yes|no)\b(?!\s+(?:and|or)\s+(?:yes|no)\b)(?!\s*/)"
_FIRST_WORD = re.compile(rf"(?:{_LEAD})?{_WORD}")
_AFTER_LEAD = re.compile(rf"^{_LEAD}{_WORD}", re.MULTILINE)
_DECORATION = re.compile(r"[*_`\"'“”‘’#>]")


def parse_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None where the reply says neither, or both.

    The word must come first, or behind "Answer:" or "Classification:" at the start of a line.
    """
    plain = _DECORATION.sub("", unwrap(text)).strip().lower()
    found = _FIRST_WORD.match(plain) or _AFTER_LEAD.search(plain)
    return None if found is None else found.group(1) == "yes"
