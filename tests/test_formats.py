"""Formats of training data: the wheel of conversions, what they cannot carry, and the linter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.column_types import column_type
from llmsynth.formats import (
    FORMATS,
    Call,
    Example,
    Needs,
    Notes,
    Problem,
    Style,
    Turn,
    examples_of,
    fitting,
    problems_in,
    reachable,
    read_example,
    written_row,
)

STYLES = (Style(), Style(plain=True), Style(inline=True))
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


def read(row: dict[str, Any], format: str, style: Style = Style()) -> Example:  # noqa: B008
    example = read_example(row, FORMATS[format], Notes(), style)
    assert isinstance(example, Example), example
    return example


def refused(row: dict[str, Any], format: str) -> tuple[str, str]:
    """The code and the place of why a row cannot be read."""
    problem = read_example(row, FORMATS[format], Notes(), Style())
    assert isinstance(problem, Problem), problem
    return problem.code, problem.place


def turns(*said: str) -> list[dict[str, Any]]:
    """A conversation; the role of each turn before a colon."""
    return [{"role": role, "content": content} for role, _, content in (text.partition(": ") for text in said)]


TALK = turns("user: 2 + 2?", "assistant: 4", "user: Sure?", "assistant: Yes.")
CALLED = [
    {"role": "system", "content": "Be exact."},
    {"role": "user", "content": "2 + 2?"},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "I add.",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": None}}}],
    },
    {"role": "tool", "content": "4", "tool_call_id": "c", "name": "add"},
    {"role": "assistant", "content": "It is 4."},
]


# the wheel: examples are made up, written in every format that says it can carry them, and read back

TEXT = st.text(st.sampled_from('a1é \n\t"{}<>/|\u2028🚀'), min_size=1, max_size=6).map(lambda text: f"{text}x")
ARGUMENTS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT), max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[tuple[Turn, ...], bool]:
    """Turns as the linter likes them, up to one of the user's; and whether there are tools."""
    tools = draw(st.booleans())
    found = [Turn("system", draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        found += [Turn("user", draw(TEXT)), *draw(answers(tools))]
    return (*found, Turn("user", draw(TEXT))), tools


def answers(tools: bool) -> st.SearchStrategy[tuple[Turn, ...]]:
    """What a model says, with calls of a tool before it if there are any."""
    reasoning = st.just("") | TEXT
    said = st.builds(Turn, st.just("assistant"), TEXT, reasoning)
    if not tools:
        return st.tuples(said)
    calling = st.builds(
        lambda text, why, arguments, id: Turn("assistant", text, why, (Call("add", arguments, id),)),
        st.just("") | TEXT,
        reasoning,
        ARGUMENTS,
        st.just("") | st.just("c1"),
    )
    result = st.builds(
        lambda text, id, name: Turn("tool", text, call_id=id, name=name),
        TEXT,
        st.just("") | st.just("c1"),
        st.just("") | st.just("add"),
    )
    return st.tuples(said) | st.tuples(calling, result, said)


@st.composite
def examples(draw: st.DrawFn, *kinds: Any) -> Example:
    prompt, tools = draw(conversations())
    kind = draw(st.sampled_from(kinds or ("demonstration", "preference", "verdict")))
    answer = draw(answers(tools))
    rejected = draw(answers(tools).filter(lambda other: other != answer)) if kind == "preference" else ()
    desired = draw(st.booleans()) if kind == "verdict" else None
    return Example(kind, prompt, answer, rejected, desired, (TOOL,) if tools else ())


@settings(max_examples=100)
@given(examples(), st.sampled_from(sorted(FORMATS)), st.sampled_from(STYLES))
def test_there_and_back_is_the_same_or_it_is_said_what_is_not(example: Example, name: str, style: Style) -> None:
    format = FORMATS[name]
    if not any(one.kind == example.kind and reachable(one, format) for one in FORMATS.values()):
        return
    assert problems_in(example) == ()
    notes = Notes()
    ours = examples_of(example, format, notes)
    if isinstance(ours, Problem):
        assert ours.code == "not_desired" and example.desired is False
        return
    for one in ours:
        row = written_row(one, format, style, notes)
        if isinstance(row, Problem):  # it is said which part has no place; without that part it has one, or says more
            assert row.code in _EXCUSES and _EXCUSES[row.code](one)
            continue
        columns = format.columns(Needs.of(one, style), style)
        for column, kind in columns.items():
            assert column_type(kind).problem(row[column]) is None
        row = json.loads(json.dumps({column: row[column] for column in columns}))
        back = read_example(row, format, Notes(), Style())
        assert isinstance(back, Example)
        assert problems_in(back) == ()
        if notes.lost:
            assert set(notes.lost) <= {"rejected", "label", "ids of calls and names of turns"}
        if "ids of calls and names of turns" not in notes.lost:
            assert back == one
        again = written_row(back, format, style, Notes())
        assert isinstance(again, dict) and {column: again[column] for column in columns} == row


def _roles(example: Example) -> list[str]:
    return [turn.role for turn in (*example.turns, *example.rejected)]


_EXCUSES: dict[str, Any] = {
    "no_place_for_system": lambda example: "system" in _roles(example),
    "no_place_for_tools": lambda example: bool(example.tools),
    "no_place_for_turns": lambda example: len(example.turns) > 2,
    "call_with_text": lambda example: any(t.calls and (t.content or t.reasoning) for t in example.turns),
}


@settings(max_examples=40)
@given(examples("demonstration"), st.permutations(sorted(FORMATS)))
def test_a_trip_through_formats_that_can_carry_an_example_changes_nothing(example: Example, names: list[str]) -> None:
    here = example
    for name in names:
        notes = Notes()
        if FORMATS[name].kind != "demonstration":
            continue
        row = written_row(here, FORMATS[name], Style(), notes)
        if isinstance(row, dict) and not notes.lost:
            here = read(row, name)
    assert here == example


@given(TEXT, st.just("") | TEXT, TEXT)
def test_alpaca_keeps_its_input_apart_where_it_comes_back_to_alpaca(instruction: str, input: str, output: str) -> None:
    row = {"instruction": instruction, "input": input, "output": output}
    notes = Notes()
    assert written_row(read(row, "alpaca"), FORMATS["alpaca"], Style(), notes) == row
    assert not notes.lost
    written_row(read(row, "alpaca"), FORMATS["messages"], Style(), notes)
    assert set(notes.lost) == ({"which part of the instruction is its input"} if input else set())


# one by one


def test_a_conversation_with_all_there_can_be_comes_back_to_the_letter() -> None:
    example = read({"messages": CALLED, "tools": [TOOL]}, "messages")
    assert problems_in(example) == ()
    assert written_row(example, FORMATS["messages"], Style(), Notes()) == {"messages": CALLED, "tools": [TOOL]}
    assert example.turns[2] == Turn("assistant", "", "I add.", (Call("add", {"a": 2, "b": None}, "c"),))


def test_reasoning_is_apart_and_can_be_put_in_line() -> None:
    spoken = turns("user: 2 + 2?", "assistant: <think>\nTwo and two.\n</think>\n\n4")
    example = read({"messages": spoken}, "messages")
    assert example.answer == (Turn("assistant", "4", "Two and two."),)
    apart = written_row(example, FORMATS["messages"], Style(), Notes())
    assert isinstance(apart, dict)
    assert apart["messages"][1] == {"role": "assistant", "content": "4", "reasoning_content": "Two and two."}
    inline = written_row(example, FORMATS["messages"], Style(inline=True), Notes())
    assert isinstance(inline, dict) and inline["messages"] == spoken
    assert Needs.of(example, Style()) == Needs(more=True) != Needs.of(example, Style(inline=True))
    alpaca = written_row(example, FORMATS["alpaca"], Style(), Notes())
    assert alpaca == {"instruction": "2 + 2?", "input": "", "output": spoken[1]["content"]}


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_known_by_each_of_its_names(key: str) -> None:
    answer = {"role": "assistant", "content": "4", key: "Hm."}
    assert read({"messages": [*turns("user: 2 + 2?"), answer]}, "messages").answer[0].reasoning == "Hm."


def test_parts_can_be_left_out_and_are_counted() -> None:
    notes, style = Notes(), Style(without=("system", "reasoning", "tools"))
    example = read_example({"messages": CALLED, "tools": [TOOL]}, FORMATS["messages"], notes, style)
    assert isinstance(example, Example)
    assert example.prompt == (Turn("user", "2 + 2?"),) and not example.tools
    assert not any(turn.reasoning for turn in example.turns)
    assert notes.lost == {"system": 1, "reasoning": 1, "tools": 1}


def test_a_preference_becomes_two_verdicts_or_its_better_answer() -> None:
    row = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}
    example = read(row, "preference")
    verdicts = examples_of(example, FORMATS["kto"], Notes())
    assert isinstance(verdicts, list)
    rows = [written_row(one, FORMATS["kto"], Style(plain=True), Notes()) for one in verdicts]
    assert rows == [
        {"prompt": "2 + 2?", "completion": "4", "label": True},
        {"prompt": "2 + 2?", "completion": "5", "label": False},
    ]
    notes = Notes()
    better = examples_of(example, FORMATS["alpaca"], notes)
    assert isinstance(better, list)
    assert written_row(better[0], FORMATS["alpaca"], Style(), notes) == {
        "instruction": "2 + 2?",
        "input": "",
        "output": "4",
    }
    assert notes.lost == {"rejected": 1}


@pytest.mark.parametrize("label", [True, 1, 1.0, "true", " TRUE", "1"])
def test_a_verdict_is_told_by_each_of_the_ways_in_which_tables_have_it(label: Any) -> None:
    assert read({"prompt": "a", "completion": "b", "label": label}, "kto").desired is True


def test_a_completion_that_is_not_wanted_is_none_to_learn_from() -> None:
    wanted, unwanted = (read({"prompt": "a", "completion": "b", "label": label}, "kto") for label in (True, False))
    assert isinstance(examples_of(wanted, FORMATS["messages"], Notes()), list)
    refusal = examples_of(unwanted, FORMATS["messages"], Notes())
    assert isinstance(refusal, Problem) and refusal.code == "not_desired"


def test_whole_conversations_as_chosen_and_rejected_are_parted_from_what_they_share() -> None:
    row = {"prompt": "Sure?", "chosen": TALK, "rejected": [*TALK[:3], *turns("assistant: No.")]}
    example = read(row, "preference")
    assert [turn.content for turn in example.prompt] == ["2 + 2?", "4", "Sure?"]
    assert (example.answer, example.rejected) == ((Turn("assistant", "Yes."),), (Turn("assistant", "No."),))
    assert read({key: row[key] for key in ("chosen", "rejected")}, "preference") == example
    assert read(row | {"prompt": TALK[:3]}, "preference") == example
    for other in ("Something else", turns("system: Be brief.", "user: Sure?")):  # which would be lost
        assert refused(row | {"prompt": other}, "preference") == ("prompts_differ", "prompt")
    same = read({"chosen": TALK, "rejected": TALK}, "preference")
    assert [problem.code for problem in problems_in(same)] == ["chosen_equals_rejected"]


def test_sharegpt_knows_its_other_names_and_calls() -> None:
    row = {
        "conversations": [
            {"from": "user", "value": "2 + 2?"},
            {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2}}'},
            {"from": "observation", "value": "4"},
            {"from": "assistant", "value": "It is 4."},
        ],
        "tools": json.dumps([TOOL]),
        "system": "Be exact.",
    }
    example = read(row, "sharegpt")
    assert [turn.role for turn in example.turns] == ["system", "user", "assistant", "tool", "assistant"]
    assert example.turns[2].calls == (Call("add", {"a": 2}),) and example.tools == (TOOL,)
    assert problems_in(example) == ()
    back = written_row(example, FORMATS["sharegpt"], Style(), Notes())
    assert isinstance(back, dict)
    assert [turn["from"] for turn in back["conversations"]] == ["system", "human", "function_call", "tool", "gpt"]


