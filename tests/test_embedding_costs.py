"""What embedding at an endpoint costs: kept answer by answer, counted, and within the caps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmsynth import Recipe, Run, synthesize
from llmsynth.budget import Budget, Caps
from llmsynth.embed.openai import OpenAIEmbedder
from llmsynth.errors import BudgetError, RecipeError, UnavailableError
from llmsynth.prices import OWN_FILE
from tests.loopback import Fault, Loopback

TEXTS = [f"{'word ' * (1 + i % 4)}number {i}" for i in range(40)]
WORDS = sum(len(text.split()) for text in TEXTS)  # what the loopback server counts as tokens


def curating(source: Path, url: str, **more: Any) -> Recipe:
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    embedder = {"use": "openai", "model": "e5", "base_url": url, "batch": 4, "concurrency": 2}
    return Recipe(
        generator={"use": "rows", "path": str(source)},
        steps=[{"use": "semantic-duplicates", "on": ["text"], "threshold": 1.0, "embedder": embedder}],
        diversity="none",
        **more,
    )


def test_embeddings_are_counted_like_answers_and_again_when_a_run_goes_on(tmp_path: Path, loopback: Loopback) -> None:
    recipe = curating(tmp_path / "rows.jsonl", loopback.url)
    first = synthesize(recipe, tmp_path / "run").report["usage"]
    assert set(first) == {"embeddings"}
    assert first["embeddings"]["answers"] == loopback.requests == 10
    assert first["embeddings"]["prompt_tokens"] == WORDS and first["embeddings"]["completion_tokens"] == 0
    assert first["embeddings"]["cost"] == "unknown"
    assert str(WORDS) in (tmp_path / "run/dataset/README.md").read_text()
    (tmp_path / "run/report.json").unlink()  # as if it had been killed at the very end
    again = synthesize(recipe, tmp_path / "run").report["usage"]
    assert loopback.requests == 10
    assert again["embeddings"] == {**first["embeddings"], "replayed": 10}


@pytest.mark.parametrize(("caps", "least"), [({"requests": 4}, 4), ({"tokens": 40}, 1)])
def test_a_cap_stops_a_run_that_embeds_and_raised_it_goes_on(
    tmp_path: Path, loopback: Loopback, caps: dict[str, int], least: int
) -> None:
    source = tmp_path / "rows.jsonl"
    with pytest.raises(BudgetError, match="the cap of"):
        synthesize(curating(source, loopback.url, caps=caps), tmp_path / "run")
    asked = loopback.requests
    assert least <= asked < 10
    result = synthesize(curating(source, loopback.url, caps={name: 10_000 for name in caps}), tmp_path / "run")
    assert result.complete and loopback.requests == 10
    assert result.report["usage"]["embeddings"]["prompt_tokens"] == WORDS
    assert sorted(text for body in loopback.bodies for text in body["input"]) == sorted(TEXTS)  # each of them once


def test_a_price_of_ones_own_makes_a_cost_and_a_cap_on_it_needs_one(
    tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"caps\.cost: the price of the embeddings of .*e5 is unknown"):
        curating(tmp_path / "rows.jsonl", loopback.url, caps={"cost": 1}).build()
    prices = {"as_of": "2026-01-01", "endpoints": {loopback.url: {"e5": {"prompt": 1_000.0, "completion": 0}}}}
    (tmp_path / "prices.yaml").write_text(json.dumps(prices))
    monkeypatch.setenv(OWN_FILE, str(tmp_path / "prices.yaml"))
    recipe = curating(tmp_path / "rows.jsonl", loopback.url, caps={"cost": 1})
    report = synthesize(recipe, tmp_path / "run").report
    assert report["usage"]["embeddings"]["cost"] == pytest.approx(WORDS / 1_000)
    with pytest.raises(BudgetError, match="US dollars"):
        synthesize(curating(tmp_path / "rows.jsonl", loopback.url, caps={"cost": 0.02}), tmp_path / "other")


async def test_an_answer_is_kept_though_another_request_of_the_call_fails(tmp_path: Path, loopback: Loopback) -> None:
    loopback.fault = lambda number, body: Fault("status", 400) if TEXTS[5] in body["input"] else None
    embedder = OpenAIEmbedder("e5", loopback.url, batch=2, concurrency=3)
    run = Run(models={}, directory=tmp_path)
    with pytest.raises(UnavailableError, match="http_400"):
        await run.vectors(embedder).of(TEXTS[:12])
    answered = [text for body in loopback.bodies if TEXTS[5] not in body["input"] for text in body["input"]]
    assert 4 <= len(answered) < 10  # those that were in flight with it too, and no more were begun
    loopback.fault = None
    later = Run(models={}, directory=tmp_path)
    asked = len(loopback.bodies)
    await later.vectors(OpenAIEmbedder("e5", loopback.url, batch=2)).of(TEXTS[:12])
    again = [text for body in loopback.bodies[asked:] for text in body["input"]]
    assert not set(again) & set(answered) and len(again) + len(answered) == 12
    assert later.embeddings.replayed == len(answered) // 2


@pytest.mark.parametrize("torn", [5, 200])  # bytes: of the last request's line, and of more than that
async def test_killed_before_an_answer_was_counted_it_is_asked_for_and_counted_again(
    tmp_path: Path, loopback: Loopback, torn: int
) -> None:
    embedder = OpenAIEmbedder("e5", loopback.url, batch=4)
    await Run(models={}, directory=tmp_path).vectors(embedder).of([*TEXTS, "", " "])
    [account] = tmp_path.glob("vectors/*.jsonl")
    assert all(orjson.loads(line)["tokens"] for line in account.read_bytes().splitlines())
    account.write_bytes(account.read_bytes()[:-torn])
    left = account.read_bytes().count(b"\n")
    later = Run(models={}, directory=tmp_path, budget=Budget(Caps()))
    await later.vectors(embedder).of([*TEXTS, "", " "])
    assert loopback.requests == 10 + (10 - left) > 10
    assert later.embeddings.requests == later.budget.requests == 10 and later.embeddings.prompt_tokens == WORDS
    assert len(account.read_bytes().splitlines()) == 10


async def test_where_a_server_counts_no_tokens_a_cap_goes_by_an_estimate(tmp_path: Path, loopback: Loopback) -> None:
    run = Run(models={}, directory=tmp_path, budget=Budget(Caps(tokens=50)))
    loopback.fault = lambda number, body: Fault("uncounted")
    vectors = run.vectors(OpenAIEmbedder("e5", loopback.url, batch=4, concurrency=1))
    with pytest.raises(BudgetError, match="50 tokens"):
        await vectors.of(TEXTS)
    assert 1 <= loopback.requests < 10 and run.embeddings.prompt_tokens == 0 and run.budget.tokens >= 50
