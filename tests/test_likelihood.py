"""Perplexity, IFD, rewards and DEITA's expectations, on the pocket model and on tiny random ones."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from llmsynth import Completion, FakeBackend, Record, Request  # noqa: E402
from llmsynth.backends import _likelihood  # noqa: E402
from llmsynth.backends._reward import Rater  # noqa: E402
from llmsynth.backends.openai import OpenAIBackend  # noqa: E402
from llmsynth.backends.pocket import FOLDER, PocketBackend  # noqa: E402
from llmsynth.backends.reward import RewardBackend  # noqa: E402
from llmsynth.backends.transformers import TransformersBackend  # noqa: E402
from llmsynth.errors import BackendError, RecipeError  # noqa: E402
from llmsynth.journal import Journal  # noqa: E402
from llmsynth.likelihood import Likelihood, chances, read, written  # noqa: E402
from llmsynth.request import Message, RequestFailedError  # noqa: E402
from llmsynth.steps.deita import Deita  # noqa: E402
from llmsynth.steps.likelihood import IFD, Perplexity, ifd  # noqa: E402
from llmsynth.steps.reward import RewardModel  # noqa: E402
from tests.judging import apply, row, run_of  # noqa: E402
from tests.loopback import Loopback  # noqa: E402


@pytest.fixture(scope="module")
def pocket() -> Any:
    """Tokenizer and model, as transformers loads them."""
    return (
        transformers.AutoTokenizer.from_pretrained(FOLDER),
        transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval(),
    )


def by_hand(pocket: Any, question: str | None, answer: str) -> tuple[float, int]:
    """The answer's log-probability, summed token by token, and its tokens."""
    tokenizer, model = pocket
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if question is None:
        before = [tokenizer.eos_token_id]
    else:
        turn = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        before = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([[*before, *ids]])).logits[0].float(), 1)
    total = sum(float(logprobs[len(before) - 1 + n, token]) for n, token in enumerate(ids))
    return total, len(ids)


QUESTION, ANSWER = "Sort these numbers: 3, 1, 2.", "1, 2, 3"
ROWS = [
    row("a", QUESTION, ANSWER),
    row("b", QUESTION, "river stone lantern harvest violin"),
    row("c", "What is 2 + 2?", "4"),
    row("d", "x " * 40, "y " * 60),
]


def test_ifd_is_the_answers_perplexity_given_the_question_over_its_own(journal: Journal, pocket: Any) -> None:
    done = apply(IFD(), ROWS, run_of(journal, PocketBackend()))
    for record in done[:3]:
        question, answer = record.fields["instruction"], record.fields["output"]
        (given, tokens), (alone, _) = by_hand(pocket, question, answer), by_hand(pocket, None, answer)
        assert record.scores["ifd_given"] == pytest.approx(math.exp(-given / tokens), rel=1e-3)
        assert record.scores["ifd_alone"] == pytest.approx(math.exp(-alone / tokens), rel=1e-3)
        assert record.scores["ifd"] == pytest.approx(record.scores["ifd_given"] / record.scores["ifd_alone"], rel=1e-3)


def test_an_answer_to_its_question_is_easier_than_one_to_another(journal: Journal) -> None:
    fitting, other = apply(IFD(), [ROWS[0], row("x", "What is 2 + 2?", ANSWER)], run_of(journal, PocketBackend()))
    assert fitting.scores["ifd"] < other.scores["ifd"]
    assert fitting.scores["ifd"] < 1


def test_both_measures_reach_one_together_and_the_ratio_is_the_right_way_round() -> None:
    easier, harder = Likelihood(-2.0, 4), Likelihood(-8.0, 4)
    assert ifd(easier, harder, "loss") == 0.25
    assert ifd(easier, harder, "perplexity") == pytest.approx(math.exp(0.5 - 2.0))
    assert ifd(harder, harder, "loss") == ifd(harder, harder, "perplexity") == 1
    assert ifd(harder, Likelihood(0.0, 4), "loss") is None


