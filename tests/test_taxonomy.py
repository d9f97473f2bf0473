"""Taxonomy files: what they mean, what is refused and where, and what a vote does to them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from llmsynth.errors import SourceError
from llmsynth.generators.glan.vote import prune
from llmsynth.taxonomy import Taxonomy, shipped_names


def load(folder: Path, text: str, name: str = "t.yaml") -> Taxonomy:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return Taxonomy.load(path)


def paths(taxonomy: Taxonomy) -> list[str]:
    return ["/".join(path) for path in taxonomy.disciplines()]


MIXED = """\
name: mixed
fields:
  Sciences:
    Physics: [Optics, Acoustics]
    Earth:
      - Oceanography
      - Geology: [Mineralogy, Petrology]
  Philately:
"""


def test_g1_the_leaves_are_the_disciplines_at_any_depth(tmp_path: Path) -> None:
    assert paths(load(tmp_path, MIXED)) == [
        "Sciences/Physics/Optics",
        "Sciences/Physics/Acoustics",
        "Sciences/Earth/Oceanography",
        "Sciences/Earth/Geology/Mineralogy",
        "Sciences/Earth/Geology/Petrology",
        "Philately",
    ]


def test_g1_the_shipped_taxonomy_covers_academic_and_vocational_knowledge() -> None:
    assert "glan" in shipped_names()
    shipped = Taxonomy.load("glan")
    disciplines = shipped.disciplines()
    assert len(disciplines) >= 126 and len(shipped.roots) >= 8
    assert {len(path) for path in disciplines} == {3}  # field, subfield, discipline
    assert {"Nursing and midwifery", "Plumbing and heating", "Number theory"} <= {path[-1] for path in disciplines}
    assert len({path[-1].casefold() for path in disciplines}) == len(disciplines)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for taxonomy in (load(tmp_path, MIXED), Taxonomy.load("glan")):
        again = load(tmp_path, taxonomy.to_yaml(), "again.yaml")
        assert again == taxonomy


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "<b>bold</b>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "No",
        "1984",
        "1.10",
        "~x",
        "C++",
        "'; drop table",
    ],
)
def test_g1_a_hostile_name_is_a_name(name: str, tmp_path: Path) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    taxonomy = load(tmp_path, f"fields:\n  - {quoted}\n  - Other\n")
    assert taxonomy.disciplines() == [(name,), ("Other",)]
    assert load(tmp_path, taxonomy.to_yaml(), "again.yaml").disciplines() == taxonomy.disciplines()


def test_names_that_yaml_takes_for_other_values_are_names(tmp_path: Path) -> None:
    taxonomy = load(tmp_path, "fields:\n  1984: [No, on, 1.10, 2020-01-01]\n")
    assert taxonomy.disciplines() == [("1984", name) for name in ("No", "on", "1.10", "2020-01-01")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields:\n  A:\n    - B\n   - C\n", r"t\.yaml, line 4"),  # wrong indentation
        ("fields:\n  A: [B]\n\tC: [D]\n", r"t\.yaml, line 3"),  # a tab
        ("fields:\n  A: [B, C, b]\n", r"line 2: 'b' is there twice, first in line 2"),
        ("fields:\n  A: [B]\n  D: [E]\n  A: [C]\n", r"line 4: 'A' is there twice, first in line 2"),
        ("fields:\n  A: []\n", r"line 2: 'A' has nothing"),
        ("fields:\n  A: {}\n", r"line 2: 'A' has nothing"),
        ("fields: []\n", r"line 1: `fields` has nothing"),
        ("fields:\n", "holds no discipline"),
        ("fields:\n  A:\n    - B\n    - ''\n", r"line 4: an empty name"),
        ("fields:\n  A:\n    -\n    - B\n", r"line 3: an empty name"),
        ("fields:\n  '': [B]\n", r"line 2: an empty name"),
        ("fields:\n  A:\n    - [B, C]\n", r"line 3: expected a name"),
        ("fields:\n  ? [A, B]\n  : C\n", r"line 2: expected a name"),
        ("name: x\nfeilds:\n  A: [B]\n", r"line 2: unknown key 'feilds'"),
        ("name: x\n", "has no `fields`"),
        ("- A\n- B\n", "is no mapping"),
        ("", "is no mapping"),
        ("fields:\n  A: &a\n    B: *a\n", r"more than 32 levels below 'A'"),  # holds itself
        ("fields:\n  " + "x" * 201 + ":\n", r"line 2: a name of 201 characters"),
        ('fields:\n  - "a\\x07b"\n', r"line 2: a name with control characters"),
        ("include: [nowhere]\n", r"line 1: there is no taxonomy 'nowhere'"),
    ],
)
def test_g1_a_mistake_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        load(tmp_path, text)
    assert caught.value.hint


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nested too deeply|more than 32 levels"):
        load(tmp_path, "fields: " + "[{a: " * 2000 + "b" + "}]" * 2000)


def test_aliases_of_aliases_do_not_eat_the_memory(tmp_path: Path) -> None:
    text = "fields:\n  L0: &l0 [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9]\n"
    for level in range(1, 9):
        inner = ", ".join(f"y{i}: *l{level - 1}" for i in range(10))
        text += f"  L{level}: &l{level} {{{inner}}}\n"
    with pytest.raises(SourceError, match="more than 200,000 nodes"):
        load(tmp_path, text)


def test_g1_ten_thousand_children_are_fine(tmp_path: Path) -> None:
    started = time.monotonic()
    taxonomy = load(tmp_path, "fields:\n  Wide:\n" + "".join(f"    - Child {n}\n" for n in range(10_000)))
    assert len(taxonomy.disciplines()) == 10_000
    assert len(taxonomy.merge(taxonomy).select(["Child 9999"]).disciplines()) == 1
    assert time.monotonic() - started < 20


def test_g1_a_file_of_ones_own_extends_a_shipped_one(tmp_path: Path) -> None:
    text = "include: [glan]\nfields:\n  Natural sciences:\n    physics: [Acoustics]\n  Beekeeping: [Hive care]\n"
    extended = load(tmp_path, text)
    assert len(extended.disciplines()) == len(Taxonomy.load("glan").disciplines()) + 2
    assert ("Natural sciences", "Physics", "Acoustics") in extended.disciplines()
    assert extended.name == "t"


def test_g1_merging_joins_what_has_the_same_path_and_nothing_else(tmp_path: Path) -> None:
    one = load(tmp_path, "fields:\n  A: [X, Y]\n  B: [X]\n")
    other = load(tmp_path, "fields:\n  a: [y, Z]\n  C: [X]\n  B:\n    X: [Deeper]\n")
    assert paths(one.merge(other)) == ["A/X", "A/Y", "A/Z", "B/X/Deeper", "C/X"]


def test_files_that_include_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("include: [c.yaml]\n")
    (tmp_path / "c.yaml").write_text("include: [a.yaml]\n")
    with pytest.raises(SourceError, match=r"in a circle: a\.yaml > b\.yaml > c\.yaml > a\.yaml"):
        load(tmp_path, "include: [b.yaml]\nfields: {A: [B]}\n", "a.yaml")


def test_a_file_that_two_others_include_is_no_circle(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("fields: {A: [B]}\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"include: [base.yaml]\nfields: {{A: [{name}]}}\n")
    assert paths(load(tmp_path, "include: [one.yaml, two.yaml]\n")) == ["A/B", "A/one", "A/two"]


def test_selecting_takes_a_node_with_all_below_and_above_it(tmp_path: Path) -> None:
    taxonomy = load(tmp_path, MIXED)
    assert paths(taxonomy.select(["geology", "Philately"])) == [
        "Sciences/Earth/Geology/Mineralogy",
        "Sciences/Earth/Geology/Petrology",
        "Philately",
    ]
    assert paths(taxonomy.select(["Physics / Optics"])) == ["Sciences/Physics/Optics"]
    with pytest.raises(SourceError, match="has no 'Optik'") as caught:
        taxonomy.select(["Optik"])
    assert "optics" in caught.value.hint


# prune


def ballot(folder: Path, name: str, **votes: str) -> Path:
    path = folder / name
    path.write_text("path,vote\n" + "".join(f"{node.replace('__', '/')},{vote}\n" for node, vote in votes.items()))
    return path


def test_g1_the_majority_prunes_and_descendants_go_with_their_node(tmp_path: Path) -> None:
    taxonomy = load(tmp_path, MIXED)
    ballots = [
        ballot(tmp_path, "1.csv", Sciences__Earth="drop", Philately="drop", Sciences__Physics="keep"),
        ballot(tmp_path, "2.csv", Sciences__Earth="Drop", Philately="keep", Sciences__Physics="drop"),
        ballot(tmp_path, "3.csv", Sciences__Earth="keep", Philately="", Sciences__Physics="keep"),
    ]
    pruned = prune(taxonomy, ballots)
    # Philately is a tie, and stays
    assert paths(pruned.taxonomy) == ["Sciences/Physics/Optics", "Sciences/Physics/Acoustics", "Philately"]
    assert pruned.voted_out == (("Sciences", "Earth"),)


def test_a_node_left_with_nothing_below_it_does_not_become_a_discipline(tmp_path: Path) -> None:
    votes = {"Sciences__Physics__Optics": "drop", "Sciences__Physics__Acoustics": "drop"}
    pruned = prune(load(tmp_path, MIXED), [ballot(tmp_path, "1.csv", **votes)])
    assert not any("Physics" in path for path in paths(pruned.taxonomy))
    assert len(pruned.voted_out) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Sciences/Phisics,drop\n", r"b\.csv:2: the taxonomy has no 'Sciences/Phisics'"),
        ("Philately,maybe\n", r"b\.csv:2: the vote is 'maybe'"),
        ("Philately,drop\nPhilately,drop\n", r"b\.csv:3: a second vote on 'Philately'"),
        ("Sciences,drop\nPhilately,drop\n", "the votes leave nothing"),
    ],
)
def test_a_ballot_that_cannot_be_counted_is_refused(lines: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("path,vote\n" + lines)
    with pytest.raises(SourceError, match=said):
        prune(load(tmp_path, MIXED), [path])
