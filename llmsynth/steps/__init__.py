"""Steps by the name recipes use, and what a step is.

Values are `module:class`, imported when used. A third party's class works too, and so does a plain
function from a record to a reason (None keeps the record).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmsynth.record import Record
from llmsynth.run import Run

STEPS = {
    "exact-duplicates": "llmsynth.steps.duplicates:ExactDuplicates",
    "minhash-duplicates": "llmsynth.steps.duplicates:MinhashDuplicates",
    "rouge-duplicates": "llmsynth.steps.duplicates:RougeDuplicates",
    "semantic-duplicates": "llmsynth.steps.duplicates:SemanticDuplicates",
    # filters
    "instruction-profile": "llmsynth.steps.filters.instruction_profile:InstructionProfile",
    "length": "llmsynth.steps.filters.length:Length",
    "language": "llmsynth.steps.filters.language:Language",
    "refusals": "llmsynth.steps.filters.refusals:Refusals",
    "prompt-leakage": "llmsynth.steps.filters.leakage:PromptLeakage",
    "echo": "llmsynth.steps.filters.echo:Echo",
    "truncation": "llmsynth.steps.filters.truncation:Truncation",
    "code-fences": "llmsynth.steps.filters.code_fences:CodeFences",
    "json-answers": "llmsynth.steps.filters.json_answers:JsonAnswers",
    "repetition": "llmsynth.steps.filters.repetition:Repetition",
    "urls": "llmsynth.steps.filters.urls:Urls",
    "personal-data": "llmsynth.steps.filters.personal_data:PersonalData",
    "classifier": "llmsynth.steps.filters.classifier:Classifier",
    "where": "llmsynth.steps.filters.where:Where",
    # filters for web text
    "web-profile": "llmsynth.steps.filters.web_text:WebProfile",
    "gopher-quality": "llmsynth.steps.filters.web_text:GopherQuality",
    "gopher-repetition": "llmsynth.steps.filters.web_text:GopherRepetition",
    "c4": "llmsynth.steps.filters.web_text:C4",
    "fineweb": "llmsynth.steps.filters.web_text:FineWeb",
    # contamination
    "decontaminate": "llmsynth.steps.decontaminate:Decontaminate",
    # answers, and pairs of them
    "evolution-pairs": "llmsynth.steps.evolution_pairs:EvolutionPairs",
    "preference": "llmsynth.steps.preference:Preference",
    "respond": "llmsynth.steps.respond:Respond",
    # scores
    "deita": "llmsynth.steps.deita:Deita",
    "heuristics": "llmsynth.steps.heuristics:Heuristics",
    "ifd": "llmsynth.steps.likelihood:IFD",
    "judge": "llmsynth.steps.judge:Judge",
    "pairwise-judge": "llmsynth.steps.pairwise:PairwiseJudge",
    "perplexity": "llmsynth.steps.likelihood:Perplexity",
    "reward-model": "llmsynth.steps.reward:RewardModel",
    "self-consistency": "llmsynth.steps.consistency:SelfConsistency",
    "tags": "llmsynth.steps.tags:Tags",
}


class Step(Protocol):
    """One step of curation: the same records in the same order, with scores or drop reasons added.

    Called batch by batch in the order of the records, so it may keep an index of what it has seen. One that does not,
    and makes of a record what follows from that record alone, is a frozen dataclass. What it reads or asks a model for
    is checked in `validate(run)`, where there is one, before anything is paid for. One that asks a model tells what it
    will ask for in `estimate(run, rows)`: a list of `StageEstimate`, given the `Expected` rows (`llmsynth.forecast`).
    If it keeps no index either, and makes all requests of a batch before it awaits anything, but for what it does once,
    it has `overlaps = True`: then the next batches are given to it while it waits for answers.
    One that embeds texts tells by what and which, in `embeds`: an embedder, and the fields whose text it is given.
    One that makes columns of the dataset, or takes some away, has `columns_after(columns)`: from those before it, name
    to type, to those behind it; and where steps behind it may ask about what it makes, `like_after(records)`: from some
    records that are like those before it to some like those behind it.
    """

    async def apply(self, batch: list[Record], run: Run) -> list[Record]: ...


def afterwards(steps: Sequence[Step], folder: Path, run: Run) -> None:
    """Let steps change the records in `folder` by what is known only once all are there.

    A step that does has `afterwards(records, run)`, which is given a function that reads the records from the first
    one on, and returns the same ones in the same order, dropped or not as before.
    """
    from llmsynth.dataset import read_records, rewriting

    for step in steps:
        change = getattr(step, "afterwards", None)
        if change is not None:
            with rewriting(folder) as writer:
                writer.write(change(lambda: read_records(folder), run))


def columns_behind(steps: Iterable[Step], columns: Mapping[str, str]) -> Mapping[str, str]:
    """The columns of the dataset, name to type, once its records have gone through the steps."""
    for step in steps:
        if (after := getattr(step, "columns_after", None)) is not None:
            columns = after(columns)
    return columns


@dataclass(frozen=True)
class Check:
    """A step made of a function that gives a kept record's reason to go, or None."""

    function: Callable[[Record], str | None]

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        reason = None if record.dropped else self.function(record)
        return record if reason is None else record.drop(reason)


def judges_alone(step: Step) -> bool:
    """Whether what it makes of a record follows from that record alone."""
    parameters = getattr(type(step), "__dataclass_params__", None)
    return bool(parameters is not None and parameters.frozen)
