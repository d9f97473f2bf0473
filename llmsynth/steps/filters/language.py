"""Rows in another language than the data is to be in."""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmsynth.columns import questions, text_of
from llmsynth.errors import MissingExtraError, RecipeError
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import language_names as names


@dataclass(frozen=True)
class Language:
    """Drops a record that is certainly not in one of the languages: "wrong_language". Needs `llmsynth[curate]`.

    allowed: ISO 639-1 codes; none lets every language pass, but an answer in another language than what was asked,
        which goes as "language_mismatch".
    on: the fields that are looked at, one by one; the last one is the answer.
    asked: an answer in another language is right where these ask for it: by naming the language, or a translation.
    certainty: drop only if the languages allowed have less than 1 - certainty of the probability between them.
    letters: a text of fewer, outside of code, formulas and addresses, is not judged: no identifier can tell.
        A letter beyond ASCII counts as three.

    The identifier is py3langid (BSD licence, 139 languages, 4.6 MB, works offline), told to choose among the larger
    languages. What it finds for the answer is kept as meta `language`, an ISO code or null.
    """

    allowed: tuple[str, ...] = ("en",)
    on: tuple[str, ...] = ("instruction", "output")
    asked: tuple[str, ...] = ("instruction", "input")
    certainty: float = 0.9
    letters: int = 25

    def __post_init__(self) -> None:
        if not self.on:
            raise RecipeError("language: no field is looked at", "such as on: [instruction, output]")
        if not 0 < self.certainty < 1:
            raise RecipeError(f"language: certainty is {self.certainty}", "a probability such as 0.9")
        _identifier(self.allowed)

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        told = questions(record, self.asked)
        answer = text_of(record.fields.get(self.on[-1]))
        found = identify(answer, self.allowed, self.letters)
        language = found[0][0] if found and found[0][1] >= 0.5 else None
        record = dataclasses.replace(record, meta={**record.meta, "language": language})
        if not self.allowed:
            drop = mismatch(told, answer, self.certainty, self.letters)
            return record.drop(drop.reason, drop.detail) if drop else record
        for name in self.on:
            other = name != self.on[-1]
            probable = identify(text_of(record.fields.get(name)), self.allowed, self.letters) if other else found
            drop = _wrong(probable, "" if name in self.asked else told, self.allowed, self.certainty)
            if drop:
                return record.drop(drop.reason, f"{name}: {drop.detail}")
        return record


def wrong_language(
    text: str, asked: str = "", allowed: tuple[str, ...] = ("en",), certainty: float = 0.9, letters: int = 25
) -> Drop | None:
    """Why a text is not in an allowed language; None where it is, where it may be, and where `asked` wants another."""
    return _wrong(identify(text, allowed, letters), asked, allowed, certainty)


def _wrong(probable: list[tuple[str, float]], asked: str, allowed: tuple[str, ...], certainty: float) -> Drop | None:
    if not probable:
        return None
    wanted = {alike for one in allowed for alike in _also(one)}
    if sum(probability for language, probability in probable if language in wanted) > 1 - certainty:
        return None
    found = probable[0][0]
    probability = _probability(probable, found)
    if probability < _SURE or _wants(asked, found):
        return None
    return Drop("wrong_language", f"{found} with {probability:.2f}")


def mismatch(question: str, answer: str, certainty: float = 0.9, letters: int = 25) -> Drop | None:
    """Why an answer is in another language than its question; None where either may be in the other's."""
    asked, answered = identify(question, (), letters), identify(answer, (), letters)
    if not asked or not answered:
        return None
    one, other = asked[0][0], answered[0][0]
    sure = _probability(asked, one) >= _SURE <= _probability(answered, other)
    apart = max(_probability(asked, other), _probability(answered, one)) <= 1 - certainty
    if not sure or not apart or _wants(question, other):
        return None
    return Drop("language_mismatch", f"asked in {one}, answered in {other}")


def identify(text: str, allowed: tuple[str, ...] = (), letters: int = 25) -> list[tuple[str, float]]:
    """Languages and probabilities, the likeliest first; empty where too few letters are left beside code."""
    prose = _NAME.sub("", _QUOTED.sub("", _CODE_LINE.sub("", _CODE.sub(" ", text[:_MOST]))))
    found = _LETTER.findall(prose)
    if len(found) + 2 * sum(not letter.isascii() for letter in found) < letters:
        return []
    return _identifier(allowed)(prose)


_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$|https?://\S+|\S+@\S+", re.DOTALL)
_CODE_LINE = re.compile(
    r"^.*(?:[{};]\s*$|^\s*(?:def|class|import|from|return|for|if|while|elif|else|print|var|let|const|function|public|"
    r"private|static|void|int|#include|SELECT|INSERT|UPDATE|CREATE|WHERE)\b.*[:;(){}=*]|[=<>]{1,2}.*\("
    r"|</?\w+[^>]*>).*$",
    re.MULTILINE,
)
_TRANSLATION = re.compile(
    r"\b(?:translat\w*|übersetz\w*|tradui\w*|traduc\w*|traduz\w*|tradurre|how (?:do|does|would|can) (?:you|i|we"
    r"|one) say"
    r"|(?:another|foreign|different|native|original) language|bilingual|lyrics)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»")
# proper names: a capital that begins no sentence
_NAME = re.compile(r"(?<=[^\W_][,;] )[A-ZÀ-ÞĀ-Ž][\w'’-]+|(?<=[^\W_] )[A-ZÀ-ÞĀ-Ž][\w'’-]+|\b\w{31,}\b")
_LETTER = re.compile(r"[^\W\d_]")
_MOST = 1_000  # characters looked at
_SURE = 0.6  # the least probability of the language that is found


def _wants(asked: str, language: str) -> bool:
    """Whether a task asks for a text in a language: by its name, or for a translation."""
    words = set(re.findall(r"\w+", asked.lower()))
    return bool(_TRANSLATION.search(asked)) or bool(words & set(names.NAMES.get(language, "").split()))


def _probability(probable: list[tuple[str, float]], language: str) -> float:
    """Of a language and those that are like it."""
    return sum(probability for one, probability in probable if one in _also(language))


def _also(language: str) -> set[str]:
    return next((group for group in names.ALIKE if language in group), {language})


@functools.lru_cache(maxsize=16)
def _identifier(allowed: tuple[str, ...]) -> Callable[[str], list[tuple[str, float]]]:
    """Raises `MissingExtraError`, or `RecipeError` for a language it does not know."""
    identifier = copy.copy(_model())
    if unknown := sorted(set(allowed) - set(identifier.labels)):
        raise RecipeError(f"language: {unknown[0]!r} is not known", "ISO 639-1 codes, such as en, de, zh")
    identifier.set_languages({*names.LANGUAGES, *allowed} & set(identifier.labels))
    rank: Callable[[str], list[tuple[str, float]]] = identifier.rank
    return rank


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    """The identifier with all its languages: read once, which takes a second."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingExtraError("the language filter", "curate") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