def test_labels_that_are_no_text_become_text_and_it_is_said() -> None:
    notes = Notes()
    example = read_example({"text": "Fine!", "label": 1}, FORMATS["text-classification"], notes, Style())
    assert isinstance(example, Example)
    assert example.turns == (Turn("user", "Fine!"), Turn("assistant", "1"))
    assert notes.lost == {"that labels are no text": 1}


def test_keys_that_no_format_knows_are_said_to_be_lost() -> None:
    notes = Notes()
    row = {"messages": [turns("user: a")[0] | {"weight": 0, "refusal": None}, *turns("assistant: b")]}
    read_example(row, FORMATS["messages"], notes, Style())
    assert notes.lost == {"weight of a turn": 1}


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ("messages", ["messages"]),
        ("id instruction input output messages", ["messages", "alpaca"]),
        ("prompt completion", ["prompt-completion"]),
        ("prompt completion label", ["kto"]),
        ("prompt chosen rejected", ["preference"]),
        ("conversations", ["sharegpt"]),
        ("text label", ["text-classification"]),
        ("question answer", []),
    ],
)
def test_columns_tell_the_format(columns: str, names: list[str]) -> None:
    assert [format.name for format in fitting(columns.split())] == names


def test_what_nobody_said_is_not_made_up() -> None:
    possible = {(a.name, b.name) for a in FORMATS.values() for b in FORMATS.values() if not reachable(a, b)}
    demonstrations = {name for name, format in FORMATS.items() if format.kind == "demonstration"}
    assert possible == {(a, b) for a in demonstrations for b in ("preference", "kto")} | {("kto", "preference")}


