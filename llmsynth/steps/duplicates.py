"""Rows that say the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.text import fingerprint, normalise


@dataclass
class ExactDuplicates:
    """Drops a record whose text equals an earlier kept one's, but for case, punctuation and spacing.

    on: the fields that are compared; a missing one counts as empty.
    Holds 16 bytes and an id per kept record.
    """

    on: tuple[str, ...] = ("instruction", "input", "output")
    _seen: dict[bytes, str] = field(default_factory=dict, init=False, repr=False)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        if record.dropped:
            return record
        key = bytes.fromhex(fingerprint(*(normalise(str(record.fields.get(name, ""))) for name in self.on)))
        first = self._seen.setdefault(key, record.id)
        return record if first == record.id else record.drop("exact_duplicate", f"same as {first}")
