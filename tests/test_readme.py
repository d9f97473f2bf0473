"""Every code block of the README does what it says."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from llmsynth import Recipe

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


@pytest.mark.parametrize("block", blocks("python"))
def test_the_python_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["result"].report["rows"]["kept"] == 20


@pytest.mark.parametrize("block", blocks("yaml"))
def test_the_recipe_is_one(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gsm8k-test.jsonl").write_text('{"question": "How many clips did Nora sell in all, if she sold two a day?"}')
    built = Recipe.parse(block, source="README.md").build()
    assert len(built.models) == 2 and "default" in built.models


def commands() -> list[list[str]]:
    text = "\n".join(blocks("bash")).replace("\\\n", " ")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_commands_exist_with_their_options(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if command[0].startswith("scripts/"):
        assert (ROOT / command[0]).stat().st_mode & 0o111
    elif command[0] == "pip":
        assert command[1:] == ["install", "llmsynth"]
    else:
        from llmsynth.cli import main

        # the help of a command is reached only if all options before it are known to it
        monkeypatch.setattr(sys, "argv", [*command, "--help"])
        with pytest.raises(SystemExit) as exit:
            main()
        assert exit.value.code == 0, capsys.readouterr().err
