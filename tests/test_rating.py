"""Blind rating without a server: what is shown, chosen, kept and told."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth import Record
from llmsynth.dataset import RecordWriter
from llmsynth.errors import RecipeError, RunError, SourceError
from llmsynth.rating import Source, Study, choose_pairs, choose_rows, report, report_lines
from llmsynth.rating.entries import Part
from llmsynth.rating.log import RatingLog, file_name, read_logs, standing
from llmsynth.rating.session import Session, WrongRatingError
from llmsynth.rating.study import for_page, study_of
from llmsynth.rubric import Criterion, Rubric

RUBRIC = Rubric("How good?", (Criterion("truth", "is it true?", 3), Criterion("form", "is it plain?")), 1, 5, "own@1")


def rows_file(path: Path, rows: list[dict[str, Any]]) -> Source:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Source(path)


def tasks(count: int, who: str = "a", same_answers: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"{who}-{i}", "instruction": f"Question {i}?", "output": f"answer {i} {'' if i < same_answers else who}"}
        for i in range(count)
    ]


def run_folder(path: Path, records: list[Record]) -> Source:
    path.mkdir()
    (path / "recipe.yaml").write_text("name: a\n")
    writer = RecordWriter(path / "records")
    writer.write(records)
    writer.close()
    return Source(path)


def shown(source: Source) -> list[tuple[list[Part], list[Part]]]:
    return [([*entry.question], [*entry.answer]) for entry in source.entries()]


# what is shown


def test_a_row_is_shown_under_labels_that_tell_nothing_of_its_columns(tmp_path: Path) -> None:
    row = {"question": "Why?", "context": "A sky.", "response": "So.", "model": "big-model", "source": "a set"}
    source = rows_file(tmp_path / "a.jsonl", [row])
    assert shown(source) == [([Part("Instruction", "Why?"), Part("Input", "A sky.")], [Part("Answer", "So.")])]
    source = Source(tmp_path / "a.jsonl", on=("context", "model"))
    assert shown(source) == [([Part("Instruction", "A sky.")], [Part("Answer", "big-model")])]
    with pytest.raises(RecipeError, match="no column nothing"):
        shown(Source(tmp_path / "a.jsonl", on=("nothing",)))


def test_a_conversation_is_shown_by_its_turns(tmp_path: Path) -> None:
    calls = [{"function": {"name": "look_up"}}]
    turns = [("system", "Be short."), ("user", "Hi"), ("assistant", "Hello"), ("user", "More"), ("assistant", "Here.")]
    messages: list[dict[str, Any]] = [{"role": who, "content": text} for who, text in turns]
    messages[2]["tool_calls"] = calls
    ((question, answer),) = shown(rows_file(tmp_path / "a.jsonl", [{"messages": messages}]))
    assert [part.label for part in question] == ["System", "User", "Answer", "User"]
    assert "look_up" in question[2].text
    assert answer == [Part("Answer", "Here.")]
    said = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    assert shown(rows_file(tmp_path / "b.jsonl", [{"conversations": said}])) == [
        ([Part("User", "Hi")], [Part("Answer", "Hello")])
    ]


def test_a_plain_text_and_a_preference_are_shown_too(tmp_path: Path) -> None:
    assert shown(rows_file(tmp_path / "a.jsonl", [{"text": "Once."}])) == [([], [Part("Text", "Once.")])]
    pair = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
    assert shown(rows_file(tmp_path / "b.jsonl", [pair])) == [([Part("Instruction", "Why?")], [Part("Answer", "So.")])]


def test_the_text_that_a_task_is_about_is_shown_and_the_name_of_a_set_is_not(tmp_path: Path) -> None:
    passage = " ".join(["word"] * 40)
    rows = [{"instruction": "Why?", "output": "So.", "source": text} for text in ("sharegpt", passage)]
    first, second = shown(rows_file(tmp_path / "a.jsonl", rows))
    assert [part.label for part in first[0]] == ["Instruction"]
    assert [part.label for part in second[0]] == ["Source", "Instruction"]


def test_a_run_shows_its_kept_records_with_their_scores(tmp_path: Path) -> None:
    fields = {"instruction": "Why?", "output": "So."}
    records = [Record("1", fields, scores={"judge": 4.0}), Record("2", {**fields, "output": "bad"}).drop("echo")]
    (entry,) = run_folder(tmp_path / "run", records).entries()
    assert (entry.id, entry.scores) == ("1", {"judge": 4.0})


def test_unreadable_and_empty_rows_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"instruction": "Why?", "output": ""}\nnonsense\n{"instruction": "", "output": " "}\n'
    )
    source = Source(tmp_path / "a.jsonl")
    assert len(list(source.entries())) == 1
    assert (source.unreadable, source.empty) == (1, 1)


# what is chosen


def test_the_same_seed_draws_the_same_rows_whatever_their_order(tmp_path: Path) -> None:
    rows = tasks(50)
    forth, back = rows_file(tmp_path / "a.jsonl", rows), rows_file(tmp_path / "b.jsonl", rows[::-1])
    drawn = [item.key for item in choose_rows(forth, 20, 1).items]
    assert drawn == [item.key for item in choose_rows(back, 20, 1).items]
    assert drawn[:5] == [item.key for item in choose_rows(forth, 5, 1).items]
    assert drawn != [item.key for item in choose_rows(forth, 20, 2).items]
    assert len(choose_rows(forth, 100, 1).items) == 50


def test_equal_rows_are_rated_once(tmp_path: Path) -> None:
    chosen = choose_rows(rows_file(tmp_path / "a.jsonl", [*tasks(3), *tasks(3)]), 100, 0)
    assert (len(chosen.items), chosen.there) == (3, 3)


def test_pairs_are_answers_to_one_question_where_there_are_any(tmp_path: Path) -> None:
    ours = rows_file(tmp_path / "a.jsonl", tasks(30, "a", same_answers=4))
    theirs = rows_file(tmp_path / "b.jsonl", tasks(20, "b", same_answers=4)[::-1])
    chosen = choose_pairs(ours, theirs, 100, 0)
    assert (chosen.pairing, len(chosen.items), chosen.there, chosen.alike) == ("same", 16, 16, 4)
    for item in chosen.items:
        assert item.ids[0].removeprefix("a-") == item.ids[1].removeprefix("b-")
        (question,) = item.question
        (mine,), (other,) = item.sides
        assert question.text == f"Question {item.ids[0][2:]}?"
        assert mine.text.endswith(" a") and other.text.endswith(" b")
    assert [item.key for item in choose_pairs(ours, theirs, 5, 0).items] == [item.key for item in chosen.items[:5]]


def test_rows_without_a_common_question_are_paired_at_random_each_with_its_own(tmp_path: Path) -> None:
    ours = rows_file(tmp_path / "a.jsonl", tasks(10))
    theirs = rows_file(tmp_path / "b.jsonl", [{"instruction": f"Other {i}", "output": "x"} for i in range(7)])
    chosen = choose_pairs(ours, theirs, 100, 0)
    assert (chosen.pairing, len(chosen.items)) == ("random", 7)
    for item in chosen.items:
        assert item.question == ()
        assert [part.label for part in item.sides[0]] == ["Instruction", "Answer"]
    with pytest.raises(SourceError, match="share no question"):
        choose_pairs(ours, theirs, 100, 0, "same")


def test_two_sources_that_answer_alike_are_no_pairs(tmp_path: Path) -> None:
    source = rows_file(tmp_path / "a.jsonl", tasks(5))
    with pytest.raises(SourceError, match="all 5 have the same answer"):
        choose_pairs(source, source, 10, 0)


def test_a_source_without_a_row_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("nonsense\n")
    with pytest.raises(SourceError, match="1 unreadable"):
        choose_rows(Source(tmp_path / "a.jsonl"), 5, 0)


# what is kept


def test_a_torn_tail_costs_the_torn_line_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ratings" / "anna.jsonl"
    log = RatingLog(path)
    log.append({"study": "s", "item": "1"})
    log.append({"study": "s", "item": "2"})
    log.close()
    whole = path.read_bytes()
    for end in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:end])
        log = RatingLog(path)
        assert [line["item"] for line in log.lines] == ["1"]
        log.append({"study": "s", "item": "3"})
        log.close()
        assert path.read_bytes().count(b"\n") == 2
    assert "torn last line" in caplog.text


def test_a_damaged_line_in_the_middle_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "ratings" / "anna.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"item": "1"}\n\x00\xff{\n[1]\n{"item": "2"}\n')
    log = RatingLog(path)
    assert [line["item"] for line in log.lines] == ["1", "2"]
    log.close()
    assert [line["item"] for line in read_logs(tmp_path)["anna"]] == ["1", "2"]


def test_a_file_is_open_in_one_process_at_a_time(tmp_path: Path) -> None:
    log = RatingLog(tmp_path / "ratings" / "anna.jsonl")
    with pytest.raises(RunError, match="anna is rating in another"):
        RatingLog(tmp_path / "ratings" / "anna.jsonl")
    log.close()
    assert list((tmp_path / "ratings").iterdir()) == []  # nobody has rated
    RatingLog(tmp_path / "ratings" / "anna.jsonl").close()


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmsynth.errors import StorageError

    log = RatingLog(tmp_path / "ratings" / "anna.jsonl")
    log.append({"item": "1"})
    write, calls = os.write, [0]

    def full(fd: int, data: Any) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(28, "No space left on device")
        return write(fd, bytes(data)[:5])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StorageError, match="the disk is full"):
            log.append({"item": "2"})
    log.append({"item": "3"})
    log.close()
    assert [line["item"] for line in read_logs(tmp_path)["anna"]] == ["1", "3"]


@pytest.mark.parametrize("name", ["Anna", "  anna ", "ANNA"])
def test_a_name_is_one_person_however_it_is_written(name: str) -> None:
    assert file_name(name) == "anna"


@pytest.mark.parametrize("name", ["Zoë", "Li-Wei 2", "o'Neil", "a", "d.b", "山田"])
def test_names_of_people_are_names(name: str) -> None:
    assert file_name(name) == name.casefold()


@pytest.mark.parametrize(
    "name", ["", " ", "..", "../x", "a/b", "a\\b", ".hidden", "a.", "-x", "a\0", "a\nb/..", "x" * 41, "con:", "山" * 41]
)
def test_what_could_leave_the_folder_is_no_name(name: str) -> None:
    assert file_name(name) is None


# how a rater goes through


def session(tmp_path: Path, name: str = "anna", count: int = 6, seed: int = 0, kind: str = "rows") -> Session:
    ours = rows_file(tmp_path / "a.jsonl", tasks(count, "a"))
    if kind == "rows":
        items, study = choose_rows(ours, count, seed).items, Study("rows", RUBRIC, "../a.jsonl")
    else:
        theirs = rows_file(tmp_path / "b.jsonl", tasks(count, "b"))
        items = choose_pairs(ours, theirs, count, seed).items
        study = Study("pairs", RUBRIC, "../a.jsonl", "../b.jsonl", "same")
    return Session(study, items, RatingLog(tmp_path / "home" / "ratings" / f"{name}.jsonl"), name, seed)


MARKS = {"marks": {"truth": 4, "form": None}, "comment": " fine "}


def answers(opened: Session, verdict: dict[str, Any] = MARKS) -> list[str]:
    """The answers shown, each of them rated, to the end."""
    seen = []
    while (now := opened.state()["shown"]) is not None:
        seen.append(" | ".join(part["text"] for side in now["sides"] for part in side))
        opened.rate(now["place"], verdict)
    return seen


def test_every_rater_sees_the_same_rows_in_an_order_of_their_own(tmp_path: Path) -> None:
    seen = {}
    for name in ("anna", "ben", "cleo"):
        opened = session(tmp_path, name)
        seen[name] = answers(opened)
        opened.close()
    assert len({tuple(sorted(rows)) for rows in seen.values()}) == 1
    assert len({tuple(rows) for rows in seen.values()}) == 3


def test_a_rater_goes_on_where_the_last_session_stopped(tmp_path: Path) -> None:
    whole = session(tmp_path, "anna")
    everything = answers(whole)
    whole.close()
    (tmp_path / "home" / "ratings" / "anna.jsonl").unlink()
    seen = []
    for _ in range(3):
        opened = session(tmp_path, "anna")
        for _ in range(2):
            now = opened.state()["shown"]
            seen.append(now["sides"][0][0]["text"])
            opened.rate(now["place"], MARKS)
        opened.close()
    assert seen == everything
    opened = session(tmp_path, "anna")
    state = opened.state()
    opened.close()
    assert (state["done"], state["shown"]) == (6, None)


def test_undo_shows_the_last_item_again_with_what_was_said(tmp_path: Path) -> None:
    opened = session(tmp_path)
    first = opened.state()["shown"]
    opened.rate(first["place"], MARKS)
    second = opened.state()["shown"]
    opened.rate(second["place"], {"skip": True})
    assert opened.state()["skipped"] == 1
    opened.undo()
    assert opened.state()["shown"]["place"] == second["place"]
    opened.undo()
    again = opened.state()
    assert (again["done"], again["can_undo"]) == (0, False)
    assert again["shown"]["place"] == first["place"]
    assert again["shown"]["earlier"] == {"marks": {"truth": 4, "form": None}, "comment": "fine"}
    with pytest.raises(WrongRatingError, match="nothing to undo"):
        opened.undo()
    opened.rate(first["place"], {"marks": {"truth": 1, "form": 2}})
    assert opened.state()["shown"]["place"] == second["place"]
    opened.close()
    lines = read_logs(tmp_path / "home")["anna"]
    assert len(lines) == 6  # the study, three ratings and two withdrawals: nothing is ever deleted
    assert [line["marks"] for line in standing(lines, lines[0]["study"]).values()] == [{"truth": 1, "form": 2}]


@pytest.mark.parametrize(
    "verdict",
    [
        {},
        {"marks": {"truth": 4}},
        {"marks": {"truth": 4, "form": 6}},
        {"marks": {"truth": 4, "form": 0}},
        {"marks": {"truth": True, "form": 2}},
        {"marks": {"truth": 4.0, "form": 2}},
        {"marks": {"truth": "4", "form": 2}},
        {"marks": {"truth": None, "form": None}},
        {"marks": {"truth": 1, "form": 2, "more": 3}},
        {"marks": [1, 2]},
        {"skip": "yes"},
        {"choice": "left"},
        {**MARKS, "comment": 7},
        {**MARKS, "comment": "x" * 4_001},
    ],
)
def test_what_the_rubric_does_not_ask_for_is_refused_and_not_kept(tmp_path: Path, verdict: dict[str, Any]) -> None:
    opened = session(tmp_path)
    with pytest.raises(WrongRatingError):
        opened.rate(0, verdict)
    for place in (-1, 6, "0", None, True, 1.0):
        with pytest.raises(WrongRatingError, match="no such item"):
            opened.rate(place, MARKS)
    assert opened.state()["done"] == 0
    opened.close()
    assert read_logs(tmp_path / "home") == {}


def test_what_the_page_gets_tells_no_origin(tmp_path: Path) -> None:
    for kind in ("rows", "pairs"):
        opened = session(tmp_path, kind, kind=kind)
        told = json.dumps([opened.state(), for_page(opened.study)])
        opened.close()
        for secret in ("a-0", "b-0", "jsonl", "against", '"run"', "swapped", "ids", "source", str(tmp_path)):
            assert secret not in told.replace("a-0 ", "")


def test_the_sides_of_pairs_are_turned_for_about_half_and_kept_by_what_they_are(tmp_path: Path) -> None:
    opened = session(tmp_path, count=80, kind="pairs")
    runs_first = []
    while (now := opened.state()["shown"]) is not None:
        on_left = now["sides"][0][0]["text"].endswith("a")
        runs_first.append(on_left)
        opened.rate(now["place"], {"choice": "left"})
    opened.close()
    assert 25 < sum(runs_first) < 55
    lines = [line for line in read_logs(tmp_path / "home")["anna"] if "item" in line]
    assert [line["prefers"] for line in lines] == ["run" if first else "against" for first in runs_first]
    assert [line["run"] for line in lines] == ["left" if first else "right" for first in runs_first]


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["rate", "skip", "undo", "reopen"]), max_size=14))
def test_whatever_a_rater_does_the_log_says_what_stands(acts: list[str]) -> None:
    """A twin that holds the standing ratings in a list: the log, read again at any moment, comes to the same."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        opened = session(home)
        order = [item.key for item in opened._order]
        twin: list[tuple[str, str]] = []
        taken_back = None
        for act in acts:
            left = [key for key in order if key not in dict(twin)]
            now = opened.state()["shown"]
            assert (now and order[now["place"]]) == (taken_back or next(iter(left), None))
            if act == "reopen":
                opened.close()
                opened, taken_back = session(home), None
            elif act == "undo" and twin:
                opened.undo()
                taken_back = twin.pop()[0]
            elif act in ("rate", "skip") and now:
                opened.rate(now["place"], MARKS if act == "rate" else {"skip": True})
                twin.append((order[now["place"]], act))
                taken_back = None
        state = opened.state()
        opened.close()
        assert (state["done"], state["skipped"]) == (len(twin), [act for _, act in twin].count("skip"))
        lines = standing(read_logs(home / "home").get("anna", []), opened.study.id)
        assert [(key, "skip" if "skip" in line else "rate") for key, line in lines.items()] == twin


