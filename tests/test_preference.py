"""Pairs from several answers: which two are taken, by whose judgement, and why a row has none."""

from __future__ import annotations

import re
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import FakeBackend, Record, Request
from llmsynth.errors import RecipeError
from llmsynth.journal import Journal
from llmsynth.prompts import Prompts
from llmsynth.rubric import rubric_of
from llmsynth.steps._pair import choose
from llmsynth.steps.heuristics import Heuristics
from llmsynth.steps.judge import Judge
from llmsynth.steps.preference import Preference
from tests.judging import apply, asked, between, row, run_of

CRITERIA = ("instruction_following", "truthfulness", "honesty", "helpfulness")
SCORES = st.lists(st.none() | st.integers(0, 20).map(lambda n: n / 4), max_size=7)


def marked(request: Request) -> str:
    """A judge that gives an answer the mark it names, and says nothing of use about one that names none."""
    number = re.search(r"\d", between(asked(request), "answer"))
    return "Fine." if number is None else "\n".join(f"{name}: {number[0]}" for name in CRITERIA)


def larger(request: Request) -> str:
    """A judge of two answers that prefers the one that names the larger number; of equals the first."""
    first, second = (int(between(asked(request), tag)[-1]) for tag in ("answer_a", "answer_b"))
    return f"Verdict: {'A' if first >= second else 'B'}"


def several(*answers: Any, id: str = "r", **meta: Any) -> Record:
    return Record(id, {**row().fields, "answers": list(answers)}, meta)


def answer(text: str, model: str = "m", finish_reason: str = "stop", journal: str = "k") -> dict[str, str]:
    return {"text": text, "role": model, "model": model, "finish_reason": finish_reason, "journal": journal}


def pair(record: Record) -> tuple[Any, ...]:
    return tuple(record.fields.get(name) for name in ("prompt", "chosen", "rejected", "score_chosen", "score_rejected"))


def test_the_best_answer_is_chosen_and_the_worst_rejected(journal: Journal) -> None:
    run = run_of(journal, marked)
    texts = [answer("two 2", "weak"), answer("four 4", "strong", journal="s"), answer("one 1", "weak", journal="w")]
    [done] = apply(Preference(), [several(*texts)], run)
    assert pair(done) == ("Name a river.", "four 4", "one 1", 4.0, 1.0)
    assert done.scores == {"preference_chosen": 4.0, "preference_rejected": 1.0, "preference_margin": 3.0}
    told = {name: done.meta[name] for name in done.meta if name.startswith(("chosen", "rejected", "preferred"))}
    assert told == {
        "chosen_model": "strong",
        "chosen_journal": "s",
        "rejected_model": "weak",
        "rejected_journal": "w",
        "preferred_by": "judge",
    }
    assert [one["score"] for one in done.fields["answers"]] == [2.0, 4.0, 1.0]
    assert len(done.meta["journal"]) == 3 and done.meta["completions"] == 0
    assert run.notes["preference"] == {
        "pairs": 1,
        "chosen_is_longer": 1,
        "models": {"strong": {"chosen": 1, "rejected": 0}, "weak": {"chosen": 0, "rejected": 1}},
    }


@pytest.mark.parametrize(
    ("answers", "options", "reason", "detail"),
    [
        (None, {}, "no_answers", "the field 'answers' holds no list of answers"),
        ("one 1", {}, "no_answers", "the field 'answers' holds no list of answers"),
        ([], {}, "no_answers", "the field 'answers' holds no list of answers"),
        ([answer("one 1")], {}, "too_few_answers", "1 of 1 can take part"),
        ([answer("one 1"), answer(" ")], {}, "too_few_answers", "1 of 2 can take part"),
        ([answer("one 1"), answer("two 2", finish_reason="length")], {}, "too_few_answers", "1 of 2 can take part"),
        ([answer("one 1"), answer("one 1 ")], {}, "equal_answers", "all 2 say the same"),
        ([answer("one 1"), answer("what?"), answer("no")], {}, "unscored_answers", "1 of 3 have a score"),
        ([answer("one 1"), answer("eins 1")], {}, "tie", "2 answers from 1 to 1"),
        ([answer("one 1"), answer("two 2")], {"margin": 1.5}, "tie", "2 answers from 1 to 2"),
    ],
)
def test_a_row_without_a_pair_says_why(
    answers: Any, options: dict[str, Any], reason: str, detail: str, journal: Journal
) -> None:
    record = row() if answers is None else row(answers=answers)
    [done] = apply(Preference(**options), [record], run_of(journal, marked))
    assert done.dropped and (done.dropped.reason, done.dropped.detail) == (reason, detail)
    assert pair(done)[:3] == (None, None, None)


