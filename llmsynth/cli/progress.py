"""The progress line: what has been made, how fast, and how long it will still take."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from llmsynth.budget import Usage
from llmsynth.prices import dollars
from llmsynth.run import Run

_PLAIN_SECONDS = 10.0
_WINDOW_SECONDS = 15.0


class Progress:
    """Called with the run a few times a second. One live line on a terminal, else a plain one now and then."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None
        self._printed = time.monotonic()
        self._past: deque[tuple[float, int, int, int]] = deque()  # when, answers, kept, all

    def __enter__(self) -> Progress:
        if not self._quiet and self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, run: Run) -> None:
        if self._quiet:
            return
        text = self.line(run)
        if self._live:
            self._live.update(Text(text))
        elif time.monotonic() - self._printed >= _PLAIN_SECONDS:
            self._printed = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def line(self, run: Run) -> str:
        """The state of the run as one line."""
        now = time.monotonic()
        stages = [usage for _, usage in run.usage()]
        answers = sum(usage.requests - usage.replayed for usage in stages)
        tally = run.tally
        self._past.append((now, answers, tally.kept, tally.total))
        while len(self._past) > 2 and now - self._past[1][0] > _WINDOW_SECONDS:
            self._past.popleft()
        then, answers_then, kept_then, total_then = self._past[0]
        seconds = max(now - then, 1e-9)
        parts = [] if run.expected is None else [f"rows {tally.total:,}/{run.expected:,}"]
        parts += [
            f"kept {tally.kept}" + (f"/{run.target}" if run.target is not None else ""),
            f"dropped {tally.dropped.total()}",
            f"failed {tally.failed.total()}",
        ]
        if run.expected is not None:
            parts.append(f"{(tally.total - total_then) / seconds:,.0f} rows/s")
        if run.models or run.embeddings.requests:
            parts += _asking(run, stages, (answers - answers_then) / seconds)
        gained, went = tally.kept - kept_then, tally.total - total_then
        left = []
        if run.target is not None and gained > 0 and run.missing > 0:
            left.append(run.missing * seconds / gained)
        if run.expected is not None and went > 0 and tally.total < run.expected:
            left.append((run.expected - tally.total) * seconds / went)
        if left:
            parts.append(f"ETA {_duration(min(left))}")
        return " | ".join([*parts, run.phase] if run.phase else parts)


def _asking(run: Run, stages: Sequence[Usage], rate: float) -> list[str]:
    tokens = sum(usage.prompt_tokens + usage.completion_tokens for usage in stages)
    parts = [
        f"in flight {sum(model.in_flight for model in run.models.values())}",
        f"{rate:.1f} requests/s",
        f"{tokens:,} tokens",
    ]
    costs = [usage.cost for usage in stages]
    if any(cost != 0 for cost in costs):  # a model of one's own costs nothing, and nothing is said of it
        known = [cost for cost in costs if cost is not None]
        parts.append(f"{dollars(sum(known))} US dollars" if len(known) == len(costs) else "cost unknown")
    return parts


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
