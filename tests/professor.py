"""A fake model for GLAN: its answer is a function of the request."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmsynth import Completion, Request
from llmsynth.text import fingerprint
from tests.scripted import Answer, content, made_up

TAXONOMY = """\
name: small
fields:
  Sciences:
    Physics: [Optics, Acoustics]
    Biology: [Botany]
  Crafts:
    - Carpentry
"""


def small_taxonomy(folder: Path, text: str = TAXONOMY, name: str = "small.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def discipline_of(request: Request) -> str:
    found = re.search(r"teaching of (.+?)(?: \(within| and know)", request.messages[0]["content"])
    assert found, request.messages[0]["content"]
    return found.group(1)


def subject_of(request: Request) -> str:
    found = re.search(r'(?:subject|course on|homework in a course on) "(.+?)"', content(request))
    assert found, content(request)
    return found.group(1)


def subject_lines(*names: str) -> str:
    rows = [
        {"subject_name": name, "level": "first year", "subtopics": [f"{name} one", f"{name} two"]} for name in names
    ]
    return "\n".join(json.dumps(row) for row in rows)


def session_lines(*sizes: int, subject: str = "") -> str:
    """Sessions with so many concepts each."""
    rows = [
        {"session": f"{subject} session {n}", "key_concepts": [f"{subject} concept {n}.{i}" for i in range(size)]}
        for n, size in enumerate(sizes, 1)
    ]
    return "\n".join(json.dumps(row) for row in rows)


def always(text: Answer) -> Callable[[Request], Answer]:
    return lambda request: text


def one_subject(*sizes: int) -> dict[str, Callable[[Request], Answer]]:
    """The replies of a professor with one subject, whose sessions have so many concepts."""
    return {"subject_lists": always(subject_lines("Lenses")), "sessions": always(session_lines(*sizes))}


@dataclass
class Professor:
    """Answers stage by stage and keeps the requests; `replies` replaces a stage's answers."""

    replies: Mapping[str, Callable[[Request], Answer]] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.log.append(request)
        return self.replies.get(request.stage, reply)(request)

    def asked(self, stage: str) -> list[Request]:
        return [request for request in self.log if request.stage == stage]

    def prompts(self, stage: str) -> list[str]:
        return [content(request) for request in self.asked(stage)]


def reply(request: Request) -> str | Completion:
    """What a diligent professor says."""
    rng = random.Random(f"{request.messages}{request.seed}")
    if request.stage == "subjects":
        return f"In {discipline_of(request)} there is much to learn. {made_up(request.seed)}"
    if request.stage == "subject_lists":
        name = discipline_of(request)
        return subject_lines(*(f"{name} {n}" for n in sorted(rng.sample(range(1, 7), 3))))
    if request.stage == "syllabus":
        return f"Syllabus of {subject_of(request)}: {made_up(request.messages)}"
    if request.stage == "sessions":
        return session_lines(*rng.choices((3, 4, 5), k=12), subject=subject_of(request))
    if request.stage == "questions":
        return f"{made_up(request.messages, request.seed)} Why?"
    return f"Because. {made_up(request.messages, request.seed)}"


def draft_reply(request: Request) -> str:
    """What the professor says when a taxonomy is drafted: two names below each node, one of them the same each time."""
    prompt = content(request)
    kind = next(kind for kind in ("subfields", "disciplines", "fields") if f"Which {kind} " in prompt)
    other = sum(map(ord, prompt)) % 3
    place = fingerprint(prompt.split(", as ")[0])[:4]
    return f"Here they are:\n\n1. **First {kind} {place}**: the first of such\n2. Other {other} {kind} {place}"
