"""What Evol-Instruct eliminates without asking anybody, and under which code."""

from __future__ import annotations

from random import Random

import pytest

from llmsynth.errors import RecipeError
from llmsynth.generators.evol_instruct.elimination import (
    Elimination,
    Growth,
    asks_back,
    equal,
    material,
    only_stop_words,
)
from llmsynth.generators.evol_instruct.operators import PACKS, choose, weighted
from llmsynth.parsing import parse_equality, parse_rating
from llmsynth.record import Drop
from tests.test_parsing import replies

PARENT = "Name three rivers in Europe that flow into the Baltic Sea."
CHILD = PARENT + " Order them by length, and say for each which country its spring lies in."


def code(drop: Drop | None) -> str | None:
    return drop.reason if drop else None


def evolved(child: str, parent: str = PARENT, origin: str = "", given: str = "", answer: str = "") -> str | None:
    return code(Elimination().evolved("depth", parent, child, origin or parent, given, answer))


@pytest.mark.parametrize(("reply", "expected"), replies("equality"))
def test_e4_a_verdict_on_equality_is_read(reply: str, expected: bool | None) -> None:
    assert parse_equality(reply) is expected


@pytest.mark.parametrize(
    ("child", "same"),
    [
        (PARENT, True),
        (PARENT.upper().rstrip(".") + "  !", True),
        (PARENT.replace("three", "five"), False),  # a short text that changes a word may ask for something else
        (CHILD, False),
        (PARENT + " Give their lengths too.", False),
        ("Nenne drei Flüsse in Europa.", False),
    ],
)
def test_e4_what_hardly_differs_is_equal_without_a_judge(child: str, same: bool) -> None:
    assert equal(PARENT, child) is same


def test_e4_one_new_word_in_a_long_text_is_no_news_and_two_may_be() -> None:
    parent = " ".join(f"word{n}" for n in range(60))
    assert equal(parent, parent + " please")
    assert equal(parent, parent.replace("word7 ", "seven "))
    assert not equal(parent, parent + " in French")


def test_e4_texts_in_other_scripts_are_compared_too() -> None:
    assert equal("列出三条河流。", "列出三条河流")
    assert not equal("列出三条河流。", "列出三条流入波罗的海的河流，并说明其长度。")
    assert not equal("+ - *", "/ %")


def test_e5_sorry_and_fewer_than_80_words_together_are_eliminated() -> None:
    check = Elimination().answered
    words = ["word"] * 78
    assert code(check("Well, sorry, " + " ".join(words[:77]))) == "sorry_response"  # 79 words
    assert code(check("Well, sorry, " + " ".join(words))) is None  # 80 words
    assert code(check("Three words suffice.")) is None
    assert code(check("The sorrylike plant grows here.")) is None
    assert code(Elimination(sorry_words=0, answers=False).answered("Sorry, no.")) is None


@pytest.mark.parametrize(
    ("text", "nothing"),
    [("It is, of the ...", True), ("- * !?", True), ("", True), ("No.", False), ("42", False), ("Trout", False)],
)
def test_e6_stop_words_and_punctuation_are_nothing(text: str, nothing: bool) -> None:
    assert only_stop_words(text) is nothing


def test_e6_an_answer_of_stop_words_alone_is_eliminated() -> None:
    assert code(Elimination().answered("and so on, with the ...")) == "response_stop_words_only"
    assert code(Elimination(stop_words=False).answered("and so on")) is None
    assert code(Elimination().answered(" \n")) == "empty_response"


@pytest.mark.parametrize(
    "leak",
    [
        "#Rewritten Prompt#: ",
        "**rewritten_prompt** ",
        "REWRITTEN\nPROMPT ",
        "In the Given  Prompt, ",
        "</given_prompt> ",
    ],
)
def test_e7_words_of_the_evolving_prompt_are_a_leak_however_written(leak: str) -> None:
    assert evolved(f"{leak}{CHILD}") == "scaffold_leaked"
    assert evolved(f"{CHILD} {leak}") == "scaffold_leaked"


