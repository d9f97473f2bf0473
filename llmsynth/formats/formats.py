"""The formats: each a reader and a writer of rows, and the columns it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmsynth.formats.example import Example, Kind, Notes, Problem, RefusedError, Style, Turn, divided
from llmsynth.formats.turns import inlined, sharegpt_turn, sharegpt_written, text, tools_of, turns_of, written

Row = Mapping[str, Any]
_TURNS = "messages"
_ANY_TURNS = "list<object>"
_SHAREGPT = 'list<struct<"from": string, "value": string>>'


@dataclass(frozen=True, slots=True)
class Needs:
    """What the columns of a dataset have to hold beyond texts, as some row of it has it.

    more: turns with reasoning, calls or names. tools: tools.
    """

    more: bool = False
    tools: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.more or other.more, self.tools or other.tools)

    @classmethod
    def of(cls, example: Example, style: Style) -> Needs:
        turns = (*example.turns, *example.rejected)
        more = any(not turn.plain and not (style.inline and _only_reasons(turn)) for turn in turns)
        return cls(more, bool(example.tools))


@dataclass(frozen=True, slots=True)
class Format:
    """A format of rows.

    marks: the columns that rows of it have. own: all that it knows. kind: of what it holds.
    columns: name to type, given what rows need and whether it is plain. read, write: a row from and to an `Example`;
    `RefusedError` for one that cannot be.
    """

    name: str
    about: str
    marks: frozenset[str]
    own: frozenset[str]
    kind: Kind
    columns: Callable[[Needs, Style], dict[str, str]]
    read: Callable[[Row, Notes], Example]
    write: Callable[[Example, Style, Notes], dict[str, Any]]


# messages, and its older spelling


def _read_messages(row: Row, notes: Notes) -> Example:
    return _conversation(turns_of(row["messages"], "messages", notes), tools_of(row, notes))


def _write_messages(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    _note_boundary(example, notes)
    return {"messages": [written(turn, style) for turn in example.turns], "tools": list(example.tools)}


def _read_sharegpt(row: Row, notes: Notes) -> Example:
    turns = turns_of(row["conversations"], "conversations", notes, sharegpt_turn)
    if system := row.get("system"):
        turns = (Turn("system", text(system, "system")), *turns)
    return _conversation(turns, tools_of(row, notes))


def _write_sharegpt(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    _note_boundary(example, notes)
    turns = [sharegpt_written(turn, f"turn {n}", notes) for n, turn in enumerate(example.turns, 1)]
    return {"conversations": turns, "tools": json.dumps(list(example.tools), ensure_ascii=False)}


# prompts with what follows


def _read_completion(row: Row, notes: Notes) -> Example:
    prompt, completion = _asked(row["prompt"], notes), _said(row["completion"], "completion", notes)
    return Example("demonstration", prompt, completion, tools=tools_of(row, notes))


def _write_completion(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    _note_given(example, notes)
    if style.plain:
        return {"prompt": _only_question(example), "completion": _only_answer(example.answer, "completion")}
    return {**_prompt(example, style), "completion": [written(turn, style) for turn in example.answer]}


def _read_kto(row: Row, notes: Notes) -> Example:
    prompt, completion = _asked(row["prompt"], notes), _said(row["completion"], "completion", notes)
    return Example("verdict", prompt, completion, desired=_verdict(row["label"]), tools=tools_of(row, notes))


def _write_kto(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    return {**_write_completion(example, style, notes), "label": example.desired}


_VERDICTS = {"true": True, "false": False, "1": True, "0": False}  # as CSV has them


def _verdict(label: Any) -> bool:
    verdict = _VERDICTS.get(label.strip().lower()) if isinstance(label, str) else label
    if verdict is None:
        raise RefusedError("null_label", "label", "is neither true nor false")
    if not isinstance(verdict, bool | int | float) or verdict not in (0, 1):
        raise RefusedError("wrong_type", "label", f"is {label!r}, neither true nor false")
    return bool(verdict)


def _read_preference(row: Row, notes: Notes) -> Example:
    chosen, rejected = (_said(row[name], name, notes) for name in ("chosen", "rejected"))
    asked = row.get("prompt")
    tools = tools_of(row, notes)
    if chosen[:1] and chosen[0].role != "assistant":  # whole conversations: the prompt is what both begin with
        pairs = enumerate(zip(chosen, rejected, strict=False))
        same = next((place for place, (a, b) in pairs if a != b), min(len(chosen), len(rejected)))
        shared = chosen[: min(same, divided(chosen), divided(rejected))]
        if not _within(asked, shared, notes):
            raise RefusedError("prompts_differ", "prompt", "is not in what chosen and rejected begin with")
        return Example("preference", shared, chosen[len(shared) :], rejected[len(shared) :], tools=tools)
    if "prompt" not in row:
        raise RefusedError("missing", "prompt", "is not there")
    return Example("preference", _asked(asked, notes), chosen, rejected, tools=tools)


def _within(asked: Any, shared: tuple[Turn, ...], notes: Notes) -> bool:
    """Whether turns hold all of a prompt, be it a text or turns itself; null and nothing are no prompt."""
    if isinstance(asked, str) or not asked:
        return not asked or asked in [turn.content for turn in shared]
    return all(turn in shared for turn in turns_of(asked, "prompt", notes))


def _write_preference(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    _note_given(example, notes)
    sides = {"chosen": example.answer, "rejected": example.rejected}
    if style.plain:
        return {"prompt": _only_question(example), **{side: _only_answer(turns, side) for side, turns in sides.items()}}
    said = {side: [written(turn, style) for turn in turns] for side, turns in sides.items()}
    return {**_prompt(example, style), **said}


# single texts


def _read_alpaca(row: Row, notes: Notes) -> Example:
    instruction, output = text(row["instruction"], "instruction"), text(row["output"], "output")
    given = row.get("input")
    if given is None:
        given = ""
        if "input" in row:
            notes.mended.append(Problem("null_text", "input", "is null where a text belongs, if an empty one"))
    given = text(given, "input")
    asked = f"{instruction}\n\n{given}" if given else instruction
    prompt: tuple[Turn, ...] = (Turn("user", asked),)
    if system := row.get("system"):
        prompt = (Turn("system", text(system, "system")), *prompt)
    return Example("demonstration", prompt, turns_of_answer(output, notes), given=given)


def _write_alpaca(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    asked = _only_question(example)
    if example.given:
        asked = asked.removesuffix(f"\n\n{example.given}")
    return {"instruction": asked, "input": example.given, "output": _only_answer(example.answer, "output")}


def _read_classification(row: Row, notes: Notes) -> Example:
    label = row["label"]
    if label is not None and not isinstance(label, str):
        notes.lost["that labels are no text"] += 1
        label = json.dumps(label)
    answer = turns_of_answer(text(label, "label"), notes)
    return Example("demonstration", (Turn("user", text(row["text"], "text")),), answer)


def _write_classification(example: Example, style: Style, notes: Notes) -> dict[str, Any]:
    _note_given(example, notes)
    return {"text": _only_question(example), "label": _only_answer(example.answer, "label")}


# what they share


def turns_of_answer(said: str, notes: Notes) -> tuple[Turn, ...]:
    """The turn of a model that says a text."""
    return turns_of([{"role": "assistant", "content": said}], "", notes)


def _conversation(turns: tuple[Turn, ...], tools: tuple[Mapping[str, Any], ...]) -> Example:
    place = divided(turns)
    return Example("demonstration", turns[:place], turns[place:], tools=tools)


def _asked(value: Any, notes: Notes) -> tuple[Turn, ...]:
    return (Turn("user", value),) if isinstance(value, str) else turns_of(value, "prompt", notes)


def _said(value: Any, place: str, notes: Notes) -> tuple[Turn, ...]:
    if value is None:
        raise RefusedError("null_text", place, "is null where a text or a list belongs")
    return turns_of_answer(value, notes) if isinstance(value, str) else turns_of(value, place, notes)


def _prompt(example: Example, style: Style) -> dict[str, Any]:
    return {"prompt": [written(turn, style) for turn in example.prompt], "tools": list(example.tools)}


def _only_question(example: Example) -> str:
    """The text of a prompt that is one turn of the user's."""
    if any(turn.role == "system" for turn in example.prompt):
        raise RefusedError("no_place_for_system", "prompt", "has a system turn, for which this format has no place")
    if example.tools or any(turn.calls or turn.role == "tool" for turn in (*example.turns, *example.rejected)):
        raise RefusedError("no_place_for_tools", "tools", "has tools, for which this format has no place")
    if len(example.prompt) != 1 or example.prompt[0].role != "user":
        raise RefusedError(
            "no_place_for_turns", "prompt", f"has {len(example.prompt)} turns; this format has room for one"
        )
    return example.prompt[0].content


