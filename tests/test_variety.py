"""How varied a run's rows are, in its report: beside the seeds, or beside all rows of what was curated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from llmsynth import Recipe, Record, Run, synthesize
from llmsynth.generators.rows import Rows
from llmsynth.generators.self_instruct.method import SelfInstruct
from llmsynth.sources import read_seeds
from llmsynth.variety import Variety, line
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_layers import loaded_by

WORDS = {"distinct_1", "distinct_2", "distinct_3", "self_bleu", "self_bleu_error", "compression_ratio", "verb_objects"}
VECTORS = {"vendi_score", "mean_nearest_distance", "clusters", "cluster_coverage", "cluster_entropy"}


def source(path: Path) -> str:
    """Our seeds, and one of them forty times more."""
    asked = [seed.instruction for seed in read_seeds("builtin")]
    rows = [{"question": text, "answer": f"{n}."} for n, text in enumerate([*asked, *asked[:1] * 40])]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return str(path)


def curated(folder: Path, **more: Any) -> dict[str, Any]:
    data = {
        "name": "v",
        "generator": {"use": "rows", "path": source(folder / "rows.jsonl"), "on": ["question", "answer"]},
        "steps": [{"use": "exact-duplicates", "on": ["question"]}],
        **more,
    }
    return synthesize(Recipe.from_data(data), folder / "run").report


def test_the_kept_rows_are_told_beside_all_rows_at_as_many_texts_and_words(tmp_path: Path) -> None:
    told = curated(tmp_path, diversity="full")["diversity"]
    kept, before = told["sets"]["kept"], told["sets"]["before"]
    assert kept.keys() == before.keys() == WORDS | VECTORS
    assert told["texts"] == len(read_seeds("builtin"))
    assert kept["distinct_2"] > before["distinct_2"]
    assert kept["vendi_score"] > before["vendi_score"] > 1
    assert kept["mean_nearest_distance"] > before["mean_nearest_distance"]
    assert kept["self_bleu"] < before["self_bleu"]


def test_words_alone_are_measured_unless_more_is_wanted(tmp_path: Path) -> None:
    told = curated(tmp_path)["diversity"]
    assert told["sets"]["kept"].keys() == WORDS
    assert told["self_bleu_texts"] == 100
    assert told["sets"]["kept"]["self_bleu_error"] > 0


def test_nothing_is_told_where_nothing_is_wanted_or_kept(tmp_path: Path) -> None:
    assert "diversity" not in curated(tmp_path, diversity="none")
    (tmp_path / "none").mkdir()
    assert "diversity" not in curated(tmp_path / "none", steps=[{"use": "where", "keep": "len(question) > 9999"}])


def test_a_source_of_which_nothing_was_dropped_is_not_compared_with_itself(tmp_path: Path) -> None:
    assert curated(tmp_path, steps=[])["diversity"]["sets"].keys() == {"kept"}


async def test_what_was_made_is_told_beside_its_seeds() -> None:
    variety = Variety("words", SelfInstruct())
    for n in range(400):
        variety.add(Record(f"{n}", {"instruction": "Write a poem.", "input": f"about {n}", "output": "x"}))
        variety.add(Record(f"d{n}", {"instruction": f"Dropped {n}", "input": "", "output": "x"}).drop("x"))
    told = (await variety.told(Run({})))["diversity"]
    assert told["texts"] == len(read_seeds("builtin"))
    assert told["sets"]["kept"]["self_bleu"] > told["sets"]["seeds"]["self_bleu"]
    assert told["sets"]["kept"]["verb_objects"]["top"].keys() == {"write poem"}
    said = line({"diversity": told})
    assert said.startswith(f"diversity, {told['texts']} drawn of each: distinct-2 ")
    assert "(seeds 0." in said


async def test_few_seeds_are_no_set_to_compare_with(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_bytes(b"\n".join(orjson.dumps({"instruction": f"Name {n}.", "output": "x"}) for n in range(20)))
    variety = Variety("words", SelfInstruct(seeds=str(seeds)))
    variety.add(Record("a", {"instruction": "Name a river.", "output": "The Rhine."}))
    assert (await variety.told(Run({})))["diversity"]["sets"].keys() == {"kept"}


async def test_of_a_conversation_the_persons_turns_are_measured(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "Good day to you"}]
    path = tmp_path / "talks.jsonl"
    path.write_bytes(b"\n".join([orjson.dumps({"messages": turns})] * 3))
    rows = Rows(str(path), on=("messages",))
    variety = Variety("words", rows)
    for record in rows.records():
        variety.add(record)
    assert (await variety.told(Run({})))["diversity"]["tokens"] == 3 * 2


async def test_the_order_of_the_records_changes_nothing() -> None:
    told = []
    for order in (1, -1):
        variety = Variety("words", SelfInstruct())
        for n in list(range(1000))[::order]:
            variety.add(Record(f"{n}", {"instruction": f"Write {n} poems about {n % 7} rivers.", "output": "x"}))
        told.append(await variety.told(Run({})))
    assert told[0] == told[1]


def test_measures_of_words_load_no_compiler() -> None:
    assert "numba" not in loaded_by("import llmsynth.variety")


def test_it_is_printed_with_the_scores(llmsynth: Any) -> None:  # noqa: F811
    rows = [
        {"instruction": f"Name {n} rivers.", "output": "word " * (n % 9 + 1), "skill": "geography" if n % 3 else "code"}
        for n in range(90)
    ]
    Path("rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    Path("steps.yaml").write_text("[{use: heuristics}, {use: where, keep: \"skill != 'code'\"}]")
    told = llmsynth("curate", "rows.jsonl", "--steps", "steps.yaml", "--by", "skill", "-o", "out")
    assert told.code == 0
    lines = told.err.splitlines()
    assert any(line.startswith("heuristics: 0.") and line.endswith(" with length") for line in lines)
    assert not any(line.startswith("heuristics_") for line in lines)
    assert "kept by skill, the least first: code 0% of 30, geography 100% of 60" in lines
    assert any(line.startswith("diversity, 60 drawn of each: distinct-2 ") and "Vendi score" in line for line in lines)
    assert "kept by skill, the least first: code 0% of 30" in llmsynth("status", "out").out
