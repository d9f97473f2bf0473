"""InstructLab's taxonomy trees as seeds: what becomes of a tree, and where it can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmsynth import SelfInstruct
from llmsynth.generators.evol_instruct import EvolInstruct
from llmsynth.generators.self_instruct import Alpaca
from llmsynth.journal import Journal
from llmsynth.sources import Seed, read_seeds
from tests.evolving import mixed
from tests.leaves import KNOWLEDGE, leaf, small_tree
from tests.scripted import play, varied
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return small_tree(tmp_path / "tax")


# what becomes of a tree


def test_skills_grounded_skills_and_knowledge_become_seeds_in_the_order_of_their_paths(tree: Path) -> None:
    mars = {"topic": "tax/knowledge/science/mars", "leaf_kind": "knowledge", "domain": "astronomy"}
    rhyme = {
        "topic": "tax/compositional_skills/writing/rhyme",
        "leaf_kind": "skill",
        "task_description": "Teach the model to rhyme.",
    }
    counting = {"topic": "tax/compositional_skills/grounded/counting", "leaf_kind": "grounded skill"}
    moons = "Mars has two moons, Phobos and Deimos.\n"

    def seed(meta: dict[str, str], number: int, line: int, asked: str, *pairs: tuple[str, str]) -> Seed:
        return Seed(f"{meta['topic']}:{number}", asked, pairs, None, f"{meta['topic']}/qna.yaml:{line}", meta)

    assert read_seeds(tree) == [
        # one task on two passages
        seed(counting, 1, 8, "How much fruit is there?", ("apples  3\npears   4\n", "7"), ("plums 2", "2")),
        seed(rhyme, 1, 5, "What rhymes with moon?", ("", "Spoon.\nAnd June.\n")),
        seed(rhyme, 2, 9, 'Does "cat" rhyme with "hat"?', ("", "Yes")),
        seed(mars, 1, 8, "How many moons has Mars?", (moons, "Two.")),
        seed(mars, 2, 10, "Which is the first of the moons of Mars?", (moons, "Phobos.")),
        seed(mars, 3, 14, "Which is the second one?", (moons, "Deimos.")),
    ]


def test_one_leaf_can_be_named_by_itself_or_by_its_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree / "knowledge" / "science" / "mars"
    assert read_seeds(folder / "qna.yaml") == read_seeds(folder)
    assert [seed.id for seed in read_seeds(folder)] == ["mars:1", "mars:2", "mars:3"]
    monkeypatch.chdir(folder)
    assert read_seeds(".") == read_seeds("qna.yaml") == read_seeds("../mars") == read_seeds(folder)


def test_where_a_tree_lies_is_in_no_seed(tree: Path, tmp_path: Path) -> None:
    assert not any(str(tmp_path.name) in repr(seed) for seed in read_seeds(tree))


def test_a_question_of_an_earlier_leaf_is_left_out_and_counted(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    leaf(tree, "knowledge/zoology", KNOWLEDGE.replace("How many moons has Mars?", "How many legs has an ant?"))
    seeds = read_seeds(tree)
    assert len(seeds) == 7 and len(seeds.duplicates) == 2
    assert "tax/knowledge/zoology/qna.yaml:10" in caplog.text
    assert seeds.summary() == (
        "7 tasks with 8 examples from 4 qna.yaml leaves (1 grounded skill, 2 knowledge, 1 skill),"
        " 2 left out as repetitions"
    )


def test_texts_are_texts_whatever_yaml_takes_them_for(tmp_path: Path) -> None:
    text = "seed_examples: [{question: 2024-01-01, answer: No}, {question: 1e3, answer: 0x10}]"
    assert [(seed.instruction, seed.instances[0][1]) for seed in read_seeds(leaf(tmp_path, "t", text))] == [
        ("2024-01-01", "No"),
        ("1e3", "0x10"),
    ]


def test_names_and_texts_are_data_and_nothing_else(tmp_path: Path) -> None:
    names = ["{{ 7 * 7 }}", "<script>", "a b", "x..y", "$(id)", "émigré"]
    for name in names:
        leaf(
            tmp_path / "t",
            name,
            f"task_description: '{name}'\nseed_examples: [{{question: 'What of {name}?', answer: x}}]",
        )
    seeds = read_seeds(tmp_path / "t")
    assert {seed.meta["topic"] for seed in seeds} == {f"t/{name}" for name in names}
    assert {seed.meta["task_description"] for seed in seeds} == set(names)


def test_no_python_object_is_ever_made(tmp_path: Path) -> None:
    made = tmp_path / "made"
    text = f"created_by: !!python/object/apply:os.mkdir ['{made}']\nseed_examples: [{{question: q, answer: a}}]"
    assert len(read_seeds(leaf(tmp_path, "t", text))) == 1
    assert not made.exists()


# wherever seeds are used


async def test_evol_instruct_evolves_the_question_with_its_context_and_keeps_where_it_is_from(
    tree: Path, journal: Journal
) -> None:
    evolver = mixed()
    outcome = await play(EvolInstruct(seeds=str(tree), rounds=2), evolver, journal)
    asked = [text for text in evolver.texts("evolve") if "How many moons has Mars?" in text]
    assert asked and "Mars has two moons, Phobos and Deimos." in asked[0]
    for record in outcome.records:
        assert record.meta["topic"] == record.meta["lineage"].rpartition(":")[0]
        assert record.meta["source"].startswith(f"{record.meta['topic']}/qna.yaml:")
    domains = {record.meta["round"] for record in outcome.records if record.meta.get("domain") == "astronomy"}
    assert domains == {0, 1, 2}
    original = next(r for r in outcome.records if r.id == "tax/compositional_skills/grounded/counting:1@0")
    assert original.fields == {
        "instruction": "How much fruit is there?",
        "input": "apples  3\npears   4\n",
        "output": "7",
    }


async def test_self_instruct_shows_the_questions_and_tells_the_topics(tree: Path, journal: Journal) -> None:
    script = varied()
    outcome = await play(SelfInstruct(seeds=str(tree), lookahead=1, max_requests=6), script, journal)
    assert "How many moons has Mars?" in script.prompts("instructions")[0]
    assert "Phobos and Deimos" not in script.prompts("instructions")[0]
    for record in outcome.records:
        human = [id for id in record.meta["parents"] if id not in record.meta["made_parents"]]
        assert human and set(record.meta["topics"]) == {id.rpartition(":")[0] for id in human}


async def test_alpaca_shows_question_context_and_answer(tree: Path, journal: Journal) -> None:
    script = varied()
    outcome = await play(Alpaca(seeds=str(tree), shown=6, max_requests=1), script, journal)
    [prompt] = script.prompts("instructions")
    assert "Mars has two moons" in prompt and "Deimos." in prompt
    assert len(outcome.records[0].meta["topics"]) == 3


def test_seeds_that_are_in_no_taxonomy_add_nothing_to_records() -> None:
    assert all(seed.meta == {} for seed in read_seeds())


@pytest.mark.parametrize("generator", ["self-instruct", "alpaca", "evol-instruct"])
def test_validate_tells_the_counts(generator: str, tree: Path, llmsynth: Any) -> None:  # noqa: F811
    recipe = {
        "target": 10,
        "generator": {"use": generator, "seeds": str(tree)},
        "models": {"default": {"use": "fake", "function": "tests.teacher:reply"}},
    }
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
    outcome = llmsynth("validate", "recipe.yaml")
    assert outcome.code == 0
    told = "6 tasks with 7 examples from 3 qna.yaml leaves (1 grounded skill, 1 knowledge, 1 skill)"
    assert f"seeds: {told}\n" in outcome.err
    leaf(tree, "knowledge/broken", "seed_examples: []")
    broken = llmsynth("validate", "recipe.yaml")
    assert broken.code == 1
    assert "1 of 4 leaves cannot be used\n  tax/knowledge/broken/qna.yaml:1: seed_examples is empty" in broken.err
