"""What a run costs: told before it, stopped at the cap, and accounted for after it to the last token."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Completion, Recipe, Request, synthesize
from llmsynth.backends.fake import FakeBackend
from llmsynth.budget import Budget, Caps, Usage
from llmsynth.cli import main
from llmsynth.embed.openai import OpenAIEmbedder
from llmsynth.errors import AuthenticationError, BudgetError, RecipeError
from llmsynth.estimate import estimate_table
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.prices import FREE, Price, dollars, prices_as_of, published_price
from llmsynth.request import Failure, Message
from llmsynth.run import Run
from tests.loopback import Fault, Loopback

OPENAI = "https://api.openai.com/v1"
PRICE = Price(1.0, 10.0)  # US dollars per million tokens
KEYED = {"use": "openai", "model": "gpt-4o-mini"}


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for a hosted model that is never asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used-0123456789")


def asked(n: int, stage: str = "test") -> Request:
    return Request(stage, (Message(role="user", content=f"Task: {n}"),))


# prices


def test_a_price_is_found_by_endpoint_and_model_and_a_dated_name_has_that_of_the_undated() -> None:
    found = published_price(OPENAI, "gpt-4o-mini")
    assert found is not None and 0 < found.prompt < found.completion
    assert published_price(f"{OPENAI}/", "gpt-4o-mini-2024-07-18") == found
    assert published_price(OPENAI, "gpt-4o-mini", batch=True) == Price(found.prompt / 2, found.completion / 2)
    assert len(prices_as_of()) == len("2026-01-01")


@pytest.mark.parametrize(
    ("url", "model"), [(OPENAI, "gpt-unheard-of"), ("http://localhost:8000/v1", "gpt-4o-mini"), (OPENAI, "")]
)
def test_an_unknown_price_is_none_and_never_nothing(url: str, model: str) -> None:
    assert published_price(url, model) is None


@pytest.mark.parametrize(
    ("cost", "said"),
    [(None, "unknown"), (0.0, "0.00"), (0.0042, "0.0042"), (3.2e-7, "3.2e-07"), (0.01, "0.01"), (1234.5, "1,234.50")],
)
def test_a_small_cost_is_not_rounded_to_nothing(cost: float | None, said: str) -> None:
    assert dollars(cost) == said


def test_a_file_of_the_users_own_goes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = published_price(OPENAI, "gpt-4.1")
    path = tmp_path / "mine.yaml"
    path.write_text(
        "as_of: 2031-05-06\nbatch_discount: 0.25\nendpoints:\n"
        f"  {OPENAI}: {{gpt-4o-mini: {{prompt: 7, completion: 8}}}}\n"
        "  http://host/v1/: {m: {prompt: 0, completion: 0}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("LLMSYNTH_PRICES", str(path))
    assert published_price(OPENAI, "gpt-4o-mini") == Price(7, 8)
    assert published_price(OPENAI, "gpt-4o-mini", batch=True) == Price(1.75, 2)
    assert published_price("http://host/v1", "m") == FREE
    assert published_price(OPENAI, "gpt-4.1") == before
    assert prices_as_of().startswith("2031-05-06, else 20")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "endpoints: {}: {}",
        "endpoints: {x: 3}",
        "endpoints: {x: {m: {prompt: 1}}}",
        "endpoints: {x: {m: {prompt: -1, completion: 1}}}",
        "endpoints: {x: {m: {prompt: cheap, completion: 1}}}",
        "endpoints: {3: {m: {prompt: 1, completion: 1}}}",
        "{endpoints: {}, batch_discount: half}",
        None,
    ],
)
def test_a_price_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("LLMSYNTH_PRICES", str(path))
    with pytest.raises(RecipeError, match=r"mine\.yaml, which LLMSYNTH_PRICES names"):
        published_price(OPENAI, "gpt-4o-mini")


@pytest.mark.usefixtures("hosted")
def test_the_price_in_a_recipe_goes_before_all() -> None:
    generator = {"use": "tests.plugins:Echoes"}
    models = {"default": KEYED, "other": {**KEYED, "price": {"prompt": 3, "completion": 4}}}
    built = Recipe.from_data({"generator": generator, "models": models}).build()
    assert built.models["default"].price == published_price(OPENAI, "gpt-4o-mini")
    assert built.models["other"].price == Price(3, 4)


# before a run


@pytest.mark.usefixtures("hosted")
def test_the_estimate_tells_requests_tokens_and_cost_by_stage_and_asks_for_nothing(
    loopback: Loopback,
) -> None:
    known = {**KEYED, "base_url": loopback.url, "price": {"prompt": 1, "completion": 2}}
    recipe = Recipe.from_data({"generator": {"use": "self-instruct"}, "models": {"default": known}, "target": 100})
    table = estimate_table(recipe)
    lines = [line.split() for line in table.splitlines()]
    stages = {line[0]: line[1:] for line in lines[1:4]}
    assert stages.keys() == {"instructions", "classification", "instances"}
    for name, (model, requests, prompt, made, _, cost) in stages.items():
        counts = [int(count.replace(",", "")) for count in (requests, prompt, made)]
        assert model == "gpt-4o-mini" and min(counts) > 0, name
        assert float(cost) == pytest.approx((counts[1] + 2 * counts[2]) / 1e6, abs=0.006)
    total = sum(int(stage[1].replace(",", "")) for stage in stages.values())
    assert f"100 rows, {total:,} requests" in table and f"prices of {prices_as_of()}" in table
    assert loopback.requests == 0


def test_the_estimate_of_a_model_without_a_known_price_says_unknown(loopback: Loopback) -> None:
    model = {"use": "openai", "model": "m", "base_url": loopback.url}
    recipe = Recipe.from_data({"generator": {"use": "self-instruct"}, "models": {"default": model}, "target": 100})
    table = estimate_table(recipe)
    assert [line.split()[-1] for line in table.splitlines()[1:4]] == ["unknown"] * 3
    assert "unknown US dollars" in table and "0.00" not in table


# caps


def test_a_cap_on_cost_needs_a_price(loopback: Loopback) -> None:
    model = {"use": "openai", "model": "m", "base_url": loopback.url}
    with pytest.raises(RecipeError, match="the price of the model 'default' is unknown"):
        Recipe.from_data(
            {"generator": {"use": "self-instruct"}, "models": {"default": model}, "caps": {"cost": 1}, "target": 1}
        )


@pytest.mark.parametrize("concurrency", [1, 7])
@pytest.mark.parametrize(
    ("caps", "answers"), [(Caps(cost=0.001), 10), (Caps(tokens=300), 20), (Caps(requests=33), 33), (Caps(tokens=0), 0)]
)
async def test_a_cap_is_overshot_by_what_was_in_flight_at_most(
    journal: Journal, caps: Caps, answers: int, concurrency: int
) -> None:
    """Each answer is 5 + 10 tokens, for 0.000105 dollars."""

    class Slow(FakeBackend):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(0.001)
            return Completion("x", "stop", 5, 10)

    budget = Budget(caps)
    model = Model(Slow(lambda request: ""), journal, concurrency=concurrency, price=PRICE, budget=budget)
    outcomes = await asyncio.gather(*(model.ask(asked(n)) for n in range(100)), return_exceptions=True)
    await model.drain(5)
    made = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    assert all(isinstance(outcome, BudgetError) for outcome in outcomes if not isinstance(outcome, Completion))
    written = len(list(read_entries(journal.path)))
    assert answers <= written <= answers + (0 if caps.requests else concurrency - 1) and len(made) <= written
    assert budget.tokens == 15 * written and budget.cost == pytest.approx(PRICE.cost(5, 10) * written)
    await model.aclose()


async def test_tokens_that_a_server_does_not_count_are_estimated_for_the_cap(tmp_path: Path) -> None:
    async def spent(text: str) -> Budget:
        journal = Journal(tmp_path / "journal.jsonl")
        budget = Budget(Caps(tokens=1000))
        model = Model(FakeBackend(lambda request: Completion(text)), journal, price=PRICE, budget=budget)
        await model.ask(asked(1))
        await model.ask(Request("test", (Message(role="user", content="p" * 400),)))
        journal.close()
        return budget

    fresh, replayed = await spent("x" * 40), await spent("never asked for")
    assert fresh.tokens == replayed.tokens == 2 + 10 + 100 + 10
    assert fresh.cost == replayed.cost > 0


def test_a_failure_costs_nothing_and_a_rejected_answer_what_it_cost() -> None:
    usage, budget = Usage(), Budget()
    for final in (False, True):
        completion = Completion("text", "length", 100, 10, failure=Failure("length", "cut", final=final))
        usage.add(completion, PRICE)
        budget.spend(asked(1), completion, PRICE)
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (2, 100, 10)
    assert usage.cost == budget.cost == PRICE.cost(100, 10)


@pytest.mark.parametrize(
    ("price", "tokens", "cost"),
    [(PRICE, (1, 1), PRICE.cost(1, 1)), (PRICE, (None, 1), None), (None, (1, 1), None), (FREE, (None, None), 0.0)],
)
def test_a_stage_costs_unknown_once_one_answer_does(
    price: Price | None, tokens: tuple[int | None, int | None], cost: float | None
) -> None:
    usage = Usage()
    usage.add(Completion("x", "stop", *tokens), price)
    usage.add(Completion("x", "stop", 0, 0), price)
    assert usage.cost == cost


def echoes(server: Loopback, **more: Any) -> Recipe:
    model = {
        "use": "openai", "model": "m", "base_url": server.url, "price": {"prompt": 1000, "completion": 2000},
        "concurrency": 4, "attempts": 1,
    }  # fmt: skip
    generator = {"use": "tests.plugins:Echoes", "count": 60, "lookahead": 8}
    return Recipe.from_data({"generator": generator, "models": {"default": model}, **more})


def counted(server: Loopback) -> None:
    server.echo = lambda body: "one two three"  # 3 tokens, and 2 of each prompt


@pytest.mark.parametrize("caps", [{"cost": 0.2}, {"tokens": 125}, {"requests": 25}])
def test_a_run_stops_at_its_cap_and_goes_on_when_it_is_raised(
    tmp_path: Path, loopback: Loopback, caps: dict[str, Any]
) -> None:
    counted(loopback)
    [name] = caps
    with pytest.raises(BudgetError) as caught:
        synthesize(echoes(loopback, caps=caps), tmp_path)
    assert f"raise caps.{name}" in caught.value.hint
    told = {"cost": "0.20 US dollars", "tokens": "125 tokens", "requests": "25 requests"}[name]
    assert f"the cap of {told} is reached" in caught.value.message
    kept = len(list(read_entries(tmp_path / "journal.jsonl")))
    assert kept == loopback.requests and 25 <= kept <= 25 + 4 and not (tmp_path / "report.json").exists()
    with pytest.raises(BudgetError):  # what the journal holds counts
        synthesize(echoes(loopback, caps=caps), tmp_path)
    assert loopback.requests == kept
    result = synthesize(echoes(loopback), tmp_path)
    assert result.complete and loopback.requests == 60
    assert result.report["usage"]["echo"]["replayed"] == kept


def test_what_is_in_flight_when_a_cap_is_reached_is_kept_however_long_it_takes(
    tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.run._DRAIN_SECONDS", 0.05)
    loopback.latency = (0.2, 0.4)
    with pytest.raises(BudgetError):
        synthesize(echoes(loopback, caps={"requests": 25}), tmp_path)
    assert len(list(read_entries(tmp_path / "journal.jsonl"))) == loopback.requests == 25


# after a run


@pytest.mark.usefixtures("quick_retries")
def test_the_usage_of_the_report_is_the_sum_over_the_rows(tmp_path: Path, loopback: Loopback) -> None:
    loopback.fault = lambda number, body: (
        Fault(("status", "length", "content_filter")[number % 3]) if number % 2 else None
    )
    model = {"use": "openai", "model": "m", "base_url": loopback.url, "price": {"prompt": 100, "completion": 300}}
    recipe = Recipe.from_data(
        {
            "generator": {"use": "self-instruct", "lookahead": 4},
            "models": {"default": {**model, "attempts": 3}, "classification": {**model, "model": "small"}},
            "steps": [{"use": "exact-duplicates"}],
            "target": 25,
        }
    )
    result = synthesize(recipe, tmp_path)
    entries = {entry["key"]: entry for entry in read_entries(tmp_path / "journal.jsonl") if "key" in entry}
    used = {key for record in result.records() for key in record.meta["journal"]}
    answers: Counter[str] = Counter()
    tokens: dict[str, Counter[str]] = {}
    for key in used & entries.keys():
        entry = entries[key]
        answers[entry["stage"]] += 1
        counts = tokens.setdefault(entry["stage"], Counter())
        counts.update(prompt_tokens=entry["usage"][0], completion_tokens=entry["usage"][1])
    unused = [entry for key, entry in entries.items() if key not in used]  # in flight when the target was met
    usage = result.report["usage"]
    assert usage.keys() == {"instructions", "classification", "instances"}
    for stage, told in usage.items():
        late = [entry["usage"] for entry in unused if entry["stage"] == stage]
        prompt, made = (sum(counts[i] for counts in late) for i in (0, 1))
        assert told["prompt_tokens"] == tokens[stage]["prompt_tokens"] + prompt
        assert told["completion_tokens"] == tokens[stage]["completion_tokens"] + made
        assert told["cost"] == pytest.approx((100 * told["prompt_tokens"] + 300 * told["completion_tokens"]) / 1e6)
        rejected = told["failed"].get("content_filter", 0)
        assert told["answers"] == answers[stage] + len(late) + sum(told["failed"].values()) - rejected


# vectors


@pytest.fixture
def priced(tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand dollars for a million tokens of what the server embeds."""
    path = tmp_path / "prices.yaml"
    path.write_text(f"as_of: 2031-05-06\nendpoints: {{'{loopback.url}': {{e5: {{prompt: 1000, completion: 0}}}}}}\n")
    monkeypatch.setenv("LLMSYNTH_PRICES", str(path))


