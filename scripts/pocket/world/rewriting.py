"""Sentences given as input: changed in one way, or asked for one of their parts."""

from __future__ import annotations

import random
import re

from . import vocabulary as v
from .engine import NAME, WORD, Family, Slots, Template, pick

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


def _to_question(slots: Slots, given: str) -> str | None:
    found = _deed(given)
    return None if found is None else f"Does {found[0]} {found[1]} {found[3]}?"


def _draw_own_deed(rng: random.Random, slots: Slots, label: str) -> str:
    return f"I {pick(rng, tuple(v.DEEDS))} the {pick(rng, v.OBJECTS)}{_where(rng)}."


def _to_third_person(slots: Slots, given: str) -> str | None:
    found = _OWN_DEED.fullmatch(given)
    if found is None or found[1] not in v.DEEDS:
        return None
    return f"{slots['hero']} {v.DEEDS[found[1]][0]} {found[2]}."


def _draw_state(rng: random.Random, slots: Slots, label: str) -> str:
    whose = pick(rng, ("", f" of {pick(rng, v.NAMES)}", f" at the {pick(rng, v.PLACES)}"))
    return f"The {pick(rng, v.OBJECTS)}{whose} {pick(rng, ('is', 'was'))} {pick(rng, tuple(v.OPPOSITES))}."


def _turn_round(slots: Slots, given: str) -> str | None:
    found = _STATE.fullmatch(given)
    if found is None or found[3] not in v.OPPOSITES:
        return None
    return f"{found[1]} {found[2]} {v.OPPOSITES[found[3]]}."


def _draw_meeting(rng: random.Random, slots: Slots, label: str) -> str:
    return _MEETING.render(rng, {"past": pick(rng, tuple(past for _, past in v.DEEDS.values()))})


def _part(slots: Slots, given: str) -> str | None:
    found = _MEETING.match(given)
    if found is None:
        return None
    key = {"person": "name", "place": "place", "thing": "object", "day": "day"}[slots["part"]]
    return found[key]


def _also_with_the(expected: str, answer: str, slots: Slots, given: str) -> bool:
    return answer.strip(" .").lower() == f"the {expected}".lower()


def _swap_people(slots: Slots, given: str) -> str | None:
    found = _MEETING.match(given)
    if found is None:
        return None
    return (
        f"{found['name2']} {found['past']} the {found['object']} with {found['name']} "
        f"at the {found['place']} on {found['day']}."
    )


def _draw_replace(rng: random.Random) -> Slots:
    old, new = rng.sample(v.OBJECTS, 2)
    return {"old": old, "new": new}


def _draw_with_old(rng: random.Random, slots: Slots, label: str) -> str:
    template = _OLD_FORMS[int(rng.random() * len(_OLD_FORMS))]
    return template.render(rng, {"object": slots["old"], "third": pick(rng, tuple(_THIRD))})


_OLD_FORMS = tuple(
    Template(text, {"third": WORD})
    for text in (
        "{name} {third} the {object}.",
        "The {object} of {name} is at the {place}.",
        "My {relation} has no {object}.",
    )
)


def _replace(slots: Slots, given: str) -> str | None:
    pattern = rf"\b{slots['old']}\b"
    return re.sub(pattern, slots["new"], given) if re.search(pattern, given) else None


def _draw_two(rng: random.Random, slots: Slots, label: str) -> str:
    def deed() -> str:
        return f"{pick(rng, v.NAMES)} {pick(rng, tuple(_THIRD))} the {pick(rng, v.OBJECTS)}."

    return f"{deed()} {deed()}"


def _combine(slots: Slots, given: str) -> str | None:
    first, _, second = given.partition(". ")
    if _deed(first + ".") is None or _deed(second) is None:
        return None
    return f"{first} {slots['link']} {second}"


