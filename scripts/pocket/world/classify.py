"""Sorting sentences and words into named classes; the input carries what is to be sorted."""

from __future__ import annotations

import random

from . import sentences
from . import vocabulary as v
from .engine import WORD, Family, Slots, Template, pick

_WORD_KINDS = ("animal", "plant", "tool", "fruit", "vehicle")


def _draw_item(rng: random.Random, slots: Slots, label: str) -> str:
    return pick(rng, v.CATEGORIES[label])


def _word_kind(slots: Slots, given: str) -> str | None:
    kind = v.CATEGORY_OF.get(given)
    return kind if kind in _WORD_KINDS else None


_ALIVE = {word: "alive" for word in (*v.ANIMALS, *v.PLANTS)} | {
    word: "lifeless" for word in (*v.TOOLS, *v.VEHICLES, *v.FURNITURE, *v.METALS, *v.CLOTHES)
}


def _draw_alive(rng: random.Random, slots: Slots, label: str) -> str:
    return pick(rng, tuple(word for word, found in _ALIVE.items() if found == label))


def _alive(slots: Slots, given: str) -> str | None:
    return _ALIVE.get(given)


_MENTIONS = tuple(
    Template(text, {"word": WORD})
    for text in (
        "{name} sold the {word} to my {relation}.",
        "The {word} of {name} lies in the {place}.",
        "My {relation} gave {name} the {word} on {day}.",
        "At the {place}, {name} asked for {an word}.",
    )
)


def _draw_mention(rng: random.Random, slots: Slots, label: str) -> str:
    word = slots["word"]
    while label == "no" and word == slots["word"]:
        word = pick(rng, v.OBJECTS)
    return _MENTIONS[int(rng.random() * len(_MENTIONS))].render(rng, {"word": word})


def _mentions(slots: Slots, given: str) -> str | None:
    for template in _MENTIONS:
        found = template.match(given)
        if found is not None:
            return "yes" if found["word"] == slots["word"] else "no"
    return None


_FACTS = tuple(
    (table, Template(text, {"key": WORD, "value": WORD}))
    for table, text in (
        (v.SOUNDS, "The sound of {an key} is {value}."),
        (v.TYPICAL_COLOURS, "The usual colour of {key} is {value}."),
        (v.WORKPLACES, "You find {an key} at work in the {value}."),
        (v.YOUNG, "The young of {an key} is called {value}."),
        (v.OPPOSITES, "The opposite of {key} is {value}."),
    )
)


def _draw_fact(rng: random.Random, slots: Slots, label: str) -> str:
    table, template = _FACTS[int(rng.random() * len(_FACTS))]
    key = pick(rng, tuple(table))
    value = table[key]
    while label == "false" and value == table[key]:
        value = pick(rng, tuple(table.values()))
    return template.render(rng, {"key": key, "value": value})


def _fact(slots: Slots, given: str) -> str | None:
    for table, template in _FACTS:
        found = template.match(given)
        if found is not None and found["key"] in table:
            return "true" if table[found["key"]] == found["value"] else "false"
    return None


def _draw_against(rng: random.Random, slots: Slots, label: str) -> str:
    middle = v.BY_WEIGHT.index(slots["animal"])
    return pick(rng, v.BY_WEIGHT[middle + 1 :] if label == "heavier" else v.BY_WEIGHT[:middle])


def _against(slots: Slots, given: str) -> str | None:
    if given == slots["animal"] or given not in v.BY_WEIGHT or slots["animal"] not in v.BY_WEIGHT:
        return None
    return "heavier" if v.BY_WEIGHT.index(given) > v.BY_WEIGHT.index(slots["animal"]) else "lighter"


