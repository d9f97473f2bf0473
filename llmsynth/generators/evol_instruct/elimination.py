"""What is eliminated, and under which code: the four conditions of the paper, and what experience added.

Pure functions from texts to a `Drop`, or None for what passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct.operators import Kind
from llmsynth.parsing import fenced
from llmsynth.record import Drop
from llmsynth.similarity import rouge_l, tokens_of_any_script
from llmsynth.text import normalise, one_line, shorten, word_count

SCAFFOLD = (
    "given prompt",
    "rewritten prompt",
    "created prompt",
    "evolved prompt",
    "prompt rewriter",
    "prompt creator",
)
"""Words of the evolving prompts that an evolved instruction must not hold."""

_STOP_WORD_LIST = (
    "a about above after again against all also am an and any are as at be because been before being below"
    " between both but by can could did do does doing down during each either else etc few for from further"
    " had has have having he hence her here hers herself him himself his how however i if in into is it its"
    " itself just may me might more most must my myself nor of off on once only or other our ours ourselves"
    " out over own per quite rather same shall she should since so some such than that the their theirs them"
    " themselves then there therefore these they this those though through thus to too under until up upon us"
    " very was we well were what when where whether which while who whom whose why will with within without"
    " would you your yours yourself yourselves"
)
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())
_SORRY = re.compile(r"\bsorry\b", re.IGNORECASE)
_COURTESY = re.compile(
    r"\W*(?:sure(?: thing)?|certainly|of course|absolutely|understood|thank you|thanks|okay|ok)\b\s*[,!.:;—–-]",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(r"\W*(?:sure|understood|thank you)\b.*\?\W*\Z", re.IGNORECASE | re.DOTALL)
_PLEASE_PROVIDE = re.compile(r"\bplease\s+provide\b", re.IGNORECASE)
# not "please provide three examples", which is what many a harder task ends in
_ASKS_FOR_IT = re.compile(
    r"\bplease\s+provide\s+(?:me\s+with\b|(?:more|additional|further)\s+(?:information|context|details?)\b"
    r"|(?:[^.!?\n]*\b)?(?:prompt\b|you(?:['’]d|\s+would)?\s+(?:want|wish|like|need)\b))",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\W*(?:(?:i'?m |i am )?(?:very |so |really )?(?:sorry|afraid)\b|i apologi[sz]e\b|my apologies\b"
    r"|as an? (?:(?:ai |artificial intelligence )?(?:large )?language model\b"
    r"|(?:ai|artificial intelligence)(?: (?:model|assistant|system|chatbot))?(?:[,.]| i\b))"
    r"|i(?:'?m| am) (?:just )?an? (?:ai|(?:large )?language model)\b"
    r"|i(?:'?m| am) (?:unable|not able) to\b|i (?:can(?:no|')?t|can not|won'?t|will not) "
    r"(?:help|assist|provide|fulfil|comply|do that|answer|rewrite|create|generate|complete|write)\w*)",
    re.IGNORECASE,
)
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$|^[^\n\t]+\t[^\n]+$", re.MULTILINE)
_CHARACTERS_PER_WORD = 8  # more than English has: counts where blanks do not divide words, nowhere else


@dataclass(frozen=True)
class Growth:
    """How many words an evolution may add.

    target: what the prompts ask for. most, least: hard bounds of what a step in depth adds; an evolution
        that loses more than -least words has lost something.
    most_data: the hard bound where material is added: data to work on, or misleading code.
    ratio: a fresh task has at most so many times the words of the one it came from, or `most` more.
    """

    target: tuple[int, int] = (10, 20)
    most: int = 60
    least: int = -10
    most_data: int = 300
    ratio: float = 2.0

    def __post_init__(self) -> None:
        low, high = self.target
        if not 1 <= low <= high <= self.most <= self.most_data or self.least > low or self.ratio < 1:
            raise RecipeError(
                f"growth: target {low} to {high}, least {self.least}, most {self.most}, most_data {self.most_data},"
                f" ratio {self.ratio}",
                "the target lies between the bounds, most_data is no less than most, ratio at least 1",
            )

    def __call__(self, kind: Kind, parent: str, child: str) -> Drop | None:
        """Why the child is too long or too short for its parent."""
        before, added = _length(parent), _length(child) - _length(parent)
        most = self.most_data if kind == "data" else self.most
        if kind == "fresh":
            most = max(most, round(before * (self.ratio - 1)))
        if added > most:
            return Drop("grew_too_much", f"{added} words more, {most} is the most")
        if kind in ("depth", "data") and added < self.least:
            return Drop("lost_words", f"{-added} words fewer")
        return None


@dataclass(frozen=True)
class Elimination:
    """Which checks there are. The first four are the paper's.

    equality: ask a judge whether anything was gained. sorry_words: an answer shorter than this that holds
        "sorry" is eliminated; 0 never. stop_words: eliminate answers of stop words and punctuation alone.
    scaffold: eliminate evolutions that hold words of the evolving prompt that their origin did not.
    answers: eliminate refusals, and replies that answer the task, or ask back, instead of evolving it.
    keep_material: the share of the lines of code, tables and input that a step in depth must keep.
    """

    equality: bool = True
    sorry_words: int = 80
    stop_words: bool = True
    scaffold: bool = True
    answers: bool = True
    keep_material: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.keep_material <= 1 or self.sorry_words < 0:
            raise RecipeError("keep_material is a share, sorry_words no less than 0", "0.9 and 80 are usual")

    def evolved(self, kind: Kind, parent: str, child: str, origin: str, given: str, answer: str) -> Drop | None:
        """What is wrong with an evolved instruction, looked at without asking anybody.

        origin: the seed's text. given: the input that the task works on. answer: the known answer to the parent.
        """
        if not child.strip():
            return Drop("no_instruction", "the reply holds nothing")
        if only_stop_words(child):
            return Drop("stop_words_only", shorten(child))
        if self.scaffold and (leak := scaffold_in(child, f"{origin}\n{parent}")):
            return Drop("scaffold_leaked", leak)
        if self.answers and (drop := _no_evolution(parent, child, answer)):
            return drop
        if equal(parent, child):
            return Drop("no_information_gain", "the words of its parent")
        if kind in ("depth", "data") and (lost := lost_material(parent, given, child, self.keep_material)):
            return Drop("material_lost", shorten(lost))
        return None

    def answered(self, response: str) -> Drop | None:
        """What is wrong with the answer to an evolved instruction."""
        if not response.strip():
            return Drop("empty_response")
        if self.stop_words and only_stop_words(response):
            return Drop("response_stop_words_only", shorten(response))
        words = word_count(response)
        if _SORRY.search(response) and words < self.sorry_words:
            return Drop("sorry_response", f"{words} words: {shorten(response)}")
        if self.answers and words < 80:  # a long answer may hold such words and be none the worse
            if asks_back(response):
                return Drop("response_asks_back", shorten(response))
            if _REFUSAL.match(_plain(response)):
                return Drop("refused_response", shorten(response))
        return None

    def failure(self, response: str) -> Drop | None:
        """Why the answer shows that the evolution failed, as Auto Evol-Instruct has it: a long one may ask back too."""
        return Drop("response_asks_back", shorten(response)) if asks_back(response) else self.answered(response)


def equal(parent: str, child: str) -> bool:
    """Whether two instructions are so nearly the same that nobody need be asked.

    The same but for case and punctuation, or a ROUGE-L F1 of 0.95 with at most one new word: a step in depth is
    always much like its parent, and may add a requirement in two.
    """
    if one_line(parent) == one_line(child):
        return True
    plain = normalise(parent), normalise(child)
    if plain[0] and plain[0] == plain[1]:
        return True
    f1 = _likeness(parent, child)
    lengths = len(tokens_of_any_script(parent)), len(tokens_of_any_script(child))
    return f1 >= 0.95 and lengths[1] - f1 * sum(lengths) / 2 < 1.5  # the F1 is 2 x common / sum


def only_stop_words(text: str) -> bool:
    """Whether a text holds nothing but stop words and punctuation. "No" and "not" are answers."""
    return all(word in _STOP_WORDS for word in normalise(text.replace("_", " ")).split())


def scaffold_in(text: str, origin: str) -> str:
    """The first words of the evolving prompt in a text, however they are written, that its origin lacks."""
    plain, before = (f" {normalise(t.replace('_', ' '))} " for t in (text, origin))
    return next((phrase for phrase in SCAFFOLD if f" {phrase} " in plain and f" {phrase} " not in before), "")


def asks_back(response: str) -> bool:
    """The failure rules of Auto Evol-Instruct (arXiv 2406.00770): what should be an answer asks for something instead.

    It begins with "Understood", "Thank you" or "Sure" and ends in a question mark, or has "please provide" in it.
    """
    return bool(_ASKS_BACK.match(response) or _PLEASE_PROVIDE.search(response))


def material(text: str) -> list[str]:
    """The lines of a text that are code or table."""
    rows = _TABLE_ROW.findall(text)
    return [line for line in (*(line for block in fenced(text) for line in block.splitlines()), *rows) if line.strip()]


def lost_material(parent: str, given: str, child: str, share: float) -> str:
    """The first line of code, table or input that is missing in the child, if too many are; else nothing.

    Spacing does not count, nor does the rule below a table's head: models set tables anew.
    """
    lines = [line for line in (*material(parent), *given.splitlines()) if line.strip(" \t|:-")]
    there = "".join(child.split())
    lost = [line for line in lines if "".join(line.split()) not in there]
    return lost[0] if len(lost) > (1 - share) * len(lines) + 1e-9 else ""


def _no_evolution(parent: str, child: str, answer: str) -> Drop | None:
    """Whether the reply refuses, asks or answers where it should have evolved."""
    if _ASKS_FOR_IT.search(child) and not _ASKS_FOR_IT.search(parent):
        return Drop("asked_back", shorten(child))
    if _ASKS_BACK.match(child) and not _ASKS_BACK.match(parent):
        return Drop("asked_back", shorten(child))
    if _REFUSAL.match(_plain(child)) and not _REFUSAL.match(_plain(parent)):
        return Drop("refused", shorten(child))
    if _COURTESY.match(child) and not _COURTESY.match(parent):
        return Drop("answered_instead", shorten(child))
    # an answer that repeats its input is like any evolution that keeps it, but no more than the parent is
    if word_count(answer) >= 4 and _likeness(answer, child) > max(0.7, _likeness(parent, child)):
        return Drop("answered_instead", "the answer to its parent")
    return None


def _likeness(one: str, other: str) -> float:
    return rouge_l(one, other, tokens_of_any_script)


def _plain(text: str) -> str:
    return text.replace("’", "'")


def _length(text: str) -> int:
    return max(word_count(text), len(text) // _CHARACTERS_PER_WORD)
