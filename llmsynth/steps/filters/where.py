"""A condition of one's own."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmsynth.errors import RecipeError
from llmsynth.expression import Expression, UndecidableError
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import shorten


@dataclass(frozen=True)
class Where:
    """Keeps the records for which a condition holds; the others go under `reason`.

    keep: an expression over fields, scores and meta, such as `judge >= 4 and words(output) < 500`;
        `llmsynth.expression` says what there is. A record whose values do not fit it, such as a text where a number is
        compared, is dropped as "undecidable", with the place.
    """

    keep: str
    reason: str = "where"
    _condition: Expression = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.reason.isidentifier():
            raise RecipeError(f"where: reason is {self.reason!r}", "a code in snake_case, such as low_score")
        object.__setattr__(self, "_condition", Expression(self.keep))

    @property
    def looks_up(self) -> frozenset[str]:
        """The names of fields, scores and meta that it goes by."""
        return self._condition.names()

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        try:
            if self._condition.holds(record):
                return None
        except UndecidableError as error:
            return Drop("undecidable", str(error))
        return Drop(self.reason, f"not {shorten(self.keep)}: {self._seen(record)}")

    def _seen(self, record: Record) -> str:
        """The values that decided."""
        names = sorted(self._condition.names())
        return ", ".join(f"{name} is {shorten(repr(Expression(name)(record)), 40)}" for name in names)
