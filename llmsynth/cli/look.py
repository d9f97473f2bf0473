"""The commands that look at a run: status, show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from llmsynth.cli import console
from llmsynth.cli.funnel import funnel_table
from llmsynth.errors import RunError
from llmsynth.prices import FREE, Price, dollars
from llmsynth.record import Record

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")]


def status(run: RunArgument) -> None:
    """Tell how far a run has come: answers, failures and tokens by stage, what was spent, what is left to do."""
    journal = _journal(run)
    from llmsynth.cli.scores import score_lines
    from llmsynth.cli.survival import warnings
    from llmsynth.embed.account import paid_in
    from llmsynth.journal import read_entries

    answers: Counter[str] = Counter()
    tokens: dict[str, list[int]] = {}
    uncounted: set[str] = set()
    open_failures: dict[str, tuple[str, str]] = {}
    for entry in read_entries(journal):
        if "key" in entry:
            answers[entry["stage"]] += 1
            spent = tokens.setdefault(entry["stage"], [0, 0])
            for i, count in enumerate(entry["usage"]):
                spent[i] += count or 0
                if count is None:
                    uncounted.add(entry["stage"])
            open_failures.pop(entry["key"], None)
        else:
            open_failures[entry["failed"]] = (entry["stage"], entry["failure"]["kind"])
    for stage, count in answers.items():
        print(f"{stage}: {count} answers, {tokens[stage][0]:,} + {tokens[stage][1]:,} tokens")
    report = run / "report.json"
    told = json.loads(report.read_bytes()) if report.is_file() else None
    if told is None or told["rows"]["failed"] or not told["complete"]:  # else others were asked in their place
        for (stage, kind), count in Counter(open_failures.values()).items():
            print(f"{stage}: {count} failed with {kind}")
    recipe = _recipe(run)
    vectors = [paid for path in sorted(run.glob("vectors/*.jsonl")) for paid in paid_in(path)]
    if vectors:
        print(f"embeddings: {len(vectors)} answers, {sum(paid.tokens or 0 for paid in vectors):,} + 0 tokens")
    print(f"spent: {_cost(recipe, tokens, uncounted, [paid.cost for paid in vectors])}")
    if told is None:
        _print_unfinished(run, recipe.get("target"))
        return
    rows = told["rows"]
    dropped, lost = sum(rows["dropped"].values()), sum(rows["failed"].values())
    print(f"finished: {rows['kept']} kept + {dropped} dropped + {lost} failed = {rows['in']} rows")
    print(funnel_table(told))
    for line in score_lines(told):
        print(line)
    if told["missing"]:
        print(f"left: {told['missing']} of {told['target']} rows wanted")
    if lost:
        print(f"left: {lost} failed rows, which `llmsynth retry {run}` asks again")
    for line in warnings(told, run, uses_pocket(run)):
        print(line)


def uses_pocket(run: Path) -> bool:
    """Whether the pocket teacher is among the models of a run."""
    return any(model.get("use") == "pocket" for model in _recipe(run).get("models", {}).values())


def _print_unfinished(run: Path, target: int | None) -> None:
    """What is known of a run that is under way, or was stopped: rows are written every twenty seconds or so."""
    rows = _count_records(run / "records")
    print(f"so far: {rows['kept']} kept + {rows['dropped']} dropped + {rows['failed']} failed = {rows.total()} rows")
    left = "not finished" if target is None else f"{max(0, target - rows['kept'])} of {target} rows wanted"
    print(f"left: {left}; the command that began it goes on from here")


def _count_records(folder: Path) -> Counter[str]:
    """How many records are kept, dropped and failed, of a run that is under way as well."""
    import pyarrow.parquet as pq

    counts: Counter[str] = Counter()
    for part in sorted(folder.glob("part-*.parquet")):
        with suppress(FileNotFoundError):  # a run that begins again has just removed it
            counts.update(pq.read_table(part, columns=["status"])["status"].to_pylist())
    return counts


def _recipe(run: Path) -> dict[str, Any]:
    """The recipe saved with a run, as plain data; empty where there is none yet."""
    path = run / "recipe.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return data if isinstance(data, dict) else {}


def _cost(
    recipe: dict[str, Any], tokens: dict[str, list[int]], uncounted: set[str], vectors: list[float | None]
) -> str:
    """US dollars for the tokens of each stage, at the price of the model that has its role, and for vectors.

    uncounted: the stages with answers whose tokens the server did not count. vectors: what each request for them cost.
    """
    models = recipe.get("models", {})
    cost = 0.0
    for paid in vectors:
        if paid is None:
            return "unknown, as that of embeddings is"
        cost += paid
    for stage, (prompt, made) in tokens.items():
        price = (models.get(stage) or models.get("default") or {}).get("price")
        if price is None:
            return "unknown, as a price is"
        if stage in uncounted and Price(**price) != FREE:
            return "unknown, as the server did not count all tokens"
        cost += Price(**price).cost(prompt, made)
    return f"{dollars(cost)} US dollars"


def show(
    run: RunArgument,
    record: Annotated[str, typer.Argument(help="The id of a record; without it, records are listed.")] = "",
    dropped: Annotated[str, typer.Option(metavar="REASON", help="List records dropped for this reason.")] = "",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Records to list.")] = 20,
) -> None:
    """Show the exact prompts and raw replies behind a record, or list records."""
    from llmsynth.dataset import read_records

    _journal(run)
    records = read_records(run / "records")
    if record:
        found = [r for r in records if r.id == record]
        if not found:
            raise RunError(f"{run} holds no record {record!r}", f"`llmsynth show {run}` lists them")
        print_trail(run, found)
        return
    listed = 0
    reasons: Counter[str] = Counter()
    for r in records:
        if r.dropped:
            reasons[r.dropped.reason] += 1
        if dropped and (r.dropped is None or r.dropped.reason != dropped):
            continue
        reason = f"{r.status}: {r.dropped.reason}" if r.dropped else r.status
        print(f"{r.id}\t{reason}\t{_beginning(r)!r}")
        listed += 1
        if listed == n:
            break
    if not listed:
        told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()) or "nothing"
        console.say(
            f"no record was dropped for {dropped!r}; dropped: {told}" if dropped else f"{run} has no record yet"
        )


def _beginning(record: Record) -> str:
    """Of the instruction, or of whatever text comes first."""
    texts = [record.fields.get("instruction"), *record.fields.values()]
    return next((str(text)[:100] for text in texts if text), "")


def print_trail(directory: Path, records: Iterable[Record]) -> None:
    """Every completion behind the records, in order and once each, and the rows below it."""
    from llmsynth.journal import read_entries

    chosen = list(records)
    wanted = {key for record in chosen for key in record.meta.get("journal", ())}
    entries = {e["key"]: e for e in read_entries(directory / "journal.jsonl") if e.get("key") in wanted}
    shown: set[str] = set()
    for record in chosen:
        for key in record.meta.get("journal", ()):
            if key in entries and key not in shown:
                shown.add(key)
                _print_entry(entries[key])
        by = f", by {record.meta['dropped_by']}" if "dropped_by" in record.meta else ""
        reason = f" ({record.dropped.reason}: {record.dropped.detail}{by})" if record.dropped else ""
        print(f"──── record {record.id}: {record.status}{reason}")
        for name, value in record.fields.items():
            print(f"{name}: {value}")
        print()


def _print_entry(entry: dict[str, Any]) -> None:
    tokens = " + ".join("?" if count is None else str(count) for count in entry["usage"])
    print(f"════ {entry['stage']} · {entry['prompt']} · {json.dumps(entry['sampling'])}")
    for message in entry["messages"]:
        print(f"[{message['role']}]\n{message['content']}")
    print(f"──── reply · {entry['finish_reason']} · {tokens} tokens\n{entry['text']}\n")


def _journal(run: Path) -> Path:
    path = run / "journal.jsonl"
    if not path.is_file():
        raise RunError(f"{run} is no run: there is no journal.jsonl in it", "name the directory given to --out")
    return path
