"""What was kept and how good it is: the figures of a run's report as a card has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.markdown import code, count, number, table
from llmsynth.cards.origin import settings
from llmsynth.prices import dollars

_COMPARED = ("on", "threshold", "embedder", "ngram", "near", "shortest", "columns")  # of what makes two texts alike


def funnel(facts: CardFacts) -> str:
    """Every record there was: kept, dropped or failed; and stage by stage."""
    total = facts.rows + sum(facts.dropped.values()) + sum(facts.failed.values())
    rows = [
        ("read" if facts.curated else "made", "", f"{total:,}"),
        *((what, f"`{reason}`", f"{lost:,}") for what, reason, lost in _lost(facts)),
        ("**kept**", "", f"**{facts.rows:,}**"),
    ]
    text = "## What was kept\n\n" + table(("records", "reason", "count"), rows)
    if len(facts.funnel) < 2:
        return text
    stages = [
        (code(stage["stage"]), f"{stage['in']:,}", f"{stage['kept']:,}", _reasons(stage)) for stage in facts.funnel
    ]
    return f"{text}\n\nStage by stage:\n\n{table(('stage', 'in', 'kept', 'lost'), stages)}"


def _lost(facts: CardFacts) -> list[tuple[str, str, int]]:
    return [
        (what, reason, lost)
        for what, reasons in (("dropped", facts.dropped), ("failed", facts.failed))
        for reason, lost in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _reasons(stage: Mapping[str, Any]) -> str:
    lost = {**stage.get("dropped", {}), **{f"{reason} (failed)": n for reason, n in stage.get("failed", {}).items()}}
    return ", ".join(f"{reason} {n:,}" for reason, n in lost.items())


def checks(facts: CardFacts) -> str:
    """What was done against duplicates and the items of test sets, and what came of it."""
    done = [*_duplicates(facts), *_contamination(facts)]
    if done:
        return "## Duplicates and test items\n\n" + "\n\n".join(done)
    return ""


def not_done(facts: CardFacts) -> list[str]:
    """Of duplicates and test items, what nobody looked for."""
    uses = [str(step.get("use", "")) for step in facts.steps]
    points = []
    if not any(use.endswith("-duplicates") for use in uses):
        found = ", ".join(f"`{reason}` {facts.dropped[reason]:,}" for reason in _REPEATS if facts.dropped.get(reason))
        beyond = f" beyond those that the generator turned away ({found})" if found else ""
        points.append(f"No step looked for duplicates{beyond}.")
    if not any(note.get("benchmarks") for note in _compared(facts.notes)):
        points.append("Nothing was compared with the items of any test set.")
    return points


_REPEATS = ("not_novel", "duplicate_instruction", "duplicate_instance")  # reasons of generators that look themselves


def _duplicates(facts: CardFacts) -> Iterator[str]:
    lines = []
    stages = iter(stage for stage in facts.funnel if str(stage["stage"]).endswith("-duplicates"))
    for step in facts.steps:
        if not str(step.get("use", "")).endswith("-duplicates"):
            continue
        stage = next(stages, None)
        told = settings({key: step[key] for key in _COMPARED if step.get(key) not in (None, [])})
        found = f": {sum(stage['dropped'].values()):,} of {count(stage['in'], 'row')} dropped" if stage else ""
        lines.append(f"- {code(step['use'])}{f' ({told})' if told else ''}{found}")
    if lines:
        yield "\n".join(lines)
    for name, note in facts.notes.items():
        if ": recall beyond" in name and isinstance(note, Mapping):
            yield f"{name.replace('_', ' ')}: {number(note.get('share_found'))} of the pairs were found, by a sample."
        elif name.startswith("semantic_duplicates: unseen by") and isinstance(note, Mapping):
            texts = f"{number(note.get('unseen'))} of {number(note.get('texts'))} texts"
            yield f"The embedder sees nothing in {texts}; semantic deduplication passed these over."


def _contamination(facts: CardFacts) -> Iterator[str]:
    for note in _compared(facts.notes):
        if note.get("benchmarks"):
            yield _found(note)


def _compared(notes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What was noted of test sets: by a step, by a generator, and by the one that made its seeds."""
    for name, note in notes.items():  # of several steps there is one each: "decontaminate 2"
        if name.split(" ")[0] in ("decontaminate", "decontamination") and isinstance(note, Mapping):
            yield note
    seeds = notes.get("seeds")
    if isinstance(seeds, Mapping) and isinstance(seeds.get("notes"), Mapping):
        yield from _compared(seeds["notes"])


