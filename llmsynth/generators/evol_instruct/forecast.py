"""What a run will ask for, before it asks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmsynth.forecast import StageEstimate, stage_estimate
from llmsynth.generated import Generated
from llmsynth.generators.evol_instruct.operators import choose
from llmsynth.prompts import Prompt
from llmsynth.request import Message

if TYPE_CHECKING:
    from llmsynth.generators.evol_instruct.auto import Auto
    from llmsynth.generators.evol_instruct.method import Work

_ANALYSIS_WORDS = 300
_TYPICAL_TASK, _TYPICAL_ANSWER = "." * 400, "." * 1400  # where the seeds are yet to be made


def forecast(work: Work, past: Mapping[str, Any] | None) -> list[StageEstimate]:
    """Rendered on the seeds; what survives a round is measured on an earlier run, or everything is taken to.

    The improving of a method (`auto`) is taken to go through all its steps, or to be what it was in the earlier run.
    """
    options, run = work.options, work.run
    notes, usage = (past["notes"], past["usage"]) if past else ({}, {})
    tried = notes.get("evolutions") or 0
    survival = [_survival(notes, round) for round in range(1, options.rounds + 1)]
    each = float(options.include_seeds)  # records of each seed itself
    stages: list[StageEstimate] = []
    if isinstance(options.seeds, Generated):
        few = run.missing / max(each + survival[0], 0.01)  # a small target is met within the first round
        rows = options.seeds.target if few >= options.seeds.target else math.ceil(few)
        stages += options.seeds.estimate(run, past, rows)
        texts, answers = [_TYPICAL_TASK], [_TYPICAL_ANSWER]
    else:
        rows = len(work.rows)
        texts, answers = [row.text for row in work.rows], [row.answer for row in work.rows]
    improving = _improving(options.auto, rows, notes)
    wanted = run.missing - rows * each
    evolutions, accepted = 0, 0.0
    for share_accepted in survival:
        needed = max(0.0, wanted - accepted) / max(share_accepted, 0.01)
        more = math.ceil(min(needed, rows))
        evolutions, accepted = evolutions + more, accepted + more * share_accepted
    if not evolutions:
        improving.clear()

    def share(stage: str) -> int:
        asked = usage.get(stage, {}).get("answers")
        if not tried or asked is None:
            return evolutions
        asked -= notes.get("auto", {}).get("requests", {}).get(stage, 0)
        return round(evolutions * float(asked) / tried)

    def evolve(i: int) -> tuple[Message, ...]:
        rng = run.rng("estimate", i)
        return work.wording.evolve(texts[i % len(texts)], choose(work.operators, rng), rng).messages

    def about(prompt: Prompt) -> Any:
        return lambda i: prompt.render(instruction=texts[i % len(texts)])

    def pair(i: int) -> tuple[Message, ...]:
        return work.ask_equal.render(first=texts[i % len(texts)], second=texts[i % len(texts)])

    evolved = texts if work.wording.method is None else [f"{work.wording.method.text}\n{text}" for text in texts]
    if improving["optimizer"]:
        stages.append(_optimizer(work, improving["optimizer"], texts, past))
    requests = evolutions + improving["evolve"]
    stages.append(stage_estimate("evolve", requests, evolve, evolved, options.evolve, past))
    if options.elimination.equality:
        stages.append(stage_estimate("equality", share("equality"), pair, ["Not Equal"], options.judge, past))
    requests = share("responses") + improving["responses"]
    stages.append(stage_estimate("responses", requests, about(work.wording.response), answers, options.respond, past))
    if options.difficulty:
        rated = round(accepted + rows * each)
        stages.append(stage_estimate("difficulty", rated, about(work.ask_difficulty), ["7"], options.rate, past))
    return stages


def _survival(notes: Mapping[str, Any], round: int) -> float:
    """The share accepted in a round of an earlier run, or in all of it, where that did not get so far; else 1."""
    operators: Mapping[str, Any] = (notes.get("survival") or {}).get(str(round)) or {}
    tried = sum(each["tried"] for each in operators.values()) or notes.get("evolutions") or 0
    accepted = sum(each["accepted"] for each in operators.values()) if operators else notes.get("evolutions_accepted")
    return (accepted or 0) / tried if tried else 1.0


def _improving(auto: Auto, rows: int, notes: Mapping[str, Any]) -> Counter[str]:
    """Requests by stage for improving the method."""
    if not auto.steps:
        return Counter()
    if measured := notes.get("auto", {}).get("requests"):
        return Counter(measured)
    development, batch = min(auto.development, rows), min(auto.batch, rows)
    assessed = development * (1 + auto.steps * auto.candidates)
    return Counter(
        optimizer=2 * auto.steps * auto.candidates,
        evolve=assessed + auto.steps * batch * auto.rounds,
        responses=assessed,
    )


def _optimizer(work: Work, requests: int, texts: list[str], past: Mapping[str, Any] | None) -> StageEstimate:
    """Analyses and proposals in turn, on cases as long as the seeds are."""
    auto = work.options.auto
    low, high = work.options.growth.target
    method, improvement = work.wording.method, work.improvement
    assert method is not None and improvement is not None
    feedback = "word " * _ANALYSIS_WORDS

    def messages(i: int) -> tuple[Message, ...]:
        if i % 2:
            return improvement.improve.render(method=method.text, feedback=feedback, low=low, high=high)
        shown = [texts[(i + n) % len(texts)] for n in range(min(auto.batch, len(texts)))]
        cases = [[{"text": text, "problem": ""}] * (1 + auto.rounds) for text in shown]
        return improvement.analyse.render(method=method.text, cases=cases)

    return stage_estimate("optimizer", requests, messages, [feedback, method.text], auto.optimize, past)
