"""Lists of numbers given as input: sorting, picking, adding and comparing."""

from __future__ import annotations

import random
import re

from .engine import NUMBER, Family, Slots, between, numbers

_ORDERS = ("from smallest to largest", "from largest to smallest", "in rising order", "in falling order")
_ENDS = ("largest", "smallest", "biggest", "lowest", "highest")


def _draw_numbers(rng: random.Random, low: int, high: int, top: int) -> str:
    return ", ".join(str(n) for n in rng.sample(range(1, top), between(rng, low, high)))


def _draw_list(rng: random.Random, slots: Slots, label: str) -> str:
    return _draw_numbers(rng, 3, 5, 60)


def _draw_short_list(rng: random.Random, slots: Slots, label: str) -> str:
    return _draw_numbers(rng, 2, 3, 20)


def _sort(slots: Slots, given: str) -> str | None:
    found = numbers(given)
    if found is None:
        return None
    falling = slots["order"] in ("from largest to smallest", "in falling order")
    return ", ".join(map(str, sorted(found, reverse=falling)))


def _extreme(slots: Slots, given: str) -> str | None:
    found = numbers(given)
    if found is None:
        return None
    return str(min(found) if slots["end"] in ("smallest", "lowest") else max(found))


def _total(slots: Slots, given: str) -> str | None:
    found = numbers(given)
    return None if found is None else str(sum(found))


def _add_each(slots: Slots, given: str) -> str | None:
    found = numbers(given)
    return None if found is None else ", ".join(str(n + int(slots["n"])) for n in found)


def _count_above(slots: Slots, given: str) -> str | None:
    found = numbers(given)
    return None if found is None else str(sum(n > int(slots["n"]) for n in found))


def _draw_limit(rng: random.Random) -> Slots:
    return {"n": str(between(rng, 10, 60))}


def _draw_small(rng: random.Random) -> Slots:
    return {"n": str(between(rng, 1, 9))}


def _draw_near(rng: random.Random, slots: Slots, label: str) -> str:
    n = int(slots["n"])
    return str(n + between(rng, 1, 20)) if label == "over" else str(max(0, n - between(rng, 1, 20)))


def _over(slots: Slots, given: str) -> str | None:
    if not re.fullmatch(NUMBER, given) or int(given) == int(slots["n"]):
        return None
    return "over" if int(given) > int(slots["n"]) else "under"


FAMILIES = (
    Family(
        "sort_numbers",
        (
            "Sort the numbers of {name} {order}.",
            "Put these {goods} prices from the {place} {order}.",
            "The {job} at the {place} wants the figures listed {order}.",
            "Given some {subject} scores, arrange them {order}.",
            "Rewrite the ages of the guests at the {event} so that they stand {order}.",
            "I need the house numbers near the {place} {order}.",
            "Can you order the {goods} counts of {name} and {name2} {order}?",
            "{name} mixed up the ticket numbers for the {event}. Bring them back {order}.",
            "Show what {name} gets by ranking the list {order} at the {place}.",
            "With the weights of every {animal} in hand, line them up {order}.",
            "My {relation} likes numbers that run {order}; do that with this row.",
        ),
        _sort,
        {"order": _ORDERS},
        draw_input=_draw_list,
    ),
    Family(
        "pick_number",
        (
            "Find the {end} number in the list {name} made.",
            "Which of the {goods} prices at the {place} is the {end}?",
            "Return the {end} {subject} score.",
            "The {job} asks for the {end} of these numbers.",
            "Pick out the {end} age among the guests of the {event}.",
            "Of all the numbers on the {colour} {object}, say the {end}.",
            "{name} and {name2} drew numbers at the {event}. Tell us the {end} one.",
            "Look through the row for my {relation} and give back its {end} member.",
            "I want just the {end} value from the {place} report.",
            "Each number is the weight of {an animal}. What is the {end} weight?",
            "Name the {end} figure that {name} can see below.",
        ),
        _extreme,
        {"end": _ENDS},
        draw_input=_draw_list,
    ),
    Family(
        "total",
        (
            "Add all the numbers that {name} wrote down on {day}.",
            "What is the sum of these {goods} prices from the {place}?",
            "Work out how much {name} pays for everything at the {event}.",
            "Total the {subject} points of the team from the {place}.",
            "The {job} counted {goods} in several boxes. How many are there in all the boxes?",
            "Compute one number from the list by adding its members for my {relation}.",
            "Given the miles {name} walked each day, report the miles of the whole {event}.",
            "How many coins do {name} and {name2} hold if the list shows each purse?",
            "Sum up the ages found at the {place} on {day}.",
            "I have piles of {colour} {goods} with these sizes. Tell me the size of one big pile.",
        ),
        _total,
        draw_input=_draw_short_list,
    ),
    Family(
        "add_to_each",
        (
            "Add {n} to every number in the list of {name}.",
            "Raise each {goods} price at the {place} by {n} coins.",
            "{name} gives {n} extra points to all {subject} scores. List the new scores.",
            "All guests of the {event} are {n} years older now. Write their new ages.",
            "Increase these numbers by {n} for the {job}.",
            "Show the row again after {n} more {goods} went into each box at the {place}.",
            "If every {animal} gains {n} pounds, what are the weights then?",
            "Move each {colour} house number up by {n} for {name}.",
            "My {relation} wants {n} added to each of the numbers from {day}.",
            "By adding {n} each time, turn the first list into a second one for {name} and {name2}.",
        ),
        _add_each,
        {"n": NUMBER},
        _draw_small,
        draw_input=_draw_short_list,
    ),
    Family(
        "count_above",
        (
            "Count the numbers above {n} in the list of {name}.",
            "How many of the {goods} prices at the {place} are more than {n}?",
            "Say how many guests of the {event} are older than {n} years.",
            "The {job} keeps only numbers greater than {n} in the box. How many are kept?",
            "In the {subject} scores, find how often {name} passed {n} points.",
            "Tell me how many values in this row from the {place} beat {n} points.",
            "Report the number of {animal} weights over {n} pounds.",
            "My {relation} asks how many days had more than {n} visitors at the {place}.",
            "Of these {colour} tickets, how many carry a number bigger than {n}?",
            "Check the list for {name2} and give the count of entries higher than {n} there.",
        ),
        _count_above,
        {"n": NUMBER},
        _draw_limit,
        draw_input=_draw_list,
    ),
    Family(
        "over_or_under",
        (
            "Say over if the number is above {n}, and under if it is below.",
            "The {place} holds {n} people. Tell {name} whether the crowd is over or under that.",
            "Label the price of the {object} as over or under {n} coins.",
            "Is the given age over or under {n}? The {job} at the {place} must know.",
            "{name} needs {n} points in {subject}. Mark the score as over or under.",
            "Compare the number with {n} and reply over or under for the {event}.",
            "Weigh the {animal} against {n} pounds and choose between over and under.",
            "My {relation} can carry {n} {goods}. Decide if this many is over or under the limit.",
            "With {n} as the line drawn by {name}, does the number land over or under?",
            "Under or over {n} {colour} {goods}? Sort the number for {name}.",
            "Put the speed of the {job} into one of two groups, over {n} or under {n} miles.",
        ),
        _over,
        {"n": NUMBER},
        _draw_limit,
        draw_input=_draw_near,
        labels=("over", "under"),
    ),
)
