"""GLAN as a whole run: the same records every time, only the new branch paid for, balance, estimate, dataset."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, FakeBackend, Recipe, Request, Run, synthesize
from llmsynth.errors import UnavailableError
from llmsynth.estimate import estimate
from llmsynth.generators.glan import GLAN
from llmsynth.generators.glan.reading import read_subjects
from llmsynth.generators.glan.schedule import evenness
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from tests.professor import TAXONOMY, Professor, discipline_of, reply, session_lines, small_taxonomy, subject_lines
from tests.scripted import Answer, content, made_up, play


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    return small_taxonomy(tmp_path)


@pytest.fixture
def fresh_journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "fresh" / "journal.jsonl")
    yield opened
    opened.close()


def stateless(request: Request) -> str | Completion:
    """Some of everything: failed conversions, syllabi without sessions, empty questions; a function of the prompt."""
    mood = sum(map(ord, made_up(request.messages, request.seed))) % 10
    if mood == 0 and request.stage in ("subject_lists", "sessions", "questions", "answers"):
        return ""
    return reply(request)


def reopened(journal: Journal) -> Journal:
    """The journal as the next run finds it."""
    journal.close()
    return Journal(journal.path)


# determinism


async def test_neither_concurrency_nor_the_order_of_answers_changes_a_record(
    taxonomy: str, journal: Journal, fresh_journal: Journal
) -> None:
    options = GLAN(taxonomy=taxonomy, queries=4, lookahead=6, held_out=0.2)
    one = await play(options, stateless, journal, target=120, concurrency=1)
    other = await play(options, stateless, fresh_journal, target=120, late=True)
    assert one.records == other.records
    assert one.run.notes == other.run.notes
    assert len(one.kept) == 120 and len(one.records) > 130


async def test_another_seed_asks_about_something_else(taxonomy: str, journal: Journal, fresh_journal: Journal) -> None:
    one, other = Professor(), Professor()
    await play(GLAN(taxonomy=taxonomy, queries=1), one, journal, target=10, seed=1)
    await play(GLAN(taxonomy=taxonomy, queries=1), other, fresh_journal, target=10, seed=2)
    assert set(one.prompts("questions")) != set(other.prompts("questions"))


def test_the_hash_seed_of_python_changes_nothing(taxonomy: str, tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from llmsynth.generators.glan import GLAN
from llmsynth.journal import Journal
from tests.scripted import play
from tests.test_glan_runs import stateless
options = GLAN(taxonomy=sys.argv[1], queries=3, lookahead=4)
print(asyncio.run(play(options, stateless, Journal(Path(sys.argv[2])), target=40)).records)
"""
    printed = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", code, taxonomy, str(tmp_path / hash_seed / "journal.jsonl")]
        root = Path(__file__).parent.parent
        printed.add(subprocess.run(command, env=environment, cwd=root, capture_output=True, check=True).stdout)
    assert len(printed) == 1 and len(printed.pop()) > 10_000


# G13: balance, quotas, path


async def test_g13_disciplines_are_balanced_though_one_loses_half_of_its_questions(
    taxonomy: str, journal: Journal
) -> None:
    def question(request: Request) -> Answer:
        lost = "part of Botany" in content(request) and sum(map(ord, made_up(content(request)))) % 2
        return "" if lost else reply(request)

    professor = Professor({"questions": question})
    outcome = await play(GLAN(taxonomy=taxonomy, queries=2, lookahead=2), professor, journal, target=80)
    kept = outcome.run.notes["kept_by_discipline"]
    assert isinstance(kept, dict)
    assert set(kept) == {"Sciences/Physics/Optics", "Sciences/Physics/Acoustics", "Sciences/Biology/Botany"} | {
        "Crafts/Carpentry"
    }
    assert max(kept.values()) - min(kept.values()) <= 4
    assert sum(kept.values()) == 80 and outcome.run.notes["disciplines_covered"] == 4
    assert outcome.run.notes["evenness_over_disciplines"] == evenness(list(kept.values())) > 0.99  # type: ignore[operator]


async def test_g13_a_quota_is_never_exceeded_and_ends_the_run_when_all_are_filled(
    taxonomy: str, journal: Journal
) -> None:
    quotas = {"Physics": 5, "Optics": 3, "Botany": 2, "Carpentry": 0}
    options = GLAN(taxonomy=taxonomy, queries=1, quotas=quotas)
    outcome = await play(options, Professor(), journal, target=100)
    assert Counter(record.meta["discipline"] for record in outcome.kept) == {"Optics": 3, "Acoustics": 5, "Botany": 2}
    assert str(outcome.run.notes["stopped"]).startswith("every quota is filled")


