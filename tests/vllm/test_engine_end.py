"""Raw prompts, and the end of an engine that nobody asked for; the engine here is started once, and killed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmsynth.backends.vllm import VLLMBackend
from llmsynth.errors import BackendError
from llmsynth.journal import Journal
from llmsynth.model import Model
from llmsynth.request import Message, Request, Sampling

pytestmark = pytest.mark.vllm


async def test_raw_prompts_are_answered_until_the_engine_dies_which_ends_the_run(
    teacher: str, engine: dict[str, Any], journal: Journal
) -> None:
    import transformers

    backend = VLLMBackend(teacher, engine=engine, api="completions")
    model = Model(backend, journal)

    def request(text: str, max_tokens: int = 8, temperature: float = 1.0) -> Request:
        messages = (Message(role="system", content="not sent"), Message(role="user", content=text))
        return Request("test", messages, Sampling(temperature=temperature, max_tokens=max_tokens))

    try:
        answer = await model.ask(request("The river"))
        tokenizer = transformers.AutoTokenizer.from_pretrained(teacher)
        assert answer.failure is None
        assert answer.prompt_tokens == len(tokenizer("The river")["input_ids"])

        # as hot as may be, and so many that some are under way at any moment of the first second
        asked = [asyncio.create_task(model.ask(request(f"Number {i}", 1000, 2.0))) for i in range(300)]
        await asyncio.sleep(0.2)
        kill_engine(backend)
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        deaths = [outcome for outcome in outcomes if isinstance(outcome, BackendError)]
        assert deaths and "died" in deaths[0].message and "again" in deaths[0].hint
        with pytest.raises(BackendError):
            await model.ask(request("The sea"))
    finally:
        await backend.aclose()


def kill_engine(backend: VLLMBackend) -> None:
    assert backend._engine is not None
    for process in backend._engine.llm.engine_core.resources.engine_manager.processes:
        process.kill()
