"""Rubrics: what a judge looks at, as YAML that people write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from llmsynth import options
from llmsynth.errors import RecipeError
from llmsynth.prompts import Prompts
from llmsynth.text import fingerprint

FOLDER = "judge/rubrics"


@dataclass(frozen=True)
class Criterion:
    """One thing that marks are given for.

    name: what the judge writes before the mark, and the end of the score's name. ask: what to look at.
    weight: in the overall mark. levels: what some marks mean; the more of them, the better judges agree.
    """

    name: str
    ask: str
    weight: float = 1.0
    levels: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rubric:
    """Criteria on one scale. purpose: the judge's task, in a sentence or two; id: name and a hash of the content."""

    purpose: str
    criteria: tuple[Criterion, ...]
    least: int = 1
    most: int = 5
    id: str = ""

    def __post_init__(self) -> None:
        names = [criterion.name for criterion in self.criteria]
        if not names or len({name.lower() for name in names}) < len(names):
            raise RecipeError("a rubric has criteria, each under a name of its own", "such as name: correctness")
        if self.least >= self.most:
            raise RecipeError(f"the scale runs from {self.least} to {self.most}", "such as least: 1, most: 5")
        if min(criterion.weight for criterion in self.criteria) <= 0:
            raise RecipeError("the weight of a criterion is above 0", "leave the criterion out instead")
        if wrong := [m for c in self.criteria for m in c.levels if not self.least <= m <= self.most]:
            raise RecipeError(f"the mark {wrong[0]} is not on the scale", f"from {self.least} to {self.most}")

    @property
    def names(self) -> list[str]:
        return [criterion.name for criterion in self.criteria]

    def overall(self, marks: Mapping[str, float | None]) -> float | None:
        """The weighted mean of the marks; None as soon as one is missing."""
        total = 0.0
        for criterion in self.criteria:
            mark = marks[criterion.name]
            if mark is None:
                return None
            total += criterion.weight * mark
        return total / sum(criterion.weight for criterion in self.criteria)


def rubric_of(name: str, prompts: Prompts) -> Rubric:
    """A rubric that is shipped, or overridden in the prompt folder, by its name, or anybody's by the path of its file.

    Raises `RecipeError` or `PromptError`, naming the place.
    """
    if name.endswith((".yaml", ".yml")):
        place, data = name, _own(Path(name))
    else:
        place = f"{FOLDER}/{name}.yaml"
        data = prompts.data(place)
    try:
        if isinstance(data.get("criteria"), list):
            criteria = tuple(_criterion(item, n) for n, item in enumerate(data["criteria"]))
            data = {**data, "criteria": criteria}
        identity = f"{Path(place).stem}@{fingerprint(repr(data))[:8]}"
        rubric: Rubric = options.build(Rubric, {**data, "id": identity}, ("rubric",))
    except RecipeError as error:
        raise RecipeError(f"{place}: {error.message}", error.hint) from error
    return rubric


def _criterion(item: Any, number: int) -> Criterion:
    path: options.Path = ("rubric", "criteria", number)
    if not isinstance(item, dict):
        raise options.OptionError(path, "expected a mapping", "it has name, ask, weight and levels")
    made: Criterion = options.build(Criterion, item, path)
    return made


def _own(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"the rubric {path} cannot be read: {error.strerror}", "is its path right?") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"the rubric {path} is no YAML: {error}", "`llmsynth prompts ls` lists some") from error
    if not isinstance(data, dict):
        raise RecipeError(f"the rubric {path} holds no mapping", "it has purpose, least, most and criteria")
    return data