def test_what_the_question_does_not_help_is_dropped_if_asked(journal: Journal) -> None:
    answers = {True: [[-8.0, 4]], False: [[-4.0, 4]]}

    def told(request: Request) -> str:
        return json.dumps(answers[bool(request.messages)])

    (kept,) = apply(IFD(), [row()], run_of(journal, Telling(told)))
    assert kept.dropped is None
    (dropped,) = apply(IFD(drop_at=1.0, role="again"), [row()], run_of(journal, Telling(told)))
    assert dropped.dropped is not None
    assert dropped.dropped.reason == "ifd_too_high"
    assert dropped.scores["ifd"] == pytest.approx(math.e)


class Telling(FakeBackend):
    """A fake that says it can tell likelihoods."""

    likelihoods = "texts"


def test_perplexity_is_of_the_answer_with_the_question_or_without(journal: Journal, pocket: Any) -> None:
    run = run_of(journal, PocketBackend())
    (with_it,) = apply(Perplexity(), ROWS[:1], run)
    run = run_of(journal, PocketBackend())
    (without,) = apply(Perplexity(given=False), ROWS[:1], run)
    given, tokens = by_hand(pocket, QUESTION, ANSWER)
    alone, _ = by_hand(pocket, None, ANSWER)
    assert with_it.scores["perplexity"] == pytest.approx(math.exp(-given / tokens), rel=1e-3)
    assert without.scores["perplexity"] == pytest.approx(math.exp(-alone / tokens), rel=1e-3)


def test_perplexity_outside_its_band_is_dropped(journal: Journal) -> None:
    records = [row("low", output="a"), row("fine", output="b"), row("high", output="c")]
    losses = {"a": 0.1, "b": 3.0, "c": 9.0}
    run = run_of(journal, Telling(lambda request: json.dumps([[-losses[request.continuations[0]], 1]])))
    done = apply(Perplexity(least=2, most=200), records, run)
    assert [record.dropped and record.dropped.reason for record in done] == [
        "perplexity_out_of_band",
        None,
        "perplexity_out_of_band",
    ]


def test_likelihoods_do_not_depend_on_what_is_asked_beside_them(tmp_path: Path) -> None:
    told = []
    for batch in (1, 4):
        journal = Journal(tmp_path / str(batch) / "journal.jsonl")
        done = apply(IFD(), ROWS, run_of(journal, PocketBackend(max_batch=batch)), batch=batch)
        told.append([record.scores for record in done])
        journal.close()
    for alone, together in zip(*told, strict=True):
        assert together == pytest.approx(alone, rel=1e-4)


def test_likelihoods_are_kept_in_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    done = apply(IFD(), ROWS[:2], run_of(journal, PocketBackend()))
    journal.close()
    again = Journal(tmp_path / "journal.jsonl")
    backend = PocketBackend()
    assert apply(IFD(), ROWS[:2], run_of(again, backend), batch=1) == done
    assert backend._engine is None  # not even loaded
    again.close()


def test_the_likelihood_of_choices_takes_one_pass_and_tells_them_all(journal: Journal, pocket: Any) -> None:
    choices = tuple("123456")
    asked = Request("t", (Message(role="user", content=QUESTION),), continuations=(*choices, "12 3"))
    backend = PocketBackend()

    async def work() -> tuple[Completion, Completion]:
        run = run_of(journal, backend)
        several = await run.model("t").ask(asked)
        single = await run.model("t").ask(Request("t", asked.messages, continuations=choices))
        await run.model("t").aclose()
        return several, single

    several, single = asyncio.run(work())
    expected = [by_hand(pocket, QUESTION, text) for text in asked.continuations]
    for told, count in ((read(several.text, 7), 7), (read(single.text, 6), 6)):
        assert told is not None
        assert [x.tokens for x in told] == [tokens for _, tokens in expected[:count]]
        assert [x.logprob for x in told] == pytest.approx([total for total, _ in expected[:count]], abs=2e-3)


def test_a_text_too_long_for_the_model_is_no_score_and_the_others_are(journal: Journal) -> None:
    done = apply(IFD(), [row("long", output="1 " * 3000), ROWS[0]], run_of(journal, PocketBackend()))
    assert done[0].meta["ifd_unscored"].startswith("prompt_too_long")
    assert done[0].dropped is None
    assert "ifd" in done[1].scores


