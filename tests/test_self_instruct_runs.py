"""Self-Instruct as a whole run: the same records every time, when it stops, where records come from."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmsynth import Completion, FakeBackend, Recipe, Record, SelfInstruct, synthesize
from llmsynth.errors import RecipeError, UnavailableError
from llmsynth.journal import Journal, read_entries
from llmsynth.request import Request, RequestFailedError
from tests.scripted import Script, made_up, numbered, overlapping, play, reply, seed_file, varied


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return seed_file(tmp_path)


@pytest.fixture
def fresh_journal(tmp_path: Path) -> Iterator[Journal]:
    """Another journal than `journal`, for a second run that finds nothing to replay."""
    opened = Journal(tmp_path / "fresh" / "journal.jsonl")
    yield opened
    opened.close()


# S11: case and determinism


async def test_s11_case_is_preserved(seeds: str, journal: Journal) -> None:
    script = reply("Explain to NASA how SQL joins work.", "iPhones or Pixels: which do McDonald's staff prefer?")
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert [record.fields["instruction"] for record in outcome.kept] == [
        "Explain to NASA how SQL joins work.",
        "iPhones or Pixels: which do McDonald's staff prefer?",
    ]


async def test_s11_neither_concurrency_nor_the_order_of_answers_changes_a_record(
    seeds: str, journal: Journal, fresh_journal: Journal
) -> None:
    options = SelfInstruct(seeds=seeds, lookahead=4)
    one = await play(options, varied(), journal, target=150, concurrency=1)
    other = await play(options, varied(), fresh_journal, target=150, late=True)
    assert one.records == other.records
    assert one.run.notes == other.run.notes
    assert len(one.kept) == 150


async def test_s11_another_seed_shows_other_tasks(seeds: str, journal: Journal, fresh_journal: Journal) -> None:
    one, other = Script(), Script()
    await play(SelfInstruct(seeds=seeds, max_requests=1), one, journal, seed=1)
    await play(SelfInstruct(seeds=seeds, max_requests=1), other, fresh_journal, seed=2)
    assert one.prompts("instructions") != other.prompts("instructions")


def test_s11_the_hash_seed_of_python_changes_nothing(seeds: str, tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from llmsynth import SelfInstruct
from llmsynth.journal import Journal
from tests.scripted import play, varied
options = SelfInstruct(seeds=sys.argv[1], lookahead=4)
print(asyncio.run(play(options, varied(), Journal(Path(sys.argv[2])), target=60)).records)
"""
    printed = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", code, seeds, str(tmp_path / hash_seed / "journal.jsonl")]
        run = subprocess.run(
            command, env=environment, cwd=Path(__file__).parent.parent, capture_output=True, check=True
        )
        printed.add(run.stdout)
    assert len(printed) == 1
    assert len(printed.pop()) > 10_000


# S12: resume


async def test_s12_a_run_that_was_stopped_goes_on_to_the_same_records(
    seeds: str, tmp_path: Path, fresh_journal: Journal
) -> None:
    options = SelfInstruct(seeds=seeds, lookahead=2)
    whole = await play(options, varied(), fresh_journal, target=120)
    script = varied()

    def dies(request: Request) -> str | Completion:
        if len(script.log) == 30:
            raise UnavailableError("the server is gone")
        return script(request)

    stopped = Journal(tmp_path / "run" / "journal.jsonl")
    with pytest.raises(UnavailableError):
        await play(options, dies, stopped, target=120)
    stopped.close()
    again = Journal(tmp_path / "run" / "journal.jsonl")
    resumed = await play(options, script, again, target=120)
    again.close()
    assert resumed.records == whole.records
    entries = read_entries(again.path)
    assert len(script.log) == len({entry["key"] for entry in entries})  # nothing was asked for twice


# S13: when it stops


async def test_s13_it_stops_at_the_target_exactly(seeds: str, journal: Journal) -> None:
    outcome = await play(SelfInstruct(seeds=seeds), Script(), journal, target=21)
    assert len(outcome.kept) == 21
    assert outcome.run.notes["stopped"] == "target reached"


async def test_s13_near_the_target_no_more_is_asked_than_is_needed(seeds: str, journal: Journal) -> None:
    script = Script()
    await play(SelfInstruct(seeds=seeds, lookahead=32), script, journal, target=40)
    # 5 replies of 8 would do; half of that is assumed before the first answer is in
    assert 5 <= len(script.prompts("instructions")) <= 10


