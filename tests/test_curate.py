"""`llmsynth curate` as a person types it, and killed in the middle."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from llmsynth.dataset import read_records
from llmsynth.journal import read_entries
from tests.loopback import Loopback
from tests.near_texts import near_duplicates
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_determinism import contents, finish, start
from tests.test_rows import lines


def questions(path: Path, count: int = 40) -> Path:
    """Every question twice, the second time in capitals."""
    rows = [{"question": f"What is {n // 2} + 1?", "answer": str(n // 2 + 1), "n": n} for n in range(count)]
    return lines(path, [row | ({"question": row["question"].upper()} if row["n"] % 2 else {}) for row in rows])


def test_it_drops_with_reasons_and_prints_the_funnel(llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    outcome = llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates", "-o", "out")
    assert (outcome.code, outcome.out) == (0, "out/dataset\n")
    table = [line.split() for line in outcome.err.splitlines()]
    assert ["rows", "40", "40", "0", "0"] in table
    assert ["exact-duplicates", "40", "20", "20", "0", "exact_duplicate", "20"] in table
    assert ["20", "kept", "+", "20", "dropped", "+", "0", "failed", "=", "40", "rows"] in table
    again = llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates", "-o", "out")
    assert again.code == 0 and "it was finished already" in again.err


def test_a_finished_one_can_be_looked_at(llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates", "-o", "out")
    assert "exact-duplicates" in llmsynth("status", "out").out
    shown = llmsynth("show", "out", "--dropped", "exact_duplicate", "-n", "1").out
    assert shown == "data.jsonl:2\tdropped: exact_duplicate\t'WHAT IS 0 + 1?'\n"
    told = llmsynth("show", "out", "data.jsonl:2").out
    assert "dropped (exact_duplicate: same as data.jsonl:1, by steps[0] exact-duplicates)" in told


def test_rows_in_a_script_the_embedder_does_not_know_come_to_an_end(llmsynth: Any) -> None:  # noqa: F811
    lines(Path("thai.jsonl"), [{"question": "วันนี้อากาศดีมาก" * (n + 1), "answer": "ใช่"} for n in range(60)])
    outcome = llmsynth("curate", "thai.jsonl", "--steps", "semantic-duplicates", "-o", "out")
    assert outcome.code == 0 and "60 kept + 0 dropped" in outcome.err
    assert "the embedder sees nothing in 60 of them" in outcome.err
    assert "semantic_duplicates: 60 of 60 texts were compared with none" in outcome.err
    assert "sees nothing in 60 of 60 texts" in Path("out/dataset/README.md").read_text(encoding="utf-8")


def test_there_is_nothing_to_estimate_where_no_step_asks(llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    Path("rows.yaml").write_text("generator: {use: rows, path: data.jsonl}\n")
    assert llmsynth("estimate", "rows.yaml").out == "rows asks nothing\n"
    assert llmsynth("validate", "rows.yaml").code == 0


def recipe_of(llmsynth: Any, *arguments: str) -> dict[str, Any]:  # noqa: F811
    outcome = llmsynth("curate", *arguments, "--print-recipe")
    assert outcome.code == 0, outcome.err
    return dict(yaml.safe_load(outcome.out))


def test_the_recipe_can_be_printed_and_run(llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    options = [
        "data.jsonl",
        "--steps",
        "exact-duplicates,tests.plugins:not_first",
        "-n",
        "7",
        "--columns",
        "question,answer",
    ]
    recipe = recipe_of(llmsynth, *options)
    assert recipe == {
        "name": "data-curated",
        "target": 7,
        "generator": {
            "use": "rows",
            "path": "data.jsonl",
            "columns": ["question", "answer"],
            "on": ["question", "answer"],
        },
        "steps": [{"use": "exact-duplicates", "on": ["question", "answer"]}, {"use": "tests.plugins:not_first"}],
        "diversity": "full",
    }
    Path("printed.yaml").write_text(yaml.safe_dump(recipe))
    assert llmsynth("run", "printed.yaml", "-o", "one").code == llmsynth("curate", *options, "-o", "two").code == 0
    assert contents(Path("one")) == contents(Path("two")) != {}


def test_on_says_what_a_row_is_judged_by(llmsynth: Any) -> None:  # noqa: F811
    lines(Path("data.jsonl"), [{"q": "a", "a": "1"}, {"q": "a", "a": "2"}])
    assert "which columns hold the text of a row?" in llmsynth("curate", "data.jsonl", "-o", "out").err
    assert llmsynth("curate", "data.jsonl", "--on", "q", "--steps", "exact-duplicates", "-o", "out").code == 0
    assert json.loads(Path("out/report.json").read_text())["rows"]["kept"] == 1
    llmsynth("curate", "data.jsonl", "--on", "q,a", "--steps", "exact-duplicates", "-o", "both")
    assert json.loads(Path("both/report.json").read_text())["rows"]["kept"] == 2


def test_the_instruction_profile_reads_the_columns_that_stand_for_question_and_answer(llmsynth: Any) -> None:  # noqa: F811
    rows = [{"question": f"What is {n} and {n}?", "answer": str(n)} for n in range(4)]
    lines(Path("data.jsonl"), [*rows, {"question": "?", "answer": ""}])
    arguments = ("--on", "question,answer", "--steps", "instruction-profile", "-o", "out")
    assert llmsynth("curate", "data.jsonl", *arguments).code == 0
    report = json.loads(Path("out/report.json").read_text())
    assert report["rows"]["kept"] == 4
    assert llmsynth("show", "out", "--dropped", "empty").out.startswith("data.jsonl:5\t")


def test_of_preferences_the_chosen_answer_is_judged_and_pairs_that_differ_are_none_of_them_duplicates(
    llmsynth: Any,  # noqa: F811
) -> None:
    rows = [
        {"prompt": f"Why is number {n} even?", "chosen": f"It is twice {n / 2:g}" + " or so" * n, "rejected": "No."}
        for n in range(9)
    ]
    lines(Path("data.jsonl"), [*rows, {**rows[0], "rejected": "It is odd."}, rows[1]])
    assert llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates,echo,heuristics", "-o", "out").code == 0
    report = json.loads(Path("out/report.json").read_text())
    assert report["rows"]["dropped"] == {"exact_duplicate": 1}
    assert report["scores"]["heuristics"]["pearson_with_length"] is not None


@pytest.mark.parametrize(("columns", "on"), [(["body"], ["--on", "body"]), (["question", "answer"], [])])
def test_rules_for_web_text_look_at_the_text_whatever_its_column_is_called(
    columns: list[str],
    on: list[str],
    llmsynth: Any,  # noqa: F811
) -> None:
    words = "The river that they found was in the valley of the hills and it had a bridge to the town with them. "
    lines(Path("data.jsonl"), [{name: words * 4 for name in columns}, {name: "too short" for name in columns}])
    outcome = llmsynth("curate", "data.jsonl", *on, "--steps", "gopher-quality", "-o", "out")
    assert outcome.code == 0, outcome.err
    report = json.loads(Path("out/report.json").read_text())
    assert (report["rows"]["kept"], sum(report["rows"]["dropped"].values())) == (1, 1)


@pytest.mark.parametrize("column", ["conversations", "messages"])
def test_scores_are_told_with_the_length_of_answers_in_conversations_of_any_name(column: str, llmsynth: Any) -> None:  # noqa: F811
    turns = [
        [{"from": "human", "value": "Name rivers."}, {"from": "gpt", "value": "Danube " + "see http://a.org " * n}]
        for n in range(6)
    ]
    lines(Path("data.jsonl"), [{column: said} for said in turns])
    flagging = ("--steps", "urls", "--set", "steps.0.action=flag")
    assert llmsynth("curate", "data.jsonl", *flagging, "-o", "out").code == 0
    assert json.loads(Path("out/report.json").read_text())["scores"]["urls"]["pearson_with_length"] == 1


def test_steps_come_from_a_file_too_and_any_option_can_be_set(llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    Path("steps.yaml").write_text("- use: exact-duplicates\n  on: [answer]\n- use: tests.plugins:not_first\n")
    recipe = recipe_of(llmsynth, "data.jsonl", "--steps", "steps.yaml", "--set", "steps.0.on=[n, answer]")
    assert recipe["steps"] == [{"use": "exact-duplicates", "on": ["n", "answer"]}, {"use": "tests.plugins:not_first"}]
    Path("all.yaml").write_text(
        "steps: [{use: exact-duplicates}]\nselectors: [{use: quotas, by: [answer], each: 1}]\n"
        "models: {judge: {use: fake, function: 'tests.plugins:last_words'}}\n"
    )
    recipe = recipe_of(llmsynth, "data.jsonl", "--steps", "all.yaml")
    assert recipe["selectors"] == [{"use": "quotas", "by": ["answer"], "each": 1}]
    assert recipe["models"].keys() == {"judge"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data.jsonl", "--steps", "exact-duplicate"], "did you mean exact-duplicates?"),
        (["data.jsonl", "--steps", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["data.jsonl", "--steps", "broken.yaml"], "broken.yaml, line 2"),
        (["data.jsonl", "--steps", "other.yaml"], "other.yaml is no list of steps"),
        (["data.jsonl", "--steps", "exact-duplicates", "--set", "steps.1.on=[a]"], "there is no place 1"),
        (
            ["data.jsonl", "--steps", "exact-duplicates", "--set", "steps.0.threshold=1"],
            "--set steps.0.threshold=1: steps[0]",
        ),
        (["data.jsonl", "--on", "qestion"], "did you mean question?"),
        (["data.jsonl", "--on", "n"], "the column n is no text"),
        (["nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["empty.jsonl"], "empty.jsonl holds no rows"),
        (["cut.jsonl"], "not one can be read\n  cut.jsonl:1: is not valid JSON"),
    ],
)
def test_slips_are_explained(arguments: list[str], said: str, llmsynth: Any) -> None:  # noqa: F811
    questions(Path("data.jsonl"))
    Path("broken.yaml").write_text("- use: a\n  use: b: c\n")
    Path("other.yaml").write_text("generator: {use: rows}\n")
    Path("empty.jsonl").write_text("")
    Path("cut.jsonl").write_text('{"question": "Why')
    outcome = llmsynth("curate", *arguments, "-o", "out")
    assert outcome.code == 1
    assert said in outcome.err
    assert not Path("out").exists()


def test_where_nearly_nothing_is_left_it_is_told_loudly(llmsynth: Any) -> None:  # noqa: F811
    lines(Path("data.jsonl"), [{"text": "always the same"}] * 50)
    outcome = llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates", "-o", "out")
    assert outcome.code == 3
    assert "WARNING: nearly nothing survived: 1 of 50 rows" in outcome.err
    assert "49 (98%) exact_duplicate, by exact-duplicates; for example data.jsonl:2:" in outcome.err
    assert "same as data.jsonl:1" in outcome.err and "always the same" in outcome.err
    assert llmsynth("curate", "data.jsonl", "--steps", "exact-duplicates", "-o", "out", "--min-yield", "0").code == 0


def slow(tmp_path: Path, *steps: dict[str, Any], **more: Any) -> str:
    """A recipe over 20,000 rows that leaves time to be killed in."""
    source = tmp_path / "data.jsonl"
    if not source.exists():
        lines(source, [{"text": f"row {number % 9_000}"} for number in range(20_000)])
    generator = {"use": "rows", "path": str(source), "on": ["text"]}
    unhurried = {"use": "tests.plugins:Unhurried", "seconds": 0.02}
    return yaml.safe_dump({"generator": generator, "steps": [*steps, unhurried], **more})


def kill_a_few_times(text: str, directory: Path, rng: random.Random) -> int:
    """Begin the run again and again, kill it each time once records are written; say how often it was alive then."""
    kills = 0
    for _ in range(3):
        process = start(text, directory)
        while process.is_alive() and not list(directory.glob("records/*")):
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.2))
        kills += process.is_alive()
        process.kill()
        process.join()
        assert not (directory / "report.json").exists()
    return kills


def test_killed_in_the_middle_it_goes_on_to_the_same_result(tmp_path: Path) -> None:
    text = slow(tmp_path, {"use": "exact-duplicates", "on": ["text"]})
    assert kill_a_few_times(text, tmp_path / "killed", random.Random(5)) == 3
    finish(text, tmp_path / "killed")
    finish(text, tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "killed")]
    counts = {"in": 20_000, "kept": 9_000, "dropped": {"exact_duplicate": 11_000}, "failed": {}}
    assert reports[0]["rows"] == reports[1]["rows"] == counts


def test_what_a_step_asked_a_model_is_not_asked_again(tmp_path: Path, loopback: Loopback) -> None:
    model = {"use": "openai", "model": "judge", "base_url": loopback.url}
    text = slow(tmp_path, {"use": "tests.plugins:Asking", "every": 100}, models={"judge": model})
    kill_a_few_times(text, tmp_path / "killed", random.Random(6))
    finish(text, tmp_path / "killed")
    keys = [entry["key"] for entry in read_entries(tmp_path / "killed" / "journal.jsonl")]
    assert len(keys) == len(set(keys)) == 200
    # what was in flight when it was killed is all that is asked twice
    assert 200 <= loopback.requests <= 200 + 3 * 11


def test_what_was_embedded_is_not_embedded_again(tmp_path: Path, loopback: Loopback) -> None:
    embedder = {"use": "openai", "model": "vectors", "base_url": loopback.url}
    steps = [
        {"use": "exact-duplicates", "on": ["text"]},
        {"use": "semantic-duplicates", "on": ["text"], "threshold": 0.9999, "embedder": embedder},
    ]
    text = slow(tmp_path, *steps)
    kill_a_few_times(text, tmp_path / "killed", random.Random(7))
    finish(text, tmp_path / "killed")
    texts = Counter(line for body in loopback.bodies for line in body["input"])
    assert len(texts) == 9_000
    # what was on its way when it was killed is all that is embedded twice: one batch each time
    assert sum(texts.values()) <= 9_000 + 3 * 1_024
    finish(text, tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_it_does_not_matter_into_how_many_files_rows_are_divided(llmsynth: Any) -> None:  # noqa: F811
    rng = random.Random(4)
    texts = near_duplicates(240, rng)
    kept = []
    for shards in (1, 7):
        folder = Path(f"of{shards}")
        folder.mkdir()
        for number in [*range(shards)][::-1]:  # the last one is written first
            part = texts[len(texts) * number // shards : len(texts) * (number + 1) // shards]
            pq.write_table(pa.table({"text": part}), folder / f"train-{number:05d}-of-{shards:05d}.parquet")
        steps = "exact-duplicates,minhash-duplicates,rouge-duplicates,semantic-duplicates"
        outcome = llmsynth("curate", str(folder), "--steps", steps, "--no-report", "-o", f"out{shards}")
        assert outcome.code == 0, outcome.err
        kept.append([r.fields["text"] for r in read_records(Path(f"out{shards}/records")) if r.dropped is None])
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < len(texts)
