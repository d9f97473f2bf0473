"""What a run may spend, and what it has spent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from llmsynth.errors import BudgetError, RecipeError
from llmsynth.prices import FREE, Price, dollars
from llmsynth.request import Completion, Request
from llmsynth.text import rough_tokens


@dataclass(frozen=True, slots=True)
class Caps:
    """Where a run stops, resumably. None is no cap. Answers that the journal already holds count too.

    cost: US dollars. tokens: of prompts and completions together. requests: answers asked for.
    Tokens that a server does not count are estimated here, as a cap that is never reached is none.
    """

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        for name in ("cost", "tokens", "requests"):
            cap = getattr(self, name)
            if cap is not None and not cap >= 0:
                raise RecipeError(f"{name} is {cap}: less than nothing", "null sets no cap")


@dataclass(slots=True)
class Usage:
    """What one stage asked for and got. `requests` counts answers, whether fresh or replayed.

    lengthened: asked for once more because the token limit cut them short.
    cost: US dollars; None once an answer's price or token counts are unknown.
    """

    requests: int = 0
    replayed: int = 0
    lengthened: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0

    def add(self, completion: Completion, price: Price | None) -> None:
        """Count an answer, or the failure to get one."""
        if completion.failure:
            self.failed[completion.failure.kind] += 1
            if not completion.failure.final:
                self.requests += 1
                return  # nothing came, nothing was paid
        self.count(completion.prompt_tokens, completion.completion_tokens, price)

    def count(self, prompt: int | None, made: int | None, price: Price | None) -> None:
        """Count an answer by its tokens; None where the server does not tell them."""
        self.requests += 1
        self.prompt_tokens += prompt or 0
        self.completion_tokens += made or 0
        told = price is not None and (price == FREE or (prompt is not None and made is not None))
        self.cost = self.cost + price.cost(prompt or 0, made or 0) if told and self.cost is not None and price else None


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
        for name, unit in (("cost", "US dollars"), ("tokens", "tokens"), ("requests", "requests")):
            cap, spent = getattr(self.caps, name), getattr(self, name)
            if cap is not None and spent >= cap:
                amounts = [dollars(amount) if name == "cost" else f"{amount:,}" for amount in (cap, spent)]
                raise BudgetError(
                    f"the cap of {amounts[0]} {unit} is reached ({amounts[1]})",
                    f"everything is kept; raise caps.{name} and run the same command to go on",
                )

    def send(self) -> None:
        """Note a request that is asked for, fresh or replayed."""
        self.requests += 1

    def spend(self, request: Request, completion: Completion, price: Price | None) -> None:
        """Note what the answer to a request cost."""
        if completion.failure and not completion.failure.final:
            return  # nothing came, nothing was paid
        prompt, made = completion.prompt_tokens, completion.completion_tokens
        if prompt is None:
            prompt = round(sum(rough_tokens(message["content"]) for message in request.messages))
        if made is None:
            made = round(rough_tokens(completion.text))
        self.pay(prompt, made, price)

    def pay(self, prompt: int, made: int, price: Price | None) -> None:
        """Note the tokens of an answer, and what they cost where that is known."""
        self.tokens += prompt + made
        if price is not None:
            self.cost += price.cost(prompt, made)
