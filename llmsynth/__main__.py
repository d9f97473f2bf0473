"""`python -m llmsynth`."""

from llmsynth.cli import main

main()
