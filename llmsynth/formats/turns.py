"""Turns of conversations, read from and written as JSON values in the two spellings there are."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llmsynth.formats.example import ROLES, Call, Notes, Problem, RefusedError, Style, Turn

_REASONING = ("reasoning_content", "reasoning", "thinking")
_SPEAKERS = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "model", "bot"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
}
_NAMES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
_THOUGHT = re.compile(r"<think>\n?(.*?)\n?</think>(?:\n\n)?", re.DOTALL)
_CALLING = "function_call"

Reader = Callable[[Mapping[str, Any], str, Notes], Turn]


def listed(value: Any, place: str) -> list[Any]:
    """A list, or the JSON text of one, as CSV and columns of JSON text have it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise RefusedError("wrong_type", place, "is text, and no JSON list") from error
    if value is None:
        raise RefusedError("null_list", place, "is null where a list belongs")
    if not isinstance(value, list | tuple):
        raise RefusedError("wrong_type", place, f"is of type {type(value).__name__}, not a list")
    return list(value)


def text(value: Any, place: str) -> str:
    """A text that has to be there."""
    if value is None:
        raise RefusedError("null_text", place, "is null where a text belongs")
    if not isinstance(value, str):
        raise RefusedError("wrong_type", place, f"is of type {type(value).__name__}, not text")
    return value


def turns_of(value: Any, place: str, notes: Notes, read: Reader | None = None) -> tuple[Turn, ...]:
    """The turns of a list."""
    found = []
    for number, turn in enumerate(listed(value, place)):
        where = f"{place}[{number}]"
        if not isinstance(turn, Mapping):
            raise RefusedError("wrong_type", where, "is no object")
        found.append((read or message)(turn, where, notes))
    return tuple(found)


def message(turn: Mapping[str, Any], place: str, notes: Notes) -> Turn:
    """A turn of role and content, with what may be beside these."""
    role, content = turn.get("role"), turn.get("content")
    if len(turn) == 2 and type(content) is str and role in ROLES:  # as most are
        return thought_apart(Turn(role, content), notes)
    role = text(role, f"{place}.role")
    if role not in ROLES:
        raise RefusedError("unknown_role", f"{place}.role", f"is {role!r}, not one of {', '.join(ROLES)}")
    calls = _calls(turn.get("tool_calls"), f"{place}.tool_calls", notes, "tool_calls" in turn)
    if content is None and calls:
        content = ""
    if isinstance(content, list):
        content = _parts(content, f"{place}.content")
    content = text(content, f"{place}.content")
    reasoning = next((turn[key] for key in _REASONING if turn.get(key)), "")
    reasoning = text(reasoning, f"{place}.{_REASONING[0]}")
    call_id, name = (text(turn.get(key) or "", f"{place}.{key}") for key in ("tool_call_id", "name"))
    known = {"role", "content", "tool_calls", "tool_call_id", "name", *_REASONING}
    notes.lost.update(f"{key} of a turn" for key, value in turn.items() if key not in known and value is not None)
    return thought_apart(Turn(role, content, reasoning, calls, call_id, name), notes)


def sharegpt_turn(turn: Mapping[str, Any], place: str, notes: Notes) -> Turn:
    """A turn of from and value."""
    speaker = text(turn.get("from"), f"{place}.from")
    value = text(turn.get("value"), f"{place}.value")
    notes.lost.update(f"{key} of a turn" for key, more in turn.items() if key not in ("from", "value") and more)
    if speaker == _CALLING:
        try:
            calls = json.loads(value)
        except ValueError as error:
            raise RefusedError("wrong_type", f"{place}.value", "is a call, and no JSON") from error
        calls = calls if isinstance(calls, list) else [calls]
        return Turn("assistant", calls=_calls(calls, f"{place}.value", notes, there=True))
    if speaker not in _SPEAKERS:
        raise RefusedError("unknown_role", f"{place}.from", f"is {speaker!r}, not one of {', '.join(_SPEAKERS)}")
    return thought_apart(Turn(_SPEAKERS[speaker], value), notes)


def written(turn: Turn, style: Style) -> dict[str, Any]:
    """A turn as role and content, and what else there is of it."""
    value: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.reasoning:
        if style.inline:
            value["content"] = inlined(turn)
        else:
            value[_REASONING[0]] = turn.reasoning
    if turn.calls:
        value["tool_calls"] = [_written_call(call) for call in turn.calls]
    for key, said in (("tool_call_id", turn.call_id), ("name", turn.name)):
        if said:
            value[key] = said
    return value


