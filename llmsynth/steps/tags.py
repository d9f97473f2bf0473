"""Tags of what an instruction asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmsynth.errors import RecipeError
from llmsynth.forecast import Expected, StageEstimate
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.steps._asking import Asking, asked, forecast
from llmsynth.steps._scoring import note, scored, unread
from llmsynth.steps._task import Columns, Task
from llmsynth.tags import parse_tags, tag_counts, with_common_tags

_PAPERS = 20  # records that a tag needs to stay
_REPLY = '["gardening", "letter writing", "polite style", "word limit"]'


@dataclass(frozen=True)
class Tags:
    """Asks a model which intentions an instruction has, in words of its own choice (InsTag, Lu et al., 2023).

    The tags go into `meta["tags"]`, in one form: no case, no punctuation, no plural. The score `tags` is how many they
    are, which InsTag takes for complexity. Once all records are there, tags that few kept ones have are cut: they go
    into `meta["rare_tags"]`, and the score is that of the others. Selectors see it so; steps, which work while records
    stream and no tag is known to be rare, see all.

    least: records that a tag needs to stay, as 20 in the paper; null takes 20 from 20,000 kept records on, and one in a
        thousand where there are fewer. 1 cuts none.
    role: the model that is asked, `default` if there is none.

    Deviation: the paper also merges tags by their embeddings and by association rules; the prompt asks for the words
    of a librarian instead, and the cut removes most of what is left.
    """

    name: ClassVar[str] = "tags"
    overlaps: ClassVar[bool] = True

    least: int | None = None
    role: str = "tags"
    columns: Columns = Columns()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=200)

    def __post_init__(self) -> None:
        if self.least is not None and self.least < 1:
            raise RecipeError(f"least is {self.least}", "records that a tag needs to stay: at least 1")

    def validate(self, run: Run) -> None:
        self._prompt(run)
        run.model(self.role)

    def estimate(self, run: Run, rows: Expected) -> list[StageEstimate]:
        """One request a row."""
        return forecast(
            rows, run, role=self.role, columns=self.columns, asking=self._asking(run), reply=lambda _: _REPLY
        )

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        def reading(record: Record, task: Task, completions: Sequence[Completion]) -> Record:
            tags = parse_tags(completions[0].text)
            if tags is None:
                return unread(record, run, "tags", completions, "unreadable_tags")
            record = dataclasses.replace(record, meta={**record.meta, "tags": tags})
            return scored(record, run, "tags", tags=float(len(tags)))

        return await asked(
            batch, run, step="tags", role=self.role, columns=self.columns, asking=self._asking(run), reading=reading
        )

    def afterwards(self, records: Callable[[], Iterator[Record]], run: Run) -> Iterator[Record]:
        """The records without rare tags."""
        counts = tag_counts(records())
        tagged = sum("tags" in record.meta and not record.dropped for record in records())
        least = min(_PAPERS, 1 + tagged // 1_000) if self.least is None else self.least
        note(run, "tags", "least", least)
        return with_common_tags(records(), counts, least)

    def _asking(self, run: Run) -> Asking:
        prompt = self._prompt(run)
        return lambda task: [Request(self.role, prompt.render(instruction=task.question), self.sampling, prompt.id)]

    def _prompt(self, run: Run) -> Prompt:
        return run.prompts.load("tags/tags", {"instruction"})
