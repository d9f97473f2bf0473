"""How an OpenAI-compatible server is held to a JSON schema, and what becomes of one that can't be."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import orjson

from llmsynth.request import Completion, Request, RequestFailedError
from llmsynth.text import fingerprint, shorten

log = logging.getLogger(__name__)

Structured = Literal["json_schema", "json_object", "prompt"]

# by which servers say that they do not know a parameter, or can't make a grammar of the schema
_REFUSALS = ("http_400", "http_415", "http_422", "http_501", "batch_invalid")
_BROKE, _BREAKS = "http_500", 3  # by which some say it: after so many, and never an answer
_REMEMBERED = 1000  # schemas; a method has a few


class Enforcement:
    """Sends requests that have a schema: with it where the server takes it, else without.

    Nobody can tell by a refusal whether it is meant for the schema or for the rest of the request. So a request that
    was refused is sent once more without its schema; if it is answered then, the schema was meant, and is not sent
    again. A refusal costs nothing, and what this finds out is in no journal key. A server that breaks on a schema,
    three times running without having answered one, is tried without it too.

    how: the strongest form in which a schema is sent; "prompt" sends none.
    name: of the model, for the log.
    """

    def __init__(self, how: Structured, name: str) -> None:
        self._how = how
        self._name = name
        self._taken: set[str] = set()
        self._refused: set[str] = set()
        self._breaks: Counter[str] = Counter()

    async def ask(self, request: Request, send: Callable[[Request], Awaitable[Completion]]) -> Completion:
        """The answer to a request, by `send`, which may get it without its schema."""
        if request.schema is None:
            return await send(request)
        plain = dataclasses.replace(request, schema=None)
        schema = fingerprint(orjson.dumps(request.schema, option=orjson.OPT_SORT_KEYS).decode())
        if self._how == "prompt" or schema in self._refused:
            return await send(plain)
        try:
            completion = await send(request)
        except RequestFailedError as refusal:
            if refusal.kind not in _REFUSALS and not self._breaks_on(schema, refusal):
                raise
            completion = await send(plain)
            if schema not in self._taken:  # else it is one of several servers behind one address
                self._remember(self._refused, schema)
                log.warning(
                    "%s: the server refuses a %s (%s): asking without it; answers are checked all the same",
                    self._name,
                    self._how,
                    shorten(refusal.message, 100),
                )
        else:
            self._remember(self._taken, schema)
        return completion

    def _breaks_on(self, schema: str, error: RequestFailedError) -> bool:
        if error.kind != _BROKE or schema in self._taken:
            return False
        if len(self._breaks) >= _REMEMBERED:
            self._breaks.clear()
        self._breaks[schema] += 1
        return self._breaks[schema] % _BREAKS == 0

    @staticmethod
    def _remember(schemas: set[str], schema: str) -> None:
        if len(schemas) >= _REMEMBERED:
            schemas.clear()
        schemas.add(schema)


def response_format(how: Structured, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The part of a request body that holds the answer to a schema; empty where there is none."""
    if schema is None or how == "prompt":
        return {}
    if how == "json_object":
        return {"response_format": {"type": "json_object"}}
    described = {"name": "answer", "schema": schema, "strict": _is_closed(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _is_closed(schema: Any) -> bool:
    """Whether every object of a schema has to have all its keys and no other: OpenAI's strict mode takes no other."""
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" or "properties" in schema:
            keys, required = schema.get("properties", {}), schema.get("required", ())
            if schema.get("additionalProperties") is not False or set(keys) != set(required):
                return False
        return all(map(_is_closed, schema.values()))
    return all(map(_is_closed, schema)) if isinstance(schema, list | tuple) else True
