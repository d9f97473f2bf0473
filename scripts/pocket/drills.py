"""`drill` is bare practice of what the world's tasks are built upon, without the wording around it.

A small network finds out how to add, count, compare or pick the third of a list many times sooner from "7 + 5" than
from a story in which a sum is hidden; what it found it then uses in the stories. No drill is a task of the world.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from world import vocabulary as v
from world.engine import between, pick
from world.units_dates import UNITS

Drill = tuple[str, str]


def drill(rng: random.Random) -> Drill:
    """A question and its right answer."""
    return DRILLS[int(rng.random() * len(DRILLS))](rng)


def _add(rng: random.Random) -> Drill:
    a, b = between(rng, 2, 12), between(rng, 2, 9)
    return f"{a} {pick(rng, ('+', 'and', 'plus'))} {b}", str(a + b)


def _subtract(rng: random.Random) -> Drill:
    b = between(rng, 1, 9)
    a = b + between(rng, 1, 9)
    return pick(rng, (f"{a} - {b}", f"{a} less {b}", f"{b} from {a}")), str(a - b)


def _enough(rng: random.Random) -> Drill:
    price, money = between(rng, 2, 40), between(rng, 2, 40)
    return pick(rng, (f"cost {price}, have {money}", f"have {money}, cost {price}")), (
        "yes" if money >= price else "no"
    )


def _parity(rng: random.Random) -> Drill:
    number = between(rng, 1, 99)
    return f"parity {number}", "odd" if number % 2 else "even"


def _shift(cycle: tuple[str, ...], unit: str) -> Callable[[random.Random], Drill]:
    def ask(rng: random.Random) -> Drill:
        start, steps = int(rng.random() * len(cycle)), between(rng, 1, 6)
        way = pick(rng, ("after", "before", "later than", "earlier than"))
        place = start + steps * (-1 if way in ("before", "earlier than") else 1)
        return f"{steps} {unit} {way} {cycle[start]}", cycle[place % len(cycle)]

    return ask


def _convert(rng: random.Random) -> Drill:
    into = pick(rng, tuple(UNITS))
    small, size = UNITS[into]
    count = between(rng, 1, 9)
    return f"{count} {into} into {small}", f"{count * size} {small}"


def _pick(rng: random.Random) -> Drill:
    words = rng.sample(pick(rng, (v.ITEMS, v.ITEMS, v.NAMES, v.OBJECTS)), between(rng, 4, 6))
    which = pick(rng, (*v.ORDINALS[:4], "last"))
    answer = words[-1] if which == "last" else words[v.ORDINALS.index(which)]
    listed = ", ".join(words)
    return pick(rng, (f"{which}: {listed}", f"{listed}: {which}")), answer


def _same(rng: random.Random) -> Drill:
    """Are two words one? The tasks with a rule, a group or a name to compare stand on this."""
    words = pick(rng, (v.DAYS, v.JOBS, v.OBJECTS))
    first = pick(rng, words)
    second = first if rng.random() < 0.5 else pick(rng, words)
    plural = "s" if words is v.JOBS and rng.random() < 0.5 else ""
    return f"{first}{plural}, {second}", "same" if first == second else "other"


def _twice(rng: random.Random) -> Drill:
    words = rng.sample(v.ITEMS, between(rng, 3, 4))
    word = pick(rng, words[:2])
    words.insert(between(rng, 2, len(words)), word)
    return f"twice: {', '.join(words)}", word


def _length(rng: random.Random) -> Drill:
    word = pick(rng, v.ITEMS)
    return f"letters in {word}", str(len(word))


def _spell(rng: random.Random) -> Drill:
    word = pick(rng, v.ITEMS)
    return f"spell {word}", " ".join(word)


def _kind(rng: random.Random) -> Drill:
    word = pick(rng, v.ITEMS)
    return f"kind of {word}", v.CATEGORY_OF[word]


def _count_kind(rng: random.Random) -> Drill:
    kind = pick(rng, tuple(v.CATEGORY_PLURALS))
    words = rng.sample(v.CATEGORIES[kind], between(rng, 0, 3)) + rng.sample(v.ITEMS, between(rng, 1, 2))
    rng.shuffle(words)
    answer = str(sum(v.CATEGORY_OF[word] == kind for word in words))
    return f"{v.CATEGORY_PLURALS[kind]} in: {', '.join(words)}", answer


def _fact(rng: random.Random) -> Drill:
    name, table = pick(rng, tuple(_FACTS.items()))
    key = pick(rng, tuple(table))
    value = table[key]
    if rng.random() < 0.5:
        return f"{name} {key}", value
    said = value if rng.random() < 0.5 else pick(rng, tuple(table.values()))
    return f"{name} {key}, {said}", "true" if said == value else "false"


_FACTS = {
    "sound": v.SOUNDS,
    "colour": v.TYPICAL_COLOURS,
    "work": v.WORKPLACES,
    "young": v.YOUNG,
    "opposite": v.OPPOSITES,
    "plural": v.PLURALS,
}
DRILLS: tuple[Callable[[random.Random], Drill], ...] = (
    _add,
    _add,
    _subtract,
    _subtract,
    _enough,
    _parity,
    _shift(v.DAYS, "days"),
    _shift(v.MONTHS, "months"),
    _shift(v.MONTHS, "months"),
    _convert,
    _pick,
    _pick,
    _same,
    _twice,
    _length,
    _spell,
    _kind,
    _count_kind,
    _fact,
)
