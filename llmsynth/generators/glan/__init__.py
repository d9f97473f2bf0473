"""GLAN (Li et al., 2024): instructions from a taxonomy of human knowledge, without seeds."""

from llmsynth.generators.glan.method import GLAN

__all__ = ["GLAN"]
