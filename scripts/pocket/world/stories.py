"""Little texts to write: notes, invitations, greetings, titles and one-sentence stories."""

from __future__ import annotations

import random
import re

from . import vocabulary as v
from .engine import NAME, WORD, Family, Slots, Template, pick

_TIMES = ("morning", "afternoon", "evening", "night")
_EVENT = "|".join(v.EVENTS)


def _thanks(slots: Slots, given: str) -> str | None:
    return f"Dear {slots['to']}, thank you for the {slots['gift']}."


def _draw_gift(rng: random.Random) -> Slots:
    return {"to": pick(rng, v.NAMES), "gift": pick(rng, (*v.OBJECTS, *v.GOODS))}


def _sorry(slots: Slots, given: str) -> str | None:
    return f"Dear {slots['to']}, I am sorry about the {slots['gift']}."


def _hello(slots: Slots, given: str) -> str | None:
    return f"Good {slots['time']}, {slots['to']}."


def _draw_person(rng: random.Random) -> Slots:
    return {"to": pick(rng, v.NAMES)}


def _title(slots: Slots, given: str) -> str | None:
    return f"The {slots['first']} and the {slots['second']}"


def _draw_two(rng: random.Random) -> Slots:
    first, second = rng.sample((*v.ANIMALS, *v.OBJECTS), 2)
    return {"first": first, "second": second}


_SENTENCES = tuple(
    Template(text, {"first": WORD, "second": WORD})
    for text in (
        "The {first} is near the {second}.",
        "{name} has {an first} and {an second}.",
        "My {relation} sees the {first} and the {second} at the {place}.",
        "There is no {first} without {an second}.",
        "On {day} the {first} and the {second} were lost.",
    )
)
_SENTENCE = re.compile(r"[A-Za-z]+(?: [A-Za-z]+){3,15}[.]?")


def _describe(slots: Slots, given: str) -> str | None:
    return f"The {slots['thing']} is {slots['trait']} and {slots['hue']}."


def _draw_look(rng: random.Random) -> Slots:
    return {"thing": pick(rng, v.OBJECTS), "trait": pick(rng, tuple(v.OPPOSITES)), "hue": pick(rng, v.COLOURS)}


_ANALOGIES = (v.OPPOSITES, v.YOUNG, v.SOUNDS, v.HOMES, v.WORKPLACES, v.PAST, v.PLURALS)


_NOTE = {"to": NAME, "gift": WORD}

FAMILIES = (
    Family(
        "thank_you",
        (
            "Write a short note to thank {to} for the {gift}.",
            "{name} got the {gift} from {to}. Compose a line of thanks to {to}.",
            "Thank {to} for bringing the {gift} to the {event}, in one sentence.",
            "How would you say thanks to {to} for the {gift} that came on {day}?",
            "A card for {to} is needed because of the {gift} my {relation} received. Fill it with thanks.",
            "The {gift} which {to} gave to the {place} was a nice surprise. Send {to} your thanks.",
            "Draft a message of thanks to {to}, who lent the {job} the {gift}.",
            "Say thank you to {to}; the reason is the {gift}.",
            "I want to show {to} how glad I am about the {gift}. Word my thanks.",
            "Let {name} thank {to} in writing for the {gift} from the {place}.",
        ),
        _thanks,
        _NOTE,
        _draw_gift,
    ),
    Family(
        "apology",
        (
            "Write a short note to say sorry to {to} about the {gift}.",
            "{name} broke the {gift} of {to}. Compose an apology to {to}.",
            "Apologise to {to} for what happened to the {gift} at the {event}.",
            "How would you tell {to} that you regret the thing with the {gift} on {day}?",
            "A sad letter for {to} is needed because my {relation} lost the {gift}. Word the apology.",
            "The {gift} that {to} left at the {place} is gone. Send {to} an apology.",
            "Draft a sorry message to {to}, whose {gift} the {job} has damaged.",
            "Say sorry to {to}; the reason is the {gift}.",
            "I feel bad about the {gift} I took from {to}. Ask {to} for pardon in writing.",
            "Let {name} express regret to {to} for the {gift} at the {place}.",
        ),
        _sorry,
        _NOTE,
        _draw_gift,
    ),
    Family(
        "greeting",
        (
            "Greet {to}, whom you meet at the {place} in the {time}.",
            "It is {time}, and {name} meets {to} at the {event}. What does {name} say first?",
            "How does {an job} say hello to {to} in the {time}?",
            "Write the {time} greeting for {to} that my {relation} will read out.",
            "{to} enters the {place} during the {time}. Welcome {to} with a fitting greeting.",
            "Say hello to {to} as it is usual in the {time} at the {place}.",
            "A letter to {to} begins with a wish for a good {time}. Write that wish for {name}.",
            "Which words would {name} use to greet {to} in the {time}?",
            "Teach {name} what to call out to {to} on {day} when it is {time}.",
            "Give the polite {time} greeting with which the {job} meets {to}.",
        ),
        _hello,
        {"to": NAME, "time": _TIMES},
        _draw_person,
    ),
    Family(
        "story_title",
        (
            "Give a title for a story about {an first} and {an second}.",
            "{name} wrote a tale of {an first} that meets {an second}. How could it be called?",
            "Name a play for the {event} in which {an first} and {an second} are the heroes.",
            "What would you call a book on {an first} and {an second} written by {name}?",
            "My {relation} tells of {an first} and of {an second} at the {place}. Find a simple title.",
            "A poem needs a heading. Its subjects are {an first} and {an second}. Suggest one to {name}.",
            "Think of the name for a new song that joins {an first} with {an second}.",
            "The {place} shows a film with {an first} and {an second} in it. Print its name on the ticket.",
            "Which title suits the {job} whose story has {an first} and then {an second} in it?",
            "Put a title over the {subject} essay that compares {an first} with {an second}.",
        ),
        _title,
        {"first": WORD, "second": WORD},
        _draw_two,
    ),
    Family(
        "describe",
        (
            "Describe the {thing} of {name}, which is {trait} and {hue}.",
            "Write one sentence on {an thing} that is {trait} and also {hue}.",
            (
                "{name} lost the {thing} at the {place}; it is {trait} and its colour "
                "is {hue}. Describe it for the poster."
            ),
            "How does the {thing} look if it is {trait}, and {hue} in colour?",
            "For the {place}, put into a sentence that the {thing} has the qualities {trait} and {hue}.",
            "My {relation} cannot see the {thing}. Say in a sentence that it is {trait} and {hue}.",
            "Tell the {job} about the {trait} {thing} and its {hue} colour in one plain sentence.",
            "A shop sells {an trait} {thing} in {hue}. Write what the label says about the {thing}.",
            "With the words {trait} and {hue}, describe the {thing} for {name}.",
            "Give a description of the {thing} from the {event}; first it is {trait}, then it is {hue}.",
        ),
        _describe,
        {"thing": WORD, "trait": WORD, "hue": "|".join(v.COLOURS)},
        _draw_look,
    ),
)
