"""The part of the vLLM backend that needs vLLM."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from typing import Any

from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from llmsynth.backends._local import cannot_load, templated, too_long
from llmsynth.errors import BackendError, RecipeError
from llmsynth.request import Completion, Message, Request, RequestFailedError
from llmsynth.text import shorten

_REFUSALS = (ValueError, TypeError, VLLMClientError)


class Engine:
    """A running engine with its tokenizer. It belongs to the event loop of its first request."""

    def __init__(self, model: str, arguments: dict[str, Any], *, chat: bool) -> None:
        self.llm = _start(model, arguments)
        try:
            self.tokenizer = self.llm.tokenizer
            if self.tokenizer is None:
                raise RecipeError("the engine was told to load no tokenizer", "drop engine.skip_tokenizer_init")
            self.chat = chat
            if chat:
                self._try_template(model)
            self._defaults = self.llm.model_config.get_diff_sampling_param()
        except BaseException:
            self.llm.shutdown()
            raise
        self._numbers = itertools.count()

    async def complete(self, request: Request) -> Completion:
        """The answer to one request. Raises `RequestFailedError`, or `BackendError` once the engine is dead."""
        tokens = self._tokens(request)
        window = self.llm.model_config.max_model_len
        if len(tokens) >= window:
            raise too_long(len(tokens), window)
        prompt = {"type": "token", "prompt_token_ids": tokens}
        try:
            stream = self.llm.generate(prompt, self._sampling(request), str(next(self._numbers)))
            outputs = [output async for output in stream]  # one, as only the final one is asked for
        except EngineDeadError as error:
            raise BackendError(
                "vLLM's engine died",
                "its own log above says why. Run the same command again to go on: nothing that was answered is lost",
            ) from error
        except (EngineGenerateError, *_REFUSALS) as error:
            # the engine wraps what goes wrong while it takes a request
            cause = error.__cause__ if isinstance(error, EngineGenerateError) and error.__cause__ else error
            refused = isinstance(cause, _REFUSALS)
            kind, said = "refused" if refused else "engine", shorten(str(cause) or type(cause).__name__, 300)
            raise RequestFailedError(kind, said, retryable=not refused) from error
        return _completion(outputs, len(tokens))

    def shutdown(self) -> None:
        """End the engine's processes."""
        self.llm.shutdown()

    def _tokens(self, request: Request) -> list[int]:
        if not self.chat:
            tokens: list[int] = self.tokenizer.encode(request.messages[-1]["content"])
            return tokens
        text = templated(self.tokenizer, request.messages)
        tokens = self.tokenizer.encode(text, add_special_tokens=False)  # the template has written them
        return tokens

    def _try_template(self, model: str) -> None:
        try:
            templated(self.tokenizer, (Message(role="user", content="Good morning"),))
        except (ValueError, RequestFailedError) as error:
            raise BackendError(
                f"{model} cannot be used for chat: {shorten(str(error), 200)}",
                "a base model has no chat template: set `api: completions`, and prompts that a text goes on from",
            ) from error

    def _sampling(self, request: Request) -> Any:
        # an open max_tokens must be said: vLLM's own default is 16
        parameters = {"max_tokens": None, **self._defaults, **request.sampling.body()}
        if request.schema is not None:
            parameters["structured_outputs"] = StructuredOutputsParams(json=request.schema)
        return SamplingParams(seed=request.seed, output_kind=RequestOutputKind.FINAL_ONLY, **parameters)


def _start(model: str, arguments: dict[str, Any]) -> Any:
    known = [f.name for f in dataclasses.fields(AsyncEngineArgs)]
    for key in arguments:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "`vllm serve --help` lists them, with - for _"
            raise RecipeError(f"vLLM's engine has no argument {key!r}", hint)
    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(model=model, **{"disable_log_stats": True, **arguments}))
    except OSError as error:
        raise cannot_load(f"vLLM cannot load {model}", error) from error
    except _REFUSALS as error:
        raise BackendError(
            f"vLLM refuses {model} with these engine arguments: {shorten(str(error), 400)}",
            "see `engine` of this model in the recipe",
        ) from error
    except RuntimeError as error:
        raise BackendError(
            f"vLLM's engine did not start: {shorten(str(error), 300)}",
            "its own log above says why; if memory is short, lower engine.max_model_len or"
            " engine.gpu_memory_utilization, or raise engine.tensor_parallel_size",
        ) from error


def _completion(outputs: list[Any], prompt_tokens: int) -> Completion:
    if not outputs:
        raise RequestFailedError("engine", "the engine ended the request without an answer", retryable=True)
    answer = outputs[-1].outputs[0]
    if answer.finish_reason in ("abort", "error"):
        raise RequestFailedError("engine", f"the engine ended the request: {answer.finish_reason}", retryable=True)
    return Completion(answer.text, answer.finish_reason or "stop", prompt_tokens, len(answer.token_ids))
