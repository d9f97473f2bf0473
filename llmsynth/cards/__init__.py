"""The parts of a dataset's card; `llmsynth.card` puts them together."""
