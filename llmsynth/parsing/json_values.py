"""The JSON that a reply means, and whether it fits a schema."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.parsing.json_reader import Reading, State, read_plain, read_value, without_half_pairs

_ATTEMPTS = 10_000  # a reply with more stray brackets than this has no JSON in it
_PASSES = 8  # over the text, all attempts together
_PLAIN_ATTEMPTS = 8  # each failure costs a pass over the text, to count its lines
_BRACKETS = 1_000_000  # beyond, brackets are not matched
_SHOWN = 200  # characters of a value in a message

_MARK = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<label>[\w+#.-]++|[ \t]++[\w+#.-]++(?=[ \t]*+\n))?|[\[{]")
_MATCHED = re.compile(r"[\[\]{}]|```|~~~")
_BETWEEN = re.compile(r"[\s,;\ufeff\x00]*+")
_BLANK_LINE = re.compile(r"\n[ \t\r]*+\n")
_FENCE = re.compile(r"`{3,}|~{3,}")
_TEXT_LABELS = frozenset(
    ("", "json", "json5", "jsonc", "jsonl", "jsonlines", "ndjson", "text", "txt", "md", "markdown")
)

_MAYBE_VALUE = re.compile(r"\{[\s/#]*+[\"'“„‘}\w$\\{]|\[[\s/#]*+[\"'“„‘`\[{\]\d+.tfnTFN-]")
_CODE_BEFORE = re.compile(r"(?:[\w\[(){}\\$%@=]|=>[ \t]*|\breturn[ \t]*|\b(?:yield|in|IN)[ \t]*|[=(\[){][ \t]*)\Z")
_LINE_START = re.compile(r"(?:\A|\n)[ \t\r>*_`\"“]*(?:json)?\Z")
_ITEM_START = re.compile(r"(?:\A|\n)[ \t]*(?:[-*+•]|\(?\d{1,6}[.):])[ \t]*[*_`]*\Z")
_COLON_BEFORE = re.compile(r":[ \t*_`\"“]*\Z")
_LINE_END = re.compile(r"[ \t*_`\"”]*+[.!]?[ \t\r*_]*+(?:\n|\Z|<\|)")
_CODE_AFTER = re.compile(r"[(\[]|\.\w")
_INLINE_AFTER = re.compile(r"[ \t]*[)\]};(\[]|\.\w")
_GOES_ON = re.compile(r"[\s,]*+\"[^\"\n]{1,200}+\"\s*+:")  # a key: a bracket closed too early
_TEXTS = re.compile(r"\[\s*+[\"'“„‘{]")
_QUOTED_KEY = re.compile(r"\{+\s*+[\"'“„‘]")

# JSON as it stands within a JSON string, without the quotes of that string
_ESCAPED = re.compile(r"[\[{]\s*+\\\"")
_NOT_ESCAPED = re.compile(r"[\[{,]\s*+\"")

_THINKING = re.compile(r"\s*+<(?:think|thinking|reasoning)>", re.IGNORECASE)
_END_OF_THINKING = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)


class ParsedJson(NamedTuple):
    """An object or array. `repaired` tells that its own text, not what stood around it, was not JSON to the letter."""

    value: Any
    repaired: bool


def parse_json(text: str, allow_truncated: bool = False) -> ParsedJson | None:
    """The one object or array that a reply means; None when there is none.

    Of several it is the first of the last code block that holds any, as models restate in a new block
    what they corrected; without code blocks it is the first. A value that the token limit cut is not
    what was meant, so it is None, unless `allow_truncated` asks for what was there: a string is kept as
    far as it went, a number or a key is not. Of a key given twice the last counts, as in Python's json.

    Code in other languages, citations and list marks are no values, and neither is the inside of a
    value that is broken beyond repair. Nothing nested deeper than 100 levels is read.
    """
    found = _Search(_answer(text)).run()
    blocks = [one for one in found if one.block]
    chosen = next((one for one in found if one.block == blocks[-1].block), None) if blocks else None
    if chosen is None and found:
        chosen = found[0]
    if chosen is None or (chosen.cut and not allow_truncated):
        return None
    return ParsedJson(chosen.value, chosen.repaired)


def parse_json_lines(text: str) -> list[ParsedJson]:
    """Every object of a reply, in its order: one per line, in an array, in a code block each.

    Objects outside of code blocks count only where no block holds any. One that is broken or cut is
    left out, those around it stay.
    """
    found = _Search(_answer(text), objects=True).run()
    in_blocks = any(one.block for one in found)
    return [
        ParsedJson(value, one.repaired)
        for one in found
        if not one.cut and bool(one.block) == in_blocks
        for value in (one.value if isinstance(one.value, list) else [one.value])
        if isinstance(value, dict)
    ]


class Fitting(NamedTuple):
    """The value of a reply that fits its schema, or why there is none: `broken` is empty where it fits."""

    value: Any
    broken: str = ""


def parse_fitting(text: str, schema: Mapping[str, Any]) -> Fitting:
    """The one object or array that a reply means, checked against a JSON schema, however the model was held to it.

    Raises RecipeError as `validate` does.
    """
    parsed = parse_json(text)
    if parsed is None:
        return Fitting(None, "no JSON")
    broken = validate(parsed.value, schema)
    return Fitting(None, broken) if broken else Fitting(parsed.value)


def validate(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why a value breaks a JSON schema, as place, reason and rule; None when it fits.

    The schema is of the draft that it names, 2020-12 if it names none. Raises RecipeError for a schema
    that is none, or that refers to another document: nothing is fetched.
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        schema_text = json.dumps(dict(schema))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"the JSON schema is no JSON: {error}", "write it as plain YAML or JSON values") from error
    try:
        broken = best_match(_validator(schema_text).iter_errors(value))
    except Unresolvable as unresolvable:
        raise RecipeError(
            f"the JSON schema refers to {unresolvable.ref!r}, which it does not hold", "put it under $defs"
        ) from unresolvable
    except RecursionError:
        return "$: nested too deeply to be checked"
    if broken is None:
        return None
    reason = broken.message if len(broken.message) <= _SHOWN else f"{broken.message[:_SHOWN]}..."
    return f"{broken.json_path}: {reason} ({broken.validator or False})"


@functools.lru_cache(maxsize=32)
def _validator(schema_text: str) -> Any:
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(schema_text)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise RecipeError(
            f"the JSON schema is none at {error.json_path}: {error.message[:_SHOWN]}", "see json-schema.org"
        ) from error
    return kind(schema, registry=EMPTY_REGISTRY)


def _answer(text: str) -> str:
    """The reply without thinking, and decoded where it is JSON within a JSON string."""
    if thinking := _THINKING.match(text):
        end = _END_OF_THINKING.search(text, thinking.end())
        text = text[end.end() :] if end else ""
    elif not text.lstrip("\ufeff \t\r\n").startswith(("{", "[", "`", "~")) and "<think" not in text.lower():
        end = _END_OF_THINKING.search(text)  # some chat templates open the block in the prompt
        text = text[end.end() :] if end else text
    whole = text.strip("\ufeff \t\r\n")
    if whole.startswith('"') and whole.endswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(whole))
    if _ESCAPED.search(text) and not _NOT_ESCAPED.search(text):
        with contextlib.suppress(ValueError):
            return str(json.loads(f'"{whole}"', strict=False))
    return text


class _Found(NamedTuple):
    """A value in a reply. `block` numbers the code block that it stands in, 0 for none."""

    value: Any
    repaired: bool
    cut: bool
    block: int


class _Search:
    """One pass over a reply, from one bracket or fence to the next, that steps over each value it reads.

    `objects` asks for the objects of an array that is broken or cut.
    """

    def __init__(self, text: str, objects: bool = False) -> None:
        self.text = without_half_pairs(text)
        self.mended = self.text is not text
        self.objects = objects
        self.found: list[_Found] = []
        self.block = 0
        self.blocks: list[str] = []  # the labels of the blocks that are open
        self.follows = -1  # where a value or the bracket of an array ended
        self.attempts = 0
        self.work = 0  # characters read
        self.plain_attempts = 0

    def run(self) -> list[_Found]:
        at = 0
        while self.attempts < _ATTEMPTS and self.work <= _PASSES * len(self.text):
            mark = _MARK.search(self.text, at)
            if mark is None:
                break
            if mark.group("fence"):
                at = self._fence(mark)
            elif self.blocks and self.blocks[-1] not in _TEXT_LABELS:
                closing = _FENCE.search(self.text, mark.start())  # code in another language
                at = closing.start() if closing else len(self.text)
            else:
                at = self._candidate(mark.start())
        return self.found

    def _fence(self, mark: re.Match[str]) -> int:
        """Into a code block, or out of it; over the block if it holds values and nothing else."""
        self.attempts += 1
        label = mark.group("label")
        if self.blocks and not label:
            self.blocks.pop()
            return mark.end()
        self.block += 1
        values: list[_Found] = []
        at = self._skip(mark.end())
        while self.text.startswith(("{", "["), at):
            reading = self._read(at)
            if reading.state is not State.COMPLETE and (self.objects or reading.state is not State.CUT):
                break
            values.append(self._as_found(reading, self.block))
            at = self._skip(reading.end)
        closing = _MARK.match(self.text, at) if _FENCE.match(self.text, at) else None
        if values and (closing or at == len(self.text)):
            self.found += values
            return closing.end() if closing and not closing.group("label") else at
        self.blocks.append((label or "").strip().lower())
        return mark.end()

    def _candidate(self, start: int) -> int:
        """Read the value at a bracket, if one can stand there; where to go on."""
        self.attempts += 1
        text = self.text
        before = text[max(0, start - 100) : start]
        in_row = self.follows >= 0 and self._skip(self.follows) == start
        if not _MAYBE_VALUE.match(text, start) or not (in_row or self._may_start(before, start)):
            return self._beyond(start, start + 1)
        reading = self._read(start)
        if reading.state is State.TOO_DEEP:
            self.attempts = _ATTEMPTS
            return len(text)
        array_of_objects = text[start] == "[" and text.startswith("{", self._skip(start + 1))
        if self.objects and array_of_objects and reading.state is not State.COMPLETE:
            self.follows = start + 1
            return start + 1
        if reading.state is State.BROKEN:
            end = self._beyond(start, 0)
            if not end and reading.begun:
                paragraph = _BLANK_LINE.search(text, reading.end)
                end = paragraph.end() if paragraph else len(text)
            self.follows = end or self.follows
            return end or max(reading.end, start + 1)
        if in_row or reading.state is State.CUT or self._may_stand(before, start, reading):
            self.found.append(self._as_found(reading, self.block if self.blocks else 0))
            self.follows = reading.end
        return reading.end

    def _may_start(self, before: str, start: int) -> bool:
        """Whether the text before a bracket lets it start a value: not what code or a list has there."""
        if _LINE_START.search(before) or _COLON_BEFORE.search(before):
            return True
        numbers = self.text[start] == "[" and not _TEXTS.match(self.text, start)
        return not numbers and bool(_ITEM_START.search(before) or not _CODE_BEFORE.search(before))

    def _may_stand(self, before: str, start: int, reading: Reading) -> bool:
        """Whether what was read stands as a value of its own, and is not a piece of prose or code."""
        text, value = self.text, reading.value
        if not text[:start].strip() and not text[reading.end :].strip():
            return True
        own_line = bool(_LINE_START.search(before) or _COLON_BEFORE.search(before))
        if isinstance(value, list):
            citation = len(value) == 1 and isinstance(value[0], int)
            return bool(_LINE_END.match(text, reading.end)) and bool(value) and not citation
        if own_line:
            return not _CODE_AFTER.match(text, reading.end)
        by_keys = _QUOTED_KEY.match(text, start) and value
        return bool(by_keys) and not _INLINE_AFTER.match(text, reading.end)

    def _read(self, start: int) -> Reading:
        reading = self._read_as_it_is(start)
        self.work += reading.end - start
        if reading.state is State.COMPLETE and _GOES_ON.match(self.text, reading.end):
            return Reading(None, reading.end, State.BROKEN, begun=True)
        return reading

    def _read_as_it_is(self, start: int) -> Reading:
        if self.plain_attempts < _PLAIN_ATTEMPTS:
            reading = read_plain(self.text, start)
            if reading.state is not State.BROKEN:
                return reading
            self.plain_attempts += 1
        if self.text.startswith("{{", start):  # the braces of a template that were doubled to escape them
            reading = read_value(self.text, start + 1)
            end = self._skip(reading.end)
            if reading.state is State.COMPLETE and self.text.startswith("}", end):
                return reading._replace(end=end + 1, repaired=True)
        return read_value(self.text, start)

    def _as_found(self, reading: Reading, block: int) -> _Found:
        return _Found(reading.value, reading.repaired or self.mended, reading.state is State.CUT, block)

    def _skip(self, at: int) -> int:
        between = _BETWEEN.match(self.text, at)
        return between.end() if between else at

    def _beyond(self, start: int, otherwise: int) -> int:
        """The place behind the bracket that closes the one at `start`."""
        return self._matches.get(start, otherwise)

    @functools.cached_property
    def _matches(self) -> dict[int, int]:
        """Which bracket closes which, by their kinds and order alone."""
        matches: dict[int, int] = {}
        if sum(map(self.text.count, "[]{}`~")) > _BRACKETS:
            return matches
        stack: list[tuple[str, int]] = []
        for mark in _MATCHED.finditer(self.text):
            kind = mark.group()
            if kind in "[{":
                stack.append((kind, mark.start()))
            elif kind not in "]}":
                stack.clear()  # no value reaches from prose into a code block
            elif stack and stack[-1][0] + kind in ("[]", "{}"):
                matches[stack.pop()[1]] = mark.end()
        return matches
