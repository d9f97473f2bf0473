"""Benchmark items in the data: found whole, in part and nearly, by the index and by the step."""

from __future__ import annotations

import csv
import json
import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth import Recipe, Run, synthesize
from llmsynth.benchmarks import Benchmarks
from llmsynth.errors import RecipeError, RunError, SourceError
from llmsynth.overlap import find_overlaps
from llmsynth.similarity.spans import SpanIndex
from llmsynth.steps.decontaminate import Decontaminate
from llmsynth.text import normalise
from tests.curating import curated, reasons, task

TRAIN = "A train leaves Leeds at nine and travels at eighty kilometres an hour; when does it reach Carlisle?"
OTTER = "How many hours a day does an otter sleep?"


def index(*items: str, **options: object) -> SpanIndex:
    made = SpanIndex(**options)  # type: ignore[arg-type]
    for item in items:
        made.add(item, item[:7])
    return made


# what is found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TRAIN, "whole"),
        (TRAIN.upper().replace(" ", "\n").replace(";", " --"), "whole"),
        (f"Before lunch, solve this: {TRAIN} Then rest.", "whole"),
        (f"I ask myself {OTTER.lower()[:-1]}, and who counts", "whole"),
        (" ".join(TRAIN.split()[:13]), "ngram"),
        (" ".join(TRAIN.split()[:12]), None),
        (TRAIN.replace("nine", "noon").replace("eighty", "sixty"), "near"),
        ("A train leaves and an hour later it does reach Leeds at eighty; Carlisle when kilometres", None),
        ("How many hours a day does a cat sleep?", None),
        ("", None),
        ("?!", None),
    ],
)
def test_an_item_is_found_whole_in_part_or_nearly(text: str, kind: str | None) -> None:
    found = index(TRAIN, OTTER).find(text)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize("times", [11, 100])
def test_a_passage_that_stands_beside_each_of_many_questions_is_found(times: int) -> None:
    items = index(*[TRAIN] * times)
    assert len(items) == 1
    for text in (TRAIN, f"Read this. {TRAIN.upper()} How far is that?"):
        found = items.find(text)
        assert found is not None and found.kind == "whole"
    near = items.find(TRAIN.replace("nine", "noon").replace("eighty", "sixty"))
    assert near is not None and near.kind == "near"


def test_all_splits_of_a_benchmark_folder_are_looked_for(tmp_path: Path) -> None:
    import datasets

    splits = {"train": OTTER, "test": TRAIN, "few shot": f"{OTTER} Why is that so?"}
    saved = {name: datasets.Dataset.from_list([{"q": text}]) for name, text in splits.items()}
    for name, rows in saved.items():
        rows.to_parquet(tmp_path / "parquet" / f"{name}-00000-of-00001.parquet")
    del saved["few shot"]
    datasets.DatasetDict(saved).save_to_disk(tmp_path / "saved")
    for folder, texts in (("parquet", 3), ("saved", 2)):
        found = Benchmarks([tmp_path / folder])
        assert found.report()["benchmarks"][folder]["texts"] == texts  # type: ignore[index]
        span = found.find(TRAIN)
        assert span is not None and "/test" in span.id


def test_what_stands_beside_every_question_of_a_benchmark_is_a_set_phrase() -> None:
    asked = "Choose the best answer to the following question."
    items = index(*[asked] * 11, *[TRAIN] * 101, OTTER)
    assert [items.find(text) for text in (asked, TRAIN, f"{TRAIN} {asked}")] == [None] * 3
    found = items.find(f"{asked} {OTTER}")
    assert found is not None and found.id == OTTER[:7]


def test_the_span_is_quoted_as_it_is_written_with_the_share_of_the_item() -> None:
    found = index(TRAIN).find(
        "He said: TRAVELS at eighty-kilometres an hour; when does it reach CARLISLE? Travels at all?"
    )
    assert found is None
    found = index(TRAIN).find(
        "So: at NINE, and travels   at eighty kilometres an hour; when does it reach Carlisle? Yes."
    )
    assert found and found.text == "at NINE, and travels at eighty kilometres an hour; when does it reach Carlisle"
    assert found.kind == "ngram" and found.share == pytest.approx(14 / 18)


