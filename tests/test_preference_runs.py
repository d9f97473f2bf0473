"""Preference data in whole runs: by a recipe and by the command line, accounted for, the same however often killed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from llmsynth import Completion, FakeBackend, Recipe, Request, synthesize
from llmsynth.estimate import estimate
from llmsynth.journal import Journal, read_entries
from llmsynth.request import RequestFailedError
from llmsynth.steps._answers import are_answers
from llmsynth.steps.preference import Preference
from llmsynth.steps.respond import Respond
from llmsynth.synthesis import Result
from tests.judging import asked, between, row, run_of
from tests.lives import contents, finish, report, start
from tests.loopback import Loopback
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_rows import lines

CRITERIA = ("instruction_following", "truthfulness", "honesty", "helpfulness")
STEPS: list[dict[str, Any]] = [
    {"use": "respond", "models": ["strong", "weak"], "samples": {"strong": 1, "weak": 2}},
    {"use": "preference", "margin": 0.5},
]


def mark(text: str) -> str:
    """A judge's verdict on an answer: its last digit tells the mark, and 0 that it cannot be read."""
    number = int(re.findall(r"\d", text)[-1]) % 6
    return "\n".join(f"{name}: {number}" for name in CRITERIA) if number else "Splendid!"


def teacher(request: Request) -> str:
    """Answers and judges as a function of what it is asked and which sample it is."""
    if request.stage == "judge":
        return mark(between(asked(request), "answer"))
    if request.stage == "echo":
        return "It is so."
    return f"{request.stage} says {random.Random(f'{request.seed}').randrange(12)}"


def recipe(steps: list[dict[str, Any]] = STEPS, count: int = 40, **more: Any) -> Recipe:
    data = {
        "name": "preferred",
        "generator": {"use": "tests.plugins:Echoes", "count": count},
        "models": {"default": {"use": "fake", "function": "builtins:str"}},
        "steps": steps,
        **more,
    }
    return Recipe.from_data(data)


def run(made: Recipe, folder: Path, model: Any = teacher) -> Result:
    return synthesize(made, folder, backends={"default": FakeBackend(model)})


def check(result: Result) -> None:
    """Every row and every answer is accounted for, and every pair is what the judge said of it."""
    rows, notes = result.report["rows"], result.report["notes"]
    records = list(result.records())
    assert rows["in"] == len(records) == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values())
    asked_for, usage = notes["respond"], result.report["usage"]
    answered = sum(usage[role]["answers"] for role in ("strong", "weak"))
    assert asked_for["asked"] == answered
    assert answered == asked_for["answers"] + sum(asked_for["missing"].values()) + sum(asked_for["failed"].values())
    judged = notes["judge"]
    assert usage["judge"]["answers"] == judged["scored"] + sum(judged["unscored"].values()) + sum(
        judged["failed"].values()
    )
    for record in records:
        if record.dropped is None:
            prompt, chosen, rejected = (record.fields[name] for name in ("prompt", "chosen", "rejected"))
            scores = {answer["text"]: answer.get("score") for answer in record.fields["answers"]}
            assert prompt == record.fields["instruction"] and chosen != rejected
            assert scores[chosen] == record.fields["score_chosen"] == max(s for s in scores.values() if s is not None)
            assert scores[rejected] == record.fields["score_rejected"] <= scores[chosen] - 0.5
            assert record.scores["preference_margin"] == scores[chosen] - scores[rejected]
    keys = Counter(entry["key"] for entry in read_entries(result.directory / "journal.jsonl"))
    assert set(keys.values()) == {1} and keys.total() == sum(stage["answers"] for stage in usage.values())
    assert set(keys) == {key for record in records for key in record.meta["journal"]}
    assert result.report["unused_answers"] == 0


def test_from_questions_to_a_dataset_of_pairs_with_everything_accounted_for(tmp_path: Path) -> None:
    result = run(recipe(), tmp_path / "out")
    check(result)
    assert set(result.report["rows"]["dropped"]) == {"tie", "unscored_answers"}
    assert result.report["rows"]["kept"] == result.report["notes"]["preference"]["pairs"] > 15
    assert result.report["usage"]["strong"]["answers"] == 40 and result.report["usage"]["weak"]["answers"] == 80
    assert {"preference_chosen", "preference_rejected", "preference_margin"} <= set(result.report["scores"])


