"""GLAN, stage by stage: what is asked, what is made of the replies, the ugly ones too."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmsynth import Completion, Request, Run
from llmsynth.errors import RecipeError, SourceError
from llmsynth.generators.glan import GLAN
from llmsynth.generators.glan.reading import (
    SESSIONS_SCHEMA,
    SUBJECTS_SCHEMA,
    Subject,
    read_sessions,
    read_subjects,
)
from llmsynth.journal import Journal, read_entries
from llmsynth.request import Failure
from tests.professor import (
    Professor,
    always,
    discipline_of,
    one_subject,
    reply,
    session_lines,
    small_taxonomy,
    subject_lines,
)
from tests.scripted import Answer, Outcome, content, play


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    return small_taxonomy(tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> str:
    """A taxonomy of one discipline."""
    return small_taxonomy(tmp_path, "fields:\n  Sciences:\n    Physics: [Optics]\n", "one.yaml")


async def ask(options: GLAN, professor: Professor, journal: Journal, target: int = 20) -> Outcome:
    return await play(options, professor, journal, target=target)


# G1: taxonomy (its files: test_taxonomy.py)


async def test_g1_every_discipline_of_the_file_is_asked_with_its_path(taxonomy: str, journal: Journal) -> None:
    professor = Professor()
    await ask(GLAN(taxonomy=taxonomy, queries=1), professor, journal)
    assert {discipline_of(r) for r in professor.asked("subjects")} == {"Optics", "Acoustics", "Botany", "Carpentry"}
    assert any("Optics (within Sciences, Physics)" in prompt for prompt in professor.prompts("subjects"))


async def test_g1_a_selection_asks_for_nothing_else(taxonomy: str, journal: Journal) -> None:
    professor = Professor()
    outcome = await ask(GLAN(taxonomy=taxonomy, select=("Physics",), queries=1), professor, journal)
    assert {record.meta["discipline"] for record in outcome.kept} == {"Optics", "Acoustics"}


async def test_g1_names_reach_prompts_as_data(tmp_path: Path, journal: Journal) -> None:
    names = ["{{ 7 * 7 }}", "../../x", "<script>alert(1)</script>", "[system]"]
    text = "fields:\n" + "".join(f"  - '{name}'\n" for name in names)
    professor = Professor({"subject_lists": always(subject_lines("Lenses"))})
    outcome = await ask(GLAN(taxonomy=small_taxonomy(tmp_path, text), queries=1), professor, journal, 8)
    prompts = "\n".join(professor.prompts("subjects"))
    assert all(name in prompts for name in names)
    assert all([m["role"] for m in request.messages] == ["user"] for request in professor.asked("subjects"))
    assert {record.meta["discipline"] for record in outcome.kept} == set(names)
    assert all("/" not in record.id and "<" not in record.id for record in outcome.records)


def test_g1_a_taxonomy_that_is_not_there_is_an_error_before_anything_is_asked() -> None:
    with pytest.raises(SourceError, match="there is no taxonomy 'glann'"):
        GLAN(taxonomy="glann").validate(Run({}, target=1))


async def test_g1_ten_thousand_disciplines_cost_only_those_that_are_asked(tmp_path: Path, journal: Journal) -> None:
    wide = small_taxonomy(tmp_path, "fields:\n  Wide:\n" + "".join(f"    - Child {n}\n" for n in range(10_000)))
    professor = Professor()
    outcome = await ask(GLAN(taxonomy=wide, queries=1, lookahead=4), professor, journal, 6)
    assert len({record.meta["discipline"] for record in outcome.kept}) == 6
    assert len(professor.asked("subjects")) == 6


# G2: subjects


async def test_g2_ten_queries_are_merged_without_duplicates_within_a_discipline(one: str, journal: Journal) -> None:
    lists = [["Lenses", "Mirrors"], [" LENSES", "Prisms"], ["Ｌenses", "Mirrors", "Lasers"]]

    def lines(request: Request) -> str:
        return subject_lines(*lists[len(professor.asked("subject_lists")) % 3])

    professor = Professor({"subject_lists": lines})
    outcome = await ask(GLAN(taxonomy=one), professor, journal)
    assert len(professor.asked("subjects")) == 10
    names = Counter(record.meta["subject"].casefold() for record in outcome.kept)
    assert sorted(names.values()) == [5, 5, 5, 5]  # of mirrors, prisms, lasers, and of lenses in one spelling
    assert len(professor.asked("syllabus")) == outcome.run.notes["subjects"] == 4


async def test_g2_across_disciplines_equal_names_stay_apart_unless_asked(
    taxonomy: str, journal: Journal, tmp_path: Path
) -> None:
    same = {"subject_lists": lambda r: subject_lines("Materials", f"{discipline_of(r)} proper")}
    kept = await ask(GLAN(taxonomy=taxonomy, queries=2), Professor(same), journal, 40)
    owners = {record.meta["discipline"] for record in kept.kept if record.meta["subject"] == "Materials"}
    assert owners == {"Optics", "Acoustics", "Botany", "Carpentry"}
    other = Journal(tmp_path / "other" / "journal.jsonl")
    unique = await ask(GLAN(taxonomy=taxonomy, queries=2, unique_subjects=True), Professor(same), other, 40)
    assert {r.meta["discipline"] for r in unique.kept if r.meta["subject"] == "Materials"} == {"Optics"}
    other.close()


async def test_g2_no_more_subjects_are_used_than_allowed(one: str, journal: Journal) -> None:
    professor = Professor({"subject_lists": always(subject_lines(*(f"S{n}" for n in range(30))))})
    outcome = await ask(GLAN(taxonomy=one, queries=1, subjects=3), professor, journal)
    assert len({record.meta["subject"] for record in outcome.kept}) == len(professor.asked("syllabus")) == 3


# G3: two turns


async def test_g3_free_text_becomes_data_in_a_second_turn_of_the_same_conversation(one: str, journal: Journal) -> None:
    professor = Professor({"subjects": always("<think>hm</think>Lenses first, then mirrors.")})
    await ask(GLAN(taxonomy=one, queries=1), professor, journal, 1)
    [first], [second] = professor.asked("subjects"), professor.asked("subject_lists")
    assert "JSON" not in content(first)
    assert [m["role"] for m in second.messages] == ["user", "assistant", "user"]
    assert second.messages[0] == first.messages[0]
    assert second.messages[1]["content"] == "Lenses first, then mirrors."
    assert "JSON" in content(second)
    assert first.schema is None and second.schema is None


async def test_g3_one_turn_asks_for_data_with_a_schema(one: str, journal: Journal) -> None:
    answer = json.dumps({"subjects": [{"subject_name": "Lenses", "level": "basic", "subtopics": ["focus"]}]})
    professor = Professor({"subjects": always(answer)})
    outcome = await ask(GLAN(taxonomy=one, queries=2, turns=1), professor, journal, 2)
    assert not professor.asked("subject_lists")
    assert all(r.schema and r.schema["required"] == ["subjects"] for r in professor.asked("subjects"))
    assert [record.meta["subject"] for record in outcome.kept] == ["Lenses", "Lenses"]


@pytest.mark.parametrize(
    ("reply", "reason", "detail"),
    [
        (subject_lines("Lenses"), "schema", "$: 'subjects' is a required property"),
        ('{"subjects": [{"subject_name": "Lenses", "level": 1, "subtopics": []}]}', "schema", "$.subjects[0].level: 1"),
        ('{"subjects": [{"subject_name": "Lenses"}]}', "schema", "'level' is a required property"),
        ("Lenses, and mirrors.", "schema", "no JSON"),
        ('{"subjects": []}', "no_subject", "said"),
        ("", "no_subject", "said"),
        (Completion('{"subjects": [{"subject_name": "Len', "length"), "truncated", "the token limit"),
    ],
)
async def test_g3_a_one_turn_answer_has_to_fit_the_schema_whoever_gave_it(
    reply: Answer, reason: str, detail: str, one: str, journal: Journal
) -> None:
    professor = Professor({"subjects": always(reply)})
    outcome = await ask(GLAN(taxonomy=one, queries=1, turns=1, attempts=3), professor, journal, 1)
    assert len(professor.asked("subjects")) == 3
    [record] = outcome.records
    assert record.dropped and record.dropped.reason == reason and detail in record.dropped.detail


async def test_g3_what_stands_around_a_one_turn_answer_is_forgiven(one: str, journal: Journal) -> None:
    answer = 'Sure!\n```json\n{"subjects": [{"subject_name": "Lenses", "level": "1", "subtopics": ["focus",],},]}\n```'
    outcome = await ask(GLAN(taxonomy=one, queries=1, turns=1), Professor({"subjects": always(answer)}), journal, 1)
    assert [record.meta["subject"] for record in outcome.kept] == ["Lenses"]


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (SUBJECTS_SCHEMA, {"subjects": [{"subject_name": "A", "level": "1", "subtopics": ["x"]}]}),
        (SESSIONS_SCHEMA, {"sessions": [{"session": "A", "key_concepts": ["x"]}]}),
    ],
)
def test_g3_a_schema_leaves_no_room_for_other_keys(
    schema: dict[str, Any], fits: dict[str, list[dict[str, Any]]]
) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(fits)
    [(name, [item])] = fits.items()
    assert not validator.is_valid({**fits, "more": 1})
    assert not validator.is_valid({name: [{**item, "more": 1}]})
    for key in item:
        assert not validator.is_valid({name: [{other: value for other, value in item.items() if other != key}]})


async def test_g3_one_turn_holds_the_sessions_to_a_schema_too(one: str, journal: Journal) -> None:
    subjects = json.dumps({"subjects": [{"subject_name": "Lenses", "level": "basic", "subtopics": ["focus"]}]})
    rows = [json.loads(line) for line in session_lines(*[3] * 10).splitlines()]
    professor = Professor({"subjects": always(subjects), "sessions": always(json.dumps({"sessions": rows}))})
    outcome = await ask(GLAN(taxonomy=one, queries=1, turns=1), professor, journal, 3)
    [request] = professor.asked("sessions")
    assert request.schema and request.schema["required"] == ["sessions"] and '{"sessions": [...]}' in content(request)
    assert len(outcome.kept) == 3 and outcome.kept[0].meta["sessions"][0].strip().startswith("session")


@pytest.mark.parametrize("turns", [1, 2])
async def test_g3_what_cannot_be_read_is_asked_again_a_bounded_number_of_times(
    turns: Any, one: str, journal: Journal
) -> None:
    stage = "subjects" if turns == 1 else "subject_lists"
    professor = Professor({stage: always("I would rather talk about it.")})
    outcome = await ask(GLAN(taxonomy=one, queries=2, turns=turns, attempts=3), professor, journal, 5)
    assert len(professor.asked(stage)) == 6
    assert len(professor.asked("subjects")) == (6 if turns == 1 else 2)
    assert outcome.reasons() == (["schema"] * 2 if turns == 1 else ["no_subject"] * 2)
    assert outcome.run.notes["stopped"] == "no discipline has a usable subject"
    assert all(record.meta["journal"] and record.meta["path"] for record in outcome.records)


async def test_g3_a_second_try_that_can_be_read_is_used(one: str, journal: Journal) -> None:
    def lines(request: Request) -> str:
        return subject_lines("Lenses") if len(professor.asked("subject_lists")) > 1 else "No."

    professor = Professor({"subject_lists": lines})
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 1)
    assert outcome.reasons() == [None]
    assert len(outcome.kept[0].meta["journal"]) == 6
    assert outcome.run.notes["unreadable_replies"] == 1
    [again] = outcome.kept[0].meta["asked_again"]  # the one that could not be read
    texts = {entry["key"]: entry["text"] for entry in read_entries(journal.path)}
    assert texts[again] == "No."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"subject_name": "A", "level": "1", "subtopics": ["x", "y"]}', [Subject("A", "1", ("x", "y"))]),
        ('Sure!\n```json\n[{"name": "A"}, {"Subject Name": "B", "level": 3}]\n```', [Subject("A"), Subject("B", "3")]),
        ('{"subjects": [{"subject": " A\\n b ", "topics": "x; y"}]}', [Subject("A b", "", ("x", "y"))]),
        ('{"subject_name": "A", "subtopics": [{"name": "x"}, 7, "", "X"]}', [Subject("A", "", ("x",))]),
        ('{"subject_name": ""}\n{"level": "basic"}\n{"subject_name": ["A"]}', []),
        ('{"Data": {"Courses": [{"subject_name": "A"}, {"subject_name": "B"}]}}', [Subject("A"), Subject("B")]),
        ('{"subject_name": "", "subtopics": [{"name": "x"}]}', []),
        ('{"subject_name": "A", "subtopics": [{"subtopic": "x"}, {"subtopic": "y"}]}', [Subject("A", "", ("x", "y"))]),
        ('{"subject_name": "A"}\n{"subject_name": "B", "lev', [Subject("A")]),
        ('{"subjects": [{"subject_name": "A", "level": "1"}, {"subject_name": "B"', [Subject("A", "1")]),
        ('{"subjects": [{"subject_name": "A"}, {"subject_name": "Half a na', [Subject("A")]),
        ('{"subjects": [{"subject_name": "Half a na', []),
        ('{"subjects": [', []),
        ('{"subjects": []}', []),
        ("", []),
        ("1. A\n2. B", []),
    ],
)
def test_g3_the_reader_of_subjects_tolerates_much_and_guesses_nothing(text: str, found: list[Subject]) -> None:
    assert read_subjects(text) == found


async def test_g3_a_failed_request_is_a_failed_record(one: str, journal: Journal) -> None:
    broken = Completion("", "error", failure=Failure("timeout", "too slow", 3))
    professor = Professor({"subject_lists": always(broken)})
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 1)
    assert [record.status for record in outcome.records] == ["failed"]
    assert len(professor.asked("subject_lists")) == 1  # the model has tried often enough


# G4: level and subtopics


async def test_g4_name_level_and_subtopics_reach_the_syllabus(one: str, journal: Journal) -> None:
    row = {"subject_name": "Lenses", "level": "third year", "subtopics": ["focal length", "aberration"]}
    professor = Professor({"subject_lists": always(json.dumps(row))})
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 1)
    [prompt] = professor.prompts("syllabus")
    for text in ('"Lenses"', "third year", "focal length; aberration", "Optics (Sciences, Physics)", "10", "30"):
        assert text in prompt
    meta = outcome.kept[0].meta
    assert (meta["subject"], meta["level"], meta["subtopics"]) == ("Lenses", "third year", row["subtopics"])


# G5: syllabus


async def test_g5_there_is_one_syllabus_for_a_subject_and_sessions_have_their_own_prompt(
    one: str, journal: Journal
) -> None:
    professor = Professor({"subject_lists": always(subject_lines("A", "B"))})
    await ask(GLAN(taxonomy=one, queries=3), professor, journal, 30)
    assert len(professor.asked("syllabus")) == len(professor.asked("sessions")) == 2
    syllabi = [str(reply(request)) for request in professor.asked("syllabus")]
    assert all(any(text in prompt for text in syllabi) for prompt in professor.prompts("sessions"))


@pytest.mark.parametrize(
    ("policy", "count", "reason", "used"),
    [
        ("trim", 10, None, 10),
        ("trim", 30, None, 30),
        ("trim", 31, None, 30),
        ("trim", 9, "too_few_sessions", 0),
        ("keep", 9, None, 9),
        ("keep", 31, None, 31),
        ("drop", 9, "too_few_sessions", 0),
        ("drop", 31, "too_many_sessions", 0),
        ("drop", 30, None, 30),
    ],
)
async def test_g5_out_of_range_is_a_matter_of_policy(
    policy: Any, count: int, reason: str | None, used: int, one: str, journal: Journal
) -> None:
    professor = Professor(one_subject(*[1] * count))
    options = GLAN(taxonomy=one, queries=1, out_of_range=policy, two_sessions=0.0, stall=100)
    outcome = await ask(options, professor, journal, max(1, used))
    if reason:
        assert outcome.reasons() == [reason]
        assert len(professor.asked("syllabus")) == 2  # asked for again, once
    else:
        assert {number for record in outcome.kept for number in record.meta["session_numbers"]} == set(
            range(1, used + 1)
        )
    assert bool(outcome.run.notes["sessions_out_of_range"]) == (not 10 <= count <= 30)


async def test_g5_sessions_without_concepts_are_left_out(one: str, journal: Journal) -> None:
    text = session_lines(2, 0, 2) + '\n{"session": "", "key_concepts": ["x"]}\n{"session": "Last", "key_concepts": []}'
    professor = Professor({**one_subject(), "sessions": always(text)})
    options = GLAN(taxonomy=one, queries=1, out_of_range="keep", two_sessions=0)
    outcome = await ask(options, professor, journal, 6)
    assert {record.meta["session_numbers"][0] for record in outcome.kept} == {1, 3}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (session_lines(1, 1), ["session 1", "session 2"]),
        ('{"sessions": [{"name": "Session 3: Waves", "concepts": "a, b"}]}', ["Waves"]),
        ('```\n{"session": "2. Light", "key concepts": ["c"]}\n```', ["Light"]),
        ('{"session": "3-D printing", "key_concepts": ["c"]}', ["3-D printing"]),
        ('{"session": "2.5 percent", "key_concepts": ["c"]}', ["2.5 percent"]),
        ('{"session": 4, "name": "Sound", "key_concepts": [{"key_concept": "pitch"}]}', ["Sound"]),
        ('{"class_sessions": [{"session": "Waves", "key_concepts": ["c"]}]}', ["Waves"]),
        ("1. Waves: a, b", []),
        ('{"session": "Waves"}', []),
    ],
)
def test_g5_the_reader_of_sessions(text: str, names: list[str]) -> None:
    assert [session.name for session in read_sessions(text)] == names


@pytest.mark.parametrize(
    ("stage", "answer", "reason", "asked"),
    [
        ("sessions", "There are none.", "no_session", {"syllabus": 1, "sessions": 2}),
        ("sessions", '{"session": "A", "key_concepts": []}', "no_session", {"syllabus": 1, "sessions": 2}),
        ("sessions", Completion(session_lines(*[3] * 12), "length"), "truncated", {"syllabus": 1, "sessions": 2}),
        ("syllabus", "  \n", "no_session", {"syllabus": 2, "sessions": 0}),
        ("syllabus", Completion("Session 1", "length"), "truncated", {"syllabus": 2, "sessions": 0}),
        ("syllabus", "<think>What might", "no_session", {"syllabus": 2, "sessions": 0}),
    ],
)
async def test_g5_a_syllabus_that_is_none_is_dropped_with_a_reason(
    stage: str, answer: Answer, reason: str, asked: dict[str, int], one: str, journal: Journal
) -> None:
    professor = Professor({"subject_lists": always(subject_lines("Lenses")), stage: always(answer)})
    outcome = await ask(GLAN(taxonomy=one, queries=1), professor, journal, 3)
    assert outcome.reasons() == [reason]
    assert {stage: len(professor.asked(stage)) for stage in asked} == asked
    assert outcome.records[0].meta["subject"] == "Lenses" and outcome.records[0].meta["journal"]


# options that do not go together


@pytest.mark.parametrize(
    "options",
    [
        {"queries": 0},
        {"sessions": (30, 10)},
        {"two_sessions": 1.5},
        {"held_out": 1.0},
        {"held_out_per_discipline": 50},
        {"held_out": 0.1, "held_out_per_discipline": 0},
        {"quotas": {"Optics": -1}},
        {"subjects": 0},
        {"lookahead": 0},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        GLAN(**options)


def test_a_run_without_an_end_is_refused(one: str) -> None:
    with pytest.raises(RecipeError, match="neither a target nor max_questions"):
        GLAN(taxonomy=one).validate(Run({}))
    GLAN(taxonomy=one, max_questions=5).validate(Run({}))
