"""What people install is what we test."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SCRIPT = """
from pathlib import Path
import llmsynth
from llmsynth import FakeBackend, Recipe, synthesize

assert "site-packages" in llmsynth.__file__, llmsynth.__file__
recipe = Recipe.parse('''
target: 10
generator: {use: self-instruct, lookahead: 2}
models: {default: {use: fake, function: "teacher:reply"}}
''')
result = synthesize(recipe, "run")
assert result.complete and result.report["rows"]["kept"] == 10, result.report
import datasets
assert datasets.load_dataset("run/dataset", split="train").num_rows == 10
try:
    Recipe.parse("generator: {use: self-instruct}\\nmodels: {default: {use: transformers, model: nobody/nothing}}")
    synthesize(Recipe.load("demo", ["target=1"]), "pocket")
except llmsynth.LlmsynthError as error:
    assert "pip install 'llmsynth[local]'" in error.hint, error
else:
    raise SystemExit("torch is there: the base install is not light")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_prompts_seeds_recipes_and_the_teacher(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        size = sum(info.file_size for info in archive.infolist())
    for name in (
        "llmsynth/data/prompts/self_instruct/instructions.jinja",
        "llmsynth/data/prompts/self_instruct/demonstrations.yaml",
        "llmsynth/data/seeds.jsonl",
        "llmsynth/data/pocket/model.safetensors",
        "llmsynth/data/embedder/vectors.npz",
        "llmsynth/data/embedder/README.md",
        "llmsynth/recipes/demo.yaml",
        "llmsynth/rating/page.html",
        "llmsynth/py.typed",
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]
    assert size < 24_000_000


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    constraints = str(ROOT / "scripts" / "constraints.txt")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", constraints, str(wheel)], check=True, capture_output=True
    )
    (tmp_path / "teacher.py").write_text((ROOT / "tests" / "teacher.py").read_text())
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, "-c", SCRIPT], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
