"""Sentences given as input: changed in one way, or asked for one of their parts."""

from __future__ import annotations

import random
import re

from . import vocabulary as v
from .engine import WORD, Family, Slots, Template, pick

_THIRD = {third: (base, past) for base, (third, past) in v.DEEDS.items()}
_DEED = re.compile(r"([A-Z][a-z]+) ([a-z]+) (the [a-z]+(?: (?:at|in) the [a-z]+)?)\.")
_STATE = re.compile(r"(The [a-z]+(?: (?:of [A-Z][a-z]+|at the [a-z]+))?) (is|was) ([a-z]+)\.")
_OWN_DEED = re.compile(r"I ([a-z]+) (the [a-z]+(?: (?:at|in) the [a-z]+)?)\.")
_MEETING = Template("{name} {past} the {object} with {name2} at the {place} on {day}.", {"past": WORD})
_PARTS = ("person", "place", "thing", "day")


def _where(rng: random.Random) -> str:
    return f" {pick(rng, ('at', 'in'))} the {pick(rng, v.PLACES)}" if rng.random() < 0.5 else ""


def _draw_deed(rng: random.Random, slots: Slots, label: str) -> str:
    return f"{pick(rng, v.NAMES)} {pick(rng, tuple(_THIRD))} the {pick(rng, v.OBJECTS)}{_where(rng)}."


def _deed(given: str) -> tuple[str, str, str, str] | None:
    """Who, the plain verb, its past form and the rest of "Nina paints the lamp in the barn."."""
    found = _DEED.fullmatch(given)
    if found is None or found[2] not in _THIRD:
        return None
    return found[1], *_THIRD[found[2]], found[3]


def _negate(slots: Slots, given: str) -> str | None:
    found = _deed(given)
    return None if found is None else f"{found[0]} does not {found[1]} {found[3]}."


def _to_past(slots: Slots, given: str) -> str | None:
    found = _deed(given)
    return None if found is None else f"{found[0]} {found[2]} {found[3]}."


def _to_future(slots: Slots, given: str) -> str | None:
    found = _deed(given)
    return None if found is None else f"{found[0]} will {found[1]} {found[3]}."


def _draw_state(rng: random.Random, slots: Slots, label: str) -> str:
    whose = pick(rng, ("", f" of {pick(rng, v.NAMES)}", f" at the {pick(rng, v.PLACES)}"))
    return f"The {pick(rng, v.OBJECTS)}{whose} {pick(rng, ('is', 'was'))} {pick(rng, tuple(v.OPPOSITES))}."


def _turn_round(slots: Slots, given: str) -> str | None:
    found = _STATE.fullmatch(given)
    if found is None or found[3] not in v.OPPOSITES:
        return None
    return f"{found[1]} {found[2]} {v.OPPOSITES[found[3]]}."


_OLD_FORMS = tuple(
    Template(text, {"third": WORD})
    for text in (
        "{name} {third} the {object}.",
        "The {object} of {name} is at the {place}.",
        "My {relation} has no {object}.",
    )
)


def _draw_two(rng: random.Random, slots: Slots, label: str) -> str:
    def deed() -> str:
        return f"{pick(rng, v.NAMES)} {pick(rng, tuple(_THIRD))} the {pick(rng, v.OBJECTS)}."

    return f"{deed()} {deed()}"


def _title(slots: Slots, given: str) -> str | None:
    if not re.fullmatch(r"[a-z]+(?: [a-z]+){1,5}", given):
        return None
    return " ".join(word.capitalize() for word in given.split())


def _word_count(slots: Slots, given: str) -> str | None:
    return str(len(given.split())) if re.fullmatch(r"[A-Z][A-Za-z]*(?: [A-Za-z]+)+\.", given) else None


def _end_word(slots: Slots, given: str) -> str | None:
    if not re.fullmatch(r"[A-Z][A-Za-z]*(?: [A-Za-z]+)+\.", given):
        return None
    found = given[:-1].split()
    return found[0] if slots["end"] == "first" else found[-1]


