"""One evolution: how it is asked for, and what its reply says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import yaml

from llmsynth.errors import PromptError
from llmsynth.generators._provenance import failed
from llmsynth.generators.evol_instruct.elimination import scaffold_in
from llmsynth.generators.evol_instruct.operators import PACKS, Operator
from llmsynth.parsing import FinalStep, parse_final_prompt, unwrap
from llmsynth.prompts import Prompt, Prompts
from llmsynth.record import Drop
from llmsynth.request import Completion, Request
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    from llmsynth.generators.evol_instruct.method import EvolInstruct
    from llmsynth.generators.evol_instruct.rows import Row

FOLDER = "evol_instruct"
_SHOWS = next(operator for operator in PACKS["general"] if operator.kind == "data")  # that shows examples
METHOD_FILE = f"{FOLDER}/auto/method.yaml"
_TAGGED = re.compile(r"<(?P<tag>(?:rewritten|created|given)_prompt)>(?P<inside>.*)</(?P=tag)>", re.DOTALL)
# "Here's a harder version:" and "New prompt:", above or before what was asked for; the prompt's own words are left, as
# they are eliminated
_LEAD = re.compile(
    r"[*_#\s]*(?:(?:(?:sure|certainly|of course|absolutely|okay)\b[^\n:]{0,80}[,.!]\s*)?here(?:['’]s| is)\b[^\n:]{0,80}"
    r"\b(?:version|prompt|task|instruction|problem)(?: (?:of|with|that|for)\b[^\n:]{0,60})?:[*_ \t]*\n"
    r"|(?:(?:the )?(?:new|harder|final|revised|updated) )?prompt[*_]*:[*_]*)\s*",
    re.IGNORECASE,
)
_STEP = re.compile(r"\bstep ?\d{1,2} ?[:.)]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Method:
    """Steps by which the pack auto evolves a prompt. A model may have written them, so they are data wherever they go:
    a template shows them and never runs them, and a file holds them as a YAML string."""

    text: str

    @classmethod
    def of(cls, text: str) -> Method:
        """The text without control characters and without blanks at the ends of its lines."""
        lines = ("".join(c if c.isprintable() or c == "\t" else " " for c in line) for line in text.splitlines())
        return cls("\n".join(line.rstrip() for line in lines).strip())

    @classmethod
    def load(cls, prompts: Prompts) -> Method:
        """The method of the prompt file. Raises `PromptError` if there is none in it."""
        text = prompts.data(METHOD_FILE).get("method")
        method = cls.of(text) if isinstance(text, str) else cls("")
        if not method.text:
            raise PromptError(f"{prompts.path(METHOD_FILE)} has no method", "its key `method` holds the steps, as text")
        return method

    @property
    def id(self) -> str:
        return fingerprint(self.text)[:8]

    def to_file(self, *comments: str) -> str:
        """The prompt file that `load` reads back as the same method."""
        head = "".join(f"# {comment}\n" for comment in comments)
        return head + yaml.dump({"method": self.text}, Dumper=_Readable, allow_unicode=True, width=1000)


@dataclass(frozen=True)
class Wording:
    """The prompts by which a run evolves and answers, checked.

    examples: worked ones, for the operator that shows any. method: of the pack auto, else None.
    """

    options: EvolInstruct
    prompts: Mapping[str, Prompt]
    response: Prompt
    examples: list[Any]
    method: Method | None

    @classmethod
    def load(cls, options: EvolInstruct, operators: Iterable[Operator], prompts: Prompts) -> Wording:
        """Raises `PromptError`, also for what a template reaches for inside its variables and is not there."""
        operators = list(operators)
        folder = f"{FOLDER}/{options.pack}"
        variables = {"prompt", "low", "high", "demonstrations"}
        method = Method.load(prompts) if any(o.stepwise for o in operators) else None
        variables |= {"method"} if method else set()
        loaded = {o.name: prompts.load(f"{folder}/{o.name}", variables) for o in operators}
        response = prompts.load(f"{FOLDER}/response", {"instruction"})
        examples: list[Any] = []
        if _SHOWS.name in loaded:
            examples = _examples(prompts.data(f"{folder}/demonstrations.yaml"), options.demonstrations)
        wording = cls(options, loaded, response, examples, method)
        for operator in operators:
            wording.evolve("a", operator, Random(0))
        wording.answer("a")
        for example in examples:  # a run shows a few at a time, so a bad one would come up late
            dataclasses.replace(wording, examples=[example] * options.demonstrations).evolve("a", _SHOWS, Random(0))
        return wording

    def by(self, method: Method) -> Wording:
        """The same prompts with another method."""
        return dataclasses.replace(self, method=method)

    def evolve(self, text: str, operator: Operator, rng: Random) -> Request:
        low, high = self.options.growth.target
        shown = rng.sample(self.examples, min(len(self.examples), self.options.demonstrations))
        variables = {"prompt": text, "low": low, "high": high, "demonstrations": shown}
        prompt = self.prompts[operator.name]
        if self.method is None:
            return Request("evolve", prompt.render(**variables), self.options.evolve, prompt.id)
        messages = prompt.render(**variables, method=self.method.text)
        return Request("evolve", messages, self.options.evolve, f"{prompt.id}+{self.method.id}")

    def answer(self, instruction: str) -> Request:
        """The request for an answer, made from the instruction alone."""
        messages = self.response.render(instruction=instruction)
        return Request("responses", messages, self.options.respond, self.response.id)


def read_evolution(
    options: EvolInstruct, operator: Operator, parent: Row, completion: Completion
) -> tuple[str, Drop | None]:
    """The evolved text, and what is wrong with it as far as it shows without asking anybody or knowing other texts."""
    if completion.failure:
        return "", failed(completion)
    step = parse_final_prompt(completion.text) if operator.stepwise else FinalStep(_untagged(completion.text), False)
    text = _unquoted(_without_lead(step.text.strip(), parent.text), parent.text)
    if completion.truncated and not step.closed:
        return text, Drop("truncated", "the token limit cut the instruction short")
    if operator.stepwise and (leak := _STEP.search(text)) and not _STEP.search(parent.text):
        return text, Drop("scaffold_leaked", leak[0])
    drop = options.elimination.evolved(operator.kind, parent.text, text, parent.origin, parent.given, parent.answer)
    return text, drop or options.growth(operator.kind, parent.text, text)


def _examples(data: dict[str, Any], least: int) -> list[Any]:
    examples = list(data.get("complicate_input") or [])
    if len(examples) < least:
        raise PromptError(
            f"{FOLDER}/general/demonstrations.yaml holds {len(examples)} examples for complicate_input",
            f"demonstrations asks for {least}",
        )
    return examples


def _untagged(reply: str) -> str:
    """The reply without the tags around all of it, in which the prompt's demonstrations stand."""
    text = unwrap(reply).strip()
    tagged = _TAGGED.fullmatch(text)
    return unwrap(tagged.group("inside")) if tagged else text


def _without_lead(text: str, parent: str) -> str:
    """The text without what models say before it, unless the parent begins so."""
    lead = _LEAD.match(text)
    if lead and not scaffold_in(lead.group(), "") and not _LEAD.match(parent):
        text = text[lead.end() :]
    return text


def _unquoted(text: str, parent: str) -> str:
    """The text without the quotation marks, or bold ones, that models put around what they quote."""
    if text.startswith("**") and text.endswith("**") and text.count("**") == 2 and not parent.startswith("**"):
        text = text[2:-2].strip()
    marks = {'"': '"', "“": "”"}.get(text[:1])
    inner = text[1:-1]
    if (
        marks
        and text.endswith(marks)
        and len(text) > 2
        and not {text[0], marks} & {*inner}
        and text[0] not in parent[:1]
    ):
        return inner.strip()
    return text


class _Readable(yaml.SafeDumper):
    """Writes a text of several lines as such a block, where YAML can."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