def test_the_dataset_opens_with_the_types_that_steps_declare(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from datasets import Value, load_dataset

    result = run(recipe(), tmp_path / "pairs")
    rows = load_dataset(str(result.dataset), split="train", cache_dir=str(tmp_path / "cache"))
    names = ["prompt", "chosen", "rejected", "score_chosen", "score_rejected"]
    assert [name for name in rows.column_names if name not in ("id", "metadata")] == names
    assert rows.features["score_chosen"] == Value("float64") and rows.features["prompt"] == Value("string")
    assert len(rows) == result.report["rows"]["kept"]
    assert all(row["chosen"] != row["rejected"] for row in rows)
    only = run(recipe(STEPS[:1]), tmp_path / "answers")
    rows = load_dataset(str(only.dataset), split="train", cache_dir=str(tmp_path / "cache"))
    assert {"instruction", "input", "output", "messages", "answers"} <= set(rows.column_names)
    assert [answer["role"] for answer in rows[0]["answers"]] == ["strong", "weak", "weak"]


def test_the_same_whatever_the_concurrency_and_a_rerun_asks_nothing(tmp_path: Path) -> None:
    told = []
    for concurrency in (1, 64):
        made = recipe()
        made.models["default"]["concurrency"] = concurrency
        told.append(list(run(made, tmp_path / str(concurrency)).records()))
    assert told[0] == told[1]
    (tmp_path / "64" / "report.json").unlink()

    def nobody(request: Request) -> str:
        raise AssertionError("asked again")

    assert list(run(recipe(), tmp_path / "64", nobody).records()) == told[1]


class Late(FakeBackend):
    """Answers after a few turns of the event loop, differently many for each request."""

    async def complete(self, request: Request) -> Completion:
        for _ in range(random.Random(request.key).randrange(12)):
            await asyncio.sleep(0)
        return await super().complete(request)


def test_rows_that_come_while_it_waits_for_others_change_nothing(tmp_path: Path) -> None:
    rows = [row(str(n), f"Question {n % 3}") for n in range(24)]  # alike, so that the order of asking tells
    steps = Respond(models=("strong", "weak"), samples=2), Preference()
    assert all(step.overlaps for step in steps)

    def made(under_way: bool) -> list[Any]:
        journal = Journal(tmp_path / str(under_way) / "journal.jsonl")
        run = run_of(journal, {"default": Late(teacher)})

        async def work() -> list[Any]:
            records = rows
            for step in steps:
                tasks = []
                for first in range(0, len(records), 6):
                    tasks.append(asyncio.ensure_future(step.apply(records[first : first + 6], run)))
                    await (asyncio.sleep(0) if under_way else tasks[-1])
                records = [record for task in tasks for record in await task]
            await run.model("default").aclose()
            return records

        records = asyncio.run(work())
        journal.close()
        return records

    assert made(True) == made(False)


def test_another_seed_of_randomness_draws_other_models_and_other_rejected_answers(tmp_path: Path) -> None:
    steps = [
        {"use": "respond", "models": ["a", "b", "c"], "samples": 2, "draw": 2},
        {"use": "preference", "by": "models", "ranking": ["a", "b", "c"], "against": "random"},
    ]
    told = [
        [
            (record.id, record.fields.get("rejected"))
            for record in run(recipe(steps, seed=seed), tmp_path / name).records()
        ]
        for name, seed in (("x", 1), ("y", 1), ("z", 2))
    ]
    assert told[0] == told[1] != told[2]


def served(body: dict[str, Any]) -> str:
    """What the loopback server says: marks to a judge, else an answer that is a function of the prompt and the seed."""
    prompt = body["messages"][-1]["content"]
    if "strict and fair examiner" in body["messages"][0]["content"]:
        return mark(between(prompt, "answer"))
    rng = random.Random(str((prompt, body.get("seed"), body["model"])))
    return f"It is {rng.randrange(100)}."


def test_killed_again_and_again_it_ends_in_the_same_pairs_and_pays_for_nothing_twice(
    tmp_path: Path, loopback: Loopback
) -> None:
    loopback.echo, loopback.latency = served, (0.001, 0.01)
    source = lines(tmp_path / "questions.jsonl", [{"prompt": f"What is {n} + 1?"} for n in range(60)])
    spec = {"use": "openai", "base_url": loopback.url, "concurrency": 8, "served_as": "here"}
    columns = {"instruction": "prompt"}
    text = yaml.safe_dump(
        {
            "name": "killed",
            "generator": {"use": "rows", "path": str(source)},
            "steps": [{**STEPS[0], "columns": columns}, {**STEPS[1], "columns": columns}],
            "models": {name: {**spec, "model": name} for name in ("default", "strong", "weak")},
        }
    )
    finish(text, tmp_path / "spared")
    needed = loopback.requests
    rng = random.Random(5)
    killed = 0
    for _ in range(12):
        before = loopback.requests
        process = start(text, tmp_path / "killed")
        until = before + rng.randint(5, 60)
        while process.is_alive() and loopback.requests < until:
            time.sleep(0.0005)
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        if process.exitcode == 0:
            break
    finish(text, tmp_path / "killed")
    assert killed >= 3
    assert contents(tmp_path / "killed") == contents(tmp_path / "spared")
    assert report(tmp_path / "killed") == report(tmp_path / "spared")
    # what was in flight at a kill is lost, by each of three models, and nothing else
    assert loopback.requests <= 2 * needed + 3 * 8 * killed
    assert report(tmp_path / "killed")["rows"]["kept"] > 20


def test_a_failure_is_asked_about_again_by_the_next_run_and_by_no_other(tmp_path: Path) -> None:
    well = False

    def flaky(request: Request) -> str:
        if not well and request.stage in ("weak", "judge") and request.seed % 5 == 0:
            raise RequestFailedError("timeout", "no answer in time", retryable=False)
        return teacher(request)

    first = run(recipe(), tmp_path / "out", flaky)
    assert not first.complete and first.report["rows"]["failed"]["timeout"] > 5
    rows = first.report["rows"]
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values())
    well = True
    second = run(recipe(), tmp_path / "out", flaky)
    assert second.complete
    assert list(second.records()) == list(run(recipe(), tmp_path / "spared").records())


