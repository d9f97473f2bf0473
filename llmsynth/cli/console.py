"""Words for people, on stderr."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One message; stdout stays free for data."""
    print(text, file=sys.stderr, flush=True)
