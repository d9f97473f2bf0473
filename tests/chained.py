"""A model that plays its part in every method, in this process and over the wire."""

from __future__ import annotations

import zlib
from typing import Any

from llmsynth import Request
from tests.evolving import mixed
from tests.professor import reply
from tests.scripted import Answer, made_up

_MARKS = {  # what only the prompts of a stage hold
    "<case number": "optimizer",
    "<feedback>": "optimizer",
    "<second_prompt>": "equality",
    "<given_prompt>": "evolve",
    "<instruction>": "difficulty",
    "Which subjects should a student": "subjects",
    "Now write that list as data": "subject_lists",
    "Write its syllabus": "syllabus",
    "List its class sessions": "sessions",
    "Write one homework question": "questions",
}
EVOLVING = ("optimizer", "evolve", "equality", "difficulty", "responses")


def teacher(request: Request) -> Answer:
    """Some of everything: useless replies too, each a function of its request."""
    mood = sum(map(ord, made_up(request.messages, request.seed))) % 10
    if mood == 0 and request.stage in ("subject_lists", "sessions", "questions", "answers"):
        return ""
    return diligent(request)


def diligent(request: Request) -> Answer:
    """The same, but that nothing GLAN asks for is useless."""
    return mixed()(request) if request.stage in EVOLVING else reply(request)


def stage_of(body: dict[str, Any]) -> str:
    """Which stage sent a request, by its prompt. GLAN's answers look like responses: the task alone."""
    text = body["messages"][-1]["content"]
    return next((stage for mark, stage in _MARKS.items() if mark in text), "responses")


def answer(body: dict[str, Any]) -> str:
    """What the teacher says to a request as it came over the wire."""
    return str(teacher(_request(body)))


def diligent_answer(body: dict[str, Any]) -> str:
    return str(diligent(_request(body)))


def _request(body: dict[str, Any]) -> Request:
    messages = tuple(body["messages"])
    return Request(stage_of(body), messages, seed=zlib.crc32(repr(messages).encode()))
