"""A classifier of one's own as a step: toxicity, topics, quality, whatever gives texts a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmsynth.columns import joined
from llmsynth.errors import RecipeError
from llmsynth.options import find
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps.filters import Action

Classify = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Classifier:
    """Scores texts by a function of yours, and drops or flags those at or above a threshold.

    function: `package.module:name` of a function from a list of texts to as many numbers, in order. It is imported when
        the recipe is read and called with a batch at a time; load the model at its first call. llmsynth brings no word
        list: lists of bad words drop medicine, law and the speech of minorities.
    score: the name the number is kept under; reason: the drop's reason.
    threshold: null keeps every record, scored.
    """

    function: str
    score: str = "toxicity"
    reason: str = "toxic"
    threshold: float | None = 0.5
    on: tuple[str, ...] = ("instruction", "input", "output")
    action: Action = "drop"
    _classify: Classify = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        function = find(self.function, {}, ("function",))
        if not callable(function):
            raise RecipeError(f"classifier: {self.function} is no function", "from a list of texts to numbers")
        object.__setattr__(self, "_classify", function)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        kept = [place for place, record in enumerate(batch) if not record.dropped]
        numbers = self._classify([joined(batch[place], self.on) for place in kept]) if kept else []
        if len(numbers) != len(kept):
            raise RecipeError(
                f"classifier: {self.function} gave {len(numbers)} numbers for {len(kept)} texts",
                "one for each, in order",
            )
        result = list(batch)
        for place, number in zip(kept, numbers, strict=True):
            result[place] = self._judged(batch[place], float(number))
        return result

    def _judged(self, record: Record, number: float) -> Record:
        record = record.scored(**{self.score: number})
        if self.threshold is None or self.action == "flag" or not number >= self.threshold:
            return record
        return record.drop(self.reason, f"{self.score} {number:.3f}, the threshold is {self.threshold}")