def _found(note: Mapping[str, Any]) -> str:
    near = f", or {number(note['near'])} of its words" if note.get("near") else ""
    rows = []
    for name, found in note["benchmarks"].items():
        by_kind = found.get("found", {})
        kinds = (f"{by_kind.get(kind, 0):,}" for kind in ("whole", "ngram", "near"))
        rows.append((code(name), f"{found['texts']:,}", f"{found.get('too_short', 0):,}", *kinds))
    head = ("test set", "items", "too short to look for", "found whole", "in part", "nearly")
    return (
        f"Compared with the items of test sets: {note['looked_at']:,} texts were looked at for a whole item, for"
        f" {note['ngram']} words of one in a row{near}.\n\n{table(head, rows)}"
    )


def scores(facts: CardFacts) -> str:
    agreement = list(_agreement(facts.notes))
    if not facts.scores and not agreement:
        return ""
    head = ("score", "rows", "without", "mean", "deviation", "correlation with length")
    rows = [
        (
            code(name),
            *(number(score.get(key)) for key in ("rows", "missing", "mean", "deviation")),
            number(score.get("spearman_with_length")) or "constant",
        )
        for name, score in facts.scores.items()
    ]
    parts = (
        [table(head, rows) + "\n\nOf all records, the dropped ones too; the correlation is Spearman's."] if rows else []
    )
    return "## Scores\n\n" + "\n\n".join([*parts, *(["\n".join(agreement)] if agreement else [])])


def _agreement(notes: Mapping[str, Any]) -> Iterator[str]:
    """How far judges agreed with verdicts of people."""
    for name, note in notes.items():
        agreement = note.get("agreement") if isinstance(note, Mapping) else None
        for what, found in (agreement or {}).items():
            told = ", ".join(
                f"{key} {number(value)}" for key, value in found.items() if key != "rows" and value is not None
            )
            yield f"- {code(name)} against people's {code(what)}, {count(found['rows'], 'row')}: {told}"


_MEASURES = {
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
    "self_bleu": "self-BLEU",
    "compression_ratio": "compression ratio",
    "verb_objects": "",
    "vendi_score": "Vendi score",
    "mean_nearest_distance": "mean distance to the nearest",
    "clusters": "",
    "cluster_coverage": "share of clusters covered",
    "cluster_entropy": "entropy over clusters",
}


def diversity(facts: CardFacts) -> str:
    """The measures of the report by set, on equal terms."""
    sets = facts.diversity.get("sets")
    if not sets:
        return ""
    keys = [key for key in next(iter(sets.values())) if _MEASURES.get(key, key) and not key.endswith("_error")]
    rows = [
        (_MEASURES.get(key, key.replace("_", " ")), *(number(found.get(key)) for found in sets.values()))
        for key in keys
        if any(isinstance(found.get(key), int | float) for found in sets.values())
    ]
    texts = facts.diversity["texts"]
    size = f"{texts:,} texts and {facts.diversity['tokens']:,} words of each"
    if (embedded := facts.diversity.get("embedded", texts)) < texts:
        size += f"; what needs vectors on {embedded:,} texts, as the embedder sees nothing in others"
    return f"## Diversity\n\n{table(('measure', *(code(name) for name in sets)), rows)}\n\nMeasured on {size}."


def cost(facts: CardFacts) -> str:
    """What was asked, and what it took. An unknown price is said."""
    if not facts.usage:
        return ""
    rows: list[tuple[str, ...]] = [
        (
            code(stage),
            f"{used['answers']:,}",
            f"{used['prompt_tokens']:,}",
            f"{used['completion_tokens']:,}",
            dollars(None if used["cost"] == "unknown" else used["cost"]),
        )
        for stage, used in facts.usage.items()
    ]
    totals = [f"{sum(used[key] for used in facts.usage.values()):,}" for key in _COUNTED]
    known = [used["cost"] for used in facts.usage.values()]
    total = dollars(None if "unknown" in known else sum(known))
    rows.append(("**all**", *totals, total))
    head = ("stage", "answers", "tokens of prompts", "tokens of answers", "US dollars")
    return f"## Tokens and cost\n\n{table(head, rows)}"


_COUNTED = ("answers", "prompt_tokens", "completion_tokens")
