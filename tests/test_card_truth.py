"""What a card says is so: who wrote the rows, how pairs came about, what nobody looked for, and which licences hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmsynth import FakeBackend, Recipe, Request, synthesize
from llmsynth.synthesis import Result
from tests.chained import teacher as chained
from tests.evolving import Evolver
from tests.professor import small_taxonomy
from tests.scripted import Script, made_up, numbered, seed_file
from tests.test_card_of_runs import card, curated, evol, header, licensed, run, section, source
from tests.test_rows import lines


def fakes(*roles: str) -> dict[str, Any]:
    return {role: {"use": "fake", "function": "tests.plugins:last_words"} for role in roles}


class Named(FakeBackend):
    """A model with a name of its own that answers each sample differently, a rubric with a mark."""

    def __init__(self, name: str) -> None:
        super().__init__(self.say)
        self.name = name

    @staticmethod
    def say(request: Request) -> str:
        if request.stage == "judge":
            return "\n".join(f"{name}: {request.seed % 5 + 1}" for name in MARKED)
        return f"{request.stage} says {request.seed % 97}"


MARKED = ("instruction_following", "truthfulness", "honesty", "helpfulness")


def questions(folder: Path, steps: list[Any]) -> Result:
    """Rows of somebody's, half of them answered by two models, and judged."""
    folder.mkdir()
    source = folder / "asked.jsonl"
    source.write_text("".join(json.dumps({"instruction": f"What is {n}?"}) + "\n" for n in range(20)))
    data = {"name": "Pairs", "generator": {"use": "rows", "path": str(source)}, "steps": steps}
    names = ("one", "two", "judge")
    models = {name: Named(name) for name in names}
    return synthesize(Recipe.from_data({**data, "models": fakes(*names)}), folder / "run", backends=models)


def test_who_judged_a_row_did_not_write_it_and_who_answered_in_it_did(tmp_path: Path) -> None:
    steps = [{"use": "respond", "models": ["one", "two"], "samples": 1}, {"use": "preference"}]
    result = questions(tmp_path / "judged", steps)
    assert result.report["rows"]["kept"] > 5
    text = card(result)
    assert "of `asked.jsonl`, curated by llmsynth, with text by `one` and `two`." in text
    assert "| **written by** | not stated; in part by language models: `one`, `two` |" in text
    assert "The terms of `one` and `two` may restrict" in text and "- **judge**: `judge`" in text
    assert "Language models wrote in these rows" in text and "the licence of the source may restrict" in text
    assert {"synthetic", "dpo"} <= set(header(result)["tags"])
    plain = questions(tmp_path / "read", [{"use": "judge", "rubric": "preference"}])
    assert "synthetic" not in header(plain)["tags"] and "Language models wrote" not in card(plain)
    assert "| **written by** | not stated |" in card(plain)


def test_the_card_of_pairs_tells_what_decided_and_whose_answers_were_preferred(tmp_path: Path) -> None:
    answers = {"use": "respond", "models": ["one", "two"], "samples": 2}
    judged = questions(tmp_path / "judged", [answers, {"use": "preference", "margin": 0.5, "against": "random"}])
    said = section(card(judged), "Preferences")
    note = judged.report["notes"]["preference"]
    assert "one drawn at random from those below it, by 0.5 at least." in said
    assert "a model judged by the rubric `preference`; no person did" in said
    assert f"Of {note['pairs']} pairs that were made, the chosen answer is the longer one in" in said
    for name, counts in note["models"].items():
        assert f"| `{name}` | {counts['chosen']} | {counts['rejected']} |" in said
    assert card(judged).count("ultrafeedback") == 1
    ranked = questions(tmp_path / "ranked", [answers, {"use": "preference", "by": "models", "ranking": ["two", "one"]}])
    assert "(`two` before `one`)" in section(card(ranked), "Preferences")
    evolved = card(run(tmp_path / "evolved", evol(tmp_path, rounds=2), Evolver(), steps=[{"use": "evolution-pairs"}]))
    assert "Nobody compared the two. What was made by `breadth`" in section(evolved, "Preferences")
    assert "## Preferences" not in card(run(tmp_path / "plain", evol(tmp_path), Evolver()))


