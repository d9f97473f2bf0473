"""Seeds and rows read from the ecosystem's files: JSONL, JSON, CSV, Parquet, `datasets` folders."""

from llmsynth.sources.rows import FORMATS, Row, read_rows
from llmsynth.sources.seeds import BUILTIN, Seed, Seeds, read_seeds

__all__ = ["BUILTIN", "FORMATS", "Row", "Seed", "Seeds", "read_rows", "read_seeds"]