FAMILIES = (
    Family(
        "negate",
        (
            "Make the sentence of {name} at the {place} negative.",
            "{name} denies it in front of the {job}. Rewrite the line with not.",
            "Say that it does not happen at the {event} of {name}.",
            "Turn what {name} wrote on {day} into its denial.",
            "Add does not where it belongs in the {subject} sentence of {name}.",
            "{name} and {name2} know this is false. Write the sentence so that it says the deed is not done.",
            "How would {name} the {job} tell us the contrary, using not?",
            "Change the report for my {relation} {name} so that nothing of the kind is done.",
            "Negate the statement that {name} keeps in {an colour} book.",
            "Put the sentence in the negative form for the {subject} teacher {name}.",
        ),
        _negate,
        draw_input=_draw_deed,
    ),
    Family(
        "to_past",
        (
            "Rewrite the sentence of {name} about the {place} in the past tense.",
            "It happened last {day}. Change the verb for {name} to show it.",
            "{name} tells the story a year later at the {event}. How does the line sound in the past?",
            "Put the action into the past for the {subject} book of {name}.",
            "Let {name} the {job} speak of this as something that is over.",
            "Move the sentence from now to yesterday for {name} and my {relation}.",
            "Write the line again with its verb in the past form, as {name} asks on {day}.",
            "The {colour} diary of {name} needs the past tense. Change the sentence.",
            "Turn the present into the past in the words of {name} to the {job}.",
            "What would {name2} and {name} write about this long afterwards, in the past tense?",
        ),
        _to_past,
        draw_input=_draw_deed,
    ),
    Family(
        "to_future",
        (
            "Rewrite the sentence for {name} in the future with will.",
            "It has not happened yet at the {place}. Let {name} say the line with will.",
            "{name} sees the future at the {event}. Put the sentence there.",
            "Change the action into a plan that {name} has for {day}.",
            "Use will to move the {subject} sentence of {name} to tomorrow.",
            "The {job} promises this to {name} for next {month}. Write it with will.",
            "Let my {relation} read the line of {name} as something still to come.",
            "Turn now into later in what {name} and {name2} write.",
            "For the {colour} calendar of {name}, say that the deed will be done.",
            "How does the sentence sound if {name} expects it next {day}?",
        ),
        _to_future,
        draw_input=_draw_deed,
    ),
    Family(
        "reverse_meaning",
        (
            "Rewrite the sentence of {name} with the opposite of its adjective for the {event}.",
            "{name} sees it the other way round at the {place}. What does {name} write?",
            "Change the last word to its opposite for {name} the {job}.",
            "Swap the describing word for its contrary, as {name} wishes on {day}.",
            "Give the sentence of {name} the reverse meaning without using not, says my {relation}.",
            "The {job} corrects {name}, for the very opposite is the case. Write the right sentence.",
            "Keep everything but the adjective, which {name} and {name2} turn into its opposite.",
            "In the {subject} class of {name}, say the line again with a word of opposite meaning.",
            "How does the {colour} sentence card of {name} read with its quality turned around?",
            "Let {name} describe the thing as its exact opposite in the same form for the {place}.",
        ),
        _turn_round,
        draw_input=_draw_state,
    ),
    Family(
        "word_count",
        (
            "Count the words in the sentence of {name} from the {place}.",
            "How many words did {name} use on {day}?",
            "{name} pays a coin per word for the message to my {relation}. What does this message cost?",
            "Give the length of the line {name} reads at the {event}, in words.",
            "Tell the {job} called {name} how many words the sentence has.",
            "What number of words must {name} copy for the {subject} class?",
            "Work out how many words {name2} hears when {name} reads this aloud.",
            "State the word count of the {colour} note of {name}.",
            "In how many words does {name} tell the news to the {job}?",
            "Find how many words long the sentence for {name} at the {event} is.",
        ),
        _word_count,
        draw_input=_draw_deed,
    ),
    Family(
        "end_word",
        (
            "Give the {end} word of the sentence {name} wrote at the {place}.",
            "Which word comes {end} in what {name} told my {relation}?",
            "{name} heard only the {end} word at the {event}. Which one was it?",
            "Copy the {end} word of the line for {name} the {job}.",
            "What does {name} read {end} on the {colour} note?",
            "Tell {name} and {name2} the word that stands {end} in the sentence.",
            "From the {subject} sentence of {name}, keep nothing but the {end} word.",
            "The {job} asks {name} which word is {end} here.",
            "Name the word {name} says {end} when reading this on {day}.",
            "Take the {end} word of the message and send it to {name} at the {place}.",
        ),
        _end_word,
        {"end": ("first", "last")},
        draw_input=_draw_deed,
    ),
)
