"""Seeds and rows read from the ecosystem's files: JSONL, JSON, CSV, Parquet, `datasets` folders, qna.yaml trees."""

from llmsynth.sources.rows import FORMATS, Row, read_rows
from llmsynth.sources.seed import Seed, Seeds
from llmsynth.sources.seeds import BUILTIN, OWN_SEEDS, read_seeds

__all__ = ["BUILTIN", "FORMATS", "OWN_SEEDS", "Row", "Seed", "Seeds", "read_rows", "read_seeds"]
