"""What a judge says: marks on criteria, and which of two answers is the better one.

A verdict that is not there, that is a range, that is of another scale or that contradicts itself is None; nothing is
guessed. Of several the last counts, as models reason before they decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal

from llmsynth.parsing.json_values import parse_json
from llmsynth.parsing.wrapping import without_thinking

Preference = Literal["first", "second", "tie"]


def parse_marks(
    text: str, criteria: Sequence[str], least: float, most: float, truncated: bool = False
) -> dict[str, float | None]:
    """The mark of every criterion, None for one that the reply does not tell.

    Read are lines such as "accuracy: 4", "**Accuracy** - 4/5" or "| Accuracy | 4 |", a heading with the mark below it,
    and JSON objects. With a single criterion its mark may also go by another name ("Score: 4", "[[4]]"), be the one
    number "out of" the scale, or the one that is given ("it deserves a 4"). Of a reply that was cut, a number at the
    very end may lack a digit and is none.
    """
    plain = without_thinking(text)
    if truncated:
        plain = plain.rstrip("0123456789.")
    lines = _joined([_bare(line) for line in plain.splitlines() if line.strip()], criteria)
    told = _json_marks(plain)
    marks: dict[str, float | None] = {}
    for name in criteria:
        value = told.get(_key(name))
        if value is None:
            value = _last_mark(lines, _spelled(name), most)
        if value is None and len(criteria) == 1:
            value = next((told[key] for key in _USUAL if key in told), None)
            value = _lone_mark(plain, lines, most) if value is None else value
        marks[name] = value if value is not None and least <= value <= most else None
    return marks


def parse_preference(text: str) -> Preference | None:
    """Which of two answers, called A and B, or 1 and 2, a reply prefers; None where it says none, or several.

    Read are "[[A]]", "A > B", a line "Verdict: B" (or winner, preference, choice), a first or last line that is the
    verdict alone, JSON with it under such a name, and prose in which all that is said agrees.
    """
    plain = without_thinking(text)
    if marked := _MARKED.findall(plain):
        return _side(marked[-1])
    lines = [_bare(line) for line in plain.splitlines() if line.strip()]
    for line in reversed(lines):
        if verdict := _VERDICT.search(line):
            return None if _CHOICE.match(line, verdict.start("side")) else _side(verdict.group("side"))
    for line in (*lines[-1:], *lines[:1]):
        if alone := _ALONE.fullmatch(line):
            return _side(alone.group("side"))
    for key, value in (_json_object(plain) or {}).items():
        if key in _VERDICT_NAMES and isinstance(value, str | int):
            return _side(str(value))
    said = {side for line in lines for side in _said(line)}
    return said.pop() if len(said) == 1 else None


# marks

_USUAL = ("overall", "overall_score", "total", "final", "final_score", "score", "rating", "mark", "verdict", "grade")
_COUNT = "zero one two three four five six seven eight nine ten"
_WORDS = {word: n for n, word in enumerate(_COUNT.split())}
_NUMBER = rf"(?P<value>[-+]?\d++(?:\.\d++)?|{'|'.join(_WORDS)})(?![\w%]|[.,]\d|\s*%)"
_OF = r"(?:\s*(?:/|out of|of)\s*(?P<of>\d++)(?!\w))?"
_ASIDE = r"(?:[(\[][^()\[\]\n]{0,40}[)\]]\s*)?"
_JOINING = r"(?:score|rating|mark|grade|is|of|gets|deserves|earns|at|as|an?|would be)\b"
_LINK = rf"(?:{_JOINING}\s*+|(?:[=:|{{(\[–—]|-(?!\d))++\s*+){{0,5}}"
_RANGE = re.compile(r"\s*(?:-|–|—|to\b|or\b|and\b)\s*\d")  # "3-4", "3 or 4"
_NUMBER_ALONE = re.compile(rf"{_NUMBER}{_OF}\W*+")
_LONE = re.compile(rf"(?<![\w.,]){_NUMBER}{_OF}", re.IGNORECASE)
_GIVEN = re.compile(
    rf"\b(?:rate|rated|give|gets?|deserves?|earns?|award|assign)\b(?: [^\W\d]+){{0,5}}? {_NUMBER}{_OF}", re.IGNORECASE
)
_DECORATION = re.compile(r"[*`#\"“”'’‘]|^\s*>+")


def _bare(line: str) -> str:
    """A line without the signs that decorate it; tags become blanks."""
    return re.sub(r"[<>]", " ", _DECORATION.sub("", line)).strip(" \t_")


def _joined(lines: Sequence[str], criteria: Sequence[str]) -> list[str]:
    """Lines, a heading that is nothing but a criterion's name with the line below it."""
    heading = re.compile(rf"\W*+(?:\d++[.)]\s*+)?(?:{'|'.join(map(_spelled, criteria))})\W*+", re.IGNORECASE)
    joined: list[str] = []
    for line in lines:
        if joined and heading.fullmatch(joined[-1]):
            joined[-1] = f"{joined[-1].rstrip(' :')}: {line}"
        else:
            joined.append(line)
    return joined


def _spelled(name: str) -> str:
    """A pattern for a criterion's name, however its words are joined."""
    return r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", name)))


def _last_mark(lines: Sequence[str], names: str, most: float) -> float | None:
    mark = re.compile(rf"(?<!\w)(?:{names})\b\s*+{_ASIDE}{_LINK}{_NUMBER}{_OF}", re.IGNORECASE)
    for line in reversed(lines):
        matches = list(mark.finditer(line))
        if matches:
            return _value(matches[-1], line, most)
    return None