def test_a_memory_too_small_for_a_batch_takes_it_in_parts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = _likelihood._run

    def small(engine: Any, rows: list[Any]) -> Any:
        if len(rows) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return whole(engine, rows)

    expected = apply(IFD(), ROWS, run_of(journal, PocketBackend()))
    monkeypatch.setattr(_likelihood, "_run", small)
    done = apply(IFD(role="again"), ROWS, run_of(journal, PocketBackend()))
    for one, other in zip(expected, done, strict=True):
        assert other.scores == pytest.approx(one.scores, rel=1e-4)
    assert "going on with half" in caplog.text


def test_a_model_that_tells_no_likelihood_is_refused_before_anything_is_asked(journal: Journal) -> None:
    run = run_of(journal, lambda _: pytest.fail("asked"))
    with pytest.raises(RecipeError, match=r"ifd needs a model that tells how likely texts"):
        IFD().validate(run)


# servers


def test_a_completions_server_echoes_the_likelihood_of_a_text(loopback: Loopback, journal: Journal) -> None:
    loopback.logprobs = lambda body: echoed(body["prompt"])
    backend = OpenAIBackend("m", base_url=loopback.url, api="completions")
    (done,) = apply(IFD(), [row("r", "Name a river.", "The Danube.")], run_of(journal, backend))
    given, alone = loopback.bodies
    assert (given["prompt"], alone["prompt"]) == ("Name a river.\nThe Danube.", "The Danube.")
    assert given["echo"] is True
    # the scripted server gives every token its place in the prompt as its loss, and none to the first
    assert done.scores["ifd_given"] == pytest.approx(math.exp((3 + 4) / 2))
    assert done.scores["ifd_alone"] == pytest.approx(math.exp(1))


def echoed(prompt: str) -> dict[str, Any]:
    """Words for tokens; the n-th has the log-probability -n."""
    tokens = prompt.replace("\n", " ").split(" ")
    offsets = [sum(len(token) + 1 for token in tokens[:n]) for n in range(len(tokens))]
    logprobs = [None if n == 0 else -float(n) for n in range(len(tokens))]
    return {
        "tokens": [*tokens, "next"],
        "token_logprobs": [*logprobs, -9.0],
        "text_offset": [*offsets, len(prompt)],
    }


def test_a_chat_server_tells_the_chances_of_single_tokens(loopback: Loopback, journal: Journal) -> None:
    top = [{"token": token, "logprob": math.log(chance)} for token, chance in (("5", 0.5), (" 5", 0.25), ("6", 0.25))]
    loopback.logprobs = lambda body: {"content": [{"token": "5", "top_logprobs": top}]}
    backend = OpenAIBackend("m", base_url=loopback.url)
    run = run_of(journal, backend)
    (done,) = apply(Deita(), [row()], run)
    assert done.scores == pytest.approx({"deita_complexity": 5.25, "deita_quality": 5.25, "deita": 5.25**2})
    assert [(body["max_tokens"], body["top_logprobs"]) for body in loopback.bodies] == [(1, 20)] * 2
    assert run.notes["deita"]["by"] == "expectation over the next token"  # type: ignore[index]


def test_a_chat_server_cannot_tell_the_likelihood_of_texts(loopback: Loopback, journal: Journal) -> None:
    with pytest.raises(RecipeError, match="ifd needs a model"):
        apply(IFD(), [row()], run_of(journal, OpenAIBackend("m", base_url=loopback.url)))


def test_a_server_without_log_probabilities_leaves_no_score(loopback: Loopback, journal: Journal) -> None:
    (done,) = apply(Deita(), [row()], run_of(journal, OpenAIBackend("m", base_url=loopback.url)))
    assert done.scores == {}
    assert done.meta["deita_unscored"].startswith("no_logprobs")


# DEITA


