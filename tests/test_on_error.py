"""What becomes of rows for which a model gave no answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmsynth import Recipe, Result, synthesize
from llmsynth.errors import RecipeError, RunError
from llmsynth.request import Completion, Request, RequestFailedError
from tests.test_dataset import load, offline  # noqa: F401  (a fixture)
from tests.test_rows import lines

ROWS = [{"question": f"What is {n} + 1?", "answer": None, "n": n} for n in range(6)] + [
    {"question": "And now?", "answer": "no idea", "n": 6}
]


class Server:
    """Answers all but what it is to refuse."""

    name = identity = "server"
    price = None

    def __init__(self, *refused: int) -> None:
        self.refused = refused
        self.asked = 0

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        question = request.messages[0]["content"]
        if any(f"is {n} " in question for n in self.refused):
            raise RequestFailedError("http_400", "not this one", retryable=False)
        return Completion(f"answer to {question}", "stop", 3, 3)

    async def aclose(self) -> None:
        pass


def made(folder: Path, server: Server, on_error: str, **more: Any) -> Result:
    data = {
        "generator": {"use": "rows", "path": str(lines(folder / "data.jsonl", ROWS)), **more},
        "models": {"default": {"use": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}},
        "steps": [{"use": "tests.plugins:Answers"}],
        "on_error": on_error,
    }
    return synthesize(Recipe.from_data(data), folder / "run", backends={"default": server})


def rows(result: Result, folder: Path) -> dict[int, Any]:
    return {row["n"]: row["answer"] for row in load(result.dataset, folder / "cache")}


def test_by_default_they_are_not_in_the_dataset_and_told(tmp_path: Path) -> None:
    result = made(tmp_path, Server(1, 4), "drop")
    assert list(rows(result, tmp_path)) == [0, 2, 3, 5, 6]
    assert result.report["rows"] == {"in": 7, "kept": 5, "dropped": {}, "failed": {"http_400": 2}}
    assert not result.complete


def test_with_null_they_stand_in_their_place_with_null(tmp_path: Path) -> None:
    result = made(tmp_path, Server(1, 4), "null")
    answers = rows(result, tmp_path)
    assert list(answers) == [*range(7)] and [n for n, answer in answers.items() if answer is None] == [1, 4]
    assert result.report["rows"]["failed"] == {"http_400": 2} and not result.complete
    told = [
        json.loads(row["metadata"]).get("failed") for row in load(result.dataset, tmp_path / "again", config="full")
    ]
    assert told == [None, "http_400", None, None, "http_400", None, None]
    card = (result.dataset / "README.md").read_text()
    assert "In 2 rows something is null, as a model gave no answer." in card and "| read |  | 7 |" in card
    assert "| unknown: nobody said | 7 |" in card


def test_what_had_no_answer_is_asked_again_by_the_same_command(tmp_path: Path) -> None:
    made(tmp_path, Server(1, 4), "null")
    server = Server()
    result = made(tmp_path, server, "null")
    assert server.asked == 2 and result.complete and None not in rows(result, tmp_path).values()


def test_with_raise_the_first_one_ends_the_run_and_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"record data\.jsonl:2 failed: http_400: not this one") as caught:
        made(tmp_path, Server(1), "raise")
    assert "run the same command again" in str(caught.value.hint)
    server = Server()
    assert made(tmp_path, server, "raise").complete and server.asked == 1


def test_in_a_recipe_null_needs_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("generator: {use: glan}\nmodels: {default: {use: pocket}}\non_error: null\n")
    assert Recipe.load(path).on_error == "null" == Recipe.load(path, ["on_error=null"]).on_error
    again = tmp_path / "saved.yaml"
    again.write_text(Recipe.load(path).to_yaml())
    assert Recipe.load(again).on_error == "null"
    assert Recipe.load(path, ["on_error=raise"]).on_error == "raise"


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="on_error"):
        made(tmp_path, Server(), "ignore")
