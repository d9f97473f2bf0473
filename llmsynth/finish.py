"""The end of a run: records become a dataset with its card, counts become a report."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmsynth.card import write_card
from llmsynth.cards.gathering import Traces, facts_of
from llmsynth.columns import text_of
from llmsynth.dataset import read_records, write_configs
from llmsynth.funnel import Funnel
from llmsynth.layout import answer_column
from llmsynth.lineage import Splits
from llmsynth.recipe import Built, Recipe
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.score_report import ScoreReport
from llmsynth.shards import DEFAULT
from llmsynth.steps import columns_behind
from llmsynth.variety import Variety

_HEARD_EVERY = 1_000


async def write_results(
    recipe: Recipe, run: Run, built: Built, directory: Path, funnel: Funnel, heard: Callable[[], object]
) -> dict[str, Any]:
    """Write `dataset/`; return the report, which the caller writes last. heard: called every thousand records."""
    folder = directory / "dataset"
    about = built.generator.about
    columns = dict(columns_behind(built.steps, about.columns))
    scores = ScoreReport(answer_column(built.generator), tuple(recipe.categories))
    used = _Used(heard, scores, Variety(recipe.diversity, built.generator))
    records = used.by(read_records(directory / "records"))
    gaps: Counter[str] = Counter()
    if built.on_error == "null":
        records = _with_failed(records, _wanted(about.columns, columns), gaps)
    traces = Traces()
    records = _traced(records, traces)  # behind the former, as the card tells the licences of all rows that are there
    if about.conversations and columns.keys() >= {"instruction", "input", "output"}:
        records, columns = _conversations(records), {**columns, "messages": "messages"}
    if built.splits.divide and "split" in columns:
        records = _placed(records, built.splits)
    infos = write_configs(records, folder, columns, built.splits.of, full=recipe.full)
    report = {
        "target": run.target,
        "rows": run.tally.report(),
        **({"splits": {i.split: i.rows for i in infos if i.config == DEFAULT}} if built.splits.divide else {}),
        "funnel": funnel.report(),
        **used.scores.told(),
        **await used.variety.told(run),
        "usage": _usage(run),
        "unused_answers": _unused(run, used),
        "notes": dict(sorted(run.notes.items())),  # in whatever order answers came
    }
    write_card(folder, facts_of(recipe, run, built, infos, traces, report, gaps))
    return report


class _Used:
    """What answers records came from and what they scored, kept or not: noted while they pass, 8 bytes an answer.

    answers: by stage, how many there are that at least one record came from; under "" where records do not tell it.
    asked_again: how many there are in whose place a record's way has another answer.
    """

    def __init__(self, heard: Callable[[], object], scores: ScoreReport, variety: Variety) -> None:
        self._heard = heard
        self.scores = scores
        self.variety = variety
        self._keys: dict[str, array[int]] = {}
        self._again = array("Q")

    def by(self, records: Iterable[Record]) -> Iterator[Record]:
        for number, record in enumerate(records, 1):
            if number % _HEARD_EVERY == 0:
                self._heard()
            self.scores.add(record)
            self.variety.add(record)
            if "journal" in record.meta:
                self._note(record.meta["journal"], record.meta.get("stages", ()))
                self._again.extend(int(key[:16], 16) for key in record.meta.get("asked_again", ()))
            yield record

    def _note(self, keys: Sequence[str], stages: Sequence[str]) -> None:
        for key, stage in zip(keys, stages if len(stages) == len(keys) else [""] * len(keys), strict=True):
            held = self._keys.get(stage)
            if held is None:
                held = self._keys[stage] = array("Q")
            held.append(int(key[:16], 16))

    @property
    def answers(self) -> dict[str, int]:
        return {stage: _different(keys) for stage, keys in self._keys.items()}

    @property
    def asked_again(self) -> int:
        return _different(self._again) if self._again else 0


def _traced(records: Iterable[Record], traces: Traces) -> Iterator[Record]:
    for record in records:
        traces.add(record)
        yield record


def _different(keys: array[int]) -> int:
    ordered = np.sort(np.frombuffer(keys, np.uint64))  # numpy.unique would load what it needs for masked arrays
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _wanted(before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[str]:
    """The columns of which a row has to hold something to be worth having with gaps.

    Where steps put columns in place of others, as prompt, chosen and rejected for a task, these are what it is about: a
    row that got none of them has nothing to learn from.
    """
    made = [name for name in after if name not in before]
    return made if made and before.keys() - after.keys() else tuple(after)


def _with_failed(records: Iterable[Record], wanted: Sequence[str], gaps: Counter[str]) -> Iterator[Record]:
    """The records, those that failed as kept ones if they hold what is wanted: `meta` says so, `gaps` counts them."""
    for record in records:
        if record.dropped is not None and record.dropped.failed and any(record.fields.get(name) for name in wanted):
            meta = {**record.meta, "failed": record.dropped.reason}
            gaps[record.dropped.reason] += 1
            record = Record(record.id, record.fields, meta, record.scores)
        yield record


def _placed(records: Iterable[Record], splits: Splits) -> Iterator[Record]:
    """The records: where a generator tells in `split` what it held out, that is told of where they are now."""
    for record in records:
        if record.dropped is None and "split" in record.meta and "split" in record.fields:
            fields = {**record.fields, "split": splits.of(record)}
            record = Record(record.id, fields, record.meta, record.scores)
        yield record


def _conversations(records: Iterable[Record]) -> Iterator[Record]:
    """The kept records, each with its conversation beside the plain columns."""
    for record in records:
        if record.dropped is None:
            fields = record.fields
            instruction, given, output = (text_of(fields.get(name)) for name in ("instruction", "input", "output"))
            asked = f"{instruction}\n\n{given}" if given else instruction
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": output}]
            whole = fields.get("output") is not None  # else a model gave no answer, and the row is wanted all the same
            yield Record(record.id, {**fields, "messages": turns if whole else None}, record.meta, record.scores)


def _unused(run: Run, used: _Used) -> int:
    """How many answers led to no record, though others of their stage did: they came when there were enough.

    Of stages that lead to none, such as one that improves a method, none is unused; nor are those about a gold file,
    those by which a method was improved, and those that were asked for again.
    """
    asked: Counter[str] = Counter()
    for model in run.models.values():
        asked.update({stage: usage.requests for stage, usage in model.usage.items()})
    for noted in run.notes.values():
        for other in ("gold_answers", "requests"):
            asked.subtract(noted.get(other, {}) if isinstance(noted, Mapping) else {})
    answers = used.answers
    stages = asked.keys() if "" in answers else answers.keys()
    return max(0, sum(asked[stage] for stage in stages) - sum(answers.values()) - used.asked_again)


def _usage(run: Run) -> dict[str, Any]:
    """Per stage, and of vectors from an endpoint: answers, how many of them had come before, failures, tokens, cost."""
    return {
        stage: {
            "answers": usage.requests,
            "replayed": usage.replayed,
            "lengthened": usage.lengthened,
            "failed": dict(sorted(usage.failed.items())),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost": "unknown" if usage.cost is None else round(usage.cost, 6),
        }
        for stage, usage in run.usage()
    }