def test_e7_words_that_the_seed_had_are_no_leak() -> None:
    origin = "Explain what a rewritten prompt is."
    child = "Explain to a ten-year-old, with two examples from school, what a Rewritten Prompt is."
    assert evolved(child, origin, origin) is None
    assert evolved(child, "Explain it.", origin) is None
    assert evolved(child + " And the given prompt?", origin, origin) == "scaffold_leaked"


@pytest.mark.parametrize(
    ("kind", "words", "reason"),
    [
        ("depth", 60, None),
        ("depth", 61, "grew_too_much"),
        ("depth", -10, None),
        ("depth", -11, "lost_words"),
        ("data", 300, None),
        ("data", 301, "grew_too_much"),
        ("down", -15, None),
        ("fresh", -15, None),
        ("fresh", 61, "grew_too_much"),
    ],
)
def test_e8_growth_has_hard_bounds(kind: str, words: int, reason: str | None) -> None:
    parent = "word " * 20
    assert code(Growth()(kind, parent, "word " * (20 + words))) == reason  # type: ignore[arg-type]


def test_e8_growth_is_seen_where_blanks_do_not_divide_words() -> None:
    assert code(Growth()("depth", "列出三条河流。", "河" * 600)) == "grew_too_much"


@pytest.mark.parametrize("wrong", [{"target": (20, 10)}, {"most": 5}, {"least": 11}, {"ratio": 0.5}, {"most_data": 9}])
def test_e8_bounds_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError):
        Growth(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        ("As an AI language model, I can't make prompts harder.", "refused"),
        ("I’m sorry, but I cannot rewrite this.", "refused"),
        ("Please provide the text that you want me to evolve.", "asked_back"),
        ("I see no text. Please provide more information.", "asked_back"),
        ("Please provide me with the prompt.", "asked_back"),
        (CHILD + " Please provide two examples, and state your reasons.", None),
        ("As an AI ethics consultant, n" + CHILD[1:], None),
        ("As an AI, I see nothing to rewrite.", "refused"),
        ("Sure! Which of the rivers do you mean?", "asked_back"),
        ("Understood. What should I rewrite?", "asked_back"),
        ("Sure, here it is: " + CHILD, "answered_instead"),
        ("The Vistula, the Oder and the Neman flow into the Baltic.", "answered_instead"),
        (CHILD, None),
    ],
)
def test_e9_refusals_questions_and_answers_are_no_evolutions(child: str, reason: str | None) -> None:
    assert evolved(child, answer="The Vistula, the Oder and the Neman flow into the Baltic Sea.") == reason


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ("写一个 Python 函数来排序。", "写一个 Python 函数来排序，要求时间复杂度为线性，并且处理空输入。"),
        ("Напиши функцию на Python.", "Напиши функцию на Python, которая работает за линейное время."),
    ],
)
def test_e4_one_word_in_latin_script_does_not_make_two_prompts_equal(parent: str, child: str) -> None:
    assert evolved(child, parent) is None
    assert evolved(parent + "!", parent) == "no_information_gain"


def test_e9_an_answer_that_repeats_the_input_does_not_condemn_evolutions_that_keep_it() -> None:
    text = " ".join(f"word{n}" for n in range(80))
    parent = f"Correct the spelling.\n\n{text}"
    child = f"Correct the spelling and explain each change in one short sentence of plain words.\n\n{text}"
    assert evolved(child, parent, given=text, answer=text) is None
    assert evolved(text + " done", parent, answer=text) == "answered_instead"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("Please provide the table.", "response_asks_back"),
        ("Sure, could you share the code?", "response_asks_back"),
        ("I cannot provide that.", "refused_response"),
        ("As an AI, I have no opinion.", "refused_response"),
        ("Please provide feedback by Monday. " + "word " * 80, None),
        ("The Vistula.", None),
    ],
)
def test_e9_answers_that_ask_back_or_refuse_are_eliminated(response: str, reason: str | None) -> None:
    assert code(Elimination().answered(response)) == reason


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("Understood. What would you like me to do with it?", True),
        ("**Understood!** Shall I begin?", True),
        ("Thank you for the details. Which one do you mean?", True),
        ("Sure, could you give me the list?", True),
        ("sure\nWhich?  \n", True),
        ("Before I can begin, please provide the table. It is missing.", True),
        ("To sum up, PLEASE  PROVIDE it.", True),
        ("Understood. It is the Vistula.", False),
        ("Surely you know the Vistula?", False),
        ("The Vistula. Are you sure?", False),
        ("Is it provided? It is.", False),
        ("", False),
    ],
)
def test_e9_e14_an_answer_fails_by_the_three_rules_of_auto_evol_instruct(answer: str, failed: bool) -> None:
    assert asks_back(answer) is failed
    assert (code(Elimination().failure(answer)) == "response_asks_back") is failed
    assert code(Elimination().failure(answer + " " + "word " * 90)) in (None, "response_asks_back")


