"""Addresses of web pages, which models make up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.columns import joined, questions
from llmsynth.record import Record
from llmsynth.run import Run
from llmsynth.steps.filters import Action
from llmsynth.text import shorten


@dataclass(frozen=True)
class Urls:
    """Flags or drops records with web addresses: "url". The score `urls` is how many there are.

    asked: an address that stands here too was given, and does not count.
    allowed: domains that may be named, such as those of examples; with all that is below them.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction", "input")
    action: Action = "flag"
    allowed: tuple[str, ...] = ("example.com", "example.org", "example.net", "localhost")

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return [record if record.dropped else self._judge(record) for record in batch]

    def _judge(self, record: Record) -> Record:
        given = set(find_urls(questions(record, self.asked)))
        found = [url for url in find_urls(joined(record, self.on), self.allowed) if url not in given]
        record = record.scored(urls=len(found))
        return record.drop("url", shorten(found[0])) if found and self.action == "drop" else record


def find_urls(text: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """The addresses in a text, in order, without those of the domains allowed."""
    if "://" not in text and "www." not in text.lower():
        return []
    return [url for url in (_trimmed(found.group()) for found in _URL.finditer(text)) if not _is_under(url, allowed)]


_URL = re.compile(r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"'`{}|\\^…]+", re.IGNORECASE)
_HOST = re.compile(r"(?:\w+://)?(?:[^/@]*@)?([^/:?#]+)")


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it."""
    url = url.rstrip(".,;:!?*_'")
    while url.endswith((")", "]")) and url.count(")") + url.count("]") > url.count("(") + url.count("["):
        url = url[:-1].rstrip(".,;:!?")
    return url


def _is_under(url: str, domains: tuple[str, ...]) -> bool:
    host = _HOST.match(url)
    name = host.group(1).lower().removeprefix("www.") if host else ""
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)
