"""A model that plays its part in every method, in this process and over the wire."""

from __future__ import annotations

from typing import Any

from llmsynth import Request
from tests.evolving import mixed
from tests.professor import reply
from tests.scripted import Answer, content, made_up

_MARKS = {  # what only the prompts of a stage hold
    "<second_prompt>": "equality",
    "<given_prompt>": "evolve",
    "<instruction>": "difficulty",
    "Which subjects should a student": "subjects",
    "Now write that list as data": "subject_lists",
    "Write its syllabus": "syllabus",
    "List its class sessions": "sessions",
    "Write one homework question": "questions",
}
_EVOLVING = ("evolve", "equality", "difficulty", "responses")


def teacher(request: Request) -> Answer:
    """Some of everything: useless replies too, each a function of its request."""
    if request.stage in _EVOLVING:
        return mixed()(request)
    mood = sum(map(ord, made_up(request.messages, request.seed))) % 10
    if mood == 0 and request.stage in ("subject_lists", "sessions", "questions", "answers"):
        return ""
    return reply(request)


def answer(body: dict[str, Any]) -> str:
    """What the teacher says to a request as it came over the wire."""
    request = Request("", tuple(body["messages"]))
    stage = next((stage for mark, stage in _MARKS.items() if mark in content(request)), "responses")
    return str(teacher(Request(stage, request.messages)))
