"""Lists of words given as input: how many there are, of a kind, of a word, with a letter."""

from __future__ import annotations

import random

from . import vocabulary as v
from .engine import WORD, Family, Slots, between, pick, words
from .lists import draw_kind, draw_longer, draw_mixed, draw_word, draw_words, of_kind

_LETTERS = tuple(sorted({word[0] for word in v.ITEMS} - set("knquyz")))


def _size(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(len(found))


def _count_kind(slots: Slots, given: str) -> str | None:
    found = of_kind(slots, given)
    return None if found is None else str(len(found))


def _draw_repeated(rng: random.Random, slots: Slots, label: str) -> str:
    found = [word for word in draw_words(rng, 2, 3) if word != slots["word"]]
    found += [slots["word"]] * between(rng, 1, 3)
    rng.shuffle(found)
    return ", ".join(found)


def _occurrences(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(found.count(slots["word"]))


def _draw_for_letter(rng: random.Random, slots: Slots, label: str) -> str:
    with_letter = [word for word in v.ITEMS if word[0] == slots["letter"]]
    found = rng.sample(with_letter, min(len(with_letter), between(rng, 1, 3)))
    found += [word for word in draw_words(rng, 3, 4) if word not in found][:2]
    rng.shuffle(found)
    return ", ".join(found)


def _starting(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(sum(word[0] == slots["letter"] for word in found))


_ONE = {"word": WORD}
_KIND = {"kind": tuple(v.CATEGORY_PLURALS.values())}

FAMILIES = (
    Family(
        "count_items",
        (
            "Count the words in the list of {name} from the {place}.",
            "How many things does {name} carry to the {event}?",
            "Say how long the list is that {name} gave to my {relation}.",
            "{name} pays one coin for each thing at the {place}. How many coins are due?",
            "Tell the {job} named {name} the number of items below.",
            "What is the number of things {name} and {name2} own together at the {place}?",
            "Find out how many entries {name} wrote on the {colour} note for {day}.",
            "My {relation} wants to know how many words the {subject} list of {name} has.",
            "Give the size of the pile that {name} left at the {place}.",
            "For every word, {name} lights a candle at the {event}. How many candles burn?",
        ),
        _size,
        draw_input=draw_longer,
    ),
    Family(
        "count_kind",
        (
            "Count the {kind} in the list of {name}.",
            "How many of these words from the {place} are {kind}, {name}?",
            "{name} gets a coin for each of the {kind} at the {event}. How many coins is that?",
            "Tell {name} the number of {kind} that my {relation} wrote down.",
            "How often do {kind} turn up among the things of {name} the {job}?",
            "In the {colour} box of {name} are many things. Say how many of them are {kind}.",
            "Give the count of {kind} and ignore all else that {name} brought to the {place}.",
            "What number of {kind} can {name2} and {name} find here?",
            "For the {subject} test, {name} must report how many {kind} are named.",
            "My {relation} needs {kind} for the {event}. Work out how many there are.",
        ),
        _count_kind,
        _KIND,
        draw_kind,
        draw_input=draw_mixed,
    ),
    Family(
        "count_word",
        (
            "How many times does {word} appear in the list of {name}?",
            "Count how often {name} wrote {word} at the {place}.",
            "The {job} looks for {word}. In how many places is it found?",
            "Give the number of times my {relation} says {word} at the {event}.",
            "{name} rings a bell for every {word} in the row. How many times does the bell ring?",
            "Tell {name} the count of the word {word} here.",
            "What is the number of {word} tickets among those of {name}, when each word is a ticket?",
            "In the {subject} list, check how often {word} comes up for {name}.",
            "Report to the {job} at the {place} how many entries read {word}.",
            "For every {word} that is named, {name} eats a cake. How many cakes are eaten?",
        ),
        _occurrences,
        _ONE,
        draw_word,
        draw_input=_draw_repeated,
    ),
    Family(
        "count_letter",
        (
            "Count the words in the list of {name} that begin with the letter {letter}.",
            "How many things at the {place} start with {letter}, {name}?",
            "{name} likes words whose first letter is {letter}. How many are there for the {event}?",
            "Tell the {job} called {name} how many entries have {letter} at their start.",
            "What is the number of words opening with {letter} in the {subject} list of {name}?",
            "My {relation} keeps things starting with {letter} in {an colour} box. How many will {name} put there?",
            "Find how many of the names of things begin with {letter} for {name} and {name2}.",
            "Give {name} one point for each word that has {letter} in front. What is the score at the {event}?",
            "Say how often the letter {letter} comes first in these words from the {place} of {name}.",
            "For the letter {letter}, report to {name} how many words of the {job} start so.",
        ),
        _starting,
        {"letter": "[a-z]"},
        lambda rng: {"letter": pick(rng, _LETTERS)},
        draw_input=_draw_for_letter,
    ),
)
