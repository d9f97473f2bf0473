"""Texts that repeat themselves: Gopher's measures, and loops.

Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, measure web documents. A short answer or a list breaks their bounds
without any fault, so `find_repetition` differs from them where it says; `GopherRepetition` has them as they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmsynth.columns import answers, questions
from llmsynth.errors import RecipeError
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import normalise, shorten, spaced

TOP = ((2, 0.20), (3, 0.18), (4, 0.16))
"""The share of the characters that the most frequent 2-, 3- and 4-gram may fill (Gopher)."""

DUPLICATED = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
"""The share of the characters that may stand in 5- to 10-grams seen before in the text (Gopher)."""


@dataclass(frozen=True)
class Repetition:
    """Drops answers that repeat themselves: "repetition".

    asked: what asks for repetition (a song, a chant, "write it ten times", code, a table) is exempt.
    words: a text of fewer is looked through for loops only. The most frequent n-grams are measured from twice as many
        on, as the items of a short list begin alike.
    scale: multiplies Gopher's bounds on n-grams and lines; 1.5 allows for the regular texts that instructions ask for.
        A most frequent n-gram has to come three times.
    loop: a stretch said so many times in a row is a loop, if that fills 8 words; of 5 words and more, one time less.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction",)
    words: int = 30
    scale: float = 1.5
    loop: int = 4

    def __post_init__(self) -> None:
        if self.loop < 3 or self.scale <= 0 or self.words < 1:
            raise RecipeError("repetition: loop is at least 3, words 1, scale above 0", "4, 30 and 1.5 are usual")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        asked = questions(record, self.asked)
        return find_repetition(answers(record, self.on), asked, self.words, self.scale, self.loop)


def find_repetition(answer: str, asked: str = "", words: int = 30, scale: float = 1.5, loop: int = 4) -> Drop | None:
    """By which measure a text repeats itself. Case and punctuation do not count."""
    if _WANTED.search(asked):
        return None
    prose = _LAYOUT.sub(" ", answer)
    said = normalise(prose).split()
    looped = find_loop(said, loop)
    if not looped and not prose.isascii():
        looped = find_loop(spaced(prose).split(), loop, _LOOP_OF_CHARACTERS)
    if looped:
        return Drop("repetition", f"a loop: {shorten(' '.join(looped))}")
    if len(said) < words:
        return None
    lines = [line.strip() for line in prose.splitlines() if len(line.split()) >= 3]
    twice, characters = duplicates(lines)
    if lines and (twice / len(lines) > 0.30 * scale or characters / sum(map(len, lines)) > 0.20 * scale):
        return Drop("repetition", f"{twice} of {len(lines)} lines come again")
    size = sum(map(len, said))
    for n, most in TOP if len(said) >= 2 * words else ():
        gram, times = most_frequent(said, n)
        if times >= 3 and (share := times * sum(map(len, gram)) / size) > most * scale:
            return Drop("repetition", f"{share:.0%} of the text is {' '.join(gram)!r}")
    for n, most in DUPLICATED:
        if (share := in_duplicates(said, n) / size) > most * scale:
            return Drop("repetition", f"{share:.0%} of the text stands in runs of {n} words that came before")
    return None


def find_loop(words: Sequence[str], times: int = 4, least: int = 8) -> Sequence[str]:
    """The first stretch that is said at least so many times in a row and fills `least` words; empty without one.

    Of 5 words and more, one time less will do. Takes one pass: where do three words come again, and how far apart?
    """
    last: dict[tuple[str, ...], int] = {}
    previous, run = 0, 0  # how far apart, and for how many places in a row
    for at, gram in enumerate(zip(words, words[1:], words[2:], strict=False)):
        period = at - last.get(gram, at)
        last[gram] = at
        run = run + 1 if period and period == previous else 1
        previous = period
        length = period + run + 2  # words that the loop fills so far
        if (
            period
            and length >= least
            and (length >= times * period or (period >= 5 and length >= (times - 1) * period))
        ):
            return words[at + 3 - length : at + 3 - length + period]
    return ()


def duplicates(items: Sequence[str]) -> tuple[int, int]:
    """How many items came before, and their characters."""
    seen: set[str] = set()
    count = characters = 0
    for item in items:
        if item in seen:
            count += 1
            characters += len(item)
        seen.add(item)
    return count, characters


def most_frequent(words: Sequence[str], n: int) -> tuple[tuple[str, ...], int]:
    """The most frequent n-gram, the first of equals, and how often it comes."""
    counts = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    return counts.most_common(1)[0] if counts else ((), 0)


def in_duplicates(words: Sequence[str], n: int) -> int:
    """Characters of the words in n-grams that came before, none counted twice."""
    seen: set[tuple[str, ...]] = set()
    characters = i = 0
    while i <= len(words) - n:
        gram = tuple(words[i : i + n])
        if gram in seen:
            characters += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters


_LOOP_OF_CHARACTERS = 24  # where no spaces part words, of which this is a dozen

# code, rows of tables, calculations and rules repeat themselves by their nature
_LAYOUT = re.compile(
    r"(?s:```.*?(?:```|\Z)|\$\$.*?\$\$)|^[ \t]*\|.*\|[ \t]*$|^[ \t]*[-=_*+|:]{3,}[ \t]*$|^[^\n\t]+\t.+$"
    r"|^.*(?:[{};]|</?\w[^>]*>)[ \t]*$|^(?: {4}|\t).*$|<<[^>]*>>|^.*[\d)][ \t]*[=≈].*$",
    re.MULTILINE,
)
_WANTED = re.compile(
    r"\b(?:repeat\w*|repetiti\w+|\d+ times|(?:twice|thrice|(?:two|three|four|five|six|seven|eight|nine|ten"
    r"|hundred|thousand|many) times)"
    r"|over and over|songs?|lyrics|chorus|refrain|chants?|mantras?|rap|nursery rhyme|villanelle|pantoum|litany"
    r"|anaphora|ghazal|poems?|hymn"
    r"|list(?:s|ing)? (?:of )?(?:all|every|numbers)|count(?:ing)? (?:from|to|up|down)|tables?|csv|json|xml|html"
    r"|ascii|pattern|multiplication"
    r"|times table|loop\w*|concatenat\w*|copies of|for each|each (?:of|word|number|letter|item)|sequence|binary"
    r"|matrix|tongue twister"
    r"|zeros|ones|digits|echo\w*|duplicat\w*|sql|code|program|script|function|python|java\w*)\b",
    re.IGNORECASE,
)
