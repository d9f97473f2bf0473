"""The filters as steps: what they look at, leave and write down. How they judge is in their tables."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from llmsynth.columns import answers, changed, joined, questions
from llmsynth.errors import MissingExtraError, RecipeError
from llmsynth.options import OptionError, build
from llmsynth.record import Drop
from llmsynth.steps import STEPS
from llmsynth.steps.filters.classifier import Classifier
from llmsynth.steps.filters.instruction_profile import InstructionProfile
from llmsynth.steps.filters.language import Language, _identifier, _model, identify
from llmsynth.steps.filters.leakage import PromptLeakage
from llmsynth.steps.filters.length import Length, count_words
from llmsynth.steps.filters.personal_data import PersonalData, find_personal, iban_is_valid, luhn, masked
from llmsynth.steps.filters.refusals import Refusals
from llmsynth.steps.filters.repetition import find_loop
from llmsynth.steps.filters.truncation import Truncation
from llmsynth.steps.filters.urls import Urls
from llmsynth.steps.filters.where import Where
from tests.curating import curated, reasons, record, task

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "I can't find my key."},
    {"role": "assistant", "content": "Look in the fridge."},
    {"role": "user", "content": "Thanks! Reach me at ann@nordmail.se."},
    {"role": "assistant", "content": "You are welcome."},
]


# columns


def test_a_conversation_is_asked_and_answered_by_turns() -> None:
    one = record(messages=TURNS, note=None, number=7, tags=["a", "b"])
    assert answers(one, ["messages"]) == "Look in the fridge.\n\nYou are welcome."
    assert questions(one, ["messages"]).startswith("Be brief.\n\nI can't find my key.")
    assert joined(one, ["note", "absent", "number", "tags"]) == "7\n\na\n\nb"


def test_sharegpt_turns_are_turns_too() -> None:
    one = record(conversations=[{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])
    assert (questions(one, ["conversations"]), answers(one, ["conversations"])) == ("Hi", "Hello")


def test_changing_a_conversation_changes_its_contents_alone() -> None:
    one = changed(record(messages=TURNS, n=3), ["messages", "n", "absent"], str.upper)
    assert [turn["role"] for turn in one.fields["messages"]] == [turn["role"] for turn in TURNS]
    assert one.fields["messages"][2]["content"] == "LOOK IN THE FRIDGE." and one.fields["n"] == 3
    assert TURNS[2]["content"] == "Look in the fridge."


# length


@pytest.mark.parametrize(
    ("output", "reason"),
    [("", "empty"), (None, "empty"), ("   ", "empty"), ("42", ""), ("one two three four", "too_long"), (7, "")],
)
async def test_length_counts_words_of_whatever_a_field_holds(output: object, reason: str) -> None:
    step = Length(words={"output": (1, 3)})
    assert reasons(await curated(step, [record(output=output)])) == [reason]


async def test_length_in_characters_has_bounds_of_its_own() -> None:
    step = Length(words={}, characters={"a": (2, 4), "b": (0, None)})
    assert reasons(await curated(step, [record(a="x"), record(a="abcd"), record(a="abcde"), record()])) == [
        "too_short",
        "",
        "too_long",
        "empty",
    ]


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert count_words("我喝茶 every day") == 5
    assert count_words("Я пью чай") == 3


# refusals, leakage, truncation


async def test_a_refusal_in_the_users_turn_is_none() -> None:
    told = [{"role": "user", "content": "I'm sorry, but I can't help with that."}, TURNS[2]]
    refused = [TURNS[1], {"role": "assistant", "content": "I'm sorry, but I can't help with that."}]
    step = Refusals(on=("messages",), asked=())
    assert reasons(await curated(step, [record(messages=told), record(messages=refused)])) == ["", "refusal"]


async def test_disclaimers_can_be_let_pass() -> None:
    one = task("How old is Rome?", "As an AI language model, I can say that it is 2,770 years old.")
    assert reasons(await curated(Refusals(), [one])) == ["ai_disclaimer"]
    assert reasons(await curated(Refusals(disclaimers=False), [one])) == [""]


async def test_a_phrase_of_ones_own_prompt_is_a_leak_unless_it_was_asked() -> None:
    step = PromptLeakage(phrases=("You write for the Harbour Gazette",))
    leak = "As you write for the HARBOUR gazette: boats!"
    found = await curated(step, [task("Write.", leak), task("You write for the Harbour Gazette.", leak)])
    assert reasons(found) == ["prompt_leakage", ""]


async def test_the_token_limit_is_read_from_the_provenance() -> None:
    whole, cut = "Red, green", "It ends here."
    cases = [
        task("Name colours.", whole, finish_reasons=["stop", "length"]),
        task("Name colours.", whole, finish_reasons=["length", "stop"]),
        task("Name colours.", whole, finish_reason="length"),
        task("Name colours.", cut, finish_reasons=["length"]),
        task("Name colours.", whole),
    ]
    assert reasons(await curated(Truncation(), cases)) == ["truncated", "", "truncated", "", ""]


def test_a_loop_is_found_wherever_it_is_and_named_by_its_stretch() -> None:
    assert find_loop("so it goes on and on and on and on and on until noon".split()) == ["on", "and"]
    assert find_loop("a b c d e a b c d e a b c d e".split()) == ["a", "b", "c", "d", "e"]
    assert find_loop("no no no no no".split()) == ()
    assert find_loop("one two three four five six seven eight nine ten".split()) == ()


# language


def test_a_language_that_is_not_known_is_an_error_at_once() -> None:
    with pytest.raises(RecipeError, match="'xx' is not known"):
        Language(allowed=("xx",))


async def test_an_answer_in_another_language_than_its_question_is_a_mismatch() -> None:
    step = Language(allowed=())
    german = "Das Wetter in Hamburg ist heute leider sehr schlecht und nass."
    cases = [
        task("Wie ist denn das Wetter in Hamburg, wenn es im Herbst wieder kalt wird?", german),
        task("What is the weather like when the days get shorter and it is cold again?", german),
        task("Translate into German: the weather in Hamburg is bad and wet today.", german),
    ]
    found = await curated(step, cases)
    assert reasons(found) == ["", "language_mismatch", ""]
    assert [one.meta["language"] for one in found] == ["de", "de", "de"]


def test_a_text_without_letters_enough_has_no_language() -> None:
    assert identify("42") == identify("```\nint main() { return 0; }\n```") == identify("OK, Anna") == []


def test_without_py3langid_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    _identifier.cache_clear()
    _model.cache_clear()
    with pytest.raises(MissingExtraError, match=r"llmsynth\[curate\]"):
        Language()


# personal data


async def test_masking_counts_by_kind_and_leaves_the_rest_as_it_was() -> None:
    text = "Write to bo@rivertown.org or ann@rivertown.org, IBAN DE89 3704 0044 0532 0130 00."
    (one,) = await curated(PersonalData(), [task("Who?", text, input="Tel: 030 901820")])
    assert one.fields["output"] == "Write to [EMAIL] or [EMAIL], IBAN [IBAN]."
    assert one.fields["input"] == "Tel: [PHONE]"
    assert one.meta["personal_data"] == {"email": 2, "iban": 1, "phone": 1}
    assert one.scores == {"personal_data": 4} and not one.dropped


async def test_personal_data_is_masked_wherever_a_text_stands() -> None:
    call = {"function": {"name": "send", "arguments": '{"to": "ann@nordmail.se"}'}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "Write to ann@nordmail.se"}, {"type": "image"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    one = record(messages=turns, about={"mail": "ann@nordmail.se"})
    (one,) = await curated(PersonalData(on=("messages", "about")), [one])
    assert "nordmail" not in str(one.fields) and one.meta["personal_data"] == {"email": 3}
    assert [turn["role"] for turn in one.fields["messages"]] == ["user", "assistant"]
    assert one.fields["messages"][0]["content"][1] == {"type": "image"} and one.fields["about"] == {"mail": "[EMAIL]"}


@pytest.mark.parametrize("line_break", ["\n", "\\n"])
@pytest.mark.parametrize("behind", ["", "\n-----END RSA PRIVATE KEY-----", "\n\nWhat's wrong with it?"])
async def test_a_private_key_is_masked_with_or_without_its_end(behind: str, line_break: str) -> None:
    lines = [
        "-----BEGIN RSA PRIVATE KEY-----",
        *["MIIEpAIBAAKCAQEA7bq3vT1kWqv0h0aJHzRzT5vJm0m7cF8Q2o6y9yXH1y3e8c0d"] * 3,
    ]
    key = line_break.join(lines) + line_break + "Zw==" * (line_break == "\n")
    (one,) = await curated(PersonalData(), [task("Mend this: " + key + behind, output="It's incomplete.")])
    said = one.fields["instruction"]
    assert "MIIE" not in said and "Zw" not in said and one.meta["personal_data"] == {"secret": 1}
    assert one.fields["instruction"].endswith("What's wrong with it?") is ("What" in behind)


async def test_flagging_changes_nothing_and_dropping_drops() -> None:
    one = record(messages=TURNS)
    (flagged,) = await curated(PersonalData(on=("messages",), action="flag"), [one])
    assert flagged.fields == one.fields and flagged.meta["personal_data"] == {"email": 1}
    (dropped,) = await curated(PersonalData(on=("messages",), action="drop"), [one])
    assert dropped.dropped == Drop("personal_data", "email: 1")
    (clean,) = await curated(PersonalData(), [task("Hi", "Hello")])
    assert clean.scores == {"personal_data": 0} and "personal_data" not in clean.meta


def test_masking_twice_is_masking_once_and_kinds_can_be_chosen() -> None:
    text = "ann@nordmail.se, +44 20 8123 4567, AKIA4QZ7RJ2MXVPL5TWB"
    assert masked(masked(text)) == masked(text) == "[EMAIL], [PHONE], [SECRET]"
    assert masked(text, ("phone",)) == "ann@nordmail.se, [PHONE], AKIA4QZ7RJ2MXVPL5TWB"


@pytest.mark.parametrize("wrong", range(10))
def test_check_digits_decide(wrong: int) -> None:
    card = f"453914880343646{wrong}"
    assert luhn(card) == (wrong == 7) == bool(find_personal(card, ("card",)))
    assert iban_is_valid(f"DE8937040044053201300{wrong}") == (wrong == 0)
    assert not iban_is_valid("DE893704004405320130") and not iban_is_valid("ZZ89370400440532013000")


# addresses, classifiers, conditions


async def test_addresses_are_flagged_unless_they_were_given() -> None:
    cases = [task("Where?", "See https://a.org/x."), task("Is https://a.org/x down?", "Yes, https://a.org/x is.")]
    assert [one.scores["urls"] for one in await curated(Urls(), cases)] == [1, 0]
    assert reasons(await curated(Urls(action="drop"), cases)) == ["url", ""]


def rude(texts: list[str]) -> list[float]:
    """A classifier: the share of the words that are rude."""
    return [text.split().count("damn") / max(1, len(text.split())) for text in texts]


def short(texts: list[str]) -> list[float]:
    return [0.0]


async def test_a_classifier_of_ones_own_scores_and_drops() -> None:
    cases = [task("Say it", "damn damn damn"), task("Say it", "dear me"), task("x", "y").drop("before")]
    step = Classifier("tests.test_filters:rude")
    found = await curated(step, cases)
    assert reasons(found) == ["toxic", "", "before"]
    assert [one.scores.get("toxicity") for one in found] == [0.6, 0.0, None]
    assert reasons(await curated(Classifier("tests.test_filters:rude", threshold=None), cases))[0] == ""
    assert reasons(await curated(pickle.loads(pickle.dumps(step)), cases)) == ["toxic", "", "before"]


async def test_a_classifier_that_loses_texts_is_an_error() -> None:
    with pytest.raises(RecipeError, match="1 numbers for 2 texts"):
        await curated(Classifier("tests.test_filters:short"), [task("a", "b"), task("c", "d")])
    with pytest.raises(OptionError, match="cannot import"):
        Classifier("tests.test_filters:absent")


async def test_where_keeps_what_fulfils_it_and_says_what_decided() -> None:
    step = Where("judge >= 4 and words(output) < 3", reason="low")
    cases = [task("a", "one two").scored(judge=5), task("a", "one two").scored(judge=3), task("a", "one two three")]
    found = await curated(step, cases)
    assert reasons(found) == ["", "low", "low"]
    assert found[1].dropped and found[1].dropped.detail.endswith("judge is 3, output is 'one two'")


async def test_where_drops_what_its_condition_does_not_fit() -> None:
    (one,) = await curated(Where("output > 3"), [task("a", "b")])
    assert one.dropped == Drop("undecidable", "cannot compare a text with a number, at character 1 of 'output > 3'")


def test_a_wrong_condition_is_an_error_in_the_recipe_at_its_key() -> None:
    with pytest.raises(RecipeError, match="there is no function 'eval'"):
        build(Where, {"keep": "eval('1')"}, ("steps", 0))
    with pytest.raises(RecipeError, match="reason is 'no good'"):
        Where("True", reason="no good")


# the profile


async def test_the_profile_lets_short_answers_and_code_pass() -> None:
    cases = [
        task("What is 7 times 8?", "56"),
        task("Is 91 a prime?", "No"),
        task("Fill in: bread ___ butter", "and"),
        task("Write a function that doubles x.", "```python\ndef double(x):\n    return 2 * x\n```"),
        task("Name the colours of the flag of Italy.", "green, white, red"),
        task("Classify the emotion.", "joy", input="I won!"),
        task("太阳是什么？", "太阳是一颗恒星。"),
    ]
    assert reasons(await curated(InstructionProfile(), cases)) == [""] * len(cases)


async def test_the_profile_gives_each_fault_its_reason_and_masks_and_flags() -> None:
    step = build(
        InstructionProfile, {"language": {"allowed": ["en"]}, "length": {"words": {"output": [1, 40]}}}, ("steps", 0)
    )
    cases = [
        task("Say something.", ""),
        task("Count.", "one " * 41),
        task("Explain gravity.", "Die Schwerkraft zieht alle Dinge zueinander, die eine Masse haben."),
        task("How do I open a lock?", "I'm sorry, but I can't help with that."),
        task("Name a fruit.", "Apple<|im_end|>"),
        task("What is the capital of Portugal?", "What is the capital of Portugal?"),
        task("How do tides work?", "The moon pulls on the sea. On the side that faces the moon the"),
        task("Write code.", "```python\nprint(1)"),
        task("Answer in JSON.", "{name: Ann}"),
        task("What is AI?", "It is smart, it is smart, it is smart, it is smart, it is smart."),
        task("Who?", "ann@nordmail.se, https://nordmail.se"),
    ]
    found = await curated(step, cases)
    assert reasons(found) == [
        *("empty", "too_long", "wrong_language", "refusal", "prompt_leakage", "echo", "truncated"),
        *("unbalanced_fence", "invalid_json", "repetition", ""),
    ]
    assert found[-1].fields["output"] == "[EMAIL], https://nordmail.se" and found[-1].scores["urls"] == 1
    assert all(one.dropped.detail for one in found[1:-1] if one.dropped)


async def test_filters_can_be_left_out_of_the_profile() -> None:
    step = InstructionProfile(without=("echo", "personal_data"))
    (one,) = await curated(step, [task("What is the email of Bo?", "What is the email of Bo? bo@rivertown.org")])
    assert not one.dropped and "bo@" in one.fields["output"]
    with pytest.raises(RecipeError, match="there is no 'ecco'"):
        InstructionProfile(without=("ecco",))


async def test_the_profile_does_not_depend_on_batches_and_leaves_dropped_records_alone() -> None:
    cases = [task(f"Name number {n}.", str(n) * (n % 3), id=str(n)) for n in range(20)]
    cases[4] = cases[4].drop("before")
    one_by_one, together = await curated(InstructionProfile(), cases, 1), await curated(InstructionProfile(), cases)
    assert one_by_one == together and together[4].dropped == Drop("before")


def test_importing_the_filters_loads_nothing_heavy() -> None:
    modules = sorted({target.partition(":")[0] for target in STEPS.values()})
    code = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "numba", "py3langid", "torch", "pyarrow", "datasets"} & set(loaded) == set()
