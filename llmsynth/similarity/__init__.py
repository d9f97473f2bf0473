"""How alike two texts are, exactly. Importing it loads neither numpy nor numba."""

from llmsynth.similarity.minhash import MinHashIndex, jaccard
from llmsynth.similarity.rouge import Match, RougeIndex, rouge_l, rouge_tokens, tokens_of_any_script

__all__ = ["Match", "MinHashIndex", "RougeIndex", "jaccard", "rouge_l", "rouge_tokens", "tokens_of_any_script"]