@pytest.mark.usefixtures("priced")
def test_what_an_endpoint_embeds_is_in_the_usage_of_the_report_and_in_the_status(
    tmp_path: Path, loopback: Loopback, run_status: Any
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"instruction": f"River {n} of many"}) + "\n" for n in range(30)))
    embedder = {"use": "openai", "model": "e5", "base_url": loopback.url, "batch": 10}
    step = {"use": "semantic-duplicates", "on": ["instruction"], "embedder": embedder, "threshold": 1.0}
    recipe = Recipe.from_data({"generator": {"use": "rows", "path": str(rows)}, "steps": [step]})
    used = synthesize(recipe, tmp_path / "run").report["usage"]["embeddings"]
    assert (used["answers"], used["replayed"], used["prompt_tokens"], used["cost"]) == (3, 0, 120, 0.12)
    out = run_status(tmp_path / "run")
    assert "embeddings: 3 answers, 120 + 0 tokens" in out and "spent: 0.12 US dollars" in out
    (tmp_path / "run" / "report.json").unlink()
    again = synthesize(recipe, tmp_path / "run").report["usage"]["embeddings"]
    assert (again["answers"], again["replayed"], loopback.requests) == (3, 3, 3)
    assert again == {**used, "replayed": 3}
    (tmp_path / "run" / "report.json").unlink()
    assert "embeddings: 3 answers, 120 + 0 tokens\nspent: 0.12 US dollars" in run_status(tmp_path / "run")


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("caps", [Caps(cost=0.03), Caps(tokens=30), Caps(requests=2)])
async def test_a_cap_holds_for_vectors_too_and_those_paid_for_before_count(
    tmp_path: Path, loopback: Loopback, caps: Caps
) -> None:
    texts = [f"text number {n}" for n in range(40)]

    async def embedded(caps: Caps) -> Run:
        run = Run({}, directory=tmp_path, budget=Budget(caps))
        vectors = run.vectors(OpenAIEmbedder("e5", loopback.url, batch=5, concurrency=1))
        for start in range(0, 40, 10):
            await vectors.of(texts[start : start + 10])
        return run

    with pytest.raises(BudgetError, match="cap"):
        await embedded(caps)
    assert loopback.requests == 2
    with pytest.raises(BudgetError, match="cap"):
        await embedded(caps)
    assert loopback.requests == 2
    run = await embedded(Caps())
    assert loopback.requests == 8 and (run.embeddings.requests, run.embeddings.replayed) == (8, 2)


