"""The pocket teacher as it is shipped, and the text it is made from."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "llmsynth" / "data" / "pocket"
sys.path.insert(0, str(ROOT / "scripts" / "pocket"))

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import corpus  # noqa: E402
import evaluate  # noqa: E402
import numpy as np  # noqa: E402
import world  # noqa: E402
from drills import drill  # noqa: E402
from rows import encoded, learnt, pack  # noqa: E402
from safetensors import safe_open  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def material() -> corpus.Material:
    return corpus.material(seed=5, pool_size=1_500)


@pytest.fixture
def documents(material: corpus.Material) -> Iterator[corpus.Document]:
    return corpus.documents(material, seed=5)


def test_the_teacher_is_small_and_in_half_precision() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 12_000_000
    with safe_open(FOLDER / "model.safetensors", "pt") as weights:
        tensors = [weights.get_slice(name) for name in weights.keys()]  # noqa: SIM118
        assert {tensor.get_dtype() for tensor in tensors} == {"F16"}
        assert 1_000_000 < sum(int(np.prod(tensor.get_shape())) for tensor in tensors) <= 6_000_000


def test_the_folder_agrees_with_itself_about_special_tokens(tokenizer: Any) -> None:
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    generation = json.loads((FOLDER / "generation_config.json").read_text("utf-8"))
    for ids in (config, generation):
        assert ids["eos_token_id"] == tokenizer.convert_tokens_to_ids("<|end|>") == tokenizer.eos_token_id
        assert ids["pad_token_id"] == tokenizer.convert_tokens_to_ids("<|pad|>") == tokenizer.pad_token_id
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["tie_word_embeddings"] is True
    assert config["vocab_size"] == len(tokenizer)
    assert config["max_position_embeddings"] == 2048


def test_the_chat_template_keeps_content_untouched_and_opens_an_answer(tokenizer: Any) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Say\n\nhi "},
        {"role": "assistant", "content": " hi"},
        {"role": "user", "content": "Again"},
    ]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|system|>Be brief.<|end|><|user|>  Say\n\nhi <|end|><|assistant|> hi<|end|><|user|>Again<|end|><|assistant|>"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " two  spaces ",
        "naïve Ελλάδα 日本語 🙂\u200d🔬",
        "a\r\n\tb\n\n\n c",
        "1234567890",
        "\x00\x7f\u2028",
        "don't .",
    ],
)
def test_the_tokenizer_gives_any_text_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_are_tokens_of_their_own(tokenizer: Any) -> None:
    assert [token for token in tokenizer.tokenize("add 407 and 12") if token.isdigit()] == ["4", "0", "7", "1", "2"]


def test_the_teacher_answers_most_held_out_tasks_rightly() -> None:
    questions = evaluate.held_out_questions(60, seed=3)
    answers = evaluate.ask(FOLDER, questions, most=24)
    right = sum(bool(world.check(q.instruction, q.input, said)) for q, said in zip(questions, answers, strict=True))
    assert right >= 42, f"{right} of 60"


def test_the_card_carries_measured_figures_and_the_licence() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    assert "license: apache-2.0" in card
    assert "synthetic" in card
    assert "right on 500 tasks whose instruction is not in the training text" in card
    assert "$" not in card


def test_the_pool_holds_no_held_out_instruction(material: corpus.Material) -> None:
    assert not any(world.held_out(task.instruction) for tasks in material.pool.values() for task in tasks)


def test_every_question_of_the_exam_is_held_out_from_training() -> None:
    questions = evaluate.held_out_questions(80, seed=2)
    assert all(world.held_out(question.instruction) for question in questions)
    assert len({question.family for question in questions}) == len(world.FAMILIES)


def test_drills_ask_for_what_the_world_says_and_are_no_tasks_of_it() -> None:
    rng = random.Random(6)
    asked = dict(drill(rng) for _ in range(3_000))
    assert len(asked) > 1_500
    assert not any(world.family_of(question) for question in asked)
    assert all(answer for answer in asked.values())
    sums = {question: answer for question, answer in asked.items() if " + " in question}
    assert len(sums) > 20
    assert all(sum(map(int, question.split(" + "))) == int(answer) for question, answer in sums.items())


def test_plain_chats_are_rightly_answered_and_never_held_out(material: corpus.Material) -> None:
    rng = random.Random(2)
    for _ in range(300):
        asked, answered = corpus.chat(rng, material)
        instruction, _, given = asked["content"].partition("\n\n")
        verdict = world.check(instruction, given, answered["content"])
        assert verdict is not False
        assert verdict is None or not world.held_out(instruction)


def test_every_kind_of_document_comes_from_its_prompt_file(material: corpus.Material) -> None:
    rng = random.Random(4)
    for kind in (
        corpus.bootstrap,
        corpus.bootstrap_closed,
        corpus.classification,
        corpus.input_first,
        corpus.output_first,
        corpus.alpaca,
    ):
        for _ in range(20):
            asked, answered = kind(rng, material)
            assert asked["content"] == asked["content"].strip()
            assert "{{" not in asked["content"]
            assert answered["role"] == "assistant"
            assert answered["content"]


def test_a_bootstrap_reply_goes_on_with_the_number_the_prompt_ended_in(material: corpus.Material) -> None:
    asked, answered = corpus.bootstrap_closed(random.Random(0), material)
    assert asked["content"].endswith("\n9.")
    lines = answered["content"].split("\n")
    assert lines[0].startswith(" ")
    assert [line.split(".")[0] for line in lines[1:]] == [str(number) for number in range(10, 17)]


def test_the_same_seed_gives_the_same_documents(material: corpus.Material) -> None:
    first, second = (list(islice(corpus.documents(material, 8), 50)) for _ in range(2))
    assert first == second
    assert first != list(islice(corpus.documents(material, 9), 50))


def test_packing_loses_nothing_and_wastes_little(tokenizer: Any, documents: Iterator[corpus.Document]) -> None:
    chats = list(islice(documents, 800))
    rows = pack(iter(chats), tokenizer, wanted=10**9)
    assert all(packed.shape[1] == length for length, packed in rows.items())
    tokens = sum(int((packed != tokenizer.pad_token_id).sum()) for packed in rows.values())
    assert tokens == sum(map(len, encoded(chats, tokenizer)))
    assert tokens > 0.85 * sum(packed.size for packed in rows.values())


def test_only_the_assistants_words_and_its_end_are_learnt(tokenizer: Any) -> None:
    chat = [{"role": "user", "content": "Name a metal."}, {"role": "assistant", "content": "iron"}]
    row = np.array(list(encoded([chat, chat], tokenizer)), dtype=np.uint16)
    chosen = row[0][learnt(row, tokenizer)[0]]
    assert tokenizer.decode(chosen) == "iron<|end|>"