async def test_g13_every_record_carries_its_whole_path(taxonomy: str, journal: Journal) -> None:
    outcome = await play(GLAN(taxonomy=taxonomy, queries=1), Professor(), journal, target=12)
    entries = {entry["key"]: entry for entry in read_entries(journal.path)}
    for record in outcome.kept:
        meta = record.meta
        assert meta["path"][-1] == meta["discipline"] and len(meta["path"]) >= 2
        assert meta["subject"] and meta["level"] and meta["subtopics"] and meta["concepts"] and meta["sessions"]
        stages = ["subjects", "subject_lists", "syllabus", "sessions", "questions", "answers"]
        assert meta["stages"] == stages == [entries[key]["stage"] for key in meta["journal"]]
        assert [entries[key]["prompt"] for key in meta["journal"]] == meta["prompts"]
        assert entries[meta["journal"][-1]]["text"] == record.fields["output"]
    assert len({record.id for record in outcome.records}) == len(outcome.records)


@pytest.mark.parametrize(("counts", "value"), [([], None), ([0, 0], None), ([7], 1.0), ([5, 5], 1.0), ([9, 0], 0.0)])
def test_g13_evenness(counts: list[int], value: float | None) -> None:
    assert evenness(counts) == (None if value is None else pytest.approx(value))


async def test_g13_the_report_tells_what_survived_level_by_level(taxonomy: str, journal: Journal) -> None:
    outcome = await play(GLAN(taxonomy=taxonomy, queries=4, attempts=1, lookahead=6), stateless, journal, target=150)
    notes, dropped = outcome.run.notes, [record for record in outcome.records if record.dropped]
    survival = notes["survival"]
    assert isinstance(survival, dict) and list(survival) == ["subjects", "syllabus", "questions", "answers"]
    for table in survival.values():
        assert table["tried"] == table["accepted"] + sum(table["eliminated"].values()) > 0
    assert survival["subjects"]["tried"] == 4 * 4
    assert survival["syllabus"]["accepted"] == notes["syllabi"]
    assert survival["answers"]["tried"] == survival["questions"]["accepted"]
    assert survival["answers"]["accepted"] == 150
    assert survival["syllabus"]["eliminated"] and survival["questions"]["eliminated"]
    eliminated: Counter[str] = Counter()
    for table in survival.values():
        eliminated.update(table["eliminated"])
    assert eliminated == Counter(record.dropped.reason for record in dropped if record.dropped)


async def test_g13_every_reply_is_behind_a_record_or_brought_nothing_new(taxonomy: str, journal: Journal) -> None:
    options = GLAN(taxonomy=taxonomy, queries=4, lookahead=6, max_questions=150)  # so none is in flight at the end
    outcome = await play(options, stateless, journal)
    behind = {key for r in outcome.records for key in (*r.meta["journal"], *r.meta.get("asked_again", ()))}
    entries = {entry["key"]: entry for entry in read_entries(journal.path)}
    assert behind <= entries.keys()
    used = {record.meta["subject"] for record in outcome.records if "subject" in record.meta}
    assert len(used) == outcome.run.notes["subjects"]  # so no subject waits to be used
    rest = [entry for key, entry in entries.items() if key not in behind]
    assert {entry["stage"] for entry in rest} <= {"subjects", "subject_lists"}
    for entry in rest:
        if entry["stage"] == "subject_lists":
            assert {subject.name for subject in read_subjects(entry["text"])} <= used


# G14: resume, and the price of a change


async def test_g14_a_run_that_was_stopped_goes_on_to_the_same_records(
    taxonomy: str, tmp_path: Path, fresh_journal: Journal
) -> None:
    options = GLAN(taxonomy=taxonomy, queries=3, lookahead=3)
    whole = await play(options, stateless, fresh_journal, target=40)
    for stop in (2, 15, 40, 90):
        asked = 0

        def dies(request: Request, stop: int = stop) -> str | Completion:
            nonlocal asked
            asked += 1
            if asked == stop:
                raise UnavailableError("the server is gone")
            return stateless(request)

        stopped = Journal(tmp_path / str(stop) / "journal.jsonl")
        with pytest.raises(UnavailableError):
            await play(options, dies, stopped, target=40)
        stopped.close()
        again = Journal(tmp_path / str(stop) / "journal.jsonl")
        resumed = await play(options, stateless, again, target=40)
        again.close()
        assert resumed.records == whole.records
        keys = [entry["key"] for entry in read_entries(again.path) if "key" in entry]
        assert len(keys) == len(set(keys))