def test_a_near_match_is_close_together_and_in_order() -> None:
    words = TRAIN.split()
    apart = " ".join(f"{' '.join(words[start : start + 4])} {'and so on ' * 40}" for start in range(0, len(words), 4))
    shuffled = " ".join(" ".join(words[start : start + 4]) for start in (12, 4, 8, 0))
    changed = " ".join("otherwise" if place % 12 == 5 else word for place, word in enumerate(words))
    items = index(TRAIN)
    assert items.find(apart) is None and items.find(shuffled) is None
    found = items.find(f"{'Once upon a time. ' * 9}{changed} {'The end. ' * 9}")
    assert found and found.kind == "near" and found.share == pytest.approx(16 / 18)
    assert found.text.startswith("A train leaves") and found.text.endswith("it reach")
    assert index(TRAIN, near=None).find(changed) is None
    assert index(TRAIN, near=0.95).find(changed) is None


def test_phrases_that_many_items_share_tell_nothing() -> None:
    frame = (
        "Answer the following multiple choice question by naming the one letter of the right choice and nothing else:"
    )
    rng = random.Random(1)
    items = index(
        *(f"{frame} {' '.join(rng.choices('abcdefghij', k=9))} {n}" for n in range(12)), "An owl sleeps by day."
    )
    assert items.find(f"{frame} which animal barks, a cat, a dog, or a cow?") is None
    assert index(*(f"{frame} {n} {'x' * n}" for n in range(3))).find(f"{frame} which animal barks?") is not None


def test_items_that_are_too_short_are_not_looked_for() -> None:
    items = SpanIndex(shortest=5)
    assert [bool(items.add(text, text)) for text in ("Paris", "Name the capital of Peru", "Why is it so?", "")] == [
        False,
        True,
        False,
        False,
    ]
    assert items.find("Paris is nice. Why is it so?") is None and len(items) == 1


def test_a_character_of_a_script_without_spaces_is_a_word() -> None:
    item = "太阳是位于太阳系中心的一颗恒星，它给我们带来光和热。"
    found = index(item).find(f"请回答：{item}谢谢")
    assert found and found.kind == "whole"
    found = index(item).find("众所周知，太阳是位于太阳系中心的一颗恒星。")
    assert found and found.kind == "ngram"


@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=12), max_size=6),
    st.lists(st.sampled_from("abcdef"), max_size=14),
)
def test_exact_matches_are_those_of_plain_search(items: list[list[str]], text: list[str]) -> None:
    n, shortest = 4, 2
    made = SpanIndex(n, near=None, shortest=shortest, common=100)
    kept = [item for item in items if len(item) >= shortest]
    for number, item in enumerate(items):
        made.add(" ".join(item), str(number))
    best = 0
    for item in kept:
        least = min(n, len(item))
        for size in range(least, len(item) + 1):
            for start in range(len(item) - size + 1):
                if f" {' '.join(item[start : start + size])} " in f" {' '.join(text)} ":
                    best = max(best, size)
    found = made.find(" ".join(text))
    assert (len(found.text.split()) if found else 0) == best


@given(st.lists(st.text("ab .,", max_size=30), max_size=5), st.lists(st.text("ab .,", max_size=30), max_size=5))
def test_overlaps_are_those_of_plain_sets_of_ngrams(texts: list[str], others: list[str]) -> None:
    n = 3

    def grams(text: str) -> set[str]:
        words = normalise(text).split()
        runs = {" ".join(words[start : start + n]) for start in range(len(words) - n + 1)}
        return runs or ({" ".join(words)} if words else set())

    found = find_overlaps(
        [(str(i), text) for i, text in enumerate(texts)], [(str(i), t) for i, t in enumerate(others)], n
    )
    expected = {
        (str(i), str(j)): len(grams(text) & grams(other)) / len(grams(text))
        for i, text in enumerate(texts)
        for j, other in enumerate(others)
        if grams(text) & grams(other)
    }
    assert {(one.id, one.against): one.share for one in found} == pytest.approx(expected)


