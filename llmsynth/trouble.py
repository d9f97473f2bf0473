"""Errors in the log: each kind once with its message, then as counts."""

from __future__ import annotations

import logging
from collections import Counter

log = logging.getLogger(__name__)

_SECONDS = 10.0  # between two lines of counts
_LONG = 60.0  # seconds of a wait that nobody should have to guess at


class Trouble:
    """The errors of one model that were met and tried again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._told = 0.0
        self._waits_until = 0.0

    def note(self, kind: str, message: str, now: float) -> None:
        """Note an error at a time in seconds; logs it, or a line of counts, if it is time."""
        if kind not in self._known:
            self._known.add(kind)
            self._told = now
            log.info("%s: %s: %s", self._name, kind, message)
            return
        self._counts[kind] += 1
        if now - self._told >= _SECONDS:
            self._told = now
            self.flush()

    def wait(self, seconds: float, now: float) -> None:
        """Warn of a long wait that the endpoint asks for, once while it lasts."""
        if seconds >= _LONG and now >= self._waits_until:
            self._waits_until = now + seconds
            log.warning(
                "%s: the endpoint asks to wait for %s s; an interrupted run goes on later by the same command",
                self._name,
                f"{seconds:,.0f}",
            )

    def flush(self) -> None:
        """Log what has been counted since the last line."""
        if self._counts:
            log.info("%s: %s", self._name, ", ".join(f"{kind} x {n}" for kind, n in self._counts.most_common()))
            self._counts.clear()
