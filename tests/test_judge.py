"""Judges by rubric and by comparison: what they see, what is null, what is counted, how far they agree with people."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth import Completion, Drop, FakeBackend, Record, Request
from llmsynth.errors import RecipeError, SourceError
from llmsynth.families import families_of
from llmsynth.journal import Journal
from llmsynth.prompts import Prompts, shipped_folder
from llmsynth.request import Failure
from llmsynth.rubric import rubric_of
from llmsynth.steps._task import Columns
from llmsynth.steps.consistency import SelfConsistency
from llmsynth.steps.deita import Deita
from llmsynth.steps.judge import Judge
from llmsynth.steps.pairwise import PairwiseJudge
from llmsynth.steps.tags import Tags
from tests.judging import apply, asked, between, row, run_of

MARKS = "No fault.\ncorrectness: 5\ncompliance: 4\nclarity: 3"


def test_the_judge_sees_instruction_input_source_and_answer(journal: Journal) -> None:
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(asked(request))
        return MARKS

    apply(Judge(), [row(input="Europe", source="Rivers of Europe: the Danube."), row("s")], run_of(journal, judge))
    shown = {tag: between(seen[0], tag) for tag in ("instruction", "input", "source", "answer")}
    assert shown == {
        "instruction": "Name a river.",
        "input": "Europe",
        "source": "Rivers of Europe: the Danube.",
        "answer": "The Danube.",
    }
    assert "<input>" not in seen[1]
    assert "<source>" not in seen[1]


def test_marks_become_scores_and_their_weighted_mean(journal: Journal) -> None:
    (done,) = apply(Judge(), [row()], run_of(journal, lambda _: MARKS))
    assert done.scores == {
        "judge": pytest.approx((3 * 5 + 2 * 4 + 3) / 6, abs=1e-4),
        "judge_correctness": 5,
        "judge_compliance": 4,
        "judge_clarity": 3,
    }
    assert done.dropped is None


def test_an_unreadable_verdict_is_no_score_and_is_counted(journal: Journal) -> None:
    replies = {"a": MARKS, "b": "I would rather not.", "c": "correctness: 5\ncompliance: 9\nclarity: 3"}
    run = run_of(journal, lambda request: replies[between(asked(request), "answer")])
    done = apply(Judge(), [row(id, output=id) for id in "abc"], run)
    assert ["judge" in record.scores for record in done] == [True, False, False]
    assert done[1].scores == {}
    assert done[1].meta["judge_unscored"] == "unreadable_verdict: no mark for correctness, compliance, clarity"
    assert done[2].scores == {"judge_correctness": 5, "judge_clarity": 3}
    assert done[2].meta["judge_unscored"] == "unreadable_verdict: no mark for compliance"
    assert all(record.dropped is None for record in done)
    told = run.notes["judge"]
    assert isinstance(told, dict)
    assert (told["scored"], told["unscored"]) == (1, {"unreadable_verdict": 2})


@pytest.mark.parametrize(
    ("step", "name", "detail"),
    [
        (Judge(), "judge", "no mark for correctness, compliance, clarity"),
        (PairwiseJudge(), "pairwise", "in both orders"),
        (Tags(), "tags", ""),
        (Deita(), "deita", "complexity"),
        (SelfConsistency(samples=2), "self_consistency", "none of 2 answers tells a text"),
    ],
)
def test_a_reply_that_the_token_limit_cut_before_it_said_anything_is_called_that(
    journal: Journal, step: Any, name: str, detail: str
) -> None:
    run = run_of(journal, lambda request: Completion("<think>\nLet us see", "length"))
    (done,) = apply(step, [row(prompt="Name a river.", chosen="good", rejected="bad")], run)
    assert done.scores == {} and done.dropped is None
    assert done.meta[f"{name}_unscored"] == (f"truncated: {detail}" if detail else "truncated")
    assert run.notes[name]["unscored"] == {"truncated": 1}  # type: ignore[index]


def test_a_request_that_failed_makes_the_record_fail_so_that_it_is_asked_again(journal: Journal) -> None:
    answer: str | Completion = Completion("", "error", failure=Failure("timeout", "no answer within 9 s", 5))
    run = run_of(journal, lambda _: answer)
    (done,) = apply(Judge(), [row()], run)
    assert done.dropped == Drop("timeout", "judge: no answer within 9 s (5 attempts)", failed=True)
    assert run.notes["judge"] == {"scored": 0, "unscored": {}, "failed": {"timeout": 1}}


def test_an_answer_that_is_withheld_for_good_is_no_score(journal: Journal) -> None:
    (done,) = apply(Judge(), [row()], run_of(journal, lambda _: Completion("", "content_filter")))
    assert done.dropped is None
    assert done.meta["judge_unscored"].startswith("content_filter")
    assert done.scores == {}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record("r", {"instruction": "Name a river."}), "no_text: the field 'output' is missing"),
        (row(output=""), "no_text: the field 'output' is empty"),
        (Record("r", {"instruction": ["x"], "output": "y"}), "no_text: the field 'instruction' holds a list"),
        (row(output="x" * 10_000_000), "too_long: 10,000,013 characters"),
    ],
)
def test_a_record_without_a_task_is_not_asked_about(journal: Journal, record: Record, reason: str) -> None:
    run = run_of(journal, lambda _: pytest.fail("nothing is to be asked"))
    (done,) = apply(Judge(), [record], run)
    assert done.meta["judge_unscored"] == reason
    assert done.scores == {}


def test_numbers_and_conversations_are_tasks_too(journal: Journal) -> None:
    turns = [("user", "Hello"), ("assistant", "Hi."), ("user", "Name a river."), ("assistant", "The Danube.")]
    talk = Record("t", {"messages": [{"role": role, "content": content} for role, content in turns]})
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(asked(request))
        return MARKS

    done = apply(Judge(), [row(output=4), talk], run_of(journal, judge))
    assert all("judge" in record.scores for record in done)
    assert between(seen[0], "answer") == "4"
    assert between(seen[1], "answer") == "The Danube."
    assert between(seen[1], "instruction") == "user: Hello\n\nassistant: Hi.\n\nuser: Name a river."


def test_conversations_may_be_written_as_sharegpt_writes_them(journal: Journal) -> None:
    talk = Record("t", {"messages": [{"from": "human", "value": "Name a river."}, {"from": "gpt", "value": "Danube."}]})
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(asked(request))
        return MARKS

    apply(Judge(), [talk], run_of(journal, judge))
    assert (between(seen[0], "instruction"), between(seen[0], "answer")) == ("Name a river.", "Danube.")


def test_dropped_records_are_left_alone(journal: Journal) -> None:
    dropped = row().drop("too_short")
    assert apply(Judge(), [dropped], run_of(journal, lambda _: pytest.fail("asked"))) == [dropped]


def test_the_result_is_the_same_whatever_the_batches_and_is_not_paid_for_twice(tmp_path: Path) -> None:
    records = [row(str(n), output=f"River {n % 5}.") for n in range(20)]
    calls: list[str] = []

    def judge(request: Request) -> str:
        calls.append(between(asked(request), "answer"))
        return f"correctness: {1 + len(calls) % 5}\ncompliance: 4\nclarity: 4"

    first = Journal(tmp_path / "journal.jsonl")
    done = apply(Judge(), records, run_of(first, judge), batch=7)
    first.close()
    assert len(calls) == 20
    again = Journal(tmp_path / "journal.jsonl")
    assert apply(Judge(), records, run_of(again, lambda _: pytest.fail("asked twice")), batch=3) == done
    again.close()


def test_the_trail_tells_what_the_judge_was_asked(journal: Journal) -> None:
    made = Record(
        "r",
        row().fields,
        {
            "journal": ["k"],
            "stages": ["instances"],
            "prompts": ["p@1"],
            "models": ["m"],
            "sampling": [{}],
            "finish_reasons": ["stop"],
        },
    )
    (done,) = apply(Judge(), [made], run_of(journal, lambda _: MARKS))
    assert done.meta["stages"] == ["instances", "judge"]
    assert done.meta["models"] == ["m", "fake"]
    assert done.meta["prompts"][1].startswith("judge/absolute@")
    assert len({len(done.meta[name]) for name in ("journal", "stages", "prompts", "models", "sampling")}) == 1
    assert done.meta["completions"] == 1


def test_a_judge_of_the_generators_family_warns_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    trail = {"models": ["Qwen/Qwen3-8B"], "journal": ["k"]}
    made = [Record(str(n), row(output=str(n)).fields, trail) for n in range(3)]
    judges = {"default": FakeBackend(lambda _: MARKS, "qwen-max"), "other": FakeBackend(lambda _: MARKS, "gpt-5")}
    run = run_of(journal, judges)
    with caplog.at_level(logging.WARNING):
        done = apply(Judge(), made, run, batch=1)
        apply(Judge(role="other", name="other"), done, run, batch=1)
    warnings = [record.message for record in caplog.records]
    assert len(warnings) == 1
    assert "qwen-max is of the family of Qwen/Qwen3-8B (qwen)" in warnings[0]
    assert run.notes["judge"]["same_family"] == ["Qwen/Qwen3-8B"]  # type: ignore[index]
    assert run.notes["other"]["same_family"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("gpt-4o-mini", {"gpt"}),
        ("openai/o3-mini", {"gpt"}),
        ("Qwen/Qwen3-8B", {"qwen"}),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", {"deepseek", "llama"}),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", {"mistral"}),
        ("microsoft/phi-4", {"phi"}),
        ("anthropic/claude-sonnet-4", {"claude"}),
        ("gemma-3-27b-it", {"gemini"}),
        ("llmsynth-pocket", {"llmsynth"}),
        ("acme/house_model-2", {"house"}),
        ("7b", {"7b"}),
    ],
)
def test_the_family_is_told_by_the_name(name: str, families: set[str]) -> None:
    assert families_of(name) == families


def gold_file(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return str(path)


def test_agreement_with_people_is_told(journal: Journal, tmp_path: Path) -> None:
    people = [5, 4, 3, 2, 1, 1]
    ours = [5, 4, 4, 2, 1, None]
    rows = [{"output": f"g{n}", "correctness": mark, "judge": mark} for n, mark in enumerate(people)]
    gold = gold_file(tmp_path, [{"instruction": "Do it.", **marked} for marked in rows])

    def judge(request: Request) -> str:
        answer = between(asked(request), "answer")
        mark = ours[int(answer[1:])] if answer.startswith("g") else 3
        return f"correctness: {mark}\ncompliance: {mark}\nclarity: {mark}"

    run = run_of(journal, judge)
    done = apply(Judge(gold=gold), [row(), row("s")], run, batch=1)
    told = run.notes["judge"]["agreement"]  # type: ignore[index]
    assert set(told) == {"judge", "correctness"}
    assert told["judge"]["rows"] == 5
    assert told["judge"]["unread"] == 1
    assert told["judge"]["accuracy"] == 0.8
    assert told["judge"]["cohen_kappa"] == pytest.approx((0.8 - 5 / 25) / (1 - 5 / 25))
    assert told["judge"]["spearman"] == pytest.approx(0.9747, abs=1e-4)
    assert told["judge"]["bias"] == 0.2
    assert run.notes["judge"]["scored"] == 2  # type: ignore[index]
    assert all(record.scores["judge"] == 3 for record in done)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"instruction": "Do it.", "output": "x"}], "holds no verdict"),
        ([{"instruction": "Do it.", "judge": 3}], "gold.jsonl:1: the field 'output' is missing"),
        (
            [{"instruction": "Do it.", "output": "x", "judge": "good"}],
            "gold.jsonl:1: judge is 'good', which is no mark",
        ),
        (
            [{"instruction": "Do it.", "output": "x", "judge": 3}] * 2
            + [{"instruction": "Do it.", "output": "x", "clarity": "nan"}],
            "gold.jsonl:3: clarity is 'nan', which is no mark",
        ),
    ],
)
def test_a_gold_file_that_cannot_be_used_is_located_before_anything_is_asked(
    journal: Journal, tmp_path: Path, rows: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(SourceError, match=said.replace(".", r"\.")):
        Judge(gold=gold_file(tmp_path, rows)).validate(run_of(journal, lambda _: MARKS))


# comparing two answers


def pair(id: str = "r", chosen: str = "good", rejected: str = "bad") -> Record:
    return Record(id, {"prompt": "Name a river.", "chosen": chosen, "rejected": rejected})


def prefers(**verdicts: str) -> Any:
    """A judge that answers by the two answers it sees, such as good_bad="A"."""

    def judge(request: Request) -> str:
        return verdicts["_".join((between(asked(request), "answer_a"), between(asked(request), "answer_b")))]

    return judge


@pytest.mark.parametrize(
    ("straight", "swapped", "score", "noted"),
    [
        ("Verdict: A", "Verdict: B", 1.0, "verdict_first"),
        ("Verdict: B", "Verdict: A", 0.0, "verdict_second"),
        ("Verdict: tie", "Verdict: tie", 0.5, "verdict_tie"),
        ("Verdict: A", "Verdict: A", 0.5, "first_place_won_twice"),
        ("Verdict: B", "Verdict: B", 0.5, "second_place_won_twice"),
        ("Verdict: A", "Verdict: tie", 0.5, "verdict_tie"),
    ],
)
def test_both_orders_must_agree_or_it_is_a_tie(
    journal: Journal, straight: str, swapped: str, score: float, noted: str
) -> None:
    run = run_of(journal, prefers(good_bad=straight, bad_good=swapped))
    (done,) = apply(PairwiseJudge(), [pair()], run)
    assert done.scores == {"pairwise": score}
    assert run.notes["pairwise"][noted] == 1  # type: ignore[index]
    assert len(done.meta["journal"]) == 2


@pytest.mark.parametrize(("swapped", "which"), [("Verdict: A", "one order"), ("?", "both orders")])
def test_a_comparison_that_cannot_be_read_is_no_score(journal: Journal, swapped: str, which: str) -> None:
    run = run_of(journal, prefers(good_bad="?", bad_good=swapped))
    (done,) = apply(PairwiseJudge(), [pair()], run)
    assert done.scores == {}
    assert done.meta["pairwise_unscored"] == f"unreadable_verdict: in {which}"
    assert run.notes["pairwise"]["unscored"] == {"unreadable_verdict": 1}  # type: ignore[index]


def test_conversations_are_compared_by_their_last_answers(journal: Journal) -> None:
    talks = {
        name: [{"role": "user", "content": "Name a river."}, {"role": "assistant", "content": name}]
        for name in ("good", "bad")
    }
    record = Record("r", {"prompt": "Name a river.", "chosen": talks["good"], "rejected": talks["bad"]})
    (done,) = apply(PairwiseJudge(), [record], run_of(journal, prefers(good_bad="Verdict: A", bad_good="Verdict: B")))
    assert done.scores == {"pairwise": 1.0}


def test_agreement_of_comparisons_with_people_is_told(journal: Journal, tmp_path: Path) -> None:
    rows = [
        {"prompt": "Name a river.", "chosen": "good", "rejected": "bad", "better": better}
        for better in ("first", "A", "chosen", "tie", "rejected")
    ]
    run = run_of(journal, prefers(good_bad="Verdict: A", bad_good="Verdict: B"))
    apply(PairwiseJudge(gold=gold_file(tmp_path, rows)), [pair()], run)
    told = run.notes["pairwise"]["agreement"]["better"]  # type: ignore[index]
    assert told == {"rows": 5, "unread": 0, "accuracy": 0.6, "cohen_kappa": 0.0}


def test_two_answers_in_one_field_are_refused() -> None:
    with pytest.raises(RecipeError, match="both answers"):
        PairwiseJudge(first="chosen", second="chosen")


# rubrics


@pytest.mark.parametrize("name", [path.stem for path in sorted((shipped_folder() / "judge/rubrics").glob("*.yaml"))])
def test_a_shipped_rubric_is_whole_and_is_asked_for_as_it_is_read(name: str, journal: Journal) -> None:
    rubric = rubric_of(name, Prompts())
    assert all(criterion.ask and len(criterion.levels) >= 3 for criterion in rubric.criteria)
    marks = "\n".join(f"{criterion}: {rubric.most}" for criterion in rubric.names)
    (done,) = apply(Judge(rubric=name), [row()], run_of(journal, lambda _: marks))
    assert done.scores["judge"] == rubric.most


def test_a_rubric_of_ones_own_is_a_file(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    data = {
        "purpose": "Judge the rhyme.",
        "least": 0,
        "most": 10,
        "criteria": [{"name": "rhyme", "ask": "does it rhyme?", "levels": {0: "no", 10: "yes"}}],
    }
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    (done,) = apply(Judge(rubric=str(path)), [row()], run_of(journal, lambda _: "Score: 7"))
    assert done.scores == {"judge": 7, "judge_rhyme": 7}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"criteria": []}, "has criteria"),
        ({"criteria": [{"name": "a", "ask": "?"}, {"name": "A", "ask": "?"}]}, "a name of its own"),
        ({"criteria": [{"name": "a", "ask": "?", "weight": 0}]}, "above 0"),
        ({"criteria": [{"name": "a", "ask": "?", "levels": {9: "x"}}]}, "not on the scale"),
        ({"criteria": [{"name": "a", "asks": "?"}]}, "rubric.criteria[0].asks: unknown key"),
        ({"criteria": ["a"]}, "expected a mapping"),
        ({"most": 1}, "the scale runs from 1 to 1"),
        ({"porpose": "x"}, "unknown key"),
    ],
)
def test_a_rubric_that_makes_no_sense_is_located(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "mine.yaml"
    data = {"purpose": "Judge.", "criteria": [{"name": "a", "ask": "?"}], **change}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(RecipeError) as told:
        rubric_of(str(path), Prompts())
    assert str(path) in told.value.message
    assert said in told.value.message


def test_judges_can_be_pickled_after_use(journal: Journal) -> None:
    step = Judge(columns=Columns(output="answer"))
    apply(step, [Record("r", {"instruction": "Do it.", "answer": "Done."})], run_of(journal, lambda _: MARKS))
    assert pickle.loads(pickle.dumps(step)) == Judge(columns=Columns(output="answer"))
