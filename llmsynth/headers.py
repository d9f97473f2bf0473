"""What a server's headers say of its limits."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llmsynth.limits import Rates

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_DURATION = re.compile(rf"(?:{_PART})+")
_PREFIX = "x-ratelimit"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: of Retry-After, else until what is used up is there again; None where nothing is told."""
    in_ms = seconds(headers.get("retry-after-ms"))
    if in_ms is not None:
        return in_ms / 1000
    told = seconds(headers.get("Retry-After"))
    if told is not None:
        return told
    resets = [
        seconds(headers.get(f"{_PREFIX}-reset-{what}"))
        for what in ("requests", "tokens")
        if headers.get(f"{_PREFIX}-remaining-{what}") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def rates(headers: Mapping[str, str]) -> Rates | None:
    """The limits per minute that the x-ratelimit headers tell; None where there are none.

    The headers do not say what time a limit is for. Where it takes more than a minute to reset, it is for a
    day, which is no reason to be slow now.
    """
    if f"{_PREFIX}-limit-requests" not in headers and f"{_PREFIX}-limit-tokens" not in headers:
        return None
    found: list[float | None] = []
    for what in ("requests", "tokens"):
        limit = seconds(headers.get(f"{_PREFIX}-limit-{what}"))
        reset = seconds(headers.get(f"{_PREFIX}-reset-{what}"))
        found.append(limit if limit and (reset is None or reset <= 60) else None)
    return Rates(requests_per_minute=found[0], tokens_per_minute=found[1])


def seconds(value: str | None) -> float | None:
    """A plain number, a duration such as 6m0s or 120ms, or the time until a date, never negative."""
    if not value:
        return None
    value = value.strip()
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        return max(0.0, number) if math.isfinite(number) else None
    if _DURATION.fullmatch(value):
        return sum(float(count) * _UNITS[unit] for count, unit in re.findall(_PART, value))
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(value)
        except (TypeError, ValueError):
            continue
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time())
    return None