def test_s13_a_larger_target_uses_every_answer_of_the_smaller_one(seeds: str, tmp_path: Path) -> None:
    def run(target: int) -> set[str]:
        options = {"use": "self-instruct", "seeds": seeds, "lookahead": 3}
        models = {"default": {"use": "fake", "function": "tests.teacher:reply"}}
        recipe = Recipe.from_data({"target": target, "generator": options, "models": models})
        result = synthesize(recipe, tmp_path / "run", update=True)
        assert result.report["rows"]["kept"] == target
        return {key for record in result.records() for key in record.meta["journal"]}

    few, many = run(30), run(90)
    assert few < many


async def test_s13_it_stops_at_max_requests(seeds: str, journal: Journal) -> None:
    script = Script()
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=3), script, journal, target=1000)
    assert len(script.prompts("instructions")) == outcome.run.notes["requests_for_instructions"] == 3
    assert outcome.run.notes["stopped"] == "max_requests (3) reached"
    assert len(outcome.kept) == 24


async def test_s13_it_stops_when_no_instruction_is_new_any_more(seeds: str, journal: Journal) -> None:
    script = reply(*(made_up("again", i) for i in range(8)))
    options = SelfInstruct(seeds=seeds, lookahead=1, stall_requests=5)
    outcome = await play(options, script, journal, target=1000)
    assert len(script.prompts("instructions")) == 6  # the first brought all there was
    assert outcome.run.notes["stopped"] == "stalled: 0 of the last 40 candidate instructions were accepted"
    assert len(outcome.kept) == 8


async def test_s13_a_little_news_is_a_stall_when_it_is_less_than_asked_for(seeds: str, journal: Journal) -> None:
    script = Script(instructions=lambda n: numbered([made_up("again", i) for i in range(7)] + [made_up("new", n)]))
    options = SelfInstruct(seeds=seeds, lookahead=1, stall_requests=4, stall_acceptance=0.125)
    outcome = await play(options, script, journal, target=1000)
    assert outcome.run.notes["stopped"] == "stalled: 4 of the last 32 candidate instructions were accepted"


async def test_s13_it_stops_when_new_instructions_lead_to_nothing_kept(seeds: str, journal: Journal) -> None:
    script = Script(instances=lambda instruction: "")
    options = SelfInstruct(seeds=seeds, lookahead=1, stall_requests=3)
    outcome = await play(options, script, journal, target=1000)
    assert outcome.run.notes["stopped"] == "stalled: the last 32 instructions led to no kept record"  # one in flight
    assert len(script.prompts("instructions")) <= 8
    assert outcome.run.tally.dropped == {"no_instance": len(outcome.records)}


async def test_s13_it_stops_when_every_request_fails(seeds: str, journal: Journal) -> None:
    def fails(request: Request) -> str:
        raise RequestFailedError("http_500", "the server is ill", retryable=False)

    options = SelfInstruct(seeds=seeds, lookahead=1, stall_requests=5)
    outcome = await play(options, fails, journal, target=10)
    assert outcome.reasons() == ["http_500"] * 5
    assert str(outcome.run.notes["stopped"]).endswith("requests failed")


# S14: provenance


async def test_s14_every_record_tells_where_it_comes_from(seeds: str, journal: Journal) -> None:
    script = varied()
    outcome = await play(SelfInstruct(seeds=seeds, lookahead=2), script, journal, target=120)
    written = {entry["key"]: entry for entry in read_entries(journal.path) if "key" in entry}
    seen: set[str] = set()
    assert len({record.id for record in outcome.records}) == len(outcome.records)
    for record in outcome.records:
        check_provenance(record, written, seen)
        seen.add("-".join(record.id.split("-")[:2]))
    assert any(record.meta["made_parents"] for record in outcome.records)


