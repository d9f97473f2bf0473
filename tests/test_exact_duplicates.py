"""Exact duplicates: what counts as the same text."""

from __future__ import annotations

import pytest

from llmsynth.steps.duplicates import ExactDuplicates, MinhashDuplicates, SemanticDuplicates
from tests.curating import curated, record


async def gone(*texts: str) -> list[str]:
    """The texts that go as duplicates of an earlier one."""
    records = [record(str(place), text=text) for place, text in enumerate(texts)]
    done = await curated(ExactDuplicates(on=("text",)), records)
    return [one.fields["text"] for one in done if one.dropped]


@pytest.mark.parametrize(
    "texts",
    [
        ("Print a name in C", "Print a name in C++", "Print a name in C#"),
        ("What is 2 + 2?", "What is 2 * 2?", "What is 2 / 2?", "What is 2 - 2?", "What is 2?"),
        ("Is 5 > 3?", "Is 5 < 3?", "Is 5 ≥ 3?", "Is -5 > 3?", "Is 5% > 3?", "Is $5 > 3?"),
        ("Fine 😀", "Fine 😡", "Fine", "😀", "😡", "?!", "..."),
        ("दिन", "दीन"),
    ],
)
async def test_texts_that_differ_in_a_sign_are_no_duplicates(texts: tuple[str, ...]) -> None:
    assert await gone(*texts) == []


async def test_texts_that_differ_in_case_punctuation_and_spacing_are_duplicates() -> None:
    again = "don’t  PRINT well known *names*,\nin c++"
    assert await gone("Don't print: well-known “names” (in C++)!", again, "ﬁne", "FINE.", "?!", " ?! ") == [
        *(again, "FINE.", " ?! ")
    ]


@pytest.mark.parametrize("step", [MinhashDuplicates(("text",), n=1), SemanticDuplicates(("text",))])
async def test_only_an_exact_duplicate_is_called_the_same(step: MinhashDuplicates | SemanticDuplicates) -> None:
    records = [record("a", text="The dog bites the man."), record("b", text="The man bites the dog.")]
    done = await curated(step, records)
    assert done[1].dropped is not None and done[1].dropped.detail == "1.000 close to a"
