"""What is thrown away, and under which code. The rules are those of the paper's released filters."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from llmsynth.parsing import Instance
from llmsynth.record import Drop
from llmsynth.text import one_line, word_count

BLACKLIST = (
    "image",
    "images",
    "graph",
    "graphs",
    "picture",
    "pictures",
    "file",
    "files",
    "map",
    "maps",
    "draw",
    "plot",
    "go to",
)
"""Tasks that name these ask for more than text. Whole words, in any case."""

ALPACA_BLACKLIST = (*BLACKLIST, "video", "audio", "music", "flowchart", "diagram")


@dataclass(frozen=True)
class InstructionFilter:
    """The checks an instruction must pass before its novelty is looked at.

    min_words, max_words: inclusive. Blanks divide words, so 1 is right for languages that write none between them.
    ascii_start: reject what starts with another script, as the English-only reference does.
    """

    min_words: int = 4
    max_words: int = 150
    blacklist: tuple[str, ...] = BLACKLIST
    ascii_start: bool = True

    def __call__(self, instruction: str) -> Drop | None:
        """Why the instruction is rejected; None keeps it."""
        words = word_count(instruction)
        if words < max(1, self.min_words):
            return Drop("too_short", f"{words} words")
        if words > self.max_words:
            return Drop("too_long", f"{words} words")
        if self._blacklisted and (found := self._blacklisted.search(instruction)):
            return Drop("blacklisted_word", found.group(0).lower())
        if instruction.lower().startswith("write a program"):
            return Drop("asks_for_a_program")
        if instruction[0] in string.punctuation:
            return Drop("starts_with_punctuation", instruction[0])
        if self.ascii_start and not instruction[0].isascii():
            return Drop("starts_with_non_ascii", instruction[0])
        return None

    @cached_property
    def _blacklisted(self) -> re.Pattern[str] | None:
        if not self.blacklist:
            return None
        words = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in self.blacklist)
        return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def judge_instances(instances: Sequence[Instance], most: int, rng: Random) -> list[Drop | None]:
    """For each instance of one instruction, why it is rejected, or None.

    Two answers to the same input mean that the instruction is not understood: all its instances go.
    Of more than `most` good ones a random choice stays.
    """
    verdicts = [_judge(instance) for instance in instances]
    seen: set[Instance] = set()
    for i, instance in enumerate(instances):
        if verdicts[i] is None and instance in seen:
            verdicts[i] = Drop("duplicate_instance")
        seen.add(instance)
    good = [i for i, verdict in enumerate(verdicts) if verdict is None]
    conflict = _conflict(instances[i] for i in good)
    if conflict is not None:
        for i in good:
            verdicts[i] = Drop("conflicting_outputs", conflict)
    elif len(good) > most:
        for i in sorted(rng.sample(good, len(good) - most)):
            verdicts[i] = Drop("beyond_max_instances", f"more than {most}")
    return verdicts


def _judge(instance: Instance) -> Drop | None:
    given, output = instance.input.strip(), instance.output.strip()
    if instance.cut:
        return Drop("truncated", "the token limit cut it short")
    if not output:
        return Drop("empty_output")
    if given == output:
        return Drop("output_repeats_input")
    if given.endswith(":") or output.endswith(":"):
        return Drop("trailing_colon")
    return None


def _conflict(instances: Iterable[Instance]) -> str | None:
    """The first non-empty input that has two different outputs."""
    outputs: dict[str, str] = {}
    for instance in instances:
        key = one_line(instance.input)  # punctuation counts: "7 - 2" is not "7 + 2"
        if key and outputs.setdefault(key, instance.output) != instance.output:
            return instance.input
    return None
