"""Days, months, clock times and simple units."""

from __future__ import annotations

import random
import re

from . import vocabulary as v
from .engine import NUMBER, Family, Slots, between, pick

_SMALL = r"\d{1,2}"
_DAY = "|".join(v.DAYS)
_MONTH = "|".join(v.MONTHS)

# unit -> (smaller unit, how many of them)
UNITS = {
    "weeks": ("days", 7),
    "dozens": ("pieces", 12),
    "metres": ("centimetres", 100),
    "hours": ("minutes", 60),
    "years": ("months", 12),
    "pairs": ("single ones", 2),
    "days": ("hours", 24),
    "decades": ("years", 10),
    "feet": ("inches", 12),
    "kilos": ("grams", 1000),
}
_INTO = tuple(f"{unit} into {small}" for unit, (small, _) in UNITS.items())


def _shift(cycle: tuple[str, ...], start: str, steps: int) -> str | None:
    return cycle[(cycle.index(start) + steps) % len(cycle)] if start in cycle else None


def _days_away(slots: Slots, given: str) -> str | None:
    steps = int(slots["n"]) * (-1 if slots["way"] in ("before", "earlier than") else 1)
    return _shift(v.DAYS, slots["start"], steps)


def _months_away(slots: Slots, given: str) -> str | None:
    steps = int(slots["n"]) * (-1 if slots["way"] in ("before", "earlier than") else 1)
    return _shift(v.MONTHS, slots["start"], steps)


def _draw_days(rng: random.Random) -> Slots:
    return {"start": pick(rng, v.DAYS), "n": str(between(rng, 2, 6))}


def _draw_months(rng: random.Random) -> Slots:
    return {"start": pick(rng, v.MONTHS), "n": str(between(rng, 2, 6))}


def _convert(slots: Slots, given: str) -> str | None:
    unit, small = slots["into"].split(" into ")
    return f"{int(slots['n']) * UNITS[unit][1]} {small}"


def _without_unit(expected: str, answer: str, slots: Slots, given: str) -> bool:
    return expected.split()[0] == answer.strip(" .")


def _season(slots: Slots, given: str) -> str | None:
    return v.SEASONS.get(slots["start"])


_PLAN = re.compile(r"[A-Z][a-z]+ (?:has|plans) an? [a-z]+ (?:at the [a-z]+ )?on ([A-Z][a-z]+)\.")


def _draw_plan(rng: random.Random, slots: Slots, label: str) -> str:
    day = pick(rng, v.DAYS[5:] if label == "weekend" else v.DAYS[:5])
    event = pick(rng, v.EVENTS)
    article = "an" if event[0] in "aeiou" else "a"
    where = f"at the {pick(rng, v.PLACES)} " if rng.random() < 0.5 else ""
    return f"{pick(rng, v.NAMES)} {pick(rng, ('has', 'plans'))} {article} {event} {where}on {day}."


def _weekend(slots: Slots, given: str) -> str | None:
    found = _PLAN.fullmatch(given)
    if found is None or found[1] not in v.DAYS:
        return None
    return "weekend" if found[1] in v.DAYS[5:] else "weekday"


