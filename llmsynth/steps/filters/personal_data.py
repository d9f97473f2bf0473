"""Personal data and secrets: addresses, numbers and keys that could be somebody's."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from llmsynth.errors import RecipeError
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps.filters import personal_patterns as patterns

Kind = Literal["email", "phone", "card", "iban", "secret"]
KINDS: tuple[Kind, ...] = ("secret", "iban", "card", "email", "phone")
"""In this order, of finds that overlap the first counts."""


@dataclass(frozen=True)
class PersonalData:
    """Masks, flags or drops personal data: "personal_data".

    kinds: "email"; "phone", written as such or announced by a word; "card", a payment card number with its check digit
        (Luhn); "iban", a bank account with its check digits (ISO 7064 modulo 97); "secret", a key or token of a shape
        that its issuer gives it, or a private key.
    action: "mask" puts [EMAIL], [PHONE], [CARD], [IBAN] and [SECRET] in their place.

    With every action the score `personal_data` is how many were found, and meta `personal_data` has them by kind.
    Looked at is every text in the fields, however deep: of a turn its tool calls and the parts of its content too.
    What is nobody's is none: the domains and numbers set aside for examples (RFC 2606, 555-0100 to 555-0199, the test
    cards of payment providers), and keys that say themselves that they are examples.
    """

    on: tuple[str, ...] = ("instruction", "input", "output")
    action: Literal["mask", "flag", "drop"] = "mask"
    kinds: tuple[Kind, ...] = KINDS

    def __post_init__(self) -> None:
        if not self.kinds:
            raise RecipeError("personal-data: no kinds", f"some of {', '.join(KINDS)}")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        counts: Counter[str] = Counter()

        def without(text: str) -> str:
            found = find_personal(text, self.kinds)
            counts.update(one.kind for one in found)
            return _replaced(text, found)

        fields = {name: _changed(value, without) if name in self.on else value for name, value in record.fields.items()}
        record = record.scored(personal_data=counts.total())
        if not counts:
            return record
        record = dataclasses.replace(record, meta={**record.meta, "personal_data": dict(sorted(counts.items()))})
        if self.action == "drop":
            return record.drop("personal_data", ", ".join(f"{kind}: {n}" for kind, n in sorted(counts.items())))
        return dataclasses.replace(record, fields=fields) if self.action == "mask" else record


class Found(NamedTuple):
    """One find, at text[start:end]."""

    kind: Kind
    start: int
    end: int


def find_personal(text: str, kinds: tuple[Kind, ...] = KINDS) -> list[Found]:
    """All personal data of these kinds in a text, in order, none overlapping."""
    found: list[Found] = []
    for kind in KINDS:
        if kind not in kinds:
            continue
        for one in _FINDERS[kind](text):
            if not any(one.start < other.end and other.start < one.end for other in found):
                found.append(one)
    return sorted(found, key=lambda one: one.start)


def masked(text: str, kinds: tuple[Kind, ...] = KINDS) -> str:
    """The text with each find replaced by the name of its kind in brackets."""
    return _replaced(text, find_personal(text, kinds))


def _replaced(text: str, found: Sequence[Found]) -> str:
    pieces, at = [], 0
    for one in found:
        pieces += [text[at : one.start], f"[{one.kind.upper()}]"]
        at = one.end
    return "".join([*pieces, text[at:]])


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed. Keys stay, and so do numbers, whose column has a type."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_changed(item, change) for item in value]
    if isinstance(value, Mapping):
        return {key: _changed(item, change) for key, item in value.items()}
    return value


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others, as on payment cards (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_is_valid(iban: str) -> bool:
    """Whether the check digits and the length of an account number are right (ISO 13616)."""
    length = patterns.IBAN_LENGTHS.get(iban[:2])
    if length != len(iban):
        return False
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def _secrets(text: str) -> Iterator[Found]:
    for one in patterns.SECRET.finditer(text):
        if not patterns.PLACEHOLDER.search(one.group()) and _varied(one.group()):
            yield Found("secret", one.start(), one.end())


def _ibans(text: str) -> Iterator[Found]:
    for one in patterns.IBAN.finditer(text):
        # in groups of four, words that follow can look like one group more
        groups = one.group().split(" ")
        for count in range(len(groups), 0, -1):
            written = " ".join(groups[:count])
            if iban_is_valid(written.replace(" ", "").upper()):
                yield Found("iban", one.start(), one.start() + len(written))
                break


def _cards(text: str) -> Iterator[Found]:
    for one in patterns.CARD.finditer(text):
        digits = re.sub(r"\D", "", one.group())
        if (
            13 <= len(digits) <= 19
            and patterns.ISSUER.match(digits)
            and luhn(digits)
            and digits not in patterns.TEST_CARDS
        ):
            yield Found("card", one.start(), one.end())


def _emails(text: str) -> Iterator[Found]:
    if "@" not in text:
        return
    for one in patterns.EMAIL.finditer(text):
        if not patterns.NOBODYS_DOMAIN.search(one.group().lower()) and not patterns.NO_DOMAIN.search(one.group()):
            yield Found("email", one.start(), one.end())


def _phones(text: str) -> Iterator[Found]:
    for one in patterns.PHONE.finditer(text):
        digits = re.sub(r"\D", "", one.group("number"))
        announced = bool(patterns.ANNOUNCED.search(text[max(0, one.start() - 40) : one.start()]))
        if _is_phone(one.group("number"), digits, announced) and not patterns.NOBODYS_NUMBER.search(digits):
            yield Found("phone", one.start("number"), one.end("number"))


def _is_phone(written: str, digits: str, announced: bool) -> bool:
    if written.startswith("+"):
        return 8 <= len(digits) <= 15
    if patterns.NORTH_AMERICAN.fullmatch(written):
        return True
    return announced and 7 <= len(digits) <= 14 and not patterns.DATE.fullmatch(written)


def _varied(text: str) -> bool:
    """Whether a key is more than one sign over and over, as in documentation."""
    return len(set(text[-16:].lower())) >= 6 or "PRIVATE KEY" in text


_FINDERS: dict[Kind, Callable[[str], Iterator[Found]]] = {
    "secret": _secrets,
    "iban": _ibans,
    "card": _cards,
    "email": _emails,
    "phone": _phones,
}