def check_provenance(record: Record, written: dict[str, dict[str, object]], earlier: set[str]) -> None:
    meta = record.meta
    assert meta["generator"] == "self-instruct"
    assert record.id.startswith(f"{meta['round']}-")
    seeds = {f"seed_{n}" for n in range(20)}
    assert len(meta["parents"]) == len(set(meta["parents"])) == 8
    assert {p for p in meta["parents"] if p not in seeds} == set(meta["made_parents"]) <= earlier
    assert meta["stages"] == ["instructions", "classification", "instances"]
    last = "output_first" if meta["is_classification"] else "input_first"
    files = [f"self_instruct/{name}" for name in ("instructions", "classification", last)]
    assert [prompt.split("@")[0] for prompt in meta["prompts"]] == files
    assert meta["models"] == ["fake"] * 3
    assert meta["finish_reasons"] == ["stop"] * 3
    assert [sampling["temperature"] for sampling in meta["sampling"]] == [0.7, 0.0, 0.0]
    assert meta["sampling"][0]["presence_penalty"] == 2.0
    for key, stage, prompt in zip(meta["journal"], meta["stages"], meta["prompts"], strict=True):
        assert (written[key]["stage"], written[key]["prompt"]) == (stage, prompt)
    scores = [score for _, score in meta["most_similar"]]
    assert len(scores) == 10
    assert scores == sorted(scores, reverse=True)
    assert scores[0] <= 0.7


async def test_s14_what_the_most_similar_instructions_were_is_as_rouge_says(seeds: str, journal: Journal) -> None:
    a, b = overlapping(6, 10)
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1, similar=1), reply(a, b), journal)
    assert outcome.records[1].meta["most_similar"] == [["0-0", 0.6]]


async def test_s14_every_candidate_is_accounted_for(seeds: str, journal: Journal) -> None:
    junk = ["Too short", "Draw a cat with three legs.", made_up("again")]
    script = Script(
        instructions=lambda n: numbered([*junk, made_up(n, 1), made_up(n, 2)]),
        kind=lambda instruction: "Perhaps" if instruction == made_up(2, 1) else "No",
        instances=lambda instruction: "Output: The answer is:" if instruction == made_up(3, 2) else "Output: fine",
    )
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=6), script, journal)
    tally = outcome.run.tally
    assert tally.dropped == {
        "too_short": 6,
        "blacklisted_word": 6,
        "not_novel": 5,
        "classification_unreadable": 1,
        "trailing_colon": 1,
    }
    assert tally.kept == 11
    assert tally.total == len(outcome.records) == 6 * 5
    assert outcome.run.notes["instructions_accepted"] == 13


def test_s14_the_report_counts_survival_by_filter(seeds: str, tmp_path: Path) -> None:
    script = Script(instructions=lambda n: numbered(["Too short", "Draw a cat for me.", made_up(n, 1), made_up(n, 2)]))
    spec = {"use": "fake", "function": "tests.teacher:silent"}
    recipe = Recipe(
        target=9,
        generator={"use": "self-instruct", "seeds": seeds, "lookahead": 1},
        models={"default": spec},
        steps=[{"use": "exact-duplicates"}],
    )
    result = synthesize(recipe, tmp_path / "run", backends={"default": FakeBackend(script)})
    rows, records = result.report["rows"], list(result.records())
    assert rows["kept"] == 9
    assert rows["in"] == len(records) == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values())
    assert rows["dropped"] == Counter(record.dropped.reason for record in records if record.dropped)
    assert rows["dropped"]["too_short"] == rows["dropped"]["blacklisted_word"] >= 5
    written = {entry["key"] for entry in read_entries(tmp_path / "run" / "journal.jsonl")}
    assert {key for record in records for key in record.meta["journal"]} <= written


# options


@pytest.mark.parametrize(
    "wrong",
    [
        {"shown": 0},
        {"new": 0},
        {"lookahead": 0},
        {"made": 8},
        {"made": -1},
        {"threshold": 0.0},
        {"threshold": 1.1},
        {"max_instances": 0},
        {"stall_requests": 0},
    ],
)
def test_an_option_that_cannot_be_used_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError):
        dataclasses.replace(SelfInstruct(), **wrong)  # type: ignore[arg-type]


async def test_fewer_demonstrations_make_shorter_prompts(seeds: str, journal: Journal, fresh_journal: Journal) -> None:
    counts = []
    for demonstrations, log in ((None, journal), (2, fresh_journal)):
        script = varied()
        await play(SelfInstruct(seeds=seeds, max_requests=1, demonstrations=demonstrations), script, log)
        stages = ("classification", "instances")
        counts.append({stage: {p.count("\nTask: ") for p in script.prompts(stage)} for stage in stages})
    assert counts[0] == {"classification": {31 + 1}, "instances": {11 + 1, 16 + 1}}
    assert counts[1] == {"classification": {3}, "instances": {3}}
