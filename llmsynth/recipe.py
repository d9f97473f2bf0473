"""`Recipe`: a whole run as data."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from llmsynth import options
from llmsynth.backends import BACKENDS
from llmsynth.budget import Caps
from llmsynth.cards.words import CardWords
from llmsynth.catalogue import generator_of, resolved_generator, resolved_steps, selectors_of, steps_of, used
from llmsynth.embed import asks_endpoint, embedding_of
from llmsynth.errors import RecipeError
from llmsynth.funnel import Funnel
from llmsynth.generators.protocol import Generator, asks
from llmsynth.limits import Rates
from llmsynth.lineage import Splits
from llmsynth.policy import FinishPolicy
from llmsynth.prices import Price
from llmsynth.publish import Target
from llmsynth.recipe_text import apply_override, key_path, parse_yaml
from llmsynth.request import Backend, Sampling
from llmsynth.selectors import Selector
from llmsynth.steps import Step
from llmsynth.text import has_lone_surrogate

BUILTIN_FOLDER = Path(__file__).parent / "recipes"
_RATES = ("requests_per_second", "requests_per_minute", "tokens_per_minute")
_ASKING = ("concurrency", "adaptive", *_RATES, "attempts")
_POLICY = ("on_length", "on_content_filter")
_MODEL_KEYS = {"use", "sampling", "price", *_ASKING, *_POLICY}
_BATCHES = ("max_batch", "wait", "poll", "window", "max_requests", "max_bytes")
_HOW = {*_ASKING, *_BATCHES, "timeout", "price"}  # of a model: they never change the result
_PRIVATE = {"base_url", "api_key_env"}
OnError = Literal["drop", "null", "raise"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to make, with which models. Nothing in it is secret: keys are named by environment variable.

    target: kept records wanted, before selectors choose from them; None until the generator ends by itself.
    generator, steps: `use` names one, the other keys are its options. Where the generator's `seeds` are such a
        mapping, another generator makes them: its `target` says how many, its `steps` what they go through first.
    selectors: in the same way; what each leaves of the kept records is what the next one chooses from.
    models: by role, with `default` for all others: `use` names a backend, `sampling` replaces
        parameters of every request, the keys of `HowToAsk` say how to ask and those of `FinishPolicy`
        what to do with an answer that was cut short or withheld, the other keys are
        the backend's options.
    categories: fields, or keys of the provenance, by whose values the report tells what was lost.
    diversity: what the report tells of how varied the kept rows are: "words" measures words alone, on 300 rows, in an
        instant; "full" also embeds them, on 1,000 rows, which takes a second or two; "none" tells nothing.
    prompts: a folder whose files replace the shipped prompts of the same name.
    caps: on cost (US dollars), tokens and requests; reached, they end the run resumably.
    splits: shares of the dataset for `validation` and `test`, such as {validation: 0.02, test: 0.02}; relatives, such
        as all rounds of evolution of one seed, are in the same. `by` names fields, or keys of the provenance, that
        say who is related; see `llmsynth.lineage`.
    full: whether the dataset has a second config of that name, with where each row comes from beside its columns.
    on_error: what becomes of a row for which a model gave no answer after all attempts. "drop": it is in records/ with
        its reason, not in the dataset. "null", or a bare null: it is there too, in its place, with null where it lacks
        something; one of which no column is filled, or no pair made in a dataset of pairs, is not. "raise": the first
        one ends the run, resumably.
    publish: where the dataset goes once it is complete, with the keys of `publish.Target`; empty for nowhere.
    license, language: for the card; llmsynth cannot know them. Where no language is given, that of our prompts, `en`,
        is taken for what a model makes, and what their source says for rows that are there already.
    card: what else it cannot know, see `CardWords`.
    """

    name: str = "llmsynth"
    seed: int = 0
    target: int | None = None
    generator: dict[str, Any]
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    selectors: list[dict[str, Any]] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    diversity: Literal["words", "full", "none"] = "words"
    prompts: str | None = None
    caps: dict[str, Any] = field(default_factory=dict)
    splits: dict[str, Any] = field(default_factory=dict)
    full: bool = True
    on_error: OnError = "drop"
    publish: dict[str, Any] = field(default_factory=dict)
    license: str | None = None
    language: list[str] | None = None
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.on_error is None:  # as YAML reads a bare null
            object.__setattr__(self, "on_error", "null")
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, options.checked(kind, getattr(self, name), (name,)))
        if self.target is not None and self.target < 1:
            raise options.OptionError(("target",), "should be at least 1", f"it is {self.target} now; null sets none")

    @classmethod
    def load(cls, source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
        """Read a YAML file, or a built-in recipe by its name, and apply `key=value` overrides.

        Raises `RecipeError` naming file, line and key.
        """
        path = Path(source)
        builtin = BUILTIN_FOLDER / f"{source}.yaml"
        if not path.is_file() and builtin.is_file():
            path = builtin
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(sorted(p.stem for p in BUILTIN_FOLDER.glob("*.yaml")))
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise RecipeError(f"cannot read {source}: {why}", f"a YAML file, or a built-in recipe: {names}") from error
        return cls.parse(text, overrides, str(source))

    @classmethod
    def parse(cls, text: str, overrides: Sequence[str] = (), source: str = "recipe") -> Recipe:
        """A recipe from YAML text; `source` is what errors call it."""
        data, lines = parse_yaml(text, source)
        if not isinstance(data, dict):
            raise RecipeError(f"{source} is no mapping", "a recipe has at least the keys generator and models")
        return cls.from_data(data, overrides, source, lines)

    @classmethod
    def from_data(
        cls,
        data: dict[str, Any],
        overrides: Sequence[str] = (),
        source: str = "recipe",
        lines: Mapping[options.Path, int] | None = None,
    ) -> Recipe:
        """A recipe from plain data; `lines` tells errors where in the source a key path stands."""
        for override in overrides:
            apply_override(data, override)
        try:
            options.refuse_unknown(data, _KINDS, ())
            if has_lone_surrogate(data):  # no card and no request could hold it
                raise options.OptionError((), "holds half a character (a lone surrogate)", "write the whole one")
            if "generator" not in data:
                raise options.OptionError(("generator",), "missing", "`use` in it names what makes the records")
            recipe = cls(**data)
            recipe.build()
        except options.OptionError as error:
            for override in overrides:
                parts = key_path(override.partition("=")[0])
                if error.path[: len(parts)] == parts:
                    raise RecipeError(f"--set {override}: {error.message}", error.hint) from error
            places = [error.path[:n] for n in range(len(error.path), 0, -1)]
            line = next((lines[place] for place in places if place in lines), None) if lines else None
            at = f", line {line}" if line else ""
            raise RecipeError(f"{source}{at}: {error.message}", error.hint) from error
        return recipe

    def build(self) -> Built:
        """The objects the recipe describes. Raises `RecipeError`, or a `BackendError` such as a missing key."""
        models: dict[str, BuiltModel] = {}
        for role, spec in self.models.items():
            path: options.Path = ("models", role)
            backend_class = options.find(used(spec, path), BACKENDS, (*path, "use"))
            sampling = spec.get("sampling") or {}
            options.build(Sampling, sampling, (*path, "sampling"))
            how = options.build(HowToAsk, {k: spec[k] for k in _ASKING if k in spec}, path)
            policy = options.build(FinishPolicy, {k: spec[k] for k in _POLICY if k in spec}, path)
            rest = {key: value for key, value in spec.items() if key not in _MODEL_KEYS}
            backend = options.build(backend_class, rest, path)
            given = spec.get("price")
            price = backend.price if given is None else options.build(Price, given, (*path, "price"))
            models[role] = BuiltModel(backend, how, sampling, price, policy)
        caps = options.build(Caps, self.caps, ("caps",))
        if caps.cost is not None and (unpriced := [r for r, m in models.items() if m.price is None]):
            raise options.OptionError(
                ("caps", "cost"),
                f"the price of the model {unpriced[0]!r} is unknown",
                f"add `price: {{prompt: ..., completion: ...}}` (dollars per million tokens) to models.{unpriced[0]}",
            )
        generator = generator_of(self.generator, ("generator",))
        if not models and asks(generator):
            raise options.OptionError(("models",), "no model", "name one under `default`")
        steps, selectors = steps_of(self.steps, ("steps",)), selectors_of(self.selectors, ("selectors",))
        for part in (*steps, *selectors) if caps.cost is not None else ():
            embeds = embedding_of(part)
            if embeds is not None and asks_endpoint(embeds) and getattr(embeds[0], "price", None) is None:
                raise options.OptionError(
                    ("caps", "cost"),
                    f"the price of the embeddings of {embeds[0].identity} is unknown",
                    "name it in a price file, and that in LLMSYNTH_PRICES",
                )
        publish = options.build(Target, self.publish, ("publish",)) if self.publish else None
        splits = options.build(Splits, self.splits, ("splits",))
        words = options.build(CardWords, self.card, ("card",))
        return Built(generator, models, caps, steps, selectors, self.on_error, splits, words, publish)

    @property
    def generators(self) -> list[str]:
        """The names of the generators, in the order in which records go through them."""
        names: list[str] = []
        spec: Any = self.generator
        while isinstance(spec, dict):
            names.insert(0, spec["use"])
            spec = spec.get("seeds")
        return names

    @property
    def languages(self) -> list[str]:
        """What the card is to say they are; none where a source says it."""
        if self.language is not None:
            return self.language
        return ["en"] if asks(generator_of(self.generator, ("generator",))) else []

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default spelled out, as it is saved with a run."""
        built = self.build()
        data = self.data()
        data["generator"] = resolved_generator(self.generator, built.generator)
        data["models"] = {
            role: {
                "use": self.models[role]["use"],
                **options.options_of(model.backend),
                **options.options_of(model.how),
                **options.options_of(model.policy),
                "sampling": model.sampling,
                "price": None if model.price is None else options.options_of(model.price),
            }
            for role, model in built.models.items()
        }
        data["steps"] = resolved_steps(self.steps, built.steps)
        data["selectors"] = resolved_steps(self.selectors, built.selectors)
        data["language"] = self.languages
        data["splits"] = options.options_of(built.splits)
        if not self.card:  # what is not said has no default to be spelled out
            del data["card"]
        return data

    def funnel(self) -> Funnel:
        """The stages that records go through, nothing counted yet."""
        return Funnel(
            self.generators[-1], [spec["use"] for spec in self.steps], [spec["use"] for spec in self.selectors]
        )

    def to_yaml(self) -> str:
        """The recipe as a file that `load` reads back."""
        return yaml.safe_dump(self.data(defaults=False), sort_keys=False, allow_unicode=True, width=100)

    def data(self, defaults: bool = True) -> dict[str, Any]:
        """The recipe as plain data, a copy; without what is as it is by default, if that is not wanted."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if not defaults:
            usual = {f.name: options.default_of(f) for f in dataclasses.fields(self)}
            values = {name: value for name, value in values.items() if value != usual[name]}
        return copy.deepcopy(values)


_KINDS = get_type_hints(Recipe)


@dataclass(frozen=True)
class HowToAsk:
    """How a model is asked, which changes speed and never the result.

    concurrency: requests in flight at most; the default is what a large server takes, as the lookahead of
        the generator bounds it too, and `adaptive` keeps it lower where that is no slower.
    requests_per_second, requests_per_minute, tokens_per_minute: what the endpoint allows, where its
        headers do not tell. Spread evenly.
    attempts: tries per request before it counts as failed; being told to wait is none.
    """

    concurrency: int = 384
    adaptive: bool = True
    requests_per_second: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    attempts: int = 5

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.attempts < 1:
            raise RecipeError("concurrency and attempts must be at least 1", "384 and 5 are usual")
        for name in _RATES:
            rate = getattr(self, name)
            if rate is not None and not rate > 0:
                raise RecipeError(f"{name} must be more than 0", "null sets no limit")

    @property
    def rates(self) -> Rates:
        """What each endpoint allows."""
        return Rates(self.requests_per_second, self.requests_per_minute, self.tokens_per_minute)


@dataclass(frozen=True)
class BuiltModel:
    """A backend, and how to ask it."""

    backend: Backend
    how: HowToAsk = HowToAsk()
    sampling: dict[str, Any] = field(default_factory=dict)
    price: Price | None = None
    policy: FinishPolicy = field(default_factory=FinishPolicy)


@dataclass(frozen=True)
class Built:
    """What a recipe describes."""

    generator: Generator
    models: dict[str, BuiltModel]
    caps: Caps
    steps: list[Step]
    selectors: list[Selector]
    on_error: OnError = "drop"
    splits: Splits = field(default_factory=Splits)
    words: CardWords = field(default_factory=CardWords)
    publish: Target | None = None


def same_result(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The key paths in which two resolved recipes differ, but for those that change speed only."""
    return sorted(_differences(without_how(one), without_how(other), ()))


def without_how(data: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved recipe without what changes speed only, or what becomes of the result."""
    result = copy.deepcopy(dict(data))
    for key in ("caps", "publish"):
        result.pop(key, None)
    for model in result.get("models", {}).values():
        for key in _HOW & model.keys():
            del model[key]
        if "served_as" in model:  # which endpoints answer, and how many, is part of how as well
            address, name = model.get("base_url"), model.pop("served_as")
            model["base_url"] = name or (address[0] if isinstance(address, list) else address)
    return result


def publishable(data: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved recipe for the card: without what is nobody's business, such as addresses and folders."""
    result = without_how(data)
    result.pop("card", None)  # stands in the card itself
    steps = [*result.get("steps", ()), *result.get("selectors", ())]
    embedders = [step["embedder"] for step in steps if isinstance(step.get("embedder"), dict)]
    for model in [*result.get("models", {}).values(), *embedders]:
        for key in _PRIVATE & model.keys():
            del model[key]
    generator = result["generator"]
    while isinstance(generator.get("seeds"), dict):
        generator = generator["seeds"]
    for place, key in ((result, "prompts"), (generator, "seeds"), (generator, "path")):
        if isinstance(place.get(key), str):
            place[key] = Path(place[key]).name
    benchmarks = [(step, "against") for step in result.get("steps", ())]
    for place, key in (*benchmarks, (result["generator"], "decontaminate")):
        if isinstance(place.get(key), list):
            place[key] = [Path(file).name for file in place[key]]
    return result


def _differences(one: Any, other: Any, path: options.Path) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = {**one, **other}
        return [d for key in keys for d in _differences(one.get(key), other.get(key), (*path, key))]
    return [] if one == other else [options.dotted(path)]
