"""What steps are estimated to ask for, against what they then ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from llmsynth import Completion, FakeBackend, Recipe, Request, synthesize
from llmsynth.estimate import estimate, estimate_table
from llmsynth.forecast import Expected
from llmsynth.journal import Journal
from llmsynth.steps.likelihood import IFD, Perplexity
from llmsynth.steps.reward import RewardModel
from llmsynth.text import rough_tokens
from tests.judging import row, run_of
from tests.loopback import Loopback
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)

MARKS = "It names no source.\ncorrectness: 4\ncompliance: 4\nclarity: 4"
REPLIES = {
    "judge": MARKS,
    "pairwise-judge": "Both are right.\nVerdict: tie",
    "tags": '["rivers"]',
    "deita": "4",
    "self_consistency": "Answer: Danube",
}


def rows(path: Path, count: int = 60) -> str:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    lines = [
        {
            "instruction": f"Name river number {n}.",
            "output": f"It is number {n} of the rivers.",
            "better": "Danube",
            "messages": turns * (1 + n % 2),
        }
        for n in range(count)
    ]
    path.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    return str(path)


def recipe(path: str, steps: list[Any], **more: Any) -> Recipe:
    models = {"default": {"use": "fake", "function": "tests.test_step_estimates:reply", "price": PRICE}}
    return Recipe.from_data(
        {"name": "r", "generator": {"use": "rows", "path": path}, "models": models, "steps": steps, **more}
    )


PRICE = {"prompt": 1.0, "completion": 2.0}


def reply(request: Request) -> str:
    if request.stage in ("judge", "arbiter"):
        return REPLIES["pairwise-judge"] if "<answer_a>" in request.messages[-1]["content"] else MARKS
    return REPLIES[request.stage]


@pytest.mark.parametrize(
    ("step", "stage", "requests"),
    [
        ({"use": "judge"}, "judge", 60),
        ({"use": "tags"}, "tags", 60),
        ({"use": "self-consistency", "samples": 5, "kind": "text"}, "self_consistency", 300),
        ({"use": "deita"}, "deita", 120),
        ({"use": "deita", "columns": {"output": "none"}}, "deita", 180),
        (
            {
                "use": "pairwise-judge",
                "first": "output",
                "second": "better",
                "columns": {"instruction": "instruction"},
                "role": "arbiter",
            },
            "arbiter",
            120,
        ),
    ],
)
def test_a_step_asks_as_often_as_it_was_estimated_to(
    step: dict[str, Any], stage: str, requests: int, tmp_path: Path
) -> None:
    wanted = recipe(rows(tmp_path / "rows.jsonl"), [step])
    [told] = estimate(wanted)[1]
    usage = synthesize(wanted, tmp_path / "run").report["usage"][stage]
    assert (told.stage, told.requests, usage["answers"]) == (stage, requests, requests)
    assert told.prompt_tokens > requests
    assert told.at_most is not None
    assert 0 < told.completion_tokens <= told.at_most


def test_a_gold_files_rows_are_asked_about_too(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_bytes(orjson.dumps({"instruction": "Name one.", "output": "One.", "judge": 3}))
    wanted = recipe(rows(tmp_path / "rows.jsonl"), [{"use": "judge", "gold": str(gold)}])
    assert estimate(wanted)[1][0].requests == 61
    assert synthesize(wanted, tmp_path / "run").report["usage"]["judge"]["answers"] == 61


@pytest.mark.parametrize(("step", "passes"), [(IFD(), 2), (Perplexity(), 1), (RewardModel(), 1)])
def test_models_that_generate_nothing_are_estimated_by_what_they_read(step: Any, passes: int, journal: Journal) -> None:
    [told] = step.estimate(run_of(journal), Expected(1_000, [row(), row(output="The Rhine and the Danube.")]))
    assert (told.requests, told.completion_tokens, told.at_most) == (1_000 * passes, 0, 0)
    assert told.prompt_tokens > 1_000


def test_an_earlier_run_tells_how_many_rows_come_to_a_step_and_what_it_takes(tmp_path: Path) -> None:
    steps = [{"use": "where", "keep": '"1" in instruction'}, {"use": "judge"}]
    wanted = recipe(rows(tmp_path / "rows.jsonl"), steps)
    assert estimate(wanted)[1][0].requests == 60
    counting = FakeBackend(lambda request: Completion(reply(request), "stop", 70, 30))
    usage = synthesize(wanted, tmp_path / "past", backends={"default": counting}).report["usage"]["judge"]
    more = recipe(rows(tmp_path / "more.jsonl", 600), steps)
    [told] = estimate(more, tmp_path / "past")[1]
    assert told.requests == 10 * usage["answers"] < 600
    assert told.prompt_tokens == 10 * usage["prompt_tokens"] > 0


def test_rows_that_are_to_be_made_are_scored_as_often_as_there_are_rows_wanted() -> None:
    data = {
        "target": 500,
        "generator": {"use": "self-instruct"},
        "models": {"default": {"use": "pocket"}},
        "steps": [{"use": "exact-duplicates"}, {"use": "judge"}, {"use": "self-consistency", "samples": 4}],
    }
    told = {stage.stage: stage.requests for stage in estimate(Recipe.from_data(data))[1]}
    assert (told["judge"], told["self_consistency"]) == (500, 2_000)
    data["generator"] = {"use": "evol-instruct", "seeds": {"use": "glan", "target": 100, "steps": [{"use": "tags"}]}}
    assert {stage.stage: stage.requests for stage in estimate(Recipe.from_data(data))[1]}["tags"] == 100


def test_the_table_has_the_cost_of_what_steps_ask(tmp_path: Path) -> None:
    table = estimate_table(recipe(rows(tmp_path / "rows.jsonl"), [{"use": "judge"}, {"use": "exact-duplicates"}]))
    [line] = [line for line in table.splitlines() if line.startswith("judge")]
    assert line.split()[2] == "60"
    assert "all rows, 60 requests, 0." in table
    assert "unknown" not in table


def test_curate_says_what_will_be_asked_before_it_asks(llmsynth: Any) -> None:  # noqa: F811
    rows(Path("rows.jsonl"))
    Path("steps.yaml").write_text(
        "steps: [{use: judge}]\n"
        "models: {default: {use: fake, function: 'tests.test_step_estimates:reply', price: {prompt: 1, completion: 2}}}"
    )
    told = llmsynth("curate", "rows.jsonl", "--steps", "steps.yaml", "-o", "out")
    assert told.code == 0
    assert "to be asked at most: judge: 60 requests, " in told.err
    assert "US dollars" in told.err


def test_vectors_that_an_endpoint_makes_are_estimated_once_for_all_who_use_them(
    tmp_path: Path, loopback: Loopback
) -> None:
    embedder = {"use": "openai", "model": "small", "base_url": loopback.url, "batch": 16}
    duplicates = {"use": "semantic-duplicates", "on": ["instruction"], "embedder": embedder, "threshold": 1.0}
    center = {"use": "k-center", "n": 5, "on": ["instruction"], "embedder": embedder}
    other = {**center, "n": 4, "on": ["output"]}
    wanted = recipe(rows(tmp_path / "rows.jsonl"), [duplicates], selectors=[center])
    [told] = estimate(wanted)[1]
    assert (told.stage, told.requests, told.asked, told.price) == ("embeddings", 4, "small", None)
    assert loopback.requests == 0
    synthesize(wanted, tmp_path / "run")
    assert loopback.requests == told.requests
    sent = sum(rough_tokens(text) for body in loopback.bodies for text in body["input"])
    assert told.prompt_tokens == pytest.approx(sent, abs=60)
    table = estimate_table(recipe(rows(tmp_path / "rows.jsonl"), [duplicates], selectors=[center, other]))
    assert [line.split()[:3] for line in table.splitlines() if line.startswith("embeddings")] == [
        ["embeddings", "small", "4"]
    ] * 2
    assert "8 requests, unknown US dollars" in table
    own = recipe(rows(tmp_path / "rows.jsonl"), [{**duplicates, "embedder": "static"}])
    assert estimate(own)[1] == []


def test_the_price_of_vectors_is_known_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none-is-sent")
    embedder = {"use": "openai", "model": "text-embedding-3-small", "base_url": "https://api.openai.com/v1"}
    step = {"use": "semantic-duplicates", "on": ["instruction"], "embedder": embedder}
    [told] = estimate(recipe(rows(tmp_path / "rows.jsonl"), [step]))[1]
    assert told.price is not None and told.price.prompt > 0
    assert "unknown" not in estimate_table(recipe(rows(tmp_path / "rows.jsonl"), [step]))
