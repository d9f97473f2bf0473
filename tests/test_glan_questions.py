"""GLAN's questions and answers: what they are about, what is asked, what is dropped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from llmsynth import Completion, FakeBackend, Request, Run
from llmsynth.errors import RecipeError, SourceError
from llmsynth.generators.glan import GLAN
from llmsynth.generators.glan.reading import read_question
from llmsynth.journal import Journal
from llmsynth.model import Model
from tests.professor import (
    Professor,
    always,
    one_subject,
    reply,
    small_taxonomy,
)
from tests.scripted import Answer, Outcome, content, made_up, play


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    return small_taxonomy(tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> str:
    """A taxonomy of one discipline."""
    return small_taxonomy(tmp_path, "fields:\n  Sciences:\n    Physics: [Optics]\n", "one.yaml")


async def ask(options: GLAN, professor: Professor, journal: Journal, target: int = 20) -> Outcome:
    return await play(options, professor, journal, target=target)


# G6 and G7: the draws themselves are in test_glan_sampling.py


async def test_g6_no_combination_of_a_course_comes_twice(one: str, journal: Journal) -> None:
    professor = Professor(one_subject(5))
    options = GLAN(taxonomy=one, queries=1, out_of_range="keep", two_sessions=0.0)
    outcome = await ask(options, professor, journal, 31)
    assert len({str(record.meta["concepts"]) for record in outcome.kept}) == 31
    assert len(set(professor.prompts("questions"))) == 31


async def test_g7_a_question_on_two_sessions_names_both_and_concepts_of_each(one: str, journal: Journal) -> None:
    professor = Professor(one_subject(3, 4))
    options = GLAN(taxonomy=one, queries=1, out_of_range="keep", two_sessions=1.0)
    outcome = await ask(options, professor, journal, 97)
    assert len({str(record.meta["concepts"]) for record in outcome.kept}) == 97
    for record in outcome.kept:
        assert record.meta["strategy"] == "two_sessions"
        assert record.meta["session_numbers"] == [1, 2]
        assert [len(concepts) >= 1 for concepts in record.meta["concepts"]] == [True, True]
        assert 2 <= sum(map(len, record.meta["concepts"])) <= 5


# G8: ratio


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
async def test_g8_the_ratio_of_the_strategies_is_an_option(share: float, one: str, journal: Journal) -> None:
    professor = Professor(one_subject(*[5] * 10))
    outcome = await ask(GLAN(taxonomy=one, queries=1, two_sessions=share), professor, journal, 80)
    strategies = outcome.run.notes["strategies"]
    assert isinstance(strategies, dict)
    assert abs(strategies["two_sessions"] - 80 * share) <= 1
    assert sum(strategies.values()) == 80


async def test_g8_a_course_of_one_tiny_session_asks_what_it_can_and_starts_again(one: str, journal: Journal) -> None:
    professor = Professor(one_subject(1))
    outcome = await ask(GLAN(taxonomy=one, queries=1, out_of_range="keep"), professor, journal, 3)
    assert {record.meta["strategy"] for record in outcome.kept} == {"one_session"}
    assert len(set(professor.prompts("questions"))) == 1
    assert len(outcome.kept) == 3  # the model has more than one question on it


# G9: the question's prompt


async def test_g9_the_prompt_has_sessions_concepts_the_full_syllabus_and_the_later_session(
    one: str, journal: Journal
) -> None:
    syllabus = "Lenses from glass to glasses.\n\n1. Glass\n2. Focus\n...\nAnd {{ more }}."
    professor = Professor({**one_subject(*[2] * 10), "syllabus": always(syllabus)})
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 40)
    by_journal = dict(zip(professor.prompts("questions"), range(1000), strict=False))
    assert len(by_journal) == 40
    for record in outcome.kept:
        expected = [
            f'- session {number}, "{name}": {"; ".join(concepts)}'
            for number, name, concepts in zip(
                record.meta["session_numbers"], record.meta["sessions"], record.meta["concepts"], strict=True
            )
        ]
        [prompt] = [p for p in by_journal if all(line in p.splitlines() for line in expected) and _lines(p) == expected]
        assert syllabus in prompt
        latest = max(record.meta["session_numbers"])
        assert f"up to and including session {latest}, " in prompt
        assert "first year" in prompt


def _lines(prompt: str) -> list[str]:
    return [line for line in prompt.splitlines() if line.startswith("- session ")]


# G10: a fresh sample per question


@pytest.mark.parametrize(("options", "each"), [({}, 1), ({"questions_per_pick": 3}, 3)])
async def test_g10_each_question_has_a_sample_of_its_own_unless_asked_otherwise(
    options: dict[str, int], each: int, one: str, journal: Journal
) -> None:
    professor = Professor(one_subject(*[5] * 10))
    await ask(GLAN(taxonomy=one, queries=1, **options), professor, journal, 30)  # type: ignore[arg-type]
    assert sorted(Counter(professor.prompts("questions")).values()) == [each] * (30 // each)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("**Question:** Why?", "Why?"),
        ("### Homework question 3\n\nWhy?\n\n- a\n- b", "Why?\n\n- a\n- b"),
        ("<think>Let me see.</think>\nQuestion: Why?", "Why?"),
        ("Sure! Here is a homework question on waves:\n\n**Question:** Why?", "Why?"),
        ("Here is a list of numbers:\n3, 5\nIs 4 their mean?", "Here is a list of numbers:\n3, 5\nIs 4 their mean?"),
        ("Question the premise of the theorem.", "Question the premise of the theorem."),
        ("<think>Let me", ""),
        ("Question:", ""),
        ("", ""),
    ],
)
def test_g10_the_reader_of_questions(text: str, question: str) -> None:
    assert read_question(text) == question


@pytest.mark.parametrize(
    ("stage", "answer", "reason"),
    [
        ("questions", "", "no_question"),
        ("questions", Completion("Why is", "length"), "truncated"),
        ("questions", "<think>Well", "no_question"),
        ("answers", " ", "no_answer"),
        ("answers", Completion("Because", "length"), "truncated"),
    ],
)
async def test_g10_what_is_no_question_or_no_answer_is_dropped(
    stage: str, answer: Answer, reason: str, one: str, journal: Journal
) -> None:
    professor = Professor({**one_subject(*[5] * 10), stage: always(answer)})
    if stage == "answers":
        professor.replies = {**professor.replies, "questions": lambda r: made_up(content(r)) + " Why?"}
    outcome = await ask(GLAN(taxonomy=one, queries=1, stall=7, lookahead=1), professor, journal, 3)
    assert set(outcome.reasons()) == {reason}
    assert outcome.run.notes["stopped"] == "stalled: none of the last 7 questions was kept"
    assert len(outcome.records) == 7
    if stage == "questions":
        assert not professor.asked("answers")


async def test_g10_a_question_that_was_asked_before_is_dropped_before_it_is_answered(
    one: str, journal: Journal
) -> None:
    professor = Professor({**one_subject(*[5] * 10), "questions": always("Why?")})
    outcome = await ask(GLAN(taxonomy=one, queries=1, stall=5), professor, journal, 3)
    assert outcome.reasons()[0] is None
    assert set(outcome.reasons()[1:]) == {"duplicate_question"}
    assert len(professor.asked("answers")) == 1


async def test_g10_questions_that_differ_in_a_sign_are_two(one: str, journal: Journal) -> None:
    said = iter(["What is 7 - 2?", "What is 7 + 2?", "what is  7 + 2", "What is 7 × 2?"])
    professor = Professor({**one_subject(*[5] * 10), "questions": lambda request: next(said)})
    outcome = await ask(GLAN(taxonomy=one, queries=1, max_questions=4, lookahead=1), professor, journal, 9)
    assert outcome.reasons() == [None, None, "duplicate_question", None]


# G11: the answer


async def test_g11_the_answer_is_a_call_of_its_own_with_the_question_alone(one: str, journal: Journal) -> None:
    professor = Professor()
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 5)
    assert set(professor.prompts("answers")) == {record.fields["instruction"] for record in outcome.kept}
    assert all(len(request.messages) == 1 for request in professor.asked("answers"))
    assert {(r.sampling.temperature, r.sampling.top_p) for r in professor.asked("answers")} == {(0.7, 0.95)}
    for stage in ("subjects", "subject_lists", "syllabus", "sessions", "questions"):
        assert {(r.sampling.temperature, r.sampling.top_p) for r in professor.asked(stage)} == {(1.0, 0.95)}


async def test_g11_the_answers_can_have_a_model_of_their_own(one: str, journal: Journal) -> None:
    professor, assistant = Professor(), Professor({"answers": lambda r: f"From another: {made_up(content(r))}"})
    models = {
        "default": Model(FakeBackend(professor), journal),
        "answers": Model(FakeBackend(assistant), journal),
    }
    run = Run(models, target=5)
    async for record in GLAN(taxonomy=one, queries=1).generate(run):
        run.tally.add(record)
        assert record.fields["output"].startswith("From another: ")
    assert {request.stage for request in assistant.log} == {"answers"}
    assert not professor.asked("answers") and len(professor.asked("questions")) == 5


# G12: decontamination

LEAK = "a train leaves the station at noon and travels north at sixty kilometres an hour until it rains"


@pytest.mark.parametrize("leaking", ["questions", "answers"])
async def test_g12_what_shares_words_with_a_benchmark_is_dropped_and_reported(
    leaking: str, one: str, journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": f"Suppose {LEAK.upper()}!", "answer": "4"}))
    (tmp_path / "train.jsonl").write_text(json.dumps({"turns": [{"content": "Something that is else altogether."}]}))

    def leak(request: Request) -> Answer:
        return f"{made_up(content(request))} {LEAK}" if "concept 1.0" in str(request) else reply(request)

    def answer(request: Request) -> Answer:
        return f"{made_up(content(request))} {LEAK}" if hash_even(content(request)) else reply(request)

    professor = Professor({**one_subject(*[3] * 10), leaking: leak if leaking == "questions" else answer})
    files = tuple(str(tmp_path / name) for name in ("test.jsonl", "train.jsonl"))
    outcome = await ask(GLAN(taxonomy=one, queries=1, decontaminate=files), professor, journal, 60)
    assert len(outcome.kept) == 60  # others were asked in their place
    dropped = [record for record in outcome.records if record.dropped]
    assert dropped and {record.dropped.reason for record in dropped if record.dropped} == {"contaminated"}
    assert all("test.jsonl:1" in record.dropped.detail for record in dropped if record.dropped)
    assert not any(LEAK in str(record.fields) for record in outcome.kept)
    report = outcome.run.notes["decontamination"]
    assert isinstance(report, dict)
    assert report["ngram"] == 13
    assert report["benchmarks"]["test.jsonl"]["found"] == {"ngram": len(dropped)}
    assert report["benchmarks"]["test.jsonl"]["examples"][0]["row"] == "test.jsonl:1"
    assert report["benchmarks"]["train.jsonl"]["found"] == {}


@pytest.mark.parametrize(("question", "kept"), [("Why is  the SKY blue", 0), ("Why is the sky so blue?", 1)])
async def test_g12_a_short_question_is_looked_for_as_a_whole(
    question: str, kept: int, one: str, journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "Why is the sky blue?"}))
    professor = Professor({**one_subject(5), "questions": always(question)})
    options = GLAN(
        taxonomy=one,
        queries=1,
        out_of_range="keep",
        two_sessions=0,
        decontaminate=(str(tmp_path / "test.jsonl"),),
        max_questions=1,
    )
    outcome = await ask(options, professor, journal, 1)
    assert len(outcome.kept) == kept
    assert outcome.reasons() == [None if kept else "contaminated"]


def hash_even(text: str) -> bool:
    return sum(map(ord, text)) % 4 == 0


def test_g12_a_benchmark_that_cannot_be_read_is_an_error_before_anything_is_asked(one: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text('{"n": 3}\n')
    with pytest.raises(RecipeError, match="holds no text"):
        GLAN(taxonomy=one, decontaminate=(str(tmp_path / "empty.jsonl"),)).validate(Run({}, target=1))
    with pytest.raises(SourceError):
        GLAN(taxonomy=one, decontaminate=(str(tmp_path / "absent.jsonl"),)).validate(Run({}, target=1))