FAMILIES = (
    Family(
        "sentiment",
        (
            "Decide whether the review from {name} about the {place} is positive or negative.",
            "Is the writer, {name} the {job}, pleased? Label the comment positive or negative.",
            "{name} reads what guests say about the {event}. Mark each line as positive or negative.",
            "Classify the opinion sent to {name} on {day} as negative or positive.",
            "Negative or positive, how does this customer of the {place} feel, {name}?",
            "Judge the mood of the review for {name} at the {place} with the word positive or negative.",
            "Tell my {relation} if people liked it in {month}. Say positive for praise and negative for complaint.",
            "The {job} at the {place} sorts letters into positive and negative ones. Where does this go?",
            "Given one remark heard by {name} at the {event}, choose between positive and negative.",
            "Would {name} and {name2} smile at this comment? Reply with positive if yes and with negative if not.",
            "A note hangs in the {place} on {day}. Rate its feeling for {name} as positive or negative.",
        ),
        sentences.REVIEWS.label,
        draw_input=sentences.REVIEWS.draw,
        labels=sentences.REVIEWS.labels,
    ),
    Family(
        "topic",
        (
            "What is the sentence of {name} at the {place} about, sport, food, weather or travel?",
            "Sort the news line that {name} read on {day} into sport, food, weather or travel.",
            "Choose a topic from sport, food, weather and travel for the note {name} gave to {name2}.",
            "The {job} called {name} keeps messages under sport, food, weather or travel. Name the right one.",
            (
                "Pick the page where {name} should print this for the {place}. The pages "
                "are sport, food, weather and travel."
            ),
            "Label the line overheard at the {event} in {month} with its subject, travel, weather, food or sport.",
            "My {relation} tells {name} something. Is the topic food, sport, travel or weather?",
            "Which of the four themes sport, weather, food and travel fits the words of {name} the {job}?",
            "Name the subject of this remark from {name} at the {event}. It can be weather, sport, travel or food.",
            "Travel, sport, food or weather, what does {name2} tell {name} about on {day}?",
        ),
        sentences.TOPIC.label,
        draw_input=sentences.TOPIC.draw,
        labels=sentences.TOPIC.labels,
    ),
    Family(
        "word_kind",
        (
            "Is the word an animal, a plant, a tool, a fruit or a vehicle, asks {name} at the {place}?",
            "{name} sorts cards at the {place}. Name the group, animal, plant, tool, fruit or vehicle.",
            "Choose animal, plant, tool, fruit or vehicle for the thing {name} saw on {day}.",
            "What kind of thing does {name} bring to the {event}? Say tool, fruit, plant, animal or vehicle.",
            "Classify the thing in the {colour} box of {name} as vehicle, fruit, tool, plant or animal.",
            (
                "The {job} called {name} has five shelves, for animal, plant, tool, "
                "fruit and vehicle. Which shelf is right?"
            ),
            "For the {subject} class of {name}, give the category, which is animal, tool, plant, vehicle or fruit.",
            (
                "My {relation} thinks of something at the {place}. Tell {name} if it is a "
                "plant, animal, fruit, tool or vehicle."
            ),
            "Put the word under one heading for {name} and {name2}, out of fruit, plant, vehicle, tool and animal.",
            "Which label would {name} the {job} write on it, tool, vehicle, animal, fruit or plant?",
        ),
        _word_kind,
        draw_input=_draw_item,
        labels=_WORD_KINDS,
    ),
    Family(
        "sentence_type",
        (
            "Is what {name} says at the {place} a question, a statement or an order?",
            "Classify the line spoken by {name} at the {event} as question, statement or order.",
            "{name} studies {subject}. Help by naming the sentence type, which is order, question or statement.",
            "The {job} shouts something to {name}. Label it as an order, a statement or a question.",
            "Say question, order or statement, depending on what my {relation} told {name}.",
            "Does {name} ask, tell or command here? Reply with question, statement or order for {name2}.",
            "Mark the sentence from the {colour} book of {name} with its type, statement, order or question.",
            "Which of the three, statement, question or order, did {name} hear on {day}?",
            "Look at the form of the sentence from the {place} and give {name} the word order, statement or question.",
            "An order, a question or a statement, what has {name} the {job} sent to {name2}?",
        ),
        sentences.KIND.label,
        draw_input=sentences.KIND.draw,
        labels=sentences.KIND.labels,
    ),
    Family(
        "manners",
        (
            "Is the speaker at the {place} polite or rude to {name}?",
            "Label what {name} heard at the {event} as rude or polite.",
            "{name} teaches good manners at the {place}. Say whether this is polite or rude.",
            "Judge the tone of {name} towards the {job} as polite or rude.",
            "Would my {relation} be hurt by {name}? Choose rude if so and polite if not.",
            "Polite or rude, how does {name} talk to {name2} here?",
            "The {job} only answers polite people. Tell {name} if this line is polite or rude.",
            "Classify the message {name} sent on {day} by its manners, rude or polite.",
            "Describe how {name} behaves at the {place} with one of two words, rude or polite.",
            "In the {colour} notebook of {name}, sort each saying under polite or under rude.",
        ),
        sentences.MANNER.label,
        draw_input=sentences.MANNER.draw,
        labels=sentences.MANNER.labels,
    ),
    Family(
        "tense",
        (
            "Does the sentence of {name} tell of the past, the present or the future at the {place}?",
            "Name the tense in the line {name} wrote for the {event}, past, present or future.",
            "When does it happen, asks {name} the {job}. Say past, present or future.",
            "Classify the news {name} got on {day} by time into future, present and past.",
            "Past, present or future, which time does {name} speak of to my {relation}?",
            "For the {subject} test of {name}, label the verb as future, past or present.",
            (
                "Tell {name} and {name2} if this is over, goes on or is yet to come, "
                "with the word past, present or future."
            ),
            "The {job} needs to know whether {name} means the future, the past or the present.",
            "Put the sentence from the {colour} book of {name} on one of three piles, present, past or future.",
            "Look at the verb and give the time of the action at the {place} to {name}, future, past or present.",
        ),
        sentences.TIME.label,
        draw_input=sentences.TIME.draw,
        labels=sentences.TIME.labels,
    ),
    Family(
        "weather",
        (
            "Is the weather good or bad for the {event} that {name} plans at the {place}?",
            "{name} wants to walk to the {place}. Rate the forecast as good or bad.",
            "Tell the {job} called {name} if the day will be good or bad for work outside.",
            "Judge the weather report for {name} and my {relation}, bad or good.",
            "Should {name} take the {colour} umbrella to the {event}? Say bad if the weather is bad, else good.",
            "Good or bad, what will {name} and {name2} think of the sky over the {place}?",
            "Label the forecast heard by {name} on {day} with good or bad.",
            "The {animal} of {name} stays in when the weather is bad. Classify this report as good or bad.",
            "Sort the line about the sky into good news or bad news for {name} the {job}, in one word, good or bad.",
            "If {name} sells {goods} outside, does this forecast mean good or bad weather?",
        ),
        sentences.SKY.label,
        draw_input=sentences.SKY.draw,
        labels=sentences.SKY.labels,
    ),
    Family(
        "feeling",
        (
            "How does the person feel, happy, sad, angry or afraid? {name} asks at the {place}.",
            "Name the feeling in the sentence that {name} wrote on {day}, choosing from happy, sad, angry and afraid.",
            "{name} wants to comfort people at the {event}. Say if this one is angry, afraid, happy or sad.",
            "Label the mood for {name} the {job} as sad, happy, afraid or angry.",
            "Which of happy, angry, sad and afraid describes the one {name} met at the {place}?",
            (
                "Guess from the deed how my {relation} would call the feeling, afraid, "
                "happy, sad or angry, and tell {name}."
            ),
            "In the play of {name} at the {place}, which face fits the line, a happy, sad, angry or afraid one?",
            "Choose the right emotion for the {event} diary of {name}, angry, sad, afraid or happy.",
            "Read what happened on {day} and let {name} know whether it sounds sad, afraid, angry or happy.",
            "Angry, happy, afraid or sad, what should {name} paint on the {colour} mask for this?",
        ),
        sentences.FEELING.label,
        draw_input=sentences.FEELING.draw,
        labels=sentences.FEELING.labels,
    ),
    Family(
        "alive",
        (
            "Is the thing alive or lifeless, asks {name} at the {place}?",
            "{name} the {job} sorts words into alive and lifeless. Where does this word belong?",
            "Tell {name} whether what my {relation} found is alive or lifeless.",
            "Does it grow and breathe? Answer alive or lifeless for the {subject} class of {name}.",
            "Mark the word on the {colour} card of {name} as lifeless or alive.",
            "Choose between lifeless and alive for the thing {name} brought to the {event}.",
            "Living things go left at the {place}. Help {name} by saying alive or lifeless.",
            "Would {name} and {name2} call this lifeless, or is it alive?",
            "Label what stands near the {place} of {name} as alive or as lifeless on {day}.",
            "Alive or lifeless, which word should the {job} note for {name}?",
        ),
        _alive,
        draw_input=_draw_alive,
        labels=("alive", "lifeless"),
    ),
    Family(
        "mentions",
        (
            "Does the sentence mention {an word}? Tell {name} yes or no.",
            "Say yes if {name} reads about {an word} in the line, and no if not.",
            "{name} searches old letters for the word {word}. Is it in this one, yes or no?",
            "Check the note from the {place} for the word {word} and reply yes or no.",
            "Yes or no, does anybody speak of {an word} at the {event}?",
            "My {relation} lost {an word} on {day}. Does the message name it? Answer yes or no.",
            "Can the {job} find {word} among these words? Write yes or no.",
            "Look whether {word} is written here and let {name} know with yes or no.",
            "Is {an word} part of what {name} tells my {relation}? Choose no or yes.",
            "For {name}, mark every line that has {word} in it with yes and all others with no.",
        ),
        _mentions,
        {"word": WORD},
        lambda rng: {"word": pick(rng, v.OBJECTS)},
        draw_input=_draw_mention,
        labels=("yes", "no"),
    ),
    Family(
        "true_or_false",
        (
            "Is the statement {name} made at the {place} true or false?",
            "Decide if {name} the {job} is right. Say true or false.",
            "{name} plays a quiz at the {event}. Judge the sentence as false or true.",
            "True or false, what should {name} answer my {relation}?",
            "Check the fact from the {colour} book of {name} and write true or false.",
            "Does this hold in the world of {name} and {name2}? Reply with true if it does, otherwise with false.",
            "Mark the {subject} sentence of {name} as true or as false.",
            "Someone at the {place} tells {name} something. Find out whether it is false or true.",
            "The {job} believes only true things. Label the claim {name} makes as true or false.",
            "Tell {name} on {day} if what stands here is a true fact or a false one, using the word true or false.",
        ),
        _fact,
        draw_input=_draw_fact,
        labels=("true", "false"),
    ),
    Family(
        "against_animal",
        (
            "Is the animal heavier or lighter than {an animal}? Tell {name}.",
            "{name} owns {an animal}. Say if the other animal is heavier or lighter.",
            "Compare the weight with that of {an animal} for the {job} and choose heavier or lighter.",
            "On one side of the scale in the {place} sits {an animal}. Label the other side heavier or lighter.",
            "Heavier or lighter than {an animal}, which is true for the one {name} saw?",
            "At the {event} a cart can carry {an animal}. Would this animal be lighter or heavier?",
            "My {relation} can lift {an animal}. Tell whether this one is lighter or heavier than that.",
            "With {an animal} as the measure, call the given animal lighter or heavier for {name}.",
            (
                "Sort animals for the {subject} lesson into those heavier than {an "
                "animal} and those lighter. Which is this?"
            ),
            "Would {name} need more strength for this than for {an animal}? Answer heavier if so, lighter if not.",
        ),
        _against,
        {"animal": WORD},
        lambda rng: {"animal": pick(rng, v.BY_WEIGHT[3:-3])},
        draw_input=_draw_against,
        labels=("heavier", "lighter"),
    ),
)
