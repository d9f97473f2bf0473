"""Facts: the colours of things, and the capitals and coins of an invented continent."""

from __future__ import annotations

import random
from collections.abc import Callable

from . import vocabulary as v
from .engine import NAME, WORD, Family, Slots, pick


def _look_up(table: dict[str, str]) -> Callable[[Slots, str], str | None]:
    return lambda slots, given: table.get(slots["key"])


def _one_of(table: dict[str, str]) -> Callable[[random.Random], Slots]:
    keys = tuple(table)
    return lambda rng: {"key": pick(rng, keys)}


def _example_of(slots: Slots, given: str) -> str | None:
    return v.CATEGORIES[slots["kind"]][0]


def _any_example(rng: random.Random, slots: Slots, given: str) -> str:
    return pick(rng, v.CATEGORIES[slots["kind"]])


def _is_example(expected: str, answer: str, slots: Slots, given: str) -> bool:
    return answer.strip(" .").lower().removeprefix("a ").removeprefix("an ") in v.CATEGORIES[slots["kind"]]


def _bigger_than(slots: Slots, given: str) -> str | None:
    heavier = _heavier_ones(slots)
    return heavier[0] if heavier else None


def _heavier_ones(slots: Slots) -> tuple[str, ...]:
    if slots["key"] not in v.BY_WEIGHT:
        return ()
    return v.BY_WEIGHT[v.BY_WEIGHT.index(slots["key"]) + 1 :]


def _any_bigger(rng: random.Random, slots: Slots, given: str) -> str:
    return pick(rng, _heavier_ones(slots))


def _is_bigger(expected: str, answer: str, slots: Slots, given: str) -> bool:
    return answer.strip(" .").lower().removeprefix("a ").removeprefix("an ") in _heavier_ones(slots)


_PROPER = {"key": NAME}
_ONE = {"key": WORD}

FAMILIES = (
    Family(
        "capital",
        (
            "What is the capital of {key}? {name} has to know it for {subject}.",
            "{name} travels to the capital of {key}. Which city is that?",
            "Name the city from which {key} is ruled, as {name} learned it in {subject}.",
            "The king of {key} lives in its capital. Tell the {job} its name.",
            "Which capital city belongs to {key} in the {subject} book of {name}?",
            "My {relation} sends {goods} to the capital of {key}. Where do they arrive?",
            "For the {event} quiz, give the capital of {key}.",
            "If {name} lands in the main city of {key} on {day}, where is {name}?",
            "Say which city the people of {key} call their capital, {name} wonders.",
            "A train full of {goods} leaves for the capital of {key}. What is written on it?",
        ),
        _look_up(v.CAPITALS),
        _PROPER,
        _one_of(v.CAPITALS),
    ),
    Family(
        "country_of",
        (
            "Of which country is {key} the capital? {name} cannot remember.",
            "{name} lives in the capital city {key}. Name the country.",
            "Which country has {key} as its capital, asks the {job}?",
            "Tell {name} the country that is ruled from {key}.",
            "My {relation} flew to {key} for the {event}. To which country did the flight go?",
            "The {place} has a letter from the capital {key}. From what country does it come?",
            "In the {subject} lesson, match the capital {key} with its country.",
            "If {name} sells {goods} in {key}, which country is it in?",
            "Find the land whose main city is {key} so that {name} can visit it in {month}.",
            "Guess in what country {name} is, knowing that its capital {key} can be seen from the {place}.",
        ),
        _look_up(v.COUNTRY_OF),
        _PROPER,
        _one_of(v.COUNTRY_OF),
    ),
    Family(
        "currency",
        (
            "What is the money of {key} called? {name} wants to buy {goods} there.",
            "{name} pays for {an object} in {key}. With which kind of coin?",
            "Name the coin used in {key} for the {subject} test of {name}.",
            "If {an job} from {key} opens a purse, what coin is in it?",
            "Which coin should my {relation} take along to {key} in {month}?",
            "Tell {name} the currency of {key}.",
            "The bank at the {place} changes money for {key}. Into what coin?",
            "People in {key} buy {goods} with one kind of coin. Which one is it?",
            "A ticket for the {event} in {key} is paid with what sort of money?",
            "Give the name of the money that {name} earned as {an job} in {key}.",
        ),
        _look_up(v.CURRENCIES),
        _PROPER,
        _one_of(v.CURRENCIES),
    ),
    Family(
        "colour_of",
        (
            "What colour is {key} as a rule? {name} wants to paint it.",
            "{name} needs the right paint for {key} in the {place}. Which colour?",
            "Name the usual colour of {key} for the {job}.",
            "Which colour comes to the mind of {name} when my {relation} says {key}?",
            "For the {event} poster, {key} must look real. Say in which colour.",
            "Tell {name} the colour that {key} has most of the time.",
            "If a child at the {place} paints {key}, which pen does it take?",
            "Choose the colour of {key} for the scarf of {name}.",
            "In a {subject} book, {key} is shown in what colour?",
            "I close my eyes at the {place} and think of {key}. What colour do I see?",
        ),
        _look_up(v.TYPICAL_COLOURS),
        _ONE,
        _one_of(v.TYPICAL_COLOURS),
    ),
    Family(
        "example_of",
        (
            "Name {an kind} that {name} may know.",
            "Give {name} one example of {an kind} for the {subject} class.",
            "{name} is asked for {an kind} at the {event}. What could {name} say?",
            "Think of any {kind} and tell it to the {job}.",
            "My {relation} collects words. Offer a word for {an kind}.",
            "Which {kind} comes to mind when {name} visits the {place}?",
            "To end the {event}, name just one {kind}.",
            "Suggest {an kind} for a story that takes place at the {place} on {day}.",
            "In the game of {name} and {name2}, the next word has to be {an kind}. Pick one.",
            "Fill the empty line in the {subject} book with the name of some {kind}.",
        ),
        _example_of,
        {"kind": tuple(v.CATEGORIES)},
        lambda rng: {"kind": pick(rng, tuple(v.CATEGORIES))},
        accept=_is_example,
        vary=_any_example,
    ),
    Family(
        "bigger_animal",
        (
            "Name an animal that weighs more than {an key}, for {name}.",
            "{name} wants an animal heavier than {an key}. Suggest one.",
            "Which animal at the {place} could push {an key} aside by its weight?",
            "Think of a beast with more weight than {an key} and tell it to my {relation}.",
            "The {job} asks for something bigger than {an key} in the {event} parade. Give an animal.",
            "If {an key} is too light for the cart of {name}, which animal is heavier?",
            "Give one example of an animal that {an key} could not lift, says {name}.",
            "For the {subject} class, find an animal above {an key} in weight.",
            "What animal would tip the scale against {an key} at the {place}?",
            "Complete the list of {name} with an animal heavier than {an key}.",
        ),
        _bigger_than,
        _ONE,
        lambda rng: {"key": pick(rng, v.BY_WEIGHT[:-2])},
        accept=_is_bigger,
        vary=_any_bigger,
    ),
)