def test_a_margin_that_is_just_met_is_met(journal: Journal) -> None:
    [done] = apply(Preference(margin=1.0), [several(answer("one 1"), answer("two 2"))], run_of(journal, marked))
    assert done.status == "kept"


def test_an_answer_without_a_score_takes_no_part(journal: Journal) -> None:
    [done] = apply(Preference(), [several("no mark", "two 2", "three 3")], run_of(journal, marked))
    assert pair(done)[1:3] == ("three 3", "two 2")
    assert done.fields["answers"] == ["no mark", "two 2", "three 3"]


def test_the_rows_own_answer_and_those_cut_short_may_take_part(journal: Journal) -> None:
    record = Record("r", {**row(output="five 5").fields, "answers": [answer("one 1", finish_reason="length")]})
    [done] = apply(Preference(own=True, truncated=True), [record], run_of(journal, marked))
    assert pair(done)[1:3] == ("five 5", "one 1")
    [alone] = apply(Preference(own=True), [record], run_of(journal, marked))
    assert alone.dropped and alone.dropped.reason == "too_few_answers"


def test_pairwise_a_score_is_the_share_of_comparisons_won(journal: Journal) -> None:
    requests: list[Request] = []

    def judge(request: Request) -> str:
        requests.append(request)
        return larger(request)

    run = run_of(journal, judge)
    [done] = apply(Preference(by="pairwise"), [several("a 2", "b 3", "c 1", "d 3")], run)
    assert pair(done)[1:] == ("b 3", "c 1", pytest.approx(2.5 / 3, abs=1e-4), 0.0)
    assert len(requests) == 2 * len(list(combinations(range(4), 2))) == len(done.meta["journal"])
    assert {between(asked(request), "instruction") for request in requests} == {"Name a river."}
    [tie] = apply(Preference(by="pairwise"), [several("a 2", "b 2")], run)
    assert tie.dropped and tie.dropped.reason == "tie"


def test_a_comparison_that_cannot_be_read_counts_for_neither(journal: Journal) -> None:
    def judge(request: Request) -> str:
        return "Both have their merits." if "c 1" in asked(request) and "a 2" in asked(request) else larger(request)

    [done] = apply(Preference(by="pairwise"), [several("a 2", "b 3", "c 1")], run_of(journal, judge))
    assert pair(done)[1:] == ("b 3", "a 2", 1.0, 0.0)  # of equals the earliest is rejected


def test_by_a_reward_model(journal: Journal) -> None:
    class Rewarding(FakeBackend):
        rewards = True

    run = run_of(journal, {"reward": Rewarding(lambda request: str(-len(request.messages[-1]["content"])))})
    [done] = apply(Preference(by="reward"), [several("long and winding", "short", "middling")], run)
    assert pair(done)[1:] == ("short", "long and winding", -5.0, -16.0)
    with pytest.raises(RecipeError, match=r"models\.reward is no reward model"):
        Preference(by="reward").validate(run_of(journal, marked))


def test_by_heuristics_which_ask_nobody(journal: Journal) -> None:
    good = "The Danube is a river in Europe. It rises in the Black Forest and flows into the Black Sea."
    bad = "As far as I know it may perhaps be the one that is called the"
    run = run_of(journal, marked)
    [done] = apply(Preference(by="heuristics"), [several(bad, good, models=["x"])], run)
    assert pair(done)[1:3] == (good, bad)
    own = Heuristics()
    expected = [apply(own, [row(output=text)], run)[0].scores["heuristics"] for text in (good, bad)]
    assert pair(done)[3:] == tuple(expected) and done.meta["models"] == ["x"]


def test_by_the_order_of_the_models(journal: Journal) -> None:
    answers = [answer("yes", "weak"), answer("perhaps", "strong"), answer("no", "other"), answer("never", "weak")]
    [done] = apply(Preference(by="models", ranking=("strong", "weak")), [several(*answers)], run_of(journal, marked))
    assert pair(done)[1:] == ("perhaps", "yes", 2.0, 1.0)


def test_conversations_become_turns(journal: Journal) -> None:
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A river?"}]
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(between(asked(request), "instruction"))
        return marked(request)

    record = Record(
        "r", {"messages": [*talk, {"role": "assistant", "content": "three 3"}], "answers": ["one 1", "two 2"]}
    )
    [done] = apply(Preference(own=True), [record], run_of(journal, judge))
    said = [[{"role": "assistant", "content": text}] for text in ("three 3", "one 1")]
    assert pair(done)[:3] == (talk, *said)
    assert set(seen) == {"system: Be brief.\n\nuser: A river?"}
    columns = Preference().columns_after({"messages": "messages", "topic": "string", "answers": "list<string>"})
    assert columns == {
        **dict.fromkeys(("prompt", "chosen", "rejected"), "messages"),
        "topic": "string",
        **dict.fromkeys(("score_chosen", "score_rejected"), "float64"),
    }


