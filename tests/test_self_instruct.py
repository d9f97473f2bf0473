"""Self-Instruct, row by row of the method: what is asked, and what becomes of the answers.

What is thrown away for how it looks is in test_self_instruct_filters.py, whole runs are in
test_self_instruct_runs.py, the Alpaca variant is in test_alpaca.py.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rouge_score import rouge_scorer

from llmsynth import Completion, Run, SelfInstruct
from llmsynth.errors import RecipeError, SourceError
from llmsynth.generators.self_instruct.filters import InstructionFilter
from llmsynth.journal import Journal
from llmsynth.request import RequestFailedError
from tests.scripted import (
    Script,
    asked,
    content,
    made_up,
    numbered,
    overlapping,
    play,
    reply,
    seed_file,
    seed_instructions,
    shown,
)


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    return seed_file(tmp_path)


# S1: seeds


def test_s1_a_bad_seed_is_found_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text('{"instruction": "Name a fish.", "output": "Trout"}\n{"instruction": 7, "output": "x"}\n')
    with pytest.raises(SourceError, match=r"seeds\.jsonl:2"):
        SelfInstruct(seeds=str(path)).validate(Run({}))


def test_s1_classification_only_needs_classification_seeds(seeds: str) -> None:
    with pytest.raises(RecipeError, match="marks no seed as classification"):
        SelfInstruct(seeds=seeds, classification_only=True).validate(Run({}))


# S2: what is shown


async def test_s2_six_human_and_two_made_are_shown_shuffled_and_never_twice(seeds: str, journal: Journal) -> None:
    script = Script()
    outcome = await play(SelfInstruct(seeds=seeds, lookahead=1, max_requests=12), script, journal)
    human = set(seed_instructions())
    made = {record.fields["instruction"] for record in outcome.records}
    prompts = [shown(prompt) for prompt in script.prompts("instructions")]
    assert len(prompts) == 12
    for tasks in prompts[1:]:
        assert len(tasks) == len(set(tasks)) == 8
        assert (len(human & set(tasks)), len(made & set(tasks))) == (6, 2)
    places = Counter(place for tasks in prompts[1:] for place, task in enumerate(tasks) if task in made)
    assert len(places) > 5  # of eight
    assert len({task for tasks in prompts for task in tasks} & human) > 15  # of twenty


async def test_s2_while_there_are_no_made_ones_seeds_take_their_place(seeds: str, journal: Journal) -> None:
    script = Script(instructions=lambda n: made_up("only", n))
    await play(SelfInstruct(seeds=seeds, lookahead=1, max_requests=4), script, journal)
    human = set(seed_instructions())
    prompts = [shown(prompt) for prompt in script.prompts("instructions")]
    assert [len(human & set(tasks)) for tasks in prompts] == [8, 7, 6, 6]
    assert [len(tasks) for tasks in prompts] == [8] * 4


async def test_s2_requests_ahead_see_the_pool_as_it_was(seeds: str, journal: Journal) -> None:
    script = Script()
    await play(SelfInstruct(seeds=seeds, lookahead=3, max_requests=5), script, journal)
    human = set(seed_instructions())
    assert [len(human & set(shown(p))) for p in script.prompts("instructions")] == [8, 8, 8, 6, 6]


async def test_s2_few_seeds_are_shown_and_numbered_as_they_are(tmp_path: Path, journal: Journal) -> None:
    script = Script(instructions=lambda n: numbered([made_up(n, i) for i in range(8)], 4 if n == 0 else 6))
    options = SelfInstruct(seeds=seed_file(tmp_path, 3), lookahead=1, max_requests=2)
    outcome = await play(options, script, journal)
    first, second = (request for request in script.log if request.stage == "instructions")
    assert content(first).endswith("\n4.")
    assert "tasks 4 to 11" in content(first)
    assert content(second).endswith("\n6.")  # three seeds, two made
    assert (first.sampling.stop, second.sampling.stop) == (("\n12.",), ("\n14.",))
    assert len(outcome.kept) == 16


async def test_s2_classification_alone_has_its_own_prompt_and_seeds(tmp_path: Path, journal: Journal) -> None:
    script = Script(instances=lambda instruction: "Class label: A\nInput: x")
    options = SelfInstruct(seeds=seed_file(tmp_path, 20, classification=5), classification_only=True, max_requests=1)
    outcome = await play(options, script, journal)
    [prompt] = script.prompts("instructions")
    assert "list of classification tasks" in prompt
    assert set(shown(prompt)) == set(seed_instructions(5))
    assert not script.prompts("classification")
    assert all(record.meta["is_classification"] for record in outcome.kept)
    assert all(p.startswith("self_instruct/output_first@") for p in {r.meta["prompts"][-1] for r in outcome.kept})


# S3: the list


async def test_s3_a_truncated_last_item_is_dropped_and_those_before_it_are_kept(seeds: str, journal: Journal) -> None:
    text = numbered([made_up("a"), made_up("b"), "Explain how the int"])
    script = Script(instructions=lambda n: Completion(text, "length"))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert [
        (r.fields["instruction"], reason) for r, reason in zip(outcome.records, outcome.reasons(), strict=True)
    ] == [
        (made_up("a"), None),
        (made_up("b"), None),
        ("Explain how the int", "truncated"),
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Completion("I would rather not.\n\nAsk me something else."), "no_instruction"),
        (Completion(""), "no_instruction"),
        (Completion("<think>Which tasks could", "length"), "truncated"),
    ],
)
async def test_s3_a_reply_without_a_list_leaves_a_record(
    answer: Completion, reason: str, seeds: str, journal: Journal
) -> None:
    script = Script(instructions=lambda n: answer)
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=2), script, journal)
    assert outcome.reasons() == [reason, reason]
    assert all(record.meta["journal"] for record in outcome.records)


async def test_s4_rejections_carry_their_reason_and_are_not_developed(seeds: str, journal: Journal) -> None:
    script = reply("Too short", "Draw a cat with three legs.", "Write a program that sorts.", made_up("good"))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert outcome.reasons() == ["too_short", "blacklisted_word", "asks_for_a_program", None]
    assert len(script.prompts("classification")) == len(script.prompts("instances")) == 1


# S5, S6: novelty


@pytest.mark.parametrize(("common", "length", "reason"), [(7, 10, None), (71, 100, "not_novel"), (8, 10, "not_novel")])
async def test_s5_seven_tenths_are_novel_and_more_are_not(
    common: int, length: int, reason: str | None, seeds: str, journal: Journal
) -> None:
    a, b = overlapping(common, length)
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), reply(a, b), journal)
    assert outcome.reasons() == [None, reason]


async def test_s5_candidates_are_compared_with_seeds_and_with_their_own_batch(seeds: str, journal: Journal) -> None:
    copy = seed_instructions()[4]
    script = reply(copy.upper(), made_up("new"), made_up("new") + " Now!", made_up("newer"))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert outcome.reasons() == ["not_novel", None, "not_novel", None]
    assert outcome.records[0].meta["most_similar"] == [["seed_4", 1.0]]
    assert outcome.records[0].dropped is not None
    assert outcome.records[0].dropped.detail == "ROUGE-L 1.000 with seed_4"
    assert outcome.records[2].meta["most_similar"][0][0] == "0-1"


@pytest.mark.parametrize(
    ("first", "again", "other"),
    [
        ("写一首关于春天的诗。", "请写一首关于春天的诗。", "解释什么是光合作用。"),
        ("Напиши стих о зиме на Python.", "Напиши стих о зиме на языке Python.", "Отсортируй числа на Python."),
        ("봄에 관한 시를 써 주세요.", "봄에 관한 시를 꼭 써 주세요.", "광합성이 무엇인지 설명해 주세요."),
    ],
)
async def test_s5_instructions_in_any_script_are_compared(
    first: str, again: str, other: str, seeds: str, journal: Journal
) -> None:
    script = reply(first, first, again, other)
    every = InstructionFilter(min_words=1, ascii_start=False)
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1, filter=every), script, journal)
    assert outcome.reasons() == [None, "not_novel", "not_novel", None]


async def test_s5_s6_novelty_decides_as_scoring_the_whole_pool_would(seeds: str, journal: Journal) -> None:
    words = made_up("words").split() + made_up("more words").split()
    items = [" ".join(words[(i * k) % len(words)] for i in range(5 + k % 4)) for k in range(1, 60)]
    script = Script(instructions=lambda n: numbered(items[n * 8 : n * 8 + 8]))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=7, stall_requests=99), script, journal)
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    pool, expected = seed_instructions(), []
    for item in items[:56]:
        novel = all(scorer.score(earlier, item)["rougeL"].fmeasure <= 0.7 for earlier in pool)
        expected.append(None if novel else "not_novel")
        pool += [item] if novel else []
    by_id = {
        "-".join(r.id.split("-")[:2]): reason for r, reason in zip(outcome.records, outcome.reasons(), strict=True)
    }
    assert [by_id[f"{n // 8}-{n % 8}"] for n in range(56)] == expected
    assert 5 < expected.count(None) < 50


# S7: is it classification?


async def test_s7_classification_is_a_stage_of_its_own(seeds: str, journal: Journal) -> None:
    script = Script(kind=lambda instruction: "**Yes**" if instruction == made_up(0, 1) else " No")
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1, lookahead=1), script, journal)
    stages = Counter(request.stage for request in script.log)
    assert stages == {"instructions": 1, "classification": 8, "instances": 8}
    assert [asked(r) for r in script.log if r.stage == "classification"] == [made_up(0, i) for i in range(8)]
    kinds = {r.fields["instruction"]: r.meta["is_classification"] for r in outcome.records}
    assert kinds == {made_up(0, i): i == 1 for i in range(8)}


@pytest.mark.parametrize("answer", ["It depends.", "Yes and no", "", "<think>\nOkay, so"])
async def test_s7_an_unreadable_verdict_is_recorded_and_is_no_no(answer: str, seeds: str, journal: Journal) -> None:
    script = Script(kind=lambda instruction: Completion(answer, "length"))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert outcome.reasons() == ["classification_unreadable"] * 8
    assert not script.prompts("instances")
    for record in outcome.records:
        assert record.meta["stages"] == ["instructions", "classification"]
        assert "is_classification" not in record.meta
        assert record.dropped is not None
        assert "within the token limit" in record.dropped.detail


async def test_s7_a_verdict_that_never_came_is_a_failure(seeds: str, journal: Journal) -> None:
    def kind(instruction: str) -> str:
        raise RequestFailedError("http_500", "the server is ill", retryable=False)

    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), Script(kind=kind), journal)
    assert outcome.reasons() == ["http_500"] * 8
    assert {record.status for record in outcome.records} == {"failed"}
    assert outcome.run.tally.failed == {"http_500": 8}


# S8: input first, or label first


async def test_s8_classification_gets_labels_before_inputs_and_the_rest_inputs_before_outputs(
    seeds: str, journal: Journal
) -> None:
    script = Script(
        kind=lambda instruction: "Yes" if instruction == made_up(0, 2) else "No",
        instances=lambda instruction: (
            "Class label: A\nInput: first\nClass label: B\nInput: second"
            if instruction == made_up(0, 2)
            else "Input: given\nOutput: made"
        ),
    )
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    for prompt in script.prompts("instances"):
        example = prompt[prompt.index("Task: ") :]
        if prompt.endswith(f"Task: {made_up(0, 2)}"):
            assert example.index("Class label:") < example.index("Input:")
            assert "Output:" not in example
        else:
            assert example.index("Input:") < example.index("Output:")
            assert "Class label:" not in example
    rows = [r.fields for r in outcome.kept if r.fields["instruction"] == made_up(0, 2)]
    assert [(row["input"], row["output"]) for row in rows] == [("first", "A"), ("second", "B")]


async def test_s8_the_balance_of_labels_is_reported(seeds: str, journal: Journal) -> None:
    even = "Class label: A\nInput: one\nClass label: B\nInput: two"
    skewed = "Class label: A\nInput: one\nInput: two\nInput: three\nClass label: B\nInput: four"
    script = Script(
        kind=lambda instruction: "Yes" if instruction in (made_up(0, 0), made_up(0, 1)) else "No",
        instances=lambda instruction: {made_up(0, 0): even, made_up(0, 1): skewed}.get(instruction, "Output: made"),
    )
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    notes = outcome.run.notes
    assert notes["classification_tasks"] == 2
    assert notes["mean_labels_per_task"] == 2
    assert notes["mean_label_evenness"] == pytest.approx((1 + 0.8113) / 2, abs=1e-3)


@pytest.mark.parametrize("most", [5, 2])
async def test_s8_the_first_example_too_many_ends_the_reply(most: int, seeds: str, journal: Journal) -> None:
    script = Script()
    await play(SelfInstruct(seeds=seeds, max_requests=1, max_instances=most), script, journal)
    requests = [request for request in script.log if request.stage == "instances"]
    assert {request.sampling.stop for request in requests} == {("\n\nTask:", f"\nExample {most + 1}")}
    assert all(f"up to {most} different examples" in content(request) for request in requests)


# S9: instances (replies/input_first and replies/output_first hold the ugly ones)


async def test_s9_each_example_becomes_a_record(seeds: str, journal: Journal) -> None:
    script = Script(
        instructions=lambda n: made_up("one"),
        instances=lambda instruction: "Example 1\nInput: a\nOutput: b\nExample 2\nInput: None\nOutput: c",
    )
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert [(r.id, r.fields) for r in outcome.records] == [
        ("0-0-0", {"instruction": made_up("one"), "input": "a", "output": "b"}),
        ("0-0-1", {"instruction": made_up("one"), "input": "", "output": "c"}),
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "reason"),
    [
        ("Yes", Completion("It is spam."), "no_instance"),
        ("No", Completion(""), "no_instance"),
        ("No", Completion("<think>Hm", "length"), "truncated"),
        ("No", Completion("Input: a\nOutput: b c", "length"), "truncated"),
        ("No", Completion("Input: a"), "empty_output"),
    ],
)
async def test_s9_an_instruction_without_a_usable_instance_leaves_a_record(
    kind: str, answer: Completion, reason: str, seeds: str, journal: Journal
) -> None:
    script = Script(kind=lambda instruction: kind, instances=lambda instruction: answer)
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert outcome.reasons() == [reason] * 8
    assert {record.meta["is_classification"] for record in outcome.records} == {kind == "Yes"}


# S10 through the method


async def test_s10_conflicting_outputs_drop_every_instance_of_their_instruction_alone(
    seeds: str, journal: Journal
) -> None:
    conflict = "Input: 2 + 2\nOutput: 4\nInput: 2 + 2\nOutput: 5\nInput: 3 + 3\nOutput: 6"
    script = Script(
        instructions=lambda n: numbered([made_up("bad"), made_up("good")]),
        instances=lambda instruction: conflict if instruction == made_up("bad") else "Input: a\nOutput: b",
    )
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert outcome.reasons() == ["conflicting_outputs"] * 3 + [None]


async def test_s10_at_most_five_instances_are_kept_of_an_instruction(seeds: str, journal: Journal) -> None:
    script = Script(instances=lambda instruction: "\n".join(f"Input: {n}\nOutput: no. {n}" for n in range(8)))
    outcome = await play(SelfInstruct(seeds=seeds, max_requests=1), script, journal)
    assert Counter(outcome.reasons()) == {None: 40, "beyond_max_instances": 24}
    kept = {tuple(r.fields["input"] for r in outcome.kept if r.id.startswith(f"0-{n}-")) for n in range(8)}
    assert len(kept) > 4  # each instruction has draws of its own