def _draw_name_of(rng: random.Random, slots: Slots, label: str) -> str:
    trait, thing = pick(rng, tuple(v.OPPOSITES)), pick(rng, v.OBJECTS)
    return pick(rng, (f"the {trait} {thing}", f"{pick(rng, v.COLOURS)} {thing}", f"the {trait} {pick(rng, v.ANIMALS)}"))


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
        "to_question",
        (
            "Turn the sentence of {name} at the {place} into a question.",
            "{name} is not sure and asks the {job}. Write the question that begins with does.",
            "Ask whether this is so, in the name of {name} and my {relation}.",
            "Change the statement for {name} on {day} so that it can be answered with yes or no.",
            "Make a yes or no question out of the line {name} read at the {event}.",
            "Form the question to which the {subject} sentence of {name} is the answer.",
            "How would {name} the {job} ask about this?",
            "Begin with does and rewrite what {name2} told {name} as a question.",
            "For the {colour} quiz card of {name}, turn the fact around into a question.",
            "Let {name} ask my {relation} if it is true by writing the sentence as a question.",
        ),
        _to_question,
        draw_input=_draw_deed,
    ),
    Family(
        "to_third_person",
        (
            "Rewrite the sentence so that {hero} does it in place of I.",
            "Replace I with {hero} and fix the verb for the {job}.",
            "{hero} is the speaker at the {place}. Tell the same thing about {hero}.",
            "Report at the {event} what {hero} said of doing, with the name in front.",
            "Change the line from the first person to {hero}, as the {subject} book demands.",
            "My {relation} quotes {hero} on {day}. Put the name where I stands.",
            "Write about {hero} from outside, as {an job} would.",
            "Let the {colour} diary speak of {hero} and no longer say I.",
            "Who does it? {hero} does. Write the sentence with that name for the {job}.",
            "Turn the words of {hero} into a sentence about {hero} for my {relation}.",
        ),
        _to_third_person,
        {"hero": NAME},
        lambda rng: {"hero": pick(rng, v.NAMES)},
        draw_input=_draw_own_deed,
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
        "find_part",
        (
            "Which {part} is named first in the sentence of {name}?",
            "Give {name} the {part} from the report on the {event}.",
            "{name} asks only for the {part}. Take it from the line.",
            "Find the {part} for the {job} and copy it.",
            "Underline one word for my {relation}, the first {part} in the text. Which word is it?",
            "What {part} do we read about first in the letter of {name} from the {place}?",
            "A form has a box for the {part}. What should {name} fill in?",
            "From all the news of {day}, {name} keeps just the first {part}. Name it.",
            "Tell {name2} and {name} the {part} that the sentence begins to speak of.",
            "Extract the {part} for the {subject} notes of {name}.",
        ),
        _part,
        {"part": _PARTS},
        draw_input=_draw_meeting,
        accept=_also_with_the,
    ),
    Family(
        "swap_people",
        (
            "Swap the two names in the sentence {name} heard.",
            "The people at the {place} changed roles. Write the line for {name} with both names exchanged.",
            "{name} mixed up who is who at the {event}. Put each name where the other stands.",
            "Let the two persons trade places in the report for the {job} called {name}.",
            "Exchange the names and leave all the rest as {name} wrote it on {day}.",
            "My {relation} says the other person led the way, {name}. Correct the sentence by switching the names.",
            "Rewrite the {subject} sentence of {name} so that the second person comes first and the first second.",
            "Who was the helper? {name} thinks it was the other one. Turn the names around.",
            "In the {colour} letter of {name}, both names stand in the wrong place. Switch them.",
            "Give {name} the same news with the two people in opposite parts for the {place}.",
        ),
        _swap_people,
        draw_input=_draw_meeting,
    ),
    Family(
        "replace_word",
        (
            "Replace the word {old} with {new} in the sentence.",
            "{name} meant {new}, not {old}. Correct the line.",
            "Write {new} wherever {old} stands for the {job}.",
            "Change {old} to {new} and keep all other words of {name}.",
            "The {place} has no {old} but it has {an new}. Rewrite the sentence to fit.",
            "Put {new} in the place of {old} for my {relation}.",
            "How does the sentence read for {name} if each {old} turns into {an new}?",
            "Since {name} broke the {old}, use the {new} in the line.",
            "In this {subject} sentence, exchange {old} for {new}.",
            "Let the text speak of {an new} where {name} wrote about {an old}.",
        ),
        _replace,
        {"old": WORD, "new": WORD},
        _draw_replace,
        draw_input=_draw_with_old,
    ),
    Family(
        "combine",
        (
            "Combine the two sentences of {name} into one with the word {link}.",
            "Join both statements about the {place} for {name}, using {link} in the middle.",
            "{name} writes {link} in place of the first full stop. How does the line look at the {event}?",
            "Make one long sentence for {name} the {job} by putting {link} between the parts.",
            "Link the first fact and the second with {link} for my {relation} {name}.",
            "Two short lines came from {name} on {day}. Connect them through {link}.",
            "Use {link} so that the {subject} sentences of {name} become a single one.",
            "Tell {name} both things at once at the {place}, with {link} as the bridge.",
            "Write what {name} and {name2} did as one sentence that has {link} in it.",
            "The {colour} card of {name} has room for one sentence only. Tie the two together by {link}.",
        ),
        _combine,
        {"link": ("and", "but", "while", "because", "before", "after", "so")},
        draw_input=_draw_two,
    ),
    Family(
        "title_case",
        (
            "Write the title for {name} with a capital letter at the start of each word.",
            "{name} paints a sign for the {place}. Give every word a capital first letter.",
            "Capitalise each word of the book name {name} chose on {day}.",
            "Turn the small first letters into big ones for the {event} poster of {name}.",
            "How would {name} the {job} print this as a title with capitals at the word starts?",
            "Put the words in title case for my {relation} {name}.",
            "Start all words with a capital letter, as the {subject} teacher {name} wants it.",
            "Make a heading out of the words for {name} and {name2}, each beginning with a capital.",
            "The {colour} label of {name} needs title case. Rewrite the words.",
            "Begin every word below with a large letter before {name} sends it to the {place}.",
        ),
        _title,
        draw_input=_draw_name_of,
        case_matters=True,
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