def test_deita_expects_over_the_six_numbers(journal: Journal) -> None:
    demand = [Likelihood(math.log(p), 1) for p in (0.1, 0.1, 0.1, 0.1, 0.1, 0.2)]  # 0.7 in all: what else is left out
    merit = [Likelihood(None if n < 5 else -1.0, 1) for n in range(6)]

    def told(request: Request) -> str:
        assert request.continuations == ("1", "2", "3", "4", "5", "6")
        return written(merit if "<answer>" in request.messages[-1]["content"] else demand)

    (done,) = apply(Deita(), [row()], run_of(journal, Telling(told)))
    expected = (0.1 * (1 + 2 + 3 + 4 + 5) + 0.2 * 6) / 0.7
    assert done.scores["deita_complexity"] == pytest.approx(expected, abs=1e-5)
    assert done.scores["deita_quality"] == 6
    assert done.scores["deita"] == pytest.approx(6 * expected, abs=1e-4)


def test_deita_works_with_the_pocket_model(journal: Journal) -> None:
    done = apply(Deita(), ROWS[:2], run_of(journal, PocketBackend()))
    for record in done:
        assert 1 < record.scores["deita_complexity"] < 6
        assert 1 < record.scores["deita_quality"] < 6
    assert done[0].scores != done[1].scores


def test_without_likelihoods_deita_asks_for_the_number(journal: Journal) -> None:
    replies = {False: "4", True: "**5**"}
    run = run_of(journal, lambda request: replies["<answer>" in request.messages[-1]["content"]])
    (done,) = apply(Deita(), [row()], run)
    assert done.scores == {"deita_complexity": 4, "deita_quality": 5, "deita": 20}
    assert run.notes["deita"]["by"] == "the number in the reply"  # type: ignore[index]


@pytest.mark.parametrize("reply", ["no idea", "7", ""])
def test_a_number_that_cannot_be_read_is_no_score_and_not_three(journal: Journal, reply: str) -> None:
    run = run_of(journal, lambda _: reply)
    (done,) = apply(Deita(), [row()], run)
    assert done.scores == {}
    assert done.meta["deita_unscored"] == "unreadable_score: complexity"
    assert run.notes["deita"]["unscored"] == {"unreadable_score": 1}  # type: ignore[index]


def conversation(*answers: str) -> Record:
    turns = []
    for number, answer in enumerate(answers):
        turns += [{"role": "user", "content": f"Question {number}"}, {"role": "assistant", "content": answer}]
    return Record("talk", {"messages": turns})


def test_every_turn_of_a_conversation_counts(journal: Journal) -> None:
    def judge(request: Request) -> str:
        text = request.messages[-1]["content"]
        if "<answer>" not in text:
            return "2"
        return "6" if "\ngood\n" in text else "3"

    (mean,) = apply(Deita(), [conversation("good", "bad")], run_of(journal, judge))
    assert mean.scores == {"deita": 9, "deita_complexity": 2, "deita_quality": 4.5}
    (total,) = apply(Deita(turns="sum", role="sum"), [conversation("good", "bad")], run_of(journal, judge))
    assert total.scores["deita"] == 18


# reward models


