"""The filters that suit instruction data, in one step."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps.filters.code_fences import CodeFences
from llmsynth.steps.filters.echo import Echo
from llmsynth.steps.filters.json_answers import JsonAnswers
from llmsynth.steps.filters.language import Language
from llmsynth.steps.filters.leakage import PromptLeakage
from llmsynth.steps.filters.length import Length
from llmsynth.steps.filters.personal_data import PersonalData
from llmsynth.steps.filters.refusals import Refusals
from llmsynth.steps.filters.repetition import Repetition
from llmsynth.steps.filters.truncation import Truncation
from llmsynth.steps.filters.urls import Urls


@dataclass(frozen=True)
class InstructionProfile:
    """Filters for instructions with their answers, which let short answers and code pass.

    Each can be given options of its own, and `without` leaves some out, by name. They run in the order of the fields,
    and the first reason stands. Addresses are flagged and personal data is masked; all others drop. Language is left
    out unless it is given, as it needs `llmsynth[curate]`: `language: {allowed: [en]}`.
    """

    without: tuple[str, ...] = ()
    length: Length = field(default_factory=Length)
    language: Language | None = None
    refusals: Refusals = field(default_factory=Refusals)
    prompt_leakage: PromptLeakage = field(default_factory=PromptLeakage)
    echo: Echo = field(default_factory=Echo)
    truncation: Truncation = field(default_factory=Truncation)
    code_fences: CodeFences = field(default_factory=CodeFences)
    json_answers: JsonAnswers = field(default_factory=JsonAnswers)
    repetition: Repetition = field(default_factory=Repetition)
    urls: Urls = field(default_factory=Urls)
    personal_data: PersonalData = field(default_factory=PersonalData)

    def __post_init__(self) -> None:
        names = [one.name for one in fields(self)][1:]
        if unknown := [name for name in self.without if name not in names]:
            raise RecipeError(f"without: there is no {unknown[0]!r}", f"some of {', '.join(names)}")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        for step in self._steps():
            batch = await step.apply(batch, run)
        return batch

    def _steps(self) -> list[Any]:
        names = [one.name for one in fields(self)][1:]
        steps = [getattr(self, name) for name in names if name not in self.without]
        return [step for step in steps if step is not None]