def test_e16_code_tables_and_input_must_survive_a_step_in_depth() -> None:
    parent = "What does it print?\n```python\nfor i in range(3):\n    print(i)\n```\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert len(material(parent)) == 5
    extra = "Explain each step, and name what changes when the range is empty."
    assert evolved(f"{extra} {parent}", parent) is None
    assert evolved(f"{extra} {parent.replace('    print', '  print')}", parent) is None  # spacing does not count
    assert evolved(f"{extra} {parent.replace('range(3)', 'range(4)')}", parent) == "material_lost"
    assert evolved(f"{extra} What does the loop print, and why?", parent) == "material_lost"
    assert evolved(f"{extra} Correct it.", "Correct it.\n\nHe go home.", given="He go home.") == "material_lost"
    assert evolved(f"{extra} Correct: He go home.", "Correct it.\n\nHe go home.", given="He go home.") is None


def test_e16_a_table_that_was_set_anew_is_not_lost() -> None:
    parent = "Which team is better?\n\n| team | errors |\n|------|--------|\n| day  | 48     |\n| night| 35     |"
    asked = "Which team is better, and by how much, if each error costs the firm seven euros a day?"
    assert evolved(f"{asked}\n\n|team|errors|\n|:---|---:|\n|day|48|\n|night|35|", parent) is None
    assert evolved(f"{asked}\n\n|team|errors|\n|:---|---:|\n|day|48|\n|night|36|", parent) == "material_lost"


def test_e1_every_operator_has_its_share() -> None:
    assert [len(PACKS[pack]) for pack in ("general", "code", "math")] == [6, 5, 5]
    assert {share for _, share in weighted("general", {}, None)} == {1 / 6}
    shares = {o.name: share for o, share in weighted("general", {"deepen": 3, "breadth": 1}, None)}
    assert shares == {"deepen": 0.75, "breadth": 0.25}
    shares = {o.name: share for o, share in weighted("general", {}, 0.5)}
    assert shares["breadth"] == 0.5
    assert shares["deepen"] == pytest.approx(0.1)
    assert "breadth" not in {o.name for o, _ in weighted("general", {}, 0.0)}


@pytest.mark.parametrize(
    ("weights", "breadth"),
    [({"nonsense": 1}, None), ({"deepen": -1}, None), ({"deepen": 0}, None), ({}, 1.5), ({"deepen": 1}, 0.5)],
)
def test_e1_weights_that_choose_nothing_are_refused(weights: dict[str, float], breadth: float | None) -> None:
    with pytest.raises(RecipeError):
        weighted("general", weights, breadth)


def test_e2_the_choice_is_uniform() -> None:
    operators, rng = weighted("general", {}, None), Random(5)
    counts = dict.fromkeys((o.name for o, _ in operators), 0)
    for _ in range(6000):
        counts[choose(operators, rng).name] += 1
    assert sum((n - 1000) ** 2 / 1000 for n in counts.values()) < 15.09  # chi-square, five degrees of freedom, 1 %


@pytest.mark.parametrize(
    ("text", "rating"), [("7", 7), ("**Score: 8.5**", 8.5), ("0", None), ("11", None), ("hard", None)]
)
def test_e11_a_rating_is_read(text: str, rating: float | None) -> None:
    assert parse_rating(text) == rating
