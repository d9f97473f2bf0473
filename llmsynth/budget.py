"""What a run may spend, and what it has spent."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.errors import BudgetError
from llmsynth.prices import Price
from llmsynth.request import Completion


@dataclass(frozen=True, slots=True)
class Caps:
    """Where a run stops, resumably. None is no cap. Answers that the journal already holds count too.

    cost: US dollars. tokens: of prompts and completions together. requests: answers asked for.
    """

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None


class Budget:
    """The spending of one run, over all its models.

    Checked before each request is sent, so the caps are overshot by what was in flight at most, and
    the one on requests not at all.
    """

    def __init__(self, caps: Caps = Caps()) -> None:
        self.caps = caps
        self.cost = 0.0
        self.tokens = 0
        self.requests = 0

    def check(self) -> None:
        """Raise `BudgetError` if a cap has been reached."""
        for name, unit in (("cost", " US dollars"), ("tokens", " tokens"), ("requests", " requests")):
            cap, spent = getattr(self.caps, name), getattr(self, name)
            if cap is not None and spent >= cap:
                raise BudgetError(
                    f"the cap of {cap:g}{unit} is reached ({spent:g})",
                    f"everything is kept; raise caps.{name} and run the same command to go on",
                )

    def send(self) -> None:
        """Note a request that is asked for, fresh or replayed."""
        self.requests += 1

    def spend(self, completion: Completion, price: Price | None) -> None:
        """Note what an answer cost."""
        prompt, made = completion.prompt_tokens or 0, completion.completion_tokens or 0
        self.tokens += prompt + made
        if price is not None:
            self.cost += price.cost(prompt, made)
