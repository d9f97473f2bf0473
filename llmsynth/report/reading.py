"""What a row asks and what it answers, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from llmsynth.columns import answers, questions
from llmsynth.errors import RecipeError
from llmsynth.layout import Layout
from llmsynth.record import Record

_LOOKED_AT = 500  # records that tell which columns there are


@dataclass(frozen=True, slots=True)
class Reading:
    """columns: the fields of a run's rows, in order. instruction, asked, answered: those that hold each."""

    columns: tuple[str, ...]
    instruction: tuple[str, ...]
    asked: tuple[str, ...]
    answered: tuple[str, ...]

    @classmethod
    def of(cls, columns: Iterable[str]) -> Reading:
        columns = tuple(columns)
        try:
            layout = Layout.of(columns)
        except RecipeError:  # columns of another kind: all of them are what the row is about
            return cls(columns, columns, columns, ())
        return cls(columns, layout.instruction, (*layout.instruction, *layout.input), layout.output)

    def instruction_of(self, record: Record) -> str:
        return questions(record, self.instruction)

    def asked_of(self, record: Record) -> str:
        return questions(record, self.asked)

    def answered_of(self, record: Record) -> str:
        """Empty where one column is question and answer at once, and holds no turns."""
        text = answers(record, self.answered)
        return "" if self.answered == self.instruction and text == self.instruction_of(record) else text


def reading_of(records: Iterator[Record]) -> tuple[Reading, Iterator[Record]]:
    """How records are to be read, going by the first of them, and all of them again."""
    first = list(islice(records, _LOOKED_AT))
    columns = dict.fromkeys(name for record in sorted(first, key=lambda r: -len(r.fields)) for name in record.fields)
    return Reading.of(columns), chain(first, records)
