"""Little texts to write: notes, invitations, greetings, titles and one-sentence stories."""

from __future__ import annotations

import random
import re

from . import vocabulary as v
from .engine import NAME, WORD, Family, Slots, Template, pick, with_article

_TIMES = ("morning", "afternoon", "evening", "night")
_EVENT = "|".join(v.EVENTS)


def _thanks(slots: Slots, given: str) -> str | None:
    return f"Dear {slots['to']}, thank you for the {slots['gift']}."


def _draw_gift(rng: random.Random) -> Slots:
    return {"to": pick(rng, v.NAMES), "gift": pick(rng, (*v.OBJECTS, *v.GOODS))}


def _sorry(slots: Slots, given: str) -> str | None:
    return f"Dear {slots['to']}, I am sorry about the {slots['gift']}."


def _invite(slots: Slots, given: str) -> str | None:
    return f"Dear {slots['to']}, please come to the {slots['what']} on {slots['day']}."


def _draw_invitation(rng: random.Random) -> Slots:
    return {"to": pick(rng, v.NAMES), "what": pick(rng, v.EVENTS)}


def _hello(slots: Slots, given: str) -> str | None:
    return f"Good {slots['time']}, {slots['to']}."


def _draw_person(rng: random.Random) -> Slots:
    return {"to": pick(rng, v.NAMES)}


def _remind(slots: Slots, given: str) -> str | None:
    return f"{slots['to']}, do not forget the {slots['gift']}."


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


def _sentence(slots: Slots, given: str) -> str | None:
    if slots["first"] == slots["second"]:
        return None
    return f"The {slots['first']} is near the {slots['second']}."


def _any_sentence(rng: random.Random, slots: Slots, given: str) -> str:
    wanted = {"first": slots["first"], "second": slots["second"]}
    return _SENTENCES[int(rng.random() * len(_SENTENCES))].render(rng, wanted)


def _has_both(expected: str, answer: str, slots: Slots, given: str) -> bool:
    found = answer.lower().rstrip(".").split()
    return bool(_SENTENCE.fullmatch(answer)) and {slots["first"], slots["second"]} <= set(found)


def _story(slots: Slots, given: str) -> str | None:
    return f"One day {slots['hero']} found {with_article(slots['find'])} at the {slots['where']}."


def _draw_story(rng: random.Random) -> Slots:
    return {"hero": pick(rng, v.NAMES), "find": pick(rng, v.OBJECTS), "where": pick(rng, v.PLACES)}


def _describe(slots: Slots, given: str) -> str | None:
    return f"The {slots['thing']} is {slots['trait']} and {slots['hue']}."


def _draw_look(rng: random.Random) -> Slots:
    return {"thing": pick(rng, v.OBJECTS), "trait": pick(rng, tuple(v.OPPOSITES)), "hue": pick(rng, v.COLOURS)}


_ANALOGIES = (v.OPPOSITES, v.YOUNG, v.SOUNDS, v.HOMES, v.WORKPLACES, v.PAST, v.PLURALS)


def _draw_analogy(rng: random.Random) -> Slots:
    table = _ANALOGIES[int(rng.random() * len(_ANALOGIES))]
    first, second = rng.sample(tuple(table), 2)
    return {"a": first, "b": table[first], "c": second}