@pytest.fixture(scope="module")
def rater(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of the pocket model's shape with random weights."""
    folder = tmp_path_factory.mktemp("rater")
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(FOLDER)
    config.num_labels, config.num_hidden_layers, config.initializer_range = 1, 2, 0.3
    torch.manual_seed(3)
    transformers.LlamaForSequenceClassification(config).float().save_pretrained(folder)
    return folder


def test_a_reward_is_what_the_classifier_says_whatever_stands_beside_it(rater: Path, journal: Journal) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(rater)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(rater).eval()
    run = run_of(journal, {"reward": RewardBackend(str(rater), device="cpu")})
    done = apply(RewardModel(), ROWS, run)
    for record in done:
        turns = [
            {"role": "user", "content": record.fields["instruction"]},
            {"role": "assistant", "content": record.fields["output"]},
        ]
        ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            expected = float(model(torch.tensor([ids])).logits[0, 0])
        assert record.scores["reward"] == pytest.approx(expected, abs=1e-3)
    assert len({record.scores["reward"] for record in done}) == len(done)


def test_a_low_reward_is_dropped_if_asked(rater: Path, journal: Journal) -> None:
    run = run_of(journal, {"reward": RewardBackend(str(rater), device="cpu")})
    rewards = [record.scores["reward"] for record in apply(RewardModel(), ROWS, run)]
    middle = sorted(rewards)[1] + 1e-6
    run = run_of(journal, {"reward": RewardBackend(str(rater), device="cpu")})
    done = apply(RewardModel(least=middle), ROWS, run)
    assert [record.dropped is not None for record in done] == [reward < middle for reward in rewards]
    assert {record.dropped.reason for record in done if record.dropped} == {"reward_too_low"}


def test_an_answer_too_long_for_the_reward_model_is_not_cut(rater: Path, journal: Journal) -> None:
    run = run_of(journal, {"reward": RewardBackend(str(rater), device="cpu")})
    long, short = apply(RewardModel(), [row("long", output="1 " * 3000), ROWS[0]], run)
    assert long.meta["reward_unscored"].startswith("prompt_too_long")
    assert "reward" in short.scores


def test_a_conversation_that_the_template_of_the_reward_model_refuses_fails_alone(rater: Path) -> None:
    rating = Rater(str(rater), "cpu", "auto", False, 0)
    rating.tokenizer.chat_template = "{% if messages | length > 2 %}{{ raise_exception('too many turns') }}{% endif %}a"
    turns = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    fine, refused = rating.generate([Request("reward", turns), Request("reward", (*turns, *turns))])
    assert isinstance(fine, Completion)
    assert isinstance(refused, RequestFailedError) and "too many turns" in refused.message


def test_a_language_model_is_no_reward_model(journal: Journal) -> None:
    with pytest.raises(RecipeError, match=r"models\.reward is no reward model"):
        RewardModel().validate(run_of(journal, PocketBackend()))


def test_an_output_that_the_head_lacks_is_refused(rater: Path, journal: Journal) -> None:
    run = run_of(journal, {"reward": RewardBackend(str(rater), device="cpu", output=1)})
    with pytest.raises(BackendError, match="has 1 outputs"):
        apply(RewardModel(), ROWS[:1], run)


# the wire


def test_likelihoods_read_back_as_they_were_written() -> None:
    told = [Likelihood(-1.25, 3), Likelihood(None, 1), Likelihood(0.0, 2)]
    assert read(written(told), 3) == told


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "[[1]]", '[["a", 1]]', "[[-1, 0]]", "[[5, 1]]", "4", "[[-1, 1], [-1, 1]]"]
)
def test_what_is_no_likelihood_is_none(text: str) -> None:
    assert read(text, 1) is None


def test_chances_add_up_and_nothing_told_is_none() -> None:
    assert chances([Likelihood(-1000.0, 1), Likelihood(-1000.0, 1), Likelihood(None, 1)]) == [0.5, 0.5, 0.0]
    assert chances([Likelihood(None, 1)]) is None


def test_the_transformers_backend_keeps_likelihoods_and_answers_apart(journal: Journal) -> None:
    backend = TransformersBackend(str(FOLDER), device="cpu")
    batches: list[set[bool]] = []

    async def work() -> list[Completion]:
        run = run_of(journal, backend)
        model = run.model("t")
        asked = (Message(role="user", content=QUESTION),)
        first = await model.ask(Request("t", asked, continuations=("1",)))
        generate = backend._engine.generate

        def watched(requests: list[Request]) -> Any:
            batches.append({bool(request.continuations) for request in requests})
            return generate(requests)

        backend._engine.generate = watched
        mixed = [Request("t", asked, continuations=("1",) if n % 2 else ()) for n in range(6)]
        done = await asyncio.gather(*map(model.ask, mixed))
        await model.aclose()
        return [first, *done]

    first, *done = asyncio.run(work())
    assert all(len(kinds) == 1 for kinds in batches)
    told = [found for completion in (first, *done[1::2]) for found in read(completion.text, 1) or ()]
    assert [found.tokens for found in told] == [1] * 4
    # up to rounding in the matrix products, which goes by what else is in the batch
    assert [found.logprob for found in told] == [pytest.approx(told[0].logprob, abs=1e-4)] * 4
