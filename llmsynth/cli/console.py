"""Words for people, on stderr."""

from __future__ import annotations

import sys

from llmsynth.errors import LlmsynthError


def say(text: str) -> None:
    """One message; stdout stays free for data."""
    print(text, file=sys.stderr, flush=True)


def tell(error: LlmsynthError) -> None:
    """What went wrong, and what to do about it."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")
