"""Instances of a task: inputs and outputs."""

from __future__ import annotations

import re
from typing import NamedTuple

from llmsynth.parsing.wrapping import sections, unwrap

_DECORATION = r"^[ \t]*[#>*_]*[ \t]*"
_END = r"[*_]*[ \t]*"
_NEXT_TASK = re.compile(_DECORATION + r"Task[ \t]*(?:\d+[ \t]*)?:", re.MULTILINE | re.IGNORECASE)
_PART = re.compile(
    _DECORATION + r"(?:(Example)[ \t]*\d+[.:]?|(Input|Output)[ \t]*\d*[ \t]*:)" + _END, re.MULTILINE | re.IGNORECASE
)
_LABEL = re.compile(_DECORATION + r"Class[ \t_]*label[ \t]*\d*[ \t]*:" + _END, re.MULTILINE | re.IGNORECASE)
_INPUT = re.compile(_DECORATION + r"Input[ \t]*\d*[ \t]*:" + _END, re.IGNORECASE)
_ALPACA_PART = re.compile(r"(?:^|\n)[ \t]*(\d+)[ \t]*\.[ \t]*(Instruction|Input|Output)[ \t]*:", re.IGNORECASE)
_NO_INPUT = re.compile(r"^[<(\[]?(?:no[ \t]?input|none|n/a|not applicable|empty)[>)\]]?\.?$", re.IGNORECASE)


class Instance(NamedTuple):
    """One example of a task. `cut` marks one that the token limit cut short."""

    input: str
    output: str
    cut: bool = False


def parse_input_first(text: str, truncated: bool = False) -> list[Instance]:
    """Instances written as Input and Output, under Example headings or without.

    A reply without any of these marks is taken for the output of a task that needs no input.
    """
    text = _this_task_only(unwrap(text))
    marks = list(_PART.finditer(text))
    if not marks:
        return _mark_cut([Instance("", text.strip())] if text.strip() else [], truncated)
    instances: list[Instance] = []
    given: str | None = None
    for mark, body in sections(text, marks):
        body = body.strip()
        if mark.group(1):
            given = body or None  # text right under the heading can only be the input
        elif mark.group(2).lower() == "input":
            given = body if given is None else f"{given}\n{body}"
        else:
            instances.append(Instance(_input(given or ""), body))
            given = None
    if given is not None:
        instances.append(Instance(_input(given), ""))  # an input that was never answered
    return _mark_cut(instances, truncated)


def parse_output_first(text: str, truncated: bool = False) -> list[Instance]:
    """Instances written as Class label and then the input, which may run over several lines.

    Without the marker there is none: a label is what the task is about.
    """
    text = _this_task_only(unwrap(text))
    instances: list[Instance] = []
    for _, body in sections(text, list(_LABEL.finditer(text))):
        label, _, rest = body.strip("\n").partition("\n")
        rest = rest.strip()
        instances.append(Instance(_input(_INPUT.sub("", rest, count=1).strip()), label.strip().strip("*_").strip()))
    return _mark_cut(instances, truncated)


def parse_alpaca(text: str, first: int, truncated: bool = False) -> list[tuple[str, Instance] | None]:
    """Whole tasks, laid out as `N. Instruction:`, `N. Input:`, `N. Output:` between lines of `###`.

    The prompt ended in the first heading, so the reply goes on behind it. None stands for a segment
    that does not hold exactly the three parts.
    """
    text = unwrap(text)
    opened = re.match(r"\s*(?:###)?\s*\d+[ \t]*\.[ \t]*Instruction[ \t]*:", text, re.IGNORECASE)
    if not opened:
        text = f"{first}. Instruction: {text.strip()}"
    tasks: list[tuple[str, Instance] | None] = []
    segments = [s for s in re.split(r"(?:^|\n)[ \t]*###[ \t]*(?:\n|$)?", text) if s.strip()]
    for segment in segments:
        parts = _ALPACA_PART.split("\n" + segment.strip())
        # text before, then (number, name, body) three times
        names = [name.lower() for name in parts[2::3]]
        if len(parts) != 10 or names != ["instruction", "input", "output"] or len(set(parts[1::3])) != 1:
            tasks.append(None)
            continue
        instruction, given, output = (part.strip() for part in parts[3::3])
        tasks.append((instruction, Instance(_input(given), output)))
    if truncated and tasks and tasks[-1] is not None:
        instruction, instance = tasks[-1]
        tasks[-1] = (instruction, instance._replace(cut=True))
    return tasks


def _this_task_only(text: str) -> str:
    """What comes before the model goes on with a task of its own."""
    found = [mark for mark in _NEXT_TASK.finditer(text) if text[: mark.start()].strip()]
    return text[: found[0].start()] if found else text


def _input(text: str) -> str:
    return "" if _NO_INPUT.match(text) else text


def _mark_cut(instances: list[Instance], truncated: bool) -> list[Instance]:
    if truncated and instances:
        instances[-1] = instances[-1]._replace(cut=True)
    return instances
