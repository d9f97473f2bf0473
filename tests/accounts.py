"""What must hold of every finished run, whatever its model said: the sums, the lineage, the journal, the warning."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmsynth.dataset import read_records
from llmsynth.generators.glan.reading import read_sessions, read_subjects
from llmsynth.journal import read_entries
from llmsynth.record import Record


def check_sums(directory: Path) -> dict[str, Any]:
    """Every row is kept, dropped or failed, and every answer in the journal was asked for once."""
    report: dict[str, Any] = json.loads((directory / "report.json").read_text("utf-8"))
    rows = report["rows"]
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values()) > 0
    assert rows["failed"] == {}
    records = list(read_records(directory / "records"))
    assert len(records) == rows["in"] == len({record.id for record in records})
    assert rows["dropped"] == Counter(record.dropped.reason for record in records if record.dropped)
    for record in records:
        if record.dropped is None:
            assert record.fields["instruction"] and record.fields["output"]
    keys = Counter(entry["key"] for entry in read_entries(directory / "journal.jsonl"))
    assert keys.total() == sum(stage["answers"] for stage in report["usage"].values())
    assert set(keys.values()) == {1}
    return report


def check_evolution(directory: Path) -> dict[str, Any]:
    """Of a finished Evol-Instruct run: the report, its sums and lineage checked, and every answer a record's."""
    report = check_sums(directory)
    records = {record.id: record for record in read_records(directory / "records")}
    entries = {entry["key"]: entry for entry in read_entries(directory / "journal.jsonl")}
    for record in records.values():
        _check_trail(record, entries)
        for parent in (records[id] for id in record.meta["parents"]):
            assert parent.meta["round"] < record.meta["round"] and parent.dropped is None
            assert parent.meta["lineage"] == record.meta["lineage"]
            # the prompt that made it shows what it was made of
            assert parent.fields["instruction"] in entries[record.meta["journal"][0]]["messages"][-1]["content"]
        assert bool(record.meta["parents"]) == (record.meta["round"] > 0)
        if record.dropped is None and record.meta["round"]:
            assert record.fields["output"] == entries[record.meta["journal"][-1]]["text"].strip()
    _check_journal(records, entries, {})
    made = [record for record in records.values() if record.meta["round"]]
    assert len(made) == report["notes"]["evolutions"]
    told: dict[str, dict[str, Any]] = report["notes"]["survival"]
    tables = {(round, operator): table for round, by in told.items() for operator, table in by.items()}
    seen: dict[tuple[str, str], Counter[str]] = {}
    for record in made:
        outcomes = seen.setdefault((str(record.meta["round"]), record.meta["operator"]), Counter())
        outcomes[record.dropped.reason if record.dropped else "accepted"] += 1
    assert tables == {place: _table(outcomes) for place, outcomes in seen.items()}
    return report


def check_tree(directory: Path) -> dict[str, Any]:
    """Of a finished GLAN run: the report, its sums and lineage checked, and every answer a record's or of no news."""
    report = check_sums(directory)
    records = {record.id: record for record in read_records(directory / "records")}
    entries = {entry["key"]: entry for entry in read_entries(directory / "journal.jsonl")}
    for record in records.values():
        _check_trail(record, entries)
        behind = {entries[key]["stage"]: entries[key]["text"] for key in record.meta["journal"]}
        assert record.meta["path"][-1] == record.meta["discipline"]
        if "subject" in record.meta:
            named = read_subjects(behind.get("subject_lists") or behind["subjects"])
            assert record.meta["subject"] in {subject.name for subject in named}
        if "concepts" in record.meta:
            taught = {session.name: session.concepts for session in read_sessions(behind["sessions"])}
            for name, concepts in zip(record.meta["sessions"], record.meta["concepts"], strict=True):
                assert name in taught and set(concepts)
            assert {c for each in record.meta["concepts"] for c in each} <= {
                c for each in taught.values() for c in each
            }
        if record.dropped is None:
            assert record.fields["output"] == behind["answers"].strip()
    # a query may bring subjects that another brought before, or that no question came to: no record tells of it
    _check_journal(records, entries, {"subjects", "subject_lists"})
    assert report["notes"]["unreadable_replies"] == sum(map(_is_unreadable, entries.values()))
    eliminated: Counter[str] = Counter()
    for table in report["notes"]["survival"].values():
        assert table["tried"] == table["accepted"] + sum(table["eliminated"].values()) > 0
        eliminated.update(table["eliminated"])
    assert eliminated == report["rows"]["dropped"]
    return report


def check_warning(report: Mapping[str, Any], said: str) -> None:
    """The command says loudly where less than a tenth survived, with the reason that took the most; else nothing."""
    thin = []
    for name, table in report["notes"]["survival"].items():
        tables = [table] if "tried" in table else list(table.values())
        accepted, tried = (sum(each[count] for each in tables) for count in ("accepted", "tried"))
        reasons: Counter[str] = Counter()
        for each in tables:
            reasons.update(each["eliminated"])
        if accepted < 0.1 * tried:
            thin.append((f"round {name}" if name.isdecimal() else name, accepted, tried, reasons))
    rows = report["rows"]
    survived = rows["kept"] + rows["dropped"].get("beyond_target", 0)
    few = survived < 0.1 * rows["in"]
    assert said.count("WARNING: nearly nothing survived") == int(few or bool(thin)), said
    assert (f"survived: {survived} of {rows['in']} rows\n" in said) == few
    for name, accepted, tried, reasons in thin:
        assert f"  {name}: {accepted} of {tried} accepted (" in said
        assert str(reasons.most_common(1)[0][1]) in said
        assert any(reason in said for reason in reasons)
    if few or thin:
        lost = [(count, reason) for stage in report["funnel"] for reason, count in stage["dropped"].items()]
        most = max(count for count, reason in lost if reason != "beyond_target")
        assert any(f"  {most} (" in said and f") {reason}, by " in said for count, reason in lost if count == most)


def _check_trail(record: Record, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """What a record says of its answers is what the journal says."""
    meta = record.meta
    behind = [entries[key] for key in meta["journal"]]
    assert [entry["stage"] for entry in behind] == meta["stages"]
    assert [entry["prompt"] for entry in behind] == meta["prompts"]
    assert [entry["finish_reason"] for entry in behind] == meta["finish_reasons"]
    assert record.dropped is None or record.dropped.reason


def _check_journal(
    records: Mapping[str, Record], entries: Mapping[str, Mapping[str, Any]], of_no_news: set[str]
) -> None:
    """Each answer is behind a record; in the stages of no news it may have brought only what was there."""
    used = {key for r in records.values() for key in (*r.meta["journal"], *r.meta.get("asked_again", ()))}
    assert used <= entries.keys()
    for key in entries.keys() - used:
        assert entries[key]["stage"] in of_no_news, f"nobody accounts for {key}"


def _is_unreadable(entry: Mapping[str, Any]) -> bool:
    """Whether GLAN wanted data and found none; a free list of subjects is not read as data."""
    if entry["stage"] == "sessions":
        return entry["finish_reason"] == "length" or not read_sessions(entry["text"])
    wanted = entry["stage"] == "subject_lists" or entry["prompt"].startswith("glan/subjects_json")
    return wanted and not read_subjects(entry["text"])


def _table(outcomes: Counter[str]) -> dict[str, Any]:
    eliminated = {reason: count for reason, count in outcomes.items() if reason != "accepted"}
    return {"tried": outcomes.total(), "accepted": outcomes["accepted"], "eliminated": eliminated}
