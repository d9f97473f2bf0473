"""Small sums told as stories that say everything."""

from __future__ import annotations

import random

from .engine import NUMBER, Family, Slots, between


def _two(slots: Slots) -> tuple[int, int]:
    return int(slots["a"]), int(slots["b"])


def _draw_sum(rng: random.Random) -> Slots:
    return {"a": str(between(rng, 2, 12)), "b": str(between(rng, 2, 9))}


def _draw_less(rng: random.Random) -> Slots:
    b = between(rng, 1, 9)
    return {"a": str(b + between(rng, 1, 9)), "b": str(b)}


def _add(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a + b)


def _subtract(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a - b) if a >= b else None


def _parity(slots: Slots, given: str) -> str | None:
    return "odd" if int(slots["a"]) % 2 else "even"


_PAIR = {"a": NUMBER, "b": NUMBER}

FAMILIES = (
    Family(
        "add",
        (
            "{name} has {a} {goods} and gets {b} more from {name2}. How many {goods} does {name} have now?",
            "There are {a} {goods} in the {place}. {name} brings {b} more. What is the new total?",
            "If {an job} buys {a} {goods} on {day} and {b} on {day2}, how many is that in all?",
            "Add up {a} {goods} and {b} {goods2} for the {event}.",
            "{name} found {a} {goods}, and {name2} found {b} others. Together, what is their number?",
            "My {relation} keeps {a} {colour} {goods} and {b} {colour2} ones. Count them all.",
            "Work out how many {goods} the {place} owns after adding {b} to the {a} it had.",
            "On {day}, {a} people came to the {place}; on {day2}, {b} came. How large is the sum?",
            "I walked {a} steps to the {place} and {b} steps to the {place2}. How many steps did I take?",
            "What do you get when the {job} puts {a} {goods} together with {b} {goods2}?",
            "Tell {name} the price of a {object} for {a} coins plus a {object2} for {b} coins.",
            "{name} paints {a} {animal} pens and {b} {animal2} pens. How many pens is that?",
        ),
        _add,
        _PAIR,
        _draw_sum,
    ),
    Family(
        "subtract",
        (
            "{name} has {a} {goods} and gives {b} to {name2}. How many {goods} are left?",
            "From {a} {goods} at the {place}, the {job} sells {b} on {day}. How many remain?",
            "Take {b} {colour} {goods} away from a box that holds {a} of them. What number stays in the box?",
            "A {object} costs {b} coins and {name} pays with {a} coins. How much money comes back?",
            "Of the {a} guests at the {event}, {b} went home. Tell me how many stayed.",
            "My {relation} baked {a} cakes, but {b} of them burned. How many good cakes does the {place} get?",
            "How many {goods} does {an job} still need if {a} are wanted and {b} are ready?",
            "The {place} lost {b} of its {a} {goods} on {day}. Say what it still holds.",
            "{name} read {b} of {a} pages before the {event}. How many pages are unread?",
            "Start with {a} {goods}, remove {b}, and report the rest to {name}.",
            "There were {a} birds near the {place} until {b} flew off. Count those that did not.",
            "I need to know what {a} coins become after {name} spends {b} on {goods}.",
        ),
        _subtract,
        _PAIR,
        _draw_less,
    ),
    Family(
        "even_or_odd",
        (
            "Is {a} odd or even?",
            "{name} lives at number {a} near the {place}. Is that number even or odd?",
            "Decide whether {a} {goods} make an even or an odd number.",
            "Say even if {a} coins can be split in two equal parts for {name} and {name2}, else say odd.",
            "The {job} counted {a} {goods} at the {place}. Odd or even?",
            "Would you call the {a} guests of the {event} an odd number or an even one?",
            "Label the number {a} on the door of my {relation} as odd or even.",
            "We have {a} {colour} {goods}. Tell {name} if that is odd or even.",
            "Odd or even, which word fits the {a} years of {name}?",
            "If a {animal} takes {a} steps to the {place}, is the count even, or is it odd?",
            "In {subject}, {name} got {a} points. State if the points are odd or even.",
        ),
        _parity,
        {"a": NUMBER},
        lambda rng: {"a": str(between(rng, 1, 99))},
        labels=("odd", "even"),
    ),
)
