"""The form that an instruction asks for, and whether an answer has it."""

from __future__ import annotations

import json
import re

from llmsynth.parsing import fenced, parse_json


def form_kept(instruction: str, answer: str) -> float:
    """The share, from 0 to 1, of the forms asked for that an answer has; 1 where none is asked for.

    Known forms: JSON (half where it had to be mended or searched for), table, list, so many items, code, one word, one
    sentence, yes or no, a limit of words (a tenth more is let pass).
    """
    kept: list[float] = []
    if _ASKS_JSON.search(instruction) and not _OF_CODE.search(instruction):
        kept.append(_json_kept(answer))
    if _ASKS_TABLE.search(instruction):
        kept.append(float(len(_TABLE_ROW.findall(answer)) >= 2))
    if _ASKS_LIST.search(instruction):
        kept.append(float(len(_ITEM.findall(answer)) >= 2 or answer.count(",") >= 2 or answer.count("\n") >= 2))
    if asked := _ASKS_ITEMS.search(instruction):
        kept.append(float(_items_in(answer) >= _number(asked.group("number"))))
    if _ASKS_CODE.search(instruction):
        kept.append(float(bool(fenced(answer)) or is_code(answer)))
    if _ASKS_WORD.search(instruction):
        kept.append(float(len(answer.split()) <= 2))
    if _ASKS_SENTENCE.search(instruction):
        kept.append(float(len(_SENTENCE_END.findall(answer.strip())) <= 1))
    if _ASKS_YES_NO.search(instruction):
        kept.append(float(bool(re.match(r"\W*(?:yes|no)\b", answer, re.IGNORECASE))))
    if limit := _ASKS_LIMIT.search(instruction):
        kept.append(float(len(answer.split()) <= 1.1 * int(limit.group("number"))))
    return sum(kept) / len(kept) if kept else 1.0


def may_be_short(instruction: str) -> bool:
    """Whether a word or two may be all of the answer: to a closed question, under a limit, to a short instruction."""
    return len(instruction.split()) <= 12 or bool(_CLOSED.search(instruction) or _ASKS_LIMIT.search(instruction))


def is_code(answer: str) -> bool:
    """Whether most of an answer's lines are code, in a fence or not."""
    lines = [line for line in answer.splitlines() if line.strip() and not line.lstrip().startswith("```")]
    if not lines:
        return False
    in_fences = sum(sum(1 for line in block.splitlines() if line.strip()) for block in fenced(answer))
    if in_fences:
        return 2 * in_fences >= len(lines)
    return lines[0].startswith("#!") or 2 * sum(map(_is_code_line, lines)) > len(lines)


def _is_code_line(line: str) -> bool:
    if _CODE_LINE.match(line):
        return True
    signs = len(line) - len(line.translate(_WITHOUT_SIGNS))
    return 8 * signs > len(line.strip())


def _json_kept(answer: str) -> float:
    for text in (answer, *fenced(answer)):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            continue
        return 1.0
    return 0.5 if parse_json(answer) is not None else 0.0


def _items_in(answer: str) -> int:
    """How many items an answer has, whatever sets them apart."""
    lines = sum(1 for line in answer.splitlines() if line.strip())
    parts = len(re.split(r"[,;]|\band\b", answer))
    return max(len(_ITEM.findall(answer)), lines, parts, len(_SENTENCE_END.findall(answer)))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS.index(text.lower()) + 2


def _phrase(*alternatives: str) -> re.Pattern[str]:
    """Any of the alternatives, as whole words, in either case."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.IGNORECASE)


_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_ITEM = re.compile(r"^\s*(?:[-*•+]|\d+[.)])\s+\S", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\s*\|.*\|.*\|\s*$|^[^\n\t]+\t[^\n\t]+", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?。！？](?:\s|$)")
_WITHOUT_SIGNS = str.maketrans("", "", "{}[]()<>=;$|&_\\+*/#")
_CODE_LINE = re.compile(
    r"\s*(?:(?:def|class|import|return|public|private|const|let|var|function|using|SELECT|INSERT|CREATE|WHERE)\b"
    r"|from \w+ import |(?:for|if|while|elif)\b.+[:{;]$|(?:else|fi|done|then|do|end|try|esac)\W*$|//|#include"
    r"|<\w+[^>]*>|echo |print\(|[\w.\[\]]+ ?[-+*/]?= ?\S|[\w.]+\(.*\);?$|.*[;{}]$)"
)
_ASKS_JSON = _phrase("json")
_OF_CODE = _phrase("python", "java(?:script)?", "api", "functions?", "script", "program", "code", "class", "parses?")
_ASKS_TABLE = _phrase(r"(?:as|in|into|make|create|draw up|a|markdown) (?:a )?(?:markdown )?table")
_ASKS_LIST = _phrase(r"bullet(?:ed)?[ -]?(?:points?|list)", "numbered list", "as a list", "list of")
_ASKS_ITEMS = _phrase(
    r"(?:list|name|give(?: me)?|suggest|provide|write|generate|come up with|mention)\s+(?:at least )?"
    rf"(?P<number>\d{{1,2}}|{'|'.join(_NUMBERS)})\s+(?:\w+ ){{0,3}}?\w+s"
)
_ASKS_CODE = _phrase(
    r"(?:write|implement|create|code)\b[^.?!]{0,40}\b(?:function|program|script|class|sql query|regex)"
)
_ASKS_WORD = _phrase(r"(?:one|a single)[ -]word")
_ASKS_SENTENCE = _phrase(r"(?:in|with|write|as) (?:one|a single) sentence")
_ASKS_YES_NO = _phrase("yes or no", "yes/no")
_ASKS_LIMIT = _phrase(
    r"(?:in|under|within|at most|up to|no more than|fewer than|less than|maximum(?: of)?)\s+(?P<number>\d{1,4})\s+words"
)
_CLOSED = re.compile(
    _phrase(
        *("yes or no", "yes/no", "true or false", "(?:one|a single)[ -]word", "how (?:many|much|old|long|tall|far)"),
        *("classify", "label", "categori[sz]e", "sentiment", "which of", "calculate", "compute", "translate"),
        *("what is the (?:capital|sum|product|name|result|value|answer)", "answer with", "only the", "briefly"),
        *("name (?:a|an|the|one)", "who (?:is|was|wrote)", "when (?:is|was|did)", "where (?:is|was)", "short"),
    ).pattern
    + r"|^\s*(?:is|are|was|were|do|does|did|can|could|has|have|will|should)\b[^.?!]*\?\s*$",
    re.IGNORECASE,
)
