"""The commands that operate models and runs: check, retry."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from llmsynth.cli import console
from llmsynth.cli.look import RunArgument
from llmsynth.cli.make import Page, Quiet, backend_of, make_dataset
from llmsynth.errors import LlmsynthError, RunError, UnavailableError
from llmsynth.parsing import validate
from llmsynth.request import Completion, Message, Request, RequestFailedError, Sampling

if TYPE_CHECKING:
    from llmsynth.backends.openai import OpenAIBackend

_QUESTION = "In one short sentence: why is the sky blue?"
_AS_JSON = f"{_QUESTION} Answer as JSON, with the keys reason (a text) and sure (true or false)."
_SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["reason", "sure"],
    "additionalProperties": False,
}
_LOGPROBS = {"logprobs": True}
_MOST_TOKENS = 128


def retry(run: RunArgument, quiet: Quiet = False, report: Page = True) -> None:
    """Ask the failed rows of a run again, and nothing else.

    What was asked with a pool that failed rows were missing from is asked anew, so that the dataset is the one
    that a run without failures would have made.
    """
    from llmsynth.recipe import Recipe

    path = run / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{run} is no run: there is no recipe.yaml in it", "name the directory given to --out")
    finished = run / "report.json"
    if finished.is_file() and not orjson.loads(finished.read_bytes())["rows"]["failed"]:
        console.say(f"no row of {run} has failed")
    make_dataset(Recipe.load(path), run, update=False, quiet=quiet, report=report)


def check(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="As for --model of self-instruct: a served model's name, vllm:NAME, pocket, ..."
        ),
    ],
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="An OpenAI-compatible server, such as http://localhost:8000/v1.")
    ] = "",
    api_key_env: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable that holds the key. [OPENAI_API_KEY]")
    ] = "",
) -> None:
    """Send each model one request and tell what came of it.

    A server that cannot do all that is asked for at once, structured output and token probabilities, is asked for
    each of them alone. A model that cannot be used is told of, and the next one is checked.
    """
    failed = False
    for number, model in enumerate(models):
        if number:
            print(flush=True)
        try:
            for name, value in asyncio.run(_checked(backend_of(model, base_url, api_key_env))):
                print(f"{name + ':':<20}{value}")
        except LlmsynthError as error:
            failed = True
            print(f"{'model:':<20}{model}", flush=True)
            console.tell(error)
    if failed:
        raise typer.Exit(1)


async def _checked(backend: Any) -> list[tuple[str, str]]:
    from llmsynth.backends.openai import OpenAIBackend

    try:
        if isinstance(backend, OpenAIBackend):
            return [line for endpoint in backend.endpoints for line in await _served(endpoint)]
        return await _here(backend)
    except RequestFailedError as error:
        hint = "is the server running, and is the address right?" if error.kind == "connection" else ""
        raise UnavailableError(error.message, hint) from None
    finally:
        await backend.aclose()


async def _here(backend: Any) -> list[tuple[str, str]]:
    """Of a model in this process: loading it is part of the first answer's time, so it is asked twice."""
    started = time.perf_counter()
    await backend.complete(_request())
    loaded = time.perf_counter()
    completion = await backend.complete(_request(_SCHEMA))
    seconds = time.perf_counter() - loaded
    return [
        ("model", backend.name),
        ("first answer", f"{loaded - started:.2f} s, with loading it"),
        *_speed(completion, seconds),
        ("structured output", _fits(completion)),
        ("logprobs", "yes" if getattr(backend, "likelihoods", "") else "no"),
    ]


async def _served(backend: OpenAIBackend) -> list[tuple[str, str]]:
    lines = [("endpoint", str(backend.base_url)), ("model", backend.model), ("key", _key_source(backend))]
    if backend.api != "chat":
        completion, seconds, _ = await _ask(backend, _request())
        return [*lines, *_speed(completion, seconds)]
    try:
        completion, seconds, reply = await _ask(backend, _request(_SCHEMA), **_LOGPROBS)
        structured, logprobs = _fits(completion), _has_logprobs(reply)
    except RequestFailedError as error:
        if not error.kind.startswith("http_"):
            raise
        completion, seconds, _ = await _ask(backend, _request())
        structured, logprobs = await _schema_works(backend), await _logprobs_work(backend)
    if structured != "yes" and await _json_works(backend):
        structured = f"JSON, by `structured: json_object`; a schema: {structured}"
    return [*lines, *_speed(completion, seconds), ("structured output", structured), ("logprobs", logprobs)]


async def _ask(backend: OpenAIBackend, request: Request, **extra: Any) -> tuple[Completion, float, Any]:
    asking = dataclasses.replace(backend, extra_body={**backend.extra_body, **extra})
    started = time.perf_counter()
    try:
        completion, reply = await asking.ask(request)
        return completion, time.perf_counter() - started, reply
    finally:
        await asking.aclose()


async def _schema_works(backend: OpenAIBackend) -> str:
    try:
        completion, _, _ = await _ask(backend, _request(_SCHEMA))
    except RequestFailedError as error:
        return f"no ({error.kind}: {error.message})"
    return _fits(completion)


async def _json_works(backend: OpenAIBackend) -> bool:
    """Whether JSON that is asked for in words, and announced, comes without a word around it."""
    asking = dataclasses.replace(backend, structured="json_object")
    try:
        completion, _, _ = await _ask(asking, _request(_SCHEMA, _AS_JSON))
        orjson.loads(completion.text)
    except (RequestFailedError, orjson.JSONDecodeError):
        return False
    return True


async def _logprobs_work(backend: OpenAIBackend) -> str:
    try:
        _, _, reply = await _ask(backend, _request(), **_LOGPROBS)
    except RequestFailedError as error:
        return f"no ({error.kind}: {error.message})"
    return _has_logprobs(reply)


def _fits(completion: Completion) -> str:
    try:
        broken = validate(orjson.loads(completion.text), _SCHEMA)
    except orjson.JSONDecodeError:
        return "no (cut by the token limit)" if completion.truncated else "no (no notice is taken of a schema)"
    return f"no (the answer is JSON, but not of the schema: {broken})" if broken else "yes"


def _has_logprobs(reply: Any) -> str:
    try:
        return "yes" if reply["choices"][0]["logprobs"]["content"] else "no"
    except (KeyError, IndexError, TypeError):
        return "no"


def _speed(completion: Completion, seconds: float) -> list[tuple[str, str]]:
    made = completion.completion_tokens
    rate = "unknown (the server counts no tokens)" if made is None else f"{made / seconds:.1f} ({made} tokens)"
    return [("latency", f"{seconds:.2f} s"), ("tokens/s", rate)]


def _key_source(backend: OpenAIBackend) -> str:
    return f"from {backend.api_key_env}" if backend.has_key else f"none ({backend.api_key_env} is not set)"


def _request(schema: dict[str, Any] | None = None, question: str = _QUESTION) -> Request:
    messages = (Message(role="user", content=question),)
    return Request("check", messages, Sampling(max_tokens=_MOST_TOKENS), schema=schema)
