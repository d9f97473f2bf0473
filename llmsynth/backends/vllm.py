"""Any model that vLLM can run, in this process and its engine's."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import orjson

from llmsynth.backends._local import LocalModel
from llmsynth.errors import BackendError, MissingExtraError, RecipeError
from llmsynth.prices import FREE, Price
from llmsynth.request import Completion, Request

# the engine arguments that say what answers; the others say how fast, and on what
_DECIDING = (
    "generation_config",
    "hf_overrides",
    "override_generation_config",
    "quantization",
    "revision",
    "tokenizer",
)


@dataclass
class VLLMBackend:
    """Gives vLLM's asynchronous engine each request as one of its own; its scheduler batches what is in flight.

    model: a local directory, or a name on the Hub.
    engine: arguments of vLLM's engine, passed on as they stand, such as {"tensor_parallel_size": 2}.
    api: "chat" applies the model's chat template; "completions" takes the last message as a raw prompt, for base
        models.

    A sampling parameter that a request leaves open is taken from the model's generation_config.json, as `vllm serve`
    does; `max_tokens` is then what the context window leaves. A request's seed makes its sampling repeatable, and
    its schema, where it has one, constrains the decoding; a small model that then goes on writing blanks wants
    engine: {"structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True}}.

    The engine starts with the first request, in the event loop's own thread, because it may fork. What vLLM logs
    goes to standard error, from warnings up, unless VLLM_LOGGING_STREAM and VLLM_LOGGING_LEVEL are set.
    """

    model: str
    engine: dict[str, Any] = field(default_factory=dict)
    api: Literal["chat", "completions"] = "chat"
    schedules_itself: ClassVar[bool] = True  # all that is asked for is queued here, and batched
    _engine: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if "model" in self.engine:
            raise RecipeError("engine names a model of its own", "name it beside `engine`, under `model`")
        self._found = LocalModel.find(self.model)

    @property
    def identity(self) -> str:
        deciding = {key: self.engine[key] for key in _DECIDING if key in self.engine}
        if self.api != "chat":
            deciding["api"] = self.api
        how = orjson.dumps(deciding, option=orjson.OPT_SORT_KEYS).decode() if deciding else ""
        return f"vllm:{self._found.identity}{how}"

    @property
    def name(self) -> str:
        return self._found.name

    @property
    def price(self) -> Price:
        return FREE

    async def complete(self, request: Request) -> Completion:
        if self._engine is None:
            self._engine = self._start()
        answer: Completion = await self._engine.complete(request)
        return answer

    async def aclose(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None

    def _start(self) -> Any:
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtraError("the vllm backend", "vllm")
        # vLLM logs to standard output, which belongs to llmsynth's results; its processes inherit the environment
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            from llmsynth.backends._vllm import Engine
        except ImportError as error:
            hint = "pip install --upgrade 'llmsynth[vllm]', in an environment made for vLLM"
            raise BackendError(f"the installed vLLM cannot be used: {error}", hint) from error
        return Engine(self._found.source, self.engine, chat=self.api == "chat")
