"""Instances of a task: inputs and outputs."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from llmsynth.parsing.wrapping import marks_in, sections, unwrap

_START = r"^[-#>*_•+ \t]*"
_COLON = r"[ \t]*\d*[ \t]*[*_]*[ \t]*[:：][*_]*[ \t]*"
# "Example 1" alone, or with a colon or full stop and perhaps text behind it; "Example 1 shows" is prose
_HEADING = r"Example[ \t]*#?\d+[ \t]*(?:\([^)\n]*\)[ \t]*)?(?:[*_]*[.:：][*_]*[ \t]*|[*_]*[ \t]*$)"
_FLAGS = re.MULTILINE | re.IGNORECASE

_PART = re.compile(rf"{_START}(?:(?P<heading>{_HEADING})|(?P<name>Input|Output){_COLON})", _FLAGS)
_HEADING_AND_PART = re.compile(rf"({_START}{_HEADING})(?=[*_]*(?:Input|Output){_COLON})", _FLAGS)
_TRAILING_HEADING = re.compile(rf"{_START}{_HEADING}\s*\Z", _FLAGS)
_LABELS = (
    re.compile(rf"{_START}Class[ \t_]*label{_COLON}", _FLAGS),
    re.compile(rf"{_START}(?:Class|Label){_COLON}", _FLAGS),
)
_INPUT = re.compile(rf"{_START}Input{_COLON}", _FLAGS)
_OUTPUT = re.compile(rf"{_START}Output{_COLON}", _FLAGS)
_AROUND_LABEL = re.compile(r"\A([*_]{1,3}|[`\"])(.+)\1\Z")
_INLINE_INPUT = re.compile(rf"[ \t]+[*_]*Input{_COLON}", _FLAGS)
_INLINE_OUTPUT = re.compile(rf"[ \t]+(?:(?:[-=]+>|→|\|)[ \t]*)?[*_]*Output{_COLON}", _FLAGS)
_INDENTED = re.compile(r"(?: {4}|\t)[ \t]*\w")
# "1. Input: ..."
_NUMBERED = re.compile(
    rf"{_START}\(?(?P<number>\d{{1,2}})[.)][*_]*\s*(?=[*_]*(?P<name>Input|Output|Class[ \t_]*label){_COLON})", _FLAGS
)

_TASK = re.compile(rf"{_START}Task[ \t]*\d*[*_]*[ \t]*:[^\n]*", _FLAGS)
_TASK_GOES_ON = re.compile(rf"\s*{_START}(?:{_HEADING}|(?:Input|Output|Class[ \t_]*label){_COLON})", _FLAGS)

_RULE = re.compile(r"\n[ \t]*(?:-{3,}|\*{3,}|_{3,}|#{3,})[ \t]*\Z")
_NO_INPUT = re.compile(
    r"[<(\[\"'`*]*(?:no[ _-]?(?:input|extra input)(?: (?:is )?(?:needed|required|necessary|provided|given))?"
    r"|none(?: (?:needed|required))?|n/a|not applicable)[>)\]\"'`*]*\.?[>)\]\"'`*]*|[<(\[]empty[>)\]]",
    re.IGNORECASE,
)

_ALPACA_PART = re.compile(
    r"^[#*_ \t]*(?P<number>\d+)[ \t]*[.)][ \t]*[*_]*(?P<name>Instruction|Input|Output)[ \t]*[*_]*[ \t]*[:：][*_]*",
    _FLAGS,
)
_ALPACA_RULE = re.compile(r"^[ \t]*(###|-{3,})[ \t]*$", re.MULTILINE)


class Instance(NamedTuple):
    """One example of a task. `cut` marks one that the token limit cut short."""

    input: str
    output: str
    cut: bool = False


def parse_input_first(text: str, truncated: bool = False) -> list[Instance]:
    """Instances written as Input and Output, under Example headings or without.

    Text under a heading without marks is the output of a task that needs no input; a reply without any
    mark at all holds no instance, as it is rather a question or a refusal. An input that was never
    answered has an empty output.
    """
    text = _HEADING_AND_PART.sub(r"\1\n", _numbers_as_headings(_this_task_only(unwrap(text)), _PART))
    text, marks = marks_in(_PART, text)
    parts = [mark for mark in marks if mark.group("name")]
    if parts and not _INDENTED.match(parts[0].group()):  # then what is indented is code that was not fenced
        marks = [mark for mark in marks if not _INDENTED.match(mark.group())]
    instances: list[Instance] = []
    loose: str | None = None  # text right under a heading
    given: str | None = None
    before = ""  # the name of the part before
    for mark, raw in sections(text, marks):
        body, name = _body(raw), (mark.group("name") or "").lower()
        if not name:
            instances += _unanswered(given, loose)
            given, loose = None, body or None
        elif name == "input" and given is not None and _INLINE_OUTPUT.search(given):
            instances += _unanswered(given, loose)
            given, loose = body, None
        elif name == "input":
            given = body if given is None else f"{given}\n{body}"
        elif before == "output" and instances[-1].input:
            # a second output for the same input is a part of the first: program output, an explanation
            instances[-1] = instances[-1]._replace(output=f"{instances[-1].output}\n{mark.group().strip()} {body}")
        else:
            instances.append(Instance(_input(loose or "" if given is None else given), body))
            given = loose = None
        before = name
    instances += _unanswered(given, loose)
    begun = marks and marks[-1].group("heading") and loose is None  # the limit cut off an example not yet begun
    return _mark_cut(instances, truncated and not begun)


def parse_output_first(text: str, truncated: bool = False) -> list[Instance]:
    """Instances written as Class label and then the input, which may run over several lines.

    Several inputs under one label are an instance each. Without the marker there is none: a label is
    what the task is about.
    """
    text = _numbers_as_headings(_this_task_only(unwrap(text)), _LABELS[0])
    instances: list[Instance] = []
    for pattern in _LABELS:
        inner, marks = marks_in(pattern, text)
        for _, body in sections(inner, marks):
            label, inputs = _labelled(_TRAILING_HEADING.sub("", body))
            instances += [Instance(_input(given), label) for given in inputs]
        if marks:
            break
    return _mark_cut(instances, truncated)


def parse_alpaca(text: str, first: int, truncated: bool = False) -> list[tuple[str, Instance] | None]:
    """Whole tasks, laid out as `N. Instruction:`, `N. Input:`, `N. Output:` between lines of `###`.

    The prompt ended in the first heading, so the reply may go on behind it. None stands for a segment
    that does not hold exactly the three parts.
    """
    text, marks = marks_in(_ALPACA_PART, unwrap(text))
    if marks and marks[0].group("name").lower() == "instruction":
        text = text[marks[0].start() :]  # what stands before it is the model's greeting
    elif text.strip():
        text = f"{first}. Instruction: {text.strip()}"
    tasks: list[tuple[str, Instance] | None] = []
    for segment in _alpaca_segments(text):
        marks = list(_ALPACA_PART.finditer(segment))
        starts = [i for i, mark in enumerate(marks) if mark.group("name").lower() == "instruction"]
        if not starts or segment[: marks[0].start()].strip() or starts[0] > 0:
            tasks.append(None)
        for start, end in itertools.pairwise([*starts, len(marks)]):
            stop = marks[end].start() if end < len(marks) else len(segment)
            tasks.append(_alpaca_task(segment[:stop], marks[start:end]))
    if truncated and tasks and tasks[-1] is not None:
        instruction, instance = tasks[-1]
        tasks[-1] = (instruction, instance._replace(cut=True))
    return tasks


def _alpaca_segments(text: str) -> list[str]:
    """The text between the rules, where there is any.

    `---` divides only where a task begins behind it, or a last remark does: any other is part of an input or an output.
    """
    first, *more = _ALPACA_RULE.split(text)
    segments = [first]
    for place in range(0, len(more), 2):
        rule, piece = more[place : place + 2]
        names = [mark.group("name").lower() for mark in _ALPACA_PART.finditer(piece)]
        divides = rule == "###" or "instruction" in names or not (names or more[place + 2 :])
        if divides:
            segments.append(piece)
        else:
            segments[-1] += rule + piece
    return [segment for segment in segments if segment.strip()]


def _alpaca_task(segment: str, marks: list[re.Match[str]]) -> tuple[str, Instance] | None:
    names = [mark.group("name").lower() for mark in marks]
    if names != ["instruction", "input", "output"] or len({int(mark.group("number")) for mark in marks}) != 1:
        return None
    instruction, given, output = (_body(body) for _, body in sections(segment, marks))
    return instruction, Instance(_input(given), output)


def _this_task_only(text: str) -> str:
    """What comes before the model goes on with a task of its own, and behind its repeating of this one.

    A line "Task: ..." inside an answer is text; one that opens a paragraph, or is followed by the
    parts of an example, is the next task.
    """
    echoed = _TASK.match(text.lstrip())
    if echoed and _TASK_GOES_ON.match(text.lstrip(), echoed.end()):
        text = text.lstrip()[echoed.end() :]
    for mark in _TASK.finditer(text):
        before = text[: mark.start()]
        opens = before.endswith("\n\n") or _TASK_GOES_ON.match(text, mark.end())
        if opens and before.strip():
            return before
    return text


def _numbers_as_headings(text: str, plain: re.Pattern[str]) -> str:
    """The reply with headings of examples where numbers stand before the first part of each.

    Behind a part without a number, a numbered list of inputs and outputs is what the answer says; and where both have
    numbers, it may be the answer itself.
    """
    numbered, first = list(_NUMBERED.finditer(text)), plain.search(text)
    if len({mark.group("name").lower() for mark in numbered}) != 1:
        return text
    if first and first.start() < numbered[0].start():
        return text
    return _NUMBERED.sub(r"Example \g<number>\n", text)


def _labelled(body: str) -> tuple[str, list[str]]:
    """A label and its inputs; at least one, which may be empty."""
    body = _body(body)
    first_line = body.partition("\n")[0]
    inline = _INLINE_INPUT.search(first_line)
    if _INPUT.match(first_line):
        label, rest = "", body
    elif inline:
        label, rest = first_line[: inline.start()], body[inline.start() :].lstrip()
    else:
        label, _, rest = body.partition("\n")
    inputs = [text for _, text in sections(rest, list(_INPUT.finditer(rest)))] or [rest]
    return _plain_label(label.strip()), [_body(_OUTPUT.split(text, maxsplit=1)[0]) for text in inputs]


def _plain_label(label: str) -> str:
    """The label without emphasis or quotes around it."""
    label = _AROUND_LABEL.sub(r"\2", label)
    return label.removesuffix("**").strip() if label.count("**") == 1 else label


def _unanswered(given: str | None, loose: str | None) -> list[Instance]:
    """What becomes of an example that ended before an Output stood at the start of a line."""
    if given is None:
        return [] if loose is None else [Instance("", loose)]
    inline = _INLINE_OUTPUT.search(given)
    if inline:
        return [Instance(_input(given[: inline.start()].strip()), _body(given[inline.end() :]))]
    return [Instance(_input(given), "")]


def _body(text: str) -> str:
    """The text of a part without the white space and the rules that set it off."""
    text = text.strip()
    while (shorter := _RULE.sub("", f"\n{text}").strip()) != text:
        text = shorter
    return text


def _input(text: str) -> str:
    return "" if _NO_INPUT.fullmatch(text) else text


def _mark_cut(instances: list[Instance], truncated: bool) -> list[Instance]:
    if truncated and instances:
        instances[-1] = instances[-1]._replace(cut=True)
    return instances
