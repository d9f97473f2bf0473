"""How chosen and rejected were told apart: a section of the cards of preference data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.markdown import code, count, line, number, table


def preferences(facts: CardFacts) -> str:
    """What decided, and whose answers it preferred; nothing for a dataset without pairs."""
    if facts.task != "dpo":
        return ""
    said = [text for step in facts.steps if (text := _SAID.get(str(step.get("use")), _nothing)(step))]
    found = facts.notes.get("preference")
    if isinstance(found, Mapping) and found.get("pairs"):
        said.append(
            f"Of {count(found['pairs'], 'pair')} that were made, the chosen answer is the longer one in"
            f" {found['chosen_is_longer']:,}."
        )
        rows = [
            (code(name), f"{counts['chosen']:,}", f"{counts['rejected']:,}")
            for name, counts in sorted(found.get("models", {}).items())
        ]
        if len(rows) > 1:
            said.append(table(("model", "chosen", "rejected"), rows))
    return "## Preferences\n\n" + "\n\n".join(said) if said else ""


def _of_answers(step: Mapping[str, Any]) -> str:
    by = str(step.get("by", "judge"))
    margin = step.get("margin") or 0
    apart = f", by {number(float(margin))} at least" if margin else ""
    drawn = "one drawn at random from those below it" if step.get("against") == "random" else "the worst below it"
    return f"Chosen is the best of several answers to a prompt, rejected {drawn}{apart}. {_decided(by, step)}"


def _decided(by: str, step: Mapping[str, Any]) -> str:
    inner = step.get(by)
    rubric = inner.get("rubric") if isinstance(inner, Mapping) else None
    told = f" by the rubric {code(str(rubric))}" if rubric else ""
    match by:
        case "judge":
            return f"How good an answer is, a model judged{told}; no person did."
        case "pairwise":
            return f"A model compared each two answers in both orders{told}; no person did."
        case "reward":
            return "How good an answer is, a reward model told."
        case "heuristics":
            return "How good an answer is, heuristics told; neither a model nor a person did."
    ranking = line(" before ".join(code(str(name)) for name in step.get("ranking", ())))
    return f"Nobody compared them: the answer of the model that is ranked higher counts as the better one ({ranking})."


def _of_evolution(step: Mapping[str, Any]) -> str:
    left = ", ".join(code(str(name)) for name in step.get("leave_out") or ())
    out = f" What was made by {left} is in no pair." if left else ""
    return (
        "Chosen is the answer to an evolved instruction, rejected the answer to the one that it grew from, which does"
        f" not ask for what was added. Nobody compared the two.{out}"
    )


def _nothing(step: Mapping[str, Any]) -> str:
    return ""


_SAID = {"preference": _of_answers, "evolution-pairs": _of_evolution}
