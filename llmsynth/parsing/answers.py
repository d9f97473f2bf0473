"""The result that a worked answer comes to, in a form in which equal results are equal texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal

from llmsynth.parsing.verdicts import parse_yes_no
from llmsynth.parsing.wrapping import fenced, without_thinking
from llmsynth.text import wording

Kind = Literal["number", "yes_no", "label", "code", "text"]


def canonical_answer(text: str, kind: Kind, labels: Sequence[str] = ()) -> str | None:
    """The result of an answer; None where it tells none, or several.

    number: as a fraction in lowest terms or a whole number: "1,200.50 EUR" and "2401/2" are equal; a percent sign
        divides by nothing, as questions differ in what they ask for. yes_no: "yes" or "no". label: one of the labels,
        as they are spelled there. code: what is in the last code block, or behind the mark, without blanks at the ends
        of lines. text: without case, punctuation and spacing, but with signs; at most 20 words, as prose does not come
        out equal.
    """
    plain = without_thinking(text)
    if kind == "code":
        blocks = fenced(plain)
        printed = blocks[-1] if blocks else final_answer(plain)
        lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
        return "\n".join(lines).strip() or None
    said = final_answer(plain)
    if kind == "number":
        return _number(said)
    if kind == "yes_no":
        verdict = parse_yes_no(said)
        return None if verdict is None else "yes" if verdict else "no"
    if kind == "label":
        return _label(said, labels)
    words = wording(said)
    return words if words and len(words.split()) <= _MOST_WORDS else None


def kind_of_answer(text: str) -> Kind:
    """What kind of result an answer holds, by its looks."""
    plain = without_thinking(text)
    said = final_answer(plain)
    if parse_yes_no(said) is not None and len(said.split()) <= 3:
        return "yes_no"
    if _number(said) is not None and (said != plain.strip() or len(said.split()) <= 4):
        return "number"
    return "code" if fenced(plain) else "text"


def final_answer(text: str) -> str:
    r"""What stands behind the last "Answer:", "the answer is", "####" or in the last \boxed{}; else the last line."""
    marks = list(_MARK.finditer(text))
    boxed = text.rfind("\\boxed{")
    if boxed >= 0 and (not marks or boxed > marks[-1].start()):
        return _braced(text[boxed + len("\\boxed{") :])
    if marks:
        behind = text[marks[-1].end() :].strip()
        first, _, rest = behind.partition("\n")
        return (first if first.strip(" *_`:") else rest).strip(" *_`\"'")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].strip(" *_`\"'") if lines else ""


_MOST_WORDS = 20
_MOST_DIGITS = 100
_MARK = re.compile(
    r"####[ \t]*|\b(?:answer|result)[*_]*\s*(?:[*_]*:[*_]*|is[*_]*:?)[ \t]*(?:therefore |thus |simply )?",
    re.IGNORECASE,
)
_NUMERAL = re.compile(
    r"(?<![\w.])(?P<sign>[-−+]?)[ ]?(?:[$€£¥][ ]?)?(?P<whole>\d{1,3}(?:[,  ]\d{3})+|\d+)?(?P<part>\.\d+)?"
    r"(?:[eE](?P<exponent>[-+]?\d{1,3}))?(?:\s*/\s*(?P<over>\d+))?(?!\w*\d)"
)
_FRAC = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}")


def _number(said: str) -> str | None:
    """The one number in a text, or the one behind the last equals sign."""
    said = _FRAC.sub(r"\1/\2", said).replace("\\,", "").replace("\\$", "$")
    values = _values(said.rsplit("=", 1)[-1]) or _values(said)
    return values.pop() if len(values) == 1 else None


def _values(said: str) -> set[str]:
    found = set()
    for match in _NUMERAL.finditer(said):
        if match.group("whole") is None and match.group("part") is None:
            continue
        if match.end() - match.start() > _MOST_DIGITS:
            continue
        whole = re.sub(r"[^\d]", "", match.group("whole") or "0")
        try:
            value = Fraction(Decimal(f"{whole}{match.group('part') or ''}e{match.group('exponent') or 0}"))
            value /= int(match.group("over") or 1)
        except (InvalidOperation, ZeroDivisionError, ValueError):
            continue
        found.add(str(-value if match.group("sign") in ("-", "−") else value))
    return found


def _label(said: str, labels: Sequence[str]) -> str | None:
    """The label that is the whole answer, or the only one it mentions."""
    plain = wording(said)
    spelled = {wording(label): label for label in labels}
    if plain in spelled:
        return spelled[plain]
    found = [words for words in spelled if re.search(rf"(?<!\w){re.escape(words)}(?!\w)", plain)]
    # of two labels one of which is part of the other, such as "positive" in "very positive", the longer is meant
    mentioned = [words for words in found if not any(words != other and words in other for other in found)]
    return spelled[mentioned[0]] if len(mentioned) == 1 else None


def _braced(text: str) -> str:
    depth = 1
    for place, sign in enumerate(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return text[:place].strip()
    return text.strip()