def test_the_index_says_the_same_in_every_process() -> None:
    code = (
        "from llmsynth.similarity.spans import SpanIndex\n"
        "made = SpanIndex()\n"
        f"made.add({TRAIN!r}, 'a'); made.add({OTTER!r}, 'b')\n"
        f"print([made.find(t) for t in ({TRAIN.replace('nine', 'ten')!r}, {OTTER!r}, 'nothing')])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, **run
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1 and "near" in outputs.pop()


run = {"capture_output": True, "text": True, "check": True}


# the step


@pytest.fixture
def exam(tmp_path: Path) -> str:
    path = tmp_path / "exam.jsonl"
    rows = [
        {"question": TRAIN, "choices": ["noon", "one"]},
        {"question": OTTER, "answer": "It sleeps for about eleven hours."},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


async def test_what_a_benchmark_has_is_dropped_with_the_row_and_the_words(exam: str) -> None:
    run = Run({})
    cases = [
        task("Solve it.", "It arrives at noon.", input=TRAIN.lower(), id="leak"),
        task("Name a river.", "The Elbe", id="clean"),
        task(TRAIN.replace("nine", "ten").replace("does", "will"), "At noon.", id="near"),
        task(TRAIN, "x", id="gone").drop("before"),
    ]
    found = await curated(Decontaminate((exam,)), cases, run=run)
    assert reasons(found) == ["contaminated", "", "contaminated", "before"]
    assert found[0].dropped and "exam.jsonl:1" in found[0].dropped.detail
    assert found[0].meta["contamination"] == {
        "benchmark": "exam.jsonl",
        "row": "exam.jsonl:1",
        "kind": "whole",
        "share": 1.0,
        "span": TRAIN.lower().removesuffix("?"),
    }
    assert [one.scores.get("contamination") for one in found[:2]] == [1.0, 0.0]
    report = run.notes["decontaminate"]
    assert isinstance(report, dict) and len(report.pop("digest")) == 32
    assert report == {
        "ngram": 13,
        "near": 0.8,
        "shortest": 5,
        "looked_at": 3,
        "on": ["instruction", "input", "output"],
        "benchmarks": {
            "exam.jsonl": {
                "texts": 3,
                "too_short": 2,
                "unreadable_rows": 0,
                "found": {"whole": 1, "near": 1},
                "examples": [
                    {
                        "record": "leak",
                        "row": "exam.jsonl:1",
                        "kind": "whole",
                        "share": 1.0,
                        "span": TRAIN.lower()[:-1],
                    },
                    report["benchmarks"]["exam.jsonl"]["examples"][1],  # type: ignore[index]
                ],
            }
        },
    }


async def test_flagging_keeps_the_record_and_batches_do_not_matter(exam: str) -> None:
    cases = [task(TRAIN, "x", id="1"), task("y", f"Hm: {OTTER}", id="2"), task("y", "z", id="3")]
    flagged = await curated(Decontaminate((exam,), action="flag"), cases, batch=1)
    assert reasons(flagged) == ["", "", ""] and [one.scores["contamination"] for one in flagged] == [1.0, 1.0, 0.0]
    assert flagged == await curated(Decontaminate((exam,), action="flag"), cases)
    again = pickle.loads(pickle.dumps(Decontaminate((exam,), action="flag")))
    assert flagged == await curated(again, cases)


async def test_each_of_several_such_steps_has_its_own_counts_and_the_largest_share_stays(
    exam: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"q": "Who was the first woman in space, and when?"}) + "\n")
    steps = [Decontaminate((file,), action="flag") for file in (exam, str(other))]
    steps.append(Decontaminate((exam,), on=("output",), action="flag"))
    run = Run({})
    records = [task(TRAIN, "x", id="1"), task("y", "z", id="2")]
    for batch in ([records[0]], [records[1]]):
        for step in steps:
            batch = await step.apply(batch, run)
        records[int(batch[0].id) - 1] = batch[0]
    assert [record.scores["contamination"] for record in records] == [1.0, 0.0]
    assert records[0].meta["contamination"]["row"] == "exam.jsonl:1"
    notes: Any = run.notes
    assert list(notes) == ["decontaminate", "decontaminate 2", "decontaminate 3"]
    assert [note["looked_at"] for note in notes.values()] == [2, 2, 2]
    assert [list(note["benchmarks"]) for note in notes.values()] == [["exam.jsonl"], ["other.jsonl"], ["exam.jsonl"]]


