"""Answers that refuse, and answers that speak of being a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.columns import answers, questions
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.steps.filters import refusal_phrases as phrases
from llmsynth.text import shorten

_OPENING = 400  # characters in which a refusal begins
_SHORT = 60  # words of an answer that may be a refusal as a whole


@dataclass(frozen=True)
class Refusals:
    """Drops answers that refuse the task ("refusal") or disclaim in the voice of a machine ("ai_disclaimer").

    A refusal is how an answer begins, or the whole of a short one. Words that refuse in quotation marks, in code, in a
    letter or a story that was wanted, or in what a task hands in to be worked on, are no refusal; nor is "as an AI
    engineer" a disclaimer, nor "I am an AI" to one who asks. An answer that asks for what the task did not give counts
    as a refusal too. Made for English; the set phrases of nine more languages are known.

    disclaimers: False lets disclaimers pass.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction", "input")
    disclaimers: bool = True

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        drop = find_refusal(answers(record, self.on), questions(record, self.asked))
        return drop if drop and (self.disclaimers or drop.reason == "refusal") else None


def find_refusal(answer: str, asked: str = "") -> Drop | None:
    """Why an answer to what was asked is a refusal or a disclaimer."""
    if answer.isascii() and not any(sign in answer.lower() for sign in phrases.SIGNS):
        return None
    voice = _plain(_own_voice(answer))
    if not voice:
        return None
    told = _plain(asked)
    found = _refusal(voice, told)
    if found and found.strip() not in told:
        return Drop("refusal", shorten(found))
    if phrases.ABOUT_MACHINES.search(told):
        return None
    disclaimer = phrases.DISCLAIMER.search(voice) or phrases.FOREIGN_DISCLAIMER.search(voice)
    if disclaimer and disclaimer.group().strip(" \n.,;:") not in told:
        return Drop("ai_disclaimer", shorten(disclaimer.group()))
    return None


def _refusal(voice: str, told: str) -> str:
    """The words of a refusal, if there is one."""
    opening = voice[:_OPENING]
    handed_in = phrases.HANDED_IN.search(told) and phrases.MATERIAL.search(told)
    found = None
    if not handed_in:
        found = phrases.CERTAIN.match(opening) or phrases.FOREIGN_REFUSAL.match(opening)
        if found is None and not phrases.MATERIAL.search(told):
            found = phrases.MISSING.match(opening)
    if found is None and not phrases.WORDS_OF_OTHERS.search(told):
        found = phrases.LIKELY.match(opening)
        if found is None and len(voice.split()) <= _SHORT:
            found = phrases.SOMEWHERE.search(voice)
    return found.group() if found else ""


_QUOTES = str.maketrans("’‘ʼ´“”„«»", '\'\'\'\'"""""')
_NOT_OWN = re.compile(
    r"""```.*?(?:```|\Z)  |  `[^`\n]+`  |  ^>[^\n]*$  |  "[^"\n]{1,2000}"  |  (?<![\w'])'[^'\n]{12,}'(?!\w)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def _own_voice(text: str) -> str:
    """The text without code and quotations; one in front leaves a mark, as what follows it begins nothing."""
    text = text.translate(_QUOTES).lstrip()
    return _NOT_OWN.sub(lambda quoted: " " if quoted.start() else "(quoted) ", text)


_CONTRACTIONS = (
    ("won't", "will not"),
    ("can't", "cannot"),
    ("can not", "cannot"),
    ("n't", " not"),
    ("'m ", " am "),
    ("'re ", " are "),
    ("'d ", " would "),
    ("'ll ", " will "),
    ("'ve ", " have "),
    ("it's ", "it is "),
    ("that's ", "that is "),
)


def _plain(text: str) -> str:
    """Small letters, straight apostrophes, nothing contracted, and nothing in front of the first word."""
    text = text.translate(_QUOTES).lower()
    for short, long in _CONTRACTIONS:
        text = text.replace(short, long)
    return text.lstrip(" \n\t*_#>-.!:\"'")
