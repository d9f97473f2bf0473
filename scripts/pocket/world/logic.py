"""Small conclusions from stated facts; every instruction says all that is needed."""

from __future__ import annotations

import random

from . import vocabulary as v
from .engine import NUMBER, WORD, Family, Slots, between, pick

_JOBS = "|".join(f"{job}s" for job in v.JOBS)
_TRAITS = "|".join(v.TRAITS)
_MORE = {"taller": "tall", "older": "old", "faster": "fast", "richer": "rich", "stronger": "strong", "louder": "loud"}
_ENDS = ("tallest", "oldest", "fastest", "richest", "strongest", "loudest")
_MORE_WORDS = tuple(_MORE)


def _draw_syllogism(rng: random.Random) -> Slots:
    group = pick(rng, v.JOBS)
    member = group if rng.random() < 0.5 else pick(rng, v.JOBS)
    trait = pick(rng, v.TRAITS)
    return {"group": f"{group}s", "member": member, "trait": trait}


def _syllogism(slots: Slots, given: str) -> str | None:
    if slots["group"].removesuffix("s") == slots["member"]:
        return "yes"
    return "unknown"


def _draw_weights(rng: random.Random) -> Slots:
    first, second = rng.sample(v.BY_WEIGHT, 2)
    return {"first": first, "second": second}


def _heavier(slots: Slots, given: str) -> str | None:
    first, second = slots["first"], slots["second"]
    if first == second or first not in v.BY_WEIGHT or second not in v.BY_WEIGHT:
        return None
    return max(first, second, key=v.BY_WEIGHT.index)


def _lighter(slots: Slots, given: str) -> str | None:
    heavier = _heavier(slots, given)
    if heavier is None:
        return None
    return slots["first"] if heavier == slots["second"] else slots["second"]


def _with_article(expected: str, answer: str, slots: Slots, given: str) -> bool:
    first, _, rest = answer.strip(" .").lower().partition(" ")
    return first in ("a", "an", "the") and rest == expected


def _draw_rule(rng: random.Random) -> Slots:
    day = pick(rng, v.DAYS)
    return {"rule": day, "today": day if rng.random() < 0.5 else pick(rng, v.DAYS)}


def _rule(slots: Slots, given: str) -> str | None:
    return "open" if slots["rule"] == slots["today"] else "closed"


def _draw_enough(rng: random.Random) -> Slots:
    price = between(rng, 2, 40)
    money = price + between(rng, 0, 15) if rng.random() < 0.5 else max(1, price - between(rng, 1, 15))
    return {"a": str(money), "b": str(price)}


def _enough(slots: Slots, given: str) -> str | None:
    return "yes" if int(slots["a"]) >= int(slots["b"]) else "no"


_PAIR = {"first": WORD, "second": WORD}
_ASKED = {"object": WORD, "object2": WORD, "asked": WORD}
_SYLLOGISM = {"group": _JOBS, "member": WORD, "trait": _TRAITS}