def test_limits_tell_of_seeds_and_duplicates_what_is_so(tmp_path: Path) -> None:
    glan = {"use": "glan", "taxonomy": small_taxonomy(tmp_path), "queries": 1, "max_questions": 4}
    said = section(card(run(tmp_path / "glan", glan, chained)), "Limits")
    assert "- The terms of the models may restrict" in said and "seeds" not in said
    assert "licence above" not in card(Result(tmp_path / "glan", {})) and "No licence was given" in said
    assert "- No step looked for duplicates." in said
    twice = Script(instructions=lambda n: numbered([made_up(n, i // 2) for i in range(8)]))
    made = run(tmp_path / "made", {"use": "self-instruct", "seeds": seed_file(tmp_path, 20)}, twice, target=12)
    said, dropped = section(card(made), "Limits"), made.report["rows"]["dropped"]
    assert "The terms of the models and the licence of the seeds may restrict" in said
    assert f"beyond those that the generator turned away (`not_novel` {dropped['not_novel']:,}" in said


def test_the_languages_of_a_source_are_those_of_what_was_curated(tmp_path: Path) -> None:
    text = card(curated(tmp_path / "run", source(tmp_path / "folder")))
    assert "| **language** | cy |" in text


def test_a_card_stays_short_whatever_the_rows_and_what_names_say_is_no_markup(tmp_path: Path) -> None:
    row = {"question": "q", "output": "x<y>" * 200_000, "metadata": "mine", "notes": [str(n) for n in range(9_000)]}
    (tmp_path / "long.jsonl").write_text(f"{json.dumps(row)}\n" * 3)
    result = curated(tmp_path / "run", tmp_path / "long.jsonl", license="evil `<b>` | one")
    text = card(result)
    assert len(text) < 10_000
    shown = json.loads(section(text, "A row").split("```json\n")[1].split("\n```")[0])
    assert shown["question"] == "q" and shown["output"] == "x<y>" * 75 + "… (799,700 more characters)"
    assert shown["notes"] == ["0", "1", "2", "3", "… (8,996 more)"]
    assert "| `metadata` | string |  |" in text  # the source's own
    assert "| `llmsynth` | string | where the row comes from, as one JSON object |" in text
    seeds = run(tmp_path / "seeds", evol(tmp_path, licensed("evil `<b>` | one")), Evolver())
    assert "licence: `evil '<b>' | one`." in card(seeds)


def test_a_published_dataset_hands_on_the_licence_of_each_row(tmp_path: Path) -> None:
    from llmsynth.sources import read_seeds

    made = run(tmp_path / "made", evol(tmp_path, licensed("mit", None, "isc")), Evolver())
    known = {record.id: record.meta["source_licenses"] for record in made.records() if record.dropped is None}
    assert len({*map(tuple, known.values())}) == 3
    data = {"name": "Clean", "generator": {"use": "rows", "path": str(made.dataset)}}  # as one from the Hub lies there
    again = synthesize(Recipe.from_data(data), tmp_path / "again")
    assert {r.fields["id"]: r.meta["source_licenses"] for r in again.records()} == known
    assert {seed.id: [*seed.licenses] for seed in read_seeds(made.dataset)} == known
    for file in (made.dataset / "full").iterdir():  # one that does not go with it
        file.write_bytes((again.dataset / "full" / file.name).read_bytes()[:-9])
    assert {seed.licenses for seed in read_seeds(made.dataset)} == {()}


@pytest.mark.parametrize(("given", "says"), [({}, "cy"), ({"language": ["br"]}, "br")])
def test_a_recipe_of_rows_claims_no_language_that_nobody_stated(
    tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    path = source(tmp_path)
    recipe = Recipe.from_data({"generator": {"use": "rows", "path": str(path)}, **given})
    text = (synthesize(recipe, tmp_path / "run").dataset / "README.md").read_text()
    assert f"| **language** | {says} |" in text and "language:\n- en" not in text


def test_ids_that_came_with_the_rows_are_not_called_unique(tmp_path: Path) -> None:
    def card_of(name: str, **more: Any) -> str:
        rows = lines(tmp_path / f"{name}.jsonl", [{"prompt": f"Task {n}", "completion": "b", **more} for n in range(2)])
        data = {"generator": {"use": "rows", "path": str(rows)}}
        return (synthesize(Recipe.from_data(data), tmp_path / name).dataset / "README.md").read_text()

    assert "| `id` | int64 | what the source calls the row |" in card_of("theirs", id=7)
    assert "| `id` | string | name of the row, unique in the dataset |" in card_of("ours")
