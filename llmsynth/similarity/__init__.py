"""How alike two texts are, exactly. Importing it loads neither numpy nor numba."""

from llmsynth.similarity.rouge import Match, RougeIndex, rouge_l, rouge_tokens

__all__ = ["Match", "RougeIndex", "rouge_l", "rouge_tokens"]