def test_a_study_is_told_from_the_log_alone() -> None:
    study = Study("pairs", RUBRIC, ".", "../b", "same", ("question", "answer"))
    again = study_of(orjson.loads(orjson.dumps(study.told())))
    assert again.id == study.id
    assert again.rubric.overall({"truth": 4, "form": 2}) == RUBRIC.overall({"truth": 4, "form": 2}) == 3.5
    assert Study("pairs", RUBRIC, ".", "../c", "same").id != study.id


# what it comes to


def rate_all(home: Path, source: Source, marks: dict[str, list[Any]], study: Study | None = None) -> None:
    """Ratings by several people: by name, what they say of the rows in their order."""
    study = study or Study("rows", RUBRIC, "." if source.path == home else os.path.relpath(source.path, home))
    items = choose_rows(source, 100, 0).items
    by_text = {entry.key: number for number, entry in enumerate(source.entries())}
    for name, values in marks.items():
        opened = Session(study, items, RatingLog(home / "ratings" / f"{name}.jsonl"), name.title(), 0)
        while (now := opened.state()["shown"]) is not None:
            value = values[by_text[opened._order[now["place"]].key]]
            opened.rate(now["place"], {"skip": True} if value == "skip" else {"marks": {"truth": value, "form": 3}})
        opened.close()