def test_rows_of_ones_own_as_conversations_by_the_command_line(llmsynth: Any) -> None:  # noqa: F811
    talk = [{"role": "user", "content": "Name the number."}, {"role": "assistant", "content": "It is 1."}]
    lines(
        Path("talks.jsonl"), [{"messages": talk, "topic": f"t{n}", "answers": [f"No: {n % 3}", "2"]} for n in range(6)]
    )
    Path("steps.yaml").write_text(
        yaml.safe_dump(
            {
                "steps": [{"use": "preference", "own": True}],
                "models": {"default": {"use": "fake", "function": "tests.test_preference_runs:teacher"}},
            }
        )
    )
    outcome = llmsynth("curate", "talks.jsonl", "--steps", "steps.yaml", "-o", "out")
    assert outcome.code == 0, outcome.err
    result = Result(Path("out"), json.loads(Path("out/report.json").read_text()))
    kept = [record for record in result.records() if record.dropped is None]
    assert kept
    for record in kept:
        assert record.fields["prompt"] == talk[:1]
        said = [record.fields[side][0]["content"] for side in ("chosen", "rejected")]
        # of equals the earlier one, and 0 is a verdict that cannot be read
        expected = {"No: 0": ["2", "It is 1."], "No: 1": ["2", "No: 1"], "No: 2": ["No: 2", "It is 1."]}
        assert said == expected[record.fields["answers"][0]]
    pytest.importorskip("datasets")
    from datasets import load_dataset

    rows = load_dataset("out/dataset", split="train", cache_dir="cache")
    assert rows[0]["prompt"] == talk[:1] and rows[0]["topic"] == kept[0].fields["topic"]
    assert "messages" not in rows.column_names and "answers" not in rows.column_names
    exported = llmsynth("export", "out", "--format", "preference", "-o", "pairs.jsonl")
    assert exported.code == 0, exported.err
    told = [json.loads(line) for line in Path("pairs.jsonl").read_text().splitlines()]
    assert [(row["chosen"], row["prompt"]) for row in told] == [(r.fields["chosen"], talk[:1]) for r in kept]


