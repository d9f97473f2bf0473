"""Sentences that are classified: the wordings that make each label true."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from . import vocabulary as v
from .engine import Slots, Template


class Sentences:
    """Sentences by label: draws one for a label, and reads the label off any sentence of these forms."""

    def __init__(self, by_label: Mapping[str, Sequence[str]], slots: Mapping[str, Sequence[str] | str] | None = None):
        self.labels = tuple(by_label)
        self._templates = {
            label: tuple(Template(text, slots or {}) for text in texts) for label, texts in by_label.items()
        }

    def draw(self, rng: random.Random, slots: Slots, label: str) -> str:
        templates = self._templates[label]
        return templates[int(rng.random() * len(templates))].render(rng, {})

    def label(self, slots: Slots, given: str) -> str | None:
        for label, templates in self._templates.items():
            if any(template.match(given) is not None for template in templates):
                return label
        return None


_GOOD = ("great", "lovely", "excellent", "perfect", "wonderful", "friendly", "fine", "delicious")
_BAD = ("awful", "terrible", "horrible", "broken", "boring", "dirty", "ugly", "poor")
_FEELINGS: dict[str, tuple[str, ...]] = {
    "happy": ("won the prize", "got a present", "laughed all day", "danced with joy"),
    "sad": ("lost a friend", "cried all night", "misses home", "has tears in both eyes"),
    "angry": ("shouted at the waiter", "slammed the door", "kicked the wall", "hit the table with a fist"),
    "afraid": ("hid under the bed", "ran away from the noise", "trembled in the dark", "cannot look at the snake"),
}
_TOPICS: dict[str, tuple[str, ...]] = {
    "sport": (
        "{name} scored two goals for the team.",
        "The runners trained at the stadium in {month}.",
        "Our team lost the final match on {day}.",
        "{name} won the swimming race.",
    ),
    "food": (
        "{name} baked bread with {goods}.",
        "The soup needs salt and {goods}.",
        "We ate a cake with {fruit} cream on {day}.",
        "{name} cooked dinner with {goods}.",
    ),
    "weather": (
        "It rained all {day} long.",
        "Snow and strong wind are expected in {month}.",
        "The sky was clear and the sun shone on {day}.",
        "A storm with thunder hit the {place}.",
    ),
    "travel": (
        "The train to {country} leaves on {day}.",
        "{name} booked a flight to {country}.",
        "Our ship sailed to {country} in {month}.",
        "{name} packed a suitcase for the journey.",
    ),
}
_KINDS: dict[str, tuple[str, ...]] = {
    "question": (
        "Where is the {object}?",
        "Did {name} visit the {place}?",
        "Who sold the {goods} on {day}?",
        "Is the {place} far away?",
        "When does {name} leave?",
    ),
    "statement": (
        "The {object} is in the {place}.",
        "{name} visited the {place}.",
        "My {relation} sold the {goods} on {day}.",
        "The {place} is far away.",
        "{name} leaves on {day}.",
    ),
    "order": (
        "Bring me the {object}.",
        "Visit the {place} on {day}.",
        "Sell the {goods} to {name}.",
        "Stay away from the {place}.",
        "Leave before {day}, {name}.",
    ),
}
_MANNERS: dict[str, tuple[str, ...]] = {
    "polite": (
        "Could you please pass the {object}, {name}?",
        "Thank you very much for the {goods}.",
        "Excuse me, may I enter the {place}?",
        "Would you kindly wait until {day}?",
        "I am sorry about the {object}, {name}.",
    ),
    "rude": (
        "Give me that {object} right now, {name}!",
        "Your {goods} are rubbish.",
        "Get out of my {place}!",
        "Shut up until {day}, you fool.",
        "Nobody likes you or your {object}, {name}.",
    ),
}
_TIMES: dict[str, tuple[str, ...]] = {
    "past": (
        "{name} {past} the {object}.",
        "Yesterday my {relation} {past} the {object}.",
        "The {job} {past} the {object} at the {place}.",
    ),
    "present": (
        "{name} {third} the {object}.",
        "Right now my {relation} {third} the {object}.",
        "The {job} {third} the {object} at the {place}.",
    ),
    "future": (
        "{name} will {base} the {object}.",
        "Tomorrow my {relation} will {base} the {object}.",
        "The {job} will {base} the {object} at the {place}.",
    ),
}
_TIME_SLOTS = {
    "past": tuple(past for _, past in v.DEEDS.values()),
    "third": tuple(third for third, _ in v.DEEDS.values()),
    "base": tuple(v.DEEDS),
}
_SKIES: dict[str, tuple[str, ...]] = {
    "good": (
        "On {day} the sun shines over the {place}.",
        "In {month} the sky is blue and the air is warm.",
        "{day} will be dry, mild and calm.",
        "There are no clouds above the {place}.",
    ),
    "bad": (
        "On {day} heavy rain falls on the {place}.",
        "In {month} the sky is dark and the air is icy.",
        "{day} will be wet, cold and stormy.",
        "Thunder and hail come to the {place}.",
    ),
}

REVIEWS = Sentences(
    {
        "positive": (
            "The {thing} at the {place} was {good}.",
            "What {an good} {thing}, I will come back!",
            "{name} loved the {good} {thing}.",
            "I am glad that we chose this {place}, the {thing} is {good}.",
        ),
        "negative": (
            "The {thing} at the {place} was {bad}.",
            "What {an bad} {thing}, never again!",
            "{name} hated the {bad} {thing}.",
            "I regret that we chose this {place}, the {thing} is {bad}.",
        ),
    },
    {"good": _GOOD, "bad": _BAD, "thing": (*v.EVENTS[:12], *v.DRINKS, *v.OBJECTS[:16])},
)
TOPIC = Sentences(_TOPICS)
KIND = Sentences(_KINDS)
MANNER = Sentences(_MANNERS)
TIME = Sentences(_TIMES, _TIME_SLOTS)
SKY = Sentences(_SKIES)
FEELING = Sentences(
    {
        label: tuple(
            f"{who} {deed}."
            for deed in deeds
            for who in ("{name}", "My {relation}", "On {day}, the {job} of the {place}")
        )
        for label, deeds in _FEELINGS.items()
    }
)
