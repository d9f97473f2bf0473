"""`Example`: what one row teaches, whatever its format; and `Problem`, why a row cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["demonstration", "preference", "verdict"]
"""An answer to learn from; a better and a worse one; one with a verdict on it."""

ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Call:
    """A model's call of a tool. arguments: a JSON object, decoded. id: empty where the data has none."""

    name: str
    arguments: Any
    id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of them says.

    role: one of `ROLES`. content: empty only beside calls. reasoning: what a model thought before, kept apart.
    calls: of tools, by a model. call_id, name: of a tool's result, what it answers and which tool gave it.
    """

    role: str
    content: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    name: str = ""

    @property
    def plain(self) -> bool:
        """Whether role and content are all there is."""
        return not (self.reasoning or self.calls or self.call_id or self.name)


@dataclass(frozen=True, slots=True)
class Example:
    """One row, as what is asked and what is answered.

    prompt: the turns up to what is learned. answer: the turns after these, of the model and of the tools it calls; the
    better ones in a preference. rejected: the worse ones. desired: the verdict, in the kind that has one.
    tools: JSON schemas, in the order of the data. given: the end of the last turn of the prompt where the data has it
    apart, as Alpaca's input; the turn has it too, after a blank line.
    """

    kind: Kind
    prompt: tuple[Turn, ...]
    answer: tuple[Turn, ...]
    rejected: tuple[Turn, ...] = ()
    desired: bool | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    given: str = ""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation that is to be learned."""
        return self.prompt + self.answer


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason code, where in the row, such as `messages[2].content`, and what is wrong there, for people."""

    code: str
    place: str
    said: str


class RefusedError(Exception):
    """A row that cannot be read, or written, for one reason; never leaves `llmsynth.formats`."""

    def __init__(self, code: str, place: str, said: str) -> None:
        super().__init__(said)
        self.problem = Problem(code, place, said)


@dataclass(slots=True)
class Notes:
    """What happened on the way of rows that were converted.

    lost: what a format has no place for, and in how many rows. mended: what was wrong and has only one right form,
    such as null for an empty list; of the latest row.
    """

    lost: Counter[str] = field(default_factory=Counter)
    mended: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Style:
    """The choices that formats leave.

    plain: texts instead of conversations, in prompts and answers. inline: reasoning in the answer's text, in <think>.
    without: parts that are left out, of `PARTS`.
    """

    plain: bool = False
    inline: bool = False
    without: tuple[str, ...] = ()


PARTS = ("system", "reasoning", "tools")


def divided(turns: tuple[Turn, ...]) -> int:
    """Where the answer of a conversation begins: after the last turn of the user."""
    users = [place for place, turn in enumerate(turns) if turn.role in ("system", "user")]
    return users[-1] + 1 if users else 0
