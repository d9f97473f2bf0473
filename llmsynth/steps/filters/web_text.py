"""Rules made for web pages: Gopher's, C4's and FineWeb's.

Thresholds are those of the papers; where a paper leaves something open, or says it in two ways, the defaults of the
datatrove library, by which FineWeb's script goes.
Words are white-space separated with the punctuation around them taken off, where those use a tokenizer; sentences are
counted by their ends. These rules drop short answers and code: for instructions there is the instruction profile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import punctuation

from llmsynth.columns import changed, joined
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.steps.filters.repetition import DUPLICATED, TOP, duplicates, in_duplicates, most_frequent


@dataclass(frozen=True)
class GopherQuality:
    """Drops what Gopher's quality rules drop (arXiv 2112.11446, appendix A1.1), under a reason for each rule.

    "gopher_words": 50 to 100,000 words. "gopher_word_length": a mean of 3 to 10 characters. "gopher_symbols": more
    than one # or ellipsis to ten words. "gopher_bullets": more than 90 % of the lines. "gopher_ellipsis_lines": more
    than 30 %. "gopher_letters": fewer than 80 % of the words have a letter. "gopher_stop_words": fewer than 2 of the,
    be, to, of, and, that, have, with; which makes it a filter for English.
    """

    on: tuple[str, ...] = ("text",)
    words: tuple[int, int] = (50, 100_000)
    word_length: tuple[float, float] = (3, 10)
    symbols: float = 0.1
    bullets: float = 0.9
    ellipsis_lines: float = 0.3
    letters: float = 0.8
    stop_words: int = 2

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, lambda record: self.judge(joined(record, self.on)))

    def judge(self, text: str) -> Drop | None:
        """The first rule that a text breaks."""
        words = _words(text)
        count = len(words)
        if not self.words[0] <= count <= self.words[1] or not count:
            return Drop("gopher_words", f"{count} words")
        mean = sum(map(len, words)) / count
        if not self.word_length[0] <= mean <= self.word_length[1]:
            return Drop("gopher_word_length", f"{mean:.1f} characters a word")
        for symbol, times in (("#", text.count("#")), ("ellipsis", text.count("...") + text.count("…"))):
            if times / count > self.symbols:
                return Drop("gopher_symbols", f"{times} times {symbol} in {count} words")
        lines = text.splitlines()
        bulleted = sum(line.lstrip().startswith(("•", "-", "*")) for line in lines)
        if bulleted / len(lines) > self.bullets:
            return Drop("gopher_bullets", f"{bulleted} of {len(lines)} lines")
        trailing = sum(line.rstrip().endswith(("...", "…")) for line in lines)
        if trailing / len(lines) > self.ellipsis_lines:
            return Drop("gopher_ellipsis_lines", f"{trailing} of {len(lines)} lines")
        # of all that stands between blanks, signs and numbers included
        chunks = text.split()
        lettered = sum(any(map(str.isalpha, chunk)) for chunk in chunks)
        if lettered / len(chunks) < self.letters:
            return Drop("gopher_letters", f"{lettered} of {len(chunks)} words have a letter")
        if len(_STOP_WORDS & {word.lower() for word in words}) < self.stop_words:
            return Drop("gopher_stop_words", "it does not read like English prose")
        return None


@dataclass(frozen=True)
class GopherRepetition:
    """Drops what Gopher's repetition rules drop, as "gopher_repetition".

    More than 30 % of the lines or paragraphs, or 20 % of the characters in them, came before; the most frequent 2-, 3-
    or 4-gram fills more than 20, 18 or 16 % of the text; or more than 15 % (10-grams: 10 %) stands in n-grams seen
    before.
    """

    on: tuple[str, ...] = ("text",)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, lambda record: gopher_repetition(joined(record, self.on)))


def gopher_repetition(text: str) -> Drop | None:
    """The first of Gopher's repetition rules that a text breaks."""
    stripped = text.strip()
    for what, pattern in (("paragraphs", r"\n{2,}"), ("lines", r"\n+")):
        parts = re.split(pattern, stripped)
        twice, characters = duplicates(parts)
        if twice / len(parts) > 0.30 or (stripped and characters / len(stripped) > 0.20):
            return Drop("gopher_repetition", f"{twice} of {len(parts)} {what} come again")
    words = _words(text)
    for n, most in TOP:
        gram, times = most_frequent(words, n)
        # once is no repetition, though it may fill a short text
        if times > 1 and times * len(" ".join(gram)) / len(text) > most:
            return Drop("gopher_repetition", f"{times} times {' '.join(gram)!r}")
    for n, most in DUPLICATED:
        if words and in_duplicates(words, n) / len(text) > most:
            return Drop("gopher_repetition", f"more than {most:.0%} stands in repeated runs of {n} words")
    return None


