"""What goes over the wire, what comes back, and that the key goes nowhere else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmsynth.backends.openai import OpenAIBackend
from llmsynth.errors import (
    AuthenticationError,
    BackendError,
    LlmsynthError,
    ModelNotFoundError,
    RecipeError,
    UnavailableError,
)
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Completion, Message, Request, RequestFailedError, Sampling
from tests.loopback import Fault, Loopback

KEY = "sk-verysecret-0123456789"
REQUEST = Request(
    "test",
    (Message(role="system", content="Be brief."), Message(role="user", content="Größe? 🙂")),
    Sampling(temperature=0.5, max_tokens=7, stop=("END",)),
)


@asynccontextmanager
async def backend(server: Loopback, **options: Any) -> AsyncIterator[OpenAIBackend]:
    opened = OpenAIBackend("teacher", server.url, **options)
    try:
        yield opened
    finally:
        await opened.aclose()


async def ask(server: Loopback, **options: Any) -> Completion:
    async with backend(server, **options) as opened:
        return await opened.complete(REQUEST)


async def failure(server: Loopback, fault: Fault, **options: Any) -> RequestFailedError:
    server.fault = lambda number, body: fault
    with pytest.raises(RequestFailedError) as caught:
        await ask(server, **options)
    return caught.value


async def test_a_chat_request_carries_messages_parameters_and_the_extra_body_verbatim(loopback: Loopback) -> None:
    await ask(loopback, extra_body={"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}})
    assert loopback.paths == ["/v1/chat/completions"]
    assert loopback.bodies == [
        {
            "model": "teacher",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Größe? 🙂"}],
            "temperature": 0.5,
            "max_tokens": 7,
            "stop": ["END"],
            "top_k": 20,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]
    assert "Authorization" not in loopback.headers[0]


async def test_a_completions_request_carries_the_last_message_as_its_prompt(loopback: Loopback) -> None:
    loopback.echo = lambda body: "continued"
    completion = await ask(loopback, api="completions")
    assert loopback.paths == ["/v1/completions"]
    assert loopback.bodies[0]["prompt"] == "Größe? 🙂" and "messages" not in loopback.bodies[0]
    assert completion.text == "continued"


async def test_the_answer_comes_with_its_usage_and_the_reason_it_ended(loopback: Loopback) -> None:
    loopback.echo = lambda body: "one two three"
    completion = await ask(loopback)
    assert completion == Completion("one two three", "stop", prompt_tokens=2, completion_tokens=3)


async def test_null_content_is_an_empty_answer(loopback: Loopback) -> None:
    loopback.echo = lambda body: None
    assert (await ask(loopback)).text == ""


def raw(body: Any) -> Fault:
    return Fault("status", 200, body=body)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [1],
        "many",
        {"prompt_tokens": None},
        {"prompt_tokens": "12", "completion_tokens": 1.5},
        {"prompt_tokens": []},
        {"prompt_tokens": -3, "completion_tokens": True},
    ],
)
async def test_usage_that_is_missing_or_odd_is_unknown(loopback: Loopback, usage: Any) -> None:
    reply = {"choices": [{"message": {"content": "fine"}}], "usage": usage}
    loopback.fault = lambda number, body: raw(reply)
    assert await ask(loopback) == Completion("fine", "stop", None, None)


async def test_half_a_surrogate_pair_in_a_reply_is_half_an_answer_not_none(loopback: Loopback) -> None:
    # json_response escapes what is not ASCII, so the lone half arrives as \ud83d
    loopback.fault = lambda number, body: raw({"choices": [{"message": {"content": "so \ud83d"}}]})
    assert (await ask(loopback)).text == "so \ud83d"


@pytest.mark.parametrize(
    "reply",
    [
        {},
        [],
        "text",
        None,
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": {}}]},
        {"choices": [{"message": {"content": [{"type": "text"}]}}]},
    ],
)
async def test_a_reply_without_a_completion_is_a_failure_worth_another_try(loopback: Loopback, reply: Any) -> None:
    error = await failure(loopback, raw(reply if reply is not None else "null"))
    assert (error.kind, error.retryable) == ("bad_reply", True)


@pytest.mark.parametrize("message", [{"role": "assistant"}, {"content": None}, {"content": ""}])
async def test_an_answer_that_was_withheld_is_called_that_whether_or_not_there_is_a_content(
    loopback: Loopback, message: dict[str, Any]
) -> None:
    loopback.fault = lambda number, body: raw({"choices": [{"message": message, "finish_reason": "content_filter"}]})
    assert await ask(loopback) == Completion("", "content_filter")


@pytest.mark.parametrize("reason", ["abort", "error"])
async def test_an_answer_that_the_server_broke_off_is_a_failure_worth_another_try(
    loopback: Loopback, reason: str
) -> None:
    error = await failure(loopback, raw({"choices": [{"message": {"content": "Half"}, "finish_reason": reason}]}))
    assert (error.kind, error.retryable) == ("broken_off", True)


async def test_half_a_json_document_is_a_bad_reply(loopback: Loopback) -> None:
    error = await failure(loopback, Fault("bad_json"))
    assert (error.kind, error.retryable) == ("bad_reply", True)
    assert '{"choices"' in error.message


@pytest.mark.parametrize(
    ("status", "retryable", "limited"),
    [
        (400, False, False),
        (408, True, False),
        (422, False, False),
        (429, True, True),
        (500, True, False),
        (503, True, False),
    ],
)
async def test_statuses_are_classified(loopback: Loopback, status: int, retryable: bool, limited: bool) -> None:
    error = await failure(loopback, Fault("status", status))
    assert (error.kind, error.retryable, error.limited) == (f"http_{status}", retryable, limited)
    assert error.message == f"scripted fault {status}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
async def test_retry_after_is_a_number_or_a_date(loopback: Loopback, header: str, seconds: float | None) -> None:
    error = await failure(loopback, Fault("status", 429, {"Retry-After": header}))
    assert error.retry_after == seconds


async def test_an_answer_that_takes_too_long_is_a_timeout(loopback: Loopback) -> None:
    error = await failure(loopback, Fault("hang"), timeout=0.1)
    assert (error.kind, error.retryable) == ("timeout", True)


async def test_a_cut_connection_is_told_from_a_server_that_is_not_there(loopback: Loopback) -> None:
    error = await failure(loopback, Fault("reset"))
    assert (error.kind, error.retryable) == ("connection_lost", True)
    loopback.stop()
    with pytest.raises(RequestFailedError) as caught:
        await ask(loopback)
    assert caught.value.kind == "connection"
    assert loopback.url in caught.value.message


async def test_a_machine_that_never_takes_the_call_is_not_there_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmsynth.endpoint._CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # they fill the queue of calls that nobody takes
            filler.setblocking(False)
            filler.connect_ex(address)
        opened = OpenAIBackend("teacher", f"http://127.0.0.1:{address[1]}/v1")
        with pytest.raises(RequestFailedError) as caught:
            await opened.complete(REQUEST)
        await opened.aclose()
        for filler in fillers:
            filler.close()
    assert caught.value.kind == "connection"


@pytest.mark.usefixtures("quick_retries")
async def test_no_server_at_the_address_ends_the_run_and_names_it(journal: Journal, loopback: Loopback) -> None:
    loopback.stop()
    async with backend(loopback) as opened:
        with pytest.raises(UnavailableError, match=loopback.url) as caught:
            await Model(opened, journal, attempts=2).ask(REQUEST)
    assert "is the server running" in caught.value.hint


async def test_a_server_that_comes_back_at_its_port_is_found_again(loopback: Loopback) -> None:
    async with backend(loopback) as opened:
        await opened.complete(REQUEST)
        loopback.stop()
        with pytest.raises(RequestFailedError):
            await opened.complete(REQUEST)
        loopback.start()
        await opened.complete(REQUEST)
    assert loopback.requests == 2


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, ModelNotFoundError),
        (405, ModelNotFoundError),  # an address that lacks its /v1, at some servers
    ],
)
async def test_wrong_keys_and_unknown_models_have_errors_of_their_own(
    loopback: Loopback, status: int, expected: type[LlmsynthError]
) -> None:
    loopback.fault = lambda number, body: Fault("status", status)
    with pytest.raises(expected, match=f"answered {status}") as caught:
        await ask(loopback)
    assert "OPENAI_API_KEY" in caught.value.hint or "teacher" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "kind", "retryable", "limited"),
    [(429, "http_429", True, True), (502, "http_502", True, False), (400, "http_400", False, False)],
)
async def test_an_error_that_comes_under_status_200_is_of_the_class_that_it_names(
    loopback: Loopback, code: int, kind: str, retryable: bool, limited: bool
) -> None:
    said = {"error": {"code": code, "message": "Rate limited upstream"}}
    error = await failure(loopback, Fault("status", 200, body=said))
    assert (error.kind, error.retryable, error.limited) == (kind, retryable, limited)
    assert error.message == "Rate limited upstream"


@pytest.mark.parametrize("code", ["429", 200, True, None])
async def test_an_error_under_status_200_that_names_no_status_is_a_bad_reply(loopback: Loopback, code: Any) -> None:
    error = await failure(loopback, Fault("status", 200, body={"error": {"code": code, "message": "Oh"}}))
    assert error.kind == "bad_reply"


async def test_a_wrong_key_told_under_status_200_ends_the_run(loopback: Loopback) -> None:
    said = {"error": {"code": 401, "message": "No such user"}}
    loopback.fault = lambda number, body: Fault("status", 200, body=said)
    with pytest.raises(AuthenticationError, match="No such user"):
        await ask(loopback)


NEWER = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


async def test_a_model_that_knows_the_limit_on_tokens_by_its_newer_name_gets_it_by_that(loopback: Loopback) -> None:
    refusal = Fault("status", 400, body={"error": {"message": NEWER, "code": "unsupported_parameter"}})
    loopback.fault = lambda number, body: refusal if "max_tokens" in body else None
    loopback.latency = (0.02, 0.02)
    async with backend(loopback) as opened:
        await asyncio.gather(opened.complete(REQUEST), opened.complete(REQUEST))
        await opened.complete(REQUEST)
    limits = [(body.get("max_tokens"), body.get("max_completion_tokens")) for body in loopback.bodies]
    assert limits == [(7, None), (7, None), (None, 7), (None, 7), (None, 7)]


@pytest.mark.parametrize("said", ["max_tokens is too large", "max_completion_tokens is too large"])
async def test_a_limit_on_tokens_that_is_refused_for_itself_is_tried_once(loopback: Loopback, said: str) -> None:
    error = await failure(loopback, Fault("status", 400, body={"error": {"message": said}}))
    assert error.kind == "http_400" and loopback.requests == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "No", "code": "model_not_found"},
        {"message": "The model 'teacher' does not exist", "code": 400},
        {"message": "Model Not Exist", "code": "invalid_request_error"},
        {"message": "Invalid model: teacher", "code": "1500"},
        {"message": "Unknown model teacher"},
        {"message": "model 'teacher' was not found"},
    ],
)
async def test_an_unknown_model_that_comes_as_a_bad_request_ends_the_run_too(
    loopback: Loopback, error: dict[str, Any]
) -> None:
    loopback.fault = lambda number, body: Fault("status", 400, body={"error": error})
    with pytest.raises(ModelNotFoundError, match=error["message"]) as caught:
        await ask(loopback)
    assert "does the endpoint serve 'teacher'" in caught.value.hint


@pytest.mark.parametrize(
    "message",
    [
        "'temperature' does not support 0.5 with this model",
        "This model's maximum context length is 4096 tokens",
        "The model does not support image inputs",
        "unknown field 'model_options'",
    ],
)
async def test_a_bad_request_that_speaks_of_a_model_otherwise_fails_its_row(loopback: Loopback, message: str) -> None:
    error = await failure(loopback, Fault("status", 400, body={"error": {"message": message}}))
    assert (error.kind, error.retryable) == ("http_400", False)


@pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (402, "")])
async def test_used_up_credit_ends_the_run(loopback: Loopback, status: int, code: str) -> None:
    said = {"error": {"message": "You exceeded your quota", "code": code}}
    loopback.fault = lambda number, body: Fault("status", status, body=said)
    with pytest.raises(BackendError, match="You exceeded your quota") as caught:
        await ask(loopback)
    assert "add credit" in caught.value.hint


def test_a_key_that_is_named_but_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthenticationError, match="TEACHER_KEY") as caught:
        OpenAIBackend("teacher", "http://127.0.0.1:1/v1", api_key_env="TEACHER_KEY")
    assert "export TEACHER_KEY" in caught.value.hint
    monkeypatch.setenv("TEACHER_KEY", "  ")
    with pytest.raises(AuthenticationError, match="TEACHER_KEY"):
        OpenAIBackend("teacher", "http://127.0.0.1:1/v1", api_key_env="TEACHER_KEY")


def test_openai_itself_needs_its_key_and_a_local_server_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        OpenAIBackend("gpt")
    assert OpenAIBackend("gpt", "http://localhost:8000/v1/").base_url == "http://localhost:8000/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9000/v1")
    assert OpenAIBackend("gpt").base_url == "http://localhost:9000/v1"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http:///v1", "http://host:port/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RecipeError, match="is no http"):
        OpenAIBackend("teacher", url)


def test_what_changes_the_answer_is_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://localhost:1/v1"
    identities = [
        OpenAIBackend("a", url).identity,
        OpenAIBackend("b", url).identity,
        OpenAIBackend("a", url, api="completions").identity,
        OpenAIBackend("a", url, extra_body={"top_k": 1}).identity,
        OpenAIBackend("a", "http://localhost:2/v1").identity,
    ]
    assert len(set(identities)) == 5
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert OpenAIBackend("a", url, timeout=3).identity == identities[0]


async def test_many_requests_at_once_are_all_answered(journal: Journal, loopback: Loopback) -> None:
    loopback.latency = (0.0, 0.01)
    async with backend(loopback) as opened:
        model = Model(opened, journal, concurrency=16)
        requests = [Request("test", (Message(role="user", content=f"Task: {n}"),)) for n in range(64)]
        completions = await asyncio.gather(*map(model.ask, requests))
    assert [c.request.messages for c in completions if c.request] == [r.messages for r in requests]
    assert 4 < loopback.most_in_flight <= 16


async def test_a_proxy_that_the_environment_names_is_used(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "inside.example")
    monkeypatch.setenv("http_proxy", loopback.url.removesuffix("/v1"))
    loopback.echo = lambda body: "through the proxy"
    opened = OpenAIBackend("teacher", "http://outside.example/v1")
    assert (await opened.complete(REQUEST)).text == "through the proxy"
    await opened.aclose()
    assert loopback.headers[0]["Host"] == "outside.example"
    assert OpenAIBackend("teacher", "http://inside.example/v1")._endpoint.proxy is None
