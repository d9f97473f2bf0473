"""Tags of what an instruction asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from llmsynth.forecast import Expected, StageEstimate
from llmsynth.prompts import Prompt
from llmsynth.record import Record
from llmsynth.request import Completion, Request, Sampling
from llmsynth.run import Run
from llmsynth.steps._asking import Asking, asked, forecast
from llmsynth.steps._scoring import scored, unscored
from llmsynth.steps._task import Columns, Task
from llmsynth.tags import parse_tags

_REPLY = '["gardening", "letter writing", "polite style", "word limit"]'


@dataclass(frozen=True)
class Tags:
    """Asks a model which intentions an instruction has, in words of its own choice (InsTag, Lu et al., 2023).

    The tags go into `meta["tags"]`, in one form: no case, no punctuation, no plural. The score `tags` is how many they
    are, which InsTag takes for complexity. What is rare is cut once all records are there, by
    `llmsynth.tags.with_common_tags`: while they stream, no tag is known to be rare.

    role: the model that is asked, `default` if there is none.

    Deviation: the paper also merges tags by their embeddings and by association rules; the prompt asks for the words
    of a librarian instead, and the cut removes most of what is left.
    """

    role: str = "tags"
    columns: Columns = Columns()
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=200)

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
                return unscored(record, run, "tags", "unreadable_tags")
            record = dataclasses.replace(record, meta={**record.meta, "tags": tags})
            return scored(record, run, "tags", tags=float(len(tags)))

        return await asked(
            batch, run, step="tags", role=self.role, columns=self.columns, asking=self._asking(run), reading=reading
        )

    def _asking(self, run: Run) -> Asking:
        prompt = self._prompt(run)
        return lambda task: [Request(self.role, prompt.render(instruction=task.question), self.sampling, prompt.id)]

    def _prompt(self, run: Run) -> Prompt:
        return run.prompts.load("tags/tags", {"instruction"})