def test_marks_are_told_by_criterion_with_agreement_and_intervals(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    source = rows_file(tmp_path / "a.jsonl", tasks(10))
    rate_all(home, source, {"anna": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5], "ben": [1, 2, 3, 4, 5, 2, 2, 3, 4, "skip"]})
    (told,) = report(home)["studies"]
    assert told["raters"]["Ben"]["ratings"] == 9 and told["raters"]["Ben"]["skipped"] == 1
    assert (told["items"], told["rated_by_several"], told["ratings"], told["skipped"]) == (10, 9, 19, 1)
    truth = told["marks"]["truth"]
    assert truth["mean"] == pytest.approx((1 + 2 + 3 + 4 + 5 + 1.5 + 2 + 3 + 4 + 5) / 10)
    assert truth["interval"][0] < truth["mean"] < truth["interval"][1]
    assert truth["by_rater"]["Anna"] == 3
    assert truth["counts"] == {"1": 3, "2": 5, "3": 4, "4": 4, "5": 3}
    (kappa,) = truth["kappa"]
    assert (kappa["items"], kappa["equal"]) == (9, 0.8889)
    assert 0.8 < kappa["cohen_kappa"] < kappa["weighted_kappa"] < 1
    assert set(truth["alpha"]) == {"nominal", "ordinal", "interval"}
    low, high = truth["alpha"]["ordinal"]["interval"]
    assert low <= truth["alpha"]["ordinal"]["value"] <= high
    assert told["marks"]["form"]["alpha"]["nominal"] == {"value": None, "interval": None}  # all say 3
    assert told["marks"]["overall"]["mean"] == pytest.approx((3 * truth["mean"] + 3) / 4, abs=1e-3)
    text = "\n".join(report_lines({"studies": [told]}))
    assert "Anna and Ben on 9: equal 88.9 %" in text and "ordinal 0.9" in text