def test_the_dataset_has_the_pair_in_place_of_the_task() -> None:
    columns = Preference().columns_after(
        {"instruction": "string", "input": "string", "output": "string", "split": "string"}
    )
    assert [*columns] == ["prompt", "chosen", "rejected", "split", "score_chosen", "score_rejected"]
    assert columns["prompt"] == "string" and columns["score_chosen"] == "float64"


def test_a_judge_that_failed_makes_the_row_fail_and_one_that_never_will_answer_leaves_the_answer_out(
    journal: Journal,
) -> None:
    from llmsynth.request import RequestFailedError

    def judge(request: Request) -> str:
        text = between(asked(request), "answer")
        if "late" in text:
            raise RequestFailedError("timeout", "no answer in time", retryable=True)
        if "huge" in text:
            raise RequestFailedError("prompt_too_long", "9,000 tokens", retryable=False)
        return marked(request)

    late = several("one 1", "late 2", id="late")
    huge = several("one 1", "huge 5", "three 3", id="huge")
    failed, kept = apply(Preference(), [late, huge], run_of(journal, judge))
    assert failed.status == "failed" and failed.dropped and failed.dropped.reason == "timeout"
    assert pair(kept)[1:3] == ("three 3", "one 1")


def test_a_judge_of_the_family_of_a_model_that_answered_is_warned_of(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(journal, {"default": FakeBackend(marked, name="qwen-judge")})
    run.models["default"].backend.name = "Qwen3-32B"  # type: ignore[misc]
    apply(Preference(), [several(answer("one 1", "Qwen2-7B"), answer("two 2", "llama-3"))], run)
    assert "the judge Qwen3-32B is of the family of Qwen2-7B" in caplog.text
    assert "llama" not in caplog.text


def test_a_random_worse_answer_is_drawn_for_each_row_alone(journal: Journal) -> None:
    step = Preference(against="random", margin=1.0)
    rows = [several("five 5", "four 4", "three 3", "two 2", id=str(n)) for n in range(40)]
    done = apply(step, rows, run_of(journal, marked))
    drawn = {record.id: record.fields["rejected"] for record in done}
    assert {*drawn.values()} == {"four 4", "three 3", "two 2"}
    again = apply(step, rows[::-2], run_of(journal, marked), batch=3)
    assert {record.id: record.fields["rejected"] for record in again}.items() <= drawn.items()


@given(SCORES, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers())
def test_choosing_is_what_looking_at_every_pair_comes_to(scores: list[float | None], margin: float, seed: int) -> None:
    known = {place: score for place, score in enumerate(scores) if score is not None}
    able = [(a, b) for a in known for b in known if known[a] > known[b] and known[a] - known[b] >= margin]
    best = [(a, b) for a, b in able if known[a] == max(known.values())]
    first = [(a, b) for a, b in best if a == min(a for a, _ in best)]
    worst = [(a, b) for a, b in first if known[b] == min(known.values())]
    assert choose(scores, margin, "worst", Random(seed)) == (min(worst) if worst else None)
    drawn = choose(scores, margin, "random", Random(seed))
    assert (drawn in first) if first else drawn is None


def test_a_difference_is_not_lost_in_the_arithmetic() -> None:
    assert 0.3 - 0.2 < 0.1
    assert choose([0.3, 0.2], 0.1, "worst", Random()) == (0, 1)
    assert choose([0.1 + 0.2, 0.3], 0.0, "worst", Random()) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": -1.0}, "margin is -1"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"by": "models"}, "ranking belongs to by: models"),
        ({"ranking": ("a",)}, "ranking belongs to by: models"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Preference(**options)


def test_the_rubric_for_it_has_the_aspects_of_ultrafeedback() -> None:
    rubric = rubric_of("preference", Prompts())
    assert tuple(rubric.names) == CRITERIA and (rubric.least, rubric.most) == (1, 5)


def test_the_judge_inside_has_options_of_its_own(journal: Journal) -> None:
    stages: set[str] = set()

    def judge(request: Request) -> str:
        stages.add(request.stage)
        mark = between(asked(request), "answer")[-1]
        return f"correctness: {mark}\ncompliance: {mark}\nclarity: {mark}"

    step = Preference(judge=Judge(rubric="answer", role="examiner", name="marks"))
    [done] = apply(step, [several("one 1", "two 2")], run_of(journal, judge))
    assert pair(done)[1:3] == ("two 2", "one 1") and stages == {"examiner"}
