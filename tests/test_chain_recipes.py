"""A chain as a recipe: what is refused, what is saved, what the commands say of it, and its dataset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth import GLAN, EvolInstruct, Generated, Recipe, Record, synthesize
from llmsynth.errors import RecipeError
from llmsynth.recipe import publishable
from llmsynth.steps.duplicates import ExactDuplicates
from tests.professor import TAXONOMY, small_taxonomy
from tests.scripted import seed_file
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)

Command = Callable[..., Any]

CHAIN = """\
name: chained
generator:
  use: evol-instruct
  rounds: 2
  lookahead: 8
  seeds:
    use: glan
    taxonomy: small.yaml
    queries: 2
    lookahead: 4
    held_out: 0.3
    target: 16
    steps: [{use: exact-duplicates}]
models:
  default: {use: fake, function: "tests.chained:teacher"}
steps: [{use: exact-duplicates}]
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    small_taxonomy(tmp_path)
    return CHAIN


def test_it_becomes_the_objects_it_describes(recipe: str) -> None:
    loaded = Recipe.parse(recipe)
    generator = loaded.build().generator
    assert isinstance(generator, EvolInstruct) and isinstance(generator.seeds, Generated)
    first = generator.seeds.generator
    assert isinstance(first, GLAN) and (first.queries, first.taxonomy) == (2, "small.yaml")
    assert generator.seeds.target == 16 and generator.rounds == 2
    assert [type(step) for step in generator.seeds.steps] == [ExactDuplicates]
    assert loaded.generators == ["glan", "evol-instruct"]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("    target: 16\n", "", 6, "generator.seeds.target: missing"),
        ("target: 16", "target: many", 12, "generator.seeds.target: input should be a valid integer"),
        ("target: 16", "target: 0", 12, "generator.seeds.target: target is 0"),
        ("    use: glan\n", "", 6, "generator.seeds.use: missing"),
        ("use: glan", "use: glann", 7, "generator.seeds.use: there is no 'glann'"),
        ("queries: 2", "querys: 2", 9, "generator.seeds.querys: unknown key"),
        ("steps: [{use: exact-duplicates}]\nmodels", "steps: 3\nmodels", 13, "generator.seeds.steps: input should be"),
        ("[{use: exact-duplicates}]\nmodels", "[{use: exact}]\nmodels", 13, "generator.seeds.steps[0].use"),
        ("use: evol-instruct\n  rounds: 2", "use: self-instruct", 5, "generator.seeds: self-instruct reads its seeds"),
        ("  rounds: 2", "  seeds: 7", 6, "generator.seeds is there twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(recipe: str, old: str, new: str, line: int, what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(recipe.replace(old, new, 1), source="mine.yaml")
    assert f"mine.yaml, line {line}: {what}" in caught.value.message


def test_what_the_first_one_reads_is_checked_before_anything_is_asked(recipe: str, tmp_path: Path) -> None:
    small_taxonomy(tmp_path, "fields: [Law, Law]\n")
    with pytest.raises(Exception, match="is there twice"):
        synthesize(Recipe.parse(recipe), tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_a_key_of_the_first_one_is_overridden_like_any_other(recipe: str) -> None:
    loaded = Recipe.parse(recipe, ["generator.seeds.target=9", "generator.rounds=3", "generator.seeds.turns=1"])
    generator: Any = loaded.build().generator
    assert (generator.seeds.target, generator.rounds, generator.seeds.generator.turns) == (9, 3, 1)
    with pytest.raises(RecipeError, match=r"--set generator\.seeds\.turns=7: generator\.seeds\.turns"):
        Recipe.parse(recipe, ["generator.seeds.turns=7"])


def test_what_is_saved_spells_out_every_default_and_means_the_same(recipe: str) -> None:
    loaded = Recipe.parse(recipe)
    saved = loaded.resolved()
    assert saved["generator"]["seeds"]["attempts"] == 2 and saved["generator"]["threshold"] == 0.7
    assert saved["generator"]["seeds"]["steps"] == [
        {"use": "exact-duplicates", "on": ["instruction", "input", "output"]}
    ]
    again = Recipe.parse(yaml.safe_dump(saved))
    assert again.resolved() == saved
    assert again.build().generator == loaded.build().generator
    assert Recipe.parse(loaded.to_yaml()).resolved() == saved


def test_the_card_tells_no_folder_of_the_first_ones_seeds(tmp_path: Path) -> None:
    generator = {"use": "evol-instruct", "seeds": {"use": "self-instruct", "seeds": seed_file(tmp_path), "target": 3}}
    model = {"default": {"use": "fake", "function": "tests.chained:teacher"}}
    shown = publishable(Recipe.from_data({"generator": generator, "models": model}).resolved())
    assert shown["generator"]["seeds"]["seeds"] == "seeds.jsonl"
    assert str(tmp_path) not in yaml.safe_dump(shown)


# the run as a whole


def test_it_becomes_one_dataset_with_one_report_and_one_card(recipe: str, tmp_path: Path) -> None:
    result = synthesize(Recipe.parse(recipe), tmp_path / "run")
    rows, notes = result.report["rows"], result.report["notes"]
    assert result.complete
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values()) == notes["seeds"]["rows"]["in"] + 32
    assert notes["evolutions"] == 32 and notes["seeds"]["rows"]["kept"] == 16
    assert {"subjects", "questions", "answers", "evolve", "equality", "responses"} <= result.report["usage"].keys()

    import datasets

    data = datasets.load_dataset(str(result.dataset), "full", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(data) == rows["kept"]
    assert set(data["split"]) == {"train", "test"}
    made = Counter(json.loads(metadata)["generator"] for metadata in data["metadata"])
    assert made == {"glan": 16, "evol-instruct": rows["kept"] - 16}
    card = (result.dataset / "README.md").read_text(encoding="utf-8")
    for told in ("2402.13064", "2304.12244", "`glan`, then `evol-instruct` generators", "taxonomy of human knowledge"):
        assert told in card
    assert yaml.safe_load(card.split("---\n")[1])["tags"][2:] == ["glan", "evol-instruct", "sft"]
    assert "glan/question@" in card and "evol_instruct/equality@" in card


def test_the_card_tells_the_seeds_of_the_first_one(tmp_path: Path) -> None:
    first = {"use": "self-instruct", "seeds": seed_file(tmp_path, 12), "lookahead": 2, "target": 5}
    model = {"default": {"use": "fake", "function": "tests.test_chain_recipes:both"}}
    generator = {"use": "evol-instruct", "seeds": first, "rounds": 1}
    result = synthesize(Recipe.from_data({"generator": generator, "models": model}), tmp_path / "run")
    card = (result.dataset / "README.md").read_text(encoding="utf-8")
    assert "starting from 12 seed tasks" in card and "12 tasks from `seeds.jsonl`" in card


def both(request: Any) -> Any:
    from tests.chained import teacher
    from tests.teacher import reply

    return (reply if request.stage in ("instructions", "classification", "instances") else teacher)(request)


def test_a_run_whose_seeds_came_out_too_few_is_not_complete(recipe: str, llmsynth: Command) -> None:  # noqa: F811
    Path("recipe.yaml").write_text(recipe)
    outcome = llmsynth("run", "recipe.yaml", "-o", "run", "--set", "generator.seeds.max_questions=6")
    assert outcome.code == 3
    kept = json.loads(Path("run/report.json").read_bytes())["notes"]["seeds"]["rows"]["kept"]
    assert f"glan made {16 - kept} seeds too few: max_questions (6) reached" in outcome.err


def test_a_target_that_is_met_needs_no_further_seeds(recipe: str, tmp_path: Path) -> None:
    result = synthesize(Recipe.parse(recipe, ["target=20"]), tmp_path / "run")
    assert result.complete and result.report["rows"]["kept"] == 20
    assert result.report["notes"]["stopped"] == "target reached"


def test_the_same_again_asks_for_nothing_and_writes_the_same(recipe: str, tmp_path: Path) -> None:
    first = synthesize(Recipe.parse(recipe), tmp_path / "run")
    shards = [path.read_bytes() for path in sorted(first.dataset.rglob("*.parquet"))]
    (tmp_path / "run" / "report.json").unlink()
    again = synthesize(Recipe.parse(recipe), tmp_path / "run")
    assert all(usage["answers"] == usage["replayed"] for usage in again.report["usage"].values())
    assert [path.read_bytes() for path in sorted(again.dataset.rglob("*.parquet"))] == shards


def asked_anew(recipe: str, folder: Path, *overrides: str) -> dict[str, int]:
    """What `--update` to another recipe asks for, by stage."""
    usage = synthesize(Recipe.parse(recipe, overrides), folder / "run", update=True).report["usage"]
    return {stage: u["answers"] - u["replayed"] for stage, u in usage.items() if u["answers"] > u["replayed"]}


def test_a_further_round_and_further_seeds_ask_only_for_what_is_new(recipe: str, tmp_path: Path) -> None:
    first = asked_anew(recipe, tmp_path)
    assert first["evolve"] == 32
    further = asked_anew(recipe, tmp_path, "generator.rounds=3")
    assert further["evolve"] == 16 and set(further) == {"evolve", "equality", "responses"}
    more = asked_anew(recipe, tmp_path, "generator.rounds=3", "generator.seeds.target=20")
    assert more["evolve"] == 4 * 3 and 1 <= more["questions"] <= 8 and "subjects" not in more


def test_another_discipline_asks_only_for_its_branch_and_what_comes_of_it(recipe: str, tmp_path: Path) -> None:
    asked_anew(recipe, tmp_path)
    before = records_of(tmp_path, recipe)
    small_taxonomy(tmp_path, TAXONOMY.replace("[Optics, Acoustics]", "[Optics, Acoustics, Mechanics]"))
    more = asked_anew(recipe, tmp_path, "generator.seeds.target=20")
    assert more["subjects"] == 2
    after = records_of(tmp_path, recipe, "generator.seeds.target=20")
    shared = before.keys() & after.keys()  # each discipline has fewer of the seeds now
    assert {id: after[id] for id in shared} == {id: before[id] for id in shared} and len(shared) > 40
    new = [record for id, record in after.items() if id not in before]
    assert sum(r.meta["generator"] == "evol-instruct" for r in new) == more["evolve"]


def records_of(folder: Path, recipe: str, *overrides: str) -> dict[str, Record]:
    result = synthesize(Recipe.parse(recipe, overrides), folder / "run", update=True)
    return {record.id: record for record in result.records()}


# the commands


def test_the_commands_know_a_chain(recipe: str, llmsynth: Command) -> None:  # noqa: F811
    Path("recipe.yaml").write_text(recipe)
    assert "fine. glan, then evol-instruct, target none" in llmsynth("validate", "recipe.yaml").err
    Path("bench.jsonl").write_text('{"question": "How deep is the lake behind the mill?"}')
    assert "starts from no seeds" in llmsynth("validate", "recipe.yaml", "--against", "bench.jsonl").err
    told = llmsynth("estimate", "recipe.yaml").out
    stages = [line.split()[0] for line in told.splitlines()[1:10]]
    assert stages == [
        "subjects", "subject_lists", "syllabus", "sessions", "questions", "answers", "evolve", "equality", "responses",
    ]  # fmt: skip
    preview = llmsynth("preview", "recipe.yaml", "-n", "4")
    assert "evol_instruct/" in preview.out and "glan/question" in preview.out and "4 kept" in preview.err
    assert llmsynth("run", "recipe.yaml", "-o", "run").code == 0
    status = llmsynth("status", "run").out
    assert "evolve: 32 answers" in status and "finished:" in status
    seed = next(line.split("\t")[0] for line in llmsynth("show", "run").out.splitlines() if "\tkept\t" in line)
    assert "glan/answer" in llmsynth("show", "run", seed).out
    assert "evol_instruct/" in llmsynth("show", "run", f"{seed}@1").out
    assert "survival measured on run" in llmsynth("estimate", "recipe.yaml", "--past", "run").out


def test_the_built_in_chain_is_valid(llmsynth: Command) -> None:  # noqa: F811
    recipe = Recipe.load("chain")
    assert recipe.generators == ["glan", "evol-instruct"]
    assert "fine." in llmsynth("validate", "chain").err
    assert llmsynth("estimate", "chain").out.count(f"{500 * 3:,}") == 3
