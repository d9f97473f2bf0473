"""One JSON value, read from where it starts, with the mistakes that models make mended on the way."""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from typing import Any, NamedTuple

MAX_DEPTH = 100  # far beyond an honest reply, far below Python's own limit

_STRAY_QUOTES = 200  # in one string; more is not a string
_BLANKS = r"[\s\ufeff\x00\u200b-\u200d\u2060]*+"
_PLAIN_BLANKS = re.compile(r"[ \t\r\n]*+")
_LENIENT_BLANKS = re.compile(_BLANKS)
_COMMENT = re.compile(r"//[^\n]*+|#[^\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?(?![\w.+-])")
_LENIENT_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*+)\.?[0-9]*+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![\w.+-])")
_CUT_NUMBER = re.compile(r"[-+]?[0-9.]*+(?:[eE][-+]?[0-9]*+)?\Z")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*+")
_KEY_WORD = re.compile(r"[A-Za-z_$][\w$-]*+|[0-9]++")
_LITERALS = {
    written: value
    for name, value in (("true", True), ("false", False), ("null", None), ("None", None))
    for written in (name, name.capitalize(), name.upper())
}

# What closes a string, by what opens it.
_CLOSERS = {'"': '"', "'": "'", "`": "`", "“": '”“"', "„": '“”"', "‘": "’'"}
_BODIES = {
    opener: re.compile(rf"[^\\{closers}]*+(?:\\.[^\\{closers}]*+)*+", re.DOTALL) for opener, closers in _CLOSERS.items()
}
_OPENER = "[\"'“„‘`]"
_VALUE_STARTS = rf"(?:{_OPENER}|[\[{{]|-?[0-9]|(?:true|false|null|None|True|False)\b)"
_END = r"\Z|(?://|\#)[^\"\n]*+(?:\n|\Z)|/\*|```|~~~"
# What follows a quote that really closes a string; any other quote is part of the text.
_AFTER_KEY = re.compile(rf"{_BLANKS}[:：]")
_AFTER_ITEM = re.compile(rf"{_BLANKS}(?:\]|[,，]{_BLANKS}(?:{_VALUE_STARTS}|\]|{_END})|{_END})")
_AFTER_MEMBER = re.compile(
    rf"{_BLANKS}(?:\}}|[,，]{_BLANKS}(?:{_OPENER}|(?:[A-Za-z_$][\w$-]*+|[0-9]++){_BLANKS}[:：]|\}}|{_END})|{_END})"
    rf"|[ \t\r]*+\n{_BLANKS}{_OPENER}"
)

# Two strings that an operator joins, which no quote inside of a text looks like.
_JOINED = re.compile(rf"{_BLANKS}\+{_BLANKS}{_OPENER}")