def _only_answer(turns: tuple[Turn, ...], place: str) -> str:
    if len(turns) != 1:
        raise RefusedError("no_place_for_turns", place, f"has {len(turns)} turns, not one")
    return inlined(turns[0])


def _note_boundary(example: Example, notes: Notes) -> None:
    _note_given(example, notes)
    if len(example.prompt) != divided(example.turns):
        notes.lost["where in the conversation the prompt ends"] += 1


def _note_given(example: Example, notes: Notes) -> None:
    if example.given:
        notes.lost["which part of the instruction is its input"] += 1


def _only_reasons(turn: Turn) -> bool:
    return not (turn.calls or turn.call_id or turn.name)


def _chat(*names: str) -> Callable[[Needs, Style], dict[str, str]]:
    def columns(needs: Needs, style: Style) -> dict[str, str]:
        kind = "string" if style.plain and names != ("messages",) else _ANY_TURNS if needs.more else _TURNS
        found = dict.fromkeys(names, kind)
        return {**found, "tools": _ANY_TURNS} if needs.tools and kind != "string" else found

    return columns


def _kto_columns(needs: Needs, style: Style) -> dict[str, str]:
    columns = _chat("prompt", "completion")(needs, style)
    return {"prompt": columns.pop("prompt"), "completion": columns.pop("completion"), "label": "bool", **columns}