# the linter


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (["user: a", "assistant: b"], []),
        (["system: s", "user: a", "assistant: b"], []),
        ([], ["no_turns"]),
        (["user: a"], ["no_assistant_end"]),
        (["system: s"], ["no_assistant_end"]),
        (["assistant: b"], ["roles_do_not_alternate"]),
        (["user: a", "user: a", "assistant: b"], ["roles_do_not_alternate"]),
        (["user: a", "assistant: b", "assistant: b"], ["roles_do_not_alternate"]),
        (["user: a", "system: s", "assistant: b"], ["system_not_first"]),
        (["system: s", "system: s", "user: a", "assistant: b"], ["system_not_first"]),
        (["user:  ", "assistant: b"], ["empty_content"]),
        (["user: a", "assistant: "], ["empty_content"]),
        (["user: a", "tool: 4", "assistant: b"], ["tool_result_without_call"]),
        (["user: a", "assistant: \ud800"], ["not_unicode"]),
        (["user: a", "assistant: b", "user: a"], ["no_assistant_end"]),
    ],
)
def test_the_linter_finds_what_is_wrong_with_a_conversation(said: list[str], codes: list[str]) -> None:
    assert [problem.code for problem in problems_in(read({"messages": turns(*said)}, "messages"))] == codes


def without(place: int) -> list[dict[str, Any]]:
    return [turn for number, turn in enumerate(CALLED) if number != place]


