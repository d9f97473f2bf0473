"""check, retry and status as a person types them, and the log of a server in trouble."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmsynth.backends.openai import OpenAIBackend
from llmsynth.cli import main
from llmsynth.cli.make import model_spec
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Message, Request
from llmsynth.trouble import Trouble
from tests.loopback import Fault, Loopback

KEY = "sk-verysecret-0123456789"
Call = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def llmsynth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["llmsynth", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        captured = capsys.readouterr()
        return int(exit.value.code or 0), captured.out, captured.err

    return call


def told(out: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in out.splitlines())}


def able(number: int, body: dict[str, Any]) -> Fault:
    """A server that can do all there is, once a kind of request is understood."""
    text = '{"reason": "scattering", "sure": true}' if "response_format" in body else "It scatters."
    choice: dict[str, Any] = {"message": {"content": text}, "finish_reason": "stop"}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": [{"token": "It", "logprob": -0.1}]}
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    return Fault("status", 200, body={"choices": [choice], "usage": usage})


def only(*keys: str) -> Callable[[int, dict[str, Any]], Fault]:
    """A server that refuses the requests with further keys."""

    def answer(number: int, body: dict[str, Any]) -> Fault:
        if unknown := {"response_format", "logprobs"} & body.keys() - set(keys):
            return Fault("status", 400, body={"error": {"message": f"unknown: {sorted(unknown)}"}})
        return able(number, body)

    return answer


def test_check_tells_all_of_a_server_with_one_request(
    llmsynth: Call, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)
    loopback.fault = able
    code, out, err = llmsynth("check", "teacher", "--base-url", loopback.url, "--api-key-env", "TEACHER_KEY")
    lines = told(out)
    assert code == 0 and loopback.requests == 1
    assert (lines["endpoint"], lines["model"], lines["key"]) == (loopback.url, "teacher", "from TEACHER_KEY")
    assert lines["latency"].endswith("s") and "(5 tokens)" in lines["tokens/s"]
    assert (lines["structured output"], lines["logprobs"]) == ("yes", "yes")
    assert KEY not in out + err


def test_check_asks_for_each_alone_where_both_are_refused(llmsynth: Call, loopback: Loopback) -> None:
    loopback.fault = only("logprobs")
    code, out, _ = llmsynth("check", "teacher", "--base-url", loopback.url)
    lines = told(out)
    assert code == 0 and loopback.requests == 5
    assert lines["structured output"].startswith("no (http_400: unknown: ['response_format'])")
    assert (lines["logprobs"], lines["key"]) == ("yes", "none (OPENAI_API_KEY is not set)")


def test_check_notices_a_server_that_takes_no_notice(llmsynth: Call, loopback: Loopback) -> None:
    _, out, _ = llmsynth("check", "teacher", "--base-url", loopback.url)
    lines = told(out)
    assert lines["structured output"] == "no (no notice is taken of a schema)"
    assert lines["logprobs"] == "no"


def test_check_tells_of_a_server_that_knows_json_but_no_schema(llmsynth: Call, loopback: Loopback) -> None:
    def half_able(number: int, body: dict[str, Any]) -> Fault:
        asked = body.get("response_format", {}).get("type")
        return able(number, body) if asked == "json_object" else only("logprobs")(number, body)

    loopback.fault = half_able
    _, out, _ = llmsynth("check", "teacher", "--base-url", loopback.url)
    assert told(out)["structured output"].startswith("JSON, by `structured: json_object`; a schema: no (http_400")
    assert "JSON" in loopback.bodies[-1]["messages"][0]["content"]  # without the word, some servers refuse


def test_check_tells_of_an_answer_that_is_json_and_breaks_the_schema(llmsynth: Call, loopback: Loopback) -> None:
    loopback.echo = lambda body: '{"reason": "scattering", "sure": "quite"}'
    _, out, _ = llmsynth("check", "teacher", "--base-url", loopback.url)
    assert "not of the schema: $.sure: 'quite' is not of type 'boolean' (type))" in told(out)["structured output"]


def test_check_takes_several_models(llmsynth: Call, loopback: Loopback) -> None:
    loopback.fault = able
    code, out, _ = llmsynth("check", "one", "two", "--base-url", loopback.url)
    assert code == 0 and [told(part)["model"] for part in out.split("\n\n")] == ["one", "two"]
    assert [body["model"] for body in loopback.bodies] == ["one", "two"]


def test_check_explains_a_server_that_is_not_there_and_a_wrong_key(llmsynth: Call, loopback: Loopback) -> None:
    loopback.fault = lambda number, body: Fault("status", 401)
    code, _, err = llmsynth("check", "teacher", "--base-url", loopback.url)
    assert code == 1 and "answered 401" in err and "Traceback" not in err
    loopback.stop()
    code, _, err = llmsynth("check", "teacher", "--base-url", loopback.url)
    assert code == 1 and "cannot reach" in err and "Traceback" not in err


def test_check_goes_on_to_the_next_model_after_one_that_cannot_be_used(llmsynth: Call, loopback: Loopback) -> None:
    loopback.fault = lambda number, body: Fault("status", 404) if body["model"] == "gone" else able(number, body)
    code, out, err = llmsynth("check", "gone", "there", "--base-url", loopback.url)
    gone, there = map(told, out.split("\n\n"))
    assert code == 1 and "error: " in err and "answered 404" in err and "hint: does the endpoint serve 'gone'" in err
    assert gone == {"model": "gone"} and (there["model"], there["structured output"]) == ("there", "yes")


def test_check_tells_the_same_of_a_model_in_this_process(llmsynth: Call) -> None:
    pytest.importorskip("torch")
    code, out, _ = llmsynth("check", "pocket")
    lines = told(out)
    assert code == 0 and lines["model"] == "llmsynth-pocket" and lines["latency"].endswith("s")
    assert lines["structured output"].startswith("no (") and lines["logprobs"] == "yes"


@pytest.mark.parametrize("use", ["vllm", "transformers"])
def test_a_model_of_the_hub_is_named_with_what_runs_it(use: str) -> None:
    assert model_spec(f"{use}:Qwen/Qwen3-8B", "", "") == {"use": use, "model": "Qwen/Qwen3-8B"}


def write_recipe(server: Loopback, **more: Any) -> None:
    spec = {"use": "openai", "model": "m", "base_url": server.url, "attempts": 1, **more}
    recipe = {"generator": {"use": "tests.plugins:Echoes", "count": 40}, "models": {"default": spec}}
    Path("recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")


def sometimes(number: int, body: dict[str, Any]) -> Fault | None:
    return Fault("status", (500, 502)[number % 2]) if number % 4 < 2 and number < 20 else None


def test_retry_asks_the_failed_rows_again_and_nothing_else(llmsynth: Call, loopback: Loopback) -> None:
    write_recipe(loopback)
    loopback.fault = sometimes
    code, _, err = llmsynth("run", "recipe.yaml", "-o", "out")
    assert code == 3 and "10 failed" in err and "tokens, cost unknown; all asked" in err
    _, out, _ = llmsynth("status", "out")
    assert "echo: 5 failed with http_500" in out and "echo: 5 failed with http_502" in out
    assert "left: 10 failed rows, which `llmsynth retry out` asks again" in out
    assert "spent: unknown" in out
    loopback.fault, before = None, loopback.requests
    code, out, err = llmsynth("retry", "out")
    assert code == 0 and out == "out/dataset\n"
    assert loopback.requests - before == 10
    assert "40 kept + 0 dropped + 0 failed" in err
    code, _, err = llmsynth("retry", "out")
    assert code == 0 and "no row of out has failed" in err
    assert loopback.requests - before == 10


def test_retry_needs_a_run(llmsynth: Call) -> None:
    code, _, err = llmsynth("retry", "nowhere")
    assert code == 1 and "nowhere is no run" in err


def test_status_tells_what_was_spent_by_stage(llmsynth: Call, loopback: Loopback) -> None:
    loopback.fault = able
    write_recipe(loopback, price={"prompt": 1000.0, "completion": 2000.0})
    _, _, err = llmsynth("run", "recipe.yaml", "-o", "out")
    assert "40 requests, 0 answers reused, 560 tokens, 0.76 US dollars; all asked" in err
    _, out, _ = llmsynth("status", "out")
    assert "echo: 40 answers, 360 + 200 tokens" in out
    assert "spent: 0.76 US dollars" in out


def test_an_error_is_logged_once_with_its_message_then_as_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble("m")
    for number in range(313):
        trouble.note("http_429", "slow down", number / 100)
    trouble.note("timeout", "no answer", 4.0)
    for number in range(3):
        trouble.note("timeout", "no answer", 5.0 + 5 * number)
    trouble.flush()
    trouble.flush()
    assert [record.getMessage() for record in caplog.records] == [
        "m: http_429: slow down",
        "m: timeout: no answer",
        "m: http_429 x 312, timeout x 3",
    ]


async def test_a_long_wait_is_told_once(loopback: Loopback, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    loopback.fault = lambda number, body: Fault("status", (429, 503)[number % 2], {"Retry-After": "3600"})
    model = Model(OpenAIBackend("m", loopback.url), journal)
    asked = Request("test", (Message(role="user", content="Largest river?"),))
    waiting = [asyncio.create_task(model.ask(asked)) for _ in range(3)]
    await asyncio.sleep(0.3)
    await model.aclose()
    await asyncio.gather(*waiting, return_exceptions=True)
    [record] = caplog.records
    assert "m: the endpoint asks to wait for 3,600 s" in record.getMessage()


def test_a_short_wait_is_not_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("m")
    trouble.wait(20.0, 0.0)
    assert not caplog.records
