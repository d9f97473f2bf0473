"""`Variety`: how varied what a run asks is, beside what it was made from, on equal terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from llmsynth.columns import questions
from llmsynth.diversity_report import Bleu, Sampled, measured
from llmsynth.embed import embedder_of
from llmsynth.errors import RecipeError
from llmsynth.generators.rows import Rows
from llmsynth.layout import Layout
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.sources import read_seeds

Extent = Literal["words", "full", "none"]
_QUICK, _QUICK_BLEU = 300, Bleu(100, 4)  # texts: enough for an error of some percent, in some hundredths of a second
_LEAST = 50  # texts of a set that is worth being compared with


class Variety:
    """Takes every record, kept and dropped alike, once; `told` is for the report.

    Measured is what is asked: instruction and input, or of a conversation the turns that are not the model's. The kept
    rows are told beside the seeds that a generator started from, or beside all rows of a source that was curated, where
    these are at least 50 texts and others than the kept ones.
    """

    def __init__(self, extent: Extent, generator: Any) -> None:
        self._extent = extent
        most = {} if extent == "full" else {"most": _QUICK}
        self._kept, self._all = Sampled(**most), Sampled(**most)
        self._dropped = False
        self._curates = isinstance(generator, Rows)
        self._on = _columns(generator)
        self._seeds = "" if self._curates else getattr(generator, "seeds", "")

    def add(self, record: Record) -> None:
        if self._extent == "none" or (record.dropped and not self._curates):
            return
        self._dropped |= record.dropped is not None
        if not self._curates:
            drawing = [self._kept] if self._kept.draws(record.id) else []
        else:
            into = [self._all] if record.dropped else [self._all, self._kept]
            drawing = [sample for sample in into if sample.draws(record.id)]
        if drawing and (text := questions(record, self._on)):
            for sample in drawing:
                sample.add(record.id, text)

    async def told(self, run: Run) -> dict[str, Any]:
        """`diversity`: the measures by set; nothing where none was wanted, or no text was kept."""
        if self._extent == "none" or not len(self._kept):
            return {}
        sets = {"kept": self._kept}
        if self._curates and self._dropped:
            sets["before"] = self._all
        elif isinstance(self._seeds, str) and self._seeds:
            sets["seeds"] = _of_seeds(self._seeds, self._kept.most)
        sets = {name: sample for name, sample in sets.items() if name == "kept" or len(sample) >= _LEAST}
        if self._extent == "full":
            return {"diversity": await measured(sets, run, embedder_of("static"))}
        return {"diversity": await measured(sets, run, bleu=_QUICK_BLEU)}


def line(told: Mapping[str, Any]) -> str:
    """What `Variety.told` says, in one line for people."""
    found = told["diversity"]
    kept = found["sets"]["kept"]
    others = [(name, other) for name, other in found["sets"].items() if name != "kept"]
    said = []
    for label, key in _SHOWN.items():
        if kept.get(key) is None:
            continue
        beside = "".join(f", {name} {other[key]:.3g}" for name, other in others if other[key] is not None)
        error = kept["self_bleu_error"] if key == "self_bleu" else 0
        within = f" ± {error:.1g}" if error else ""
        said.append(f"{label} {kept[key]:.3g}{within}{f' ({beside[2:]})' if beside else ''}")
    of = f"{found['texts']:,} drawn of each" if others else f"{found['texts']:,} kept"
    unseen = found["texts"] - found.get("embedded", found["texts"])
    beside = f"; the embedder sees nothing in {unseen:,} of them" if unseen else ""
    return f"diversity, {of}: {', '.join(said)}{beside}"


_SHOWN = {
    "distinct-2": "distinct_2",
    "self-BLEU": "self_bleu",
    "Vendi score": "vendi_score",
    "distance to the nearest": "mean_nearest_distance",
}


def _columns(generator: Any) -> tuple[str, ...]:
    """The fields that hold what is asked."""
    if not isinstance(generator, Rows):
        about = tuple(generator.about.columns)
        return tuple(name for name in ("instruction", "input") if name in about) or about
    try:
        layout = Layout.of(generator.texts, generator.on)
    except RecipeError:
        return tuple(generator.texts)
    return tuple(dict.fromkeys((*layout.instruction, *layout.input)))


def _of_seeds(source: str, most: int) -> Sampled:
    sample = Sampled(most)
    for seed in read_seeds(source):
        sample.add(seed.id, "\n\n".join(filter(None, (seed.instruction, seed.instances[0][0]))))
    return sample
