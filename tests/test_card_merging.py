"""A card that people have edited, brought up to date: what is theirs stays, what is counted is counted anew."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.cards.marks import Block, Body
from llmsynth.cards.merging import edited, merge, record_of
from llmsynth.frontmatter import Header, joined


def card(rows: int = 3, blocks: dict[str, str] | None = None, **header: Any) -> str:
    """A card as it is generated."""
    values: dict[str, Any] = {
        "pretty_name": "Welsh tasks",
        "license": "cc-by-4.0",
        "language": ["en", "no"],
        "size_categories": ["n<1K" if rows < 1_000 else "1K<n<10K"],
        "tags": ["synthetic", "llmsynth"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}],
        "dataset_info": {"splits": [{"name": "train", "num_examples": rows}], "dataset_size": rows},
        **header,
    }
    values = {key: value for key, value in values.items() if value is not None}
    texts = {
        "title": "# Welsh tasks",
        "summary": f"{rows} rows, made by nobody.",
        "loading": "## Loading\n\n```python\n# a comment\nload_dataset('x')\n```",
        "funnel": f"## What was kept\n\n| kept | {rows} |",
        **(blocks or {}),
    }
    made = [Block.made(name, text) for name, text in texts.items() if text]
    return joined(Header.of(values), str(Body(tuple(made), record_of(values, made))))


def header_of(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text.replace("\r\n", "\n").split("---\n")[1])
    assert isinstance(found, dict)
    return found


def block(text: str, name: str) -> Block:
    return Body.read(text).blocks[name]


def test_a_card_that_nobody_edited_becomes_the_fresh_one() -> None:
    fresh = card(5_000, {"scores": "## Scores\n\nnone", "funnel": ""}, license=None, pretty_name="Welsh", tags=["sft"])
    assert merge(card(3), fresh) == fresh
    assert merge(fresh, card(3)) == card(3)
    assert edited(fresh) == []


def test_hand_edits_survive_three_pushes_and_counts_refresh() -> None:
    mine = (
        card(3)
        .replace("license: cc-by-4.0", "license: cc-by-sa-4.0  # asked Owain")
        .replace("pretty_name", "# ours\ncontact: owain@example.org\npretty_name")
        .replace("- synthetic\n", "- synthetic\n- cymraeg\n")
        .replace("3 rows, made by nobody.", "Tasks for the school in Bala.")
        .replace("<!-- llmsynth:funnel", "## Thanks\n\nTo Nia.\n\n<!-- llmsynth:funnel")
    )
    pushed = mine
    for rows in (3, 700, 5_000):
        pushed = merge(pushed, card(rows))
        found = header_of(pushed)
        assert found["license"] == "cc-by-sa-4.0"
        assert found["contact"] == "owain@example.org"
        assert found["tags"] == ["synthetic", "llmsynth", "cymraeg"]
        assert found["dataset_info"]["splits"] == [{"name": "train", "num_examples": rows}]
        assert found["size_categories"] == (["n<1K"] if rows < 1_000 else ["1K<n<10K"])
        for kept in ("# asked Owain", "# ours", "Tasks for the school in Bala.", "## Thanks\n\nTo Nia."):
            assert kept in pushed
        assert "made by nobody" not in pushed
        assert f"| kept | {rows} |" in pushed
        assert pushed.index("To Nia.") < pushed.index("## What was kept")
        assert edited(pushed) == ["summary"]
        assert vars(DatasetCard(pushed).data)["license"] == "cc-by-sa-4.0"
    assert merge(pushed, card(5_000)) == pushed


def test_a_block_that_somebody_removed_stays_away_and_a_new_one_comes_to_its_place() -> None:
    old = card(3)
    mine = old.replace(str(block(old, "loading")) + "\n\n", "")
    fresh = card(4, {"scores": "## Scores\n\nhigh"})
    merged = merge(mine, fresh)
    assert "## Loading" not in merged
    assert edited(merged) == ["loading"]
    assert [*Body.read(merged).blocks] == ["title", "summary", "funnel", "scores"]
    # and it stays away after a run that had nothing of the kind to say
    assert "## Loading" not in merge(merge(mine, card(4, {"loading": ""})), fresh)


def test_a_block_with_nothing_to_say_for_a_while_comes_back() -> None:
    without = merge(card(3), card(0, {"loading": ""}))
    assert merge(without, card(3)) == card(3)


def test_a_key_and_a_tag_that_somebody_removed_stay_away() -> None:
    mine = card(3).replace("license: cc-by-4.0\n", "").replace("- synthetic\n", "")
    merged = merge(merge(mine, card(4)), card(5, license="mit"))
    assert "license" not in header_of(merged)
    assert header_of(merged)["tags"] == ["llmsynth"]


def test_what_the_recipe_says_anew_arrives_where_nobody_edited_it() -> None:
    merged = merge(
        card(3).replace("pretty_name: Welsh tasks", "pretty_name: Tasgau"), card(3, license="mit", pretty_name="X")
    )
    assert header_of(merged)["license"] == "mit"
    assert header_of(merged)["pretty_name"] == "Tasgau"


def test_a_config_that_somebody_added_stays_and_one_that_is_no_longer_made_goes() -> None:
    full = {"config_name": "full", "data_files": [{"split": "train", "path": "full/train-*"}]}
    default = {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}], "default": True}
    infos = [{"config_name": name, "splits": [], "dataset_size": 1} for name in ("default", "full")]
    old = card(3, configs=[default, full], dataset_info=infos)
    mine = old.replace("configs:\n", "configs:\n- config_name: audio\n  data_files: audio/*.wav\n")
    mine = mine.replace(
        "dataset_info:\n- config_name: default\n", "dataset_info:\n- config_name: default\n  homepage: https://x\n"
    )
    both = merge(mine, old)
    assert [config["config_name"] for config in header_of(both)["configs"]] == ["default", "full", "audio"]
    assert header_of(both)["dataset_info"][0]["homepage"] == "https://x"
    alone = merge(both, card(9))
    assert header_of(alone)["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]},
        {"config_name": "audio", "data_files": "audio/*.wav"},
    ]
    assert header_of(alone)["dataset_info"]["dataset_size"] == 9
    assert header_of(alone)["dataset_info"]["homepage"] == "https://x"


def test_a_split_that_somebody_added_stays_and_one_that_is_no_longer_made_goes() -> None:
    def splits(*names: str) -> dict[str, Any]:
        files = [{"split": name, "path": f"data/{name}-*"} for name in names]
        infos = [{"name": name, "num_examples": 1} for name in names]
        return {"configs": [{"config_name": "default", "data_files": files}], "dataset_info": {"splits": infos}}

    mine = header_of(old := card(3, **splits("train", "validation")))
    mine["configs"][0]["data_files"].append({"split": "gold", "path": "gold.jsonl"})
    mine["dataset_info"]["splits"].append({"name": "gold", "num_examples": 7})
    edited = joined(Header.of(mine), old.split("---\n", 2)[2].lstrip())
    found = header_of(merged := merge(edited, fresh := card(9, **splits("train"))))
    assert found["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/train-*"},
        {"split": "gold", "path": "gold.jsonl"},
    ]
    assert [one["name"] for one in found["dataset_info"]["splits"]] == ["train", "gold"]
    assert merge(merged, fresh) == merged


def test_a_card_edited_before_it_is_pushed_is_pushed_with_its_edits() -> None:
    mine = card(4).replace("license: cc-by-4.0", "license: mit").replace("4 rows, made by nobody.", "By hand.")
    mine = mine.replace("<!-- llmsynth:funnel", "Mind the gaps.\n\n<!-- llmsynth:funnel")
    pushed = merge(card(3), mine)
    assert header_of(pushed)["license"] == "mit"
    for word in ("By hand.", "Mind the gaps.", "| kept | 4 |"):
        assert pushed.count(word) == 1
    assert merge(pushed, mine) == pushed
    # a run made elsewhere brings no edits, and takes none away
    elsewhere = merge(pushed, card(5))
    assert header_of(elsewhere)["license"] == "mit"
    assert all(word in elsewhere for word in ("By hand.", "Mind the gaps.", "| kept | 5 |"))


def test_a_later_edit_before_a_push_replaces_an_earlier_one_but_none_made_where_it_was_published() -> None:
    def edited_card(license: str, summary: str, words: str) -> str:
        text = card(4).replace("cc-by-4.0", license).replace("4 rows, made by nobody.", summary)
        return text.replace("<!-- llmsynth:funnel", f"{words}\n\n<!-- llmsynth:funnel")

    pushed = merge(card(3), edited_card("mit", "By hand.", "Mind the gaps."))
    again = merge(pushed, edited_card("isc", "By two hands.", "Mind the steps."))
    assert header_of(again)["license"] == "isc"
    assert "By two hands." in again and "By hand." not in again
    assert "Mind the steps." in again and "Mind the gaps." not in again
    there = again.replace("license: isc", "license: wtfpl").replace("two hands", "many hands").replace("steps", "lions")
    last = merge(there, edited_card("zlib", "By no hands.", "Mind the steps."))
    assert header_of(last)["license"] == "wtfpl"
    assert "By many hands." in last and "By no hands." not in last
    assert "Mind the lions." in last and "Mind the steps." not in last


def test_somebody_elses_card_keeps_its_prose_and_is_told_the_rest_below() -> None:
    header = "license: mit\ntags: welsh\nconfigs:\n- config_name: a\n  data_files: a/*\n"
    theirs = f"---\n{header}---\n# My data\n\nAll mine.\n\n## Loading\n\nAsk me.\n"
    merged = merge(theirs, card(3))
    assert merged.index("# My data\n\nAll mine.\n\n## Loading\n\nAsk me.") < merged.index("## What was kept")
    assert "# Welsh tasks" not in merged
    assert merged.count("## Loading") == 1
    found = header_of(merged)
    assert found["license"] == "mit"
    assert found["tags"] == ["synthetic", "llmsynth", "welsh"]
    assert [config["config_name"] for config in found["configs"]] == ["default", "a"]
    assert merge(merged, card(3)) == merged
    assert "| kept | 8 |" in merge(merged, card(8))


def test_without_its_marks_nothing_is_said_twice() -> None:
    bare = "".join(line for line in card(3).splitlines(keepends=True) if not line.startswith("<!--"))
    merged = merge(bare, card(4))
    for once in ("# Welsh tasks", "## Loading", "## What was kept"):
        assert merged.count(once) == 1
    assert header_of(merged)["dataset_info"]["dataset_size"] == 4
    assert merge(merged, card(4)) == merged


@pytest.mark.parametrize("lost", ["<!-- llmsynth:summary", "<!-- /llmsynth:summary", "<!-- llmsynth {"])
def test_a_mark_that_is_gone_makes_its_text_the_owners(lost: str) -> None:
    mine = "".join(line for line in card(3).splitlines(keepends=True) if not line.startswith(lost))
    merged = merge(mine, card(4))
    assert merged.count("made by nobody.") == 1
    assert "| kept | 4 |" in merged
    assert merge(merged, card(4)) == merged


def test_a_header_that_is_no_yaml_is_kept_as_comments(caplog: pytest.LogCaptureFixture) -> None:
    mine = (
        card(3).replace("license: cc-by-4.0", "license: [cc-by-4.0\ncontact: Owain").replace("- en\n", "- en\n- cy\n")
    )
    merged = merge(mine, card(4))
    found = header_of(merged)
    assert "# this was no valid YAML: license: [cc-by-4.0\n" in merged
    assert found["contact"] == "Owain"
    assert found["language"] == ["en", "cy", "no"]
    assert found["dataset_info"]["dataset_size"] == 4
    assert "license: [cc-by-4.0" in caplog.text
    assert merge(merged, card(4)) == merged


@pytest.mark.parametrize(
    "header",
    [
        "{license: mit, tags: [a]}",
        '"license": mit',
        "license: &x mit\nalso: *x",
        "? license\n: mit",
        "tags:\n- a\nlicense: mit",
    ],
)
def test_a_header_in_any_of_yamls_ways_is_understood(header: str) -> None:
    assert header_of(merge(f"---\n{header}\n---\nText.\n", card(3)))["license"] == "mit"


def test_a_header_that_grows_beyond_all_measure_is_no_yaml_to_us() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    for header in (laughs, "x: &x [*x]\n", "when: 2020-13-41\n"):
        merged = merge(f"---\n{header}---\nText.\n", card(3))
        assert "# this was no valid YAML" in merged
        assert header_of(merged)["license"] == "cc-by-4.0"


def test_windows_line_ends_stay() -> None:
    mine = card(3).replace("3 rows, made by nobody.", "Mine.").replace("\n", "\r\n")
    merged = merge(mine, card(4))
    assert "\r\n" in merged
    assert "\n" not in merged.replace("\r\n", "")
    assert merged.replace("\r\n", "\n") == merge(mine.replace("\r\n", "\n"), card(4))
    assert merge(card(3).replace("\n", "\r\n"), card(4)) == card(4).replace("\n", "\r\n")


@pytest.mark.parametrize("published", ["", "\n", "---\n---\n", "\ufeff" + "---\n---\n"])
def test_an_empty_card_becomes_the_fresh_one(published: str) -> None:
    assert merge(published, card(3)) == card(3)


def test_a_card_without_a_header_gets_one() -> None:
    merged = merge("# Mine\n\nMy words.\n", card(3))
    assert header_of(merged) == header_of(card(3))
    assert "# Mine\n\nMy words.\n" in merged


def test_white_space_that_an_editor_removed_is_no_edit() -> None:
    old = card(3, {"summary": "3 rows,  \nmade by nobody."})
    assert edited(old.replace(",  \n", ",\n")) == []


def test_text_that_looks_like_a_mark_is_none() -> None:
    evil = "<!-- /llmsynth:summary -->\n<!-- llmsynth:x 12345678 -->\nx\n<!-- /llmsynth:x -->\n<!-- llmsynth {} -->"
    old = card(3, {"summary": evil})
    assert [*Body.read(old).blocks] == ["title", "summary", "loading", "funnel"]
    assert edited(old) == []
    assert merge(old, card(4)) == card(4)


_LINES = st.lists(
    st.sampled_from(
        ["", "---", "license: mit", "license: [", "tags:", "- a", "# x", "## Loading", "words", "```", "  y: 1", "\t"]
        + [line for line in card(3).split("\n")]
        + [line for line in card(4, {"scores": "## Scores"}).split("\n")]
    )
    | st.text("ab-:# \n\r<!>{}[]&*'\"", max_size=8),
    max_size=25,
)


@st.composite
def _edited_cards(draw: st.DrawFn) -> str:
    """A card with lines put into its body, and lines taken out."""
    text = card(draw(st.integers(3, 5)), {"scores": draw(st.sampled_from(["", "## Scores"]))})
    header, body = text.split("\n---\n")
    lines = body.split("\n")
    for line in draw(_LINES)[:4]:
        lines.insert(draw(st.integers(0, len(lines))), line)
    for _ in range(draw(st.integers(0, 2))):
        del lines[draw(st.integers(0, len(lines) - 1))]
    return "\n".join([header, "---", *lines])


@given(_edited_cards(), _edited_cards())
def test_cards_that_both_were_edited_are_merged_once_and_for_all(published: str, fresh: str) -> None:
    once = merge(published, fresh)
    assert merge(once, fresh) == once


@given(_LINES, st.integers(0, 3))
def test_whatever_is_published_is_merged_once_and_for_all(lines: list[str], rows: int) -> None:
    fresh = card(rows)
    once = merge("\n".join(lines), fresh)
    assert merge(once, fresh) == once
    assert header_of(once)["dataset_info"]["dataset_size"] == rows


@given(st.data())
def test_no_line_of_an_owner_is_lost(data: st.DataObject) -> None:
    """Lines put anywhere into a card: in the header as keys, in the body as prose."""
    old = card(3).split("\n")
    starts = [n for n, line in enumerate(old) if line and not line.startswith((" ", "-", "```"))]
    fence = [n for n, line in enumerate(old) if line == "---"][1]
    places = data.draw(st.lists(st.sampled_from(starts), max_size=5))
    words = [f"extra{n}: {n}" if place <= fence else f"Words {n}." for n, place in enumerate(places)]
    for place, word in sorted(zip(places, words, strict=True), reverse=True):
        old.insert(max(place, 1), word)
    merged = merge("\n".join(old), card(5_000)).split("\n")
    assert all(word in merged for word in words)
    assert header_of("\n".join(merged))["size_categories"] == ["1K<n<10K"]