def _draw_days_list(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(rng.sample(v.DAYS if slots["what"] == "days" else v.MONTHS, between(rng, 3, 4)))


def _sort_days(slots: Slots, given: str) -> str | None:
    cycle = v.DAYS if slots["what"] == "days" else v.MONTHS
    found = given.split(", ")
    if len(found) < 2 or any(day not in cycle for day in found):
        return None
    return ", ".join(sorted(found, key=cycle.index))


FAMILIES = (
    Family(
        "day_away",
        (
            "Name the day that comes {n} days {way} {start} in {name}'s week.",
            "The {event} is {n} days {way} {start}. On which day does it take place?",
            "{name} visits the {place} {n} days {way} {start}. What day of the week is that?",
            "If the {job} works {n} days {way} {start}, on what day is the work done?",
            "Counting {n} days {way} {start}, tell me when {name} meets my {relation}.",
            "Which weekday lies {n} days {way} {start}, the day of the {event}?",
            "My {relation} was born {n} days {way} {start}. Give the day of the week.",
            "I must feed the {animal} {n} days {way} {start}. Say on which day.",
            "On what day does the {place} open if it opens {n} days {way} {start}?",
            "Find the day {n} days {way} {start} so {name} can sell the {object}.",
            "The {goods} arrive {n} days {way} {start}; which day should {name} expect them?",
        ),
        _days_away,
        {"n": _SMALL, "start": _DAY, "way": ("after", "before", "later than", "earlier than")},
        _draw_days,
    ),
    Family(
        "month_away",
        (
            "Name the month {n} months {way} {start} for {name}.",
            "The {place} closes {n} months {way} {start}. In which month is that?",
            "{name} holds the {event} {n} months {way} {start}. What month is meant?",
            "Which month do we get {n} months {way} {start}, when my {relation} returns?",
            "If {an job} plants seeds {n} months {way} {start}, in what month do they go into the ground?",
            "Count {n} months {way} {start} and give {name} the month.",
            "My {relation} bought the {object} {n} months {way} {start}. State the month.",
            "The {animal} at the {place} was born {n} months {way} {start}. Say the month of its birth.",
            "A holiday lies {n} months {way} {start}. Tell the {job} its month.",
            "In what month does {name} sell {goods} if it happens {n} months {way} {start}?",
        ),
        _months_away,
        {"n": _SMALL, "start": _MONTH, "way": ("after", "before", "later than", "earlier than")},
        _draw_months,
    ),
    Family(
        "convert_units",
        (
            "Turn {n} {into} for {name}.",
            "The {job} at the {place} must change {n} {into}. What is the result?",
            "How do you convert {n} {into} for the {event}?",
            "{name} has {n} {into} to work out in {subject}. Give the amount.",
            "Please bring {n} {into} on the {place} sign.",
            "My {relation} cannot put {n} {into}. Do it and name the unit.",
            "Express {n} {into} on the ticket of the {event}.",
            "For the {colour} {object}, rewrite {n} {into}.",
            "I want {n} {into} before {day}, so tell me the answer.",
            "Show how {name} should translate {n} {into}.",
        ),
        _convert,
        {"n": NUMBER, "into": _INTO},
        lambda rng: {"n": str(between(rng, 2, 9))},
        accept=_without_unit,
    ),
    Family(
        "season",
        (
            "In which season does {start} fall, winter, spring, summer or autumn? {name} forgot.",
            "{name} plans the {event} for {start}. Is that in winter, spring, summer or autumn?",
            "Pick winter, spring, summer or autumn for {start}, the month my {relation} visits the {place}.",
            "Name the season of a {event} held in {start}.",
            "The {place} opens each {start}. Which season is it then?",
            "What season is it when {name} buys {goods} in {start}?",
            "Tell the {job} which of the four seasons {start} belongs to.",
            "My {relation} was born in {start}. Was it winter, spring, summer or autumn?",
            "If {an animal} is seen at the {place} in {start}, what is the season?",
            "Give the season for {start} so that {name} can choose {an colour} coat.",
        ),
        _season,
        {"start": _MONTH},
        lambda rng: {"start": pick(rng, v.MONTHS)},
        labels=("winter", "spring", "summer", "autumn"),
    ),
    Family(
        "weekend",
        (
            "Decide if the plan takes place on a weekday or at the weekend, and tell {name} of the {place}.",
            "Weekday or weekend, which does the note of {name} speak about?",
            "The {job} rests at the weekend. Label the plan as weekday or weekend for {name}.",
            "Does this happen on a weekday or on the weekend? My {relation} {name} asks.",
            "Read the sentence from the {place} and say weekend or weekday for {name}.",
            "Sort the {event} of {name} under weekday or weekend by its day.",
            "{name} works on weekdays at the {place}. Classify the date as weekday or weekend.",
            "Mark each entry in the {colour} diary of {name} as weekday or weekend.",
            "Is the day in this line from {name} part of the weekend, or is it a weekday for the {job}?",
            "Look at the day named for the {event} and give {name} one word, weekday or weekend.",
        ),
        _weekend,
        draw_input=_draw_plan,
        labels=("weekday", "weekend"),
    ),
    Family(
        "sort_dates",
        (
            "Put the {what} in the diary of {name} into their usual order for the {event}.",
            "List these {what} as they follow each other in the {place} calendar of {name}.",
            "{name} mixed up the {what} of the {event}. Restore the normal order for my {relation}.",
            "Arrange the {what} when the {job} meets {name} from first to last.",
            "Given some {what} of work at the {place}, sort them for {name} as in a calendar.",
            "Which order do these {what} have in time? {name} asks at the {place}.",
            "Line up the {what} from the {colour} notebook of {name} by time.",
            "My {relation} wrote down {what} for the {event} of {name} without any order. Bring them into order.",
            "Show {name} and {name2} the {what} again, earliest first.",
            "For the {job}, rank the {what} that {name} gave by when they come.",
        ),
        _sort_days,
        {"what": ("days", "months")},
        lambda rng: {"what": pick(rng, ("days", "months"))},
        draw_input=_draw_days_list,
    ),
)
