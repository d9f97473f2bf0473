"""The commands that look at a run: status, show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from llmsynth.errors import RunError
from llmsynth.record import Record

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")]


def status(run: RunArgument) -> None:
    """Tell how far a run has come: answers and failures by stage, rows, and whether it is finished."""
    journal = _journal(run)
    from llmsynth.journal import read_entries

    answers: Counter[str] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    open_failures: dict[str, tuple[str, str]] = {}
    for entry in read_entries(journal):
        if "key" in entry:
            answers[entry["stage"]] += 1
            open_failures.pop(entry["key"], None)
        else:
            open_failures[entry["failed"]] = (entry["stage"], entry["failure"]["kind"])
    failed.update(open_failures.values())
    for stage, count in answers.items():
        print(f"{stage}: {count} answers")
    for (stage, kind), count in failed.items():
        print(f"{stage}: {count} failed with {kind}")
    report = run / "report.json"
    if not report.is_file():
        print("not finished: the command that began it goes on from here")
        return
    rows = json.loads(report.read_bytes())["rows"]
    dropped, lost = sum(rows["dropped"].values()), sum(rows["failed"].values())
    print(f"finished: {rows['kept']} kept + {dropped} dropped + {lost} failed = {rows['in']} rows")
    for reason, count in rows["dropped"].items():
        print(f"  dropped {count:6}  {reason}")


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
    for r in records:
        if dropped and (r.dropped is None or r.dropped.reason != dropped):
            continue
        reason = f"{r.status}: {r.dropped.reason}" if r.dropped else r.status
        print(f"{r.id}\t{reason}\t{str(r.fields.get('instruction', ''))[:100]!r}")
        listed += 1
        if listed == n:
            break


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
        reason = f" ({record.dropped.reason}: {record.dropped.detail})" if record.dropped else ""
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
