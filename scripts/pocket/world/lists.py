"""Lists of words given as input: picking, filtering and reordering."""

from __future__ import annotations

import random
from collections.abc import Sequence

from . import vocabulary as v
from .engine import WORD, Family, Slots, between, pick, words

_PLURAL_KINDS = tuple(v.CATEGORY_PLURALS.values())
_KIND_OF_PLURAL = {plural: kind for kind, plural in v.CATEGORY_PLURALS.items()}
_WHICH = (*v.ORDINALS[:4], "last")
_JOINERS = {
    "the word and": " and ",
    "the word or": " or ",
    "a plus sign": " + ",
    "a dash": " - ",
    "the word then": " then ",
}


def draw_words(rng: random.Random, low: int, high: int, pool: Sequence[str] = v.ITEMS) -> list[str]:
    return rng.sample(pool, between(rng, low, high))


def draw_longer(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(draw_words(rng, 4, 6))


def _nth(slots: Slots, given: str) -> str | None:
    found = words(given)
    if found is None:
        return None
    place = len(found) - 1 if slots["which"] == "last" else v.ORDINALS.index(slots["which"])
    return found[place] if place < len(found) else None


def draw_mixed(rng: random.Random, slots: Slots, label: str) -> str:
    """Some members of the wanted kind among others."""
    kind = _KIND_OF_PLURAL[slots["kind"]]
    inside = rng.sample(v.CATEGORIES[kind], between(rng, 1, 3))
    outside = [word for word in draw_words(rng, 3, 5) if v.CATEGORY_OF[word] != kind][: between(rng, 1, 2)]
    found = inside + outside
    rng.shuffle(found)
    return ", ".join(found)


def draw_kind(rng: random.Random) -> Slots:
    return {"kind": pick(rng, _PLURAL_KINDS)}


def of_kind(slots: Slots, given: str) -> list[str] | None:
    """The listed words of the wanted kind; None when a word is not of this world."""
    found = words(given)
    if found is None or any(word not in v.CATEGORY_OF for word in found):
        return None
    return [word for word in found if v.CATEGORY_OF[word] == _KIND_OF_PLURAL[slots["kind"]]]


def draw_word(rng: random.Random) -> Slots:
    return {"word": pick(rng, v.ITEMS)}


def _join(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else _JOINERS[slots["joiner"]].join(found)


def _draw_short(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(draw_words(rng, 2, 4))


def _draw_twice(rng: random.Random, slots: Slots, label: str) -> str:
    found = draw_words(rng, 3, 4)
    found.insert(between(rng, 2, len(found)), pick(rng, found[:2]))
    return ", ".join(found)


def _twice(slots: Slots, given: str) -> str | None:
    found = words(given) or []
    doubled = [word for word in dict.fromkeys(found) if found.count(word) > 1]
    return doubled[0] if len(doubled) == 1 else None


_ONE = {"word": WORD}
_KIND = {"kind": _PLURAL_KINDS}

FAMILIES = (
    Family(
        "pick_item",
        (
            "Give the {which} word in the list {name} made for the {event}.",
            "Which thing did {name} put in the {which} place at the {place}?",
            "Copy only the {which} item for the {job} named {name}.",
            "{name} packs bags for the {place}. What goes into the {which} one?",
            "From this row of things, hand {name} the {which} for the {event}.",
            "My {relation} buys the things on the list in order. Name the {which} one bought at the {place}.",
            "Say what stands at the {which} position of the list from {name} and {name2}.",
            "Several things lie on {an colour} table at the {place}. Tell me the {which}.",
            "I need the {which} entry on the note that {name} left for my {relation}.",
            "Pick the {which} of these words and give it to the {job} at the {place}.",
            "In the {subject} class of {name}, read out the {which} word and nothing else.",
        ),
        _nth,
        {"which": _WHICH},
        draw_input=draw_longer,
    ),
    Family(
        "join_words",
        (
            "Join the words of {name} with {joiner} between them.",
            "Write the list from the {place} in one line, using {joiner} in place of each comma.",
            "Connect all things on the note of {name} by {joiner}.",
            "{name} dislikes commas. Use {joiner} for the {event} list.",
            "Put {joiner} between every two words for the {job} called {name}.",
            "Replace the commas in the list of my {relation} with {joiner}.",
            "Between the things that {name} brings to the {place}, there should be {joiner}.",
            "For the {subject} poster of {name}, link the items with {joiner}.",
            "Show how {name} reads the {colour} list if each comma becomes {joiner}.",
            "Take the words {name2} gave to {name} and glue them together with {joiner}.",
        ),
        _join,
        {"joiner": tuple(_JOINERS)},
        draw_input=_draw_short,
    ),
    Family(
        "repeated_word",
        (
            "Which word occurs twice in the list {name} wrote at the {place}?",
            "Find the thing that {name} put on the {event} list two times.",
            "One item is repeated. Tell {name} the {job} which.",
            "{name} bought something twice at the {place} by mistake. What was it?",
            "Name the double entry on the {colour} note of {name}.",
            "Look for the word that {name} says again in the {subject} lesson.",
            "My {relation} packed the same thing a second time for {name} and the {event}. Say what.",
            "What do both {name} and {name2} bring, if it stands in the list twice for {day}?",
            "Point out the repeated word for {name} before the {job} at the {place} sees it.",
            "In this row from {name} there is a pair of equal words for the {event}. Give the word.",
        ),
        _twice,
        draw_input=_draw_twice,
    ),
)
