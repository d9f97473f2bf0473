"""What recipes name: generators, with what makes their seeds, steps, selectors; built, and written out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

from llmsynth import options
from llmsynth.errors import RecipeError
from llmsynth.generated import Generated
from llmsynth.generators import GENERATORS
from llmsynth.generators.protocol import Generator
from llmsynth.selectors import SELECTORS, Selector
from llmsynth.steps import STEPS, Check, Step

Spec = Mapping[str, Any]


def used(spec: Spec, path: options.Path) -> Any:
    """The name under `use`. Raises `OptionError` where there is none."""
    if "use" not in spec:
        raise options.OptionError((*path, "use"), "missing", "it names what to use, such as `use: self-instruct`")
    return spec["use"]


def generator_of(spec: Spec, path: options.Path) -> Generator:
    """The generator that the recipe describes at `path`. Raises `OptionError`."""
    target = options.find(used(spec, path), GENERATORS, (*path, "use"))
    rest = {key: value for key, value in spec.items() if key != "use"}
    if isinstance(seeds := rest.get("seeds"), dict):
        if isinstance(target, type) and Generated not in get_args(get_type_hints(target).get("seeds")):
            raise options.OptionError(
                (*path, "seeds"), f"{spec['use']} reads its seeds from a file", "evol-instruct evolves what others make"
            )
        rest["seeds"] = _generated(seeds, (*path, "seeds"))
    generator: Generator = options.build(target, rest, path)
    return generator


def steps_of(specs: Sequence[Spec], path: options.Path) -> list[Step]:
    """The steps that the recipe describes at `path`. Raises `OptionError`."""
    return [_step(spec, (*path, i)) for i, spec in enumerate(specs)]


def selectors_of(specs: Sequence[Spec], path: options.Path) -> list[Selector]:
    """The selectors that the recipe describes at `path`. Raises `OptionError`."""
    return [_selector(spec, (*path, i)) for i, spec in enumerate(specs)]


def resolved_generator(spec: Spec, generator: Generator) -> dict[str, Any]:
    """The description of a generator with every default spelled out."""
    data = {"use": spec["use"], **options.options_of(generator)}
    if isinstance(seeds := getattr(generator, "seeds", None), Generated):
        inner = spec["seeds"]
        made = {"target": seeds.target, "steps": resolved_steps(inner.get("steps", ()), seeds.steps)}
        data["seeds"] = {**resolved_generator(inner, seeds.generator), **made}
    return data


def resolved_steps(specs: Sequence[Spec], steps: Sequence[Step | Selector]) -> list[dict[str, Any]]:
    """The description of steps, or selectors, with every default spelled out."""
    return [
        {"use": spec["use"], **({} if isinstance(step, Check) else options.options_of(step))}
        for spec, step in zip(specs, steps, strict=True)
    ]


def _generated(spec: Spec, path: options.Path) -> Generated:
    rest = {key: value for key, value in spec.items() if key not in ("target", "steps")}
    generator = generator_of(rest, path)
    if "target" not in spec:
        raise options.OptionError((*path, "target"), "missing", "how many kept records are wanted as seeds")
    target = options.checked(int, spec["target"], (*path, "target"))
    specs = options.checked(list[dict[str, Any]], spec.get("steps", []), (*path, "steps"))
    steps = steps_of(specs, (*path, "steps"))
    try:
        return Generated(generator, target, tuple(steps))
    except RecipeError as error:  # the target
        raise options.OptionError((*path, "target"), error.message, error.hint) from error


def _selector(spec: Spec, path: options.Path) -> Selector:
    target = options.find(used(spec, path), SELECTORS, (*path, "use"))
    selector: Selector = options.build(target, {key: value for key, value in spec.items() if key != "use"}, path)
    return selector


def _step(spec: Spec, path: options.Path) -> Step:
    target = options.find(used(spec, path), STEPS, (*path, "use"))
    rest = {key: value for key, value in spec.items() if key != "use"}
    if isinstance(target, type):
        step: Step = options.build(target, rest, path)
        return step
    if not callable(target):
        raise options.OptionError((*path, "use"), f"{spec['use']!r} is neither a class nor a function")
    options.refuse_unknown(rest, (), path)
    return Check(target)
