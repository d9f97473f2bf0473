"""What a dataset is and how it is read: the first sections of its card."""

from __future__ import annotations

import json
import re

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
    "metadata": "where the row comes from, as one JSON object",
}


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
    text = "## Columns\n\n" + _columns(facts, first[1][0].columns)
    for name, splits in others:
        more = {column: kind for column, kind in splits[0].columns.items() if column not in first[1][0].columns}
        if more:
            text += f"\n\nThe config {code(name)} also has:\n\n{_columns(facts, more)}"
    return text


def _columns(facts: CardFacts, kinds: dict[str, str]) -> str:
    rows = [(code(name), _type(kind), facts.columns.get(name, HOLDS.get(name, ""))) for name, kind in kinds.items()]
    return table(("column", "type", "holds"), rows)


def _type(kind: str) -> str:
    return "list of {role, content}" if kind == "messages" else kind


def example(facts: CardFacts) -> str:
    shown = next((split.example for split in facts.splits if split.example), None)
    return "## A row\n\n" + fenced(json.dumps(shown, ensure_ascii=False, indent=2), "json") if shown else ""
