"""When Evol-Instruct stops: at its target, when survival or novelty collapses, when a development score falls."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmsynth import EvolInstruct, Recipe, Record, synthesize
from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct import Stop
from llmsynth.journal import Journal
from llmsynth.request import Request, RequestFailedError
from tests.evolving import Evolver, harder, mixed, rows_file
from tests.scripted import Answer, made_up, play


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return rows_file(tmp_path)


async def test_e13_it_stops_when_nothing_survives_any_more(seeds: str, journal: Journal) -> None:
    evolver = Evolver(respond=lambda text: "Sorry.")
    outcome = await play(EvolInstruct(seeds=seeds, rounds=50, stop=Stop(window=12)), evolver, journal)
    assert outcome.run.notes["stopped"] == "survival collapsed: 0 of the last 12 evolutions were accepted"
    assert len(outcome.records) < 6 + 12 + 8


async def test_e13_it_stops_when_nothing_is_new_any_more(seeds: str, journal: Journal) -> None:
    evolver = Evolver(equality=lambda a, b: "Equal")
    options = EvolInstruct(seeds=seeds, rounds=50, stop=Stop(window=12, survival=-1))
    outcome = await play(options, evolver, journal)
    assert outcome.run.notes["stopped"] == "novelty collapsed: 0 of the last 12 evolutions were news"


async def test_e13_it_stops_at_its_target_and_asks_little_beyond_it(tmp_path: Path, journal: Journal) -> None:
    evolver = Evolver()
    outcome = await play(EvolInstruct(seeds=rows_file(tmp_path, 30)), evolver, journal, target=60)
    assert len(outcome.kept) == 60
    assert outcome.run.notes["stopped"] == "target reached"
    assert 30 <= len(evolver.texts("evolve")) <= 40


async def test_e13_the_window_can_be_a_round(seeds: str, journal: Journal) -> None:
    evolver = Evolver(respond=lambda text: "Sorry." if len(text.split()) > 40 else "Yes, it does.")  # from round 3 on
    options = EvolInstruct(seeds=seeds, rounds=50, breadth=0.0, stop=Stop(window=None))
    outcome = await play(options, evolver, journal)
    assert outcome.run.notes["stopped"] == "survival collapsed: 0 of the last 6 evolutions were accepted"
    assert [r.meta["round"] for r in outcome.records if r.dropped is None] == [0] * 6 + [1] * 6 + [2] * 6


async def test_e13_a_run_of_fewer_evolutions_than_the_window_goes_through_its_rounds(
    seeds: str, journal: Journal
) -> None:
    outcome = await play(EvolInstruct(seeds=seeds), Evolver(respond=lambda text: "Sorry."), journal)
    assert outcome.run.notes["stopped"] == "all 4 rounds done"
    assert len(outcome.records) == 6 + 24


async def test_e13_an_outage_is_no_collapse_and_ends_the_run_under_its_own_name(seeds: str, journal: Journal) -> None:
    evolver = Evolver()

    def ill(text: str, prompt: str) -> str:
        if len(evolver.texts("evolve")) > 12:
            raise RequestFailedError("http_500", "the server is ill", retryable=False)
        return harder(text, prompt)

    evolver.evolve = ill
    outcome = await play(EvolInstruct(seeds=seeds, rounds=50, lookahead=1, stop=Stop(window=8)), evolver, journal)
    assert outcome.run.notes["stopped"] == "each of the last 8 evolutions failed"
    assert 8 <= outcome.run.tally.failed["http_500"] <= 8 + 6  # and what was on its way


async def test_e13_it_stops_when_the_evolutions_of_all_seeds_become_alike(seeds: str, journal: Journal) -> None:
    common = " ".join(made_up("common", n) for n in range(5))
    evolver = Evolver(lambda text, prompt: f"{' '.join(text.split()[-12:])} {common} {made_up(prompt)}")
    options = EvolInstruct(seeds=seeds, rounds=50, breadth=0.0, stop=Stop(window=None))
    outcome = await play(options, evolver, journal)
    assert str(outcome.run.notes["stopped"]).startswith("novelty collapsed: 0 of the last 6")
    assert outcome.run.notes["news"]["1"] == 6  # 12 words of the seed and 36 that all have
    assert set(outcome.reasons()) == {None}


async def test_e13_seeds_that_were_alike_from_the_start_may_stay_so(tmp_path: Path, journal: Journal) -> None:
    common = " ".join(made_up("common", n) for n in range(5))
    rows = [{"id": f"s{n}", "instruction": f"{common} {made_up(n)}", "output": "Yes."} for n in range(6)]
    options = EvolInstruct(seeds=rows_file(tmp_path, rows), breadth=0.0, stop=Stop(window=None))
    outcome = await play(options, Evolver(), journal)
    assert outcome.run.notes["stopped"] == "all 4 rounds done"
    assert outcome.run.notes["news"] == {"1": 6, "2": 6, "3": 6, "4": 6}


# Evol stop: a score of the user's own


@dataclasses.dataclass
class Scores:
    """A development score by script, which notes what it was asked about."""

    values: list[Any]
    asked: list[tuple[int, list[str]]] = dataclasses.field(default_factory=list)

    def __call__(self, records: list[Record], round: int) -> Any:
        self.asked.append((round, [record.id for record in records]))
        return self.values[round - 1]


async def test_e13_a_round_that_lowers_the_development_score_is_dropped_and_the_last(
    seeds: str, journal: Journal
) -> None:
    scores = Scores([0.5, 0.5, 0.7, 0.6, 0.9])
    outcome = await play(EvolInstruct(seeds=seeds, rounds=9, stop=Stop(score=scores)), Evolver(), journal)
    assert outcome.run.notes["stopped"] == "the development score fell to 0.6 with round 4, from 0.7"
    assert outcome.run.notes["development_scores"] == {"1": 0.5, "2": 0.5, "3": 0.7, "4": 0.6}
    assert Counter((r.meta["round"], r.dropped.reason if r.dropped else "") for r in outcome.records) == {
        (0, ""): 6, (1, ""): 6, (2, ""): 6, (3, ""): 6, (4, "evol_stop"): 6
    }  # fmt: skip
    assert [(round, len(ids)) for round, ids in scores.asked] == [(1, 12), (2, 18), (3, 24), (4, 30)]
    assert scores.asked[1][1] == [f"s{n}@{round}" for round in range(3) for n in range(6)]


async def test_e13_the_score_sees_accepted_records_only(seeds: str, journal: Journal) -> None:
    scores = Scores([1, 2])
    options = EvolInstruct(seeds=seeds, rounds=2, include_seeds=False, stop=Stop(score=scores))
    outcome = await play(options, mixed(), journal)
    for round, ids in scores.asked:
        accepted = [r.id for r in outcome.records if r.dropped is None and r.meta["round"] <= round]
        assert ids == accepted
    assert len(scores.asked[1][1]) < 12


async def test_e13_a_scored_round_is_finished_and_what_the_target_does_not_need_is_let_go(
    seeds: str, journal: Journal
) -> None:
    scores, evolver = Scores([1, 2, 3, 4]), Evolver()
    outcome = await play(EvolInstruct(seeds=seeds, stop=Stop(score=scores)), evolver, journal, target=14)
    assert len(evolver.texts("evolve")) == 12
    assert len(outcome.kept) == 14
    assert [round for round, _ in scores.asked] == [1, 2]


async def test_e13_a_score_that_is_no_number_is_an_error(seeds: str, journal: Journal) -> None:
    for wrong in (None, "0.5", float("nan"), True):
        with pytest.raises(RecipeError, match="of round 1 is"):
            await play(EvolInstruct(seeds=seeds, stop=Stop(score=Scores([wrong]))), Evolver(), journal)


@pytest.mark.parametrize(
    "name", ["nonsense", "tests.evolving:nonsense", "no_such_module:score", "tests.loopback:__doc__"]
)
def test_e13_a_score_that_is_not_there_is_named(name: str) -> None:
    data: dict[str, Any] = {"use": "evol-instruct", "stop": {"score": name}}
    with pytest.raises(RecipeError, match=r"generator\.stop: .*score"):
        Recipe.from_data({"generator": data, "models": {"default": {"use": "pocket"}}})


def teacher(request: Request) -> Answer:
    return mixed()(request)


CALLS: list[int] = []


def growth(records: list[Record], round: int) -> float:
    CALLS.append(round)
    return -abs(round - 2)


def test_e13_a_score_is_paid_for_once(seeds: str, tmp_path: Path) -> None:
    CALLS.clear()
    recipe = Recipe.from_data(
        {
            "generator": {
                "use": "evol-instruct",
                "seeds": seeds,
                "stop": {"score": "tests.test_evol_instruct_stop:growth"},
            },
            "models": {"default": {"use": "fake", "function": "tests.test_evol_instruct_stop:teacher"}},
        }
    )
    assert recipe.resolved()["generator"]["stop"]["score"] == "tests.test_evol_instruct_stop:growth"
    first = synthesize(recipe, tmp_path / "run")
    assert CALLS == [1, 2, 3]
    assert first.report["notes"]["stopped"].startswith("the development score fell to -1 with round 3")
    (tmp_path / "run" / "report.json").unlink()
    again = synthesize(recipe, tmp_path / "run")
    assert CALLS == [1, 2, 3]
    assert again.report["notes"] == first.report["notes"]
    assert again.report["rows"]["dropped"]["evol_stop"] > 0