def _lone_mark(plain: str, lines: Sequence[str], most: float) -> float | None:
    """The mark in double brackets, under a usual name, alone on a line, out of the scale, or the one that is given."""
    if marked := re.findall(r"\[\[\s*(\d++(?:\.\d++)?)\s*(?:/\s*\d+\s*)?\]\]", plain):
        return float(marked[-1])
    value = _last_mark(lines, "|".join(map(_spelled, _USUAL)), most)
    if value is not None:
        return value
    for line in (*lines[-1:], *lines[:1]):
        if (alone := _NUMBER_ALONE.fullmatch(line)) and alone.group("value")[-1].isdigit():
            return _value(alone, line, most)
    of_scale = {_value(match, line, most) for line in lines for match in _LONE.finditer(line) if match.group("of")}
    given = {_value(match, line, most) for line in lines for match in _GIVEN.finditer(line)}
    told = of_scale - {None} or given
    return told.pop() if len(told) == 1 else None


def _value(match: re.Match[str], line: str, most: float) -> float | None:
    """The number, unless it is the beginning of a range, or said to be of another scale."""
    if _RANGE.match(line, match.end()) or (match.group("of") is not None and float(match.group("of")) != most):
        return None
    said = match.group("value").lower()
    return float(_WORDS.get(said, said))


def _json_marks(text: str) -> dict[str, float]:
    """Every number of a JSON object by its key; of an object within, such as {"score": 4}, by that object's key."""
    marks: dict[str, float] = {}
    for key, value in (_json_object(text) or {}).items():
        if isinstance(value, dict):
            inner = {_key(str(name)): item for name, item in value.items()}
            value = next((inner[name] for name in _USUAL if name in inner), None)
        if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}(?:\.\d{1,9})?\s*", value):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            marks[key] = float(value)
    return marks


def _json_object(text: str) -> dict[str, Any] | None:
    parsed = parse_json(text)
    if parsed is None or not isinstance(parsed.value, dict):
        return None
    return {_key(str(key)): value for key, value in parsed.value.items()}


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


# preferences

_VERDICT_NAMES = ("verdict", "final_verdict", "winner", "better", "better_answer", "preference", "choice", "preferred")
_KINDS = "answer|response|assistant|output|candidate|option"
_ANSWER = rf"(?:(?:the )?(?:{_KINDS})\s*+)?"
_TIE = r"(?:an? )?(?:tie|draw)|both|neither|equal|none|(?:the )?same"
_SIDE = rf"(?P<side>{_TIE}|[AB12]\s*[>=]+\s*[AB12]|[ABC12])"
_END = r"(?=\s*(?:$|[.,;:!?)\]–—-]|(?:is|are|wins|because|since|as|has|over|gives|was|or|and)\b|[/|]))"
_VERDICT = re.compile(
    rf"\b(?:verdict|winner|preference|choice|conclusion|better (?:{_KINDS})|better)\b\s*+{_ASIDE}"
    rf"(?:(?:is|would be|goes to)\b\s*+|[=:|–—-]++\s*+){{1,4}}[(\[]*+{_ANSWER}[(\[]*+{_SIDE}{_END}",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"[AB12]\s*+(?:[/,|]|or\b|and\b)\s*+(?:answer |response )?[AB12]\b", re.IGNORECASE)  # as was asked
_ALONE = re.compile(rf"\W*+{_ANSWER}\W*+{_SIDE}\W*+", re.IGNORECASE)
_MARKED = re.compile(r"\[\[\s*([^\[\]\n]{1,20}?)\s*\]\]")
_BETTER = re.compile(
    rf"(?:\b(?:{_KINDS}|{_KINDS.title()})\s+)?\b(?P<side>[AB12])\s+"
    r"(?P<rest>(?:is|wins|was|seems|would be|gives)\b[^.;\n]*)"
)
_PREFER = re.compile(
    r"\b(?:prefer|choose|pick|favou?r|go with|select|opt for)\s+(?:the )?"
    rf"(?:(?:{_KINDS}|{_KINDS.title()})\s+)?(?P<side>[AB12])\b"
)
_POSITIVE = re.compile(r"\b(?:better|best|superior|preferable|stronger|preferred|wins|winner)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|never|no|neither|nor|if|hardly|cannot)\b|n['’]?t\b", re.IGNORECASE)
_EQUAL = re.compile(
    r"\bit(?:'?s| is) a tie\b|\b(?:equally|about as) (?:good|bad)\b|\bare equal\b"
    r"|\bno (?:clear )?(?:difference|winner)\b",
    re.IGNORECASE,
)
_JUST_BEFORE = 40  # characters in which a negation counts


def _said(line: str) -> set[Preference]:
    """What a sentence of prose prefers; one that holds a negation says nothing."""
    sides: set[Preference | None] = set()
    if _EQUAL.search(line):
        sides.add("tie")
    for match in _BETTER.finditer(line):
        rest = match.group("rest")
        if _POSITIVE.search(rest) and not _NEGATION.search(rest):
            sides.add(_side(match.group("side")))
    for match in _PREFER.finditer(line):
        if not _NEGATION.search(line, max(0, match.start() - _JUST_BEFORE), match.start()):
            sides.add(_side(match.group("side")))
    return {side for side in sides if side is not None}


def _side(word: str) -> Preference | None:
    plain = re.sub(r"\b(?:the|an|a(?= (?:tie|draw)))\s", "", word.lower())
    plain = re.sub(_KINDS, "", plain).strip(" .:*_\"'()")
    if compared := re.fullmatch(r"([ab12])\s*([>=]+)\s*([ab12])", plain):
        plain = compared.group(1) if ">" in compared.group(2) else "tie"
    if plain in ("a", "1", "first"):
        return "first"
    if plain in ("b", "2", "second"):
        return "second"
    return "tie" if plain in ("c", "tie", "draw", "both", "neither", "equal", "none", "same") else None
