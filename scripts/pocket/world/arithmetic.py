"""Small sums told as stories that say everything."""

from __future__ import annotations

import random
from itertools import pairwise

from .engine import NUMBER, Family, Slots, between, numbers


def _two(slots: Slots) -> tuple[int, int]:
    return int(slots["a"]), int(slots["b"])


def _draw_sum(rng: random.Random) -> Slots:
    return {"a": str(between(rng, 2, 30)), "b": str(between(rng, 2, 30))}


def _draw_less(rng: random.Random) -> Slots:
    b = between(rng, 1, 19)
    return {"a": str(b + between(rng, 1, 20)), "b": str(b)}


def _draw_product(rng: random.Random) -> Slots:
    return {"a": str(between(rng, 2, 10)), "b": str(between(rng, 2, 10))}


def _draw_share(rng: random.Random) -> Slots:
    b = between(rng, 2, 10)
    return {"a": str(b * between(rng, 2, 10)), "b": str(b)}


def _draw_unequal(rng: random.Random) -> Slots:
    a = between(rng, 2, 60)
    b = between(rng, 2, 60)
    return {"a": str(a), "b": str(b + 1 if a == b else b)}


def _add(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a + b)


def _subtract(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a - b) if a >= b else None


def _multiply(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a * b)


def _share(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(a // b) if b and a % b == 0 else None


def _who_has_more(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    if a == b or slots["name"] == slots["name2"]:
        return None
    return slots["name"] if a > b else slots["name2"]


def _difference(slots: Slots, given: str) -> str | None:
    a, b = _two(slots)
    return str(abs(a - b))


def _parity(slots: Slots, given: str) -> str | None:
    return "odd" if int(slots["a"]) % 2 else "even"


def _draw_sequence(rng: random.Random) -> Slots:
    start, step = between(rng, 1, 20), between(rng, 1, 5)
    series = [start + step * i for i in range(4)]
    if rng.random() < 0.4:
        series = [20 + n for n in reversed(series)]
    return {"series": ", ".join(map(str, series))}


def _next(slots: Slots, given: str) -> str | None:
    found = numbers(slots["series"])
    if found is None or len(found) < 3:
        return None
    steps = {second - first for first, second in pairwise(found)}
    following = found[-1] + found[-1] - found[-2]
    return str(following) if len(steps) == 1 and following >= 0 else None


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
        "multiply",
        (
            "Each box holds {a} {goods}. How many {goods} are in {b} boxes at the {place}?",
            "{name} makes {a} {goods} a day. What will {name} have after {b} days?",
            "A {object} costs {a} coins. Find the price of {b} of them.",
            "If {b} {job} teams each carry {a} {goods}, how many are carried altogether?",
            "The {place} has {b} rows of {a} chairs for the {event}. Count all the chairs.",
            "Multiply the {a} {goods} of {name} by {b} for the {job}.",
            "My {relation} plants {a} trees in every garden and has {b} gardens. Give the number of trees.",
            "On each of {b} tables stand {a} {colour} {goods}. Tell {name} how many there are.",
            "How far does {name} walk in {b} trips to the {place} if one trip is {a} miles?",
            "Work out {a} times {b} for the {event} bill.",
            "We packed {b} bags with {a} {goods} each. What is the full count?",
            "Every guest at the {event} eats {a} {goods}; {b} guests come. How many must the {job} prepare?",
        ),
        _multiply,
        _PAIR,
        _draw_product,
    ),
    Family(
        "share",
        (
            "{name} shares {a} {goods} fairly among {b} friends. How many does each friend get?",
            "Split {a} coins from the {event} equally between {b} helpers. What is one share?",
            "The {job} packs {a} {goods} into {b} equal boxes. How many go into a box?",
            "Divide the {a} {colour} {goods} by {b} and tell {name} the result.",
            "If {b} {goods} cost {a} coins at the {place}, what is paid for one?",
            "There are {a} chairs in {b} equal rows at the {place}. Find the length of a row.",
            "How many {goods} fall to each of {b} children when {name} hands out {a}?",
            "My {relation} reads {a} pages in {b} days, the same number daily. Tell me the pages per day.",
            "Exactly {a} {goods} fill {b} baskets evenly. How many lie in every basket of the {place}?",
            "In {b} trips a {animal} carries {a} {goods}. Say how many it carries in one trip.",
            "We cut a rope of {a} metres into {b} equal parts for the {job}. How long is a part?",
            "Give {name} the size of a team when {a} players at the {place} form {b} equal teams.",
        ),
        _share,
        _PAIR,
        _draw_share,
    ),
    Family(
        "who_has_more",
        (
            "{name} has {a} {goods} and {name2} has {b} of them. Who has more?",
            "Who owns the larger number of {goods}, {name} with {a} or {name2} with {b}?",
            "At the {event}, {name} scored {a} points while {name2} scored {b} of them. Name the winner.",
            "{name} walked {a} miles to the {place}, {name2} walked {b} miles. Which of them walked further?",
            "Tell me who sold more {goods} on {day}, when {name} sold {a} and {name2} sold {b} of them.",
            "My {relation} {name} is {a} years old; {name2} is {b} years old. Who is older?",
            "Compare {a} {colour} {goods} of {name} and {b} of {name2}, and say whose pile is bigger.",
            "One pays {a} coins for a {object}, the other {b} coins. First is {name}, then {name2}. Who pays more?",
            "With {a} {goods} for {name} and {b} for {name2}, who goes home with most?",
            "The {job} gives {name} {a} tickets and gives {name2} {b} more. Which person got the most?",
            "In the {place} works {name} for {a} days and {name2} for {b} days. Find the one who works longer.",
        ),
        _who_has_more,
        _PAIR,
        _draw_unequal,
    ),
    Family(
        "difference",
        (
            "{name} has {a} {goods} and {name2} has {b} {goods2}. How big is the difference?",
            "How many years lie between {a} and {b}, the ages of {name} and my {relation}?",
            "Find how far apart the numbers {a} and {b} on the {place} doors are.",
            "The {place} sold {a} {goods} on {day} and {b} on {day2}. By how many do the days differ?",
            "Between a {object} for {a} coins and a {object2} for {b}, what is the gap in price?",
            "One {animal} weighs {a} pounds, another weighs {b} pounds. Give the difference in pounds.",
            "By what amount do {a} {colour} {goods} and {b} {colour2} {goods2} differ?",
            "Tell the {job} the distance between house {a} and house {b} near the {place}.",
            "Last year {a} guests came to the {event}, this year {b} guests. How much did the number change?",
            "{name} ran {a} miles and {name2} ran {b} miles. State the difference for the {subject} class.",
        ),
        _difference,
        _PAIR,
        _draw_unequal,
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
    Family(
        "next_number",
        (
            "What number comes next in {series}?",
            "{name} counts {series} at the {place}. Which number follows?",
            "Continue the row {series} by one more number for {name}.",
            "The doors of the {place} are numbered {series} and so on. What does the next door say?",
            "On {day} the {job} wrote {series} and stopped. Give the number that should follow.",
            "Look at the steps {series} and name the next step.",
            "My {relation} saves {series} coins on four days. How many coins will be saved next time?",
            "Find the number after {series} in this {subject} pattern.",
            "After {series}, how does the pattern of {colour} {goods} go on?",
            "A {animal} jumps {series} feet far. Guess its next jump.",
        ),
        _next,
        {"series": r"\d{1,3}(?:, \d{1,3})+"},
        _draw_sequence,
    ),
)