@dataclass(frozen=True)
class C4:
    """Takes out the lines that C4 takes out, and drops the texts it drops (arXiv 1910.10683, section 2.2).

    A line goes if it does not end in . ? ! or a quotation mark, or ends in an ellipsis; if it has fewer than `words`
    words, or one of more than 1,000 characters; if it speaks of Javascript, cookies or terms of use. A text goes with
    "lorem ipsum" ("c4_lorem_ipsum"), with a curly bracket ("c4_curly_bracket"), or with fewer than `sentences`
    sentences left ("c4_sentences").
    Citation marks such as [3] are taken out. C4's list of bad words is not applied.

    terminal_punctuation: False keeps lines whatever they end in, as FineWeb does.
    sentences, words: 5 and 3 are those of the paper's first version, and of FineWeb; the published one (Raffel et al.,
        2020) and the code that makes C4 have 3 and 5.
    The score `c4_lines_removed` is how many lines went.
    """

    on: tuple[str, ...] = ("text",)
    terminal_punctuation: bool = True
    sentences: int = 5
    words: int = 3

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        removed = 0

        def cleaned(text: str) -> str:
            nonlocal removed
            lines = text.splitlines()
            kept = [line for line in map(self._line, lines) if line]
            removed += len(lines) - len(kept)
            return "\n".join(kept)

        text = joined(record, self.on)
        record_without = changed(record, self.on, cleaned)
        left = joined(record_without, self.on)
        if "lorem ipsum" in text.lower():
            return record.drop("c4_lorem_ipsum")
        if "{" in left:
            return record.drop("c4_curly_bracket")
        count = sum(len(_SENTENCE_END.findall(line)) or 1 for line in left.splitlines())
        if count < self.sentences:
            return record.drop("c4_sentences", f"{count} sentences are left")
        return record_without.scored(c4_lines_removed=removed)

    def _line(self, line: str) -> str:
        """The line as it is kept, or nothing."""
        words = line.split()
        if len(words) < self.words or any(len(word) > 1_000 for word in words):
            return ""
        line = _CITATION.sub("", line).strip()
        if self.terminal_punctuation and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            return ""
        small = line.lower()
        return "" if any(phrase in small for phrase in _POLICY) else line


@dataclass(frozen=True)
class FineWeb:
    """Drops what FineWeb's own rules drop (arXiv 2406.17557, section 3.6), under a reason for each.

    "fineweb_line_ends": 12 % of the lines or fewer end in punctuation. "fineweb_short_lines": 67 % or more have at most
    30 characters. "fineweb_duplicate_lines": 1 % or more of the characters stand in lines that came before.
    "fineweb_list": more than 0.3 line breaks a word. The 1 % is that of the paper's appendix and of its code, where
    section 3.6 says 10 %; the last rule is in the code alone.
    """

    on: tuple[str, ...] = ("text",)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, lambda record: fineweb(joined(record, self.on)))


def fineweb(text: str) -> Drop | None:
    """The first of FineWeb's rules that a text breaks."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return Drop("fineweb_line_ends", "no line")
    ended = _share(lines, lambda line: line.endswith((".", "'", '"', "!", "?")))
    if ended <= 0.12:
        return Drop("fineweb_line_ends", f"{ended:.0%} of the lines end in punctuation")
    short = _share(lines, lambda line: len(line) <= 30)
    if short >= 0.67:
        return Drop("fineweb_short_lines", f"{short:.0%} of the lines have at most 30 characters")
    again = duplicates(lines)[1] / len(text.replace("\n", ""))
    if again >= 0.01:
        return Drop("fineweb_duplicate_lines", f"{again:.0%} of the text comes again")
    breaks = text.count("\n") / max(1, len(text.split()))
    return Drop("fineweb_list", f"{breaks:.2f} line breaks a word") if breaks > 0.3 else None


def _share(lines: Sequence[str], has: object) -> float:
    assert callable(has)
    return sum(bool(has(line)) for line in lines) / len(lines)


def _words(text: str) -> list[str]:
    """What stands between blanks, without the punctuation around it, where anything is left."""
    return [word for chunk in text.split() if (word := chunk.strip(_PUNCTUATION))]


_STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
_PUNCTUATION = punctuation + "“”‘’«»…–—"
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_SENTENCE_END = re.compile(r"[.!?][\"'”’)]*(?=\s|$)")
_POLICY = (
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


@dataclass(frozen=True)
class WebProfile:
    """Gopher's repetition and quality rules, C4's and FineWeb's, in the order in which FineWeb applies them.

    As FineWeb does, C4's rule on the ends of lines is left out, unless `terminal_punctuation` is set.
    """

    on: tuple[str, ...] = ("text",)
    terminal_punctuation: bool = False

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        c4 = C4(self.on, self.terminal_punctuation)
        for step in (GopherRepetition(self.on), GopherQuality(self.on), c4, FineWeb(self.on)):
            batch = await step.apply(batch, run)
        return batch
