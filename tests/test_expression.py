"""Conditions on records: what they mean, and all they refuse."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import RecipeError
from llmsynth.expression import Expression, UndecidableError
from llmsynth.record import Record

RECORD = Record(
    "r",
    {
        "output": "Hello there",
        "n": 3,
        "tags": ["a", "b"],
        "odd name": "x",
        "none": None,
        "deep": {"k": [1, 2]},
        "judge": 1,
    },
    {"source": "web", "flag": True},
    {"judge": 4.5, "reward-1": -2.0, "zero": 0.0},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("output == 'Hello there'", True),
        ("len(output) > 20", False),
        ("words(output)", 2),
        ("judge", 1),  # the field comes before the score
        ("scores.judge >= 4", True),
        ("scores['reward-1'] < 0", True),
        ("fields['odd name'] in ['x', 'y']", True),
        ("meta.source != 'web'", False),
        ("meta.flag and not has(none)", True),
        ("has(absent) or has(output)", True),
        ("absent", None),
        ("absent > 1", False),
        ("absent < 1", False),
        ("absent == None", True),
        ("absent is None", True),
        ("'there' in output", True),
        ("'there' not in output", False),
        ("'a' in absent", False),
        ("'a' not in absent", True),
        ("'c' in tags", False),
        ("tags[0]", "a"),
        ("tags[-1]", "b"),
        ("tags[9]", None),
        ("deep['k'][1]", 2),
        ("deep['absent']", None),
        ("absent['k']", None),
        ("1 < n <= 3", True),
        ("2 * n + 1 - n % 2", 6),
        ("n / 2", 1.5),
        ("-n", -3),
        ("'Hello' + ' there' == output", True),
        ("absent + 1", None),
        ("len(absent)", None),
        ("min(n, 2) + max(n, 5)", 7),
        ("abs(scores['reward-1'])", 2.0),
        ("round(scores.judge)", 4),
        ("lower(output)", "hello there"),
        ("starts(output, 'Hell') and ends(output, 'here')", True),
        ("zero or 'other'", "other"),
        ("n if zero else 'none'", "none"),
        ("n in (1, 2, 3)", True),
        ("len(output) > 5\n  and n == 3", True),
    ],
)
def test_an_expression_has_its_value(text: str, value: Any) -> None:
    assert Expression(text)(RECORD) == value


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("output >", "invalid syntax"),
        ("", "invalid syntax"),
        ("__import__('os')", "there is no function '__import__'"),
        ("output.upper()", "there is no function 'output.upper'"),
        ("().__class__", "a dot follows fields, scores, meta alone"),
        ("output.__class__", "a dot follows"),
        ("meta.a.b", "a dot follows"),
        ("(lambda: 1)()", "there is no function"),
        ("lambda: 1", "lambda is not part of an expression"),
        ("[x for x in output]", "listcomp is not part"),
        ("f'{output}'", "joinedstr is not part"),
        ("output[1:3]", "slice is not part"),
        ("n ** 9", "the operator pow"),
        ("n << 9", "the operator lshift"),
        ("n // 2", "the operator floordiv"),
        ("~n", "invert is not part"),
        ("(n := 3)", "namedexpr is not part"),
        ("{'a': 1}", "dict is not part"),
        ("b'x'", "is no number, text"),
        ("1j", "is no number, text"),
        ("...", "is no number, text"),
        ("len(output, 1)", "len takes 1 value"),
        ("len(x=output)", "takes plain values"),
        ("len(*tags)", "takes plain values"),
        ("meta", "write meta.name"),
        ("true", "write True"),
        ("null", "write None"),
        ("n = 3", "invalid syntax"),
        ("1 if n", "expected 'else'"),
        ("(" * 300 + "1" + ")" * 300, "too many nested parentheses"),
        ("not " * 80 + "n", "nested too deeply"),
        ("x" * 10_001, "10001 characters"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, what: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Expression(text)
    assert what in refused.value.message


def test_a_refusal_points_at_its_place() -> None:
    with pytest.raises(RecipeError) as refused:
        Expression("judge > 3 and exec(output)")
    first, line, pointer = refused.value.message.splitlines()
    assert first.endswith("at character 15")
    assert line[pointer.index("^")] == "e" and line.strip() == "judge > 3 and exec(output)"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("output > 3", "cannot compare a text with a number, at character 1"),
        ("n > 1 and len(n) > 1", "len of a number, at character 11"),
        ("words(tags)", "words of a list"),
        ("3 in output", "cannot look for a number in a text"),
        ("'a' in n", "cannot look into a number"),
        ("n / zero", "division by zero"),
        ("output * 9", "cannot calculate with a text and a number"),
        ("tags + tags", "cannot calculate with a list and a list"),
        ("tags['a']", "at character 1"),
        ("n[0]", "at character 1"),
    ],
)
def test_values_that_do_not_fit_are_undecidable_at_their_place(text: str, what: str) -> None:
    with pytest.raises(UndecidableError) as raised:
        Expression(text)(RECORD)
    assert what in str(raised.value)


def test_an_expression_can_be_pickled_and_names_what_it_looks_up() -> None:
    expression = Expression("len(output) > 3 and scores.judge > 1 and has(meta.source)")
    assert pickle.loads(pickle.dumps(expression))(RECORD) is True
    assert expression.names() == {"output", "scores.judge", "meta.source"}


@given(st.text(max_size=40))
def test_no_text_does_anything_but_have_a_value_or_be_refused(text: str) -> None:
    try:
        expression = Expression(text)
    except RecipeError:
        return
    with contextlib.suppress(UndecidableError):
        expression(RECORD)
