"""Gopher's, C4's and FineWeb's rules: each at its threshold."""

from __future__ import annotations

import pytest

from llmsynth.steps.filters.web_text import C4, FineWeb, GopherQuality, GopherRepetition, WebProfile, gopher_repetition
from tests.curating import curated, reasons, record

SENTENCES = (
    "The harbour of the town had been built in the days of the old queen.",
    "Fishermen mended nets along the quay, and children ran after the gulls.",
    "In winter the ice came down from the north and closed it for months.",
    "Nobody minded, for there was bread in the cellars and music in the inns.",
    "When spring returned, the first ship to enter was greeted with bells.",
    "Its captain got a barrel of beer, a song, and a kiss from the mayor.",
)
PAGE = "\n".join(SENTENCES)


def words(count: int, length: int = 5) -> str:
    """So many different words of one length, with two stop words among them."""
    return " ".join(["the", "of", *(f"{n:x}".rjust(length, "q") for n in range(count - 2))])


async def verdict(step: object, text: str) -> str:
    return reasons(await curated(step, [record(text=text)]))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PAGE, ""),
        ("", "gopher_words"),
        (words(49), "gopher_words"),
        (words(50), ""),
        (words(60, 2), "gopher_word_length"),
        (words(60, 12), "gopher_word_length"),
        (words(50) + " #" * 5, ""),
        (words(50) + " #" * 6, "gopher_symbols"),
        (words(50) + "... " * 6, "gopher_symbols"),
        ("\n".join(f"- {line}" for line in SENTENCES), "gopher_bullets"),
        ("\n".join(f"{line[:-1]}..." if n < 2 else line for n, line in enumerate(SENTENCES)), "gopher_ellipsis_lines"),
        (words(50) + " 12345" * 12, ""),
        (words(50) + " 12345" * 14, "gopher_letters"),
        (" ".join(f"w{n}xyz" for n in range(60)), "gopher_stop_words"),
    ],
)
async def test_gopher_quality(text: str, reason: str) -> None:
    assert await verdict(GopherQuality(), text) == reason


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (PAGE, None),
        (words(80), None),
        ("\n".join([*SENTENCES, SENTENCES[0]]), None),
        ("\n".join([*SENTENCES, *SENTENCES[:2]]), "2 of 8 lines"),  # a quarter of the characters
        ("\n".join([*SENTENCES, *SENTENCES[:3]]), "lines"),
        ("\n\n".join([*SENTENCES, *SENTENCES[:3]]), "paragraphs"),
        (words(40) + " very long" * 12, "'very long'"),
        (f"{SENTENCES[0]} {SENTENCES[1]}\n{SENTENCES[0]} {SENTENCES[2]}\n{SENTENCES[3]}", "repeated runs"),
    ],
)
def test_gopher_repetition(text: str, detail: str | None) -> None:
    drop = gopher_repetition(text)
    assert (drop is None) == (detail is None), drop
    assert drop is None or (drop.reason == "gopher_repetition" and detail is not None and detail in drop.detail)


async def test_c4_takes_out_lines_and_drops_by_what_is_left() -> None:
    menu = "Home | About\nWe use cookies to make your visit pleasant.\nPlease enable Javascript.\nIt ends somehow...\n"
    (one,) = await curated(C4(), [record(text=f"{menu}{PAGE}\nIt is known.[3]\n{'x' * 1001} is long.")])
    assert not one.dropped and one.fields["text"] == f"{PAGE}\nIt is known."
    assert one.scores["c4_lines_removed"] == 5
    assert await verdict(C4(), "\n".join(SENTENCES[:4])) == "c4_sentences"
    assert await verdict(C4(), " ".join(SENTENCES[:5])) == ""
    assert await verdict(C4(), f"{PAGE}\nIt was Lorem Ipsum all along.") == "c4_lorem_ipsum"
    assert await verdict(C4(), f"{PAGE}\nThe set {{1, 2}} is finite.") == "c4_curly_bracket"
    published = C4(sentences=3, words=5)
    assert await verdict(published, "\n".join(SENTENCES[:3])) == ""
    assert await verdict(published, "\n".join([*SENTENCES[:2], "It is known."])) == "c4_sentences"
    without = PAGE.replace(".", "")
    assert await verdict(C4(), without) == "c4_sentences"
    assert await verdict(C4(terminal_punctuation=False), without) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PAGE, ""),
        (" \n ", "fineweb_line_ends"),
        (PAGE.replace(".", ""), "fineweb_line_ends"),
        ("\n".join([*SENTENCES[:2], *(f"Short line {n} here." for n in range(5))]), "fineweb_short_lines"),
        ("\n".join([*SENTENCES, SENTENCES[0]]), "fineweb_duplicate_lines"),
        ("\n\n\n\n".join(f"{line[:33]}." for line in SENTENCES), "fineweb_list"),
    ],
)
async def test_fineweb(text: str, reason: str) -> None:
    assert await verdict(FineWeb(), text) == reason


async def test_the_web_profile_is_all_of_them_and_no_profile_for_answers() -> None:
    assert await verdict(WebProfile(), PAGE) == ""
    assert await verdict(WebProfile(), "56") == "gopher_words"
    assert await verdict(GopherRepetition(), "\n".join([SENTENCES[0]] * 3)) == "gopher_repetition"