async def test_vectors_without_a_price_or_a_count_cost_unknown(tmp_path: Path, loopback: Loopback) -> None:
    run = Run({}, directory=tmp_path)
    await run.vectors(OpenAIEmbedder("e5", loopback.url)).of(["a text"])
    assert run.embeddings.cost is None and run.budget.tokens == 2


@pytest.fixture
def run_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(run: Path) -> str:
        monkeypatch.setattr(sys, "argv", ["llmsynth", "status", str(run)])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    return call


def test_status_does_not_pretend_to_know_what_the_server_did_not_count(
    tmp_path: Path, loopback: Loopback, run_status: Any
) -> None:
    reply = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}
    loopback.fault = lambda number, body: Fault("status", 200, body=reply)
    synthesize(echoes(loopback), tmp_path)
    assert "spent: unknown, as the server did not count all tokens" in run_status(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["usage"]["echo"]["cost"] == "unknown"


def test_status_of_a_run_that_was_stopped_tells_done_spent_and_left(
    tmp_path: Path, loopback: Loopback, run_status: Any
) -> None:
    counted(loopback)
    with pytest.raises(BudgetError):
        synthesize(echoes(loopback, caps={"requests": 40}, target=55), tmp_path)
    out = run_status(tmp_path)
    assert "echo: 40 answers, 80 + 120 tokens" in out
    assert "spent: 0.32 US dollars" in out
    told = re.search(r"so far: (\d+) kept \+ 0 dropped \+ 0 failed = (\d+) rows", out)
    assert told and 40 - 4 <= int(told.group(1)) == int(told.group(2)) <= 40
    assert f"left: {55 - int(told.group(1))} of 55 rows wanted" in out


@pytest.mark.parametrize("command", ["validate", "estimate"])
def test_a_recipe_is_looked_at_without_its_key(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "generator: {use: self-instruct}\ntarget: 20\nmodels: {default: {use: openai, model: gpt-4o-mini}}\n"
    )
    monkeypatch.setattr(sys, "argv", ["llmsynth", command, str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code in (0, None), told.err
    assert "US dollars" in told.out if command == "estimate" else "needs a key, in OPENAI_API_KEY" in told.err
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):  # and a run does need it
        Recipe.load(path)
