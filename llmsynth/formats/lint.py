"""`problems_in`: what makes a trainer fail on an example, or learn the wrong thing from it."""

from __future__ import annotations

from collections.abc import Iterator

from llmsynth.formats.example import Example, Problem, Turn
from llmsynth.formats.turns import tool_name
from llmsynth.text import has_lone_surrogate

CODES = {
    "no_turns": "there is nothing in it",
    "roles_do_not_alternate": "user and assistant do not take turns, the user first",
    "system_not_first": "a system turn anywhere but at the beginning",
    "no_assistant_end": "the last turn is not the assistant's",
    "user_in_answer": "a turn of the user where only the model's belong, in a completion, chosen or rejected",
    "empty_content": "a turn without text",
    "chosen_equals_rejected": "the better answer and the worse one are the same",
    "tool_result_without_call": "a tool's result that nothing called for",
    "call_without_result": "a call that the conversation goes on from without its result",
    "unknown_tool": "a call of a tool that is not among the row's tools",
    "not_unicode": "half a character (a lone surrogate), which no file of data holds",
}
"""What `problems_in` looks for. Rows that have no such shape at all are refused with codes of their own: `missing`,
`null_list`, `null_text`, `wrong_type`, `unknown_role`, `not_text`, `prompts_differ`."""


def problems_in(example: Example) -> tuple[Problem, ...]:
    """Everything that is wrong with an example; nothing for one that can be trained on."""
    found = [*_conversation(example.turns, len(example.prompt), "", example)]
    if has_lone_surrogate([dict(tool) for tool in example.tools]):
        found.append(Problem("not_unicode", "tools", "hold half a character (a lone surrogate)"))
    if example.kind == "preference":
        worse = example.prompt + example.rejected
        prompt = len(example.prompt)
        found += [p for p in _conversation(worse, prompt, "rejected: ", example) if p not in found]
        if example.answer == example.rejected:
            found.append(Problem("chosen_equals_rejected", "chosen", "is the same as rejected"))
    return tuple(found)


def _conversation(turns: tuple[Turn, ...], answer: int, what: str, example: Example) -> Iterator[Problem]:
    if not turns:
        yield Problem("no_turns", what.strip(": ") or "the conversation", "is empty")
        return
    known = {tool_name(tool) for tool in example.tools}
    open_calls: list[str] = []  # the ids of calls whose results are to come
    before = "system"
    for number, turn in enumerate(turns):
        place = f"{what if number >= answer else ''}turn {number + 1}"
        yield from _alone(turn, place, known)
        if turn.role == "system":
            if number:
                yield Problem("system_not_first", place, "is a system turn in the middle")
            continue
        if turn.role == "tool":
            if before not in ("tool", "calling") or not open_calls:
                yield Problem("tool_result_without_call", place, "is a result that nothing called for")
            elif turn.call_id and turn.call_id not in open_calls and any(open_calls):
                yield Problem("tool_result_without_call", place, f"answers {turn.call_id!r}, which nothing called for")
            elif open_calls:
                open_calls.remove(turn.call_id if turn.call_id in open_calls else open_calls[0])
            before = "tool"
            continue
        if open_calls:
            yield Problem("call_without_result", place, f"comes before {len(open_calls)} results")
            open_calls = []
        if turn.role == "user":
            if number >= answer:
                yield Problem("user_in_answer", place, "is the user's, in what is to be learned")
            if before not in ("system", "assistant"):
                yield Problem("roles_do_not_alternate", place, f"is the user's after the {_called(before)}'s")
        elif before not in ("user", "tool"):
            yield Problem("roles_do_not_alternate", place, f"is the assistant's after the {_called(before)}'s")
        before = "calling" if turn.calls else turn.role
        open_calls = [call.id for call in turn.calls]
    if turns[-1].role != "assistant" or answer >= len(turns):
        yield Problem("no_assistant_end", f"{what}the last turn", f"is the {turns[-1].role}'s")


def _called(before: str) -> str:
    return {"calling": "assistant", "system": "system, or nothing,"}.get(before, before)


def _alone(turn: Turn, place: str, tools: set[str]) -> Iterator[Problem]:
    """What is wrong with a turn by itself."""
    if not turn.content.strip() and not turn.calls and turn.role != "tool":
        yield Problem("empty_content", place, f"is the {turn.role}'s and has no text")
    called = [part for call in turn.calls for part in (call.name, call.id, call.arguments)]
    if has_lone_surrogate([turn.content, turn.reasoning, turn.call_id, turn.name, *called]):
        yield Problem("not_unicode", place, "holds half a character (a lone surrogate)")
    for call in turn.calls:
        if tools and call.name not in tools:
            yield Problem("unknown_tool", place, f"calls {call.name!r}, which is not among the tools")
