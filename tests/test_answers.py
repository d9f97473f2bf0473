"""Results in one form, and how often a model comes to the same one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import Completion, Request
from llmsynth.errors import RecipeError
from llmsynth.journal import Journal
from llmsynth.parsing.answers import Kind, canonical_answer, final_answer, kind_of_answer
from llmsynth.steps.consistency import SelfConsistency
from tests.judging import apply, asked, row, run_of
from tests.test_parsing import TEXTS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Answer: 42", "42"),
        ("Step 1 gives 6, step 2 gives 7.\nAnswer: 42.", "42"),
        ("The answer is 42 apples.", "42"),
        ("So we have 5 left.\n#### 1,200", "1200"),
        ("Thus \\boxed{\\frac{3}{4}}.", "3/4"),
        ("Answer: 6/8", "3/4"),
        ("Answer: 0.75", "3/4"),
        ("**Answer:** 12.50", "25/2"),
        ("Answer: **$12.50**", "25/2"),
        ("Answer: -3", "-3"),
        ("Answer: −3", "-3"),
        ("Answer: 1.2e3", "1200"),
        ("Answer: 15%", "15"),
        ("Answer: 3 + 4 = 7", "7"),
        ("Answer: 7 (seven)", "7"),
        ("Answer:\n42", "42"),
        ("First guess, answer: 41. No.\nAnswer: 42", "42"),
        ("<think>Answer: 1</think>Answer: 2", "2"),
        ("<think>Answer: 1", None),
        ("Answer: between 3 and 4", None),
        ("Answer: 1/0", None),
        ("Answer: none", None),
        ("", None),
        ("It is 42", "42"),
        ("Answer: B2B", None),
    ],
)
def test_numbers_are_read_from_worked_answers(text: str, number: str | None) -> None:
    assert canonical_answer(text, "number") == number


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Answer: Yes", "yes"), ("Hmm.\n**Answer:** no.", "no"), ("No, it is not.", "no"), ("Answer: maybe", None)],
)
def test_yes_and_no_are_read(text: str, verdict: str | None) -> None:
    assert canonical_answer(text, "yes_no") == verdict


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Answer: positive", "Positive"),
        ("Answer: It is Very-Positive!", "very positive"),
        ("Answer: positive or negative", None),
        ("Answer: neutral", None),
        ("Answer: unpositive", None),
    ],
)
def test_labels_are_read_as_they_are_spelled(text: str, label: str | None) -> None:
    assert canonical_answer(text, "label", ("Positive", "very positive", "negative")) == label


@pytest.mark.parametrize(("said", "label"), [("C++", "C++"), ("It is C#.", "C#"), ("*C*", "C"), ("-", "-"), ("+", "+")])
def test_labels_that_differ_in_a_sign_are_told_apart(said: str, label: str) -> None:
    assert canonical_answer(f"Answer: {said}", "label", ("C", "C++", "C#", "+", "-")) == label


def test_formulas_that_differ_in_a_sign_are_different_results() -> None:
    results = [
        canonical_answer(f"Answer: {said}", "text") for said in ("y = 2x + 1", "y=2x+1.", "y = 2x - 1", "y=2x−1")
    ]
    assert results[0] == results[1] != results[2] == results[3]


def test_what_a_program_prints_is_compared_as_text() -> None:
    first = "It prints:\nAnswer:\n```\n1 2 \n3\n\n```"
    assert (
        canonical_answer(first, "code")
        == canonical_answer("Answer: as follows\n```text\n1 2\n3\n```", "code")
        == "1 2\n3"
    )
    assert canonical_answer("Answer: 1 2", "code") == "1 2"


def test_short_texts_are_compared_without_case_and_prose_is_not() -> None:
    assert canonical_answer("Answer: The *Danube*.", "text") == canonical_answer("the danube", "text") == "the danube"
    assert canonical_answer("word " * 30, "text") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("42", "number"),
        ("She has 3 + 4 = 7 apples.\n#### 7", "number"),
        ("Yes", "yes_no"),
        ("Paris", "text"),
        ("In 1492 Columbus sailed the ocean blue.", "text"),
        ("```\n1\n2\n```", "code"),
    ],
)
def test_the_kind_of_a_result_is_told_by_its_looks(text: str, kind: Kind) -> None:
    assert kind_of_answer(text) == kind


@given(text=TEXTS, kind=st.sampled_from(["number", "yes_no", "label", "code", "text"]))
def test_no_text_makes_it_raise_and_a_result_is_its_own_result(text: str, kind: Kind) -> None:
    result = canonical_answer(text, kind, ("a", "b c"))
    kind_of_answer(text)
    if result is not None and kind in ("number", "yes_no"):
        assert canonical_answer(f"Answer: {result}", kind) == result


@pytest.mark.parametrize("text", ["answer is ", "1,", "####", "\\boxed{", "{", "1/", "- ", "9"])
def test_a_model_stuck_in_a_loop_costs_no_time(text: str) -> None:
    reply = text * (30_000 // len(text))
    started = time.process_time()
    for kind in ("number", "yes_no", "label", "code", "text"):
        canonical_answer(reply, kind, ("a",))  # type: ignore[arg-type]
    assert time.process_time() - started < 2


def test_the_last_line_is_the_result_where_nothing_marks_it() -> None:
    assert final_answer("It follows.\n\n *Danube* \n") == "Danube"


# samples


def sampling(*replies: str) -> tuple[list[Request], object]:
    """A model that gives these replies in turn, by the occurrence of the request, and what it was asked."""
    seen: list[Request] = []

    def model(request: Request) -> str:
        seen.append(request)
        return replies[(len(seen) - 1) % len(replies)]

    return seen, model


def test_the_share_of_the_commonest_result_is_the_score(journal: Journal) -> None:
    seen, model = sampling("Answer: 4", "Answer: 4.0", "Answer: 5", "I do not know")
    run = run_of(journal, model)  # type: ignore[arg-type]
    (done,) = apply(SelfConsistency(samples=4), [row("r", "What is 2 + 2?", "It is 4")], run)
    assert done.scores == {"self_consistency": 0.5, "self_consistency_agrees": 1.0}
    assert done.meta["consistency"] == {"4": 2, "5": 1}
    assert len(seen) == len({request.key for request in seen}) == 4
    assert all(request.sampling.temperature == 0.7 for request in seen)
    assert "a number without a unit" in asked(seen[0])
    assert run.notes["self_consistency"]["with_unreadable_samples"] == 1  # type: ignore[index]


def test_of_results_that_come_equally_often_the_earliest_counts(journal: Journal) -> None:
    _, model = sampling("Answer: 9", "Answer: 4")
    (done,) = apply(SelfConsistency(samples=4), [row(output="4")], run_of(journal, model))  # type: ignore[arg-type]
    assert done.scores == {"self_consistency": 0.5, "self_consistency_agrees": 0.0}


def test_samples_without_any_result_are_no_score(journal: Journal) -> None:
    run = run_of(journal, lambda _: "I do not know")
    (done,) = apply(SelfConsistency(samples=3), [row(output="4")], run)
    assert done.scores == {}
    assert done.meta["self_consistency_unscored"] == "no_result: none of 3 answers tells a number"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"least": 0.75}, "inconsistent_answers"),
        ({"least": 0.5}, None),
        ({"agree": True}, "answer_disagrees"),
        ({}, None),
    ],
)
def test_drops_are_asked_for(journal: Journal, options: dict[str, float], reason: str | None) -> None:
    _, model = sampling("Answer: 4", "Answer: 4", "Answer: 7", "?")
    step = SelfConsistency(samples=4, **options)  # type: ignore[arg-type]
    (done,) = apply(step, [row(output="5")], run_of(journal, model))  # type: ignore[arg-type]
    assert (done.dropped and done.dropped.reason) == reason
    assert done.scores["self_consistency"] == 0.5


def test_labels_are_told_to_the_model(journal: Journal) -> None:
    seen, model = sampling("Answer: good")
    step = SelfConsistency(samples=2, kind="label", labels=("good", "bad"))
    (done,) = apply(step, [row(output="good")], run_of(journal, model))  # type: ignore[arg-type]
    assert "one of good, bad" in asked(seen[0])
    assert done.scores == {"self_consistency": 1.0, "self_consistency_agrees": 1.0}


def test_one_failed_sample_makes_the_record_fail(journal: Journal) -> None:
    from llmsynth.request import Failure

    broken = Completion("", "error", failure=Failure("timeout", "no answer", 5))
    (done,) = apply(SelfConsistency(samples=2), [row(output="4")], run_of(journal, lambda _: broken))
    assert done.status == "failed"


@pytest.mark.parametrize(
    "options", [{"samples": 1}, {"labels": ("a",)}, {"kind": "label"}, {"kind": "label", "labels": ("Good", "good!")}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        SelfConsistency(**options)  # type: ignore[arg-type]
