"""What a dataset is and how it is read: the first sections of its card."""

from __future__ import annotations

import json
import re
from typing import Any

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.markdown import code, count, fenced, line, prose, table
from llmsynth.dataset import DatasetInfo

HOLDS = {
    "id": "name of the row, unique in the dataset",
    "instruction": "the task",
    "input": "what the task is applied to; empty where it needs nothing",
    "output": "the answer",
    "messages": "the same row as a conversation",
    "prompt": "what the model is asked",
    "completion": "the answer",
    "chosen": "the better answer",
    "rejected": "the worse answer",
    "score_chosen": "how good the better answer is, by what told the two apart",
    "score_rejected": "the same of the worse answer",
    "answers": "the answers of models, with who gave each",
    "text": "the text",
    "label": "the class",
}
_PROVENANCE = "where the row comes from, as one JSON object"
_MOST_SHOWN = 5_000  # characters of a row as JSON
_CUT = 300  # characters of each text of a longer one, and _FEW items of each list
_FEW = 4


def title(facts: CardFacts) -> str:
    return f"# {line(facts.name)}"


def summary(facts: CardFacts) -> str:
    """One paragraph of facts, and what the owner says."""
    said = _curated(facts) if facts.curated else _made(facts)
    return f"{said}\n\n{prose(facts.words.summary)}" if facts.words.summary.strip() else said


def _curated(facts: CardFacts) -> str:
    wrote = f", with text by {_models(facts)}" if facts.writers else ""
    return f"{count(facts.rows, 'row')} of {code(facts.curated)}, curated by llmsynth{wrote}."


def _made(facts: CardFacts) -> str:
    models = f" with {_models(facts)}" if facts.writers else ""
    seeds = f", starting from {count(facts.seed_count, 'seed task')}" if facts.seed_count is not None else ""
    generators = ", then ".join(code(name) for name in facts.generators)
    made = f"made by llmsynth's {generators} generator{'s' * (len(facts.generators) > 1)}{models}{seeds}"
    return f"{count(facts.rows, 'row')} of synthetic data, {made}."


def _models(facts: CardFacts) -> str:
    return " and ".join(map(code, facts.writers))


def loading(facts: CardFacts) -> str:
    """How each config is loaded, and how many rows there are in which split."""
    filled = {name: there for name, splits in facts.configs.items() if (there := [s for s in splits if s.rows])}
    if not filled:
        return ""
    calls = [_call(facts, name, splits, len(filled) > 1) for name, splits in filled.items()]
    text = "## Loading\n\n" + fenced("\n".join(["from datasets import load_dataset", "", *calls]), "python")
    if sum(map(len, filled.values())) == 1:
        return text
    rows = [(code(name), code(split.split), f"{split.rows:,}") for name, splits in filled.items() for split in splits]
    return f"{text}\n\n{table(('config', 'split', 'rows'), rows)}"


def _call(facts: CardFacts, config: str, splits: list[DatasetInfo], several: bool) -> str:
    where = json.dumps(facts.repo or "path/to/this/folder", ensure_ascii=False)
    named = f", {json.dumps(config)}" if several and config != "default" else ""
    variable = "rows" if config == "default" else re.sub(r"\W", "_", config)
    return f"{variable} = load_dataset({where}{named}, split={json.dumps(splits[0].split)})"


def columns(facts: CardFacts) -> str:
    """The columns of each config; of further ones, those that the first has not."""
    first, *others = facts.configs.items()
    text = "## Columns\n\n" + _columns(facts, first[1][0].columns, first[1][0].provenance)
    for name, splits in others:
        more = {column: kind for column, kind in splits[0].columns.items() if column not in first[1][0].columns}
        if more:
            text += f"\n\nThe config {code(name)} also has:\n\n{_columns(facts, more, splits[0].provenance)}"
    return text


def _columns(facts: CardFacts, kinds: dict[str, str], provenance: str) -> str:
    known = {**HOLDS, provenance: _PROVENANCE, **facts.columns}
    rows = [(code(name), _type(kind), known.get(name, "")) for name, kind in kinds.items()]
    return table(("column", "type", "holds"), rows)


def _type(kind: str) -> str:
    return "list of {role, content}" if kind == "messages" else kind


def example(facts: CardFacts) -> str:
    shown = next((split.example for split in facts.splits if split.example), None)
    if not shown:
        return ""
    text, note = json.dumps(shown, ensure_ascii=False, indent=2), ""
    if len(text) > _MOST_SHOWN:
        text = json.dumps(_cut(shown), ensure_ascii=False, indent=2)
        note = "\n\nWhat is long is cut short here, as … tells."
    return f"## A row\n\n{fenced(text, 'json')}{note}"


def _cut(value: Any) -> Any:
    """A value whose texts and lists are short; what was cut off is told by a last … and how much it was."""
    if isinstance(value, str):
        return value if len(value) <= _CUT else f"{value[:_CUT]}… ({len(value) - _CUT:,} more characters)"
    if isinstance(value, dict):
        return {name: _cut(inner) for name, inner in value.items()}
    if isinstance(value, list):
        more = [f"… ({len(value) - _FEW:,} more)"] if len(value) > _FEW else []
        return [*map(_cut, value[:_FEW]), *more]
    return value