@pytest.mark.parametrize(
    ("messages", "tools", "codes"),
    [
        (CALLED, [TOOL], []),
        (CALLED, [], []),  # the tools may be known from elsewhere
        (without(2), [TOOL], ["tool_result_without_call"]),
        (without(3), [TOOL], ["call_without_result", "roles_do_not_alternate"]),
        (
            [*CALLED[:3], CALLED[3] | {"tool_call_id": "other"}, CALLED[4]],
            [TOOL],
            ["call_without_result", "tool_result_without_call"],
        ),
        ([*CALLED[:4], CALLED[3], CALLED[4]], [TOOL], ["tool_result_without_call"]),
        (CALLED, [{"name": "multiply"}], ["unknown_tool"]),
        (CALLED[:3], [TOOL], []),  # an answer may be a call
    ],
)
def test_the_linter_follows_calls_to_their_results(messages: Any, tools: Any, codes: list[str]) -> None:
    found = [problem.code for problem in problems_in(read({"messages": messages, "tools": tools}, "messages"))]
    assert sorted(set(found)) == codes


def test_the_linter_names_the_side_of_a_preference() -> None:
    example = read({"prompt": "a", "chosen": "b", "rejected": turns("user: c")}, "preference")
    found = {(problem.code, problem.place) for problem in problems_in(example)}
    assert ("user_in_answer", "rejected: turn 2") in found and ("no_assistant_end", "rejected: the last turn") in found


