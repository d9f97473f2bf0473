"""What all scores have in common: nulls with a reason, counts for the report, the trail of what was asked."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llmsynth.families import families_of
from llmsynth.model import Model
from llmsynth.record import Drop, Record
from llmsynth.request import Completion, Failure, Request
from llmsynth.run import Run

log = logging.getLogger(__name__)

MOST_CHARACTERS = 200_000  # of a task that a model is asked about
# failures that asking again does not mend
_HOPELESS = frozenset(
    "prompt_too_long out_of_memory refused empty_text no_logprobs http_400 http_413 http_422".split()  # noqa: SIM905
)


def scored(record: Record, run: Run, step: str, **scores: float) -> Record:
    """The record with its scores, counted."""
    _tally(run, step)["scored"] += 1
    return record.scored(**scores)


def unscored(record: Record, run: Run, step: str, reason: str, detail: str = "") -> Record:
    """The record without the score: never 0, never a default. The reason stays with it and is counted."""
    count(_tally(run, step)["unscored"], reason)
    said = f"{reason}: {detail}" if detail else reason
    return dataclasses.replace(record, meta={**record.meta, f"{step}_unscored": said})


def unread(
    record: Record, run: Run, step: str, completions: Iterable[Completion], reason: str, detail: str = ""
) -> Record:
    """The record without the score that its replies do not tell: for this reason, or since one of them was cut."""
    return unscored(record, run, step, "truncated" if any(c.truncated for c in completions) else reason, detail)


def unanswered(record: Record, run: Run, step: str, completion: Completion) -> Record:
    """The record whose question has no answer: failed, to be asked again, or without a score where that is in vain."""
    failure = completion.failure
    assert failure is not None
    if in_vain(failure):
        return unscored(record, run, step, failure.kind, failure.message)
    count(_tally(run, step)["failed"], failure.kind)
    return failed(record, step, completion)


def in_vain(failure: Failure) -> bool:
    """Whether asking again would come to nothing else."""
    return failure.final or failure.kind in _HOPELESS


def failed(record: Record, step: str, completion: Completion) -> Record:
    """The record that is to be asked about again, as it got no answer."""
    failure = completion.failure
    assert failure is not None
    detail = f"{step}: {failure.message} ({failure.attempts} attempts)"
    return dataclasses.replace(record, dropped=Drop(failure.kind, detail, failed=True))


def traced(record: Record, completions: Sequence[Completion]) -> Record:
    """The record with the completions that judged it appended to its trail.

    The lists of the trail run parallel. A record that has none, such as one from a file, gets one. `completions` tells
    how many of them, the first ones, made the record rather than judged it.
    """
    meta = dict(record.meta)
    meta.setdefault("completions", len(meta.get("journal", ())))
    lists = [name for name in _TRAIL if name in meta]
    for name in lists if "journal" in lists else _TRAIL:
        told = [_TRAIL[name](completion) for completion in completions]
        meta[name] = [*meta.get(name, ()), *told]
    return dataclasses.replace(record, meta=meta)


def made_by(record: Record, completions: Sequence[Completion]) -> Record:
    """The record with completions at the end of its trail that are part of it, rather than judge it."""
    before = len(record.meta.get("journal", ()))
    record = traced(record, completions)
    if record.meta["completions"] < before:  # it has been judged already: those that made it are no longer the first
        return record
    return dataclasses.replace(record, meta={**record.meta, "completions": before + len(completions)})


def judged_with(record: Record, candidates: Sequence[Record]) -> Record:
    """The record with what judged its candidates, which are records of their own, at the end of its trail."""
    told = {
        name: [one for c in candidates for one in c.meta.get(name, ())[c.meta.get("completions", 0) :]]
        for name in _TRAIL
    }
    if not told["journal"]:
        return record
    meta = dict(record.meta)
    meta.setdefault("completions", len(meta.get("journal", ())))
    lists = [name for name in _TRAIL if name in meta]
    for name in lists if "journal" in lists else _TRAIL:
        meta[name] = [*meta.get(name, ()), *told[name]]
    return dataclasses.replace(record, meta=meta)


def trail_of(model: str, key: str) -> dict[str, Any]:
    """The trail of a candidate that one completion made."""
    told = {"stages": "", "prompts": "", "models": model, "sampling": {}, "finish_reasons": "", "journal": key}
    return {"completions": 1, **{name: [value] for name, value in told.items()}}


async def answers_by_role(run: Run, requests: Mapping[str, Sequence[Request]]) -> dict[str, list[Completion]]:
    """What the requests to several roles' models come to, all asked at once, in their order."""
    tasks = [asyncio.ensure_future(answers(run.model(role), asked)) for role, asked in requests.items()]
    try:
        return dict(zip(requests, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:  # where one of them ends the run
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answers(model: Model, requests: Sequence[Request]) -> list[Completion]:
    """What the requests come to, all asked at once, in their order."""
    return [completion async for completion in model.stream(requests, max(1, len(requests)))]


def warn_of_family(record: Record, run: Run, step: str, judge: str, generators: Sequence[str] = ()) -> None:
    """Warn, once for each model, where a judge is of the family of a model that made the record: it favours its own."""
    made = record.meta.get("completions", len(record.meta.get("models", ())))
    for model in {*generators, *record.meta.get("models", ())[:made]}:
        shared = families_of(str(model)) & families_of(judge)
        warned: list[str] = _tally(run, step).setdefault("same_family", [])
        if shared and model not in warned:
            warned.append(model)
            warned.sort()
            log.warning(
                "%s: the judge %s is of the family of %s (%s), which it may favour: another family judges more fairly",
                *(step, judge, model, ", ".join(sorted(shared))),
            )


def recount(records: Iterable[tuple[Record, bool]], run: Run, step: str) -> None:
    """Count the scores of records that a step has been given, each with whether it dropped it, from what they say."""
    notes = _tally(run, step)
    notes |= {"scored": 0, "unscored": {}, "failed": {}}
    for record, dropped in records:
        if dropped and record.dropped is not None and record.dropped.failed:
            count(notes["failed"], record.dropped.reason)
        elif (said := record.meta.get(f"{step}_unscored")) is not None:
            count(notes["unscored"], said.partition(": ")[0])
        else:
            notes["scored"] += step in record.scores


def add_to(run: Run, step: str, name: str) -> None:
    """Count something about a step for the report."""
    count(_tally(run, step), name)


def count(counts: dict[str, Any], name: str) -> None:
    """Count one more; the names stay in their order, so that it does not matter which answer comes first."""
    if name in counts:
        counts[name] += 1
        return
    counts[name] = 1
    in_order(counts)


def in_order(counts: dict[str, Any]) -> None:
    """Put the names in order."""
    for name in sorted(counts):
        counts[name] = counts.pop(name)


def note(run: Run, step: str, name: str, value: object) -> None:
    """Tell the report something about a step."""
    _tally(run, step)[name] = value


def noted(run: Run, step: str, name: str) -> bool:
    """Whether the report has been told something about a step."""
    return name in _tally(run, step)


def _tally(run: Run, step: str) -> dict[str, Any]:
    notes: dict[str, Any] = run.notes.setdefault(step, {})  # type: ignore[assignment]
    for name, empty in (("scored", 0), ("unscored", {}), ("failed", {})):
        notes.setdefault(name, empty)
    return notes


def _request(completion: Completion) -> Request:
    assert completion.request is not None
    return completion.request


_TRAIL: Mapping[str, Callable[[Completion], Any]] = {
    "stages": lambda completion: _request(completion).stage,
    "prompts": lambda completion: _request(completion).prompt,
    "models": lambda completion: completion.model,
    "sampling": lambda completion: _request(completion).sampling.body(),
    "finish_reasons": lambda completion: completion.finish_reason,
    "journal": lambda completion: completion.key,
}
