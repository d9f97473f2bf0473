"""Self-Instruct (Wang et al., ACL 2023) and its Stanford Alpaca variant."""

from llmsynth.generators.self_instruct.alpaca import Alpaca
from llmsynth.generators.self_instruct.method import SelfInstruct

__all__ = ["Alpaca", "SelfInstruct"]
