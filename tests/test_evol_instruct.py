"""Evol-Instruct, row by row of the method: what is asked, and what becomes of the answers.

What is eliminated for how it looks is in test_evol_instruct_elimination.py, the rows from E11 on and determinism in
test_evol_instruct_rounds.py, the command line and runs against a server in test_evol_instruct_runs.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, EvolInstruct, FakeBackend, Run
from llmsynth.errors import PromptError
from llmsynth.generators.evol_instruct import Elimination
from llmsynth.generators.evol_instruct.operators import PACKS
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.prompts import Prompts
from llmsynth.request import RequestFailedError, Sampling
from tests.evolving import Evolver, cut, given, harder, mixed, one_seed, rows_file
from tests.scripted import Outcome, content, made_up, play


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return rows_file(tmp_path)


def by_round(outcome: Outcome, round: int) -> list[Any]:
    return [record for record in outcome.records if record.meta["round"] == round]


# E1: operators


@pytest.mark.parametrize("pack", PACKS)
async def test_e1_e12_every_operator_of_a_pack_is_asked_for_by_its_own_prompt(
    pack: Any, tmp_path: Path, journal: Journal
) -> None:
    evolver = Evolver()
    outcome = await play(EvolInstruct(seeds=rows_file(tmp_path, 20), pack=pack), evolver, journal)
    used = {record.meta["operator"] for record in by_round(outcome, 1) + by_round(outcome, 2)}
    assert used == {operator.name for operator in PACKS[pack]}
    for record in by_round(outcome, 1):
        assert record.meta["prompts"][0].startswith(f"evol_instruct/{pack}/{record.meta['operator']}@")
    for request in evolver.log:
        text = content(request)
        if request.stage == "evolve" and "brand-new" not in text and "easier to solve" not in text:
            assert "10 to 20 words" in text
            assert "Keep every table, piece of code" in text


async def test_e1_complicate_input_shows_demonstrations_of_its_own(tmp_path: Path, journal: Journal) -> None:
    evolver = Evolver()
    options = EvolInstruct(seeds=rows_file(tmp_path, 20), operators={"complicate_input": 1}, rounds=2)
    await play(options, evolver, journal)
    prompts = evolver.texts("evolve")
    assert {prompt.count("<rewritten_prompt>") for prompt in prompts} == {2}
    asked = {prompt.split("let it come with ")[1].split(" that has")[0] for prompt in prompts}
    formats = {d["format"] for d in Prompts().data("evol_instruct/general/demonstrations.yaml")["complicate_input"]}
    assert {"XML data", "SQL table definitions", "JSON data"} < formats
    assert asked <= formats
    assert len(asked) >= 5
    assert all(f"Now the one to rewrite, with {name}:" in "\n".join(prompts) for name in asked)


@pytest.mark.parametrize(
    ("lead", "end"),
    [
        ("Here's a harder version:\n\n", ""),
        ("Certainly! Here is the evolved task with one more constraint:\n", ""),
        ("**New prompt:** ", ""),
        ("**", "**"),
        ('"', '"'),
    ],
)
async def test_e1_what_models_put_around_an_evolution_is_no_part_of_it(
    lead: str, end: str, seeds: str, journal: Journal
) -> None:
    evolver = Evolver(evolve=lambda text, prompt: f"{lead}{harder(text, prompt)}{end}")
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1, operators={"deepen": 1}), evolver, journal)
    plain = [harder(given(prompt), prompt) for prompt in evolver.texts("evolve")]
    assert [record.fields["instruction"] for record in by_round(outcome, 1)] == plain
    assert {record.status for record in outcome.records} == {"kept"}


async def test_e1_an_evolution_that_begins_as_its_parent_does_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    seeds = one_seed(tmp_path, f"Prompt: {made_up('a')}")
    evolver = Evolver(evolve=lambda text, prompt: f"{text} {made_up(prompt)}")
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1, operators={"deepen": 1}), evolver, journal)
    assert by_round(outcome, 1)[0].fields["instruction"].startswith("Prompt: ")


async def test_e1_an_evolution_in_the_tags_of_the_demonstrations_is_taken_out_of_them(
    tmp_path: Path, journal: Journal
) -> None:
    evolver = Evolver(evolve=lambda text, prompt: f"<rewritten_prompt>\n{harder(text, prompt)}\n</rewritten_prompt>\n")
    options = EvolInstruct(seeds=rows_file(tmp_path, 3), rounds=1, operators={"complicate_input": 1})
    outcome = await play(options, evolver, journal)
    assert outcome.reasons() == [None] * 6
    assert not any("<" in record.fields["instruction"] for record in outcome.records)


def test_e1_a_demonstration_that_cannot_be_shown_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    """Wherever in the file it is: a run shows two of them at a time, so it might come up after hours."""
    shipped = Prompts().data("evol_instruct/general/demonstrations.yaml")["complicate_input"]
    folder = tmp_path / "evol_instruct" / "general"
    folder.mkdir(parents=True)
    for place, wrong in enumerate([{"format": "a list", "given": "Why?"}, {**shipped[1], "rewritten": 7}]):
        examples = [*shipped[:place], wrong, *shipped[place:]]
        (folder / "demonstrations.yaml").write_text(json.dumps({"complicate_input": examples}))
        with pytest.raises(PromptError):
            EvolInstruct().validate(Run({}, prompts=Prompts(tmp_path)))


def test_e1_demonstrations_that_are_too_few_are_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "evol_instruct" / "general"
    folder.mkdir(parents=True)
    (folder / "demonstrations.yaml").write_text("complicate_input: []")
    with pytest.raises(PromptError, match="0 examples"):
        EvolInstruct().validate(Run({}, prompts=Prompts(tmp_path)))


async def test_e1_math_goes_downward_too(tmp_path: Path, journal: Journal) -> None:
    evolver = Evolver(evolve=lambda text, prompt: made_up(prompt) if "easier" in prompt else harder(text, prompt))
    options = EvolInstruct(seeds=rows_file(tmp_path, 10), pack="math", operators={"simplify": 1, "easier_topic": 1})
    outcome = await play(options, evolver, journal)
    assert outcome.run.tally.kept == 50  # shorter ones pass
    assert {r.meta["operator"] for r in outcome.records[10:]} == {"simplify", "easier_topic"}


# E12: what the packs for code and mathematics have of their own


def test_e12_the_packs_have_the_operators_of_their_papers() -> None:
    names = {pack: [operator.name for operator in operators] for pack, operators in PACKS.items()}
    assert names["code"] == ["constraints", "rarer_requirement", "reasoning", "misdirection", "complexity"]
    assert names["math"] == ["constraints", "concretise", "reasoning", "simplify", "easier_topic"]
    assert {o.kind for o in PACKS["math"][3:]} == {"down", "fresh"}


CODE = "Why is this slow?\n```python\nfor a in x:\n    x.remove(a)\n```"


@pytest.mark.parametrize(
    ("operator", "keeps", "reason"),
    [
        ("misdirection", True, None),
        ("misdirection", False, "material_lost"),
        ("complexity", True, "grew_too_much"),
        ("constraints", True, "grew_too_much"),
    ],
)
async def test_e12_misdirection_may_add_code_and_none_of_the_seed_may_get_lost(
    operator: str, keeps: bool, reason: str | None, tmp_path: Path, journal: Journal
) -> None:
    """Erroneous code to be misled by is as long as code is; any other heuristic has but a few words to add."""
    wrong = "\n".join(f"total_{n} = {n} + offset_{n}" for n in range(30))
    child = f"{CODE if keeps else 'Why is this slow?'}\nSomebody gave this answer:\n```python\n{wrong}\n```"
    options = EvolInstruct(seeds=one_seed(tmp_path, CODE), pack="code", operators={operator: 1}, rounds=1)
    evolver = Evolver(evolve=lambda text, prompt: child)
    assert (await play(options, evolver, journal)).reasons()[1:] == [reason]
    asked = evolver.texts("evolve")[0]
    assert CODE in asked
    assert ("mis" in asked and "code" in asked) if operator == "misdirection" else "10 to 20 words" in asked


async def test_e12_an_easier_problem_on_another_topic_must_be_new_and_a_simpler_one_need_not(
    seeds: str, journal: Journal
) -> None:
    evolver = Evolver(evolve=lambda text, prompt: " ".join(text.split()[:-2]))
    options = EvolInstruct(seeds=seeds, pack="math", operators={"simplify": 1, "easier_topic": 1}, rounds=1)
    outcome = await play(options, evolver, journal)
    reasons = {(r.meta["operator"], r.dropped.reason if r.dropped else None) for r in outcome.records[6:]}
    assert reasons == {("simplify", None), ("easier_topic", "not_novel")}


# E2, E3: rounds and rows


async def test_e2_every_record_knows_its_operator_round_and_parent(seeds: str, journal: Journal) -> None:
    outcome = await play(EvolInstruct(seeds=seeds), Evolver(), journal)
    assert len(outcome.records) == 6 * 5
    assert [r.id for r in outcome.records[:7]] == ["s0@0", "s1@0", "s2@0", "s3@0", "s4@0", "s5@0", "s0@1"]
    written = {entry["key"]: entry for entry in read_entries(journal.path)}
    for record in outcome.records[6:]:
        meta = record.meta
        assert (meta["generator"], record.id) == ("evol-instruct", f"{meta['lineage']}@{meta['round']}")
        assert meta["parents"] == [f"{meta['lineage']}@{meta['round'] - 1}"]
        assert len(meta["history"]) == meta["round"]
        assert meta["history"][-1] == meta["operator"]
        assert meta["stages"] == ["evolve", "equality", "responses"]
        assert [written[key]["stage"] for key in meta["journal"]] == meta["stages"]


async def test_e2_the_lineage_is_whole_and_leads_back_to_a_seed(tmp_path: Path, journal: Journal) -> None:
    outcome = await play(EvolInstruct(seeds=rows_file(tmp_path, 30)), mixed(), journal)
    accepted = {record.id: record for record in outcome.records if record.dropped is None}
    assert len(accepted) < len(outcome.records)
    for record in outcome.records[30:]:
        [parent] = (accepted[id] for id in record.meta["parents"])
        assert parent.meta["lineage"] == record.meta["lineage"]
        assert parent.meta["round"] < record.meta["round"]  # so there is no cycle
        if record.dropped is None:
            assert record.meta["history"] == [*parent.meta["history"], record.meta["operator"]]


async def test_e3_four_rounds_go_on_from_the_latest_accepted_version(tmp_path: Path, journal: Journal) -> None:
    evolver = Evolver()
    path = one_seed(tmp_path, made_up("seed", 1))
    outcome = await play(EvolInstruct(seeds=path, breadth=0.0), evolver, journal)
    texts = [record.fields["instruction"] for record in outcome.records]
    assert len(texts) == 5
    assert [given(prompt) for prompt in evolver.texts("evolve")] == texts[:4]


async def test_e3_a_failed_evolution_leaves_its_parent_for_the_next_round(tmp_path: Path, journal: Journal) -> None:
    evolver = Evolver()
    evolver.equality = lambda first, second: "Equal" if len(evolver.texts("equality")) == 2 else "Not Equal"
    path = one_seed(tmp_path, made_up("seed", 1))
    outcome = await play(EvolInstruct(seeds=path, breadth=0.0), evolver, journal)
    assert outcome.reasons() == [None, None, "no_information_gain", None, None]
    assert [record.meta["parents"] for record in outcome.records] == [[], ["s@0"], ["s@1"], ["s@1"], ["s@3"]]
    asked = [given(prompt) for prompt in evolver.texts("evolve")]
    assert asked[1] == asked[2] == outcome.records[1].fields["instruction"]
    lost = outcome.records[2]
    assert "history" not in lost.meta
    assert (lost.meta["lineage"], len(lost.meta["journal"])) == ("s", 2)


async def test_e3_a_request_that_fails_is_a_failed_record_and_the_row_goes_on(seeds: str, journal: Journal) -> None:
    evolver = Evolver()

    def ill(text: str, prompt: str) -> str:
        if len(evolver.texts("evolve")) == 3:
            raise RequestFailedError("http_500", "the server is ill", retryable=False)
        return harder(text, prompt)

    evolver.evolve = ill
    outcome = await play(EvolInstruct(seeds=seeds), evolver, journal)
    assert outcome.run.tally.failed == {"http_500": 1}
    assert outcome.run.tally.kept == 29
    assert by_round(outcome, 2)[2].meta["parents"] == ["s2@0"]


# E4: was anything gained?


async def test_e4_the_judge_is_not_paid_for_what_is_equal_at_sight(seeds: str, journal: Journal) -> None:
    evolver = Evolver(evolve=lambda text, prompt: text.upper())
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), evolver, journal)
    assert outcome.run.tally.dropped == {"no_information_gain": 6}
    assert {request.stage for request in evolver.log} == {"evolve"}


async def test_e4_the_judge_compares_child_and_parent_before_the_answer_is_paid_for(
    seeds: str, journal: Journal
) -> None:
    pairs: list[tuple[str, str]] = []
    evolver = Evolver(equality=lambda first, second: pairs.append((first, second)) or "Equal.")  # type: ignore[func-returns-value]
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), evolver, journal)
    originals = [record.fields["instruction"] for record in outcome.records[:6]]
    assert sorted(pairs) == sorted(
        zip(originals, [record.fields["instruction"] for record in outcome.records[6:]], strict=True)
    )
    assert outcome.run.tally.dropped == {"no_information_gain": 6}
    assert not evolver.texts("responses")


async def test_a_verdict_that_the_token_limit_cut_is_called_that(seeds: str, journal: Journal) -> None:
    evolver = Evolver(equality=lambda a, b: Completion("Let us compare", "length"))
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), evolver, journal)
    assert outcome.run.tally.dropped == {"truncated": 6}


@pytest.mark.parametrize("answer", ["Perhaps.", "", "Equal / Not Equal", "<think>\nLet me"])
async def test_e4_a_judge_who_answers_neither_way_lets_nothing_pass(answer: str, seeds: str, journal: Journal) -> None:
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), Evolver(equality=lambda a, b: answer), journal)
    assert outcome.run.tally.dropped == {"equality_unreadable": 6}


async def test_e4_without_the_judge_nothing_is_asked_of_him(seeds: str, journal: Journal) -> None:
    evolver = Evolver(equality=lambda a, b: "Equal")
    options = EvolInstruct(seeds=seeds, rounds=1, elimination=Elimination(equality=False))
    outcome = await play(options, evolver, journal)
    assert outcome.run.tally.kept == 12
    assert not evolver.texts("equality")


# E5 to E9 through the method (the rules themselves are in test_evol_instruct_elimination.py)


@pytest.mark.parametrize(
    ("evolve", "respond", "reason"),
    [
        ("#Rewritten Prompt#: Name two more rivers and order all of them by length.", "Fine.", "scaffold_leaked"),
        ("As an AI language model, I cannot do that.", "Fine.", "refused"),
        ("word " * 200, "Fine.", "grew_too_much"),
        ("of the and", "Fine.", "stop_words_only"),
        ("", "Fine.", "no_instruction"),
        (cut("Name two more rivers and"), "Fine.", "truncated"),
        ("<think>How could I", "Fine.", "no_instruction"),
        (None, "Sorry, I can't.", "sorry_response"),
        (None, "... of the ...", "response_stop_words_only"),
        (None, "", "empty_response"),
        (None, cut("The longest of these"), "truncated"),
        (None, "Please provide the list.", "response_asks_back"),
    ],
)
async def test_e5_to_e9_what_is_eliminated_carries_its_reason(
    evolve: Any, respond: Any, reason: str, seeds: str, journal: Journal
) -> None:
    evolver = Evolver(respond=lambda instruction: respond)
    if evolve is not None:
        evolver.evolve = lambda text, prompt: evolve
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), evolver, journal)
    assert outcome.reasons()[6:] == [reason] * 6
    assert (not evolver.texts("responses")) is (evolve is not None)
    assert all(record.meta["journal"] and record.meta["lineage"] for record in outcome.records[6:])


@pytest.mark.parametrize(
    "around",
    [
        "<think>How?</think>\n{}",
        "```text\n{}\n```",
        '"{}"',
        "“{}”",
        "{}<|im_end|>",
        "\r\n{}\r\n",
        "I wonder.</think>{}",
    ],
)
async def test_e9_what_models_put_around_an_evolution_is_no_part_of_it(
    around: str, seeds: str, journal: Journal
) -> None:
    evolver = Evolver(evolve=lambda text, prompt: around.format(harder(text, prompt)))
    outcome = await play(EvolInstruct(seeds=seeds, rounds=1), evolver, journal)
    for record, prompt in zip(outcome.records[6:], evolver.texts("evolve"), strict=True):
        assert record.fields["instruction"] == harder(given(prompt), prompt)


# E10: the answer


async def test_e10_the_answer_is_made_from_the_final_instruction_alone_by_its_own_model_and_sampling(
    seeds: str, journal: Journal
) -> None:
    evolver = Evolver(respond=lambda instruction: "<think>Hm.</think>\n```python\nprint(1)\n```")
    options = EvolInstruct(seeds=seeds, rounds=1, respond=Sampling(temperature=0.3, max_tokens=99))
    outcome = await play(options, evolver, journal)
    evolved = [record.fields["instruction"] for record in outcome.records[6:]]
    assert [request.messages for request in evolver.log if request.stage == "responses"] == [
        ({"role": "user", "content": text},) for text in evolved
    ]
    sampling = {request.stage: request.sampling for request in evolver.log}
    assert sampling["responses"] == options.respond
    assert sampling["evolve"] == Sampling(temperature=1.0, top_p=0.9, max_tokens=2048)
    assert sampling["equality"].temperature == 0
    assert {record.fields["output"] for record in outcome.records[6:]} == {"```python\nprint(1)\n```"}
    assert {record.fields["input"] for record in outcome.records[6:]} == {""}


async def test_e10_every_stage_may_have_a_model_of_its_own(seeds: str, journal: Journal) -> None:
    scripts = {role: Evolver() for role in ("default", "equality", "responses", "difficulty")}
    models = {role: Model(FakeBackend(script), journal) for role, script in scripts.items()}
    [_ async for _ in EvolInstruct(seeds=seeds, rounds=1, difficulty=True).generate(Run(models))]
    assert {role: {request.stage for request in script.log} for role, script in scripts.items()} == {
        "default": {"evolve"},
        "equality": {"equality"},
        "responses": {"responses"},
        "difficulty": {"difficulty"},
    }
