"""Answers cut short or withheld: kept, rejected with their reason, or asked for once more; never paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmsynth import FakeBackend, Recipe, Result, synthesize
from llmsynth.backends.openai import OpenAIBackend
from llmsynth.budget import Budget, Caps
from llmsynth.errors import BudgetError
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.policy import FinishPolicy
from llmsynth.prices import Price
from llmsynth.request import Completion, Message, Request, Sampling
from tests.loopback import Fault, Loopback


def request(max_tokens: int | None = 100) -> Request:
    return Request("test", (Message(role="user", content="Tell me all"),), Sampling(max_tokens=max_tokens))


class Cutting(FakeBackend):
    """Needs `needs` tokens for what it has to say."""

    def __init__(self, needs: int) -> None:
        self.limits: list[int | None] = []
        self.needs = needs
        super().__init__(self._answer)

    def _answer(self, asked: Request) -> Completion:
        limit = asked.sampling.max_tokens
        self.limits.append(limit)
        made = min(self.needs, limit or self.needs)
        reason = "stop" if made == self.needs else "length"
        return Completion("word " * made, reason, prompt_tokens=10, completion_tokens=made)


async def ask(backend: FakeBackend, journal: Journal, asked: Request, **policy: Any) -> tuple[Completion, Model]:
    model = Model(backend, journal, policy=FinishPolicy(**policy), price=Price(1.0, 1.0))
    return await model.ask(asked), model


async def test_a_truncated_answer_is_kept_for_the_method_to_judge_unless_told_otherwise(journal: Journal) -> None:
    completion, _ = await ask(Cutting(150), journal, request())
    assert completion.truncated and completion.failure is None


async def test_a_rejected_answer_has_its_reason_counts_what_it_cost_and_stays_in_the_journal(tmp_path: Path) -> None:
    for replayed in (0, 1):
        journal, backend = Journal(tmp_path / "journal.jsonl"), Cutting(150)
        completion, model = await ask(backend, journal, request(), on_length="reject")
        journal.close()
        assert completion.failure is not None
        assert (completion.failure.kind, completion.failure.final, completion.replayed) == (
            "length",
            True,
            bool(replayed),
        )
        usage = model.usage["test"]
        assert (usage.failed, usage.replayed, usage.completion_tokens) == ({"length": 1}, replayed, 100)
        assert usage.cost == pytest.approx(110 / 1e6)
        assert len(backend.limits) == 1 - replayed
    assert [entry["finish_reason"] for entry in read_entries(tmp_path / "journal.jsonl")] == ["length"]


@pytest.mark.parametrize(
    ("needs", "limit", "limits", "reason"),
    [
        (150, 100, [100, 200], "stop"),
        (500, 100, [100, 200], "length"),
        (90, 100, [100], "stop"),
        (20_000, 10_000, [10_000, 16_384], "length"),
        (20_000, 16_384, [16_384], "length"),
    ],
)
async def test_a_truncated_answer_is_asked_for_once_more_with_twice_the_tokens(
    journal: Journal, needs: int, limit: int, limits: list[int], reason: str
) -> None:
    backend = Cutting(needs)
    completion, model = await ask(backend, journal, request(limit), on_length="retry")
    assert backend.limits == limits
    assert completion.finish_reason == reason and completion.failure is None
    made = [min(needs, allowed) for allowed in limits]
    assert len(completion.text.split()) == made[-1]
    usage = model.usage["test"]
    assert (usage.requests, usage.lengthened) == (1, len(limits) - 1)
    assert (usage.prompt_tokens, usage.completion_tokens) == (10 * len(limits), sum(made))
    assert usage.cost == pytest.approx((10 * len(limits) + sum(made)) / 1e6)


async def test_an_answer_without_a_limit_cannot_be_given_more(journal: Journal) -> None:
    backend = FakeBackend(lambda asked: Completion("cut", "length"))
    completion, model = await ask(backend, journal, request(None), on_length="retry")
    assert completion.text == "cut" and model.usage["test"].lengthened == 0


async def test_the_second_try_counts_for_the_caps(journal: Journal) -> None:
    model = Model(Cutting(150), journal, policy=FinishPolicy(on_length="retry"), budget=Budget(Caps(requests=1)))
    with pytest.raises(BudgetError):
        await model.ask(request())


async def test_a_run_that_ended_between_two_tries_goes_on_with_the_second_and_pays_for_none_twice(
    tmp_path: Path,
) -> None:
    backend, policy = Cutting(150), FinishPolicy(on_length="retry")
    journal = Journal(tmp_path / "journal.jsonl")
    model = Model(backend, journal, policy=policy, budget=Budget(Caps(requests=1)))
    with pytest.raises(BudgetError):
        await model.ask(request())
    journal.close()
    for replayed in (False, True):
        journal = Journal(tmp_path / "journal.jsonl")
        completion, model = await ask(backend, journal, request(), on_length="retry")
        journal.close()
        usage = model.usage["test"]
        assert backend.limits == [100, 200]
        assert completion.finish_reason == "stop" and len(completion.text.split()) == 150
        assert (usage.requests, usage.lengthened, usage.replayed) == (1, 1, replayed)
        assert (usage.prompt_tokens, usage.completion_tokens) == (20, 250)
    entries = {entry["key"]: entry["finish_reason"] for entry in read_entries(tmp_path / "journal.jsonl")}
    assert entries[completion.key] == "stop" and sorted(entries.values()) == ["length", "stop"]


async def test_a_second_try_that_waits_for_its_turn_when_the_run_ends_is_not_sent(journal: Journal) -> None:
    asked = []

    class Slow(FakeBackend):
        async def complete(self, request: Request) -> Completion:
            asked.append(request)
            await asyncio.sleep(0.1)
            return Completion("cut", "length")

    model = Model(Slow(lambda request: ""), journal, concurrency=1, policy=FinishPolicy(on_length="retry"))
    waiting = [asyncio.create_task(model.ask(request())) for _ in range(2)]
    await asyncio.sleep(0.15)
    assert model.in_flight == 1
    await model.drain(5)
    assert len(asked) == len(list(read_entries(journal.path))) == 2
    await asyncio.gather(*waiting, return_exceptions=True)
    await model.aclose()


async def test_an_answer_that_the_provider_withheld_is_rejected_or_kept(tmp_path: Path) -> None:
    def withheld(asked: Request) -> Completion:
        return Completion("", "content_filter")

    for policy, kind in (({}, "content_filter"), ({"on_content_filter": "keep"}, None)):
        journal = Journal(tmp_path / f"{kind}.jsonl")
        completion, _ = await ask(FakeBackend(withheld), journal, request(), **policy)
        journal.close()
        assert (completion.failure.kind if completion.failure else None) == kind


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "The prompt triggered the policy", "code": "content_filter"}),
        (403, {"message": "Your input was flagged", "code": 403, "metadata": {"flagged_input": "how to"}}),
        (403, {"message": "Not allowed", "code": "content_policy_violation"}),
    ],
)
async def test_a_prompt_that_the_provider_refuses_is_called_that_and_tried_once(
    journal: Journal, loopback: Loopback, status: int, error: dict[str, Any]
) -> None:
    loopback.fault = lambda number, body: Fault("status", status, body={"error": error})
    model = Model(OpenAIBackend("teacher", loopback.url), journal)
    completion = await model.ask(request())
    await model.aclose()
    assert completion.failure is not None
    assert (completion.failure.kind, completion.failure.attempts, loopback.requests) == ("content_filter", 1, 1)


def self_instruct(directory: Path, function: Callable[[Request], Any], generator: str, **model: Any) -> Result:
    recipe = Recipe.from_data(
        {
            "target": 10,
            "generator": {"use": generator, "lookahead": 2, "max_requests": 12},
            "models": {"default": {"use": "fake", "function": "tests.plugins:last_words", **model}},
        }
    )
    return synthesize(recipe, directory, backends={"default": FakeBackend(function)})


@pytest.mark.parametrize("generator", ["self-instruct", "alpaca"])
@pytest.mark.parametrize(
    ("finish_reason", "model"),
    [("content_filter", {}), ("length", {"on_length": "reject"})],
)
def test_a_rejected_answer_is_a_dropped_row_with_that_reason_and_no_parse_error(
    tmp_path: Path, generator: str, finish_reason: str, model: dict[str, str]
) -> None:
    result = self_instruct(tmp_path, lambda asked: Completion("", finish_reason), generator, **model)
    rows = result.report["rows"]
    assert list(rows["dropped"]) == [finish_reason]
    assert rows["failed"] == {} and rows["kept"] == 0
    assert all(record.dropped and record.dropped.reason == finish_reason for record in result.records())


def test_the_policy_is_part_of_the_recipe_and_of_what_is_made(tmp_path: Path) -> None:
    recipe = Recipe.from_data(
        {
            "generator": {"use": "tests.plugins:Echoes"},
            "models": {"default": {"use": "fake", "function": "tests.plugins:last_words", "on_length": "retry"}},
        }
    )
    assert recipe.resolved()["models"]["default"]["on_length"] == "retry"
    assert recipe.resolved()["models"]["default"]["on_content_filter"] == "reject"
    with pytest.raises(Exception, match=r"models\.default\.on_length"):
        Recipe.from_data(
            {
                "generator": {"use": "tests.plugins:Echoes"},
                "models": {"default": {"use": "fake", "function": "tests.plugins:last_words", "on_length": "hope"}},
            }
        )