# Next to escapes that are none, these are LaTeX as well: \beta and \frac, \theta, \nu, \rho.
_LATEX = (
    r"[bf](?=[A-Za-z])|t(?=(?:imes|ext|heta|au)(?![a-z]))|n(?=(?:u|eq|abla)(?![a-z]))|r(?=(?:ho|ight|angle)(?![a-z]))"
)
_ESCAPE = re.compile(rf"\\(?:(?P<latex>{_LATEX})|(?P<code>u[0-9a-fA-F]{{4}}|x[0-9a-fA-F]{{2}}|.))", re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONTROL = re.compile(r"[\x00-\x1f]")
_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class State(Enum):
    """How the reading of a value ended."""

    COMPLETE = "complete"
    CUT = "cut"  # the text, or the code block, ended first
    BROKEN = "broken"
    TOO_DEEP = "too deep"


class Reading(NamedTuple):
    """A value and the place behind it; a cut value holds what was there, a broken one nothing.

    `begun` tells that at least one item or key was read: what is broken was JSON and not a stray bracket.
    """

    value: Any
    end: int
    state: State
    repaired: bool = False
    begun: bool = False


def read_plain(text: str, start: int) -> Reading:
    """The object or array that starts at `start`, if it is JSON to the letter. Fast."""
    try:
        value, end = _DECODER.raw_decode(text, start)
        if _HALF_ESCAPED.search(text, start, end):
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return Reading(None, start, State.BROKEN)
    return Reading(value, end, State.TOO_DEEP if _too_deep(value) else State.COMPLETE)


def read_value(text: str, start: int) -> Reading:
    """The object or array that starts at `start`, in time linear in its length.

    Mended: trailing commas, comments, other quotes, quotes inside of strings where their end is beyond
    doubt, raw line ends and tabs, bad escapes, unquoted keys, a comma missing at a line end, Python's
    literals, +1 and .5, half surrogate pairs. Broken, because mending would be guessing: bare words,
    NaN and Infinity, an ellipsis, brackets that do not match.
    """
    return _Reader(text, start).read()


class _ReadingError(Exception):
    """Ends the reading of a value, with the reason."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


class _Reader:
    """A walk over the text with its own stack, so that no depth of nesting exhausts Python's."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.at = start
        self.repaired = False
        self.begun = False
        self.ended = False  # in the middle of a string
        self.open: list[dict[str, Any] | list[Any]] = []
        self.place = "start"  # in the innermost value: at its start, behind a "value", behind a "comma"

    def read(self) -> Reading:
        root: dict[str, Any] | list[Any] = {} if self.text[self.at] == "{" else []
        try:
            self._enter(root)
            while self.open:
                self._step()
        except _ReadingError as stop:
            if stop.state is State.CUT and self._keep_what_was_read():
                return Reading(root, self.at, State.CUT, True, True)
            state = State.BROKEN if stop.state is State.CUT else stop.state
            return Reading(None, self.at, state, True, self.begun)
        return Reading(root, self.at, State.COMPLETE, self.repaired, True)

    def _keep_what_was_read(self) -> bool:
        """Drop the arrays and objects that were cut before anything stood in them; False if that leaves nothing."""
        while not self.open[-1]:
            empty = self.open.pop()
            if not self.open:
                return False
            outer = self.open[-1]
            if isinstance(outer, dict):
                del outer[next(key for key, value in outer.items() if value is empty)]
            else:
                outer.pop()
        return True

    def _step(self) -> None:
        """Over one bracket, comma, item or member."""
        before = self.at
        char = self._next()
        inner = self.open[-1]
        if char == ("}" if isinstance(inner, dict) else "]"):
            self.repaired |= self.place == "comma"
            self.at += 1
            self.open.pop()
            self.place = "value"
        elif self.place == "value" and char in ",，":
            self.repaired |= char != ","
            self.at += 1
            self.place = "comma"
        else:
            if self.place == "value":
                self._miss_comma(before, char)
            self._member(inner) if isinstance(inner, dict) else self._value(inner, None)

    def _miss_comma(self, before: int, char: str) -> None:
        """Let a comma be missing at a line end, in front of a key, or between two objects."""
        between_objects = char == "{" and self.text[before - 1] == "}"
        if "\n" not in self.text[before : self.at] or not (isinstance(self.open[-1], dict) or between_objects):
            raise _ReadingError(State.BROKEN)
        self.repaired = True

    def _member(self, inner: dict[str, Any]) -> None:
        char = self.text[self.at]
        if char in _CLOSERS:
            key = self._string(_AFTER_KEY)
        elif word := _KEY_WORD.match(self.text, self.at):
            key = word.group()
            self.at = word.end()
            self.repaired = True
        else:
            raise _ReadingError(State.BROKEN)
        colon = self._next()
        if colon not in ":：":
            raise _ReadingError(State.BROKEN)
        self.repaired |= colon != ":"
        self.at += 1
        self.begun = True
        self._next()
        self._value(inner, key)

    def _value(self, inner: dict[str, Any] | list[Any], key: str | None) -> None:
        char = self.text[self.at]
        self.place = "value"
        if char == "{":
            self._enter(self._put(inner, key, {}))
        elif char == "[":
            self._enter(self._put(inner, key, []))
        elif char in _CLOSERS:
            self._put(inner, key, self._string(_AFTER_MEMBER if key is not None else _AFTER_ITEM))
            if self.ended:
                raise _ReadingError(State.CUT)
        elif char in "-+.0123456789":
            self._put(inner, key, self._number())
        else:
            self._put(inner, key, self._literal())

    def _put(self, inner: dict[str, Any] | list[Any], key: str | None, value: Any) -> Any:
        if isinstance(inner, dict):
            inner[key or ""] = value
        else:
            inner.append(value)
        self.begun = True
        return value

    def _enter(self, value: dict[str, Any] | list[Any]) -> None:
        if len(self.open) == MAX_DEPTH:
            raise _ReadingError(State.TOO_DEEP)
        self.open.append(value)
        self.at += 1
        self.place = "start"

    def _next(self) -> str:
        """The next character that is neither blank nor comment."""
        text = self.text
        self.at = _end(_PLAIN_BLANKS, text, self.at)
        while self.at < len(text):
            char = text[self.at]
            if comment := _COMMENT.match(text, self.at) if char in "/#" else None:
                self.at = comment.end()
            elif (end := _end(_LENIENT_BLANKS, text, self.at)) > self.at:
                self.at = end
            elif text.startswith(("```", "~~~"), self.at):
                break  # the end of the code block
            else:
                return char
            self.repaired = True
        raise _ReadingError(State.CUT)

    def _string(self, follows: re.Pattern[str]) -> str:
        """A string whose end is the first quote that `follows` fits behind, or the end of the text."""
        text, opener, start = self.text, self.text[self.at], self.at + 1
        at, stray = start, 0
        while True:
            at = _end(_BODIES[opener], text, at)
            if at >= len(text) or text[at] == "\\":
                return self._cut_string(start, at, stray, follows)
            if follows.match(text, at + 1):
                break
            apostrophe = text[at] in "'’" and text[at - 1].isalnum() and text[at + 1 : at + 2].isalnum()
            if not apostrophe:
                stray += 1
                misplaced = follows is _AFTER_KEY or not _may_quote(text, at, opening=stray % 2 == 1)
                if misplaced or stray > _STRAY_QUOTES:
                    self.at = at
                    raise _ReadingError(State.BROKEN)
            at += 1
        self.at = at + 1
        # quotes of a text come in pairs and are escaped or not; a key has no line end
        escapes_its_quotes = stray and "\\" + opener in text[start:at]
        if stray % 2 or escapes_its_quotes or (follows is _AFTER_KEY and "\n" in text[start:at]):
            raise _ReadingError(State.BROKEN)
        self.repaired |= opener != '"' or stray > 0
        return self._decoded(text[start:at])

    def _cut_string(self, start: int, end: int, stray: int, follows: re.Pattern[str]) -> str:
        raw = self.text[start:end].rstrip()
        if raw.endswith(("```", "~~~")):
            raw = raw.rstrip("`~").rstrip()
        self.at = len(self.text)
        self.ended = True
        if stray:
            raise _ReadingError(State.BROKEN)
        if escape := _CUT_ESCAPE.search(raw, max(0, len(raw) - 5)):
            raw = raw[: escape.start()]
        if follows is _AFTER_KEY or not raw:
            raise _ReadingError(State.CUT)
        return self._decoded(raw)

    def _decoded(self, raw: str) -> str:
        if _CONTROL.search(raw):
            self.repaired = True
        if "\\" in raw:
            try:
                raw = json.loads(f'"{raw}"', strict=False)
            except ValueError:
                raw = _ESCAPE.sub(_unescaped, raw)
                self.repaired = True
        whole = without_half_pairs(raw)
        self.repaired |= whole is not raw
        return whole

    def _number(self) -> int | float:
        found = _NUMBER.match(self.text, self.at)
        if not found:
            found = _LENIENT_NUMBER.match(self.text, self.at)
            self.repaired = True
        if not found or found.end() == len(self.text):
            raise _ReadingError(State.CUT if _CUT_NUMBER.match(self.text, self.at) else State.BROKEN)
        written = found.group()
        try:
            value = int(written) if written.lstrip("+-").isdigit() else _finite(written)
        except ValueError:
            raise _ReadingError(State.BROKEN) from None
        self.at = found.end()
        return value

    def _literal(self) -> bool | None:
        word = _WORD.match(self.text, self.at)
        written = word.group() if word else ""
        if word and word.end() == len(self.text) and any(name.startswith(written) for name in _LITERALS):
            raise _ReadingError(State.CUT)
        if not word or written not in _LITERALS:
            raise _ReadingError(State.BROKEN)
        self.at = word.end()
        self.repaired |= written not in ("true", "false", "null")
        return _LITERALS[written]


def without_half_pairs(text: str) -> str:
    """Surrogate pairs joined into the character they stand for, halves replaced by U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _may_quote(text: str, at: int, opening: bool) -> bool:
    """Whether the quote at `at` is one of the text's own by its looks, and not the end or the start of a string."""
    before, after = text[at - 1], text[at + 1 : at + 2]
    if _AFTER_KEY.match(text, at + 1) or _JOINED.match(text, at + 1):
        return False
    if opening:
        return not (before.isascii() and before.isalnum()) and not after.isspace() and after not in ",;)]}"
    return not before.isspace()


def _unescaped(found: re.Match[str]) -> str:
    """What an escape stands for; one that JSON does not know keeps its backslash, as in a pattern `\\d`."""
    if found.group("latex"):
        return found.group()
    code = found.group("code")
    if len(code) > 1:
        return chr(int(code[1:], 16))
    if code in "'`\n":
        return code
    return _ESCAPES.get(code, "\\" + code)


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(written)
    return value


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for outer in level
            for child in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that also matches nothing ends."""
    found = pattern.match(text, at)
    return found.end() if found else at


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refused)
