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
from llmsynth.text import shorten

TOP = ((2, 0.20), (3, 0.18), (4, 0.16))
"""The share of the characters that the most frequent 2-, 3- and 4-gram may fill (Gopher)."""

DUPLICATED = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
"""The share of the characters that may stand in 5- to 10-grams seen before in the text (Gopher)."""


@dataclass(frozen=True)
class Repetition:
    """Drops answers that repeat themselves: "repetition".

    asked: what asks for repetition (a song, a chant, "write it ten times", code, a table) is exempt, but for loops.
    words: texts of fewer are measured for loops only.
    scale: multiplies Gopher's bounds on n-grams and lines; 1.5 allows for the regular texts that instructions ask for,
        such as lists whose items begin alike and worked solutions. Of n-grams, the least that counts is three times.
    loop: a text whose last words are one stretch said so many times in a row is a loop.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction",)
    words: int = 30
    scale: float = 1.5
    loop: int = 4

    def __post_init__(self) -> None:
        if self.loop < 2 or self.scale <= 0 or self.words < 1:
            raise RecipeError("repetition: loop is at least 2, words 1, scale above 0", "4, 30 and 1.5 are usual")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        asked = questions(record, self.asked)
        return find_repetition(answers(record, self.on), asked, self.words, self.scale, self.loop)


def find_repetition(answer: str, asked: str = "", words: int = 30, scale: float = 1.5, loop: int = 4) -> Drop | None:
    """By which measure a text repeats itself."""
    wanted = bool(_WANTED.search(asked))
    said = answer.split()
    if not wanted and (looped := find_loop(said, loop)):
        return Drop("repetition", f"ends in a loop: {shorten(' '.join(looped))}")
    prose = _LAYOUT.sub(" ", answer)
    said = prose.split()
    if wanted or len(said) < words:
        return None
    lines = [line.strip() for line in prose.splitlines() if len(line.split()) >= 3]
    twice, characters = duplicates(lines)
    if lines and (twice / len(lines) > 0.30 * scale or characters / sum(map(len, lines)) > 0.20 * scale):
        return Drop("repetition", f"{twice} of {len(lines)} lines come again")
    size = sum(map(len, said))
    for n, most in TOP:
        gram, times = most_frequent(said, n)
        if times >= 3 and (share := times * sum(map(len, gram)) / size) > most * scale:
            return Drop("repetition", f"{share:.0%} of the text is {' '.join(gram)!r}")
    for n, most in DUPLICATED:
        if (share := in_duplicates(said, n) / size) > most * scale and share * len(said) > 2 * n:
            return Drop("repetition", f"{share:.0%} of the text stands in runs of {n} words that came before")
    return None


def find_loop(words: Sequence[str], times: int = 4, most: int = 60) -> Sequence[str]:
    """The stretch of at most `most` words that ends a text, said at least so many times in a row; empty without one.

    It has to fill 8 words, so that "no no no no" is none. A last repetition that is cut short counts as far as it goes.
    """
    size = len(words)
    for period in range(1, min(most, size // times) + 1):
        run = period  # words at the end that equal the word one period before, and the first period
        while run < size and words[size - run - 1] == words[size - run - 1 + period]:
            run += 1
        if run >= times * period and run >= max(8, times * min(period, 3)) and _says_something(words[size - period :]):
            return words[size - period :]
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


def _says_something(words: Sequence[str]) -> bool:
    return any(any(map(str.isalnum, word)) for word in words)


# code, rows of tables, formulas and rules repeat themselves by their nature
_LAYOUT = re.compile(
    r"(?s:```.*?(?:```|\Z)|\$\$.*?\$\$)|^[ \t]*\|.*\|[ \t]*$|^[ \t]*[-=_*+|:]{3,}[ \t]*$|^[^\n\t]+\t.+$"
    r"|^.*(?:[{};]|</?\w[^>]*>)[ \t]*$|^(?: {4}|\t).*$|<<[^>]*>>",
    re.MULTILINE,
)
_WANTED = re.compile(
    r"\b(?:repeat\w*|repetiti\w+|\d+ times|(?:twice|thrice|(?:two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|many) times)"
    r"|over and over|songs?|lyrics|chorus|refrain|chants?|mantras?|rap|nursery rhyme|villanelle|pantoum|litany|anaphora|ghazal|poems?|hymn"
    r"|list(?:s|ing)? (?:of )?(?:all|every|numbers)|count(?:ing)? (?:from|to|up|down)|tables?|csv|json|xml|html|ascii|pattern|multiplication"
    r"|times table|loop\w*|concatenat\w*|copies of|for each|each (?:of|word|number|letter|item)|sequence|binary|matrix|tongue twister"
    r"|echo\w*|duplicat\w*|sql|code|program|script|function|python|java\w*)\b",
    re.IGNORECASE,
)
