"""The datasheet: what readers have to know before they use a dataset. Facts of the run, and the owner's words.

Nothing in it is invented: what neither the run nor its owner tells is "not stated".
"""

from __future__ import annotations

from llmsynth.cards.facts import CardFacts
from llmsynth.cards.header import names_in
from llmsynth.cards.markdown import code, count, line, plain, prose, public, table
from llmsynth.cards.results import not_done

NOT_STATED = "Not stated."


def facts_sheet(facts: CardFacts) -> str:
    """Source, method and parameters in brief; what the sections above tell in full."""
    rows = [
        ("source", _source(facts)),
        (
            "method",
            "curation of rows that were there" if facts.curated else _generators(facts),
        ),
        ("written by", _authors(facts)),
        ("chosen by", ", ".join(code(str(step.get("use", ""))) for step in facts.steps) or "no step of curation"),
        ("randomness", f"seed {facts.seed}" if facts.seed is not None else "not stated"),
        ("collected", _days(facts)),
        ("language", ", ".join(facts.languages or _source_languages(facts)) or "not stated"),
        ("licence", plain(facts.license or facts.words.license_name or _source_license(facts)) or "not stated"),
        ("checked by people", _people(facts)),
    ]
    return "## Datasheet\n\n" + table(("", ""), [(f"**{name}**", value) for name, value in rows])


def intended(facts: CardFacts) -> str:
    return f"### Intended use\n\n{_said(facts.words.intended_use)}"


def out_of_scope(facts: CardFacts) -> str:
    return f"### Out-of-scope use\n\n{_said(facts.words.out_of_scope)}"


def bias(facts: CardFacts) -> str:
    return f"### Known bias\n\n{_said(facts.words.bias)}"


def validated(facts: CardFacts) -> str:
    return f"### Validated on real data\n\n{_said(facts.words.validated)}"


def maintenance(facts: CardFacts) -> str:
    contact = f"Contact: {line(public(facts.words.contact))}" if facts.words.contact.strip() else ""
    said = prose(facts.words.maintenance)
    return "### Maintenance\n\n" + ("\n\n".join(filter(None, (said, contact))) or NOT_STATED)


def model_terms(facts: CardFacts) -> str:
    """Whoever uses the rows has to heed the terms of the models that wrote them."""
    if not facts.synthetic and not facts.words.model_terms:
        return ""
    of = f" of {' and '.join(map(code, facts.writers))}" if facts.writers else ""
    licence = "The licence above is that of the rows as their publisher gives them. " * _licensed(facts)
    return (
        f"### Terms of the models\n\n{licence}The terms{of} may restrict{' further' * _licensed(facts)} what text of"
        f" theirs is used for.\n\nWhat they say: {_said(facts.words.model_terms)}"
    )


def limits(facts: CardFacts) -> str:
    origin = "source" if facts.curated else "seeds" if facts.seeds or facts.seed_count is not None else ""
    about_made = (
        f"Language models wrote {'in ' * bool(facts.curated)}these rows: they may be wrong or biased in ways that the"
        " checks above do not see.",
        f"The terms of the models{f' and the licence of the {origin}' if origin else ''} may restrict what these rows"
        " may be used for.",
    )
    about_read = ("What was wrong with the rows that were read may still be, where no step above looks for it.",)
    known = (*(about_made if facts.synthetic else ()), *(about_read if facts.curated else ()))
    points = [*known, *not_done(facts), *map(public, facts.limits)]
    if not _licensed(facts):
        points.append("No licence was given for this dataset.")
    text = "## Limits\n\n" + "\n".join(f"- {line(point)}" for point in points)
    return f"{text}\n\n{prose(facts.words.limits)}" if facts.words.limits.strip() else text


def _licensed(facts: CardFacts) -> bool:
    return bool(facts.license or facts.words.license_name or _source_license(facts))


def _said(words: str) -> str:
    return prose(words) or NOT_STATED


def _source(facts: CardFacts) -> str:
    if facts.curated:
        return code(facts.source.name or facts.curated)
    if not facts.seeds and facts.seed_count is None:
        return "no seeds"
    number = f"{count(facts.seed_count, 'seed task')} from " if facts.seed_count is not None else ""
    return f"{number}{code(facts.seeds) if facts.seeds else 'an unknown source'}"


def _generators(facts: CardFacts) -> str:
    return ", then ".join(map(code, facts.generators))


def _source_license(facts: CardFacts) -> str:
    return facts.source.license if facts.curated else ""


def _source_languages(facts: CardFacts) -> list[str]:
    return names_in(facts.source.header.get("language")) if facts.curated else []


def _authors(facts: CardFacts) -> str:
    names = ", ".join(map(code, facts.writers))
    if facts.curated:
        return f"not stated; in part by language models: {names}" if names else "not stated"
    return f"language models: {names}" if names else "language models"


def _days(facts: CardFacts) -> str:
    if not facts.days:
        return "not stated"
    first, last = facts.days
    return first if first == last else f"{first} to {last}"


def _people(facts: CardFacts) -> str:
    """Of people's verdicts a run knows those that judges were compared with."""
    known = [name for name, note in facts.notes.items() if isinstance(note, dict) and note.get("agreement")]
    return f"a sample that {', '.join(map(code, known))} was compared with" if known else "not stated"
