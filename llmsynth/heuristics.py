"""How good an answer looks, without a model: seven components from 0 to 1, each of them to be seen by itself.

They tell what is wrong with bad answers, not which of two good ones is better. None of them asks for a long answer:
what a short one cannot show counts as full. Words are runs of letters and digits, and every character of Chinese and
Japanese; the word lists are English.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from llmsynth.forms import form_kept, is_code, may_be_short
from llmsynth.text import marks


@dataclass(frozen=True)
class Components:
    """An answer's heuristics, each from 0 to 1, 1 being best.

    completeness: it comes to an end. 0 for one broken off in a fence, a bracket, a list or a sentence; half for a long
        text that ends without a full stop.
    format: the share of the forms asked for that it has (`llmsynth.forms`).
    length: 1 within a band of words, falling in proportion to 0 below it, and to 0 at five times its end above it.
        Where a short answer may be all there is to say, there is no lower end.
    richness: the share of different words in a window of 25, the mean over all windows (the moving-average type-token
        ratio, which does not depend on length), from 0 at a half to 1 at 0.8. 1 for fewer than 25 words, and for code.
    coverage: the share of the instruction's content words that come up, of half of them or as many as the answer has
        room for: one in every ten of its words. 1 for code.
    repetition: 1 less the share of runs of four words that were there before, or of the lines that were, if more.
    hedging: 1 less the number of phrases such as "it might be" or "I am not sure" in 20 words, at least 0.
    """

    completeness: float
    format: float
    length: float
    richness: float
    coverage: float
    repetition: float
    hedging: float


@dataclass(frozen=True)
class Band:
    """Words that an answer should have."""

    least: int = 15
    most: int = 600


def components(instruction: str, given: str, answer: str, band: Band = Band()) -> Components:
    """The heuristics of an answer to an instruction with its input; all 0 for an empty one."""
    if not answer.strip():
        return _NOTHING
    words = words_of(answer)
    code = is_code(answer)
    return Components(
        completeness=completeness(answer, len(words)),
        format=form_kept(instruction, answer),
        length=length(instruction, len(words), band),
        richness=1.0 if code else richness(words),
        coverage=1.0 if code else coverage(f"{instruction}\n{given}", words),
        repetition=repetition(answer, words),
        hedging=hedging(answer, len(words)),
    )


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return (_WORD if text.isascii() else _marked_word()).findall(text.lower())


def completeness(answer: str, words: int) -> float:
    text = answer.rstrip()
    if not text or text.count("```") % 2:
        return 0.0
    if text.endswith("```"):
        return 1.0
    bare = text.rstrip(_CLOSING).rstrip() or text
    if _OPEN_END.search(bare) and (bare == text or text[-1] not in "}])`"):
        return 0.0
    last = text.rsplit("\n", 1)[-1]
    ends = bare[-1] in _FULL_STOPS or words <= 12 or len(last.split()) <= 4 or _NO_SENTENCE.search(last)
    return 1.0 if ends else 0.5


def length(instruction: str, words: int, band: Band = Band()) -> float:
    if words < band.least:
        return 1.0 if may_be_short(instruction) else words / band.least
    return max(0.0, min(1.0, (5 * band.most - words) / (4 * band.most)))


def richness(words: list[str]) -> float:
    if len(words) < _WINDOW:
        return 1.0
    counts = Counter(words[:_WINDOW])
    different, windows = len(counts), 1
    for leaving, entering in zip(words, words[_WINDOW:], strict=False):
        counts[entering] += 1
        if counts[leaving] == 1:
            del counts[leaving]
        else:
            counts[leaving] -= 1
        different += len(counts)
        windows += 1
    return max(0.0, min(1.0, (different / windows / _WINDOW - 0.5) / 0.3))


def coverage(instruction: str, words: list[str]) -> float:
    wanted = {_stem(word) for word in words_of(instruction) if word not in _STOP_WORDS and len(word) > 1}
    room = min((len(wanted) + 1) // 2, len(words) // 10)
    if not room:
        return 1.0
    return min(1.0, len(wanted & {_stem(word) for word in words}) / room)


def repetition(answer: str, words: list[str]) -> float:
    again = 0.0
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if len(lines) > 3:
        again = sum((count - 1) * len(line) for line, count in Counter(lines).items()) / sum(map(len, lines))
    if len(words) >= 2 * _GRAM:
        grams = Counter(zip(*(words[i:] for i in range(_GRAM)), strict=False))
        again = max(again, 1 - len(grams) / grams.total())
    return 1.0 - again


def hedging(answer: str, words: int) -> float:
    return max(0.0, 1.0 - 20 * len(_HEDGE.findall(answer.replace("’", "'"))) / max(words, 20))


@cache
def _marked_word() -> re.Pattern[str]:
    """A word of any script."""
    run = rf"[^\W_{_CJK}]+(?:[{marks()}]+[^\W_{_CJK}]*)*"
    return re.compile(rf"[{_CJK}]|{run}(?:['’]{run})*")


def _stem(word: str) -> str:
    """A word without its commonest English endings, so that "cats" covers "cat"."""
    for ending in ("ing", "ies", "ied", "es", "ed", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending in ("ies", "ied") else "")
    return word


_NOTHING = Components(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_GRAM, _WINDOW = 4, 25
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FULL_STOPS = ".!?。！？؟।"
_CLOSING = "\"'”’»)]}*_`>|"
_OPEN_END = re.compile(
    r"(?:[,:(\[{–—&=+/\\]|(?<!\w)-|\.\.\.|…"
    r"|\b(?:and|or|but|the|a|an|of|to|with|for|in|on|by|is|are|that|which|because|such as))$",
    re.IGNORECASE,
)
_NO_SENTENCE = re.compile(r"^\s*(?:[-*•+|#>]|\d+[.)]|\$|http)|[\d|}\])%;]\W*$")  # a list, a number, code
_HEDGE = re.compile(
    r"\b(?:i (?:think|believe|guess|suppose|assume)|in my opinion|as far as i know|probably|perhaps|maybe|possibly"
    r"|i(?:'m| am) not (?:entirely |quite |really )?(?:sure|certain)|presumably|(?:sort|kind) of"
    r"|it (?:seems|appears)|it (?:might|may|could) be|there (?:might|may) be|it depends|to some extent|more or less"
    r"|it(?:'s| is) (?:possible|hard|difficult) to (?:say|know|tell)|i don't (?:really )?know"
    r"|not necessarily|generally speaking)\b",
    re.IGNORECASE,
)
_STOP_WORD_LIST = (
    "a about all also an and answer any are as at be been below between both but by can could describe did do does"
    " each explain few find following for from generate give given had has have how i if in input instruction into is"
    " it its list make me more most my name no not of on one only or other our output please provide question sentence"
    " should so some such task tell text than that the their them then there these they this to two up us use used"
    " using was we were what when where which who why will with word words would write you your"
)
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())
