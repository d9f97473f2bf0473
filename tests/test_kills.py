"""Killed at random moments again and again while its server misbehaves, a run pays for nothing twice that it could
have kept, and ends in the dataset of a run that was spared all of it."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llmsynth.journal import read_entries
from tests.lives import CONCURRENCY, KILLS, contents, finish, recipe, report, start
from tests.loopback import Bill, Loopback, Mixture

QUICK = 0.001  # seconds before a second attempt, as the fixture quick_retries has it in this process
ODD = 0.1  # of the prompts, whose answers are odd in every run
MOST_REQUESTS = 40  # in a life that is ended by a kill
MOMENTS = {"requests": 14, "start": 3, "dataset": 3}  # after how many, in the first tenths, while it is written


@dataclass
class Ward:
    """One run directory, its server, and what is known of both: what was paid for, and what of it was kept."""

    text: str
    directory: Path
    server: Loopback
    bill: Bill
    losses: list[int] = field(default_factory=list)

    @property
    def unkept(self) -> int:
        """Answers that were paid for and are not in the journal; all that happened is settled first."""
        deadline = time.monotonic() + 30
        while self.server.in_flight and time.monotonic() < deadline:
            time.sleep(0.001)
        journal = self.directory / "journal.jsonl"
        kept = [entry["key"] for entry in read_entries(journal) if "key" in entry] if journal.exists() else []
        assert len(set(kept)) == len(kept), "an answer is there twice"
        return self.bill.answers - len(kept)

    def live(self, rng: random.Random) -> bool:
        """A life to a random moment; whether it was ended by a kill, rather than by itself before."""
        before, asked, begun = self.unkept, self.server.requests, time.time()
        kind, requests, delay = _moment(rng)
        process: Any = start(self.text, self.directory, QUICK)
        while process.is_alive() and not self._reached(kind, asked + requests, begun):
            time.sleep(0.0005)
        process.join(delay)
        process.kill()
        process.join(60)
        lost = self.unkept - before
        if process.exitcode == -signal.SIGKILL:
            self.losses.append(lost)
            assert 0 <= lost <= CONCURRENCY, kind
            return True
        assert process.exitcode == 0 and lost == 0
        return False

    def _reached(self, kind: str, requests: int, begun: float) -> bool:
        if kind == "requests":
            return self.server.requests >= requests
        if kind == "start":
            return True
        try:
            return (self.directory / ".dataset.partial").stat().st_ctime > begun
        except FileNotFoundError:
            return False

    def finish(self) -> None:
        """A life to the end, which loses nothing."""
        before = self.unkept
        finish(self.text, self.directory)
        assert self.unkept == before


def _moment(rng: random.Random) -> tuple[str, int, float]:
    """The kind of moment at which to kill, and the requests and then the seconds until it."""
    [kind] = rng.choices([*MOMENTS], [*MOMENTS.values()])
    return kind, rng.randint(1, MOST_REQUESTS), rng.uniform(0.0, 0.3 if kind == "start" else 0.02)


@pytest.mark.usefixtures("quick_retries")
def test_killed_in_the_midst_of_faults_it_ends_in_the_faultless_dataset_and_pays_for_nothing_twice(
    tmp_path: Path, loopback: Loopback
) -> None:
    loopback.latency = (0.001, 0.01)
    model = {"timeout": 3.0, "served_as": "here"}
    text = recipe(loopback, method={"max_requests": 24}, model=model)  # ends by itself, so it asks the same always
    loopback.fault = Mixture(0.0, ODD)
    finish(text, tmp_path / "faultless")
    expected, needed = contents(tmp_path / "faultless"), loopback.requests
    rng = random.Random(11)
    losses: list[int] = []
    runs = 0
    while len(losses) < KILLS:
        loopback.fault = bill = Bill(Mixture(0.3, ODD, seed=runs))
        ward = Ward(text, tmp_path / f"killed-{runs}", loopback, bill)
        while len(losses) + len(ward.losses) < KILLS and ward.live(rng):
            pass
        ward.finish()
        bill.faults = Mixture(0.0, ODD)
        ward.finish()
        assert contents(ward.directory) == expected
        assert report(ward.directory) == report(tmp_path / "faultless")
        losses += ward.losses
        runs += 1
    lost = f"{sum(losses)} paid answers lost, {max(losses)} at most by one"
    print(f"{len(losses)} kills of {runs} runs that need {needed} requests each: {lost}")
