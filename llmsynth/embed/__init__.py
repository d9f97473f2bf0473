"""Texts as vectors: what an embedder is, and embedders by the name recipes use.

Values are `module:class`, imported when used; a third party's class works too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from llmsynth import options
from llmsynth.errors import RecipeError

if TYPE_CHECKING:
    from llmsynth.embed.metering import Meter
    from llmsynth.prices import Price
    from llmsynth.similarity.compiling import Singles

EMBEDDERS = {
    "openai": "llmsynth.embed.openai:OpenAIEmbedder",
    "sentence-transformers": "llmsynth.embed.sentence_transformers:SentenceTransformersEmbedder",
    "static": "llmsynth.embed.static:StaticEmbedder",
}


class Embedder(Protocol):
    """Maps texts to vectors; the only seam to an embedding model.

    identity: what makes the vectors, as one string; never holds a key.
    dimensions: of a vector; None where only the first answer tells.
    costly: whether vectors are worth keeping on disk.
    embed: one row per text, in order, of unit length, or all zeros for a text that the model sees nothing in.
        Raises `BackendError` where there are none to be had.
    """

    @property
    def identity(self) -> str: ...

    @property
    def dimensions(self) -> int | None: ...

    @property
    def costly(self) -> bool: ...

    async def embed(self, texts: Sequence[str]) -> Singles: ...


@runtime_checkable
class AskingEmbedder(Embedder, Protocol):
    """One that asks a server, which may want money for it.

    batch: texts in a request. price: what tokens cost, None where that is unknown. meter: is told of every request.
    """

    batch: int
    meter: Meter | None

    @property
    def asks(self) -> bool: ...

    @property
    def price(self) -> Price | None: ...


def asks_endpoint(embeds: tuple[Embedder, tuple[str, ...]] | None) -> bool:
    """Whether vectors, told as a step's `embeds`, come from a server, which may want money for them."""
    return embeds is not None and bool(getattr(embeds[0], "asks", False))


def embedder_of(spec: str | Mapping[str, Any]) -> Embedder:
    """The embedder of a name, or of a mapping whose `use` is a name and whose other keys are its options.

    Raises `RecipeError`, or the `BackendError` of a model that cannot be used.
    """
    given = {"use": spec} if isinstance(spec, str) else dict(spec)
    path: options.Path = ("embedder",)
    if "use" not in given:
        raise options.OptionError((*path, "use"), "missing", f"it names an embedder: {', '.join(EMBEDDERS)}")
    embedder_class = options.find(given.pop("use"), EMBEDDERS, (*path, "use"))
    made = options.build(embedder_class, given, path)
    if not callable(getattr(made, "embed", None)):
        raise RecipeError(f"{embedder_class.__name__} has no method embed", "an embedder maps texts to vectors by it")
    embedder: Embedder = made
    return embedder
