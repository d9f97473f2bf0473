"""What a person gets wrong: one clear error each, naming place and remedy, and nothing lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GOOD = {"id": "a", "instruction": "Name three colours of the rainbow.", "input": "", "output": "red, green, blue"}
FAKE = '{use: fake, function: "tests.teacher:reply"}'


def llmsynth(*arguments: str, cwd: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line; `limit` is the largest file it may write, in bytes."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": ""}
    command = [sys.executable, "-m", "llmsynth", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, preexec_fn=restrict)


def explained(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    # on a busy machine a line of progress may come first
    assert [line.split(": ")[0] for line in lines if line.startswith(("error: ", "hint: "))] == ["error", "hint"]
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["seeds.jsonl"]),
        (b"", ["seeds.jsonl"]),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe\x00\x00", ["seeds.jsonl"]),
        (json.dumps(GOOD).encode() + b'\n{"instruction": "Cut in the mid', ["seeds.jsonl", "2"]),
        (b'{"task": "Name a colour of the rainbow.", "output": "red"}', ["seeds.jsonl", "instruction"]),
        (json.dumps({**GOOD, "instruction": "x" * 1_000_000}).encode(), ["seeds.jsonl"]),
        (b'{"instruction": "Say \\ud800 aloud to me.", "output": "red"}', ["seeds.jsonl", "U+D800"]),
    ],
    ids=["missing", "empty", "binary", "half", "wrong field", "a megabyte", "lone surrogate"],
)
def test_a_seed_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    if content is not None:
        (tmp_path / "seeds.jsonl").write_bytes(content)
    done = llmsynth(
        "self-instruct", "--seeds", "seeds.jsonl", "-m", "m", "--base-url", "http://127.0.0.1:9/v1", cwd=tmp_path
    )
    explained(done, *words)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            f"target: 5\ngenerator: {{use: self-instruct}}\nmodles:\n  default: {FAKE}",
            ["line 3", "modles", "did you mean models"],
        ),
        (
            f"target: 5\ngenerator:\n  use: self-instruct\n  shwon: 4\nmodels: {{default: {FAKE}}}",
            ["line 4", "did you mean shown"],
        ),
        (
            f"target: many\ngenerator: {{use: self-instruct}}\nmodels: {{default: {FAKE}}}",
            ["line 1", "target", "integer"],
        ),
        (
            "generator: {use: self-instruct}\nmodels:\n  default:\n    use: opanai\n    model: x",
            ["line 4", "did you mean openai"],
        ),
        ("generator: {use: self-instruct}\nmodels:\n  default: {use: openai}", ["model", "missing"]),
        ("generator: {use: self-instruct\nmodels: [", ["line 2"]),
        (f"generator: {{use: self-instruct, threshold: 7}}\nmodels: {{default: {FAKE}}}", ["threshold"]),
    ],
    ids=["key", "option", "type", "backend", "missing", "no yaml", "range"],
)
def test_a_recipe_that_cannot_be_used(tmp_path: Path, recipe: str, words: list[str]) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe)
    explained(llmsynth("run", "recipe.yaml", cwd=tmp_path), *words)


def test_a_model_directory_without_weights(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    explained(llmsynth("self-instruct", "-m", "transformers:./model", cwd=tmp_path), "model", "no weights")


def test_a_prompt_with_an_undefined_variable(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "self_instruct"
    folder.mkdir(parents=True)
    (folder / "classification.jinja").write_text("Is {{ instrution }} one?")
    (tmp_path / "recipe.yaml").write_text(
        f"target: 5\nprompts: mine\ngenerator: {{use: self-instruct}}\nmodels: {{default: {FAKE}}}"
    )
    explained(llmsynth("run", "recipe.yaml", cwd=tmp_path), "classification.jinja", "instrution")
    assert not (tmp_path / "runs" / "llmsynth" / "dataset").exists()


def test_a_server_that_is_down(tmp_path: Path) -> None:
    done = llmsynth(
        "self-instruct",
        "-m",
        "m",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--set",
        "models.default.attempts=2",
        "--quiet",
        cwd=tmp_path,
    )
    explained(done, "127.0.0.1:9", "base_url")


def test_a_disk_that_is_full_keeps_what_was_answered_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        f"target: 60\ngenerator: {{use: self-instruct, lookahead: 2}}\nmodels: {{default: {FAKE}}}"
    )
    journal = tmp_path / "out" / "journal.jsonl"
    explained(llmsynth("run", "recipe.yaml", "-o", "out", cwd=tmp_path, limit=30_000), "journal.jsonl")
    kept = journal.read_text().splitlines()
    assert len(kept) > 3
    keys = [json.loads(line)["key"] for line in kept]
    assert llmsynth("run", "recipe.yaml", "-o", "out", cwd=tmp_path).returncode == 0
    every = [json.loads(line)["key"] for line in journal.read_text().splitlines()]
    assert every[: len(keys)] == keys and len(every) == len(set(every))


def test_a_directory_of_another_recipe(tmp_path: Path) -> None:
    recipe = f"target: 5\ngenerator: {{use: self-instruct}}\nmodels: {{default: {FAKE}}}"
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert llmsynth("run", "recipe.yaml", "-o", "out", cwd=tmp_path).returncode == 0
    explained(llmsynth("run", "recipe.yaml", "-o", "out", "--set", "seed=3", cwd=tmp_path), "out", "seed", "--update")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    explained(llmsynth("run", "recipe.yaml", "-o", "other", cwd=tmp_path), "other")
    assert (tmp_path / "other" / "thesis.tex").read_text() == "mine"
