"""Another threshold afterwards is what a run with that threshold would have made, with nothing compared again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
import yaml

from llmsynth import LlmsynthError, Recipe, Result, synthesize
from llmsynth.dataset import read_records
from llmsynth.rethreshold import rethreshold
from llmsynth.similarity.shingles import ShinglePool
from tests.near_texts import near_duplicates
from tests.test_cli import llmsynth  # noqa: F401  (a fixture)
from tests.test_determinism import contents
from tests.test_funnel import check_sums
from tests.test_rows import lines
from tests.test_synthesis import rows

ROWS = 300


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = near_duplicates(ROWS, random.Random(3))
    table = [{"text": text, "other": f"w{n % 40} and so on", "n": n} for n, text in enumerate(texts)]
    return lines(tmp_path_factory.mktemp("source") / "data.jsonl", table)


def recipe(source: Path, steps: list[dict[str, Any]], **more: Any) -> Recipe:
    return Recipe.from_data({"generator": {"use": "rows", "path": str(source), "on": ["text"]}, "steps": steps, **more})


def outcomes(result: Result) -> dict[str, Any]:
    return {
        record.id: (record.dropped, record.fields, {k: v for k, v in record.meta.items() if k != "near"}, record.scores)
        for record in result.records()
    }


def counts(result: Result) -> list[dict[str, Any]]:
    return [
        {key: stage[key] for key in ("stage", "in", "kept", "dropped", "failed")} for stage in result.report["funnel"]
    ]


MINHASH = {"use": "minhash-duplicates", "on": ["text"], "threshold": 0.6, "floor": 0.2, "n": 2}
ROUGE = {"use": "rouge-duplicates", "on": ["text"], "threshold": 0.7, "floor": 0.4}
SEMANTIC = {"use": "semantic-duplicates", "on": ["text"], "threshold": 0.99, "floor": 0.965}
ODD = {"use": "tests.plugins:odd_line"}
EXACT = {"use": "exact-duplicates", "on": ["other"]}
QUOTAS = {"use": "quotas", "by": ["other"], "each": 2}

CASES: list[tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, float]]] = [
    ([MINHASH], [], {"0": 0.8}),
    ([MINHASH], [], {"0": 0.25}),
    ([ODD, ROUGE], [], {"1": 0.45}),
    ([SEMANTIC], [], {"0": 0.97}),
    ([MINHASH, ODD, ROUGE], [], {"0": 0.3}),
    ([MINHASH, ODD, ROUGE], [], {"0": 0.9}),
    ([MINHASH, ODD, ROUGE], [], {"0": 0.3, "2": 0.9}),
    ([MINHASH, ODD, ROUGE], [], {"2": 0.5}),
    ([ROUGE, EXACT, ODD], [], {"0": 0.9}),
    ([ROUGE, EXACT, ODD], [], {"0": 0.45}),
    ([MINHASH, ROUGE, EXACT], [], {"0": 0.5, "1": 0.6}),
    ([MINHASH, SEMANTIC], [QUOTAS], {"0": 0.9, "1": 0.97}),
    ([MINHASH, ODD], [QUOTAS, {**QUOTAS, "each": 1}], {"0": 0.25}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_it_is_what_a_run_with_the_threshold_makes(case: int, source: Path, tmp_path: Path) -> None:
    steps, selectors, thresholds = CASES[case]
    before = outcomes(synthesize(recipe(source, steps, selectors=selectors), tmp_path / "run"))
    changed = [dict(step) for step in steps]
    for place, threshold in thresholds.items():
        changed[int(place)]["threshold"] = threshold
    fresh = synthesize(recipe(source, changed, selectors=selectors), tmp_path / "fresh")
    after = rethreshold(tmp_path / "run", [f"{place}={threshold}" for place, threshold in thresholds.items()])
    assert outcomes(after) == outcomes(fresh) != before
    assert counts(after) == counts(fresh)
    check_sums(after.report)
    assert [row["id"] for row in rows(after)] == [id for id, outcome in outcomes(fresh).items() if outcome[0] is None]
    back = rethreshold(tmp_path / "run", [f"{place}={steps[int(place)]['threshold']}" for place in thresholds])
    assert outcomes(back) == before


@pytest.mark.parametrize("first", [0.25, 0.4])
@pytest.mark.parametrize("second", [0.45, 0.9])
def test_another_change_goes_by_what_the_one_before_it_left(
    first: float, second: float, source: Path, tmp_path: Path
) -> None:
    steps = [{**MINHASH, "threshold": 0.8}, ROUGE]
    synthesize(recipe(source, steps), tmp_path / "run")
    rethreshold(tmp_path / "run", [f"0={first}"])
    after = rethreshold(tmp_path / "run", [f"1={second}"])
    changed = [{**MINHASH, "threshold": first}, {**ROUGE, "threshold": second}]
    fresh = synthesize(recipe(source, changed), tmp_path / "fresh")
    assert outcomes(after) == outcomes(fresh)
    assert counts(after) == counts(fresh)


@pytest.mark.parametrize("threshold", [0.8, 0.25])
def test_what_is_told_of_scores_and_benchmarks_is_of_the_rows_that_come_there_now(
    threshold: float, source: Path, tmp_path: Path
) -> None:
    texts = [json.loads(line)["text"] for line in source.read_text().splitlines()]
    exam = lines(tmp_path / "exam.jsonl", [{"q": text} for text in texts[::3]])
    steps = [
        MINHASH,
        {"use": "decontaminate", "against": [str(exam)], "on": ["text"], "action": "flag", "ngram": 5, "common": 99},
        {"use": "heuristics", "columns": {"instruction": "text", "output": "other"}},
        {"use": "decontaminate", "against": [str(exam)], "on": ["text"], "near": None, "common": 99},
    ]
    before = synthesize(recipe(source, steps), tmp_path / "run").report["notes"]
    fresh = synthesize(recipe(source, [{**MINHASH, "threshold": threshold}, *steps[1:]]), tmp_path / "fresh").report
    after = rethreshold(tmp_path / "run", [f"0={threshold}"]).report
    assert after["notes"] == fresh["notes"] != before
    found = fresh["notes"]["decontaminate"]["benchmarks"]["exam.jsonl"]["found"]
    assert found and fresh["notes"]["decontaminate 2"]["looked_at"] > 0
    assert fresh["notes"]["heuristics"]["scored"] == fresh["funnel"][3]["in"]


def test_nothing_is_compared_again(source: Path, tmp_path: Path) -> None:
    synthesize(recipe(source, [ODD, MINHASH, ODD]), tmp_path / "run")
    with (
        mock.patch.object(ShinglePool, "similar", side_effect=AssertionError),
        mock.patch("tests.plugins.odd_line") as odd,
    ):
        odd.side_effect = AssertionError
        result = rethreshold(tmp_path / "run", ["minhash-duplicates=0.3"])
    assert result.report["funnel"][2]["dropped"].keys() == {"minhash_duplicate"}


def test_the_recipe_of_the_run_is_that_of_the_new_threshold(source: Path, tmp_path: Path) -> None:
    synthesize(recipe(source, [MINHASH]), tmp_path / "run")
    rethreshold(tmp_path / "run", ["minhash-duplicates=0.3"])
    assert synthesize(recipe(source, [{**MINHASH, "threshold": 0.3}]), tmp_path / "run").before
    with pytest.raises(LlmsynthError, match="belongs to another recipe"):
        synthesize(recipe(source, [MINHASH]), tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "no threshold was given"),
        (["minhash-duplicates"], "cannot use 'minhash-duplicates'"),
        (["minhash=0.5"], "cannot use 'minhash=0.5'"),
        (["9=0.5"], "cannot use '9=0.5'"),
        (["rouge-duplicates=0.8"], "it is at 2, 3: name the place"),
        (["2=0.8"], "2 has noted no pairs"),
        (["0=0.8"], "0 has noted no pairs"),
        (["1=often"], "no threshold"),
        (["1=1.5"], "no threshold"),
        (["1=0.1"], "1 has noted pairs from a score of 0.2 on, not from 0.1"),
    ],
)
def test_what_cannot_be_changed_is_told_and_changes_nothing(
    settings: list[str], said: str, source: Path, tmp_path: Path
) -> None:
    unnoted = {key: value for key, value in ROUGE.items() if key != "floor"}
    synthesize(recipe(source, [EXACT, MINHASH, unnoted, ROUGE]), tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(LlmsynthError) as caught:
        rethreshold(tmp_path / "run", settings)
    assert said in str(caught.value) and caught.value.hint
    assert contents(tmp_path / "run") == before
    assert synthesize(recipe(source, [EXACT, MINHASH, unnoted, ROUGE]), tmp_path / "run").before


def test_a_run_that_is_none_or_unfinished_or_has_a_target_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(LlmsynthError, match="is no run"):
        rethreshold(tmp_path / "nothing", ["0=0.5"])
    synthesize(recipe(source, [MINHASH], target=3), tmp_path / "run")
    with pytest.raises(LlmsynthError, match="has a target"):
        rethreshold(tmp_path / "run", ["0=0.5"])
    (tmp_path / "run" / "report.json").unlink()
    with pytest.raises(LlmsynthError, match="has not finished"):
        rethreshold(tmp_path / "run", ["0=0.5"])


def test_two_steps_whose_pairs_were_noted_in_one_place_are_not_changed(source: Path, tmp_path: Path) -> None:
    synthesize(recipe(source, [MINHASH, {**MINHASH, "n": 1}]), tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(LlmsynthError, match="steps 0 and 1"):
        rethreshold(tmp_path / "run", ["0=0.7"])
    assert contents(tmp_path / "run") == before


def test_it_is_an_option_of_curate(llmsynth: Any, source: Path) -> None:  # noqa: F811
    steps = ["--steps", "minhash-duplicates", "--set", "steps.0.floor=0.2", "--set", "steps.0.n=2", "--on", "text"]
    assert llmsynth("curate", str(source), *steps, "-o", "run").code == 0
    kept = json.loads(Path("run/report.json").read_text())["rows"]["kept"]
    outcome = llmsynth("curate", "--rethreshold", "run", "minhash-duplicates=0.3")
    assert (outcome.code, outcome.out) == (0, "run/dataset\n")
    assert json.loads(Path("run/report.json").read_text())["rows"]["kept"] < kept
    assert "minhash_duplicate" in outcome.err
    assert llmsynth("curate", str(source), "more.jsonl", "-o", "run").code == 2


def test_what_curate_has_made_can_be_given_a_higher_threshold_and_the_old_one_again(llmsynth: Any) -> None:  # noqa: F811
    words = [f"w{n}" for n in range(40)]
    rows = [" ".join([*words[: 40 - n], *(f"x{n}{i}" for i in range(n))]) for n in range(4)]
    Path("rows.jsonl").write_bytes(b"\n".join(orjson.dumps({"text": text}) for text in rows))
    assert llmsynth("curate", "rows.jsonl", "--steps", "minhash-duplicates", "-o", "out").code == 0
    assert yaml.safe_load(Path("out/recipe.yaml").read_text())["steps"][0]["floor"] == "threshold"

    def kept() -> list[str]:
        return [record.id for record in read_records("out/records") if not record.dropped]

    before = kept()
    assert len(before) < 4
    assert llmsynth("curate", "--rethreshold", "out", "minhash-duplicates=0.97").code == 0
    assert len(kept()) == 4
    assert llmsynth("curate", "--rethreshold", "out", "minhash-duplicates=0.8").code == 0
    assert kept() == before
    lower = llmsynth("curate", "--rethreshold", "out", "minhash-duplicates=0.7")
    assert lower.code == 1
    assert "noted pairs from a score of 0.8 on" in lower.err
