"""One generator's records as the seeds of another: what is made of them, in which order, how it is accounted for."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from llmsynth import GLAN, EvolInstruct, FakeBackend, Generated, Record, Request, Run, SelfInstruct
from llmsynth.errors import RecipeError, SourceError
from llmsynth.generators.evol_instruct import Auto, Stop
from llmsynth.generators.protocol import About
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.steps import Check
from llmsynth.steps.duplicates import ExactDuplicates
from tests.chained import teacher
from tests.evolving import Evolver
from tests.professor import Professor, small_taxonomy
from tests.scripted import Answer, Outcome, made_up, play, seed_file, varied


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    return small_taxonomy(tmp_path)


@pytest.fixture
def fresh_journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "fresh" / "journal.jsonl")
    yield opened
    opened.close()


def chain(taxonomy: str, target: int = 24, ahead: int = 4, **evol: Any) -> EvolInstruct:
    glan = GLAN(taxonomy=taxonomy, queries=2, lookahead=ahead, held_out=0.3)
    return EvolInstruct(seeds=Generated(glan, target), **{"rounds": 2, "lookahead": 8, **evol})


@dataclass(frozen=True)
class Listed:
    """A generator whose records are known beforehand: (instruction, whether it is kept), or the instruction alone."""

    about: ClassVar[About] = About("Listed.")
    rows: tuple[Any, ...]

    def validate(self, run: Run) -> None: ...

    def estimate(self, run: Run, past: Any) -> list[Any]:
        return []

    async def generate(self, run: Run) -> AsyncIterator[Record]:
        for number, row in enumerate(self.rows):
            instruction, kept = (row, True) if isinstance(row, str) else row
            record = Record(f"{number}", {"instruction": instruction, "input": "", "output": "Yes."}, {"stages": []})
            yield record if kept else record.drop("unwanted")
        run.notes["stopped"] = "all listed"


def listed(*rows: Any, steps: tuple[Any, ...] = (), target: int = 100, **evol: Any) -> EvolInstruct:
    return EvolInstruct(seeds=Generated(Listed(rows), target, steps), **{"rounds": 1, "breadth": 0.0, **evol})


def of(outcome: Outcome, generator: str) -> list[Record]:
    return [record for record in outcome.records if record.meta.get("generator") == generator]


def seeds_noted(outcome: Outcome) -> Any:
    return outcome.run.notes["seeds"]


# what comes out


async def test_the_records_of_both_are_there_and_every_lineage_begins_with_a_kept_one(
    taxonomy: str, journal: Journal
) -> None:
    outcome = await play(chain(taxonomy), teacher, journal)
    by_id = {record.id: record for record in outcome.records}
    assert len(by_id) == len(outcome.records)
    assert sum(record.dropped is None for record in of(outcome, "glan")) == 24
    evolved = of(outcome, "evol-instruct")
    assert len(evolved) == 24 * 2 and {record.status for record in evolved} == {"kept", "dropped"}
    for record in evolved:
        (parent,) = (by_id[id] for id in record.meta["parents"])
        first = by_id[record.meta["lineage"]]
        assert parent.dropped is None and first.dropped is None
        assert first.meta["generator"] == "glan" == record.meta["source"]
        assert parent is first or (parent.meta["lineage"], parent.meta["round"]) == (first.id, 1)
        assert record.id == f"{first.id}@{record.meta['round']}"


async def test_an_evolution_is_in_the_split_of_its_seed(taxonomy: str, journal: Journal) -> None:
    outcome = await play(chain(taxonomy), teacher, journal)
    splits = {record.id: record.fields["split"] for record in of(outcome, "glan") if record.dropped is None}
    assert set(splits.values()) == {"train", "test"}
    for record in of(outcome, "evol-instruct"):
        assert record.fields["split"] == splits[record.meta["lineage"]]


async def test_it_evolves_the_first_while_others_are_still_made(taxonomy: str, journal: Journal) -> None:
    professor, evolver = Professor(), Evolver()
    stages: list[str] = []

    def both(request: Request) -> Answer:
        stages.append(request.stage)
        return (evolver if request.stage in ("evolve", "equality", "responses") else professor)(request)

    await play(chain(taxonomy, 60), both, journal)
    first = stages.index("evolve")
    assert stages[:first].count("answers") <= 5 and stages[first:].count("answers") >= 55
    last = len(stages) - 1 - stages[::-1].index("questions")
    assert stages[:last].count("evolve") >= 40 and stages[:last].count("responses") >= 20


async def test_neither_order_nor_concurrency_nor_the_lookahead_of_evolving_changes_a_record(
    taxonomy: str, journal: Journal, fresh_journal: Journal, tmp_path: Path
) -> None:
    calm = await play(chain(taxonomy, breadth=0.5), teacher, journal, concurrency=1)
    wild = await play(chain(taxonomy, breadth=0.5), teacher, fresh_journal, late=True)
    other = Journal(tmp_path / "other" / "journal.jsonl")
    narrow = await play(chain(taxonomy, breadth=0.5, lookahead=1), teacher, other, late=True)
    other.close()
    assert calm.records == wild.records == narrow.records
    assert calm.run.notes == wild.run.notes == narrow.run.notes


async def test_a_seed_goes_on_just_before_what_came_of_it_in_the_first_round(journal: Journal) -> None:
    outcome = await play(listed("One river", ("Two rivers", False), "Three rivers", rounds=2), Evolver(), journal)
    assert [r.id for r in outcome.records] == ["0", "0@1", "1", "2", "2@1", "0@2", "2@2"]


async def test_what_follows_the_last_seed_goes_on_too(journal: Journal) -> None:
    outcome = await play(listed("One river", ("Two", False), ("Three", False)), Evolver(), journal)
    assert [r.id for r in outcome.records] == ["0", "0@1", "1", "2"]
    assert seeds_noted(outcome)["rows"] == {"in": 3, "kept": 1, "dropped": {"unwanted": 2}, "failed": {}}


async def test_self_instruct_can_come_first(tmp_path: Path, journal: Journal) -> None:
    first = SelfInstruct(seeds=seed_file(tmp_path), lookahead=4)
    script, evolver = varied(), Evolver()

    def both(request: Request) -> Answer:
        return (evolver if request.stage in ("evolve", "equality", "responses") else script)(request)

    outcome = await play(EvolInstruct(seeds=Generated(first, 20), rounds=1, breadth=0.0), both, journal)
    seeds = [record for record in of(outcome, "self-instruct") if record.dropped is None]
    assert len(seeds) == 20
    evolved = {record.meta["lineage"]: record for record in of(outcome, "evol-instruct")}
    # of an instruction's several instances the first evolves, as of a seed's in a file
    instructions: dict[str, Record] = {}
    for record in seeds:
        instructions.setdefault(record.fields["instruction"], record)
    assert list(evolved) == [record.id for record in instructions.values()]
    assert outcome.run.notes["seed_count"] == len(evolved) < 20
    for seed in instructions.values():
        assert seed.fields["input"] in evolved[seed.id].fields["instruction"]


# what is a seed


async def test_what_a_step_between_them_drops_is_a_record_and_no_seed(journal: Journal) -> None:
    def no_two(record: Record) -> str | None:
        return "two" if "Two" in record.fields["instruction"] else None

    rows = ("One river", "Two rivers", "One  river!", "Four rivers")
    outcome = await play(listed(*rows, steps=(ExactDuplicates(), Check(no_two))), Evolver(), journal)
    assert [(r.id, r.dropped and r.dropped.reason) for r in outcome.records] == [
        ("0", None),
        ("0@1", None),
        ("1", "two"),
        ("2", "exact_duplicate"),
        ("3", None),
        ("3@1", None),
    ]


async def test_no_more_seeds_are_taken_than_are_wanted(journal: Journal) -> None:
    rows = [made_up("row", n) for n in range(90)]
    outcome = await play(listed(*rows, target=7), Evolver(), journal)
    assert [r.id for r in outcome.records if "@" not in r.id] == [str(n) for n in range(7)]
    through_steps = await play(listed(*rows, target=7, steps=(ExactDuplicates(),)), Evolver(), journal)
    assert through_steps.run.notes["seed_count"] == 7
    assert seeds_noted(through_steps)["rows"]["dropped"] == {"beyond_target": 25}  # of the batch of 32


async def test_an_instruction_that_was_there_before_is_a_record_and_no_seed(journal: Journal) -> None:
    outcome = await play(listed("Name a river.", "NAME  a river.", "Name two.", " "), Evolver(), journal)
    assert [r.id for r in outcome.records] == ["0", "0@1", "1", "2", "2@1", "3"]
    assert all(record.dropped is None for record in outcome.records)


async def test_seeds_that_are_not_wanted_as_records_are_dropped_and_accounted_for(
    taxonomy: str, journal: Journal, fresh_journal: Journal
) -> None:
    with_seeds = await play(chain(taxonomy), teacher, journal)
    without = await play(chain(taxonomy, include_seeds=False), teacher, fresh_journal)
    assert of(without, "evol-instruct") == of(with_seeds, "evol-instruct")
    assert Counter(without.reasons())["seed_only"] == 24
    assert len(without.records) == len(with_seeds.records)
    assert seeds_noted(without)["rows"] == seeds_noted(with_seeds)["rows"]


async def test_a_task_made_in_breadth_is_compared_with_the_seeds_made_by_then(journal: Journal) -> None:
    pool = [made_up("e", n) + " " + made_up("f", n) for n in range(6)]

    def like_its_neighbour(shift: int) -> Evolver:
        def copy(text: str, prompt: str) -> str:
            words = pool[(pool.index(text) + shift) % 6].split()
            return " ".join([*words[:10], "quite", "different"])

        return Evolver(evolve=copy)

    earlier = await play(listed(*pool, breadth=1.0), like_its_neighbour(-1), journal)
    reasons = [r.dropped and r.dropped.reason for r in earlier.records if "@" in r.id]
    assert reasons == [None] + ["not_novel"] * 5  # the first one's neighbour comes last
    for lookahead in (1, 64):  # however many seeds are there already
        later = await play(listed(*pool, breadth=1.0, lookahead=lookahead), like_its_neighbour(1), journal)
        reasons = [r.dropped and r.dropped.reason for r in later.records if "@" in r.id]
        assert reasons == [None] * 5 + ["not_novel"]


async def test_a_rating_is_asked_for_once_for_every_instruction(journal: Journal, fresh_journal: Journal) -> None:
    later = made_up("later") + " " + made_up("on")
    rows = [made_up("row", n) for n in range(5)]

    def evolve(text: str, prompt: str) -> str:  # the first becomes what the last seed is, before that is there
        return later if text == rows[0] else f"{text} {made_up('more', text)} {made_up('too', text)}"

    def by_occurrence(request: Request) -> Answer:
        return str(request.seed % 9 + 1) if request.stage == "difficulty" else evolver(request)

    evolver = Evolver(evolve=evolve)
    options = listed(*rows, later, difficulty=True)
    outcome = await play(options, by_occurrence, journal, concurrency=1)
    other = await play(options, by_occurrence, fresh_journal, late=True)
    assert outcome.records == other.records
    rated = {record.id: record.scores.get("difficulty") for record in outcome.records}
    assert rated.pop("5") is None and all(rated.values()) and len(rated) == 11
    assert [entry["stages"] for entry in (r.meta for r in outcome.records) if entry["stages"] == ["difficulty"]]
    assert set(outcome.run.notes["mean_difficulty"]) == {"0", "1"}  # type: ignore[call-overload]


async def test_no_more_records_wait_than_the_lookahead_asks_for(journal: Journal) -> None:
    taken = 0

    @dataclass(frozen=True)
    class Endless(Listed):
        async def generate(self, run: Run) -> AsyncIterator[Record]:
            nonlocal taken
            while True:
                taken += 1
                yield Record(f"{taken}", {"instruction": made_up("row", taken), "output": "Yes."}, {"stages": []})

    run = Run({"default": Model(FakeBackend(Evolver()), journal)})
    generator = EvolInstruct(seeds=Generated(Endless(()), 600), rounds=1, lookahead=8)
    passed, most = 0, 0
    async for record in generator.generate(run):
        passed += "@" not in record.id
        most = max(most, taken - passed)
    assert passed == 600 and 20 <= most <= 3 * 8


# how much is made


@pytest.mark.parametrize("target", [1, 5, 20, 40])
async def test_a_target_is_of_all_records_together_and_bounds_what_is_asked_for(
    target: int, taxonomy: str, journal: Journal
) -> None:
    outcome = await play(chain(taxonomy, target=500, ahead=64), teacher, journal, target=target)
    assert len(outcome.kept) == target
    assert outcome.run.notes["stopped"] == "target reached"
    usage = outcome.run.model("default").usage
    assert usage["evolve"].requests <= target + 2
    assert usage["questions"].requests <= 2 * target + 12


async def test_with_too_few_seeds_all_rounds_are_done_and_the_report_says_so(journal: Journal) -> None:
    outcome = await play(listed("One river", "Two rivers", target=5, rounds=3), Evolver(), journal)
    assert outcome.run.notes["stopped"] == "all 3 rounds done"
    assert seeds_noted(outcome)["short"] == 3 and len(outcome.records) == 8


async def test_without_any_seed_there_is_nothing_to_evolve(journal: Journal) -> None:
    outcome = await play(listed(("One", False), ("Two", False)), Evolver(), journal)
    assert [r.id for r in outcome.records] == ["0", "1"]
    assert outcome.run.notes["stopped"] == "no seed was made"


async def test_where_evolving_is_of_no_use_the_seeds_are_made_all_the_same(journal: Journal) -> None:
    rows = [made_up("row", n) for n in range(60)]
    useless = Evolver(respond=lambda text: "Sorry.")
    options = listed(*rows, target=50, rounds=9, stop=Stop(window=5), lookahead=4)
    outcome = await play(options, useless, journal)
    assert outcome.run.notes["stopped"] == "survival collapsed: 0 of the last 5 evolutions were accepted"
    assert len(outcome.kept) == 50 and len(useless.texts("evolve")) < 25
    assert seeds_noted(outcome)["short"] == 0
    only_evolved = dataclasses.replace(options, include_seeds=False)
    outcome = await play(only_evolved, useless, journal)
    assert not outcome.kept and len(outcome.records) < 45


async def test_the_counts_of_the_report_add_up(taxonomy: str, journal: Journal) -> None:
    outcome = await play(chain(taxonomy), teacher, journal)
    rows, notes = outcome.run.tally.report(), outcome.run.notes
    assert rows["in"] == seeds_noted(outcome)["rows"]["in"] + notes["evolutions"]
    assert rows["kept"] == seeds_noted(outcome)["rows"]["kept"] + notes["evolutions_accepted"]
    assert seeds_noted(outcome)["notes"]["questions_kept"] == 24 and seeds_noted(outcome)["generator"] == "glan"


async def test_whoever_leaves_off_leaves_both_at_their_end(taxonomy: str, journal: Journal) -> None:
    run = Run({"default": Model(FakeBackend(teacher), journal)})
    made = chain(taxonomy).generate(run)
    await anext(made)
    await made.aclose()  # type: ignore[attr-defined]
    noted: Any = run.notes["seeds"]
    assert noted["rows"]["in"] == 1 and noted["short"] == 0
    assert noted["notes"]["stopped"] == "ended early" == run.notes["stopped"]


# what it costs


async def test_the_estimate_is_exact_where_nothing_is_lost(taxonomy: str, journal: Journal) -> None:
    glan = GLAN(taxonomy=taxonomy, queries=2, subjects=2)
    options = EvolInstruct(seeds=Generated(glan, 20), rounds=3, breadth=0.0)
    told = {s.stage: s.requests for s in options.estimate(Run({"default": Model(FakeBackend(teacher), journal)}), None)}
    professor, evolver = Professor(), Evolver()

    def both(request: Request) -> Answer:
        return (evolver if request.stage in ("evolve", "equality", "responses") else professor)(request)

    outcome = await play(options, both, journal)
    assert told == {stage: usage.requests for stage, usage in outcome.run.model("default").usage.items()}


@pytest.mark.parametrize("target", [None, 30, 60])
async def test_the_estimate_is_right_within_a_fifth_once_a_run_tells_the_survival(
    target: int | None, taxonomy: str, journal: Journal, fresh_journal: Journal
) -> None:
    past = await play(chain(taxonomy, 16), teacher, journal)
    usage = {stage: dataclasses.asdict(each) for stage, each in past.run.model("default").usage.items()}
    report = {
        "notes": past.run.notes,
        "rows": past.run.tally.report(),
        "usage": {stage: {**each, "answers": each["requests"]} for stage, each in usage.items()},
    }
    options = chain(taxonomy, 40)
    stages = options.estimate(Run({"default": Model(FakeBackend(teacher), journal)}, target=target), report)
    outcome = await play(options, teacher, fresh_journal, target=target)
    told, made = sum(s.requests for s in stages), sum(u.requests for u in outcome.run.model("default").usage.values())
    assert abs(told - made) <= 0.2 * made, (told, made)


@pytest.mark.parametrize(
    ("target", "include", "seeds"), [(None, True, 40), (30, True, 20), (30, False, 40), (9, False, 18)]
)
def test_the_first_one_is_estimated_for_the_seeds_that_a_target_needs_and_by_its_own_past(
    target: int | None, include: bool, seeds: int
) -> None:
    given: list[Any] = []

    @dataclass(frozen=True)
    class Asked(Listed):
        def estimate(self, run: Run, past: Any) -> list[Any]:
            given.append((run.target, past["notes"], past["rows"]))
            return []

    own = {"generator": "listed", "rows": {"kept": 3}, "notes": {"mine": 1}}
    past = {"usage": {}, "rows": {}, "notes": {"seeds": own, "evolutions": 8, "evolutions_accepted": 4}}
    options = EvolInstruct(seeds=Generated(Asked(()), 40), rounds=2, include_seeds=include)
    evolve = options.estimate(Run({}, target=target), past)[0]
    assert given == [(seeds, {"mine": 1}, {"kept": 3})]
    assert evolve.requests == min(80, 80 if target is None else 2 * (target - include * seeds))


# what cannot be


def test_evol_instruct_does_not_start_from_itself(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot start from its own records"):
        EvolInstruct(seeds=Generated(EvolInstruct(), 10)).validate(Run({}))


def test_records_without_an_instruction_are_no_seeds() -> None:
    @dataclass(frozen=True)
    class Labels(Listed):
        about: ClassVar[About] = About("Labels.", columns={"text": "string", "label": "string"})

    with pytest.raises(RecipeError, match="its records have no instruction"):
        EvolInstruct(seeds=Generated(Labels(()), 10)).validate(Run({}))


def test_a_mistake_of_the_first_one_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    broken = small_taxonomy(tmp_path, "fields: [Law, Law]\n")
    with pytest.raises(SourceError, match="'Law' is there twice"):
        EvolInstruct(seeds=Generated(GLAN(taxonomy=broken), 10)).validate(Run({}))
    with pytest.raises(RecipeError, match="target is 0"):
        Generated(GLAN(), 0)
    with pytest.raises(RecipeError, match=r"seeds is GLAN\("):
        EvolInstruct(seeds=GLAN())  # type: ignore[arg-type]


def test_the_journal_of_a_chain_tells_the_stages_apart(taxonomy: str, tmp_path: Path) -> None:
    evolving = {stage.stage for stage in EvolInstruct(difficulty=True).estimate(Run({}), None)}
    for first in (GLAN(taxonomy=taxonomy, turns=2), SelfInstruct(seeds=seed_file(tmp_path))):
        assert not evolving & {stage.stage for stage in first.estimate(Run({}, target=9), None)}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"pack": "auto", "auto": Auto(steps=2)}, "auto.steps"),
        ({"stop": Stop(score=lambda records, n: n)}, "stop.score"),
    ],
)
def test_what_needs_all_seeds_at_once_is_refused_where_they_are_yet_to_be_made(
    options: dict[str, Any], what: str
) -> None:
    with pytest.raises(RecipeError, match=f"{what} needs all seeds at once"):
        EvolInstruct(seeds=Generated(GLAN(), target=5), **options)


async def test_a_window_of_a_round_is_as_long_as_the_seeds_will_be_many(journal: Journal) -> None:
    rows = [made_up("row", n) for n in range(12)]
    options = listed(*rows, target=12, rounds=9, stop=Stop(window=None), lookahead=4)
    outcome = await play(options, Evolver(respond=lambda text: "Sorry."), journal)
    assert outcome.run.notes["stopped"] == "survival collapsed: 0 of the last 12 evolutions were accepted"
