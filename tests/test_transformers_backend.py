"""The transformers backend on a tiny random model: batches, padding, memory, sampling."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from llmsynth.backends.transformers import TransformersBackend  # noqa: E402
from llmsynth.errors import BackendError, ModelNotFoundError, RecipeError  # noqa: E402
from llmsynth.recipe import Recipe  # noqa: E402
from llmsynth.request import Completion, Message, Request, RequestFailedError, Sampling  # noqa: E402

WINDOW = 256
WORDS = "river stone lantern harvest violin comet orchard tunnel market glacier".split()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, large enough for its choices to be clear, and bytes for tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    path = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<end>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>"
    ).save_pretrained(path)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def request(text: str, seed: int = 0, **sampling: Any) -> Request:
    return Request("test", (Message(role="user", content=text),), Sampling(**{"max_tokens": 12, **sampling}), seed=seed)


def mixed(count: int, **sampling: Any) -> list[Request]:
    """Prompts of one to nine words."""
    return [request(" ".join(WORDS[: 1 + n % 9]) + f" {n}", seed=n, **sampling) for n in range(count)]


Outcome = Completion | BaseException


async def ask(backend: TransformersBackend, requests: Sequence[Request]) -> list[Outcome]:
    """What each request comes to, all asked at once."""
    try:
        return await asyncio.gather(*map(backend.complete, requests), return_exceptions=True)
    finally:
        await backend.aclose()


async def answers(folder: Path, requests: Sequence[Request], max_batch: int, **options: Any) -> list[str]:
    outcomes = await ask(TransformersBackend(str(folder), device="cpu", max_batch=max_batch, **options), requests)
    assert all(isinstance(outcome, Completion) for outcome in outcomes), outcomes
    return [outcome.text for outcome in outcomes if isinstance(outcome, Completion)]


async def loaded(folder: Path, **options: Any) -> TransformersBackend:
    """A backend whose engine is there to be watched."""
    backend = TransformersBackend(str(folder), device="cpu", **options)
    await backend.complete(request("warm up", max_tokens=1))
    return backend


def watch(backend: TransformersBackend, before: Callable[[list[Request]], None]) -> None:
    generate = backend._engine.generate

    def watched(requests: list[Request]) -> Any:
        before(requests)
        return generate(requests)

    backend._engine.generate = watched


async def test_greedy_answers_are_those_of_transformers_own_loop(folder: Path) -> None:
    requests = mixed(3, temperature=0.0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    expected = []
    for asked in requests:
        ids = tokenizer(asked.messages[0]["content"], return_tensors="pt")
        made = model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
        expected.append(tokenizer.decode(made, skip_special_tokens=True))
    assert await answers(folder, requests, max_batch=8, dtype="float32") == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 0.0, "presence_penalty": 1.5}])
async def test_batches_of_one_and_of_eight_give_the_same_greedy_answers(folder: Path, sampling: Any) -> None:
    requests = mixed(16, **sampling)
    alone = await answers(folder, requests, max_batch=1, dtype="float32")
    assert await answers(folder, requests, max_batch=8, dtype="float32") == alone
    assert len(set(alone)) > 4


async def test_what_a_request_draws_does_not_depend_on_its_neighbours(folder: Path) -> None:
    asked = request("river stone", seed=7, temperature=0.9, max_tokens=20)
    (alone,) = await answers(folder, [asked], max_batch=1, dtype="float32")
    wild = [
        request("lantern", seed=1, temperature=2.0, top_p=0.5),
        request("a much longer prompt than the others", seed=2, temperature=0.0, frequency_penalty=1.0),
        request("comet", seed=3, temperature=1.0, max_tokens=19, stop=("e",)),
    ]
    for place in range(4):
        beside = [*wild[:place], asked, *wild[place:]]
        assert (await answers(folder, beside, max_batch=8, dtype="float32"))[place] == alone
    other = dataclasses.replace(asked, seed=8)
    assert await answers(folder, [other], max_batch=1, dtype="float32") != [alone]


async def test_how_long_an_answer_may_get_does_not_depend_on_the_neighbours(folder: Path) -> None:
    short, long = request("a", temperature=0.0, max_tokens=200), request("b" * 200, temperature=0.0, max_tokens=200)
    backend = await loaded(folder)
    together = backend._engine.generate([short, long])
    (apart,) = backend._engine.generate([short])
    await backend.aclose()
    assert together[0] == apart
    assert together[0].completion_tokens > WINDOW - 200


async def test_a_prompt_beyond_the_window_fails_alone(folder: Path) -> None:
    backend = await loaded(folder)
    first, second, third = backend._engine.generate([request("a"), request("b" * WINDOW), request("c")])
    await backend.aclose()
    assert isinstance(second, RequestFailedError)
    assert (second.kind, second.retryable) == ("prompt_too_long", False)
    assert isinstance(first, Completion)
    assert isinstance(third, Completion)


REFUSING = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)


async def test_a_conversation_that_the_chat_template_refuses_fails_alone(folder: Path) -> None:
    backend = await loaded(folder)
    backend._engine.tokenizer.chat_template = REFUSING
    refused = dataclasses.replace(request("b"), messages=(Message(role="system", content="s"), *request("b").messages))
    likely = [dataclasses.replace(one, continuations=("c",)) for one in (request("a"), refused, request("c"))]
    for requests in ([request("a"), refused, request("c")], likely):
        first, second, third = backend._engine.generate(requests)
        assert isinstance(second, RequestFailedError) and (second.kind, second.retryable) == ("refused", False)
        assert "no system turn" in second.message
        assert isinstance(first, Completion) and isinstance(third, Completion)
    await backend.aclose()


def out_of_cuda_memory() -> None:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def out_of_main_memory() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)  # what torch's own allocator says of it


class Small:
    """A model in a memory of so many tokens, padding included."""

    def __init__(self, model: Any, tokens: int, run_out: Callable[[], None]) -> None:
        self.model, self.tokens, self.run_out = model, tokens, run_out
        self.config = model.config
        self.refused: list[int] = []

    def __call__(self, attention_mask: Any, **more: Any) -> Any:
        if attention_mask.numel() > self.tokens:
            self.refused.append(len(attention_mask))
            self.run_out()
        return self.model(attention_mask=attention_mask, **more)


@pytest.mark.parametrize("run_out", [out_of_cuda_memory, out_of_main_memory])
async def test_out_of_memory_halves_the_batch_goes_on_and_is_remembered(
    folder: Path, run_out: Callable[[], None]
) -> None:
    requests = [request(f"{WORDS[n % 10]:<10} {n:02}", seed=n, temperature=1.0) for n in range(32)]
    expected = await answers(folder, requests, max_batch=16, dtype="float32")
    backend = await loaded(folder, max_batch=16, dtype="float32")
    memory = backend._engine.model = Small(backend._engine.model, 5 * 25, run_out)
    outcomes = await asyncio.gather(*map(backend.complete, requests))
    assert [outcome.text for outcome in outcomes] == expected
    assert memory.refused == [16, 8]
    more = await asyncio.gather(*map(backend.complete, requests[:8]))
    assert [outcome.text for outcome in more] == expected[:8]
    assert memory.refused == [16, 8]
    await backend.aclose()


async def test_a_request_that_does_not_fit_alone_fails_its_row_only(folder: Path) -> None:
    backend = await loaded(folder, max_batch=8)
    memory = backend._engine.model = Small(backend._engine.model, 90, out_of_main_memory)
    requests = [request("x" * 70), *(request("y" * 40, seed=n) for n in range(3)), request("z" * 100)]
    outcomes = await ask(backend, requests)
    assert [o.kind if isinstance(o, RequestFailedError) else type(o) for o in outcomes] == [
        *[Completion] * 4,
        "out_of_memory",
    ]
    assert 1 in memory.refused


async def test_an_error_that_has_nothing_to_do_with_memory_is_not_taken_for_it(folder: Path) -> None:
    def broken() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    backend = await loaded(folder)
    backend._engine.model = Small(backend._engine.model, 1, broken)
    (outcome,) = await ask(backend, [request("a")])
    assert isinstance(outcome, RuntimeError)
    assert "mat1" in str(outcome)


async def test_requests_alike_in_length_go_together_the_longest_waiting_first(folder: Path) -> None:
    backend = await loaded(folder, max_batch=8)
    batches: list[list[int]] = []
    watch(backend, lambda batch: batches.append([r.seed for r in batch]))
    kinds = [("a" * 900, 4), ("a" * 8, 4), ("a" * 8, 200)]  # long prompts fail at once: beyond the window
    requests = [request(text, seed=n, max_tokens=most) for n, (text, most) in enumerate(kinds * 5)]
    await ask(backend, requests)
    assert sorted(seed for batch in batches for seed in batch) == list(range(15))
    assert [{seed % 3 for seed in batch} for batch in batches] == [{0}, {1}, {2}]
    assert [batch[0] for batch in batches] == [0, 1, 2]


async def test_of_many_alike_the_most_alike_go_first(folder: Path) -> None:
    backend = await loaded(folder, max_batch=4)
    batches: list[list[int]] = []
    watch(backend, lambda batch: batches.append([len(r.messages[0]["content"]) for r in batch]))
    lengths = [40, 150, 44, 160, 36, 148, 52, 156]
    await ask(backend, [request("a" * length, max_tokens=4) for length in lengths])
    assert [sorted(batch) for batch in batches] == [[36, 40, 44, 52], [148, 150, 156, 160]]


async def test_a_request_unlike_all_others_is_not_put_off_for_ever(folder: Path) -> None:
    backend = await loaded(folder, max_batch=2)
    served: list[int] = []
    watch(backend, lambda batch: served.extend(r.sampling.max_tokens or 0 for r in batch))

    async def client(number: int) -> None:
        for turn in range(6):
            await backend.complete(request(f"{number} {turn}", max_tokens=3))

    clients = [asyncio.create_task(client(n)) for n in range(4)]
    await asyncio.sleep(0)
    await backend.complete(request("odd one out", max_tokens=100))
    assert served.index(100) <= 6  # after those that were there before it
    await asyncio.gather(*clients)
    await backend.aclose()


async def test_a_request_that_is_given_up_is_not_generated(folder: Path) -> None:
    backend = await loaded(folder, max_batch=1)
    served: list[int] = []
    watch(backend, lambda batch: served.extend(r.seed for r in batch))
    tasks = [asyncio.create_task(backend.complete(request("a", seed=n))) for n in range(4)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await backend.aclose()
    assert served == [0, 1, 3]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
async def test_the_model_is_loaded_in_the_dtype_asked_for(folder: Path, dtype: Any) -> None:
    backend = await loaded(folder, dtype=dtype)
    assert backend._engine.model.dtype == getattr(torch, dtype)
    assert backend._engine.model.device.type == "cpu"
    await backend.aclose()


async def test_half_precision_weights_are_run_in_single_on_a_processor_unless_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float16").save_pretrained(tmp_path)
    backend = await loaded(tmp_path)
    assert backend._engine.model.dtype == torch.float32
    await backend.aclose()


def test_models_of_several_roles_are_made_one_after_the_other(folder: Path) -> None:
    """While it makes a model transformers switches things for every thread: two at once came out without weights."""
    from concurrent.futures import ThreadPoolExecutor

    from llmsynth.backends._loading import load

    class Slow:
        now = most = 0

        @classmethod
        def from_pretrained(cls, *args: Any, **options: Any) -> Any:
            cls.now += 1
            cls.most = max(cls.most, cls.now)
            time.sleep(0.02)
            cls.now -= 1
            return transformers.AutoModelForCausalLM.from_pretrained(*args, **options)

    with ThreadPoolExecutor(4) as threads:
        loaded = list(threads.map(lambda _: load(Slow, str(folder), "cpu", "auto", False), range(4)))
    assert Slow.most == 1 and len(loaded) == 4


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
async def test_a_device_that_is_not_there_ends_the_run(folder: Path, device: str) -> None:
    (outcome,) = await ask(TransformersBackend(str(folder), device=device), [request("a")])
    assert isinstance(outcome, BackendError)
    assert device in str(outcome)


def test_a_dtype_that_does_not_exist_is_found_before_anything_is_loaded(folder: Path) -> None:
    text = f"generator: {{use: self-instruct}}\nmodels: {{default: {{use: transformers, model: {folder}, dtype: fp8}}}}"
    with pytest.raises(RecipeError, match="dtype"):
        Recipe.parse(text)


async def test_weights_that_are_none_end_the_run(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes()[:40])
    (outcome,) = await ask(TransformersBackend(str(tmp_path)), [request("a")])
    assert isinstance(outcome, ModelNotFoundError)
