"""What the tests on real vLLM share. They run where the package or its CPU build is installed: scripts/test-vllm."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import llmsynth

collect_ignore_glob = [] if importlib.util.find_spec("vllm") else ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def environment() -> Iterator[None]:
    """For the engine's processes too, which inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("VLLM_NO_USAGE_STATS", "1")
        patch.setenv("VLLM_HOST_IP", "127.0.0.1")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1"))  # GiB; CPU build only
        yield


@pytest.fixture(scope="session")
def teacher() -> str:
    """The model under test: the pocket teacher, or the chat model that LLMSYNTH_VLLM_MODEL names."""
    folder = os.environ.get("LLMSYNTH_VLLM_MODEL") or Path(llmsynth.__file__).parent / "data" / "pocket"
    assert Path(folder, "config.json").is_file(), f"no model in {folder}: make one with scripts/pocket/build"
    return str(folder)


@pytest.fixture(scope="session")
def engine() -> dict[str, Any]:
    """Arguments for vLLM's engine that suit a small model on any machine."""
    # so small a model would fill its answers with the blanks that JSON allows
    structured = {"backend": "guidance", "disable_any_whitespace": True}
    return {
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": 2048,
        "gpu_memory_utilization": 0.5,
        "structured_outputs_config": structured,
    }