def sharegpt_written(turn: Turn, place: str, notes: Notes) -> dict[str, Any]:
    """A turn as from and value."""
    if turn.call_id or turn.name or any(call.id for call in turn.calls):
        notes.lost["ids of calls and names of turns"] += 1
    if not turn.calls:
        return {"from": _NAMES[turn.role], "value": inlined(turn)}
    if turn.content or turn.reasoning:
        raise RefusedError("call_with_text", place, "calls a tool and says something as well, for which is no place")
    calls = [{"name": call.name, "arguments": call.arguments} for call in turn.calls]
    return {"from": _CALLING, "value": json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)}


def inlined(turn: Turn) -> str:
    """The content with the reasoning in front of it; `thought_apart` gives both back."""
    if not turn.reasoning:
        return turn.content
    if "</think>" in turn.reasoning:
        raise RefusedError("reasoning_with_tag", "", "has </think> within its reasoning, which cannot be inlined")
    return f"<think>\n{turn.reasoning}\n</think>\n\n{turn.content}"


def thought_apart(turn: Turn, notes: Notes) -> Turn:
    """A model's turn with the <think> that it begins with as its reasoning."""
    if turn.role != "assistant" or turn.reasoning or not turn.content.startswith("<think>"):
        return turn
    if not (found := _THOUGHT.match(turn.content)):
        return turn
    if not found[1]:
        notes.lost["an empty <think>"] += 1
    return Turn(turn.role, turn.content[found.end() :], found[1], turn.calls, turn.call_id, turn.name)


def tools_of(row: Mapping[str, Any], notes: Notes) -> tuple[Mapping[str, Any], ...]:
    """The tools that the model of a row can call."""
    value = row.get("tools")
    if value is None or value == "":
        if "tools" in row and value is None:
            notes.mended.append(Problem("null_list", "tools", "is null where a list belongs"))
        return ()
    tools = listed(value, "tools")
    for number, tool in enumerate(tools):
        if isinstance(tool, str):  # each as JSON text, which older versions of `datasets` need
            with contextlib.suppress(ValueError):
                tools[number] = tool = json.loads(tool)
        if not isinstance(tool, Mapping):
            raise RefusedError("wrong_type", f"tools[{number}]", "is no object")
    return tuple(tools)


def tool_name(tool: Mapping[str, Any]) -> str:
    """What calls name a tool by; empty where its schema does not say."""
    inner = tool.get("function")
    return str((inner if isinstance(inner, Mapping) else tool).get("name") or "")


def _calls(value: Any, place: str, notes: Notes, there: bool) -> tuple[Call, ...]:
    if value is None:
        if there:
            notes.mended.append(Problem("null_list", place, "is null where a list belongs, or nothing"))
        return ()
    return tuple(_call(call, f"{place}[{number}]", notes) for number, call in enumerate(listed(value, place)))


def _call(value: Any, place: str, notes: Notes) -> Call:
    if not isinstance(value, Mapping):
        raise RefusedError("wrong_type", place, "is no object")
    function = value.get("function")
    if not isinstance(function, Mapping):
        function = value
    name = text(function.get("name"), f"{place}.name")
    arguments = function.get("arguments")
    if isinstance(arguments, str):  # as servers send them
        try:
            arguments = json.loads(arguments)
        except ValueError as error:
            raise RefusedError("wrong_type", f"{place}.arguments", "is text, and no JSON") from error
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping):
        raise RefusedError("wrong_type", f"{place}.arguments", "is no object")
    notes.lost.update(
        f"{key} of a call"
        for key, more in value.items()
        if key not in ("id", "type", "function", "name", "arguments") and more is not None
    )
    return Call(name, dict(arguments), text(value.get("id") or "", f"{place}.id"))


def _written_call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {**({"id": call.id} if call.id else {}), "type": "function", "function": function}


def _parts(content: list[Any], place: str) -> str:
    """The text of a content in parts, as multimodal servers take it."""
    if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        raise RefusedError("not_text", place, "has parts that are no text")
    return "".join(text(part.get("text"), place) for part in content)