def test_conversations_whose_turns_have_different_keys_become_pairs_too(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "Name 3 fruits please"}
    own = ({"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "why"})
    answers = [{"text": "Apple and pear and 3 others, all of them sweet and nice."}, {"text": "no", "from": "me"}]
    source = lines(tmp_path / "data.jsonl", [{"messages": [asked, turn], "answers": answers} for turn in own])
    data = {"generator": {"use": "rows", "path": str(source)}, "steps": [{"use": "preference", "by": "heuristics"}]}
    pairs = pq.read_table(synthesize(Recipe.from_data(data), tmp_path / "run").dataset / "data").to_pylist()
    assert [(pair["prompt"], pair["rejected"][0]["content"]) for pair in pairs] == [([asked], "no")] * 2
    assert are_answers("list<object>")  # and `respond` takes further ones


def test_questions_alone_get_answers_by_the_command_line(llmsynth: Any) -> None:  # noqa: F811
    lines(Path("asked.jsonl"), [{"question": f"What is {n}?"} for n in range(5)])
    Path("steps.yaml").write_text(
        "steps: [{use: respond, samples: 1, replace: last}]\n"
        "models: {default: {use: fake, function: 'tests.test_preference_runs:teacher'}}\n"
    )
    outcome = llmsynth("curate", "asked.jsonl", "--steps", "steps.yaml", "-o", "out")
    assert outcome.code == 0, outcome.err
    records = list(Result(Path("out"), {}).records())
    assert [record.fields["question"] for record in records] == [f"What is {n}?" for n in range(5)]
    assert all(record.fields["output"].startswith("respond says") for record in records)


@pytest.mark.parametrize(
    ("step", "requests"),
    [
        ({"by": "judge"}, {"judge": 40 * 3}),
        ({"by": "pairwise"}, {"judge": 40 * 3 * 2}),
        ({"by": "judge", "own": True, "judge": {"role": "examiner"}}, {"examiner": 40 * 4}),
        ({"by": "heuristics"}, {}),
        ({"by": "models", "ranking": ["strong", "weak"]}, {}),
    ],
)
def test_what_it_asks_is_estimated(step: dict[str, Any], requests: dict[str, int]) -> None:
    made = recipe([STEPS[0], {"use": "preference", **step}], target=40)
    generator = {"use": "self-instruct"}
    made = Recipe.from_data({**made.data(defaults=False), "generator": generator})
    told = {stage.stage: stage for stage in estimate(made)[1]}
    asked_by_steps = {name: stage.requests for name, stage in told.items() if name in ("strong", "weak", *requests)}
    assert asked_by_steps == {"strong": 40, "weak": 80, **requests}
    assert told["weak"].at_most == 80 * 1024 and 0 < told["weak"].completion_tokens < told["weak"].at_most
    assert told["weak"].prompt_tokens == 2 * told["strong"].prompt_tokens > 0


def test_the_estimate_is_what_is_asked_once_a_run_tells(tmp_path: Path) -> None:
    source = lines(tmp_path / "q.jsonl", [{"instruction": f"What is {n}?", "output": "It is 5."} for n in range(30)])
    steps = [STEPS[0], {**STEPS[1], "own": True}]
    made = recipe(steps)
    made = Recipe.from_data({**made.data(defaults=False), "generator": {"use": "rows", "path": str(source)}})
    before = {stage.stage: stage.requests for stage in estimate(made)[1]}
    result = run(made, tmp_path / "past")
    asked_for = {stage: usage["answers"] for stage, usage in result.report["usage"].items()}
    after = {stage.stage: stage.requests for stage in estimate(made, tmp_path / "past")[1]}
    assert before == {"strong": 30, "weak": 60, "judge": 120}
    assert after == asked_for  # answers that say the same are judged once


def test_a_mistake_surfaces_before_anything_is_asked(tmp_path: Path) -> None:
    from llmsynth.errors import LlmsynthError

    for step, said in [
        ({"use": "preference", "by": "reward"}, "is no reward model"),
        ({"use": "preference", "by": "jury"}, "steps\\[1\\].by"),
        ({"use": "preference", "judge": {"rubric": "splendour"}}, "no prompt judge/rubrics/splendour"),
        ({"use": "respond", "samples": 3, "replace": "last"}, "3 answers cannot take the place of one"),
        ({"use": "respond", "answers": "input"}, "there is a column input already, and it holds no answers"),
    ]:
        with pytest.raises(LlmsynthError, match=said):
            run(recipe([STEPS[0], step]), tmp_path / "out", lambda request: pytest.fail("asked"))
        assert not (tmp_path / "out").exists()


def test_the_built_in_recipe_makes_pairs_offline(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    rows = [
        {"instruction": "Give the opposite of the word.", "input": word} for word in ("small", "hot", "open", "wet")
    ]
    source = lines(tmp_path / "q.jsonl", rows)
    made = Recipe.load(
        "preference", [f"generator={{use: rows, path: {source}}}", "target=1", "models.weak.sampling.temperature=2"]
    )
    result = synthesize(made, tmp_path / "out")
    assert result.complete and result.report["rows"]["kept"] == 1
    for record in result.records():
        if record.dropped is None:
            assert record.fields["chosen"] != record.fields["rejected"] and record.fields["score_chosen"] == 2.0
            chosen = next(a for a in record.fields["answers"] if a["text"] == record.fields["chosen"])
            assert chosen["role"] == "strong"


def test_the_real_pocket_teacher_is_no_judge_and_every_row_says_so(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    rows = [{"instruction": "Give the opposite of the word.", "input": "small", "output": "big, or so"}]
    source = lines(tmp_path / "q.jsonl", rows)
    made = Recipe.from_data(
        {
            "generator": {"use": "rows", "path": str(source)},
            "models": {"default": {"use": "pocket"}},
            "steps": [
                {"use": "respond", "samples": 1, "sampling": {"temperature": 0.0, "max_tokens": 9}},
                {"use": "preference", "own": True, "judge": {"sampling": {"max_tokens": 9}}},
            ],
        }
    )
    result = synthesize(made, tmp_path / "out")
    [record] = result.records()
    assert len(record.fields["answers"]) == 1 and record.fields["answers"][0]["model"] == "llmsynth-pocket"
    assert (
        record.dropped and record.dropped.reason == "unscored_answers" and "of 2 have a score" in record.dropped.detail
    )
    judged = result.report["notes"]["judge"]
    assert judged["scored"] + sum(judged["unscored"].values()) == 2 == result.report["usage"]["judge"]["answers"]


def test_a_row_that_got_no_pair_is_no_row_of_pairs_with_null_either(tmp_path: Path) -> None:
    def flaky(request: Request) -> str:
        if request.stage == "judge" and request.seed % 5 == 0:
            raise RequestFailedError("timeout", "no answer in time", retryable=False)
        return teacher(request)

    result = run(recipe(on_error="null"), tmp_path / "out", flaky)
    rows = result.report["rows"]
    assert rows["failed"]["timeout"] > 5 and rows["kept"] > 5 and not result.complete
    files = sorted((result.dataset / "data").glob("*.parquet"))
    pairs = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert len(pairs) == rows["kept"] and all(None not in row.values() for row in pairs)
    card = (result.dataset / "README.md").read_text()
    assert f"| failed | `timeout` | {rows['failed']['timeout']} |" in card and "something is null" not in card
    answered = run(recipe([STEPS[0]], on_error="null"), tmp_path / "answers", only_strong)
    files = sorted((answered.dataset / "data").glob("*.parquet"))
    there = [row["answers"] for file in files for row in pq.read_table(file).to_pylist()]
    assert len(there) == 40 and answered.report["rows"]["failed"]["timeout"] > 5  # with the answers that came


def only_strong(request: Request) -> str:
    if request.stage == "weak" and request.seed % 5 == 0:
        raise RequestFailedError("timeout", "no answer in time", retryable=False)
    return teacher(request)
