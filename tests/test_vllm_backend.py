"""What the vllm backend promises before vLLM comes into it; tests/vllm has the rest."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from llmsynth.backends.fake import FakeBackend
from llmsynth.backends.transformers import TransformersBackend
from llmsynth.backends.vllm import VLLMBackend
from llmsynth.errors import MissingExtraError, ModelNotFoundError, RecipeError
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.recipe import Recipe
from llmsynth.request import Message, Request, Sampling

REQUEST = Request("test", (Message(role="user", content="Hello"),), Sampling(temperature=0.5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "some-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


async def test_a_missing_package_is_named_with_the_line_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError) as caught:
        await VLLMBackend(str(folder)).complete(REQUEST)
    assert "llmsynth[vllm]" in caught.value.hint


def test_a_recipe_with_a_wrong_model_folder_is_refused_before_anything_starts(folder: Path, tmp_path: Path) -> None:
    def load(model: Path) -> Recipe:
        models = {"default": {"use": "vllm", "model": str(model), "engine": {"dtype": "float32"}}}
        return Recipe.from_data({"generator": {"use": "self-instruct"}, "models": models})

    assert load(folder).resolved()["models"]["default"]["engine"] == {"dtype": "float32"}
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match="no weights"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        load(folder)


def test_the_model_is_named_once(folder: Path) -> None:
    with pytest.raises(RecipeError, match="engine"):
        VLLMBackend(str(folder), engine={"model": "another"})


def test_the_identity_tells_what_answers_and_not_where_it_lies_or_how_fast_it_is(folder: Path, tmp_path: Path) -> None:
    def identity(model: Path = folder, **options: Any) -> str:
        return VLLMBackend(str(model), **options).identity

    moved = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, moved)
    assert identity(moved) == identity(engine={"tensor_parallel_size": 2}) == identity()
    assert str(tmp_path) not in identity()
    assert identity().removeprefix("vllm:") == TransformersBackend(str(folder)).identity.removeprefix("transformers:")
    different = [{"engine": {"quantization": "fp8"}}, {"engine": {"revision": "x"}}, {"api": "completions"}]
    assert len({identity(), *(identity(**options) for options in different)}) == 4
    (moved / "model.safetensors").write_bytes(b"other weights")
    assert identity(moved) != identity()


@pytest.mark.parametrize("backend", [VLLMBackend, TransformersBackend])
def test_weights_of_the_older_kind_tell_models_apart_where_they_are_what_is_loaded(
    folder: Path, tmp_path: Path, backend: Any
) -> None:
    def identity(safe: bytes | None, older: bytes | None) -> str:
        model = tmp_path / "model"
        shutil.rmtree(model, ignore_errors=True)
        model.mkdir()
        shutil.copy(folder / "config.json", model)
        for name, weights in (("model.safetensors", safe), ("pytorch_model-00001-of-00002.bin", older)):
            if weights is not None:
                (model / name).write_bytes(weights)
        found: str = backend(str(model)).identity
        return found

    assert identity(None, b"one" * 5000) != identity(None, b"two" * 5000)
    assert identity(None, b"one") == identity(None, b"one")
    assert identity(b"safe", b"one") == identity(b"safe", b"two") == identity(b"safe", None)


@pytest.mark.parametrize(
    "name", ["chat_template.jinja", "generation_config.json", "tokenizer_config.json", "vocab.txt"]
)
def test_another_template_or_tokenizer_is_another_model(folder: Path, name: str) -> None:
    before = VLLMBackend(str(folder)).identity
    (folder / name).write_text('{"other": 1}')
    assert VLLMBackend(str(folder)).identity != before
    (folder / "NOTES.md").write_text("read and answered by nobody")
    (folder / name).write_text('{"other": 2}')
    assert len({before, VLLMBackend(str(folder)).identity}) == 2


def test_names_on_the_hub_and_home_folders_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (VLLMBackend("org/model").identity, VLLMBackend("org/model").name) == ("vllm:org/model", "org/model")
    monkeypatch.setenv("HOME", str(folder.parent))
    assert VLLMBackend(f"~/{folder.name}").identity == VLLMBackend(str(folder)).identity


async def test_a_schema_is_part_of_the_journal_key_and_of_its_entry_only_where_there_is_one(journal: Journal) -> None:
    schema = {"type": "object"}
    model = Model(FakeBackend(lambda request: "{}"), journal)
    plain = await model.ask(REQUEST)
    shaped = await model.ask(Request(REQUEST.stage, REQUEST.messages, REQUEST.sampling, schema=schema))
    assert plain.key == "5359b005e38866594d9abe67386be8c7"  # journals written before there were schemas stay valid
    assert shaped.key != plain.key
    assert [entry.get("schema") for entry in read_entries(journal.path)] == [None, schema]
