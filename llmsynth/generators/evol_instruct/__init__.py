"""Evol-Instruct (Xu et al., ICLR 2024), with the packs of WizardCoder and WizardMath."""

from llmsynth.generators.evol_instruct.elimination import Elimination, Growth
from llmsynth.generators.evol_instruct.method import EvolInstruct
from llmsynth.generators.evol_instruct.rows import Stop

__all__ = ["Elimination", "EvolInstruct", "Growth", "Stop"]
