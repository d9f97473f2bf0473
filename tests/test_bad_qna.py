"""Leaves of InstructLab taxonomies that do not do: file, line and key; and what would lead out, or never end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from llmsynth.errors import SourceError
from llmsynth.sources import read_seeds
from tests.leaves import SKILL, leaf, small_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return small_tree(tmp_path / "tax")


def complaint(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_seeds(path)
    assert caught.value.hint
    str(caught.value).encode()  # can be printed, whatever a leaf holds
    return caught.value


BAD: dict[str, tuple[str, str]] = {
    "wrong indentation": (
        "version: 2\nseed_examples:\n  - question: q\n   answer: a\n",
        "4: is not valid YAML: expected <block end>",
    ),
    "a tab": ("seed_examples:\n\t- question: q\n", "2: is not valid YAML: found character '\\t'"),
    "two documents": ("seed_examples: []\n---\nx: 1\n", "2: is not valid YAML: but found another document"),
    "an alias to nothing": ("seed_examples: *x\n", "1: is not valid YAML: found undefined alias"),
    "empty": ("", "1: is empty"),
    "a comment": ("# nothing yet\n", "1: is empty"),
    "a list": ("- question: q\n  answer: a\n", "1: is a list, not a mapping"),
    "no seed_examples": ("version: 2\ncreated_by: me\n", "1: has no seed_examples: found version, created_by"),
    "a slip in a key": ("version: 2\nseed_example: []\n", "2: seed_example is not known: seed_examples?"),
    "empty seed_examples": ("version: 2\nseed_examples: []\n", "2: seed_examples is empty"),
    "null seed_examples": ("version: 2\nseed_examples:\n", "2: seed_examples is empty"),
    "seed_examples a mapping": (
        "seed_examples:\n  question: q\n  answer: a\n",
        "2: seed_examples is a mapping, not a list",
    ),
    "an example that is text": ("seed_examples:\n  - what?\n", "2: seed_examples[0] is text, not a mapping"),
    "an example that is null": ("seed_examples:\n  -\n", "2: seed_examples[0] is nothing, not a mapping"),
    "no answer": (
        "seed_examples:\n  - {question: q, answer: a}\n  - question: r\n    context: c\n",
        "3: seed_examples[1] has no answer: found question, context",
    ),
    "an empty answer": ("seed_examples:\n  - question: q\n    answer: ''\n", "3: seed_examples[0].answer is empty"),
    "a null answer": ("seed_examples:\n  - question: q\n    answer:\n", "3: seed_examples[0].answer is empty"),
    "a blank question": (
        "seed_examples:\n  - question: '  '\n    answer: a\n",
        "2: seed_examples[0].question is empty",
    ),
    "an answer that is a list": (
        "seed_examples:\n  - question: q\n    answer: [a, b]\n",
        "3: seed_examples[0].answer is a list, not text",
    ),
    "an unquoted colon": (
        "seed_examples:\n  - question: q\n    answer: {a: b}\n",
        "3: seed_examples[0].answer is a mapping, not text",
    ),
    "a slip in an example": (
        "seed_examples:\n  - question: q\n    anwser: a\n",
        "3: seed_examples[0].anwser is not known: answer?",
    ),
    "a context that would be lost": (
        "seed_examples:\n  - question: q\n    answer: a\n    contex: c\n",
        "4: seed_examples[0].contex is not known: context?",
    ),
    "a duplicate key": (
        "seed_examples:\n  - question: q\n    answer: a\n    question: r\n",
        "4: seed_examples[0].question is there twice",
    ),
    "a duplicate key at the top": (
        "seed_examples: [{question: q, answer: a}]\nseed_examples: []\n",
        "2: seed_examples is there twice",
    ),
    "a list for a key": ("? [a, b]\n: c\n", "1: the leaf has a list for a key"),
    "merged keys": (
        "seed_examples:\n  - &one {question: q, answer: a}\n  - <<: *one\n    question: r\n",
        "3: seed_examples[1].<< is not understood",
    ),
    "knowledge without context": (
        "seed_examples:\n  - questions_and_answers: [{question: q, answer: a}]\n",
        "2: seed_examples[0] has no context",
    ),
    "knowledge with an empty context": (
        "seed_examples:\n  - context: ' '\n    questions_and_answers: [{question: q, answer: a}]\n",
        "2: seed_examples[0].context is empty",
    ),
    "knowledge without questions": (
        "seed_examples:\n  - context: c\n    questions_and_answers: []\n",
        "3: seed_examples[0].questions_and_answers is empty",
    ),
    "knowledge without an answer": (
        "seed_examples:\n  - context: c\n    questions_and_answers:\n      - {question: q, answer: a}\n"
        "      - question: r\n",
        "5: seed_examples[0].questions_and_answers[1] has no answer: found question",
    ),
    "knowledge of both layouts": (
        "seed_examples:\n  - context: c\n    question: q\n    questions_and_answers: [{question: q, answer: a}]\n",
        "3: seed_examples[0] has both question and questions_and_answers",
    ),
    "a description that is a list": (
        "task_description: [a]\nseed_examples: [{question: q, answer: a}]\n",
        "1: task_description is a list, not text",
    ),
    "a control character": (
        "seed_examples:\n  - question: q\n    answer: 'a\x07b'\n",
        "3: holds a control character, U+0007",
    ),
    "an escaped NUL": (
        'seed_examples:\n  - question: q\n    answer: "a\\0b"\n',
        "3: seed_examples[0].answer holds a NUL character",
    ),
    "half a character": (
        'seed_examples:\n  - question: "\\ud800"\n    answer: a\n',
        "2: seed_examples[0].question holds half a character, U+D800",
    ),
    "half a character for a key": ('"\\ud800": x\n', "1: has no seed_examples: found \\ud800"),
    "too long a context": (
        f"seed_examples:\n  - question: q\n    answer: a\n    context: {'c' * 20_001}\n",
        "4: seed_examples[0].context has 20,001 characters",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_leaf_that_does_not_do_gives_one_error_with_its_place(name: str, tree: Path) -> None:
    text, said = BAD[name]
    leaf(tree, "knowledge/bad", text)
    error = complaint(tree)
    [first, problem] = error.message.splitlines()
    assert first == f"{tree}: 1 of 4 leaves cannot be used"
    assert problem.startswith(f"  tax/knowledge/bad/qna.yaml:{said}")
    assert "seed_examples" in error.hint


def test_every_leaf_that_does_not_do_is_told_of_once_and_all_are_counted(tree: Path) -> None:
    for number in range(7):  # each wrong in more than one place
        leaf(tree, f"bad/{number}", "seed_examples: [{question: q}, {answer: a}, 7]\nversion: [\n" * (number % 2 + 1))
    message = complaint(tree).message
    assert message.startswith(f"{tree}: 7 of 10 leaves cannot be used\n")
    assert [message.count(f"tax/bad/{number}/qna.yaml:") for number in range(7)] == [1] * 5 + [0] * 2
    assert message.endswith("and 2 more")


def test_a_leaf_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = leaf(tmp_path, "t", SKILL)
    path.write_bytes(SKILL.replace("June", "Hélo").encode("latin-1"))
    assert "t/qna.yaml:8: is not UTF-8: byte 0xe9" in complaint(path).message


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = leaf(tmp_path, "t", SKILL)
    path.write_bytes(b"\xef\xbb\xbf" + SKILL.replace("\n", "\r\n").encode())
    assert [seed.instances[0][1] for seed in read_seeds(path)] == ["Spoon.\nAnd June.\n", "Yes"]


@pytest.mark.parametrize("name", ["qna.yml", "QNA.yaml"])
def test_a_file_whose_name_is_not_quite_that_of_a_leaf_is_not_passed_over(name: str, tree: Path) -> None:
    (tree / "knowledge" / name).write_text(SKILL)
    assert f"tax/knowledge/{name}: is not read: a leaf is named qna.yaml" in complaint(tree).message


def test_other_yaml_is_no_leaf(tmp_path: Path) -> None:
    (tmp_path / "attribution.yaml").write_text(SKILL)
    assert "'.yaml' is not known" in complaint(tmp_path / "attribution.yaml").message
    error = complaint(tmp_path)
    assert "folder without data" in error.message and "qna.yaml" in error.hint


def test_a_folder_of_leaves_and_data_is_neither(tree: Path) -> None:
    (tree / "train.parquet").write_bytes(b"")
    assert "holds both data files and qna.yaml leaves" in complaint(tree).message


# what would lead out of the folder, or never end


@pytest.mark.parametrize("what", ["file", "folder", "far folder", "nowhere", "itself", "dots"])
def test_no_link_leads_out_of_the_folder(what: str, tree: Path, tmp_path: Path) -> None:
    outside = leaf(tmp_path / "outside", "secret", SKILL.replace("moon", "secret"))
    place = tree / "knowledge" / "linked"
    place.mkdir()
    name = "qna.yaml"
    if what == "file":
        (place / name).symlink_to(outside)
    elif what == "folder":
        (place / (name := "more")).symlink_to(outside.parent)
    elif what == "far folder":
        (place / (name := "more")).symlink_to("/")
    elif what == "nowhere":
        (place / name).symlink_to(tree / "absent")
    elif what == "itself":
        (place / name).symlink_to(place / name)
    else:
        (place / name).symlink_to("../../../outside/secret/qna.yaml")
    said = {"nowhere": "cannot be read: No such file", "itself": "cannot be read: Too many levels"}
    message = complaint(tree).message
    assert "1 of 4 leaves" in message
    assert f"tax/knowledge/linked/{name}" in message
    assert said.get(what, "is a link out of the folder, and is not followed") in message
    assert "secret rhyme" not in message


def test_a_link_that_stays_inside_is_read_once_where_it_leads(tree: Path) -> None:
    (tree / "again").symlink_to(tree / "knowledge")
    (tree / "knowledge" / "round").symlink_to(tree)  # a circle
    assert len(read_seeds(tree)) == 6


def test_the_folder_itself_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tree)
    seeds = read_seeds(tmp_path / "linked")
    assert len(seeds) == 6 and seeds[0].id.startswith("linked/")


def test_a_pipe_named_like_a_leaf_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "knowledge" / "qna.yaml")
    assert "tax/knowledge/qna.yaml:1: is no plain file" in complaint(tree).message


@pytest.mark.parametrize("name", [b"a\nb", b"a\x1b[31m", b"\xff\xfe"])
def test_a_folder_whose_name_cannot_be_printed_is_refused_and_named(name: bytes, tree: Path) -> None:
    place = os.path.join(os.fsencode(tree), name)
    os.mkdir(place)
    Path(os.fsdecode(place), "qna.yaml").write_text(SKILL)
    message = complaint(tree).message
    assert "a folder's name holds control characters, or is not UTF-8" in message
    assert all(character.isprintable() for character in message.replace("\n  ", ""))


def test_aliases_of_aliases_do_not_eat_the_memory(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]  # a billion and more
    fine = leaf(tmp_path, "fine", "\n".join([*levels, "seed_examples: [{question: q, answer: a}]"]))
    started = time.monotonic()
    assert len(read_seeds(fine)) == 1
    assert (
        "seed_examples[0] is a list"
        in complaint(leaf(tmp_path, "b", "\n".join([*levels, "seed_examples: *a11"]))).message
    )
    assert time.monotonic() - started < 20


def test_aliases_cannot_make_more_questions_than_are_allowed(tmp_path: Path) -> None:
    pairs = ", ".join(["&p {question: q, answer: a}"] + ["*p"] * 999)
    example = f"&e {{context: c, questions_and_answers: [{pairs}]}}"
    text = f"seed_examples: [{', '.join([example] + ['*e'] * 999)}]"  # a million, in 8 kB
    assert "has more than 10,000 questions" in complaint(leaf(tmp_path, "t", text)).message


def test_a_leaf_nested_without_end_is_refused(tmp_path: Path) -> None:
    assert "is nested too deeply" in complaint(leaf(tmp_path, "t", "a: " + "[" * 3_000)).message
    itself = "seed_examples: &s [{question: q, answer: *s}]"
    assert "seed_examples[0].answer is a list" in complaint(leaf(tmp_path, "u", itself)).message


def test_a_leaf_larger_than_any_is_refused_unread(tmp_path: Path) -> None:
    text = "# " + "x" * (1 << 20) + "\n" + SKILL
    assert "bytes, and 1,048,576 is the most" in complaint(leaf(tmp_path, "t", text)).message