def _sharegpt_columns(needs: Needs, style: Style) -> dict[str, str]:
    return {"conversations": _SHAREGPT, **({"tools": "string"} if needs.tools else {})}


def _texts(*names: str) -> Callable[[Needs, Style], dict[str, str]]:
    return lambda needs, style: dict.fromkeys(names, "string")


def _format(name: str, about: str, marks: str, more: str, kind: Kind, columns: Any, read: Any, write: Any) -> Format:
    needed = frozenset(marks.split())
    return Format(name, about, needed, needed | frozenset(more.split()), kind, columns, read, write)


# in the order in which a source is looked at: of two that fit, the first
FORMATS: dict[str, Format] = {
    found.name: found
    for found in (
        _format(
            "messages",
            "conversations: messages of role and content, tools",
            "messages",
            "tools",
            "demonstration",
            _chat("messages"),
            _read_messages,
            _write_messages,
        ),
        _format(
            "preference",
            "prompt, chosen, rejected, for DPO",
            "chosen rejected",
            "prompt tools",
            "preference",
            _chat("prompt", "chosen", "rejected"),
            _read_preference,
            _write_preference,
        ),
        _format(
            "kto",
            "prompt, completion, and a label that says whether it is wanted",
            "prompt completion label",
            "tools",
            "verdict",
            _kto_columns,
            _read_kto,
            _write_kto,
        ),
        _format(
            "prompt-completion",
            "prompt and completion; the loss is on the completion",
            "prompt completion",
            "tools",
            "demonstration",
            _chat("prompt", "completion"),
            _read_completion,
            _write_completion,
        ),
        _format(
            "sharegpt",
            "conversations of from and value",
            "conversations",
            "tools system",
            "demonstration",
            _sharegpt_columns,
            _read_sharegpt,
            _write_sharegpt,
        ),
        _format(
            "alpaca",
            "instruction, input, output",
            "instruction output",
            "input system",
            "demonstration",
            _texts("instruction", "input", "output"),
            _read_alpaca,
            _write_alpaca,
        ),
        _format(
            "text-classification",
            "text and label",
            "text label",
            "",
            "demonstration",
            _texts("text", "label"),
            _read_classification,
            _write_classification,
        ),
    )
}
