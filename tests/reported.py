"""Runs to make pages of, written as a run leaves them but without making them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
import yaml

from llmsynth.dataset import RecordWriter
from llmsynth.funnel import Funnel
from llmsynth.record import Drop, Record
from llmsynth.text import fingerprint

VERBS = ("Write", "Name", "Sort", "Count", "Explain", "Translate", "Rewrite", "Compare")
THINGS = ("poem", "letter", "list", "recipe", "story", "table", "plan", "sentence", "river", "planet", "song", "word")
PLACES = ("harbour", "garden", "market", "library", "mountain", "kitchen", "theatre", "island", "station", "forest")


def records(count: int, seed: int = 0, answered: bool = True) -> list[Record]:
    """Invented rows: every tenth repeats the one before, every fifteenth is too short, the others are kept."""
    rng = random.Random(seed)
    made: list[Record] = []
    for number in range(count):
        verb, thing, place = rng.choice(VERBS), rng.choice(THINGS), rng.choice(PLACES)
        words = " ".join(rng.choices(THINGS + PLACES, k=rng.randint(3, 30)))
        meta = {"generator": "invented", "topic": place, "round": number % 4}
        if answered:
            meta["journal"] = [
                fingerprint("answer", str(seed), str(number // 2)),
                fingerprint("reply", str(seed), str(number)),
            ]
        drop = None
        text = f"{verb} a {thing} about the {place} number {number}."
        if number % 10 == 9:
            text = made[-1].fields["instruction"] + " Please."
            meta["duplicate_of"] = {"kept_id": made[-1].id, "method": "minhash", "score": 0.875}
            drop = Drop("minhash_duplicate", f"0.875 close to {made[-1].id}")
        elif number % 15 == 4:
            drop = Drop("too_short", "3 words")
            meta["dropped_by"] = "steps[1] length"
        fields = {"instruction": text, "input": "", "output": words}
        made.append(Record(f"row-{number}", fields, meta, {"quality": rng.random()} if drop is None else {}, drop))
    return made


def write_run(
    directory: Path, rows: Sequence[Record], name: str = "invented", journal: bool = True, padding: int = 0
) -> Path:
    """A finished run of these records, with an answer in the journal for each key they name.

    padding: words of no meaning that every prompt begins with.
    """
    directory.mkdir(parents=True, exist_ok=True)
    writer = RecordWriter(directory / "records")
    writer.write(rows)
    writer.close()
    funnel = Funnel("invented", ["minhash-duplicates", "length"])
    for record in rows:
        reason = record.dropped.reason if record.dropped else ""
        funnel.made.count(record if reason not in ("minhash_duplicate", "too_short") else _whole(record))
        if reason in ("", "minhash_duplicate", "too_short"):
            funnel.steps[0].count(record if reason != "too_short" else _whole(record))
        if reason in ("", "too_short"):
            funnel.steps[1].count(record)
    kept = sum(record.dropped is None for record in rows)
    reasons: dict[str, int] = {}
    for record in rows:
        if record.dropped:
            reasons[record.dropped.reason] = reasons.get(record.dropped.reason, 0) + 1
    usage = {"answers": 2, "replayed": 0, "failed": {}, "prompt_tokens": 120, "completion_tokens": 45, "cost": 0.01}
    report = {
        "rows": {"in": len(rows), "kept": kept, "dropped": reasons, "failed": {}},
        "funnel": funnel.report(),
        "scores": {},
        "diversity": {"texts": 80, "tokens": 640, "sets": {"kept": {"distinct_2": 0.625, "self_bleu": None}}},
        "usage": {"asking": usage, "answering": usage} if journal else {},
        "notes": {"survival": {"1": {"deepen": {"tried": 9, "accepted": 6, "eliminated": {"copied": 3}}}}},
        "seconds": 12.5,
    }
    (directory / "report.json").write_bytes(orjson.dumps(report))
    (directory / "recipe.yaml").write_text(yaml.safe_dump({"name": name, "generator": {"use": "invented"}}))
    (directory / "journal.jsonl").write_bytes(b"".join(entries(rows, padding)) if journal else b"")
    return directory


def entries(rows: Iterable[Record], padding: int = 0) -> Iterable[bytes]:
    seen = set()
    for record in rows:
        for place, key in enumerate(record.meta.get("journal", ())):
            if key not in seen:
                seen.add(key)
                noise = " ".join(str(number) for number in random.Random(key).choices(range(10_000), k=padding))
                entry = {
                    "key": key,
                    "stage": ("asking", "answering")[place],
                    "prompt": "invented/prompt@1",
                    "model": "openai:http://private.example/v1:secretive",
                    "messages": [
                        {"role": "user", "content": f"{noise}The exact prompt {place} of {record.id}\n\nwith lines"}
                    ],
                    "sampling": {"temperature": 0.7},
                    "at": 1.0,
                    "text": f"The raw reply {place} of {record.id}: {record.fields.get('output')}",
                    "finish_reason": "stop",
                    "usage": [12, 7],
                }
                yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def _whole(record: Record) -> Record:
    return Record(record.id, record.fields)


def rate_rows(run: Path, raters: Sequence[str]) -> None:
    """Ratings of six rows by each of these people, the first of whom gives 5 and the others 4, and their report."""
    from llmsynth.prompts import Prompts
    from llmsynth.rating import Source, Study, choose_rows, report
    from llmsynth.rubric import rubric_of

    study = Study("rows", rubric_of("answer", Prompts()), ".")
    folder = run / "ratings"
    folder.mkdir()
    for place, rater in enumerate(raters):
        lines: list[dict[str, object]] = [{"study": study.id, "about": study.told()}]
        for item in choose_rows(Source(run), 6, 0).items:
            marks = {name: 5 - min(1, place) for name in study.rubric.names}
            lines.append({"study": study.id, "item": item.key, "rows": list(item.rows), "rater": rater, "marks": marks})
        (folder / f"{rater.lower()}.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    (folder / "report.json").write_bytes(orjson.dumps(report(run)))
