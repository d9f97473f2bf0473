"""Lists of words given as input: picking, filtering and reordering."""

from __future__ import annotations

import random
from collections.abc import Sequence

from . import vocabulary as v
from .engine import WORD, Family, Slots, between, pick, same_set, words

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


def _draw_list(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(draw_words(rng, 3, 5))


def draw_longer(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(draw_words(rng, 4, 6))


def _nth(slots: Slots, given: str) -> str | None:
    found = words(given)
    if found is None:
        return None
    place = len(found) - 1 if slots["which"] == "last" else v.ORDINALS.index(slots["which"])
    return found[place] if place < len(found) else None


def _reverse(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else ", ".join(reversed(found))


def _swap_ends(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else ", ".join([found[-1], *found[1:-1], found[0]])


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


def _filter(slots: Slots, given: str) -> str | None:
    found = of_kind(slots, given)
    return ", ".join(found) if found else None


def draw_word(rng: random.Random) -> Slots:
    return {"word": pick(rng, v.ITEMS)}


def _draw_with_word(rng: random.Random, slots: Slots, label: str) -> str:
    found = [word for word in draw_words(rng, 3, 4) if word != slots["word"]]
    found.insert(between(rng, 0, len(found)), slots["word"])
    return ", ".join(found)


def _remove(slots: Slots, given: str) -> str | None:
    found = words(given)
    kept = [word for word in found or [] if word != slots["word"]]
    return ", ".join(kept) or None


def _append(slots: Slots, given: str) -> str | None:
    found = words(given)
    if found is None:
        return None
    front = slots["where"] in ("front", "start", "beginning", "top")
    return ", ".join([slots["word"], *found] if front else [*found, slots["word"]])


def _draw_without_word(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join([word for word in draw_words(rng, 3, 4) if word != slots["word"]])


def _join(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else _JOINERS[slots["joiner"]].join(found)


def _draw_short(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(draw_words(rng, 2, 4))


def _draw_odd(rng: random.Random, slots: Slots, label: str) -> str:
    kind, other = rng.sample(tuple(v.CATEGORIES), 2)
    found = rng.sample(v.CATEGORIES[kind], between(rng, 3, 4))
    found.insert(between(rng, 0, len(found)), pick(rng, v.CATEGORIES[other]))
    return ", ".join(found)


def _odd_one(slots: Slots, given: str) -> str | None:
    found = words(given)
    if found is None or any(word not in v.CATEGORY_OF for word in found):
        return None
    kinds = [v.CATEGORY_OF[word] for word in found]
    alone = [word for word, kind in zip(found, kinds, strict=True) if kinds.count(kind) == 1]
    return alone[0] if len(alone) == 1 and len(set(kinds)) == 2 else None


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
        "reverse_list",
        (
            "Reverse the list that {name} made at the {place}.",
            "Write the shopping list of {name} backwards, beginning with the last thing for the {event}.",
            "{name} reads the words from the end to the start at the {place}. What does {name} read?",
            "Turn the order of these things around for {name} the {job}.",
            "Show the row of things as {name} sees it from the other side of the {place}.",
            "Given the stops on the way of {name} to the {place}, list them for the way back.",
            "Put the last word first and the first word last, turning everything around for {name} and my {relation}.",
            "My {relation} unpacks in the opposite order at the {place}. Which order is that for {name}?",
            "For the {event}, flip the sequence {name} has prepared.",
            "List everything again in backward order, as the {job} told {name}.",
        ),
        _reverse,
        draw_input=_draw_list,
    ),
    Family(
        "swap_ends",
        (
            "Swap the first and last words of the list {name} brought to the {place}.",
            "Exchange the two outer things of the row for {name}, leaving the middle for the {job}.",
            "{name} and {name2} stand at the ends and trade their things. How does the row at the {place} look now?",
            "Let the first and the final item change places for the {event} of {name}.",
            (
                "The thing in front goes to the end and the last one comes to the front. "
                "Show {name} the list for the {event}."
            ),
            "My {relation} wants the ends of this list switched by {name} before the {event}.",
            "Rewrite the list of the {job} called {name} with its ends exchanged.",
            "Keep the middle as it is at the {place}, but trade the outer words of {name}.",
            "What does {name} get when the first word and the last word of the {subject} list switch seats?",
            "On the {colour} shelf of {name}, the two things at the sides are swapped. List them all.",
        ),
        _swap_ends,
        draw_input=_draw_list,
    ),
    Family(
        "filter_kind",
        (
            "Keep only the {kind} from the list of {name}.",
            "Which of the words {name} found at the {place} are {kind}?",
            "List all {kind} that {name} can see, and leave out the rest for the {event}.",
            "{name} collects {kind}. What may {name} take from the {place}?",
            "The {job} called {name} wants nothing but {kind}. Select them.",
            "Pick out the {kind} for the {subject} book of {name}.",
            "Remove every word from the note of my {relation} unless it belongs to the {kind}.",
            "Of the things in the {colour} box, which ones should {name} put with the {kind}?",
            "Show {name} where the {kind} are by naming them from the {event} list.",
            "For a page about {kind}, choose the words {name2} and {name} can use.",
        ),
        _filter,
        _KIND,
        draw_kind,
        draw_input=draw_mixed,
        accept=same_set,
    ),
    Family(
        "remove_word",
        (
            "Remove the word {word} from the list of {name}.",
            "{name} gives the {word} away at the {place}. What is left of the list?",
            "Write the list again without {word} for my {relation}.",
            "Cross out {word} on the note that {name} took to the {event}.",
            "The {job} forbids the {word}. Which things may {name} keep?",
            "Leave out {word} but copy everything else for {name}.",
            "After {name} sold the {word} on {day}, which things remained at the {place}?",
            "Someone at the {event} has taken the {word} of {name}. List the other things.",
            "Delete {word} from what {name} and {name2} have to learn in {subject}.",
            "Show {name} all the things in the {colour} box except the {word}.",
        ),
        _remove,
        _ONE,
        draw_word,
        draw_input=_draw_with_word,
    ),
    Family(
        "add_word",
        (
            "Add the word {word} at the {where} of the list.",
            "{name} also needs {an word}. Put it at the {where} of the shopping list.",
            "Place {word} at the {where} of this row for the {job}.",
            "At the {where} of the list from the {place}, insert {word}.",
            "My {relation} forgot the {word}; write the list with it at the {where}.",
            "Extend the {event} list of {name} with {word} at its {where}.",
            "Show the line of things after {name} sets {an word} at the {where}.",
            "The {where} of the row is free. Let {name} have {word} there.",
            "Include {word}, which belongs to the {where} of the {subject} list.",
            "With {an colour} {word} at the {where}, how does the list for {name} read? Leave the colour out.",
        ),
        _append,
        {"word": WORD, "where": ("end", "start", "front", "beginning", "back", "bottom", "top")},
        draw_word,
        draw_input=_draw_without_word,
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
        "odd_one_out",
        (
            "Find the word that does not belong with the others in the list of {name} at the {place}.",
            "Which thing is the odd one out, asks {name} at the {event}?",
            "All but one of these are of the same kind. Tell {name} the {job} the one that is not.",
            "{name} put one wrong thing in the {colour} box at the {place}. Which?",
            "Name the stranger in this row of words for {name} and my {relation}.",
            "One word spoils the {subject} list of {name}. Point it out.",
            "For the {event}, {name} sorts things by kind. What has to be taken out?",
            "Spot the item {name} should remove so that all at the {place} are alike.",
            "My {relation} sees one thing in the group that differs. Help {name} name it on {day}.",
            "Say which entry {name2} and {name} must drop because its kind is different.",
        ),
        _odd_one,
        draw_input=_draw_odd,
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
