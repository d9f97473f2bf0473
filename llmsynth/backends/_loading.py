"""Loads a transformers model with its tokenizer."""

from __future__ import annotations

import threading
from typing import Any

import torch
import transformers

from llmsynth.backends._local import cannot_load
from llmsynth.errors import BackendError

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # CUDA and others, Linux, Windows


# transformers makes a model on a device of no memory first, and the switch for that is one for all threads
_one_at_a_time = threading.Lock()


def load(kind: Any, name: str, device: str, dtype: str, trust_remote_code: bool) -> tuple[Any, Any, str]:
    """Tokenizer, model and device. `kind` is one of transformers' Auto classes. Raises `BackendError`."""
    transformers.utils.logging.disable_progress_bar()  # stderr has a progress line of its own
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
        with _one_at_a_time:
            model = kind.from_pretrained(name, dtype=dtype, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise cannot_load(f"cannot load {name}", error) from error
    if device == "cpu" and dtype == "auto" and model.dtype == torch.float16:
        model = model.float()  # half precision is slower than single on most processors
    try:
        model = model.to(device).eval()
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without CUDA
        hint = "a smaller model or dtype, or another device" if is_out_of_memory(error) else "such as cpu or cuda:0"
        raise BackendError(f"cannot put {name} on {device}: {str(error).splitlines()[0]}", hint) from error
    return tokenizer, model, device


def window_of(model: Any) -> int:
    """The tokens that a model takes at most."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)


def is_out_of_memory(error: BaseException) -> bool:
    # torch raises a class of its own for GPUs, and for main memory a plain RuntimeError
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)
