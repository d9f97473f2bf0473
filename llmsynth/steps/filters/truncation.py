"""Answers whose end is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmsynth.columns import answers, questions
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import shorten


@dataclass(frozen=True)
class Truncation:
    """Drops answers that stop in the middle: "truncated".

    An answer that the token limit ended (meta `finish_reason`, or the last of `finish_reasons`, is "length") has to end
    as a text ends. Any other may end as it likes, unless it stops at a word that needs another, at a comma, a colon or
    an opened bracket, behind the mark of a list item, or in the midst of a sentence that others precede on its line.
    Short answers, code, tables, verse and signatures are left alone.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction",)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        return find_cut(answers(record, self.on), questions(record, self.asked), cut_by_limit(record.meta))


def cut_by_limit(meta: Mapping[str, Any]) -> bool:
    """Whether a record's provenance says that the token limit ended its last completion."""
    reasons = meta.get("finish_reasons") or [meta.get("finish_reason")]
    return isinstance(reasons, list | tuple) and reasons[-1] == "length"


def find_cut(answer: str, asked: str = "", limit: bool = False) -> Drop | None:
    """Where an answer stops in the middle. `limit`: the token limit is known to have ended it."""
    text = answer.rstrip()
    if not text:
        return None
    last = text.rpartition("\n")[2].strip()[-_TAIL:]
    end = shorten(last[-60:])
    if limit and not _ENDS.search(last):
        return Drop("truncated", f"the token limit ended it: {end}")
    if _inside_code(text) or _FRAGMENTS.search(asked):
        return None
    words = len(text.split())
    if _ITEM_MARK.fullmatch(last) and "\n" in text:
        return Drop("truncated", f"a list item without text: {end}")
    if words < _SHORT or _looks_like_code(last):
        return None
    if _HANGS.search(last):
        return Drop("truncated", f"stops at {end!r}")
    if _open_bracket(last):
        return Drop("truncated", f"a bracket is not closed: {end}")
    unfinished = _AFTER_SENTENCE.search(_ITEM_BEGINS.sub("", last))
    if unfinished and not _ENDS.search(last) and len(unfinished.group(1).split()) >= 2:
        return Drop("truncated", f"a sentence without its end: {end}")
    return None


_TAIL = 500  # characters of the last line that are looked at
_SHORT = 8  # words; a shorter answer may be a phrase that was asked for
_ENDS = re.compile(r"(?:[.!?…。！？।؟]|```|\$\$|[\])}>|*_`\"'”’»）」』;]|:[)D(]|[#@]\w+|[^\w\s,:(\[{-])\s*$")
_ITEM_BEGINS = re.compile(r"^(?:\(?\w{1,3}[.)]|[-*•])\s+")
_ITEM_MARK = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z])[.)]|[-*•]|#{1,6}|\*\*\d+\.(?:\*\*)?")
_HANGS = re.compile(
    r"(?:[,:(\[{]|(?<=\w)[-–—]|\s(?:and|or|but|nor|the|a|an|of|to|with|for|from|by|at|into|onto|about|as|than"
    r"|that|which|whose"
    r"|because|if|when|while|although|though|unless|until|since|whether|is|are|was|were|be|been|being|has|have"
    r"|had|will|would"
    r"|can|could|should|may|might|must|shall|does|did|its|their|his|my|your|our|this|these|those|such|very|more"
    r"|most|not|no"
    r"|after|before|you|between|among|during|through|including|e\.g|i\.e|so|per|via|every|each|also|then|who"
    r"|where|how|why|what|under|upon|within|without"
    r"|like|it|he|she|they|we|i|there|one of|some of|any|both|either|neither))\s*$",
    re.IGNORECASE,
)
_AFTER_SENTENCE = re.compile(r".*[a-z\d)\"'”][.!?][\"'”)]?\s+([A-Z\"“(].*)$")
_FRAGMENTS = re.compile(
    r"\b(?:fragments?|incomplete|half of|beginning of|first (?:half|part|\d+ words)|cut off|truncate\w*"
    r"|opening (?:words|line)|cliffhanger"
    r"|fill in|blanks?|lyrics|song|poems?|haiku|verse|limerick|sonnet|start of|title|headline|slogan|keywords?"
    r"|regular expression|regex"
    r"|code|function|script|query|sql|html|css|bash|command|program|formula|equation|expression|csv|yaml|phrase"
    r"|salutation|prefix)\b",
    re.IGNORECASE,
)


def _inside_code(text: str) -> bool:
    """Whether the text ends in an open code block, which is for the filter of code fences."""
    return text.count("```") % 2 == 1


def _looks_like_code(line: str) -> bool:
    return bool(
        re.search(
            r"[{}=<>\\$|]|;$|\w\(|https?://|^\s*(?:def|class|for|while|if|return|import|else|elif|try)\b.*:$", line
        )
    )


def _open_bracket(line: str) -> bool:
    """Whether the last sentence opens a bracket, with words in it, that nothing closes."""
    at = max(line.rfind("("), line.rfind("["))
    return at >= 0 and not re.search(r"[)\]]", line[at:]) and len(line[at:].split()) >= 2
