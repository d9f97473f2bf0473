"""Selectors: who stays, why the others do not, and that order does not matter."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from llmsynth import Record, options
from llmsynth.errors import RecipeError
from llmsynth.selectors import SELECTORS, Candidates, Needs, Selection, Selector
from llmsynth.selectors.deciding import candidates_of, decided
from llmsynth.selectors.ranked import Quotas, Threshold, TopK
from llmsynth.selectors.spread import MMR, FacilityLocation, KCenter, RepresentationFilter
from llmsynth.similarity.vectors import fixed

ALL: list[Selector] = [
    TopK("quality", n=3),
    TopK("quality", share=0.25, lowest=True),
    Threshold("quality", least=0.4, most=0.8),
    Threshold("quality", least=0.4, keep_missing=True),
    Quotas(("topic",), each=2, score="quality"),
    Quotas(("topic", "form"), n=7),
    Quotas(("topic",), quotas={"b": 1}, each=3),
    KCenter(n=4, score="quality"),
    KCenter(share=0.2),
    FacilityLocation(n=4, score="quality"),
    RepresentationFilter(n=5, score="quality", threshold=0.5),
    RepresentationFilter(score="", threshold=0.8),
    MMR("quality", n=6, balance=0.7),
]


def records(count: int = 24) -> list[Record]:
    """Some dropped, some without a score, some with equal scores."""
    rng = random.Random(5)
    made = []
    for n in range(count):
        fields = {"instruction": f"task {n}", "topic": "abc"[n % 3], "form": n % 2}
        scores = {} if n % 7 == 3 else {"quality": rng.randrange(5) / 4}
        record = Record(f"r{n:02}", fields, {"origin": "x"}, scores)
        made.append(record.drop("too_short") if n % 11 == 5 else record)
    return made


def vectors_of(ids: list[str]) -> Any:
    rows = np.array([np.random.default_rng(int(id[1:])).normal(size=4) for id in ids]).reshape(len(ids), 4)
    return fixed(rows.astype(np.float32))


def candidates(given: list[Record], selector: Selector) -> Candidates:
    found = candidates_of(given, selector.needs)
    vectors = vectors_of(list(found.ids)) if selector.needs.on else None
    return Candidates(found.ids, found.scores, found.groups, vectors)


def stay(given: list[Record], selector: Selector) -> list[str]:
    """The ids of those chosen, in order of choice."""
    told = candidates(given, selector)
    return [told.ids[place] for place in selector.select(told).chosen]


def after(given: list[Record], selector: Selector) -> list[Record]:
    told = candidates(given, selector)
    return list(decided(given, told, selector.select(told)))


@pytest.mark.parametrize("selector", ALL, ids=lambda selector: str(selector)[:40])
def test_the_order_of_the_records_does_not_matter(selector: Selector) -> None:
    given = records()
    chosen = stay(given, selector)
    assert 0 < len(chosen) < 24
    for seed in range(5):
        shuffled = random.Random(seed).sample(given, len(given))
        assert stay(shuffled, selector) == chosen


@pytest.mark.parametrize("selector", ALL, ids=lambda selector: str(selector)[:40])
def test_those_that_are_not_chosen_say_so_and_nothing_else_changes(selector: Selector) -> None:
    given = records()
    chosen = stay(given, selector)
    done = after(given, selector)
    assert [record.id for record in done] == [record.id for record in given]
    for before, now in zip(given, done, strict=True):
        assert (now.fields, now.scores) == (before.fields, before.scores)
        assert now.meta["origin"] == "x"
        if before.dropped:
            assert now == before
        elif before.id in chosen:
            assert now.dropped is None
            assert now.meta["selection_order"] == chosen.index(before.id)
        else:
            assert now.dropped is not None
            assert now.dropped.reason == "not_selected"
            assert f"chose {len(chosen)} of" in now.dropped.detail


def test_top_k_takes_the_highest_and_of_equals_the_first_by_id() -> None:
    given = [Record(id, {}, scores={"s": score}) for id, score in [("c", 1.0), ("b", 2.0), ("a", 1.0), ("d", 3.0)]]
    assert stay(given, TopK("s", n=3)) == ["d", "b", "a"]
    assert stay(given, TopK("s", n=2, lowest=True)) == ["a", "c"]
    assert stay(given, TopK("s", share=0.5)) == ["d", "b"]
    assert stay(given, TopK("s", share=0.01)) == ["d"]
    assert stay(given, TopK("s", n=99)) == ["d", "b", "a", "c"]


def test_a_record_without_the_score_comes_last_either_way() -> None:
    given = [Record("a", {}), Record("b", {}, scores={"s": 1.0}), Record("c", {}, scores={"s": -1.0})]
    assert stay(given, TopK("s", n=3)) == ["b", "c", "a"]
    assert stay(given, TopK("s", n=3, lowest=True)) == ["c", "b", "a"]
    assert stay(given, Threshold("s", least=-5)) == ["b", "c"]
    assert stay(given, Threshold("s", least=0, keep_missing=True)) == ["b", "a"]


def test_the_bounds_of_a_threshold_belong_to_it() -> None:
    given = [Record(str(n), {}, scores={"s": float(n)}) for n in range(5)]
    assert sorted(stay(given, Threshold("s", least=1, most=3))) == ["1", "2", "3"]


def grouped(sizes: dict[str, int]) -> list[Record]:
    members = [(name, n) for name, size in sizes.items() for n in range(size)]
    return [Record(f"{name}{n}", {"kind": name}, scores={"s": float(n)}) for name, n in members]


def test_quotas_take_the_best_of_each_group() -> None:
    given = grouped({"x": 5, "y": 1, "z": 3})
    assert sorted(stay(given, Quotas(("kind",), each=2, score="s"))) == ["x3", "x4", "y0", "z1", "z2"]
    assert sorted(stay(given, Quotas(("kind",), each=2))) == ["x0", "x1", "y0", "z0", "z1"]
    assert sorted(stay(given, Quotas(("kind",), quotas={"z": 1}, score="s"))) == ["z2"]
    assert sorted(stay(given, Quotas(("kind",), each=1, quotas={"x": 0}, score="s"))) == ["y0", "z2"]


def test_quotas_in_all_are_as_even_as_the_groups_allow() -> None:
    given = grouped({"x": 5, "y": 1, "z": 3})
    assert sorted(stay(given, Quotas(("kind",), n=6, score="s"))) == ["x2", "x3", "x4", "y0", "z1", "z2"]


def test_a_group_may_be_a_key_of_the_provenance_and_a_record_may_have_none() -> None:
    given = [Record("a", {}, {"round": 1}), Record("b", {}, {"round": 1}), Record("c", {})]
    assert sorted(stay(given, Quotas(("round",), each=1))) == ["a", "c"]


def test_the_representation_filter_tells_which_better_record_was_in_the_way() -> None:
    given = [Record("a", {}, scores={"deita": 1.0}), Record("b", {}, scores={"deita": 2.0}), Record("c", {})]
    rows = fixed(np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    told = Candidates(["a", "b", "c"], {"deita": np.array([1.0, 2.0, np.nan])}, {}, rows)
    lost, kept, other = decided(given, told, RepresentationFilter().select(told))
    assert kept.dropped is None and other.dropped is None
    assert lost.dropped is not None and "like b (1.000)" in lost.dropped.detail
    assert lost.meta["nearest_selected"] == "b"
    assert lost.meta["nearest_similarity"] == 1.0


def test_k_center_tells_the_chosen_record_most_like_one_left_out() -> None:
    rows = fixed(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32))
    told = Candidates(["a", "b", "c"], {}, {}, rows)
    *_, left_out = decided([Record(id, {}) for id in "abc"], told, KCenter(n=2).select(told))
    assert left_out.meta["nearest_selected"] == "b"
    assert left_out.meta["nearest_similarity"] == pytest.approx(0.8, abs=1e-4)


def test_mmr_weighs_the_score_from_its_lowest_to_its_highest() -> None:
    rows = fixed(np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    told = Candidates(["a", "b", "c"], {"s": np.array([900.0, 890.0, 100.0])}, {}, rows)
    assert MMR("s", n=2, balance=0.9).select(told).chosen.tolist() == [0, 1]
    assert MMR("s", n=2, balance=0.4).select(told).chosen.tolist() == [0, 2]


def test_a_score_that_no_record_has_is_an_error_and_no_empty_dataset() -> None:
    with pytest.raises(RecipeError, match="no record has the score 'quality'"):
        stay([Record("a", {}), Record("b", {})], TopK("quality", n=1))


def test_a_group_that_no_record_is_of_is_an_error_and_no_dataset_of_two_rows() -> None:
    with pytest.raises(RecipeError, match="no record has a value of 'topic'"):
        Quotas(by=("kind", "topic"), each=2).select(
            Candidates(["a", "b"], groups={"kind": ["x", ""], "topic": ["", ""]})
        )


def test_records_without_any_text_to_compare_are_an_error() -> None:
    told = Candidates(["a", "b"], {"deita": np.array([1.0, 2.0])}, {}, np.zeros((2, 4), np.int16))
    for selector in (KCenter(n=1), FacilityLocation(n=1), RepresentationFilter(), MMR("deita", n=1)):
        with pytest.raises(RecipeError, match="sees nothing in the text of any record"):
            selector.select(told)


def test_a_quota_of_an_unknown_group_is_an_error() -> None:
    with pytest.raises(RecipeError, match="no record is of the group 'w'"):
        stay(grouped({"x": 2}), Quotas(("kind",), quotas={"w": 1}))


@pytest.mark.parametrize("selector", ALL, ids=lambda selector: str(selector)[:40])
def test_of_no_record_none_is_chosen(selector: Selector) -> None:
    if isinstance(selector, Quotas) and selector.quotas:
        return
    assert stay([], selector) == []


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("top-k", {"score": "s"}),
        ("top-k", {"score": "s", "n": 1, "share": 0.1}),
        ("k-center", {"n": 0}),
        ("k-center", {"share": 1.5}),
        ("threshold", {"score": "s"}),
        ("threshold", {"score": "s", "least": 2, "most": 1}),
        ("quotas", {"by": ["a"]}),
        ("quotas", {"by": [], "n": 1}),
        ("quotas", {"by": ["a"], "n": 1, "each": 1}),
        ("quotas", {"by": ["a"], "quotas": {"x": -1}}),
        ("representation-filter", {"threshold": 2}),
        ("mmr", {"score": "s", "n": 1, "balance": 1.5}),
        ("facility-location", {"n": 1, "neighbours": 0}),
    ],
)
def test_options_that_make_no_sense_are_refused_when_the_recipe_is_read(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        options.build(options.find(name, SELECTORS, ()), given, ())


def test_a_selector_of_ones_own_needs_no_registration() -> None:
    class Odd:
        needs = Needs()

        def select(self, candidates: Candidates) -> Selection:
            return Selection(np.array([n for n, id in enumerate(candidates.ids) if int(id) % 2]), "odd ids")

    given = [Record(str(n), {}) for n in range(4)]
    told = candidates_of(given, Odd.needs)
    reasons = [record.dropped and record.dropped.detail for record in decided(given, told, Odd().select(told))]
    assert reasons == ["odd ids", None, "odd ids", None]