async def test_only_the_named_columns_are_looked_for(exam: str) -> None:
    cases = [task("y", "It sleeps for about eleven hours."), task(OTTER, "z")]
    assert reasons(await curated(Decontaminate((exam,)), cases)) == ["contaminated", "contaminated"]
    assert reasons(await curated(Decontaminate((exam,), columns=("question",)), cases)) == ["", "contaminated"]


async def test_csv_and_parquet_and_folders_are_benchmarks_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open(tmp_path / "a.csv", "w", newline="") as file:
        csv.writer(file).writerows([["q"], [TRAIN]])
    (tmp_path / "set" / "data").mkdir(parents=True)
    pq.write_table(pa.table({"q": [OTTER]}), tmp_path / "set" / "data" / "train-0.parquet")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.csv").write_text("q\nWho was the first woman in space?\n")
    files = (str(tmp_path / "a.csv"), str(tmp_path / "set"), str(tmp_path / "b" / "a.csv"))
    run = Run({})
    cases = [task(TRAIN, "x"), task(OTTER, "x"), task("Who was the first woman in space?", "x"), task("y", "x")]
    assert reasons(await curated(Decontaminate(files), cases, run=run)) == [*["contaminated"] * 3, ""]
    report = run.notes["decontaminate"]["benchmarks"]  # type: ignore[index]
    assert {name: one["found"] for name, one in report.items()} == {
        "a.csv": {"whole": 1},
        "set": {"whole": 1},
        "b/a.csv": {"whole": 1},
    }


def test_a_benchmark_that_cannot_be_used_is_an_error_before_anything_runs(tmp_path: Path, exam: str) -> None:
    with pytest.raises(RecipeError, match="no benchmark"):
        Decontaminate(())
    with pytest.raises(SourceError):
        Decontaminate((str(tmp_path / "absent.jsonl"),))
    with pytest.raises(RecipeError, match="holds no text in answers to look for"):
        Decontaminate((exam,), columns=("answers",))
    for options in ({"ngram": 0}, {"near": 0.2}, {"shortest": 0}, {"common": 0}):
        with pytest.raises(RecipeError):
            Decontaminate((exam,), **options)  # type: ignore[arg-type]


def test_without_files_there_is_nothing_to_find_and_nothing_to_report() -> None:
    none = Benchmarks(())
    assert not none and none.find(TRAIN) is None and none.report() == {}


def test_rows_of_a_benchmark_that_cannot_be_read_are_told_with_the_first_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text('{"question": "How many clips did Nora sell in all that day?"}\n{"question": "Oops\n')
    Benchmarks([path])
    assert "bench.jsonl: 1 rows cannot be read, and are not looked for; the first: bench.jsonl:2: " in caplog.text


def test_a_finished_run_is_not_taken_for_one_that_knows_what_a_benchmark_holds_since(tmp_path: Path) -> None:
    rows, exam = tmp_path / "rows.jsonl", tmp_path / "exam.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in (TRAIN, OTTER)))
    exam.write_text(json.dumps({"q": OTTER}) + "\n")
    step = {"use": "decontaminate", "against": [str(exam)], "on": ["text"]}
    recipe = Recipe.from_data({"generator": {"use": "rows", "path": str(rows)}, "steps": [step]})
    assert synthesize(recipe, tmp_path / "run").report["rows"]["kept"] == 1
    assert synthesize(recipe, tmp_path / "run").before
    exam.write_text("".join(json.dumps({"q": text}) + "\n" for text in (TRAIN, OTTER)))
    with pytest.raises(RunError, match="have changed since"):
        synthesize(recipe, tmp_path / "run")
    assert synthesize(recipe, tmp_path / "run", update=True).report["rows"]["kept"] == 0