def _analogy(slots: Slots, given: str) -> str | None:
    if slots["a"] == slots["c"]:
        return None
    answers = {table[slots["c"]] for table in _ANALOGIES if slots["c"] in table and table.get(slots["a"]) == slots["b"]}
    return answers.pop() if len(answers) == 1 else None


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
        "invitation",
        (
            "Invite {to} to the {what} on {day}.",
            "Write an invitation for {to}; the {what} takes place on {day}.",
            "{name} wants {to} to come to the {what} on {day}. Compose the invitation.",
            "A card should ask {to} to join the {what} of my {relation} on {day}. What does it say?",
            "On {day} there is {an what} at the {place}. Ask {to} in writing to come.",
            "The {job} would like to see {to} at the {what} on {day}. Draft the letter to {to}.",
            "How do you ask {to} kindly to be at the {what} this {day}?",
            "We miss {to} at the {what}. Send {to} a line that names {day} as the day.",
            "Put together one sentence that invites {to}, with {what} as the occasion and {day} as the date.",
            "For the {what} of {day}, {name} needs words of invitation to {to}.",
        ),
        _invite,
        {"to": NAME, "what": _EVENT},
        _draw_invitation,
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
        "reminder",
        (
            "Remind {to} of the {gift} in one short sentence.",
            "Write a note so that {to} will not forget the {gift} on {day}.",
            "{to} often forgets the {gift}. What should {name} write on a slip of paper for {to}?",
            "The {gift} must come along to the {place}. Leave {to} a reminder.",
            "Tell {to} not to forget the {gift} for the {event}.",
            "My {relation} hopes that {to} thinks of the {gift}. Compose a reminder to {to}.",
            "A reminder about the {gift} should hang on the door of {to}. Word it.",
            "Let {an job} warn {to} against leaving without the {gift}.",
            "How would {name} make sure that {to} remembers the {gift}? Give the sentence.",
            "Send {to} a line from the {place} about the {gift} that has to be remembered.",
        ),
        _remind,
        _NOTE,
        _draw_gift,
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
        "sentence_with",
        (
            "Make a sentence that contains the words {first} and {second}.",
            "Use {first} together with {second} in one sentence for {name}.",
            "{name} needs a line with both {first} and {second} in it. Write one.",
            "Think up a sentence for the {subject} class in which {first} and {second} occur.",
            "Build any sentence out of the words {first}, {second} and some others.",
            "The game at the {event} gives you {first} and {second}. Say something with both of them.",
            "Can you put {first} and {second} into a single sentence for my {relation}?",
            "Invent one sentence for the {job}; it has to name {an first} and {an second}.",
            "Write something about {an first} which also mentions {an second}.",
            "Show {name} how {first} and {second} may stand in the same sentence.",
        ),
        _sentence,
        {"first": WORD, "second": WORD},
        _draw_two,
        accept=_has_both,
        vary=_any_sentence,
    ),
    Family(
        "tiny_story",
        (
            "Tell a story of one sentence in which {hero} finds {an find} at the {where}.",
            "Begin a tale with one day; {hero} comes upon {an find} at the {where}.",
            "Write how {hero} once found {an find}, and let it happen at the {where}.",
            "The hero is {hero}, the place is the {where} and the treasure is {an find}. Tell it in one sentence.",
            "My {relation} loves tales. Make up one on {hero}, who discovers {an find} at the {where}.",
            "At the {where} lay {an find} until {hero} found it. Retell this as a tiny story.",
            "Start a fairy tale for the {event} where {hero} finds {an find} at the {where}.",
            "Compose a very short story from these parts, {hero}, {where}, {find}, for the {job}.",
            "What happened when {hero} walked around the {where} and saw {an find}? Answer like a storyteller.",
            "Put {hero}, {an find} and the {where} together in a story that takes only one line.",
        ),
        _story,
        {"hero": NAME, "find": WORD, "where": WORD},
        _draw_story,
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
    Family(
        "analogy",
        (
            "If {a} goes with {b}, what goes with {c} in the same way?",
            "The word {a} is to {b} as the word {c} is to which word, {name}?",
            "{name} says {b} when the card shows {a}. What should {name} say for {c}?",
            "Following the rule that {a} becomes {b}, tell {name} what {c} becomes.",
            "In the game of my {relation}, {a} is answered by {b}. Give the answer to {c}.",
            "As {b} belongs to {a}, so which word belongs to {c}?",
            "The {job} pairs {a} with {b}. Find the partner of {c}.",
            "Complete the pair {c} and what, just like the pair {a} and {b}, for the {event}.",
            "A {subject} machine turns {a} into {b}. What comes out when {c} goes in?",
            "First came {a} with {b}; now comes {c}. Which word does {name} need next to it?",
        ),
        _analogy,
        {"a": WORD, "b": WORD, "c": WORD},
        _draw_analogy,
    ),
)
