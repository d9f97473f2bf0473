"""The rating page in Chromium: people rate rows and pairs to the end, by mouse and by keyboard."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from llmsynth.rating.log import read_logs

pytestmark = pytest.mark.browser

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
SCRIPT = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = os.environ.get("LLMSYNTH_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Sight:
    """A page, and what it asked for and complained of."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.set_default_timeout(30_000)  # the machine may be busy

    def count(self, done: int, total: int) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#count")).to_have_text(f"{done} of {total}")  # waits for it

    def begin(self, url: str, name: str) -> None:
        self.page.goto(url)
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Begin").click()
        self.page.wait_for_selector("h2.ask")

    def close(self) -> None:
        assert self.complaints == []
        assert {urlsplit(url).hostname for url in self.requests if not url.startswith("data:")} <= {"127.0.0.1"}
        self.context.close()


@pytest.fixture
def sight(chromium: Any) -> Iterator[Sight]:
    seen = Sight(chromium)
    yield seen
    seen.close()


@contextmanager
def rating(folder: Path, *arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "llmsynth", "rate", *arguments, "-o", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        yield next(found[0] for line in process.stderr if (found := re.search(r"http://\S+", line)))
    finally:
        process.kill()
        process.communicate()


def rows(path: Path, who: str, count: int) -> str:
    told = [
        {
            "id": f"id-{who}-{i}",
            "instruction": f"Question {i}?",
            "output": f"{who} {i} {SCRIPT}",
            "model": f"model-{who}",
        }
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    return str(path)


def lines(home: Path, rater: str) -> list[dict[str, Any]]:
    return [line for line in read_logs(home)[rater] if "item" in line]


def test_two_people_rate_rows_to_the_end(tmp_path: Path, chromium: Any) -> None:
    with rating(tmp_path, rows(tmp_path / "a.jsonl", "alpha", 4)) as url:
        anna, ben = Sight(chromium), Sight(chromium)
        anna.begin(url, "Anna")
        for done in range(4):
            text = anna.page.inner_text("main")
            assert SCRIPT in text and "model-" not in text and "id-" not in text  # data is text, and tells no origin
            for criterion, mark in (("correctness", 5), ("compliance", 3), ("clarity", "?")):
                anna.page.locator(f'fieldset[data-criterion="{criterion}"] label', has_text=str(mark)).click()
            anna.page.get_by_label("Comment").fill(f"comment {done}")
            anna.page.get_by_role("button", name="Next").click()
            anna.count(done + 1, 4)
        assert "You have rated 4 and skipped 0" in anna.page.inner_text("main")
        assert anna.page.title() == "Rating"

        ben.begin(url, "Ben")
        for done in range(4):  # by keyboard alone
            if done == 2:
                ben.page.keyboard.press("s")
            else:
                for key in ("4", "-", "2", "Enter"):
                    ben.page.keyboard.press(key)
            ben.count(done + 1, 4)
        assert "You have rated 3 and skipped 1" in ben.page.inner_text("main")
        anna.close()
        ben.close()
    assert [line["marks"] for line in lines(tmp_path, "anna")] == [
        {"correctness": 5, "compliance": 3, "clarity": None}
    ] * 4
    assert [line["comment"] for line in lines(tmp_path, "anna")] == [f"comment {n}" for n in range(4)]
    said = [line.get("marks", "skip") for line in lines(tmp_path, "ben")]
    marks = {"correctness": 4, "compliance": None, "clarity": 2}
    assert said == [marks, marks, "skip", marks]
    both = [[line["item"] for line in lines(tmp_path, name)] for name in ("anna", "ben")]
    assert sorted(both[0]) == sorted(both[1])
    assert all(line["seconds"] >= 0 for line in lines(tmp_path, "anna"))


def test_what_was_begun_survives_a_reload_and_undo_brings_back_what_was_said(tmp_path: Path, sight: Sight) -> None:
    with rating(tmp_path, rows(tmp_path / "a.jsonl", "alpha", 3)) as url:
        page = sight.page
        sight.begin(url, "Anna")
        for key in ("1", "2", "3", "Enter"):
            page.keyboard.press(key)
        sight.count(1, 3)
        first_left = page.inner_text("section[aria-label=Answer]")
        page.keyboard.press("5")
        page.get_by_label("Comment").fill("half said")
        page.reload()
        sight.count(1, 3)
        assert page.inner_text("section[aria-label=Answer]") == first_left
        assert page.input_value("#comment") == "half said"
        assert page.locator("input:checked").evaluate_all("all => all.map((one) => one.value)") == ["5"]
        page.get_by_role("button", name="Undo last").click()
        sight.count(0, 3)
        assert page.locator("input:checked").evaluate_all("all => all.map((one) => one.value)") == ["1", "2", "3"]
        page.locator('fieldset[data-criterion="clarity"] label', has_text="4").click()
        page.get_by_role("button", name="Next").click()
        sight.count(1, 3)
        assert page.inner_text("section[aria-label=Answer]") == first_left
        assert page.locator("input:checked").count() == 0
        page.get_by_role("button", name="Next").click()  # nothing is marked yet
        assert "A mark is missing: correctness" in page.inner_text("[role=alert]")
        page.get_by_role("button", name="Skip").click()
        sight.count(2, 3)
    told = read_logs(tmp_path)["anna"]
    assert [line.get("marks", {}).get("clarity") for line in told if "item" in line] == [3, 4, None]


def test_what_cannot_be_saved_is_said_and_stays_on_the_page(tmp_path: Path, chromium: Any) -> None:
    seen = Sight(chromium)
    with rating(tmp_path, rows(tmp_path / "a.jsonl", "alpha", 3)) as url:
        seen.begin(url, "Anna")
        seen.page.keyboard.press("5")
    for key in ("5", "5", "Enter"):
        seen.page.keyboard.press(key)
    assert "Is “llmsynth rate” still running?" in seen.page.inner_text("[role=alert]")
    assert seen.page.locator("input:checked").count() == 3
    assert len(seen.complaints) == 1 and "ERR_CONNECTION_REFUSED" in seen.complaints.pop()
    seen.close()


def test_pairs_are_chosen_by_click_and_key_without_a_sign_of_their_origin(tmp_path: Path, sight: Sight) -> None:
    ours, theirs = rows(tmp_path / "a.jsonl", "alpha", 6), rows(tmp_path / "b.jsonl", "beta", 6)
    left = []
    with rating(tmp_path, ours, "--against", theirs, "--rater", "Anna") as url:
        page = sight.page
        page.goto(url)  # the name is known, so that nobody is asked for it
        for done, act in enumerate(("ArrowLeft", "ArrowRight", "ArrowDown", "A is better", "B is better", "Tie")):
            sight.count(done, 6)
            sides = page.locator(".sides section")
            assert sides.count() == 2
            left.append(sides.nth(0).inner_text().split()[2])
            assert SCRIPT in page.inner_text("main") and "model-" not in page.content()
            if act.startswith("Arrow"):
                page.keyboard.press(act)
            else:
                page.get_by_role("button", name=act).click()
        sight.count(6, 6)
        assert page.title() == "Rating"
        page.keyboard.press("u")
        sight.count(5, 6)
        assert page.get_attribute("#tie", "aria-pressed") == "true"
        page.keyboard.press("ArrowRight")
        sight.count(6, 6)
    given = lines(tmp_path, "anna")
    assert [line["choice"] for line in given] == ["left", "right", "tie", "left", "right", "tie", "right"]
    names = {"alpha": "run", "beta": "against"}
    for line, on_left in zip(given, left, strict=False):
        other = {"alpha": "beta", "beta": "alpha"}[on_left]
        expected = {"left": names[on_left], "right": names[other], "tie": "tie"}[line["choice"]]
        assert line["prefers"] == expected


def test_pairs_without_a_common_question_are_shown_each_with_its_own(tmp_path: Path, sight: Sight) -> None:
    ours, theirs = rows(tmp_path / "a.jsonl", "alpha", 1), rows(tmp_path / "b.jsonl", "beta", 1)
    with rating(tmp_path, ours, "--against", theirs, "--pairs", "random", "--rater", "Anna") as url:
        sight.page.goto(url)
        assert sight.page.locator(".sides section .part h3").all_inner_texts() == ["INSTRUCTION", "ANSWER"] * 2
        assert "null" not in sight.page.inner_text("main")
        sight.page.keyboard.press("t")
        sight.count(1, 1)
        assert "null" not in sight.page.inner_text("main")
    assert lines(tmp_path, "anna")[0]["prefers"] == "tie"


def test_a_wide_scale_is_typed_in(tmp_path: Path, sight: Sight) -> None:
    rubric = tmp_path / "own.yaml"
    rubric.write_text("purpose: Worth?\nleast: 0\nmost: 100\ncriteria:\n  - name: worth\n    ask: how much?\n")
    with rating(tmp_path, rows(tmp_path / "a.jsonl", "alpha", 1), "--criteria", str(rubric)) as url:
        sight.begin(url, "Anna")
        sight.page.get_by_label("worth, 0 to 100").fill("73")
        sight.page.get_by_role("button", name="Next").click()
        sight.count(1, 1)
    assert lines(tmp_path, "anna")[0]["marks"] == {"worth": 73}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_its_window_and_can_be_read_in_both_schemes(
    tmp_path: Path, chromium: Any, scheme: str, width: int
) -> None:
    seen = Sight(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme)
    ours = tmp_path / "a.jsonl"
    ours.write_bytes(orjson.dumps({"instruction": "word " * 300, "output": "x" * 3_000 + "\n" + "\t" * 90}) + b"\n")
    with rating(tmp_path, str(ours)) as url:
        seen.begin(url, "Anna")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        for selector in (".text", ".hint", "legend", "button.main", ".count"):
            ratio = seen.page.locator(selector).first.evaluate(_CONTRAST)
            assert ratio >= 4.5, f"{selector}: {ratio:.1f}"
        unnamed = seen.page.locator("input, textarea, button").evaluate_all(
            "all => all.filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim())).length"
        )
        assert unnamed == 0
        seen.close()


# the contrast of a text with what is behind it, as WCAG reckons it
_CONTRAST = """(element) => {
  const parse = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  let behind = element;
  while (behind && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind || document.body).backgroundColor]
    .map((colour) => light(parse(colour))).sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}"""
