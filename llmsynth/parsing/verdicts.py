"""Answers that are one word."""

from __future__ import annotations

import re

from llmsynth.parsing.wrapping import unwrap

_VERDICT = re.compile(
    r"^(?:(?:the )?(?:answer|classification|verdict)(?: is)?[ \t]*:?)?\s*(yes|no)\b(?!\s+(?:and|or)\s+(?:yes|no)\b)(?!\s*/)"
)


def parse_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None where the reply says neither, or both."""
    plain = re.sub(r"[*_`\"'#>]", "", unwrap(text)).strip().lower()
    found = _VERDICT.match(plain)
    return None if found is None else found.group(1) == "yes"
