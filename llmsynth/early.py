"""`Early`: what is said after the first records, as at the end everything has been paid for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.selectors import Selector

log = logging.getLogger(__name__)

_ROWS, _THIN = 200, 0.02  # rows after which it is said if less than this share was kept
_REMEDY = "interrupt the run, mend the recipe, and go on with --update: nothing is asked for twice"


class Early:
    """Sees the first records behind the steps, once they are counted in the run's tally.

    related_by: what says which records are relatives, for the splits of the dataset.
    """

    def __init__(self, run: Run, selectors: Sequence[Selector], related_by: Sequence[str] = ()) -> None:
        self._run = run
        placed = [(f"selectors[{place}]", selector.needs) for place, selector in enumerate(selectors)][::-1]
        self._scores = {name: place for place, needs in placed for name in needs.scores}
        self._groups = dict.fromkeys(related_by, "splits.by")
        self._groups |= {name: place for place, needs in placed for name in needs.groups}
        self._told = False

    def see(self, records: Sequence[Record]) -> None:
        if self._told:
            return
        for record in records:
            if record.dropped is None:
                for name in record.scores:
                    self._scores.pop(name, None)
                if self._groups:
                    from llmsynth.selectors.deciding import group_of  # with numpy, which a run's start can do without

                    for name in [name for name in self._groups if group_of(record, name)]:
                        del self._groups[name]
        tally = self._run.tally
        if tally.total < _ROWS:
            return
        self._told = True
        if tally.kept < _THIN * tally.total:
            lost = ", ".join(f"{reason} {count:,}" for reason, count in (tally.dropped + tally.failed).most_common(3))
            log.warning(
                "%d of the first %d rows were kept (%s): if it should be more, see them with `llmsynth show`, %s",
                *(tally.kept, tally.total, lost, _REMEDY),
            )
        for what, wanted in (("the score", self._scores), ("a value of", self._groups)) if tally.kept else ():
            for name, place in wanted.items():
                log.warning(
                    "none of the first %d kept rows has %s %r, which %s goes by: if no step makes it, %s",
                    *(tally.kept, what, name, place, _REMEDY),
                )
