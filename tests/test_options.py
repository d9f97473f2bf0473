"""What an option may be: most values plainly fit, and pydantic decides about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from llmsynth import options
from tests.test_layers import loaded_by

KINDS: tuple[Any, ...] = (
    *(str, int, float, bool, None, Any),
    *(str | None, int | str, float | int, bool | int, str | list[str], int | list[int] | None),
    *(list[str], list[int | str], list[dict[str, Any]], dict[str, int], dict[int, str], dict[str, dict[str, float]]),
    *(Literal["one", "two"], Literal[1, "1", None], list[Literal[0, 1]], tuple[str, ...], list[Any], list, dict),
)

PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(("", "1", "one", "two"))
BROKEN = st.just("half \ud83d")  # a lone surrogate, as escapes in YAML make one
VALUES = st.recursive(
    PLAIN | BROKEN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("a", "b", "1")) | st.integers(0, 1), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=5,
)


@given(st.sampled_from(KINDS), VALUES)
def test_an_option_is_what_pydantic_would_make_of_it(kind: Any, value: Any) -> None:
    try:
        expected = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        with pytest.raises(options.OptionError):
            options.checked(kind, value, ("it",))
    else:
        found = options.checked(kind, value, ("it",))
        assert repr(found) == repr(expected)  # 1 and True are equal, and not the same


@pytest.mark.parametrize(
    ("kind", "value", "place"),
    [
        (list[dict[str, Any]], [{}, 3], "it[1]"),
        (dict[str, dict[str, int]], {"a": {"b": 1}, "c": {"d": "many"}}, "it.c.d"),
        (str | list[str], ["a", 3], "it[1]"),
        (int | None, "many", "it"),
    ],
)
def test_an_error_names_the_place_inside_a_value(kind: Any, value: Any, place: str) -> None:
    with pytest.raises(options.OptionError) as caught:
        options.checked(kind, value, ("it",))
    assert options.dotted(caught.value.path) == place


def test_a_list_is_not_shared_with_whoever_gave_it() -> None:
    given_list = ["a"]
    assert options.checked(list[str], given_list, ()) is not given_list


def test_a_recipe_of_plain_values_does_not_wait_for_pydantic() -> None:
    root = Path(__file__).parents[1]
    statement = f"""
import sys; sys.path.insert(0, {str(root)!r})
from llmsynth import Recipe
Recipe.load("demo").build()
"""
    assert "pydantic" not in loaded_by(statement)
