"""The pocket teacher: the small language model that is shipped with llmsynth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from llmsynth.backends.transformers import TransformersBackend

FOLDER = Path(__file__).parent.parent / "data" / "pocket"


@dataclass
class PocketBackend(TransformersBackend):
    """An offline teacher for trying, testing and teaching; see the model card beside its weights.

    It knows a small made-up world only. Real corpora use a real model.
    """

    model: str = field(default=str(FOLDER), init=False)
    device: str = "cpu"

    @property
    def name(self) -> str:
        return "llmsynth-pocket"
