"""Backends by the name recipes use. Values are `module:class`, imported when used; a third party's work too."""

BACKENDS = {
    "fake": "llmsynth.backends.fake:FakeBackend",
    "openai": "llmsynth.backends.openai:OpenAIBackend",
    "openai-batch": "llmsynth.backends.batch:OpenAIBatchBackend",
    "pocket": "llmsynth.backends.pocket:PocketBackend",
    "reward": "llmsynth.backends.reward:RewardBackend",
    "transformers": "llmsynth.backends.transformers:TransformersBackend",
    "vllm": "llmsynth.backends.vllm:VLLMBackend",
}