FAMILIES = (
    Family(
        "syllogism",
        (
            "If all {group} are {trait} and {name} is {an member}, is {name} {trait}? Say yes or unknown.",
            (
                "All {group} in the {place} are {trait}. {name} is {an member} there. Can we be "
                "sure that {name} is {trait}, yes or unknown?"
            ),
            (
                "{name} works as {an member}. Suppose every one of the {group} is "
                "{trait}. Is {name} {trait}, yes or unknown?"
            ),
            (
                "Every one of the {group} at the {event} is {trait}; {name}, {an member}, is a guest. "
                "Answer yes if {name} must be {trait}, else unknown."
            ),
            (
                "We know that {group} are always {trait}. My {relation} is {an member}. Is it certain that "
                "my {relation} is {trait}? Choose yes or unknown."
            ),
            "Yes or unknown, is {an member} called {name} {trait} if the {group} are all {trait}?",
            (
                "Suppose that the {group} of the town are {trait}. Decide whether the {member} "
                "{name} must be {trait}, with yes or unknown."
            ),
            (
                "Take it as true that {group} are {trait} people. What follows for {name} the "
                "{member}, is being {trait} a yes or unknown?"
            ),
            (
                "Being {trait} is shared by all {group}. Does {name}, who is {an member}, "
                "have to be {trait}? Reply yes or unknown."
            ),
            (
                "My {relation} says all {group} are {trait}. If so, is the {member} at the {place} {trait}? "
                "Say unknown when it does not follow, otherwise yes."
            ),
        ),
        _syllogism,
        _SYLLOGISM,
        _draw_syllogism,
        labels=("yes", "unknown"),
    ),
    Family(
        "heavier",
        (
            "Which is heavier, {an first} or {an second}?",
            "{name} must lift {an first} or {an second} at the {place}. Which of them weighs more?",
            "Between {an first} and {an second}, name the heavier animal for {name}.",
            "Let {an first} and {an second} sit on a scale at the {place}. Which of them goes down?",
            "If {name} has {an first} and {name2} has {an second}, whose animal is the heavier? Name the animal.",
            "Tell the {job} which one weighs more, the {first} or the {second}.",
            "My {relation} can carry either {an first} or {an second}. Say which is harder to carry.",
            "Compare {an first} with {an second} by weight and give the bigger one.",
            "For the {event}, a cart needs to hold {an first} and {an second}. Which adds more weight?",
            "Of the two animals {first} and {second}, pick the one with the greater weight.",
        ),
        _heavier,
        _PAIR,
        _draw_weights,
        accept=_with_article,
    ),
    Family(
        "lighter",
        (
            "Which is lighter, {an first} or {an second}?",
            "{name} wants to carry the animal that weighs less. Is it the {first} or the {second}?",
            "Between {an first} and {an second}, name the lighter animal for the {job}.",
            "The boat to the {place} takes only the smaller load, {an first} or {an second}. Which one gets in?",
            "Weigh {an first} against {an second} and tell {name} the lighter one.",
            "If {an first} fights {an second} at the {event}, which has less weight on its side?",
            "Of {first} and {second}, pick the one that my {relation} can lift more easily.",
            "Choose the animal with the lower weight from {first} and {second}.",
            "A thin branch holds one animal near the {place}, {an first} or {an second}. Which is the safer choice?",
            "In the {subject} book of {name}, {an first} and {an second} are compared. Which weighs less?",
        ),
        _lighter,
        _PAIR,
        _draw_weights,
        accept=_with_article,
    ),
    Family(
        "open_or_closed",
        (
            "The {place} opens only on {rule}. Today is {today}. Is it open or closed?",
            (
                "{name} visits the {place} on {today}, though it is open just on "
                "{rule}. Does {name} find it open or closed?"
            ),
            "If the {place} is closed on all days but {rule}, is it open or closed on {today}?",
            "Open or closed, how will the {job} find the {place} on {today} when {rule} is its only open day?",
            "My {relation} keeps the shop shut except on {rule}. Say open or closed for {today}.",
            "A sign at the {place} reads open each {rule}, never else. Tell {name} if it is open or closed on {today}.",
            "Since the {place} works one day a week, on {rule}, state whether {today} means open or closed.",
            (
                "It is {today}, and {name} stands at the door of the {place}. The door is only "
                "open on {rule}. Which is it, open or closed?"
            ),
            "Decide between open and closed for the {place} on {today}, knowing that {rule} is the one open day.",
            "The {event} at the {place} lets people in on {rule} only. On {today}, is the door open or closed?",
        ),
        _rule,
        {"rule": "|".join(v.DAYS), "today": "|".join(v.DAYS)},
        _draw_rule,
        labels=("open", "closed"),
    ),
    Family(
        "enough_money",
        (
            "{name} has {a} coins and a {object} costs {b} coins. Can {name} buy it, yes or no?",
            "Is a purse of {a} coins enough for {an object} at {b} coins? Say yes or no to {name}.",
            "The {place} asks {b} coins for a ticket. With {a} coins, does {name} get in, yes or no?",
            "Yes or no, will {a} chairs do for {b} guests at the {event}?",
            "My {relation} needs {b} {goods} and owns {a} {goods}. Is that enough? Reply yes or no.",
            "The {job} must carry {b} boxes but has room for {a} boxes. Do all fit, yes or no?",
            (
                "To reach the {place}, {name} needs {b} coins and finds {a} coins. "
                "Answer yes if it is enough and no if not."
            ),
            "Tell {name} yes or no, are {a} points enough when the {event} asks for {b}?",
            "If dinner at the {place} is {b} coins, can {name} pay with {a}? Choose yes or no.",
            "Some {b} children want one cake each, and {name} baked {a} cakes. Yes or no, does each get one?",
        ),
        _enough,
        {"a": NUMBER, "b": NUMBER},
        _draw_enough,
        labels=("yes", "no"),
    ),
)