@pytest.mark.parametrize(
    ("format", "row", "problem"),
    [
        ("messages", {"other": 1}, ("missing", "messages")),
        ("messages", {"messages": None}, ("null_list", "messages")),
        ("messages", {"messages": "hi"}, ("wrong_type", "messages")),
        ("messages", {"messages": 7}, ("wrong_type", "messages")),
        ("messages", {"messages": ["hi"]}, ("wrong_type", "messages[0]")),
        ("messages", {"messages": [{"role": "human", "content": "a"}]}, ("unknown_role", "messages[0].role")),
        ("messages", {"messages": [{"role": "user", "content": None}]}, ("null_text", "messages[0].content")),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            ("not_text", "messages[0].content"),
        ),
        ("messages", {"messages": TALK, "tools": "x"}, ("wrong_type", "tools")),
        ("messages", {"messages": TALK, "tools": [7]}, ("wrong_type", "tools[0]")),
        (
            "messages",
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"name": "a", "arguments": "{"}]}]},
            ("wrong_type", "messages[0].tool_calls[0].arguments"),
        ),
        ("sharegpt", {"conversations": [{"from": "alien", "value": "a"}]}, ("unknown_role", "conversations[0].from")),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": None}]}, ("null_text", "conversations[0].value")),
        (
            "sharegpt",
            {"conversations": [{"from": "function_call", "value": "add"}]},
            ("wrong_type", "conversations[0].value"),
        ),
        ("alpaca", {"instruction": "a", "output": None}, ("null_text", "output")),
        ("prompt-completion", {"prompt": None, "completion": "b"}, ("null_list", "prompt")),
        ("prompt-completion", {"prompt": "a", "completion": None}, ("null_text", "completion")),
        ("preference", {"chosen": "a", "rejected": "b"}, ("missing", "prompt")),
        ("kto", {"prompt": "a", "completion": "b", "label": None}, ("null_label", "label")),
        ("kto", {"prompt": "a", "completion": "b", "label": "maybe"}, ("null_label", "label")),
        ("kto", {"prompt": "a", "completion": "b", "label": 2}, ("wrong_type", "label")),
        ("kto", {"prompt": "a", "completion": "b", "label": 0.5}, ("wrong_type", "label")),
        ("text-classification", {"text": "a", "label": None}, ("null_text", "label")),
    ],
)
def test_a_row_without_the_shape_of_its_format_says_where(
    format: str, row: dict[str, Any], problem: tuple[str, str]
) -> None:
    assert refused(row, format) == problem


def test_null_for_an_empty_list_is_mended_and_said() -> None:
    notes = Notes()
    row = {"messages": [*TALK[:1], TALK[1] | {"tool_calls": None}], "tools": None}
    example = read_example(row, FORMATS["messages"], notes, Style())
    assert isinstance(example, Example)
    assert [(problem.code, problem.place) for problem in notes.mended] == [
        ("null_list", "messages[1].tool_calls"),
        ("null_list", "tools"),
    ]
    assert written_row(example, FORMATS["messages"], Style(), notes) == {"messages": TALK[:2], "tools": []}
