"""Answers that repeat the question."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.columns import answers, questions
from llmsynth.errors import RecipeError
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import normalise, one_line, shorten

_RUN = 4  # words in a row that count as repeated
_LEAST = 4  # words of an instruction that can be told from chance


@dataclass(frozen=True)
class Echo:
    """Drops answers that say the instruction or the input again: "echo".

    That is: an answer most of which is the instruction, and that holds most of it; one that begins with the whole
    instruction; and one that gives the input back letter by letter. Tasks whose right answer may be what was given
    (to correct, copy, extract, sort, complete ...) are exempt from the first and the last.

    on: the answer. instruction, given: what it may repeat.
    share: of the words of the answer, how many are the instruction's, in runs of 4 words or more.
    """

    on: tuple[str, ...] = ("output",)
    instruction: tuple[str, ...] = ("instruction",)
    given: tuple[str, ...] = ("input",)
    share: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise RecipeError(f"echo: share is {self.share}", "above 0, at most 1; 0.8 is usual")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        instruction, given = questions(record, self.instruction), questions(record, self.given)
        return find_echo(answers(record, self.on), instruction, given, self.share)


def find_echo(answer: str, instruction: str, given: str = "", share: float = 0.8) -> Drop | None:
    """What an answer repeats."""
    if not answer.strip():
        return None
    may_repeat = bool(_MAY_REPEAT.search(instruction))
    if given.strip() and not may_repeat and one_line(answer).rstrip(" .") == one_line(given).rstrip(" ."):
        return Drop("echo", "the input, letter by letter")
    # what is much longer says more than the instruction
    short = len(answer) <= 4 * len(instruction)
    said = normalise(answer if short else answer[: 4 * len(instruction)]).split()
    told = normalise(instruction).split()
    if len(told) < _LEAST:
        return None
    goes_on = bool(_GOES_ON.search(instruction))
    if said[: len(told)] == told and not goes_on and (not may_repeat or said == told):
        return Drop("echo", f"begins with the instruction: {shorten(answer)}")
    if may_repeat or goes_on or not short:
        return None
    if instruction.rstrip().endswith("?") and not answer.rstrip().endswith("?") and set(said) - set(told):
        return None  # a question is answered in its own words: Paris is the capital of France
    if covered(said, told) >= share and covered(told, said) >= share:
        return Drop("echo", f"says the instruction again: {shorten(answer)}")
    return None


def covered(words: list[str], by: list[str], run: int = _RUN) -> float:
    """The share of the words that stand in runs of at least `run` words which the other text has too."""
    runs = {tuple(by[i : i + run]) for i in range(len(by) - run + 1)}
    reached = count = 0
    for i in range(len(words) - run + 1):
        if tuple(words[i : i + run]) in runs:
            count += i + run - max(i, reached)
            reached = i + run
    return count / len(words) if words else 0.0


_MAY_REPEAT = re.compile(
    r"\b(?:repeat\w*|copy|copies|echo\w*|recite|quote|verbatim|correct\w*|incorrect\w*|fix\w*|proofread\w*"
    r"|edit\w*|grammar\w*|grammatical\w*"
    r"|spell\w*|typos?|errors?|mistakes?|punctuat\w*|capitali[sz]\w*|format\w*|clean\w*|normali[sz]\w*|sort\w*"
    r"|order\w*|alphabeti[sz]\w*"
    r"|arrange\w*|reorder\w*|extract\w*|identify|find|select|choose|pick|which|remove\w*|delete\w*|strip"
    r"|replace\w*|deduplicat\w*"
    r"|duplicates?|translat\w*|transcri\w*|convert\w*|simplif\w*|shorten\w*|truncate\w*|reverse\w*|palindromes?"
    r"|if necessary|if needed|if any"
    r"|only if|unless|unchanged|as is|say|print|output|type|fill in|blanks?|complete|highlight|underline|mask\w*"
    r"|anonymi[sz]\w*|decode|encode|trim)\b",
    re.IGNORECASE,
)
# tasks whose answer begins where they end
_GOES_ON = re.compile(
    r"\b(?:continue|complete|completing|finish|extend|fill in|beginning with|begins? with|starts? with"
    r"|starting with|start your"
    r"|first (?:line|sentence|words)|opening (?:line|sentence)|repeat\w*|restate|recite|verbatim|then answer"
    r"|question first"
    r"|include the question)\b|(?:\.\.\.|…|:|,|___+)\s*$|\bdef \w+\(|\bfunction \w+\(",
    re.IGNORECASE,
)