async def test_g14_a_new_discipline_costs_only_its_own_branch(tmp_path: Path, journal: Journal) -> None:
    before = await play(GLAN(taxonomy=small_taxonomy(tmp_path)), Professor(), journal, target=40)
    journal = reopened(journal)
    more = small_taxonomy(
        tmp_path, "include: [small.yaml]\nfields:\n  Sciences:\n    Physics: [Mechanics]\n", "more.yaml"
    )
    second = Professor()
    after = await play(GLAN(taxonomy=more), second, journal, target=50)
    assert second.log
    for request in second.log:
        assert "Mechanics" in str(request.messages) or request.stage == "answers"
    mechanics = {r.fields["instruction"] for r in after.records if r.meta["discipline"] == "Mechanics"}
    assert set(second.prompts("answers")) <= mechanics
    assert Counter(r.meta["discipline"] for r in after.kept) == dict.fromkeys(
        ("Optics", "Acoustics", "Botany", "Carpentry", "Mechanics"), 10
    )
    old = {record.id: record for record in before.records}
    assert {r.id: r for r in after.records if r.meta["discipline"] != "Mechanics"} == old
    journal.close()


async def test_g14_a_larger_target_asks_for_the_difference(taxonomy: str, journal: Journal) -> None:
    first, second = Professor(), Professor()
    few = await play(GLAN(taxonomy=taxonomy, queries=2), first, journal, target=20)
    journal = reopened(journal)
    many = await play(GLAN(taxonomy=taxonomy, queries=2), second, journal, target=60)
    assert {record.id for record in few.kept} <= {record.id for record in many.kept}
    assert len(second.asked("questions")) == 40 and not second.asked("subjects")
    journal.close()


async def test_g14_a_small_target_grows_only_the_branches_it_needs(journal: Journal) -> None:
    professor = Professor()
    await play(GLAN(queries=2), professor, journal, target=5)
    assert len({discipline_of(r) for r in professor.asked("subjects")}) == 5
    assert len(professor.asked("syllabus")) == 5


# G15: held out


async def test_g15_the_held_out_split_shares_no_combination_of_concepts(taxonomy: str, journal: Journal) -> None:
    same = {
        "subject_lists": lambda r: subject_lines("Materials", "Tools"),
        "sessions": lambda r: session_lines(3, 2, subject="Shared"),  # equal concepts in every course
    }
    options = GLAN(taxonomy=taxonomy, queries=1, out_of_range="keep", held_out=0.3)
    outcome = await play(options, Professor(same), journal, target=300)
    combinations: dict[str, set[frozenset[str]]] = {"train": set(), "test": set()}
    for record in outcome.kept:
        assert record.meta["split"] == record.fields["split"]
        concepts = frozenset(concept for session in record.meta["concepts"] for concept in session)
        combinations[record.fields["split"]].add(concepts)
    assert combinations["train"] and combinations["test"]
    assert not combinations["train"] & combinations["test"]
    splits = outcome.run.notes["splits"]
    assert isinstance(splits, dict) and splits["train"] + splits["test"] == 300


async def test_g15_the_share_held_out_is_the_one_asked_for(taxonomy: str, journal: Journal) -> None:
    outcome = await play(GLAN(taxonomy=taxonomy, queries=2, held_out=0.2), Professor(), journal, target=600)
    test = sum(record.fields["split"] == "test" for record in outcome.kept)
    assert abs(test - 120) < 40  # four standard deviations
    by_discipline = Counter(r.meta["discipline"] for r in outcome.kept if r.fields["split"] == "test")
    assert min(by_discipline.values()) > 5 and len(by_discipline) == 4


@pytest.mark.parametrize("times", [1, 2])
async def test_g15_each_discipline_has_so_many_held_out_questions(times: int, taxonomy: str, journal: Journal) -> None:
    options = GLAN(
        taxonomy=taxonomy, queries=2, held_out=0.3, held_out_per_discipline=7, questions_per_pick=times, lookahead=8
    )
    outcome = await play(options, Professor(), journal, target=400)
    counts = outcome.run.notes["held_out_by_discipline"]
    assert isinstance(counts, dict) and list(counts.values()) == [7] * 4
    combinations: dict[str, set[frozenset[str]]] = {"train": set(), "test": set()}
    for record in outcome.kept:
        concepts = frozenset(concept for session in record.meta["concepts"] for concept in session)
        combinations[record.fields["split"]].add(concepts)
    assert not combinations["train"] & combinations["test"]
    assert len(outcome.kept) == 400


async def test_g15_a_course_whose_every_combination_is_held_out_ends_with_a_reason(
    tmp_path: Path, journal: Journal
) -> None:
    one = small_taxonomy(tmp_path, "fields:\n  Sciences: [Optics]\n")
    replies = {"subject_lists": lambda r: subject_lines("Lenses"), "sessions": lambda r: session_lines(1)}
    options = GLAN(
        taxonomy=one, queries=1, out_of_range="keep", held_out=0.99, held_out_per_discipline=2, stall=5, lookahead=1
    )
    outcome = await play(options, Professor(replies), journal, target=50)
    assert outcome.reasons() == [None, None, *["held_out_full"] * 5]
    assert outcome.run.notes["stopped"] == "stalled: none of the last 5 questions was kept"
    assert outcome.run.notes["questions"] == 2


