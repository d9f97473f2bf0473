"""Embedders, and the file that keeps their vectors."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.embed import Embedder, embedder_of
from llmsynth.embed.cache import Vectors
from llmsynth.embed.openai import OpenAIEmbedder
from llmsynth.embed.static import FOLDER, StaticEmbedder, _Tokens
from llmsynth.errors import AuthenticationError, BackendError, ModelNotFoundError, RecipeError, UnavailableError
from llmsynth.run import Run
from llmsynth.similarity.vectors import cosine, fixed
from tests.loopback import Fault, Loopback
from tests.near_texts import run_python

STATIC = StaticEmbedder()


@dataclass
class Counting:
    """An embedder of three dimensions that counts what it is asked for."""

    identity: str = "counting"
    dimensions: int | None = 3
    costly: bool = True
    asked: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return np.array([[len(text), text.count("a"), 1] for text in texts], np.float32)


# the static model


def test_texts_that_mean_the_same_are_closer_than_others() -> None:
    sea, ocean, code = fixed(STATIC.vectors(["poem about the sea", "verse about the ocean", "sort a list in Python"]))
    assert cosine(sea, ocean) > 0.6 > 0.3 > cosine(sea, code)


def test_static_vectors_have_unit_length_or_are_zero() -> None:
    rows = STATIC.vectors(["one", "", " \n", "two words", "\x00"])
    assert rows.shape == (5, STATIC.dimensions) and rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 0, 0, 1, 0], abs=1e-6)


@given(st.text(alphabet=[chr(code) for code in range(128)], max_size=60))
def test_the_tokens_of_an_ascii_text_are_those_of_the_tokenizer(text: str) -> None:
    assert TOKENS.of(text) == TOKENS._encode(text)


TOKENS = _Tokens(FOLDER / "tokenizer.json")


def test_static_vectors_do_not_depend_on_the_other_texts_of_a_batch() -> None:
    rng = random.Random(0)
    texts = [
        " ".join(rng.choices(["write", "café", "poem", "x" * 200, "日本", "42", "Straße"], k=9)) for _ in range(40)
    ]
    together = STATIC.vectors(texts)
    assert all(np.array_equal(STATIC.vectors([text])[0], row) for text, row in zip(texts, together, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "Сегодня в Москве ожидается переменная облачность, без осадков.",
        "오늘 서울은 구름이 조금 끼고 기온은 이십 도까지 오르겠습니다.",
        "आज दिल्ली में मौसम साफ रहेगा और तापमान तीस डिग्री तक पहुंच सकता है।",
        "من المتوقع أن يكون الطقس اليوم في القاهرة مشمسا",
        "Γράψτε μια συνάρτηση που ταξινομεί μια λίστα αριθμών.",
        "请编写一个函数,对数字列表进行升序排序。",
        "Translate into English: Сегодня хорошая погода, и мы идём в парк.",
    ],
)
def test_nothing_is_seen_in_letters_of_other_scripts_which_would_make_any_two_texts_alike(text: str) -> None:
    assert not STATIC.vectors([text]).any()


@pytest.mark.parametrize(
    "text", ["Find the angle α if β = 30° and γ → 0 — “naïve” 😀", "Überschüsse für die Straße", "mùa thu ở Hà Nội"]
)
def test_a_few_such_letters_and_accents_hide_nothing(text: str) -> None:
    assert STATIC.vectors([text]).any()


def test_a_text_of_ten_megabytes_or_half_a_surrogate_pair_is_embedded() -> None:
    assert np.linalg.norm(STATIC.vectors(["word " * 2_000_000, "lone \ud800 half"]), axis=1) == pytest.approx([1, 1])


def test_the_static_model_is_small_and_says_whose_it_is() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10_000_000
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "all-MiniLM-L6-v2" in card and "apache-2.0" in card and "Spearman" in card and "$" not in card


def test_the_static_model_loads_no_framework() -> None:
    code = (
        "import sys\n"
        "from llmsynth.embed.static import StaticEmbedder\n"
        "StaticEmbedder().vectors(['a text'])\n"
        "print(*{'torch', 'transformers', 'sentence_transformers', 'pandas', 'datasets'} & set(sys.modules))"
    )
    assert run_python(code).strip() == ""


# by name


def test_an_embedder_is_found_by_name_or_with_options() -> None:
    assert isinstance(embedder_of("static"), StaticEmbedder)
    made = embedder_of({"use": "openai", "model": "m", "base_url": "http://localhost:1/v1/", "batch": 7})
    assert isinstance(made, OpenAIEmbedder) and made.batch == 7 and made.identity == "openai:http://localhost:1/v1:m"
    assert isinstance(embedder_of("tests.test_embed:Counting"), Counting)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("statik", "static"),
        ({"use": "openai", "modle": "m"}, "model"),
        ({"model": "m"}, "use"),
        ("random:Random", "no"),
    ],
)
def test_a_wrong_embedder_is_an_error_that_names_the_right_one(spec: Any, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        embedder_of(spec)


# the cache


async def test_a_text_is_embedded_once_for_all_who_share_an_embedder(tmp_path: Path) -> None:
    embedder = Counting()
    run = Run(models={}, directory=tmp_path)
    first = await run.vectors(embedder).of(["a", "bb", "a"])
    assert first.tolist() == fixed(await Counting().embed(["a", "bb", "a"])).tolist()
    assert (await run.vectors(Counting()).of(["bb", "ccc"]))[0].tolist() == first[1].tolist()
    assert embedder.asked == ["a", "bb", "ccc"]


async def test_a_later_run_finds_the_vectors_of_a_killed_one(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(20)]
    before = await Vectors(Counting(), tmp_path).of(texts)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    for cut in (1, 21, len(whole) - 5):
        file.write_bytes(whole[: len(whole) - cut])
        embedder = Counting()
        assert np.array_equal(await Vectors(embedder, tmp_path).of(texts), before)
        assert len(embedder.asked) == min(20, -(-cut // 22))
        assert file.read_bytes()[-100:] == whole[-100:]


async def test_another_model_never_gets_the_vectors_of_this_one(tmp_path: Path) -> None:
    await Vectors(Counting(), tmp_path).of(["a"])
    other = Counting(identity="another")
    await Vectors(other, tmp_path).of(["a"])
    assert other.asked == ["a"]
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_file_of_something_else_is_replaced(tmp_path: Path) -> None:
    await Vectors(Counting(), tmp_path).of(["a"])
    [file] = tmp_path.iterdir()
    for rubbish in (b"", b"rubbish", b"[]\n123", b'{"identity": "counting"}\n'):
        file.write_bytes(rubbish)
        assert (await Vectors(Counting(), tmp_path).of(["a"])).shape == (1, 3)


async def test_what_costs_nothing_is_not_kept(tmp_path: Path) -> None:
    await Vectors(Counting(costly=False), tmp_path).of(["a"])
    await Vectors(Counting(), None).of(["a"])
    assert list(tmp_path.iterdir()) == []


async def test_a_model_that_changes_behind_its_name_is_an_error(tmp_path: Path) -> None:
    await Vectors(Counting(), tmp_path).of(["a"])

    class Wider(Counting):
        async def embed(self, texts: Sequence[str]) -> Any:
            return np.ones((len(texts), 4), np.float32)

    with pytest.raises(BackendError, match="4 numbers after some of 3"):
        await Vectors(Wider(), tmp_path).of(["b"])


@pytest.mark.parametrize("rows", [np.ones((2, 3)), np.ones(3), np.full((1, 3), np.nan)])
async def test_an_embedder_that_gives_no_vectors_is_an_error(rows: Any) -> None:
    class Broken(Counting):
        async def embed(self, texts: Sequence[str]) -> Any:
            return rows

    with pytest.raises(BackendError, match="no vectors"):
        await Vectors(Broken(), None).of(["a"])


# an endpoint


async def test_an_endpoint_is_asked_in_batches_and_answers_are_put_in_order(loopback: Loopback) -> None:
    embedder: Embedder = OpenAIEmbedder("e5", loopback.url, batch=3)
    texts = [f"text {i}" for i in range(8)]
    rows = await embedder.embed([*texts, "", "  "])
    assert embedder.dimensions == rows.shape[1] == 8
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1] * 8 + [0] * 2, abs=1e-6)
    assert sorted(len(body["input"]) for body in loopback.bodies) == [2, 3, 3]
    for text, row in zip(texts, rows[:8], strict=True):
        assert np.array_equal((await embedder.embed([text]))[0], row)


async def test_a_key_is_sent_and_stays_out_of_the_identity_and_pickles(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBED_KEY", "sk-very-secret")
    embedder = OpenAIEmbedder("e5", loopback.url, api_key_env="EMBED_KEY", shorten=4)
    assert b"sk-very-secret" not in pickle.dumps(embedder) and "secret" not in embedder.identity
    assert (await pickle.loads(pickle.dumps(embedder)).embed(["a"])).shape == (1, 4)
    assert loopback.headers[0]["Authorization"] == "Bearer sk-very-secret"
    assert loopback.bodies[0]["dimensions"] == 4
    monkeypatch.delenv("EMBED_KEY")
    with pytest.raises(AuthenticationError, match="EMBED_KEY"):
        OpenAIEmbedder("e5", loopback.url, api_key_env="EMBED_KEY")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmsynth.embed.openai._FIRST_WAIT", 0.001)


@pytest.mark.usefixtures("quick")
async def test_faults_are_tried_again_and_being_told_to_wait_is_no_attempt(loopback: Loopback) -> None:
    slow = Fault("status", 429, {"Retry-After": "0.01"})
    loopback.faults = {
        **dict.fromkeys(range(6), slow),
        6: Fault("status", 500),
        7: Fault("reset"),
        8: Fault("bad_json"),
    }
    rows = await OpenAIEmbedder("e5", loopback.url, attempts=4).embed(["a"])
    assert rows.shape == (1, 8) and loopback.requests == 10


async def test_a_wait_that_one_request_is_told_holds_all_back(loopback: Loopback) -> None:
    loopback.faults = {0: Fault("status", 429, {"Retry-After": "0.4"})}
    loopback.latency = (0.05, 0.05)
    embedder = OpenAIEmbedder("e5", loopback.url, batch=1, concurrency=2)
    assert (await embedder.embed([f"text {i}" for i in range(4)])).shape == (4, 8)
    first, second, *later = loopback.times
    assert second - first < 0.3 and min(later) - first > 0.4


@pytest.mark.usefixtures("quick")
async def test_however_often_an_endpoint_asks_to_wait_it_is_waited_for(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.limits._LONGEST_DOUBTED_WAIT", 0.001)
    loopback.faults = dict.fromkeys(range(30), Fault("status", 429, {"Retry-After": "0"}))
    assert (await OpenAIEmbedder("e5", loopback.url, attempts=1).embed(["a"])).shape == (1, 8)
    assert loopback.requests == 31


async def test_an_endpoint_in_trouble_that_says_to_come_at_once_is_waited_for_all_the_same(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmsynth.embed.openai._FIRST_WAIT", 0.1)
    loopback.faults = dict.fromkeys(range(2), Fault("status", 503, {"Retry-After": "0"}))
    await OpenAIEmbedder("e5", loopback.url, attempts=3).embed(["a"])
    assert loopback.times[2] - loopback.times[0] > 0.05 + 0.1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "requests", "error"),
    [
        (Fault("status", 500), 3, UnavailableError),
        (Fault("status", 400), 1, UnavailableError),
        (Fault("html"), 3, UnavailableError),
        (Fault("status", 401), 1, AuthenticationError),
        (Fault("status", 404), 1, ModelNotFoundError),
    ],
)
async def test_attempts_are_bounded(loopback: Loopback, fault: Fault, requests: int, error: type[Exception]) -> None:
    loopback.fault = lambda number, body: fault
    with pytest.raises(error):
        await OpenAIEmbedder("e5", loopback.url, attempts=3).embed(["a"])
    assert loopback.requests == requests


# sentence-transformers


@pytest.mark.slow  # importing that package takes as long as a hundred tests
async def test_any_sentence_transformers_model_is_an_embedder(tmp_path: Path) -> None:
    model = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    with np.load(FOLDER / "vectors.npz") as stored:
        weights = stored["vectors"][:, :16].astype(np.float32)
    made = model.SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")
    made.save_pretrained(str(tmp_path / "tiny"))
    embedder = embedder_of({"use": "sentence-transformers", "model": str(tmp_path / "tiny"), "device": "cpu"})
    assert embedder.identity.startswith("sentence-transformers:tiny@") and str(tmp_path) not in embedder.identity
    rows = await pickle.loads(pickle.dumps(embedder)).embed(
        ["poem about the sea", "verse about the ocean", "sort a list"]
    )
    assert rows.shape == (3, 16) and rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


def test_a_path_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no model directory"):
        embedder_of({"use": "sentence-transformers", "model": str(tmp_path / "nothing")})
