"""Single words: opposites, plurals, letters, and what things are for. Every task here is self-contained."""

from __future__ import annotations

import random
from collections.abc import Callable

from . import vocabulary as v
from .engine import WORD, Family, Slots, pick

_SHORT = tuple(word for word in v.ITEMS if len(word) <= 5)
_USE = r"[a-z]+(?: [a-z]+)?"


def _look_up(table: dict[str, str]) -> Callable[[Slots, str], str | None]:
    return lambda slots, given: table.get(slots["word"])


def _one_of(words: tuple[str, ...]) -> Callable[[random.Random], Slots]:
    return lambda rng: {"word": pick(rng, words)}


def _letter(slots: Slots, given: str) -> str | None:
    return slots["word"][0 if slots["end"] in ("first", "opening") else -1]


def _length(slots: Slots, given: str) -> str | None:
    return str(len(slots["word"]))


def _workplace(slots: Slots, given: str) -> str | None:
    return v.WORKPLACES.get(slots["word"])


def _just_the_thing(expected: str, answer: str, slots: Slots, given: str) -> bool:
    """Also right with an article: "the bakery", "a saw"."""
    first, _, rest = answer.strip(" .").lower().partition(" ")
    return first in ("a", "an", "the") and rest == expected


_ONE = {"word": WORD}

