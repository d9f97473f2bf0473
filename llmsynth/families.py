"""Which family a model is of, by its name: a judge favours what its own family writes."""

from __future__ import annotations

import re

# what a name holds, and the family it tells; a distilled model is of two
_FAMILIES = {
    r"gpt|davinci|\bo[134]\b": "gpt",
    r"claude": "claude",
    r"gemini|gemma|palm": "gemini",
    r"llama|vicuna|alpaca|tulu|hermes": "llama",
    r"qwen|qwq|qvq": "qwen",
    r"mi[sx]tral|ministral|codestral|devstral|magistral|zephyr": "mistral",
    r"deepseek": "deepseek",
    r"\bphi\b": "phi",
    r"\byi\b": "yi",
    r"glm": "glm",
    r"command|\baya\b": "command",
    r"falcon": "falcon",
    r"olmo": "olmo",
    r"smollm": "smollm",
    r"granite": "granite",
    r"nemotron": "nemotron",
    r"internlm": "internlm",
    r"kimi|moonshot": "kimi",
    r"grok": "grok",
    r"minimax": "minimax",
}
_PATTERNS = [(re.compile(pattern), family) for pattern, family in _FAMILIES.items()]


def families_of(model: str) -> frozenset[str]:
    """The families a model's name tells; for an unknown name, the letters that it begins with.

    A guess from the name alone: a fine-tuned model under a name of its own is taken for a family of its own.
    """
    name = model.rsplit("/", 1)[-1].lower().replace("_", "-")
    known = frozenset(family for pattern, family in _PATTERNS if pattern.search(name))
    if known:
        return known
    letters = re.match(r"[^\W\d_]+", name)
    return frozenset([letters.group() if letters else name])