# G16: estimate


def small_recipe(taxonomy: str, target: int, **options: Any) -> Recipe:
    models = {"default": {"use": "fake", "function": "tests.test_glan_runs:stateless"}}
    generator = {"use": "glan", "taxonomy": taxonomy, "queries": 3, **options}
    return Recipe.from_data({"target": target, "generator": generator, "models": models})


@pytest.mark.parametrize(("target", "options"), [(10, {}), (60, {}), (30, {"subjects": 2})])
def test_g16_the_estimate_is_right_within_a_fifth_once_a_run_tells_the_survival(
    target: int, options: dict[str, Any], taxonomy: str, tmp_path: Path
) -> None:
    small = small_recipe(taxonomy, 24, lookahead=4, **options)
    synthesize(small, tmp_path / "past")
    wanted = small_recipe(taxonomy, target, lookahead=4, **options)
    _, stages = estimate(wanted, tmp_path / "past")
    usage = synthesize(wanted, tmp_path / "run").report["usage"]
    told, made = sum(stage.requests for stage in stages), sum(stage["answers"] for stage in usage.values())
    assert abs(told - made) <= 0.2 * made, (told, made)


async def test_g16_without_survival_the_estimate_is_exact_where_nothing_is_lost(
    taxonomy: str, journal: Journal
) -> None:
    options = GLAN(taxonomy=taxonomy, queries=3, subjects=2)
    run = Run({"default": Model(FakeBackend(reply), journal)}, target=30)
    told = {stage.stage: stage.requests for stage in options.estimate(run, None)}
    professor = Professor()
    await play(options, professor, journal, target=30)
    assert told == Counter(request.stage for request in professor.log)


# the run as a whole


def test_a_recipe_becomes_a_dataset_with_splits_a_card_and_a_report(taxonomy: str, tmp_path: Path) -> None:
    result = synthesize(small_recipe(taxonomy, 40, held_out=0.2), tmp_path / "run")
    rows = result.report["rows"]
    assert result.complete and rows["kept"] == 40
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values())
    import datasets

    data = datasets.load_dataset(str(result.dataset), split="train", cache_dir=str(tmp_path / "cache"))
    assert set(data.column_names) >= {"id", "instruction", "input", "output", "split", "messages"}
    assert set(data["split"]) == {"train", "test"}
    card = (result.dataset / "README.md").read_text(encoding="utf-8")
    assert "2402.13064" in card and "`glan`" in card


def test_a_run_whose_steps_drop_every_row_ends(taxonomy: str, tmp_path: Path) -> None:
    data = small_recipe(taxonomy, 20, stall=30).data(defaults=False)
    none, few = (
        Recipe.from_data({**data, "steps": [{"use": "where", "keep": keep}]})
        for keep in ("words(output) > 999", "'e' in output")
    )
    result = synthesize(none, tmp_path / "none")
    assert str(result.report["notes"]["stopped"]).startswith("stalled: the steps kept none of the last ")
    assert 30 <= result.report["rows"]["dropped"]["where"] < 30 + 2 * 64
    assert synthesize(few, tmp_path / "few").complete


def test_a_reply_that_was_asked_for_again_is_not_told_as_one_that_came_too_late(taxonomy: str, tmp_path: Path) -> None:
    def unreadable(request: Request) -> str | Completion:
        return "I would rather not." if request.stage == "subject_lists" else reply(request)

    result = synthesize(small_recipe(taxonomy, 20), tmp_path / "run", backends={"default": FakeBackend(unreadable)})
    assert result.report["usage"]["subject_lists"]["answers"] == 2 * result.report["usage"]["subjects"]["answers"] > 0
    assert result.report["unused_answers"] == 0


def test_the_same_command_again_and_with_update_asks_for_nothing_twice(taxonomy: str, tmp_path: Path) -> None:
    first = synthesize(small_recipe(taxonomy, 20), tmp_path / "run")
    more = synthesize(small_recipe(taxonomy, 40), tmp_path / "run", update=True)
    used = {stage: (u["answers"], u["replayed"]) for stage, u in more.report["usage"].items()}
    assert used["questions"][1] >= 20 and used["questions"][0] > used["questions"][1]
    assert {r.id for r in first.records()} <= {r.id for r in more.records()}


def test_the_shipped_recipe_is_valid() -> None:
    recipe = Recipe.load("glan")
    built = recipe.build()
    assert isinstance(built.generator, GLAN)
    built.generator.validate(Run({}, target=recipe.target))


def test_the_scripted_taxonomy_has_four_disciplines(taxonomy: str) -> None:
    assert "Carpentry" in TAXONOMY and Path(taxonomy).read_text(encoding="utf-8") == TAXONOMY