FAMILIES = (
    Family(
        "opposite",
        (
            "What is the opposite of {word}? {name} forgot.",
            "Give {name} a word that means the reverse of {word}.",
            "{name} says the {place} is {word}. {name2} says the opposite. What does {name2} say?",
            "If the {object} of my {relation} is not {word}, it is the opposite. Which word is that?",
            "Name the opposite of {word} for the {subject} test of {name}.",
            "Not {word} but quite the contrary, how is the {animal} at the {place}?",
            "Find the word that stands against {word} in the {subject} book.",
            "Replace {word} with its opposite on the sign of the {place}.",
            "Someone called the {event} {word}, but {name} felt the very opposite. Which word fits?",
            "Say the contrary of {word} to the {job}.",
            "I look for an antonym of {word} to describe {an colour} {object}.",
        ),
        _look_up(v.OPPOSITES),
        _ONE,
        _one_of(tuple(v.OPPOSITES)),
    ),
    Family(
        "plural",
        (
            "What is the plural of {word}? The {job} wants to know.",
            "{name} has one {word} and buys another. Which word names both?",
            "Make {word} plural for a sign at the {place}.",
            "One {word}, two what? Ask {name} at the {event}.",
            "How do you write {word} when the {place} has many of them?",
            "Give the form of {word} that {name} needs for more than one.",
            "In {subject}, {name} has to change {word} from singular to plural. Do it.",
            "My {relation} saw a single {word}; later there were several at the {place}. Several what?",
            "Tell {name} the word for lots of things when each is {an word}.",
            "Write what comes after seven if {name} counts {word} by {word}.",
        ),
        _look_up(v.PLURALS),
        _ONE,
        _one_of(tuple(v.PLURALS)),
    ),
    Family(
        "past_form",
        (
            "What is the past tense of {word}? Help {name} at the {place}.",
            "Today I {word}, and yesterday at the {place} I did what? Give the verb.",
            "Put the verb {word} into the past for {name}.",
            "{name} likes to {word} with my {relation}. How do you say the verb about last {day}?",
            "Give {name} the form of {word} that tells of the {event} last year.",
            "In the {subject} lesson, change {word} to its past form.",
            "If children {word} now, what verb tells that the {job} did it long ago?",
            "Which form of {word} belongs into a story about the past of the {place}?",
            "Tell my {relation} how {word} looks in the past tense.",
            "The {job} wrote {word} but meant yesterday. Correct the verb.",
        ),
        _look_up(v.PAST),
        _ONE,
        _one_of(tuple(v.PAST)),
    ),
    Family(
        "end_letter",
        (
            "What is the {end} letter of the word {word}? {name} must know.",
            "Give {name} the {end} letter in {word}.",
            "{name} paints the {end} letter of {word} on the wall of the {place}. Which letter is it?",
            "Look at the name of the {colour} {word} and tell its {end} letter.",
            "Which letter do you find in the {end} place of {word}, asks the {job}?",
            "For the {event} quiz, take {word} and keep only its {end} letter.",
            "Name the {end} sign in {word} as {name} spells it in {subject}.",
            "My {relation} can read all of {word} but the {end} letter. Read it aloud.",
            "If {name} writes {word} on a {object}, what letter is {end}?",
            "I need the {end} letter of {word} for a code at the {place}.",
        ),
        _letter,
        {"word": WORD, "end": ("first", "last", "final", "opening")},
        _one_of(v.ITEMS),
    ),
    Family(
        "word_length",
        (
            "How many letters does the word {word} have? {name} counts at the {place}.",
            "Count the letters in {word} for {name}.",
            "{name} prints {word} on {an object}. How many letters are needed?",
            "Tell the {job} the length of the word {word} in letters.",
            "In the {subject} game, {word} scores a point for each letter. What is the score of {name}?",
            "The sign of the {place} says {word}. Give the number of letters on it.",
            "Say how long {word} is when my {relation} counts its letters.",
            "What number of letters makes up {word}, the word of the {event}?",
            "If each letter costs one coin, how many coins does {name} pay for {word} at the {place}?",
            "Find out how many letters {name} must type to write {word}.",
        ),
        _length,
        _ONE,
        _one_of(v.ITEMS),
    ),
    Family(
        "animal_sound",
        (
            "Which sound does the {word} of {name} make?",
            "{name} hears {an word} near the {place}. What does it sound like?",
            "Name the noise that {an word} makes at the {event}.",
            "What does the {colour} {word} say when it sees {name}?",
            "If {an word} could answer the {job}, what noise would come out?",
            "Tell the child of my {relation} how {an word} sounds.",
            "In a story about the {place}, which noise belongs to {an word}?",
            "Write the cry of {an word} for the {subject} lesson of {name}.",
            "{name} acts as {an word} at the {event}. Which sound should {name} make?",
            "Give the word for the voice of the {word} kept by the {job}.",
        ),
        _look_up(v.SOUNDS),
        _ONE,
        _one_of(tuple(v.SOUNDS)),
    ),
    Family(
        "animal_home",
        (
            "Where does {an word} live? {name} asks at the {place}.",
            "Name the home of the {word} that {name} saw.",
            "{name} looks for {an word} to show it to my {relation}. Where would it sleep?",
            "In what kind of place would the {job} find {an word}?",
            "The {colour} {word} ran away from the {event} and went home. Where is it now?",
            "Tell {name} where to look for the home of {an word}.",
            "What do we call the place in which {an word} makes its home, in the words of {name}?",
            "For the {subject} test, match {an word} with the place it lives in.",
            "After the {event}, {name} brings {an word} back to where it lives. Which place is that?",
            "Say which home suits {an word} best so that the {job} can build it.",
        ),
        _look_up(v.HOMES),
        _ONE,
        _one_of(tuple(v.HOMES)),
        accept=_just_the_thing,
    ),
    Family(
        "young_animal",
        (
            "What is a young {word} called? {name} would like one.",
            "Give the name for the baby of {an word} at the {place}.",
            "{name} found a very small {word}. Which word names such a baby?",
            "The {word} at the {place} has a little one. What do you call it, {name}?",
            "Name the child of {an word} for the {subject} class.",
            "How does the {job} call {an word} that was just born?",
            "A mother {word} walks with her baby past the {place}. Her baby is a what?",
            "Before it grew up, the {colour} {word} of my {relation} was a what?",
            "Tell {name2} and {name} the right word for the young of {an word}.",
            "Which name fits the smallest {word} of the {event}, the newborn one?",
        ),
        _look_up(v.YOUNG),
        _ONE,
        _one_of(tuple(v.YOUNG)),
        accept=_just_the_thing,
    ),
    Family(
        "thing_for",
        (
            "Which thing does {name} need for {word}?",
            "{name} is at the {place} and thinks of {word}. What should {name} take along?",
            "Name a thing that is made for {word}, to help {name}.",
            "The {job} has to start {word} on {day}. With which thing?",
            "What would my {relation} buy at the {place} for {word}?",
            "Guess the thing in the {colour} box, knowing that it is for {word}.",
            "For {word} at the {event}, {name} asks for one thing. Which one is it?",
            "What do people hold or use when {word} is the work of the {job}?",
            "Tell {name} what to look for in the shop if the aim is {word}.",
            "I am thinking of something used for {word} at the {place}. What is it?",
        ),
        _look_up(v.TOOL_FOR),
        {"word": _USE},
        _one_of(tuple(v.TOOL_FOR)),
        accept=_just_the_thing,
    ),
    Family(
        "workplace",
        (
            "Where does {an word} work? {name} asks my {relation}.",
            "{name} is {an word}. At which place does {name} spend the day?",
            "Name the place of work of the {word} who knows {name}.",
            "If {name} needs {an word} on {day}, where is one found?",
            "My {relation} became {an word}. Which place is the new place of work?",
            "To bring {an object} to {an word}, which place must {name} visit?",
            "Say where the {word} goes to work after the {event}.",
            "Match the job of {word} with its place for the {subject} lesson of {name}.",
            "In which building or place would {name} see {an word} working?",
            "Tell {name} which place needs {an word} most.",
        ),
        _workplace,
        _ONE,
        _one_of(tuple(v.WORKPLACES)),
        accept=_just_the_thing,
    ),
    Family(
        "worker",
        (
            "Who works in the {word} that {name} visits on {day}?",
            "Name the job of a person at the {word}, as {name} would.",
            "{name} wants to work at the {word}. What will be the job of {name}?",
            "My {relation} earns money at the {word}. What is the job called?",
            "Which worker would {name} meet at the {word} before the {event}?",
            "Tell {name} who to ask for at the {word} about the {object}.",
            "If the {word} needs one more person, which job does {name} write on the sign?",
            "Guess the job, if the person is found at the {word} and knows {name} well.",
            "In a play about {an word}, which job should {name} act?",
            "Give the job that goes with the {word} in the {subject} book of {name}.",
        ),
        _look_up(v.WORKER_AT),
        _ONE,
        _one_of(tuple(v.WORKER_AT)),
        accept=_just_the_thing,
    ),
)
