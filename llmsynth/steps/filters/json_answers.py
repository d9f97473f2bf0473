"""Answers that were to be JSON and are not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from llmsynth.columns import answers, questions
from llmsynth.parsing import parse_json
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import shorten


@dataclass(frozen=True)
class JsonAnswers:
    """Drops answers without valid JSON where JSON was promised: "invalid_json".

    Promised means: the instruction asks for the answer in JSON, or the whole answer is one code block labelled json.

    repairable: let JSON pass that a lenient reader understands (trailing commas, single quotes, comments).
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction",)
    repairable: bool = False

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        return find_invalid_json(answers(record, self.on), questions(record, self.asked), self.repairable)


def find_invalid_json(answer: str, asked: str = "", repairable: bool = False) -> Drop | None:
    """What is wrong with an answer that was to be JSON; None where it was not to be."""
    block = _ONE_BLOCK.fullmatch(answer)
    promised = _PROMISED.search(asked) and not _OTHERWISE.search(asked)
    if not answer.strip() or not (block or promised):
        return None
    try:
        json.loads(block.group(1) if block else answer, parse_constant=_refused)
        return None
    except (ValueError, RecursionError):
        pass
    found = parse_json(answer)
    if found is None:
        return Drop("invalid_json", f"none in {shorten(answer)}")
    return Drop("invalid_json", "it needs to be repaired") if found.repaired and not repairable else None


def _refused(name: str) -> None:
    """Python reads NaN and Infinity, JSON has none."""
    raise ValueError(name)


_ONE_BLOCK = re.compile(r"\s*```json[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL | re.IGNORECASE)
_PROMISED = re.compile(
    r"\b(?:in|as|into|to|using|return|output|produce|generate|create|write|give|give me|provide|respond with"
    r"|reply with|format)"
    r" (?:a |an |the |only |valid |well-formed |pure |me |proper |single |one )*(?:answer |output |result "
    r"|response )?(?:in |as )?(?:a |an |the |valid )*json"
    r"(?: (?:format|object|array|list|string|document|file|schema|structure|representation|notation|only|response"
    r"|output|output only))?"
    r"(?=\s*(?:[.,:;!?)]|$|\n|(?:with|of|that|for|containing|where|whose|from|like|which|using|representing"
    r"|describing|including|and nothing)\b))",
    re.IGNORECASE,
)
# code about JSON, questions about JSON, and other formats asked for beside it
_OTHERWISE = re.compile(
    r"\b(?:python|javascript|typescript|java|c\+\+|c#|golang|rust|ruby|php|bash|jq|function|script|program|class"
    r"|method|code|endpoint|api|regex|command"
    r"|what is|what does|what are|explain|difference|why|how (?:do|does|can|to|would)|describe|convert (?:the "
    r"|this )?json (?:to|into)"
    r"|json (?:to|into) (?:yaml|xml|csv|html|text|plain|english|a (?:table|sentence|list|python|csv))|parse\w*"
    r"|advantages?|compare|json schema)\b",
    re.IGNORECASE,
)
