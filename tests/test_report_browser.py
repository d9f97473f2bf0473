"""The page of a run, opened and clicked in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsynth.record import Drop, Record
from llmsynth.report import write_report
from llmsynth.text import fingerprint
from tests.browsing import Opened, chromium, opened
from tests.reported import rate_rows, records, write_run

pytestmark = pytest.mark.browser

MOST_SECONDS = 3.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module", params=[1_000, 50_000])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    rows = records(request.param)
    run = write_run(tmp_path_factory.mktemp("reported") / "run", rows)
    info = write_report(run)
    assert info.rows == len(rows) and info.size < 25_000_000
    return info.path, rows


def matches(page: Any) -> int:
    """How many rows the list says it shows, once it has stopped searching."""
    page.wait_for_function("() => !document.getElementById('matches').textContent.includes('searching')")
    return int(page.inner_text("#matches").split()[0].replace(",", ""))


def settled(found: Opened) -> None:
    assert found.errors == [] and found.requests == []


def test_it_opens_in_time_and_asks_the_network_for_nothing(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    best = 99.0
    for _ in range(3):  # the machine may be busy with other tests
        with opened(browser, path) as found:
            best = min(best, found.page.evaluate("performance.now()") / 1000)
            for chart in found.page.locator(".chart").all():
                chart.scroll_into_view_if_needed()
            found.page.wait_for_timeout(200)
            settled(found)
            assert f"{sum(r.dropped is None for r in rows):,}" in found.page.inner_text("#overview")
            assert "0.625" in found.page.inner_text("#variety") and "6 · 67 %" in found.page.inner_text("#survival")
            assert "$0.02" in found.page.inner_text("#cost") and "harbour" in found.page.inner_text("#topics")
    assert best < MOST_SECONDS


def test_rows_are_filtered_by_reason_stage_verdict_and_label(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    with opened(browser, path) as found:
        page = found.page
        assert matches(page) == len(rows)
        page.select_option("#reason", "minhash_duplicate")
        repeated = sum(r.dropped is not None and r.dropped.reason == "minhash_duplicate" for r in rows)
        assert matches(page) == repeated
        page.select_option("#reason", "")
        page.select_option("#stage", "length")
        assert matches(page) == sum(r.dropped is not None and r.dropped.reason == "too_short" for r in rows)
        page.select_option("#stage", "")
        page.select_option("#status", "kept")
        kept = sum(r.dropped is None for r in rows)
        assert matches(page) == kept
        page.select_option("#label", label="topic")
        page.select_option("#value", label="harbour")
        assert matches(page) == sum(r.dropped is None and r.meta["topic"] == "harbour" for r in rows)
        settled(found)


def test_a_reason_of_the_funnel_shows_its_rows(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    with opened(browser, path) as found:
        found.page.locator("#funnel .chip", has_text="too short").click()
        assert matches(found.page) == sum(r.dropped is not None and r.dropped.reason == "too_short" for r in rows)
        assert found.page.locator("#list .row").first.inner_text().count("too short") == 1
        found.page.locator("#list .row").first.click()
        assert found.page.inner_text("#dropped-by") == "by steps[1] length"
        settled(found)


def test_search_finds_texts_in_any_row_and_any_case(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    last = next(r for r in reversed(rows) if r.dropped is None)
    with opened(browser, path) as found:
        page = found.page
        page.fill("#query", last.fields["instruction"].upper())
        page.wait_for_function(
            "() => document.getElementById('matches').textContent.startsWith('1 ') || "
            "document.getElementById('matches').textContent.startsWith('2 ')",
            timeout=20_000,
        )
        found_rows = [r for r in rows if last.fields["instruction"].lower() in r.fields["instruction"].lower()]
        assert matches(page) == len(found_rows)
        assert last.fields["instruction"] in page.locator("#list .row").first.inner_text()
        page.fill("#query", "no row says this")
        page.wait_for_function("() => document.getElementById('matches').textContent.startsWith('0 ')", timeout=20_000)
        assert matches(page) == 0 and page.inner_text("#list") == "No row is like that."
        settled(found)


def test_a_row_shows_its_prompts_and_raw_replies(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    with opened(browser, path) as found:
        page = found.page
        page.locator("#list .row").nth(3).click()
        page.wait_for_selector("#drawer .raw-reply", state="attached")
        assert page.inner_text("#drawer h2") == rows[3].id
        assert rows[3].fields["output"] in page.inner_text("#drawer")
        page.locator("#drawer .exchange summary").first.click()
        assert page.locator("#drawer .prompt").all_text_contents() == [
            "The exact prompt 0 of row-2\n\nwith lines",
            "The exact prompt 1 of row-3\n\nwith lines",
        ]
        assert page.locator("#drawer .raw-reply").last.text_content() == (
            f"The raw reply 1 of row-3: {rows[3].fields['output']}"
        )
        assert page.locator("#drawer .neighbour").count() == 8
        page.locator("#drawer .neighbour").first.click()
        page.wait_for_function("() => document.querySelector('#drawer h2').textContent !== 'row-3'")
        page.keyboard.press("Escape")
        assert page.locator("#drawer").is_hidden()
        settled(found)


def test_the_list_scrolls_to_its_last_row(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    with opened(browser, path) as found:
        page = found.page
        page.evaluate("document.getElementById('list').scrollTop = 1e9")
        page.wait_for_function("text => document.getElementById('list').innerText.includes(text)", arg=rows[-1].id)
        assert page.locator("#list .row").count() < 40
        settled(found)


def test_duplicates_stand_side_by_side_with_what_differs_marked(
    browser: Any, report: tuple[Path, list[Record]]
) -> None:
    path, _ = report
    with opened(browser, path) as found:
        page = found.page
        page.locator("#duplicates").scroll_into_view_if_needed()
        page.wait_for_selector("#duplicates article")
        first = page.locator("#duplicates article").first
        assert "0.875" in first.inner_text() and "minhash" in first.inner_text()
        assert "Please." in [mark.strip() for mark in first.locator("mark").all_text_contents()]
        page.locator("#duplicates button", has_text="Show more").click()
        page.wait_for_function("() => document.querySelectorAll('#duplicates article').length === 10")
        settled(found)


def test_the_map_tells_texts_and_changes_its_colours(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, rows = report
    with opened(browser, path) as found:
        page = found.page
        page.locator("#map-plot").scroll_into_view_if_needed()
        page.wait_for_selector("#map-plot canvas")
        assert "harbour" in page.inner_text("#map .legend")
        before = page.locator("#map-plot canvas").first.evaluate("canvas => canvas.toDataURL()")
        page.select_option("#map-by", "verdict")
        assert page.inner_text("#map .legend").split()[:2] == ["kept", f"{sum(r.dropped is None for r in rows):,}"]
        page.wait_for_timeout(300)
        assert page.locator("#map-plot canvas").first.evaluate("canvas => canvas.toDataURL()") != before
        box = page.locator("#map-plot").bounding_box()
        at = page.evaluate(
            "() => { const p = document.getElementById('map-plot').chart.plot; return p.convertToPixel({gridIndex: 0},"
            " [page.index.x[7] / 65535, page.index.y[7] / 65535]); }"
        )
        page.mouse.move(box["x"] + at[0], box["y"] + at[1])
        page.wait_for_selector("#tip:not([hidden])")
        assert any(verb in page.inner_text("#tip") for verb in ("number", "row-"))
        page.mouse.click(box["x"] + at[0], box["y"] + at[1])
        page.wait_for_selector("#drawer:not([hidden])")
        settled(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(
    browser: Any, report: tuple[Path, list[Record]], scheme: str
) -> None:
    path, _ = report
    brightness = "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0] > 128"
    with opened(browser, path, scheme=scheme) as found:
        assert found.page.evaluate(brightness) is (scheme == "light")
        found.page.click("#theme")
        assert found.page.evaluate(brightness) is (scheme == "dark")
        settled(found)


def test_on_a_phone_nothing_is_wider_than_the_window(browser: Any, report: tuple[Path, list[Record]]) -> None:
    path, _ = report
    with opened(browser, path, width=380) as found:
        page = found.page
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        broken = "all => all.filter((one) => one.offsetHeight > 64).map((one) => one.textContent)"  # letter by letter
        assert page.locator("th").evaluate_all(broken) == []
        page.locator("#list .row").first.click()
        page.wait_for_selector("#drawer .raw-reply", state="attached")
        assert page.locator("#drawer").bounding_box()["width"] == 380
        assert page.evaluate("document.getElementById('drawer').scrollWidth") <= 380
        settled(found)


EVIL = [
    "<script>document.title = 'taken'; alert(1)</script>",
    "</script><img src=x onerror=\"document.title='taken'\">",
    "\"'`><svg onload=alert(1)>",
    "<!-- <script> ]]> {{title}} <!-- data --> &lt;b&gt;",
    "null \u0000 byte, bell \u0007, escape \u001b[31m",
    "👩‍👩‍👧 emoji, \u202eright to left override\u202c, مرحبا بالعالم",
    "line\u2028separator\\u003cscript\\u003e ${document.title} $& $1",
]


def as_shown(text: str) -> str:
    """With pictures for what would be invisible."""
    return text.replace("\0", "␀").replace("\a", "␇").replace("\x1b", "␛")


def test_a_record_full_of_markup_is_shown_as_text_and_runs_nothing(browser: Any, tmp_path: Path) -> None:
    rows = []
    for number, text in enumerate(EVIL * 3):
        meta: dict[str, Any] = {
            "topic": text[:60].replace("\n", " "),
            text[:20]: text,
            "journal": [fingerprint(str(number))],
        }
        drop = Drop("minhash_duplicate", text) if number >= len(EVIL) else None
        if drop:
            meta["duplicate_of"] = {
                "kept_id": f"{EVIL[number % len(EVIL)]}{number % len(EVIL)}",
                "method": text,
                "score": 0.9,
            }
        rows.append(Record(f"{text}{number}", {"instruction": text, "output": text, text[:15]: text}, meta, {}, drop))
    run = write_run(tmp_path / "run", rows, name=EVIL[1])
    with opened(browser, write_report(run).path) as found:
        page = found.page
        for number, text in enumerate(EVIL):
            page.locator(f'#list .row[data-number="{number}"]').scroll_into_view_if_needed()
            page.locator(f'#list .row[data-number="{number}"]').click()
            page.wait_for_selector("#drawer .raw-reply", state="attached")
            assert page.locator("#drawer .field .text").first.text_content() == as_shown(text)
            reply = page.locator("#drawer .raw-reply").text_content()
            assert reply == as_shown(f"The raw reply 0 of {text}{number}: {text}")
            page.keyboard.press("Escape")
        page.wait_for_selector("#duplicates article")
        page.locator("#map-plot").scroll_into_view_if_needed()
        page.wait_for_selector("#map-plot canvas")
        assert EVIL[1] in page.title() and page.title() != "taken"
        assert page.locator("main img, main svg, #drawer img, main script").count() == 0
        assert page.inner_text("h1") == EVIL[1]
        settled(found)


def test_what_does_not_fit_is_told(browser: Any, tmp_path: Path) -> None:
    rows = records(1_000)
    run = write_run(tmp_path / "run", rows)
    with opened(browser, write_report(run, tmp_path / "few.html", most_rows=300).path) as found:
        assert "300 of the 1,000 rows" in found.page.inner_text("[data-note=rows]")
        assert matches(found.page) == 300
    run = write_run(tmp_path / "talkative" / "run", rows, padding=400)
    info = write_report(run, tmp_path / "small.html", most_bytes=2_400_000)
    assert info.size < 2_400_000
    assert info.rows == 1_000 and 0 < info.answers < info.all_answers
    with opened(browser, info.path) as found:
        page = found.page
        assert f"{info.answers:,} of the {info.all_answers:,} prompts" in page.inner_text("[data-note=answers]")
        lacking = page.evaluate(
            "async () => { for (let i = 0; i < 1000; i++) { const r = await row(i);"
            " if ((await Promise.all(r.answers.map(answer))).some((a) => a === null)) return r.id; } }"
        )
        page.fill("#query", lacking)
        page.wait_for_timeout(500)
        page.locator("#list .row", has_text=lacking).first.click()
        page.wait_for_selector("#drawer .note")
        assert f"llmsynth show run {lacking}" in page.inner_text("#drawer .note")
        settled(found)


def test_two_runs_stand_side_by_side(browser: Any, tmp_path: Path) -> None:
    first = write_run(tmp_path / "one", records(400), name="first")
    second = write_run(tmp_path / "two", records(300, seed=5), name="second", journal=False)
    with opened(browser, write_report([first, second], tmp_path / "compare.html").path) as found:
        page = found.page
        table = page.inner_text("#compared")
        assert "400" in table and "300" in table and "−100" in table and "self-BLEU" in table
        assert page.inner_text("#recipe mark") != ""
        assert matches(page) == 700
        page.select_option("#run", "1")
        assert matches(page) == 300
        assert page.locator("#map-by").input_value() == "run"
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        settled(found)
        assert json.loads(page.evaluate("JSON.stringify(page.told.runs.map((run) => run.rows))")) == [400, 300]


def test_numbers_stand_in_their_order_and_in_ranges_where_they_are_many(browser: Any, tmp_path: Path) -> None:
    rows = [
        Record(f"r{n}", {"instruction": f"Write a poem {n}", "output": "yes"}, {"round": (7 * n) % 23, "turns": n % 3})
        for n in range(230)
    ]
    with opened(browser, write_report(write_run(tmp_path / "run", rows, journal=False)).path) as found:
        page = found.page
        assert page.locator("#map-by").input_value() == "verdict"  # which tells more than a number
        page.select_option("#map-by", label="round")
        names = [f"{low} to {low + 2}" for low in range(0, 21, 3)] + ["21 to 22"]
        shown = [line.strip() for line in page.inner_text("#map .legend").splitlines() if line.strip()]
        assert " ".join(shown) == " ".join(f"{name} {10 * (3 if name[:2] != '21' else 2)}" for name in names)
        shares = page.locator("#topics .card", has_text="round").locator(
            ".shares > span:first-child, .shares > [title]"
        )
        assert [text for text in shares.all_inner_texts() if text] == names
        assert page.locator("#topics .card", has_text="turns").inner_text().split()[1::5] == ["0", "1", "2"]
        settled(found)


def test_a_pair_shows_what_can_be_compared_and_nothing_twice(browser: Any, tmp_path: Path) -> None:
    def row(id: str, question: str, answer: str, drop: Drop | None = None) -> Record:
        turns = [{"role": "user", "content": f"{question}\n\nof today"}, {"role": "assistant", "content": answer}]
        fields = {"instruction": question, "input": "of today", "output": answer, "messages": turns if answer else []}
        repeat = {"duplicate_of": {"kept_id": "a", "method": "rouge", "score": 0.9}} if drop else {}
        return Record(id, fields, repeat, {} if drop else {"quality": 0.5}, drop)

    drop = Drop("not_novel", "0.9")
    rows = [row("a", "Name a fish", "carp"), row("b", "Name one fish", "", drop), row("c", "Name a fish", "eel", drop)]
    with opened(browser, write_report(write_run(tmp_path / "run", rows, journal=False)).path) as found:
        first, second = found.page.locator("#duplicates article").all()
        sides = [first.locator(".two > div").nth(side) for side in (0, 1)]
        assert sides[0].locator("h3").all_inner_texts() == ["instruction", "input", "output"]
        assert sides[1].locator("h3").all_inner_texts() == ["instruction", "input"]
        assert first.locator("mark").all_inner_texts() == ["a", "one"]  # and not "carp", which has no other
        assert second.locator("mark").all_inner_texts() == ["carp", "eel"]
        assert found.page.inner_text("[data-note=constant]").endswith("quality 0.5.")
        assert found.page.locator("#scores .chart").count() == 0
        settled(found)


def test_what_people_said_is_shown_without_their_names(browser: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(40))
    rate_rows(run, ("Anna", "Ben"))
    with opened(browser, write_report(run).path) as found:
        told = found.page.inner_text("#people")
        assert "Marks from 1 to 5, by the rubric answer" in told and "correctness\t4.50\t4.50 to 4.50" in told
        assert "6 rows by 2 people, 12 ratings, 6 rated by several" in told
        assert "Anna" not in found.page.content()
        settled(found)


def test_several_answers_are_shown_as_such(browser: Any, tmp_path: Path) -> None:
    answers = [
        {"text": "carp\n<b>", "role": "strong", "model": "m", "journal": "k", "score": 2.0},
        {"text": "cod", "role": "weak", "model": "m", "journal": "k", "score": None},
    ]
    rows = [Record("a", {"prompt": "Name a fish", "answers": answers, "chosen": "carp", "rejected": "cod"})]
    with opened(browser, write_report(write_run(tmp_path / "run", rows, journal=False)).path) as found:
        found.page.locator("#list .row").first.click()
        shown = found.page.locator("#drawer .field", has_text="answers").locator(".turn")
        assert shown.all_inner_texts() == ["strong · m · score 2\ncarp\n<b>", "weak · m\ncod"]
        settled(found)
