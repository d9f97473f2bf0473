"""The page of a run: what it holds, what it tells, and that nothing of the data can be markup in it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.cli import make
from llmsynth.cli import report as commands
from llmsynth.errors import RunError, StorageError
from llmsynth.record import Drop, Record
from llmsynth.report import page, write_report
from llmsynth.report.histogram import of_lengths, of_scores
from llmsynth.report.projection import neighbours_of, principal, project
from llmsynth.report.reading import Reading
from llmsynth.report.rows import row_line
from llmsynth.report.survey import Survey
from tests.reported import rate_rows, records, write_run

ROOT = Path(__file__).parent.parent


def blobs(path: Path) -> dict[str, bytes]:
    """What a browser would inflate, by name."""
    found = re.findall(
        r'<script type="application/octet-stream" id="data-([\w-]+)">([A-Za-z0-9+/=]*)</script>', path.read_text()
    )
    return {name: zlib.decompress(base64.b64decode(coded)) for name, coded in found}


def lines(path: Path, name: str) -> list[bytes]:
    held = blobs(path)
    return [line for i in range(len(held)) if f"{name}-{i}" in held for line in held[f"{name}-{i}"].split(b"\n")]


def told(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(blobs(path)["told"])
    return found


def test_every_row_is_in_it_in_order_with_the_answers_behind_it(tmp_path: Path) -> None:
    rows = records(700)
    info = write_report(write_run(tmp_path / "run", rows))
    assert info.path == tmp_path / "run" / "report.html" and info.complete
    assert (info.rows, info.answers) == (700, 350 + 700)
    replies = lines(info.path, "answers")
    found = lines(info.path, "rows")
    assert len(found) == len(rows)
    for line, record in zip(found, rows, strict=True):
        (id, detail, *values), rest = map(json.loads, line.split(b"\t"))
        assert id == record.id and values == list(record.fields.values())
        assert detail == (record.dropped.detail if record.dropped else "")
        assert rest["m"] == {name: value for name, value in record.meta.items() if name != "journal"}
        texts = [json.loads(replies[number])["text"] for number in rest["a"]]
        assert texts[1] == f"The raw reply 1 of {record.id}: {record.fields['output']}"


def test_counts_are_of_all_rows_whether_they_are_in_the_page_or_not(tmp_path: Path) -> None:
    rows = records(900)
    info = write_report(write_run(tmp_path / "run", rows), most_rows=250)
    assert info.rows == 250 and info.all_rows == 900 and not info.complete
    run = told(info.path)["runs"][0]
    assert run["here"] == 250 and run["rows"] == 900
    kept = sum(row.dropped is None for row in rows)
    assert sum(run["lengths"]["answer"]["kept"]) == sum(run["scores"]["quality"]["kept"]) == kept
    assert sum(run["lengths"]["answer"]["lost"]) == 900 - kept
    assert dict((reason, n) for _, reason, n in run["states"])["minhash_duplicate"] == 90
    assert sum(run["labels"]["topic"].values()) == 900


def test_rows_that_do_not_all_fit_are_drawn_by_their_ids_and_some_of_each_reason(tmp_path: Path) -> None:
    rows = [*records(2_000), Record("rare", {"instruction": "Say why.", "output": ""}, {}, {}, Drop("seldom"))]
    first = lines(write_report(write_run(tmp_path / "a", rows), most_rows=400).path, "rows")
    again = lines(write_report(write_run(tmp_path / "b", rows), most_rows=400).path, "rows")
    assert first == again and any(line.startswith(b'["rare"') for line in first)


def test_no_page_is_larger_than_it_may_be(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(1_500), padding=50)
    whole = write_report(run)
    info = write_report(run, tmp_path / "less.html", most_bytes=1_750_000)
    assert info.size <= 1_750_000 < whole.size and not info.complete and info.rows > 100


def test_an_address_of_a_server_does_not_get_into_the_page(tmp_path: Path) -> None:
    info = write_report(write_run(tmp_path / "run", records(20)))
    assert not [name for name, blob in blobs(info.path).items() if b"private.example" in blob]


def test_what_the_page_runs_is_ours_and_named_by_its_hash(tmp_path: Path) -> None:
    rows = [Record("</script><script>x", {"instruction": "</script>", "output": "<!--"}, {}, {})]
    text = write_report(write_run(tmp_path / "run", rows, name="<b>{{scripts}}</b>")).path.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts}
    assert len(scripts) == 2 and hashes == set(re.findall(r"'sha256-[^']*'", policy[1].split("style-src")[0]))
    tags: list[str] = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert tags.count("script") == 2 + len(blobs(tmp_path / "run" / "report.html")) and "b" not in tags


def test_the_charts_library_is_the_one_that_is_pinned() -> None:
    script = (ROOT / "scripts" / "fetch-echarts").read_text()
    assert hashlib.sha256((page.FOLDER / "echarts.min.js").read_bytes()).hexdigest() in script
    for name in ("LICENSE", "NOTICE", "LICENSE-d3"):
        assert (page.FOLDER / "echarts-license" / name).is_file()


@pytest.mark.parametrize("missing", ["recipe.yaml", "report.json", "records"])
def test_what_is_no_finished_run_is_told(tmp_path: Path, missing: str) -> None:
    run = write_run(tmp_path / "run", records(5))
    (run / missing).rename(run / "elsewhere")
    with pytest.raises(RunError, match=missing):
        write_report(run)


def test_what_people_said_is_in_the_page_of_their_run_and_names_nobody(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(30))
    assert told(write_report(run).path)["runs"][0]["people"] == []
    rate_rows(run, ("Anna", "Ben", "Cleo"))
    path = write_report(run).path
    [study] = told(path)["runs"][0]["people"]
    assert (study["items"], study["ratings"], study["raters"]) == (6, 18, 3)
    assert study["marks"]["clarity"]["mean"] == pytest.approx(13 / 3, abs=1e-4)
    assert study["marks"]["clarity"]["alpha"] < 0 and "Anna" not in json.dumps(told(path))
    (run / "ratings" / "report.json").write_text('{"studies": [{}]}')
    with pytest.raises(RunError, match="cannot be read") as raised:
        write_report(run)
    assert "--report" in raised.value.hint


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_report(write_run(tmp_path / "run", records(5)), tmp_path / "file" / "report.html")
    assert not list(tmp_path.glob("**/.*.partial"))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_runs_of_hardly_any_row_have_a_page(tmp_path: Path, count: int) -> None:
    info = write_report(write_run(tmp_path / "run", records(count)))
    assert info.rows == count and len(lines(info.path, "rows")) == count


def test_conversations_nulls_and_what_is_no_number_are_kept(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Why?\udc80"}, {"role": "assistant", "content": "Because."}]
    row = Record("1", {"messages": turns, "note": None}, {}, {"odd": float("nan")})
    assert Reading.of(["messages", "note"]).answered_of(row) == "Because."
    searched, rest = map(json.loads, row_line(row, ["messages", "note"], []).split(b"\t"))
    assert searched == ["1", "", turns, None] and rest == {"m": {}, "s": {"odd": None}}


def test_two_runs_are_held_against_each_other_on_equal_terms(tmp_path: Path) -> None:
    ours, theirs = records(200), [*records(60), *records(50, seed=3)]
    theirs = [Record(f"other-{i}", r.fields, r.meta, r.scores, r.dropped) for i, r in enumerate(theirs)]
    runs = [write_run(tmp_path / "a", ours), write_run(tmp_path / "b", theirs)]
    info = write_report(runs, tmp_path / "both.html")
    compared = told(info.path)["compared"]
    same = sum(r.dropped is None for r in records(60))
    assert compared["shared"] == [same, same]
    assert compared["diversity"]["texts"] == sum(r.dropped is None for r in theirs)
    assert info.rows == 310 and set(compared["diversity"]["sets"]) == {"0", "1"}


def test_labels_are_what_puts_rows_into_groups() -> None:
    survey = Survey.of(records(300), Reading.of(["instruction", "input", "output"]), ["round"])
    assert list(survey.labels()) == ["round", "topic"]  # not the generator, which all have in common, nor a text


@given(st.lists(st.integers(0, 3_000), max_size=60), st.lists(st.integers(0, 3_000), max_size=60))
def test_every_value_is_in_one_bar(kept: list[int], lost: list[int]) -> None:
    for bars in (of_lengths, of_scores):
        found = bars(np.array(kept, float), np.array(lost, float))
        assert (sum(found["kept"]), sum(found["lost"])) == (len(kept), len(lost))
        assert len(found["edges"]) == len(found["kept"]) + 1 and found["edges"] == sorted(set(found["edges"]))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_scores_of_any_scale_are_in_one_bar(scores: list[float]) -> None:
    assert sum(of_scores(np.array(scores), np.zeros(0))["kept"]) == len(scores)


def unit(rows: int, seed: int) -> np.ndarray[Any, Any]:
    vectors = np.random.default_rng(seed).normal(size=(rows, 16)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("rows", [2, 5, 300, 700])
def test_neighbours_are_those_of_a_full_sort(rows: int) -> None:
    vectors = unit(rows, rows)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    found = neighbours_of(vectors, 6)
    best = -np.sort(-cosines, axis=1)[:, : found.places.shape[1]]
    np.testing.assert_allclose(found.cosines, best, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(cosines, found.places, axis=1), best, atol=1e-6)


def kept_neighbours(points: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> float:
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, : places.shape[1]]
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(near, places, strict=True)])) / places.shape[1]


def test_the_map_keeps_groups_together_and_is_the_same_again() -> None:
    centres = unit(30, 1)
    vectors = np.repeat(centres, 16, axis=0) + np.random.default_rng(2).normal(size=(480, 16)).astype(np.float32) * 0.12
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    neighbours = neighbours_of(vectors)
    points = project(vectors, neighbours)
    assert points.min() >= 0 and points.max() <= 1 and (points == project(vectors, neighbours)).all()
    assert kept_neighbours(points, neighbours.places) > 1.5 * kept_neighbours(principal(vectors), neighbours.places)


def test_a_group_far_from_all_others_leaves_them_room() -> None:
    centres = unit(40, 1)
    near = np.repeat(centres, 10, axis=0) * 0.3 + unit(1, 3) + 0.05 * unit(400, 4)
    far = -np.repeat(unit(1, 3), 20, axis=0) + 0.05 * unit(20, 5)
    vectors = np.concatenate([near, far]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = project(vectors, neighbours_of(vectors))[:400]
    assert (np.ptp(points, axis=0) > 0.6).all()


def test_equal_and_empty_vectors_have_places_too() -> None:
    for vectors in (np.zeros((50, 16), np.float32), np.repeat(unit(1, 0), 50, axis=0)):
        assert np.isfinite(project(vectors, neighbours_of(vectors))).all()


def test_the_commands_write_pages_and_say_what_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [write_run(tmp_path / name, records(30, seed=i)) for i, name in enumerate(("a", "b"))]
    commands.report(runs[0], tmp_path / "a.html")
    commands.compare(runs[0], runs[1], tmp_path / "both.html")
    assert capsys.readouterr().out.split() == [str(tmp_path / "a.html"), str(tmp_path / "both.html")]
    few = write_report(runs[0], most_rows=20)
    commands._tell(few)
    assert "20 of 30 rows" in capsys.readouterr().err


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    path = tmp_path / "recipe.yaml"
    models = {"default": {"use": "fake", "function": "tests.teacher:reply"}}
    generator = {"use": "self-instruct", "lookahead": 2}
    path.write_text(json.dumps({"name": "tried", "target": 12, "generator": generator, "models": models}))
    return path


def test_a_run_ends_in_its_page_and_names_it(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make.run(str(recipe), Path("out"), quiet=True)
    assert "to look at: out/report.html" in capsys.readouterr().err
    run = told(Path("out/report.html"))["runs"][0]
    report = json.loads(Path("out/report.json").read_bytes())
    assert run["report"]["funnel"] == report["funnel"] and run["rows"] == report["rows"]["in"]
    answers = [json.loads(line) for line in lines(Path("out/report.html"), "answers") if line]
    journal = {json.loads(line)["text"] for line in Path("out/journal.jsonl").read_bytes().splitlines()}
    assert answers and {answer["text"] for answer in answers} <= journal
    written = Path("out/report.html").stat().st_mtime_ns
    make.run(str(recipe), Path("out"), quiet=True)
    assert "to look at: out/report.html" in capsys.readouterr().err
    assert Path("out/report.html").stat().st_mtime_ns == written


def test_a_run_writes_no_page_where_that_is_not_wanted_or_takes_long(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make.run(str(recipe), Path("none"), quiet=True, report=False)
    assert not Path("none/report.html").exists() and "report" not in capsys.readouterr().err
    monkeypatch.setattr("llmsynth.report.AT_ONCE", 5)
    make.run(str(recipe), Path("large"), quiet=True)
    assert not Path("large/report.html").exists()
    assert "`llmsynth report large` makes a page" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_does_not_undo_a_run(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llmsynth.report.page.compose", full)
    make.run(str(recipe), Path("out"), quiet=True)
    told_of = capsys.readouterr()
    assert told_of.out == "out/dataset\n" and "no report.html: cannot write" in told_of.err