def test_one_rater_has_means_and_no_agreement(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    rate_all(home, rows_file(tmp_path / "a.jsonl", tasks(3)), {"anna": [1, 2, 3]})
    (told,) = report(home)["studies"]
    assert told["marks"]["truth"]["mean"] == 2
    assert "alpha" not in told["marks"]["truth"]
    assert report_lines({"studies": [told]})


def test_people_are_held_against_the_judges_of_the_run(tmp_path: Path) -> None:
    marks = [1, 2, 3, 4, 5, 5]
    records = [
        Record(
            str(i),
            {"instruction": f"Q{i}", "output": f"A{i}"},
            scores={"judge": (3 * mark + 3) / 4, "judge_truth": float(max(1, mark - 1)), "length": float(10 - mark)},
        )
        for i, mark in enumerate(marks)
    ]
    source = run_folder(tmp_path / "run", records)
    rate_all(source.path, source, {"anna": marks})
    (told,) = report(source.path)["studies"]
    assert told["source"] == "."
    scores = told["scores"]
    assert scores["judge"]["of"] == "overall" and scores["judge"]["pearson"] == 1 and scores["judge"]["bias"] == 0
    assert scores["judge_truth"]["of"] == "truth" and scores["judge_truth"]["bias"] == pytest.approx(-5 / 6, abs=1e-4)
    assert scores["length"] == {"of": "overall", "rows": 6, "spearman": -1.0, "pearson": -1.0}
    assert "score judge against people's overall, 6 rows" in "\n".join(report_lines({"studies": [told]}))


def choose_all(home: Path, study: Study, items: list[Any], name: str, prefers: list[str]) -> None:
    opened = Session(study, items, RatingLog(home / "ratings" / f"{name}.jsonl"), name, 0)
    wanted = {item.key: verdict for item, verdict in zip(items, prefers, strict=True)}
    while (now := opened.state()["shown"]) is not None:
        item = opened._order[now["place"]]
        run_first = now["sides"][0][0]["text"] == item.sides[0][0].text
        sides = {"run": "left" if run_first else "right", "against": "right" if run_first else "left", "tie": "tie"}
        opened.rate(now["place"], {"choice": sides[wanted[item.key]]})
    opened.close()


def test_preference_is_a_win_rate_of_decided_pairs_with_ties_said(tmp_path: Path) -> None:
    def scored(who: str, score: int) -> Source:
        records = [
            Record(
                str(i), {"instruction": f"Q{i}", "output": f"{who} {i}"}, scores={"judge": score + i % 2 * (2 - score)}
            )
            for i in range(10)
        ]
        return run_folder(tmp_path / who, records)

    ours, theirs = scored("ours", 3), scored("theirs", 1)
    study = Study("pairs", RUBRIC, ".", "../theirs", "same")
    items = choose_pairs(ours, theirs, 10, 0).items
    assert Counter(len(item.ids) for item in items) == {2: 10}
    choose_all(ours.path, study, items, "anna", ["run"] * 8 + ["against", "tie"])
    choose_all(ours.path, study, items, "ben", ["run"] * 7 + ["against"] * 2 + ["tie"])
    (told,) = report(ours.path)["studies"]
    preference = told["preference"]
    assert (preference["wins"], preference["losses"], preference["ties"]) == (7, 1, 2)  # one is a tie between the two
    assert preference["win_rate"] == 0.875 and preference["interval"] == [0.5291, 0.9776]
    assert preference["ratings"] == {"run": 15, "tie": 2, "against": 3}
    assert preference["score"] == 0.8
    (kappa,) = told["kappa"]
    assert kappa["equal"] == 0.9
    judged = told["scores"]["judge"]
    assert judged["pairs"] + judged["equal_scores"] == 8
    lost = next(
        item for item, verdict in zip(items, ["run"] * 8 + ["against", "tie"], strict=True) if verdict == "against"
    )
    assert judged["agree"] == (1.0 if int(lost.ids[0]) % 2 else pytest.approx(1 - 1 / judged["pairs"], abs=1e-4))
    text = "\n".join(report_lines({"studies": [told]}))
    assert "the run is preferred in 87.5 % of 8 decided pairs (95 %: 52.9 to 97.8 %); 2 of 10 pairs are ties" in text


def test_several_studies_of_one_run_are_told_apart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    source = rows_file(tmp_path / "a.jsonl", tasks(3))
    rate_all(home, source, {"anna": [1, 2, 3]})
    rate_all(home, source, {"anna": [5, 5, 5]}, Study("rows", RUBRIC, "../a.jsonl", on=("instruction", "output")))
    assert [study["marks"]["truth"]["mean"] for study in report(home)["studies"]] == [2, 5]


def test_lines_that_say_nothing_are_not_counted_and_a_source_that_is_gone_has_no_scores(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    source = rows_file(tmp_path / "a.jsonl", tasks(3))
    rate_all(home, source, {"anna": [1, 2, 3]})
    source.path.unlink()
    path = home / "ratings" / "anna.jsonl"
    study = orjson.loads(path.read_bytes().splitlines()[0])["study"]
    with path.open("ab") as file:
        for line in ({"item": "x"}, {"item": "y", "marks": 7, "rows": []}, {"item": "z", "prefers": "me", "rows": []}):
            file.write(orjson.dumps({"study": study, **line}) + b"\n")
    (told,) = report(home)["studies"]
    assert told["items"] == 3 and "scores" not in told


def test_a_folder_without_ratings_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no rating"):
        report(tmp_path)
