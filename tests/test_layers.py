"""The shape of the package: who may import whom, what is imported at once, what is public."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import llmsynth

PACKAGE = Path(llmsynth.__file__).parent

# A module imports its own layer or lower ones. A folder stands for all modules in it.
LAYERS = {
    0: "errors record request text parsing similarity prices policy columns expression agreement families forms"
    " heuristics likelihood tags diversity verb_objects lineage formats intervals papers"
    " licences frontmatter plain_yaml",  # values: no I/O, no clock
    1: "blocking order journal arrow column_types budget funnel limits trouble concurrency model prompts run sources"
    " dataset shards options taxonomy overlap embed endpoint headers benchmarks rubric diversity_report score_report"
    " forecast",
    # the catalogue, and how records go through it
    2: "backends generators steps selectors curation generated selection rejudging early",
    # the assembly
    3: "card cards catalogue footprint layout prediction recipe recipe_text rethreshold finish synthesis estimate"
    " sharing export exported variety rating publish report",
    4: "cli __main__",
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}
CATALOGUES = ("backends", "generators", "steps", "selectors")
HEAVY = ("torch", "transformers", "vllm", "datasets", "pandas", "numpy", "pyarrow", "numba", "aiohttp", "pydantic")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that a module imports as it is loaded itself, without the package's name."""
    for node in _at_module_level(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{path}: relative import"
            # `from llmsynth import options` imports a module too
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = inner if node.module == "llmsynth" else [node.module or ""]
        yield from (name.removeprefix("llmsynth.") for name in names if name.startswith("llmsynth."))


def _at_module_level(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            yield from _at_module_level([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.If) and ast.unparse(node.test) != "TYPE_CHECKING":
            yield from _at_module_level([*node.body, *node.orelse])


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_its_own_layer_or_lower_ones(path: Path) -> None:
    own = name_of(path).split(".")[0]
    assert own in LAYER_OF, f"give {own} a layer"
    for name in imported(path):
        other = name.split(".")[0]
        assert LAYER_OF[other] <= LAYER_OF[own], f"{own} (layer {LAYER_OF[own]}) imports {name}"


@pytest.mark.parametrize("path", [p for p in modules() if name_of(p).split(".")[0] in CATALOGUES], ids=name_of)
def test_siblings_of_the_catalogue_do_not_know_each_other(path: Path) -> None:
    own = name_of(path).split(".")
    for name in imported(path):
        other = name.split(".")
        if other[0] in CATALOGUES:
            assert other[0] == own[0], f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_stays_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import llmsynth") & set(HEAVY) == set()


def test_reading_recipes_loads_nothing_heavy() -> None:
    assert loaded_by("import llmsynth.recipe, llmsynth.synthesis") & set(HEAVY) == set()


def test_the_public_names_are_sorted_and_there() -> None:
    assert llmsynth.__all__ == sorted(llmsynth.__all__)
    for name in llmsynth.__all__:
        assert getattr(llmsynth, name).__name__ == name


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = llmsynth.nonsense


@pytest.mark.parametrize("registry", [f"{name}:{name.upper()}" for name in CATALOGUES] + ["embed:EMBEDDERS"])
def test_everything_registered_can_be_imported(registry: str) -> None:
    module, _, name = registry.partition(":")
    for target in getattr(importlib.import_module(f"llmsynth.{module}"), name).values():
        home, _, attribute = target.partition(":")
        assert isinstance(getattr(importlib.import_module(home), attribute), type)
