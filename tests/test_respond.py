"""The step that asks models the questions there are: what is asked, what is kept of the answers, what of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth import Completion, FakeBackend, Record, Request
from llmsynth.column_types import column_type
from llmsynth.errors import RecipeError
from llmsynth.journal import Journal, read_entries
from llmsynth.layout import Layout
from llmsynth.request import Failure, RequestFailedError
from llmsynth.steps._answers import TYPE
from llmsynth.steps.respond import Respond
from tests.judging import apply, asked, row, run_of

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Danube."},
    {"role": "user", "content": "And a longer one?"},
    {"role": "assistant", "content": "The Volga."},
]


class Speaker:
    """A model that numbers its answers, and remembers what it was asked."""

    def __init__(self, name: str, say: Callable[[Request, int], str | Completion] | None = None) -> None:
        self.name, self.say = name, say or (lambda request, number: f"{name} {number}")
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> str | Completion:
        self.requests.append(request)
        return self.say(request, len(self.requests))


def backends(*speakers: Speaker) -> dict[str, Any]:
    return {one.name: FakeBackend(one, name=one.name) for one in speakers}


def texts(record: Record) -> list[str]:
    return [answer["text"] for answer in record.fields["answers"]]


def test_every_answer_is_kept_with_its_model_its_place_in_the_journal_and_why_it_ended(journal: Journal) -> None:
    strong = Speaker("strong")
    weak = Speaker("weak", lambda request, number: Completion(f"weak {number}", "length" if number == 2 else "stop"))
    run = run_of(journal, backends(strong, weak))
    step = Respond(models=("strong", "weak"), samples={"strong": 1, "weak": 3})
    [done] = apply(step, [row(input="In Europe.")], run)
    assert texts(done) == ["strong 1", "weak 1", "weak 2", "weak 3"]
    assert [a["role"] for a in done.fields["answers"]] == [a["model"] for a in done.fields["answers"]]
    assert [a["finish_reason"] for a in done.fields["answers"]] == ["stop", "stop", "length", "stop"]
    assert done.fields["output"] == "The Danube."
    assert [a["journal"] for a in done.fields["answers"]] == done.meta["journal"]
    journaled = {entry["key"]: entry["text"] for entry in read_entries(journal.path)}
    assert journaled == {a["journal"]: a["text"] for a in done.fields["answers"]}
    assert done.meta["completions"] == 4 and done.meta["models"] == ["strong", "weak", "weak", "weak"]
    assert asked(strong.requests[0]) == "Name a river.\n\nIn Europe." and strong.requests[0].stage == "strong"
    assert run.notes["respond"] == {
        "asked": 4,
        "answers": 4,
        "missing": {},
        "failed": {},
        "models": {"strong": 1, "weak": 3},
        "finish_reasons": {"stop": 3, "length": 1},
    }
    assert Respond().columns_after({"instruction": "string"}) == {"instruction": "string", "answers": TYPE}


def test_answers_come_behind_those_that_are_there(journal: Journal) -> None:
    [done] = apply(Respond(samples=1), [row(answers=["mine", {"text": "theirs", "score": 2}])], run_of(journal))
    assert texts(done)[:2] == ["mine", "theirs"] and len(texts(done)) == 3
    assert len({tuple(answer) for answer in done.fields["answers"]}) == 1  # all of one shape
    assert Respond().columns_after({"answers": "list<string>"}) == {"answers": TYPE}


def test_the_type_of_answers_is_one_that_columns_can_have(journal: Journal) -> None:
    [done] = apply(Respond(samples=2), [row()], run_of(journal))
    kind = column_type(TYPE)
    assert kind.name == TYPE and kind.problem(done.fields["answers"]) is None


def test_a_column_of_that_name_which_holds_something_else_is_left_alone(journal: Journal) -> None:
    squad = 'struct<"text": list<string>, "answer_start": list<int32>>'
    with pytest.raises(RecipeError, match="there is a column answers already"):
        Respond().columns_after({"question": "string", "answers": squad})
    step = Respond(samples=1, answers="responses")
    assert step.columns_after({"answers": squad}) == {"answers": squad, "responses": TYPE}
    [done] = apply(step, [row(answers={"text": ["a"]})], run_of(journal))
    assert done.fields["answers"] == {"text": ["a"]} and len(done.fields["responses"]) == 1


def test_a_conversation_is_asked_up_to_its_last_answer_or_to_the_question_it_ends_in(journal: Journal) -> None:
    speaker = Speaker("default")
    human = [{"from": "human", "value": "Why is the sea salt?"}]
    batch = [Record("a", {"messages": TALK}), Record("b", {"messages": TALK[:4]}), Record("c", {"messages": human})]
    done = apply(Respond(samples=1), batch, run_of(journal, backends(speaker)))
    assert [texts(record) for record in done] == [["default 1"], ["default 2"], ["default 3"]]
    assert [request.messages for request in speaker.requests] == [
        tuple(TALK[:4]),
        tuple(TALK[:4]),
        ({"role": "user", "content": "Why is the sea salt?"},),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instruction": "  ", "output": "x"}, "no_question"),
        ({"output": "x"}, "no_question"),
        ({"instruction": {"a": 1}, "output": "x"}, "no_question"),
        ({"messages": TALK[:1]}, "no_question"),
        ({"messages": TALK[2:3]}, "no_question"),
        ({"messages": [*TALK[:3], {"role": "tool", "content": "7"}, TALK[3]]}, "no_question"),
        ({"instruction": "x" * 300_000}, "too_long"),
    ],
)
def test_a_row_that_asks_nothing_is_dropped_and_costs_nothing(
    fields: dict[str, Any], reason: str, journal: Journal
) -> None:
    speaker = Speaker("default")
    [done] = apply(Respond(), [Record("r", fields)], run_of(journal, backends(speaker)))
    assert done.dropped and done.dropped.reason == reason and done.dropped.detail and not speaker.requests


def test_a_dropped_row_is_not_asked_about(journal: Journal) -> None:
    speaker, gone = Speaker("default"), row().drop("odd")
    assert apply(Respond(), [gone], run_of(journal, backends(speaker))) == [gone] and not speaker.requests


def test_what_will_never_be_answered_is_missing_and_what_may_yet_be_makes_the_row_fail(journal: Journal) -> None:
    def say(request: Request, number: int) -> str | Completion:
        kind = asked(request).split()[-1]
        if kind == "withheld":
            return Completion("", "content_filter") if number % 2 else f"answer {number}"
        if kind == "silent":
            return "<think>hm</think> "
        if kind == "long":
            raise RequestFailedError("prompt_too_long", "8,000 tokens", retryable=False)
        if kind == "later" and number % 2:
            raise RequestFailedError("timeout", "no answer in time", retryable=True)
        return f"answer {number}"

    run = run_of(journal, backends(Speaker("default", say)))
    kinds = ("fine", "withheld", "silent", "long", "later")
    done = {r.id: r for r in apply(Respond(samples=2), [row(kind, kind) for kind in kinds], run)}
    assert len(texts(done["fine"])) == 2 and len(texts(done["withheld"])) == 1
    assert [done[kind].status for kind in kinds] == ["kept", "kept", "dropped", "dropped", "failed"]
    assert done["silent"].dropped and done["silent"].dropped.reason == "no_answer"
    assert done["silent"].dropped.detail == "of 2 asked for: empty"
    assert done["long"].dropped and done["long"].dropped.detail == "of 2 asked for: prompt_too_long"
    assert done["later"].dropped and done["later"].dropped.reason == "timeout"
    assert len(texts(done["later"])) == 1 == len(done["later"].meta["models"]) - 1  # what came is not lost
    notes: Any = run.notes["respond"]
    assert notes["missing"] == {"content_filter": 1, "empty": 2, "prompt_too_long": 2} and notes["failed"] == {
        "timeout": 1
    }
    assert notes["asked"] == 10 == notes["answers"] + sum(notes["missing"].values()) + sum(notes["failed"].values())


def test_some_of_the_models_are_drawn_for_each_row_whatever_rows_are_beside_it(journal: Journal) -> None:
    names = ("a", "b", "c")
    step = Respond(models=names, samples=1, draw=2)
    rows = [row(str(n), f"Question {n}") for n in range(60)]
    run = run_of(journal, backends(*map(Speaker, names)))
    drawn = {r.id: [a["role"] for a in r.fields["answers"]] for r in apply(step, rows, run)}
    pairs = Counter(map(tuple, drawn.values()))
    assert pairs.keys() == {("a", "b"), ("a", "c"), ("b", "c")} and min(pairs.values()) > 10
    run = run_of(journal, backends(*map(Speaker, names)))
    assert {
        r.id: [a["role"] for a in r.fields["answers"]] for r in apply(step, rows[::-3], run)
    }.items() <= drawn.items()


def test_a_new_answer_takes_the_place_of_the_old_one_which_is_remembered(journal: Journal) -> None:
    step = Respond(samples=1, replace="last")
    batch = [
        row(),
        Record("m", {"messages": TALK}),
        Record("q", {"messages": TALK[:2]}),
        Record("p", {"instruction": "Hi"}),
    ]
    plain, talk, question, bare = apply(step, batch, run_of(journal, backends(Speaker("default"))))
    assert plain.fields["output"] == "default 1" and plain.meta["replaced"] == ["The Danube."]
    assert talk.fields["messages"] == [*TALK[:4], {"role": "assistant", "content": "default 2"}]
    assert talk.meta["replaced"] == ["The Volga."] and TALK[4]["content"] == "The Volga."
    assert question.fields["messages"] == [*TALK[:2], {"role": "assistant", "content": "default 3"}]
    assert bare.fields == {"instruction": "Hi", "output": "default 4"}
    assert not any("answers" in record.fields for record in (plain, talk, question, bare))
    assert plain.meta["models"] == ["default"] and plain.meta["completions"] == 1
    assert step.columns_after({"instruction": "string"}) == {"instruction": "string", "output": "string"}
    assert step.columns_after({"messages": "messages"}) == {"messages": "messages"}


def test_what_the_old_answer_was_thought_of_is_not_said_of_the_new_one(journal: Journal) -> None:
    thought = {**TALK[2], "reasoning_content": "It has to be long.", "tool_calls": [], "weight": 1}
    [talk] = apply(
        Respond(samples=1, replace="last"),
        [Record("m", {"messages": [*TALK[:2], thought]})],
        run_of(journal, backends(Speaker("default"))),
    )
    new = {"role": "assistant", "content": "default 1", "reasoning_content": None, "tool_calls": None, "weight": 1}
    assert talk.fields["messages"] == [*TALK[:2], new]


def test_every_answer_of_a_conversation_is_made_anew_after_the_new_ones_before_it(journal: Journal) -> None:
    speaker = Speaker("default", lambda request, number: f"Reply {number} to {asked(request)}")
    step = Respond(samples=1, replace="all")
    batch = [Record("long", {"messages": TALK}), row("plain"), Record("short", {"messages": TALK[1:3]})]
    talk, plain, short = apply(step, batch, run_of(journal, backends(speaker)))
    answers = [turn["content"] for turn in talk.fields["messages"] if turn["role"] == "assistant"]
    assert answers == ["Reply 1 to Name a river.", "Reply 4 to And a longer one?"]
    assert [turn for turn in talk.fields["messages"] if turn["role"] != "assistant"] == [TALK[0], TALK[1], TALK[3]]
    assert speaker.requests[3].messages[2] == {"role": "assistant", "content": answers[0]}
    assert talk.meta["replaced"] == ["The Danube.", "The Volga."] and len(talk.meta["journal"]) == 2
    assert plain.fields["output"] == "Reply 2 to Name a river."
    assert short.fields["messages"][1]["content"] == "Reply 3 to Name a river."


def test_an_answer_that_was_cut_short_or_never_came_replaces_nothing(journal: Journal) -> None:
    def say(request: Request, number: int) -> str | Completion:
        return Completion("The Vol", "length") if number == 1 else ""

    run = run_of(journal, backends(Speaker("default", say)))
    cut, empty = apply(Respond(samples=1, replace="last"), [row("a"), row("b")], run)
    assert cut.dropped and cut.dropped.reason == "truncated" and cut.fields["output"] == "The Danube."
    assert empty.dropped and empty.dropped.reason == "no_answer" and empty.fields["output"] == "The Danube."


def test_a_conversation_that_could_not_be_made_anew_to_its_end_is_none_by_halves(journal: Journal) -> None:
    def say(request: Request, number: int) -> str | Completion:
        if "longer" in asked(request):
            raise RequestFailedError("timeout", "no answer in time", retryable=True)
        return Completion("cut", "length") if "Hi" in asked(request) else "The Rhine."

    hello = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    batch = [Record("late", {"messages": TALK}), Record("cut", {"messages": [*TALK[:3], *hello]})]
    late, cut = apply(Respond(samples=1, replace="all"), batch, run_of(journal, backends(Speaker("default", say))))
    assert late.status == "failed" and late.fields == {"messages": None}
    assert cut.dropped and cut.dropped.reason == "truncated" and cut.fields == batch[1].fields
    assert len(cut.meta["journal"]) == 2  # both were paid for


def test_turns_with_more_than_a_role_stay_of_one_shape(journal: Journal) -> None:
    turns = [{"role": "user", "content": "Hi", "name": "Ada"}]
    step = Respond(samples=1, replace="last")
    [done] = apply(step, [Record("r", {"messages": turns})], run_of(journal, backends(Speaker("default"))))
    assert done.fields["messages"][1] == {"role": "assistant", "content": "default 1", "name": None}


def test_an_answer_after_a_judge_does_not_pass_for_one_that_was_judged(journal: Journal) -> None:
    judged = Record("r", row().fields, {"completions": 0, "models": ["judge"], "journal": ["k"]})
    [done] = apply(Respond(samples=1), [judged], run_of(journal, backends(Speaker("default"))))
    assert done.meta["completions"] == 0 and done.meta["models"] == ["judge", "default"]


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 40))
def test_answers_do_not_depend_on_how_rows_come_together(width: int, count: int) -> None:
    import tempfile
    from pathlib import Path

    def answers(batch: int) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(Path(folder) / "journal.jsonl")
            run = run_of(journal, lambda request: f"{request.stage} {request.seed}")
            rows = [row(str(n), f"Question {n % 7}") for n in range(count)]
            done = apply(Respond(models=("x", "y"), samples=2, draw=1), rows, run, batch)
            journal.close()
            return [record.fields["answers"] for record in done]

    assert answers(width) == answers(count)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": ()}, "name each role"),
        ({"models": ("a", "a")}, "name each role"),
        ({"samples": 0}, "at least 1 answer"),
        ({"models": ("a", "b"), "samples": {"a": 1}}, "samples is for a, and models are a, b"),
        ({"models": ("a", "b"), "draw": 3}, "draw is 3, of 2 models"),
        ({"samples": 2, "replace": "last"}, "2 answers cannot take the place of one"),
        ({"models": ("a", "b"), "samples": 1, "replace": "all"}, "2 answers cannot take the place of one"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Respond(**options)


def test_one_of_two_models_can_replace_an_answer() -> None:
    assert Respond(models=("a", "b"), samples=1, draw=1, replace="last").draw == 1


@pytest.mark.parametrize(
    ("columns", "on", "told"),
    [
        (["instruction", "input", "output"], (), {}),
        (["question", "context", "answer"], (), {"instruction": "question", "input": "context", "output": "answer"}),
        (["prompt"], (), {"instruction": "prompt", "messages": "prompt"}),
        (["conversations"], (), {"instruction": "conversations", "messages": "conversations"}),
        (["messages"], (), {"instruction": "messages"}),
        (["q", "hint", "a"], ("q", "hint", "a"), {"instruction": "q", "input": "hint", "output": "a"}),
    ],
)
def test_it_looks_at_the_columns_that_there_are(
    columns: list[str], on: tuple[str, ...], told: dict[str, str], journal: Journal
) -> None:
    given = Layout.of(columns, on).options(Respond, {})
    assert given.get("columns", {}) == told


def test_failures_of_a_request_are_told_apart() -> None:
    from llmsynth.steps._scoring import in_vain

    assert in_vain(Failure("length", "cut", final=True)) and in_vain(Failure("prompt_too_long", "8,000"))
    assert not in_vain(Failure("timeout", "late"))
