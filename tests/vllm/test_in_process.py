"""The vllm backend on a real engine, which is started once for all tests here."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from llmsynth.backends.transformers import TransformersBackend
from llmsynth.backends.vllm import VLLMBackend
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.request import Message, Request, RequestFailedError, Sampling

pytestmark = [pytest.mark.vllm, pytest.mark.asyncio(loop_scope="module")]

PROMPTS = [
    "Describe a river in one sentence.",
    "List three animals.",
    "What is 12 plus 30?",
    "Write a short letter to a friend.\n\nSay where you are.",
    "Is the following sentence happy or sad?\nI lost my keys.",
]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 1, "maximum": 99},
        "moods": {"type": "array", "items": {"enum": ["glad", "calm"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["name", "age", "moods"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(teacher: str, engine: dict[str, Any]) -> AsyncIterator[VLLMBackend]:
    backend = VLLMBackend(teacher, engine=engine)
    yield backend
    await backend.aclose()


def request(text: str, seed: int = 1, schema: dict[str, Any] | None = None, **sampling: Any) -> Request:
    messages = (Message(role="user", content=text),)
    return Request("test", messages, Sampling(**{"max_tokens": 40, **sampling}), seed=seed, schema=schema)


async def test_the_model_answers_a_chat_and_its_tokens_are_counted(backend: VLLMBackend, teacher: str) -> None:
    import transformers

    answer = await backend.complete(request(PROMPTS[0], temperature=0.0))
    tokenizer = transformers.AutoTokenizer.from_pretrained(teacher)
    message = {"role": "user", "content": PROMPTS[0]}
    text = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
    assert answer.text.strip()
    assert answer.prompt_tokens == len(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert answer.completion_tokens is not None and 0 < answer.completion_tokens <= 40


async def test_greedy_answers_are_those_of_transformers(backend: VLLMBackend, teacher: str) -> None:
    requests = [request(text, temperature=0.0) for text in PROMPTS]
    reference = TransformersBackend(teacher, dtype="float32")
    expected = await asyncio.gather(*map(reference.complete, requests))
    answers = await asyncio.gather(*map(backend.complete, requests))
    await reference.aclose()
    assert [answer.text for answer in answers] == [answer.text for answer in expected]
    assert [answer.finish_reason for answer in answers] == [answer.finish_reason for answer in expected]


async def test_each_request_in_a_flight_keeps_its_own_parameters(backend: VLLMBackend) -> None:
    greedy = request(PROMPTS[3], temperature=0.0)
    alone = await backend.complete(greedy)
    limits = [1, 2, 3, 5, 8, 13]
    short = [request(PROMPTS[3], seed=limit, temperature=1.0, max_tokens=limit) for limit in limits]
    wild = [request(PROMPTS[3], seed=seed, temperature=2.0, presence_penalty=1.0) for seed in range(6)]
    answers = await asyncio.gather(*map(backend.complete, [*short, greedy, *wild]))
    for limit, answer in zip(limits, answers, strict=False):
        assert answer.completion_tokens is not None and answer.completion_tokens <= limit
        assert answer.finish_reason == "stop" or answer.completion_tokens == limit
    assert answers[0].finish_reason == "length"
    assert answers[len(short)].text == alone.text
    assert len({answer.text for answer in answers[len(short) + 1 :]}) > 1


async def test_the_seed_decides_the_sample(backend: VLLMBackend) -> None:
    def sample(seed: int) -> Request:
        return request(PROMPTS[1], seed, temperature=1.5)

    flight = await asyncio.gather(*(backend.complete(sample(seed)) for seed in (7, 7, 8, 9, 10)))
    alone = await backend.complete(sample(7))
    assert flight[0].text == flight[1].text == alone.text
    assert len({answer.text for answer in flight}) > 1


async def test_a_stop_string_ends_the_answer_and_is_no_part_of_it(backend: VLLMBackend) -> None:
    whole = await backend.complete(request(PROMPTS[0], temperature=0.0))
    stop = whole.text[3:5]
    cut = await backend.complete(request(PROMPTS[0], temperature=0.0, stop=("~not there~", stop)))
    assert (cut.text, cut.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")


async def test_a_prompt_that_is_too_long_fails_its_own_row_only(backend: VLLMBackend, journal: Journal) -> None:
    model = Model(backend, journal)
    requests = [request("one"), request("word " * 3000), request("three")]
    answers = [answer async for answer in model.stream(requests, 3)]
    assert [answer.failure is None for answer in answers] == [True, False, True]
    failure = answers[1].failure
    assert failure is not None and (failure.kind, failure.attempts) == ("prompt_too_long", 1)
    assert "2048" in failure.message


async def test_a_prompt_that_leaves_little_room_is_answered_within_it(backend: VLLMBackend) -> None:
    counted = await backend.complete(request("word " * 1000))
    assert counted.prompt_tokens is not None
    spare = 2048 - counted.prompt_tokens
    answer = await backend.complete(request("word " * 1000, temperature=2.0, max_tokens=5000))
    assert answer.completion_tokens is not None and answer.completion_tokens <= spare


async def test_a_schema_makes_every_answer_a_document_of_its_kind(backend: VLLMBackend, journal: Journal) -> None:
    import jsonschema

    model = Model(backend, journal)
    people = [request("Make up a person.", schema=PERSON, temperature=1.0, max_tokens=300) for _ in range(6)]
    free = request("Make up a person.", temperature=1.0, max_tokens=300)
    answers = await asyncio.gather(*map(model.ask, [*people, free]))
    documents = [json.loads(answer.text) for answer in answers[:-1] if not answer.truncated]
    assert len(documents) >= 4
    for document in documents:
        jsonschema.validate(document, PERSON)
    assert len({answer.key for answer in answers}) == 7
    assert [entry.get("schema") for entry in read_entries(journal.path)].count(PERSON) == 6


async def test_a_schema_or_parameter_that_vllm_refuses_fails_its_own_row(backend: VLLMBackend) -> None:
    for wrong in (request("Hello", schema={"type": "nonsense"}), request("Hello", temperature=-1.0)):
        with pytest.raises(RequestFailedError) as caught:
            await backend.complete(wrong)
        assert (caught.value.kind, caught.value.retryable) == ("refused", False)
    assert (await backend.complete(request("Hello"))).text


async def test_a_request_that_is_given_up_leaves_the_others_alone(backend: VLLMBackend) -> None:
    numbers = {"type": "array", "items": {"type": "integer"}, "minItems": 500}  # nothing that ends at once
    long = request("Count.", schema=numbers, max_tokens=1500)
    given_up = [asyncio.create_task(backend.complete(dataclasses.replace(long, seed=seed))) for seed in range(4)]
    await asyncio.sleep(0.1)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    assert all(task.cancelled() for task in given_up)
    answers = await asyncio.gather(*(backend.complete(request(text, temperature=0.0)) for text in PROMPTS))
    assert all(answer.finish_reason in ("stop", "length") for answer in answers)  # a text may be empty
