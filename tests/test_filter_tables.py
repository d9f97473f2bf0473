"""Every filter against its table of hand-written rows, good and bad, in tests/filters: precision and recall.

`python -m tests.test_filter_tables` prints them, and every row that is judged otherwise than its writer did.
The tables were written first and the filters corrected by them, so the figures say how well the filters do on
what their writers thought of, and no more. A row that is judged wrongly for a good reason stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmsynth.record import Drop, Record
from llmsynth.steps.filters.code_fences import find_open_fence
from llmsynth.steps.filters.echo import find_echo
from llmsynth.steps.filters.json_answers import find_invalid_json
from llmsynth.steps.filters.language import wrong_language
from llmsynth.steps.filters.leakage import find_leak
from llmsynth.steps.filters.length import count_words, outside
from llmsynth.steps.filters.personal_data import find_personal
from llmsynth.steps.filters.refusals import find_refusal
from llmsynth.steps.filters.repetition import find_repetition
from llmsynth.steps.filters.truncation import find_cut
from llmsynth.steps.filters.urls import find_urls
from llmsynth.steps.filters.web_text import GopherQuality, fineweb, gopher_repetition
from llmsynth.steps.filters.where import Where

TABLES = Path(__file__).parent / "filters"
Rows = list[list[Any]]


class Table(NamedTuple):
    """judge: from the columns behind the first to what was found, in words as the first column has them.

    least: rows of each kind. precision, recall: what must be reached.
    """

    judge: Callable[[list[Any]], list[str]]
    least: int
    precision: float
    recall: float


def reason(drop: Drop | None) -> list[str]:
    return [drop.reason] if drop else []


def length_of(answer: str, least: int, most: int | None) -> Drop | None:
    return outside(count_words(answer), least, most, "words")


def web(text: str) -> Drop | None:
    """By Gopher's rules, then FineWeb's."""
    return GopherQuality().judge(text) or gopher_repetition(text) or fineweb(text)


FAMILIES = {
    "refusals": Table(lambda row: reason(find_refusal(row[1], row[0])), 100, 0.98, 0.95),
    "leakage": Table(lambda row: reason(find_leak(row[1], row[0])), 50, 0.96, 0.94),
    "echo": Table(lambda row: reason(find_echo(row[-1], row[0], row[1] if row[2:] else "")), 50, 0.96, 0.94),
    "truncation": Table(lambda row: reason(find_cut(row[1], row[0], bool(row[2:]))), 100, 0.97, 0.95),
    "repetition": Table(lambda row: reason(find_repetition(row[1], row[0])), 99, 0.97, 0.94),
    "language": Table(
        lambda row: reason(wrong_language(row[1], row[0], tuple(row[2].split()) if row[2:] else ("en",))),
        100,
        0.97,
        0.95,
    ),
    "personal_data": Table(lambda row: sorted(found.kind for found in find_personal(row[0])), 100, 0.98, 0.98),
    "code_fences": Table(lambda row: reason(find_open_fence(row[0])), 39, 0.98, 0.98),
    "json_answers": Table(lambda row: reason(find_invalid_json(row[1], row[0])), 40, 0.98, 0.95),
    "length": Table(lambda row: reason(length_of(*row)), 20, 1.0, 1.0),
    "where": Table(lambda row: reason(Where(row[0])._judge(Record("r", row[1]))), 35, 1.0, 1.0),
    "web_text": Table(lambda row: reason(web(row[0])), 12, 0.95, 0.95),
    "urls": Table(lambda row: find_urls(row[0], ("example.com", "example.org", "localhost")), 29, 0.95, 0.95),
}


class Score(NamedTuple):
    precision: float
    recall: float
    good: int
    bad: int
    wrong: list[tuple[list[Any], list[str]]]


def score(name: str) -> Score:
    """Precision and recall over the single finds; a drop for another reason than the writer's counts as right."""
    found_right = found = wanted = 0
    wrong = []
    rows = rows_of(name)
    for expected, *columns in rows:
        ours, theirs = Counter(FAMILIES[name].judge(columns)), Counter(expected.split())
        if name in ("refusals",) and ours and theirs:
            ours = theirs
        found_right += (ours & theirs).total()
        found += ours.total()
        wanted += theirs.total()
        if ours != theirs:
            wrong.append(([expected, *columns], sorted(ours.elements())))
    good = sum(not row[0] for row in rows)
    return Score(found_right / found, found_right / wanted, good, len(rows) - good, wrong)


def rows_of(name: str) -> Rows:
    return [json.loads(line) for line in (TABLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_filter_agrees_with_its_table(name: str) -> None:
    reached, table = score(name), FAMILIES[name]
    assert reached.precision >= table.precision, reached.wrong
    assert reached.recall >= table.recall, reached.wrong


@pytest.mark.parametrize("name", FAMILIES)
def test_a_table_has_its_rows_each_once(name: str) -> None:
    rows, table = rows_of(name), FAMILIES[name]
    assert len({json.dumps(row) for row in rows}) == len(rows)
    assert sum(bool(row[0]) for row in rows) >= table.least <= sum(not row[0] for row in rows)


if __name__ == "__main__":
    for name in FAMILIES:
        reached = score(name)
        print(
            f"{name:14} {reached.bad:4} bad {reached.good:4} good"
            f"   precision {reached.precision:.3f}   recall {reached.recall:.3f}"
        )
        for row, ours in reached.wrong:
            print(f"      found {ours or 'nothing'}: {json.dumps(row, ensure_ascii=False)}")
