"""Lists of words given as input: picking, counting, filtering and reordering."""

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
_LETTERS = tuple(sorted({word[0] for word in v.ITEMS} - set("kuqnzy")))


def _draw_words(rng: random.Random, low: int, high: int, pool: Sequence[str] = v.ITEMS) -> list[str]:
    return rng.sample(pool, between(rng, low, high))


def _draw_list(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(_draw_words(rng, 3, 5))


def _draw_longer(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(_draw_words(rng, 4, 6))


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


def _size(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(len(found))


def _draw_mixed(rng: random.Random, slots: Slots, label: str) -> str:
    """Some members of the wanted kind among others."""
    kind = _KIND_OF_PLURAL[slots["kind"]]
    inside = rng.sample(v.CATEGORIES[kind], between(rng, 1, 3))
    outside = [word for word in _draw_words(rng, 3, 5) if v.CATEGORY_OF[word] != kind][: between(rng, 1, 2)]
    found = inside + outside
    rng.shuffle(found)
    return ", ".join(found)


def _draw_kind(rng: random.Random) -> Slots:
    return {"kind": pick(rng, _PLURAL_KINDS)}


def _of_kind(slots: Slots, given: str) -> list[str] | None:
    """The listed words of the wanted kind; None when a word is not of this world."""
    found = words(given)
    if found is None or any(word not in v.CATEGORY_OF for word in found):
        return None
    return [word for word in found if v.CATEGORY_OF[word] == _KIND_OF_PLURAL[slots["kind"]]]


def _filter(slots: Slots, given: str) -> str | None:
    found = _of_kind(slots, given)
    return ", ".join(found) if found else None


def _count_kind(slots: Slots, given: str) -> str | None:
    found = _of_kind(slots, given)
    return None if found is None else str(len(found))


def _draw_word(rng: random.Random) -> Slots:
    return {"word": pick(rng, v.ITEMS)}


def _draw_with_word(rng: random.Random, slots: Slots, label: str) -> str:
    found = [word for word in _draw_words(rng, 3, 4) if word != slots["word"]]
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
    return ", ".join([word for word in _draw_words(rng, 3, 4) if word != slots["word"]])


def _join(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else _JOINERS[slots["joiner"]].join(found)


def _draw_short(rng: random.Random, slots: Slots, label: str) -> str:
    return ", ".join(_draw_words(rng, 2, 4))


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
    found = _draw_words(rng, 3, 4)
    found.insert(between(rng, 2, len(found)), pick(rng, found[:2]))
    return ", ".join(found)


def _twice(slots: Slots, given: str) -> str | None:
    found = words(given) or []
    doubled = [word for word in dict.fromkeys(found) if found.count(word) > 1]
    return doubled[0] if len(doubled) == 1 else None


def _draw_repeated(rng: random.Random, slots: Slots, label: str) -> str:
    found = [word for word in _draw_words(rng, 2, 3) if word != slots["word"]]
    found += [slots["word"]] * between(rng, 1, 3)
    rng.shuffle(found)
    return ", ".join(found)


def _occurrences(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(found.count(slots["word"]))


def _draw_for_letter(rng: random.Random, slots: Slots, label: str) -> str:
    with_letter = [word for word in v.ITEMS if word[0] == slots["letter"]]
    found = rng.sample(with_letter, min(len(with_letter), between(rng, 1, 3)))
    found += [word for word in _draw_words(rng, 3, 4) if word not in found][:2]
    rng.shuffle(found)
    return ", ".join(found)


def _starting(slots: Slots, given: str) -> str | None:
    found = words(given)
    return None if found is None else str(sum(word[0] == slots["letter"] for word in found))


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
        draw_input=_draw_longer,
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
            "The thing in front goes to the end and the last one comes to the front. Show {name} the list for the {event}.",
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
        draw_input=_draw_longer,
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
        _draw_kind,
        draw_input=_draw_mixed,
        accept=same_set,
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
        _draw_kind,
        draw_input=_draw_mixed,
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
        _draw_word,
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
        _draw_word,
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
        _draw_word,
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
