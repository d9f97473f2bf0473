"""Any model that sentence-transformers loads, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llmsynth.embed.static import encodable
from llmsynth.errors import MissingExtraError, ModelNotFoundError
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    from llmsynth.similarity.compiling import Singles


@dataclass
class SentenceTransformersEmbedder:
    """Embeds with a sentence-transformers model.

    model: a local directory, or a name on the Hub.
    prompt: put before every text, for models that were trained with one.
    batch: texts embedded together. device: as torch names them; "auto" uses a GPU if there is one.
    trust_remote_code: run code that comes with the model. Off unless asked for.
    """

    costly: ClassVar[bool] = True

    model: str
    prompt: str = ""
    batch: int = 64
    device: str = "auto"
    trust_remote_code: bool = False
    _loaded: Any = field(default=None, init=False, repr=False)
    _identity: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        folder = Path(self.model).expanduser()
        if not folder.is_dir() and (folder.is_absolute() or self.model.startswith((".", "~"))):
            raise ModelNotFoundError(f"no model directory at {self.model}", "give a directory, or a name on the Hub")
        name = f"{folder.resolve().name}@{_content(folder)}" if folder.is_dir() else self.model
        self._identity = f"sentence-transformers:{name}" + (f":{self.prompt}" if self.prompt else "")

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def dimensions(self) -> int | None:
        if self._loaded is None:
            return None
        return int(self._loaded.get_sentence_embedding_dimension())

    async def embed(self, texts: Sequence[str]) -> Singles:
        return await asyncio.to_thread(self._embed, [self.prompt + encodable(text) for text in texts])

    def __getstate__(self) -> dict[str, Any]:
        """Without the model, which can be loaded again."""
        return {**self.__dict__, "_loaded": None}

    def _embed(self, texts: list[str]) -> Singles:
        if self._loaded is None:
            self._loaded = self._load()
        vectors: Singles = self._loaded.encode(
            texts, batch_size=self.batch, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return vectors.astype("float32", copy=False)

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError("the sentence-transformers embedder", "local") from error
        device = None if self.device == "auto" else self.device
        try:
            return SentenceTransformer(
                str(Path(self.model).expanduser()) if Path(self.model).expanduser().is_dir() else self.model,
                device=device,
                trust_remote_code=self.trust_remote_code,
            )
        except (OSError, ValueError) as error:
            raise ModelNotFoundError(
                f"cannot load {self.model}: {str(error).splitlines()[0]}", "is the name right, and is it reachable?"
            ) from error


def _content(folder: Path) -> str:
    """What tells the model in a folder from others: names, sizes and the ends of its files."""
    parts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            parts += [str(path.relative_to(folder)), str(path.stat().st_size), file.read().hex()]
    return fingerprint(*parts)[:12]
