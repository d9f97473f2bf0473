"""`Seed` and `Seeds`: the tasks that a run starts from, whatever they were read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Seed:
    """One task to start from.

    instances: (input, output) pairs, at least one; an input may be empty.
    is_classification: None where the file doesn't say.
    source: file name and line or row, such as "seeds.jsonl:12".
    meta: what else its file says of where it belongs, such as a taxonomy leaf's topic; flat JSON values.
    licenses: under which it comes, by the Hub's names; none where nobody says.
    """

    id: str
    instruction: str
    instances: tuple[tuple[str, str], ...]
    is_classification: bool | None
    source: str
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)
    licenses: tuple[str, ...] = ()


class Seeds(list[Seed]):
    """The seeds of one file or folder, in its order.

    duplicates: seeds left out because an earlier one has the same instruction
        (compared without case and spacing).
    """

    def __init__(self, seeds: Iterable[Seed] = (), duplicates: Iterable[Seed] = ()) -> None:
        super().__init__(seeds)
        self.duplicates = tuple(duplicates)

    def summary(self) -> str:
        """How many there are, in words, and what of a taxonomy they are from."""
        told = f"{len(self)} tasks with {sum(len(seed.instances) for seed in self)} examples"
        kinds = {seed.meta["topic"]: seed.meta["leaf_kind"] for seed in (*self, *self.duplicates) if seed.meta}
        if kinds:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kinds.values()).items()))
            told += f" from {len(kinds)} qna.yaml leaves ({counts})"
        return f"{told}, {len(self.duplicates)} left out as repetitions" if self.duplicates else told
