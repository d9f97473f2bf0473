"""What scores go by, and what categories lose."""

from __future__ import annotations

import random

import pytest

from llmsynth import Record
from llmsynth.score_report import ScoreReport, lines


def test_a_score_that_goes_with_length_is_told() -> None:
    rng = random.Random(0)
    report = ScoreReport()
    for n in range(300):
        words = rng.randint(1, 60)
        scores = {"longer": words**2 / 7, "shorter": -float(words), "free": rng.random(), "same": 1.0}
        report.add(Record(str(n), {"output": "word " * words}, scores=scores))
    told = report.told()["scores"]
    assert told["longer"]["spearman_with_length"] == 1
    assert told["shorter"]["spearman_with_length"] == -1
    assert told["longer"]["pearson_with_length"] < 1
    assert abs(told["free"]["spearman_with_length"]) < 0.2
    assert told["same"]["spearman_with_length"] is None
    assert told["same"] | {"mean": 1.0, "deviation": 0.0, "rows": 300} == told["same"]


def test_scores_that_are_missing_are_counted() -> None:
    report = ScoreReport()
    report.add(Record("a", {"output": "x"}, scores={"judge": 3.0}))
    report.add(Record("b", {"output": "x y"}, {"judge_unscored": "unreadable_verdict"}))
    report.add(Record("c", {"output": "x"}, scores={"judge": float("nan")}))
    told = report.told()["scores"]["judge"]
    assert (told["rows"], told["missing"], told["mean"]) == (1, 2, 3.0)


def test_the_length_of_a_conversation_is_that_of_its_last_answer() -> None:
    report = ScoreReport()
    for n in (1, 5, 9):
        turns = [{"role": "user", "content": "a b c d"}, {"role": "assistant", "content": "word " * n}]
        report.add(Record(str(n), {"messages": turns}, scores={"s": float(n)}))
    assert report.told()["scores"]["s"]["pearson_with_length"] == 1


def test_what_is_told_does_not_depend_on_the_order_and_holds_few_rows() -> None:
    rng = random.Random(1)
    records = [
        Record(f"r{n}", {"output": "word " * rng.randint(1, 30)}, scores={"s": rng.random()}) for n in range(2000)
    ]
    told = []
    for order in (records, records[::-1]):
        report = ScoreReport(most=100)
        for record in order:
            report.add(record)
        told.append(report.told())
        assert len(report._scores["s"]._values) <= 100
    assert told[0] == told[1]
    assert told[0]["scores"]["s"]["rows"] == 2000


def test_a_category_that_loses_most_comes_first() -> None:
    report = ScoreReport(by=("skill",))
    for n in range(20):
        skill = "code" if n < 5 else "prose"
        record = Record(str(n), {"skill": skill, "output": "x"})
        report.add(record.drop("too_short") if n in (0, 1, 2, 3, 19) else record)
    told = report.told()["categories"]["skill"]
    assert list(told) == ["code", "prose"]
    assert told["code"] == {
        "in": 5,
        "kept": 1,
        "kept_share": 0.2,
        "to_overall": pytest.approx(0.2667, abs=1e-4),
        "dropped": {"too_short": 4},
    }


def test_categories_may_be_provenance_or_missing_and_are_not_without_end() -> None:
    report = ScoreReport(by=("round",))
    report.add(Record("a", {}, {"round": 1}))
    report.add(Record("b", {}))
    for n in range(300):
        report.add(Record(f"c{n}", {}, {"round": 1000 + n}))
    told = report.told()["categories"]["round"]
    assert told["1"]["in"] == told["(none)"]["in"] == 1
    assert told["(other)"]["in"] == 302 - 200
    assert sum(group["in"] for group in told.values()) == 302


def test_people_can_read_it() -> None:
    report = ScoreReport(by=("skill",))
    for n in range(4):
        scores = {"judge": float(n), "same": 1.0} if n else {}
        meta = {} if n else {"judge_unscored": "unreadable_verdict"}
        record = Record(str(n), {"output": "word " * (n + 1), "skill": "code" if n < 2 else "prose"}, meta, scores)
        report.add(record.drop("x") if n == 1 else record)
    notes = {"judge": {"agreement": {"judge": {"rows": 5, "accuracy": 0.8, "cohen_kappa": None}}}, "source": "x"}
    assert lines(report.told(), notes) == [
        "judge: 2 ± 0.82, +1.00 with length, 1 without",
        "same: 1 ± 0, constant",
        "judge against people, judge, 5 rows: accuracy 0.8",
        "kept by skill, the least first: code 50% of 2, prose 100% of 2",
    ]


def test_records_are_taken_as_they_pass() -> None:
    report = ScoreReport()
    records = [Record(str(n), {"output": "x"}, scores={"s": 1.0}) for n in range(3)]
    assert list(report.by_passing(records)) == records
    assert report.told()["scores"]["s"]["rows"] == 3


def test_a_step_that_gave_no_score_at_all_is_told() -> None:
    notes = {"judge": {"scored": 0, "unscored": {"no_text": 1, "unreadable_verdict": 1_008}, "failed": {}}, "a": "b"}
    told = ScoreReport().told()
    assert lines(told, notes) == ["judge: not a single row has a score (no_text 1, unreadable_verdict 1,008)"]
    assert lines(told, {"judge": notes["judge"] | {"scored": 3}}) == []
