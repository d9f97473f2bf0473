"""Steps of curation without a run around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmsynth import Record, Run
from llmsynth.steps import Step

NO_RUN = Run(models={})


def record(id: str = "r", meta: dict[str, Any] | None = None, **fields: Any) -> Record:
    return Record(id, fields, meta or {})


def task(instruction: str, output: str, input: str = "", id: str = "r", **meta: Any) -> Record:
    return Record(id, {"instruction": instruction, "input": input, "output": output}, meta)


async def curated(step: Step, records: Sequence[Record], batch: int = 32, run: Run = NO_RUN) -> list[Record]:
    """The records behind the step, given in batches."""
    result: list[Record] = []
    for start in range(0, len(records), batch):
        result += await step.apply(list(records[start : start + batch]), run)
    return result


def reasons(records: Sequence[Record]) -> list[str]:
    """Why each record goes; empty for those that stay."""
    return [record.dropped.reason if record.dropped else "" for record in records]
