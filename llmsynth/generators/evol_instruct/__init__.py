"""Evol-Instruct (Xu et al., ICLR 2024), with the packs of WizardCoder and WizardMath, and Auto Evol-Instruct."""

from llmsynth.generators.evol_instruct.auto import Auto
from llmsynth.generators.evol_instruct.elimination import Elimination, Growth
from llmsynth.generators.evol_instruct.method import EvolInstruct
from llmsynth.generators.evol_instruct.rows import Stop

__all__ = ["Auto", "Elimination", "EvolInstruct", "Growth", "Stop"]
