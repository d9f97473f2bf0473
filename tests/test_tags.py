"""Tags: read from ugly replies, in one form, counted, cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from llmsynth import FakeBackend, Recipe, Record, Request, synthesize
from llmsynth.journal import Journal
from llmsynth.score_report import ScoreReport
from llmsynth.steps.tags import Tags
from llmsynth.tags import MOST, parse_tags, tag_counts, tag_of, with_common_tags
from tests.judging import apply, asked, between, row, run_of
from tests.test_parsing import TEXTS

TWO = ["cooking", "recipe writing"]


@pytest.mark.parametrize(
    ("reply", "tags"),
    [
        ('["cooking", "recipe writing"]', TWO),
        ('```json\n["Cooking", "Recipe-Writing"]\n```', TWO),
        ('Here they are: ["cooking", "recipe_writing"].', TWO),
        ('[{"tag": "cooking", "explanation": "it is about food"}, {"tag": "recipe writing"}]', TWO),
        ('{"tags": ["cooking", "recipe writing"]}', TWO),
        ("['cooking', 'recipe writing']", TWO),
        ("cooking, recipe writing", TWO),
        ("Tags: cooking; recipe writing", TWO),
        ("- cooking\n- recipe writing", TWO),
        ("1. Cooking\n2. Recipe writing", TWO),
        ("1. Cooking: it is about food\n2. Recipe writing: a recipe is wanted", TWO),
        ('<think>maybe ["x"]</think>["cooking", "recipe writing"]', TWO),
        ('["cooking", "Cooking", "COOKING."]', ["cooking"]),
        ('["cooking", 3, null]', ["cooking"]),
        ("[]", None),
        ("", None),
        ("I am sorry, but I cannot tell what this instruction is about at all.", None),
    ],
)
def test_tags_are_read_in_one_form(reply: str, tags: list[str] | None) -> None:
    assert parse_tags(reply) == tags


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Recipes", "recipe"),
        ("Unit Tests", "unit-test"),
        ("Boxes", "box"),
        ("stories", "Story"),
        ("classes", "class"),
    ],
)
def test_spellings_of_one_tag_are_one(one: str, other: str) -> None:
    assert tag_of(one) == tag_of(other) != ""


@pytest.mark.parametrize("word", ["physics", "analysis", "business", "status", "gas"])
def test_words_that_only_look_plural_stay(word: str) -> None:
    assert tag_of(word) == word


@given(text=TEXTS)
def test_no_text_makes_it_raise(text: str) -> None:
    tags = parse_tags(text)
    assert tags is None or (0 < len(tags) <= MOST and len(set(tags)) == len(tags))


def test_the_step_leaves_tags_and_their_number_and_the_report_tells_of_them(journal: Journal) -> None:
    replies = {"one": '["a", "b"]', "two": '["b"]', "three": "no tags come to my mind for this one at all"}
    run = run_of(journal, lambda request: replies[between(asked(request), "instruction")])
    done = apply(Tags(), [row(name, name) for name in replies], run, batch=2)
    assert [record.scores.get("tags") for record in done] == [2, 1, None]
    assert [record.meta.get("tags") for record in done] == [["a", "b"], ["b"], None]
    assert done[2].meta["tags_unscored"] == "unreadable_tags"
    report = ScoreReport()
    for record in done:
        report.add(record)
    assert report.told()["tags"] == {
        "distinct": 2,
        "distinct_after_cut": 2,
        "per_record": 1.5,
        "distinct_share": 0.6667,
        "most_common": {"b": 2, "a": 1},
    }
    assert report.told()["scores"]["tags"]["missing"] == 1


def test_rare_tags_are_cut_once_all_records_are_there() -> None:
    records = [Record(str(n), {}, {"tags": ["common", f"rare {n}"]}, {"tags": 2.0}) for n in range(3)]
    records += [Record("d", {}, {"tags": ["common", "gone"]}).drop("x"), Record("none", {})]
    counts = tag_counts(records)
    assert counts["common"] == 3
    assert "gone" not in counts
    done = list(with_common_tags(records, counts, least=3))
    assert [record.meta.get("tags") for record in done] == [["common"]] * 4 + [None]
    assert [record.scores.get("tags") for record in done] == [1.0] * 4 + [None]
    assert done[0].meta["rare_tags"] == ["rare 0"]
    again = list(with_common_tags(done, tag_counts(done), least=1))
    assert again[0].meta["tags"] == ["common", "rare 0"]
    assert again[0].scores["tags"] == 2


@pytest.mark.parametrize(("least", "common", "score"), [(None, 3, 3.0), (3, 2, 2.0), (61, 0, 0.0)])
def test_a_run_cuts_rare_tags_before_it_selects_and_tells_how_many(
    least: int | None, common: int, score: float, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"instruction": f"Name river {n}.", "output": f"It is {n}."} for n in range(60)]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))

    def tagging(request: Request) -> str:
        number = int(between(asked(request), "instruction").split()[-1].strip("."))
        return json.dumps(["rivers", f"kind {number % 20}", f"number {number % 59}"])

    data = {
        "name": "tagged",
        "generator": {"use": "rows", "path": str(path)},
        "models": {"default": {"use": "fake", "function": "tests.judging:asked"}},
        "steps": [{"use": "tags", "least": least}],
        "selectors": [{"use": "top-k", "score": "tags", "n": 30}],
    }
    result = synthesize(Recipe.from_data(data), tmp_path / "run", backends={"default": FakeBackend(tagging)})
    told = result.report["tags"]
    kept = [record for record in result.records() if not record.dropped]
    assert len(kept) == 30
    assert {record.scores["tags"] for record in kept} == {score}
    assert len(kept[0].meta["tags"]) == common
    assert result.report["notes"]["tags"]["least"] == (least or 1)
    assert told["per_record"] == common
    assert told["distinct"] >= told["distinct_after_cut"]
