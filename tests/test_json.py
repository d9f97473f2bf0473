"""JSON out of replies: a corpus of them, any text at all, hostile text, and schemas."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import RecipeError
from llmsynth.parsing import ParsedJson, parse_json, parse_json_lines, validate
from llmsynth.parsing.json_reader import MAX_DEPTH, State, read_plain, read_value

REPLIES = Path(__file__).parent / "replies" / "json"
NAMES = sorted(path.stem for path in REPLIES.glob("*.txt"))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=15,
)
CONTAINERS = st.lists(VALUES, max_size=5) | st.dictionaries(st.text(), VALUES, max_size=5)
# text that looks like JSON gone wrong far more often than random characters do
SHARDS = st.lists(
    st.sampled_from(
        [
            *"{}[]\",:\\/#'` \n01-.e“”‘’",
            *("```", "```json\n", "~~~", '{"a": ', '"}', "{{", "true", "None", "NaN", "word "),
            *("/*", "*/", "//", "\\u", "\\ud83d", "<think>", "</think>", "\x00", "\ufeff"),
        ]
    ),
    max_size=40,
).map("".join)


def reply(name: str) -> tuple[str, dict[str, Any]]:
    text = (REPLIES / f"{name}.txt").read_bytes().decode()
    return text, json.loads((REPLIES / f"{name}.expected.json").read_bytes())


def plain(value: Any) -> str:
    """Equal text means equal value, with 1, 1.0 and True told apart."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_reply_gives_the_value_it_means(name: str) -> None:
    text, expected = reply(name)
    parsed = parse_json(text)
    if expected["value"] is None:
        assert parsed is None
    else:
        assert parsed is not None
        assert plain(parsed.value) == plain(expected["value"])
        assert parsed.repaired == expected["repaired"]


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_value_is_given_only_where_it_is_asked_for(name: str) -> None:
    text, expected = reply(name)
    parsed = parse_json(text, allow_truncated=True)
    assert plain(parsed and parsed.value) == plain(expected.get("truncated", expected["value"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_reply_gives_every_object_in_it(name: str) -> None:
    text, expected = reply(name)
    value = expected["value"]
    objects = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    assert plain([one.value for one in parse_json_lines(text)]) == plain(expected.get("lines", objects))


def test_the_corpus_is_large_and_has_replies_without_json() -> None:
    assert len(NAMES) >= 60
    assert sum(name.startswith("none_") for name in NAMES) >= 15


def test_each_object_of_a_reply_tells_whether_it_was_repaired() -> None:
    assert parse_json_lines('{"a": 1}\n{"a": 2,}\n') == [ParsedJson({"a": 1}, False), ParsedJson({"a": 2}, True)]


def test_half_a_surrogate_pair_in_the_reply_itself_is_replaced() -> None:
    parsed = parse_json('{"a": "x\ud83d"}')
    assert parsed == ParsedJson({"a": "x\ufffd"}, True)
    json.dumps(parsed.value, ensure_ascii=False).encode()


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_nesting_is_read_up_to_its_limit_and_not_beyond(opening: str, closing: str) -> None:
    def nested(depth: int, inner: str = "") -> str:
        return opening * (depth - 1) + f"[{inner}]" + closing * (depth - 1)

    for inner in ("1", "1,"):  # plain and mended
        assert parse_json(nested(MAX_DEPTH, inner)) is not None
        assert parse_json(nested(MAX_DEPTH + 1, inner)) is None
        assert parse_json(nested(10_000, inner), allow_truncated=True) is None


@given(st.text() | SHARDS)
def test_no_text_raises_and_what_comes_out_can_be_written(text: str) -> None:
    parsed = [parse_json(text), parse_json(text, allow_truncated=True), *parse_json_lines(text)]
    for one in parsed:
        if one is not None:
            assert isinstance(one.value, dict | list)
            json.dumps(one.value, ensure_ascii=False, allow_nan=False).encode()


@given(SHARDS)
def test_a_value_that_is_not_repaired_is_plain_json(text: str) -> None:
    found = read_value("[" + text, 0)
    if found.state is State.COMPLETE and not found.repaired:
        assert plain(json.loads(("[" + text)[: found.end])) == plain(found.value)


@given(CONTAINERS, st.booleans(), st.sampled_from([None, 2]))
def test_the_mending_reader_leaves_plain_json_as_it_is(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    for found in (read_value(text, 0), read_plain(text, 0)):
        assert (found.state, found.end, found.repaired) == (State.COMPLETE, len(text), False)
        assert plain(found.value) == plain(value)


@given(
    CONTAINERS.filter(bool),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from(
        [
            "{}",
            "```json\n{}\n```",
            "~~~\n{}\n~~~\n",
            "Sure, here it is:\n\n```\n{}\n```\nAnything else [to do]?",
            "```json\n{}",
            "<think>\nA list [1] or {'so': 1}?\n</think>\n\n{}",
            "Certainly, as in [1]. The result:\n\n{}\n\nI hope {that} helps!",
        ]
    ),
)
def test_json_is_found_whatever_stands_around_it(value: Any, ascii_only: bool, indent: int | None, around: str) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    parsed = parse_json(around.replace("{}", text))
    if around.startswith("Certainly") and isinstance(value, list) and len(value) == 1 and isinstance(value[0], int):
        assert parsed is None  # a citation
        return
    assert parsed is not None
    assert plain(parsed.value) == plain(value)
    assert not parsed.repaired


@given(CONTAINERS, st.booleans(), st.data())
def test_no_beginning_of_a_value_passes_for_the_value(value: Any, ascii_only: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text[: data.draw(st.integers(0, len(text) - 1))]) is None


def test_one_wrong_character_loses_the_value_rather_than_changing_its_shape() -> None:
    whole = {
        "question": "Why, exactly, is it blue?",
        "tags": ["a b", "c, d", {"n": 12, "ok": True}],
        "answer": 'It\'s "light": scattered.\nDone',
        "score": 4.5,
    }

    def shape(value: Any) -> Any:
        if not isinstance(value, dict | list):
            return None
        return [shape(one) for one in (value.values() if isinstance(value, dict) else value)]

    tried = mended = changed = 0
    for text in (json.dumps(whole), json.dumps(whole, indent=2)):
        for place, put, taken in itertools.product(range(len(text)), ["", *"'\",:[]{}\\ \n"], (0, 1)):
            parsed = parse_json(text[:place] + put + text[place + taken :])
            tried += 1
            mended += bool(parsed and parsed.repaired)
            changed += bool(parsed and parsed.repaired and shape(parsed.value) != shape(whole))
    assert mended > tried / 20
    assert changed < tried / 500  # an object closed or a list ended one member early, by a bracket for a quote


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "{",
        '"',
        "\\",
        '["',
        '{"a":',
        "[a",
        "[a]",
        "```",
        "```[",
        "[/*",
        "[/*]",
        "[‘x]",
        "{'x",
        "]",
        "[1,",
        '{"a": \'b',
        '{"a": "b" c',
        "[{",
        "```[/*",
        " ",
        "[ ",
        "{{",
        "<think>",
        "[1]",
        '"a" ',
        "“",
        '{"a": 1} x ',
        '[“x" ',
        "[1] ```\n",
        "#[\n",
        '{"a": "b\n```',
    ],
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    started = time.process_time()
    parse_json(text, allow_truncated=True)
    parse_json_lines("x" + text + "x")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", ["[" * 10_000_000, '"' * 10_000_000, "\\" * 10_000_000, '["' + "\\" * 10_000_000])
def test_ten_megabytes_of_nothing_take_seconds_at_most(text: str) -> None:
    started = time.process_time()
    assert parse_json(text) is None
    assert parse_json_lines(text) == []
    assert time.process_time() - started < 10


SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["spam", "ham"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}},
    },
    "required": ["label"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value, reason",
    [
        ({"label": "ham", "items": [{"age": 1}]}, None),
        ({"label": "ham", "items": [{"age": 1}, {"age": "x"}]}, "$.items[1].age: 'x' is not of type 'integer' (type)"),
        ({}, "$: 'label' is a required property (required)"),
        ({"label": "ham", "items": [{"age": True}]}, "$.items[0].age: True is not of type 'integer' (type)"),
        ([], "$: [] is not of type 'object' (type)"),
    ],
)
def test_a_value_that_breaks_a_schema_says_where_and_why(value: Any, reason: str | None) -> None:
    assert validate(value, SCHEMA) == reason


def test_the_reason_stays_short_whatever_the_value() -> None:
    reason = validate("x" * 100_000, {"type": "integer"})
    assert reason is not None and len(reason) < 300


def test_nothing_at_all_fits_a_schema_that_allows_nothing() -> None:
    reason = validate({"a": 1}, {"properties": {"a": False}})
    assert reason is not None and "False schema does not allow 1" in reason


def test_a_schema_that_refers_to_itself_is_followed_as_deep_as_values_go() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    value: dict[str, Any] = {}
    for _ in range(MAX_DEPTH):
        value = {"next": value}
    assert validate(value, tree) is None


@pytest.mark.parametrize(
    "schema, named",
    [
        ({"type": "text"}, r"\$\.type"),
        ({"type": "string", "pattern": "("}, r"\$\.pattern"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "127.0.0.1"),
        ({"$ref": "#/$defs/missing"}, "missing"),
        ({"enum": [object()]}, "no JSON"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_that_names_the_place(schema: dict[str, Any], named: str) -> None:
    with pytest.raises(RecipeError, match=named) as raised:
        validate("x", schema)
    assert raised.value.hint
