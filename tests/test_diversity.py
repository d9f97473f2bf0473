"""Measures of diversity against their definitions, and on equal terms."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from llmsynth.diversity import (
    cluster_spread,
    clusters_of,
    compression_ratio,
    distinct_n,
    mean_nearest_distance,
    self_bleu,
    tokens_of,
    vendi_score,
)
from llmsynth.diversity_report import Sampled, diversity, measured
from llmsynth.embed.static import StaticEmbedder
from llmsynth.heuristics import words_of
from llmsynth.run import Run
from llmsynth.sources import read_seeds
from llmsynth.verb_objects import verb_object, verb_object_share

Rows = npt.NDArray[np.float32]
FEW = st.lists(st.sampled_from("a b c d e".split()), max_size=12).map(" ".join)


def unit(rows: npt.NDArray[np.float64]) -> Rows:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rows_of(count: int, width: int = 8, seed: int = 0) -> Rows:
    return unit(np.random.default_rng(seed).normal(size=(count, width)))


def test_distinct_n_is_different_ngrams_over_all() -> None:
    assert distinct_n(["a b a b", "A b"], 1) == 2 / 6
    assert distinct_n(["a b a b", "A b"], 2) == 2 / 4
    assert distinct_n(["a b a b", "c d"], 1, tokens=3) == 2 / 3
    assert distinct_n(["a"], 2) is None


def test_a_ratio_of_compression_tells_repeats() -> None:
    rng = random.Random(0)
    varied = [" ".join(f"w{rng.randrange(10**9)}" for _ in range(9)) for _ in range(50)]
    assert (compression_ratio(["the same text again"] * 50) or 0) > 10 > 3 > (compression_ratio(varied) or 9)
    assert compression_ratio([]) is None


def by_nltk(texts: Sequence[str]) -> float:
    words = [words_of(text) for text in texts]
    smooth = SmoothingFunction().method1
    scores = []
    for place, own in enumerate(words):
        others = [other for n, other in enumerate(words) if n != place]
        scores.append(sentence_bleu(others, own, smoothing_function=smooth) if own else 0.0)
    return sum(scores) / len(scores)


def plain_bleu(texts: Sequence[str]) -> float:
    """BLEU-4 against all others, word for word as it is defined."""
    words = [words_of(text) for text in texts]
    total = 0.0
    for place, own in enumerate(words):
        others = [other for n, other in enumerate(words) if n != place]
        if not own:
            continue
        log = 0.0
        for n in range(1, 5):
            grams = [tuple(own[i : i + n]) for i in range(len(own) - n + 1)]
            matches = 0
            for gram in set(grams):
                most = max(sum(tuple(o[i : i + n]) == gram for i in range(len(o) - n + 1)) for o in others)
                matches += min(grams.count(gram), most)
            log += math.log((matches or 0.1) / max(1, len(grams))) / 4
        closest = min((len(other) for other in others), key=lambda length: (abs(length - len(own)), length))
        total += math.exp(log + (0 if len(own) > closest else 1 - closest / len(own)))
    return total / len(words)


@given(texts=st.lists(FEW, min_size=2, max_size=7))
@settings(max_examples=100)
def test_self_bleu_is_bleu_against_all_others(texts: list[str]) -> None:
    found = self_bleu(texts)
    assert found is not None
    assert found.value == pytest.approx(plain_bleu(texts))
    assert found.error == 0


def test_self_bleu_is_nltks_for_texts_of_some_length() -> None:
    texts = [seed.instruction for seed in read_seeds()][:40]
    found = self_bleu(texts)
    assert found is not None
    assert found.value == pytest.approx(by_nltk(texts), rel=1e-6)


def test_sampled_self_bleu_tells_its_error() -> None:
    rng = random.Random(2)
    texts = [" ".join(rng.choices("river stone lantern harvest violin comet".split(), k=8)) for _ in range(400)]
    found = self_bleu(texts, size=50, samples=10)
    again = self_bleu(texts, size=50, samples=10, seed=1)
    assert found and again
    assert 0 < found.error < 0.05
    assert found.value != again.value
    assert abs(found.value - again.value) < 6 * math.hypot(found.error, again.error)


@given(seed=st.integers(0, 999), count=st.integers(1, 30), width=st.integers(1, 40))
def test_the_vendi_score_of_the_small_matrix_is_that_of_the_large_one(seed: int, count: int, width: int) -> None:
    rows = rows_of(count, width, seed)
    values = np.linalg.eigvalsh(rows.astype(np.float64) @ rows.T.astype(np.float64) / count)
    values = values[values > 1e-12]
    assert vendi_score(rows) == pytest.approx(float(np.exp(-(values * np.log(values)).sum())), rel=1e-5)


def test_the_vendi_score_counts_different_texts() -> None:
    assert vendi_score(np.eye(5, dtype=np.float32)) == pytest.approx(5)
    assert vendi_score(np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)) == pytest.approx(3)
    assert vendi_score(np.ones((4, 1), np.float32)) == pytest.approx(1)
    uneven = np.repeat(np.eye(2, dtype=np.float32), [3, 1], axis=0)
    assert vendi_score(uneven, order=2) == pytest.approx(1 / (0.75**2 + 0.25**2))
    assert vendi_score(uneven, order=math.inf) == pytest.approx(1 / 0.75)
    assert vendi_score(np.zeros((0, 3), np.float32)) is None


def test_texts_without_a_vector_do_not_count() -> None:
    rows = np.vstack([np.eye(3, dtype=np.float32), np.zeros((4, 3), np.float32)])
    assert vendi_score(rows) == pytest.approx(3)
    assert mean_nearest_distance(rows) == pytest.approx(1)


@given(seed=st.integers(0, 999), count=st.integers(2, 40))
def test_the_nearest_neighbour_is_the_nearest_other(seed: int, count: int) -> None:
    rows = rows_of(count, 4, seed)
    expected = np.mean([min(1 - float(rows[i] @ rows[j]) for j in range(count) if j != i) for i in range(count)])
    assert mean_nearest_distance(rows) == pytest.approx(float(expected), abs=1e-5)


def test_clusters_tell_a_set_that_covers_less() -> None:
    centres = rows_of(8, 16)
    rng = np.random.default_rng(1)
    wide = unit(centres[np.arange(400) % 8] + rng.normal(size=(400, 16)) * 0.05)
    narrow = unit(centres[np.arange(400) % 2] + rng.normal(size=(400, 16)) * 0.05)
    clusters = clusters_of(np.concatenate([wide, narrow]), 8)
    both, few = cluster_spread(wide, clusters), cluster_spread(narrow, clusters)
    assert both and few
    assert both.coverage > few.coverage
    assert both.entropy > few.entropy > 0
    assert cluster_spread(rows_of(1), clusters_of(rows_of(1))) == (1.0, 1.0)


# equal terms


def test_sets_are_compared_at_as_many_texts_and_as_many_words() -> None:
    rng = random.Random(3)
    words = [f"w{n}" for n in range(50)]
    short = [" ".join(rng.choices(words, k=5)) for _ in range(300)]
    long = [" ".join(rng.choices(words, k=20)) for _ in range(900)]
    told = diversity({"short": short, "long": long})
    assert told["texts"] == 300
    assert told["tokens"] == tokens_of(short) == 1500
    alone = distinct_n(long, 1)
    assert alone is not None
    assert told["sets"]["long"]["distinct_1"] == pytest.approx(told["sets"]["short"]["distinct_1"], abs=0.01)
    assert alone < told["sets"]["long"]["distinct_1"]


def test_a_set_is_as_varied_as_itself_whatever_its_size() -> None:
    texts = [seed.instruction for seed in read_seeds()]
    twice = diversity({"once": texts[:80], "more": texts})
    assert twice["sets"]["once"] == twice["sets"]["more"]


def test_vectors_are_cut_with_their_texts() -> None:
    texts = {"a": [f"text {n}" for n in range(40)], "b": [f"text {n}" for n in range(20)]}
    vectors = {"a": rows_of(40), "b": rows_of(40)[:20]}
    told = diversity(texts, vectors)["sets"]
    assert told["a"] == told["b"]
    assert told["a"]["vendi_score"] == pytest.approx(vendi_score(rows_of(40)[:20]), abs=1e-3)
    assert told["a"]["clusters"] == 10


def test_texts_without_a_vector_leave_the_others_on_equal_terms() -> None:
    texts = {"a": [f"text {n}" for n in range(40)], "b": [f"text {n}" for n in range(40)]}
    rows = rows_of(40)
    holes = np.where((np.arange(40) % 4 == 0)[:, None], 0, rows).astype(np.float32)
    told = diversity(texts, {"a": rows, "b": holes})
    assert told["texts"] == 40 and told["embedded"] == 30
    assert told["sets"]["a"]["vendi_score"] == pytest.approx(vendi_score(rows[:30]), abs=1e-3)
    assert told["sets"]["b"]["vendi_score"] == pytest.approx(vendi_score(holes), abs=1e-3)
    nothing = diversity(texts, {"a": rows, "b": np.zeros_like(rows)})
    assert nothing["embedded"] == 0 and "vendi_score" not in nothing["sets"]["a"]


def test_of_nothing_nothing_is_told() -> None:
    told = diversity({"none": []}, {"none": np.zeros((0, 4), np.float32)})
    assert told["texts"] == 0
    assert told["sets"]["none"]["distinct_1"] is None
    assert told["sets"]["none"]["self_bleu"] is None


def test_a_sample_is_drawn_by_ids_and_not_by_order() -> None:
    members = [(f"id{n}", f"text {n}") for n in range(500)]
    drawn = []
    for order in (members, members[::-1]):
        sample = Sampled(50)
        for id, text in order:
            sample.add(id, text)
        drawn.append(sample.texts())
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 50
    small = Sampled(10)
    for id, text in members:
        small.add(id, text)
    assert small.texts() == drawn[0][:10]
    other = Sampled(50, seed=1)
    for id, text in members:
        other.add(id, text)
    assert other.texts() != drawn[0]


async def test_samples_of_a_run_are_embedded_and_measured() -> None:
    samples = {"all": Sampled(60), "kept": Sampled(30)}
    for number, seed in enumerate(read_seeds()):
        for sample in samples.values():
            sample.add(str(number), seed.instruction)
    run = Run({})
    told = await measured(samples, run, StaticEmbedder())
    assert told["texts"] == 30
    assert told["sets"]["all"] == told["sets"]["kept"]
    assert 5 < told["sets"]["all"]["vendi_score"] < 30
    words = await measured(samples, run)
    assert "vendi_score" not in words["sets"]["all"]
    assert words["sets"]["all"]["distinct_1"] == told["sets"]["all"]["distinct_1"]
    assert (await measured({"none": Sampled()}, run, StaticEmbedder()))["texts"] == 0


# verbs and objects

BY_HAND = """
Write a short story about a dragon that is afraid of fire. = write story
Please give me three examples of renewable energy. = give example
Explain how a bill becomes a law. = explain
Could you summarise the following article in two sentences? = summarise article
Convert the temperature from Celsius to Kelvin. = convert temperature
Generate a list of ten healthy breakfast ideas. = generate list
Your task is to classify each tweet as positive or negative. = classify tweet
Create a Python function that reverses a string. = create function
Write a C++ program to add two matrices. = write program
Describe the water cycle. = describe cycle
Come up with a catchy slogan for a bakery. = come slogan
Given a sentence, rewrite it in the passive voice. = rewrite
Identify the main characters and their motives. = identify character
Compare and contrast cats with dogs. = compare
Translate the phrase "good morning" into Spanish. = translate phrase
What is the capital of France? = none
How do vaccines work? = none
You are a travel agent. Suggest an itinerary for a week in Kyoto. = suggest itinerary
Find the odd number in the list below. = find number
Sort the given words alphabetically. = sort word
Edit this paragraph for grammar. = edit paragraph
I want you to design a logo concept for a coffee shop. = design concept
List the steps to change a flat tyre. = list step
Calculate the area of a circle with radius 5. = calculate area
Rewrite these sentences so that they sound formal. = rewrite sentence
Tell me a joke about programmers. = tell joke
Fill in the blank with a suitable verb. = fill blank
Determine whether the argument is valid. = determine
Using the data provided, draw a bar chart. = draw chart
Brainstorm names for a new podcast. = brainstorm name
Help me write a cover letter for a teaching position. = write letter
Outline the causes of the First World War. = outline cause
Is this review positive? Answer yes or no. = answer yes
Provide synonyms for the word happy. = provide synonym
Solve the equation 3x + 5 = 20. = solve equation
Make a shopping list for a vegetarian lasagne. = make list
Now, predict the next word. = predict word
Extract all email addresses from the text. = extract address
Debug the code below. = debug code
The weather is nice today. = none
"""
CASES = [
    line.partition(" = ")[::2] if line.count(" = ") == 1 else line.rsplit(" = ", 1)
    for line in BY_HAND.split("\n")
    if line
]


def test_verbs_and_objects_are_told_as_a_person_tells_them() -> None:
    wrong = []
    for instruction, expected in CASES:
        found = verb_object(instruction)
        told = "none" if found is None else " ".join(filter(None, found))
        if told != expected:
            wrong.append((instruction, expected, told))
    assert len(CASES) == 40
    assert len(wrong) <= 2, wrong


def test_the_share_is_that_of_the_commonest_requests() -> None:
    verbs = "write create make give list name find sort draw add edit read plan play print prove put rank rate cut"
    nouns = "boat tree horse lamp coin drum"
    many = [f"{verb} the {noun}" for verb, noun in itertools.product(f"{verbs} show test".split(), nouns.split())]
    told = verb_object_share(many)
    assert told["parsed"] == pytest.approx(21 / 22, abs=1e-4)  # "cut" is no verb it knows
    assert told["distinct"] == 126
    assert told["share"] == pytest.approx(20 * 4 / 132, abs=1e-4)
    assert verb_object_share(["Write a poem about autumn."] * 9)["share"] == 1
    assert verb_object_share([])["share"] is None


@given(st.text(max_size=300))
def test_any_text_has_a_verb_and_an_object_or_none(text: str) -> None:
    found = verb_object(text)
    assert found is None or (found.verb and isinstance(found.object, str))
