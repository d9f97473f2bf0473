"""Which model a directory or a name on the Hub stands for, and what can be wrong with one that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from llmsynth.errors import ModelNotFoundError
from llmsynth.request import Message, RequestFailedError
from llmsynth.text import fingerprint, shorten

_PIECES, _PIECE = 16, 4096
# beside the weights, what decides which tokens a conversation becomes, and when an answer ends
_ASIDE = (
    "added_tokens.json",
    "chat_template*",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer*",
    "vocab*",
)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model to be loaded on this machine.

    source: what its loader takes: a directory, or the name.
    identity: what it is, wherever it lies; for journal keys. name: fit for publication, no path.
    """

    source: str
    identity: str
    name: str

    @classmethod
    def find(cls, model: str) -> LocalModel:
        """The model in a directory, or of a name on the Hub, which is not looked up.

        Raises `ModelNotFoundError` for a path where there is no model.
        """
        folder = Path(model).expanduser()
        if folder.is_dir():
            _check(folder)
            name = folder.resolve().name
            aside = sorted(path for pattern in _ASIDE for path in folder.glob(pattern) if path.is_file())
            files = [_sample(path) for path in (*_weights(folder), *aside)]
            config = (folder / "config.json").read_text(encoding="utf-8")
            return cls(str(folder), f"{name}@{fingerprint(config, *files)[:12]}", name)
        if folder.is_absolute() or model.startswith((".", "~")):
            raise ModelNotFoundError(f"no model directory at {model}", "give a directory, or a name on the Hub")
        return cls(model, model, model)


def cannot_load(what: str, error: Exception) -> ModelNotFoundError:
    """The error for a model that its loader does not find, or cannot read."""
    return ModelNotFoundError(
        f"{what}: {shorten(str(error), 300)}",
        "give a directory that save_pretrained wrote, or a name that your Hub cache or connection can provide",
    )


def too_long(tokens: int, window: int) -> RequestFailedError:
    """The error for a prompt that leaves no room for an answer."""
    return RequestFailedError("prompt_too_long", f"{tokens} tokens, the model takes {window}", retryable=False)


def templated(tokenizer: Any, messages: Sequence[Message], *, asks: bool = True) -> str:
    """A conversation as the model's chat template writes it, up to where the assistant begins if it `asks`.

    Raises `RequestFailedError` for one that the template refuses, as some do with a system's turn.
    """
    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=asks))
    except jinja2.TemplateError as error:
        raise RequestFailedError("refused", f"the chat template: {error}", retryable=False) from error


def _sample(path: Path) -> str:
    """Size and pieces of a file: other weights differ everywhere, and hashing all of them takes minutes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = []
        for part in range(_PIECES):
            file.seek(size * part // _PIECES)
            pieces.append(file.read(_PIECE).hex())
    return fingerprint(path.name, str(size), *pieces)


def _weights(folder: Path) -> list[Path]:
    """The files that are loaded: what is safe where there is any, as transformers and vLLM choose too."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _check(folder: Path) -> None:
    hint = "it needs config.json, *.safetensors and a tokenizer, as save_pretrained writes them"
    if not (folder / "config.json").is_file():
        raise ModelNotFoundError(f"{folder} holds no model: config.json is missing", hint)
    if not _weights(folder):
        raise ModelNotFoundError(f"{folder} holds no weights", hint)
