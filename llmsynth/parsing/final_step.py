"""What a reply that works step by step ends in."""

from __future__ import annotations

import re
from typing import NamedTuple

from llmsynth.parsing.wrapping import marks_in, unwrap

_FINAL = r"(?:final(?:ly)?|finished|rewritten|evolved|revised|reviewed|improved|optimi[sz]ed|corrected|new|complete)"
# bounded, as a model may repeat a mark thousands of times
_MARKUP = r"[ \t#>*_`-]{0,12}"
_NUMBER = r"(?:step[ \t]{0,3})?\d{1,2}\b[^\n\w]{0,6}"
_STEP = re.compile(
    rf"^{_MARKUP}step[ \t]{{0,3}}\d{{1,2}}\b[ \t*_]{{0,6}}[:.)–—-]?[ \t*_]{{0,6}}(?P<title>[^\n]*)",
    re.MULTILINE | re.IGNORECASE,
)
_ITEM = re.compile(r"^[ \t*_#]{0,12}(?:step[ \t]{0,3})?\d{1,2}[ \t*_]{0,3}[.):]", re.MULTILINE | re.IGNORECASE)


class FinalStep(NamedTuple):
    """text: what was arrived at, empty where there is nothing. closed: whether its end was marked, so that a reply
    that the token limit cut short behind that mark has lost nothing of it."""

    text: str
    closed: bool


class _Noun(NamedTuple):
    """How the thing asked for is announced: in tags, or under a heading."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    heading: re.Pattern[str]


def _noun(words: str) -> _Noun:
    name = rf"(?:{_FINAL}[\s_-]+)+(?:{words})"
    # "\<rewritten\_prompt\>" and "&lt;rewritten prompt&gt;" are tags as well
    less, more = r"\\?(?:<|&lt;)", r"\\?(?:>|&gt;)"
    bold, end = r"(?P<bold>\*\*)?", r"(?(bold)\*\*)"
    tag = name.replace(r"[\s_-]", r"(?:\\?[\s_-])")
    return _Noun(
        re.compile(rf"{bold}{less}[ \t]*{tag}[ \t]*{more}{end}", re.IGNORECASE),
        re.compile(rf"{bold}{less}[ \t]*\\?/[ \t]*{tag}[ \t]*{more}{end}", re.IGNORECASE),
        # "### Step 4: **Final prompt**:" with the text on its line, or below
        re.compile(
            rf"^{_MARKUP}(?:{_NUMBER})?(?:(?:(?:here|this)\b[^\n:]{{0,20}}?[ \t])?(?:the|my)[ \t]+)?[*_`\"]{{0,4}}"
            rf"{name}[ \t*_`\"]*(?:[:：][ \t*_]*|$)",
            re.MULTILINE | re.IGNORECASE,
        ),
    )


_PROMPT = _noun("prompt|instruction")
_METHOD = _noun("method")


def parse_final_prompt(text: str) -> FinalStep:
    """The prompt that a reply arrives at, asked for between <rewritten_prompt> and </rewritten_prompt>.

    The last such block that holds anything counts; without one, what stands below the last heading that announces
    it, or below the last "Step N"; and a reply with none of these is taken whole.
    """
    found = _announced(text, _PROMPT, until=_STEP)
    if found is not None:
        return found
    body, steps = marks_in(_STEP, unwrap(text))
    if not steps:
        return FinalStep(_bare(body), False)
    last = steps[-1]
    return FinalStep(_bare(body[last.end() :]) or _bare(last.group("title")), False)


def parse_method(text: str) -> FinalStep:
    """The method that a reply proposes, asked for between <improved_method> and </improved_method>.

    Understood as a prompt is, but for the steps, which are the method's own: a text without two of them is none.
    """
    found = _announced(text, _METHOD) or FinalStep(_bare(text), False)
    return found if len(_ITEM.findall(found.text)) > 1 else FinalStep("", found.closed)


def _announced(text: str, noun: _Noun, until: re.Pattern[str] | None = None) -> FinalStep | None:
    """What stands in the last tags, or below the last heading, that name the thing.

    until: what ends that which stands below a heading.
    """
    text = unwrap(text)
    closings = list(noun.closing.finditer(text))
    for opening in reversed(list(noun.opening.finditer(text))):
        closing = next((mark for mark in closings if mark.start() >= opening.end()), None)
        inside = _bare(text[opening.end() : closing.start() if closing else len(text)])
        if inside:
            return FinalStep(inside, closing is not None)
    if closings:  # the opening tag was forgotten
        text = text[: closings[-1].start()]
    body, headings = marks_in(noun.heading, text)
    for heading in reversed(headings):
        below = body[heading.end() :]
        end = until.search(below) if until else None
        if below := _bare(below[: end.start()] if end else below):
            return FinalStep(below, bool(closings))
    return None


def _bare(text: str) -> str:
    """A text without thinking, fence or bold marks around all of it."""
    text = unwrap(text).strip()
    for mark in ("**", "__"):
        if len(text) > 4 and text.startswith(mark) and text.endswith(mark) and text.count(mark) == 2:
            text = text[2:-2].strip()
    return text
