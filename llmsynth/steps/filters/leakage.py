"""Answers that hold pieces of the prompt or of a chat template."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmsynth.columns import answers, questions
from llmsynth.record import Drop, Record
from llmsynth.run import Run
from llmsynth.steps.filters import judged
from llmsynth.text import normalise, shorten


@dataclass(frozen=True)
class PromptLeakage:
    """Drops answers that hold a piece of what only the model should see: "prompt_leakage".

    That is: special tokens and section marks of chat and Alpaca templates, turns of further conversation or further
    tasks that the model went on to write, thinking, and set phrases of system prompts. What stands in code, or in the
    question too, is no leak.

    phrases: more of them, such as a sentence of one's own prompt; case and punctuation do not count.
    """

    on: tuple[str, ...] = ("output",)
    asked: tuple[str, ...] = ("instruction", "input")
    phrases: tuple[str, ...] = ()

    async def apply(self, batch: list[Record], run: Run) -> list[Record]:
        return judged(batch, self._judge)

    def _judge(self, record: Record) -> Drop | None:
        return find_leak(answers(record, self.on), questions(record, self.asked), self.phrases)


def find_leak(answer: str, asked: str = "", phrases: tuple[str, ...] = ()) -> Drop | None:
    """Which piece of a prompt an answer holds."""
    prose = _CODE.sub(" ", answer)
    small = prose.lower()
    patterns = []
    if ":" in small or "#" in small:
        patterns.append(_MARKS)
    if ("<" in small or "[" in small) and not _ON_MARKUP.search(asked):
        patterns.append(_TOKENS)
    if any(sign in small for sign in _SIGNS) and not _ON_PROMPTS.search(asked):
        patterns.append(_PROMPTS)
    for pattern in patterns:
        for found in pattern.finditer(prose):
            piece = found.group().strip()
            if piece not in asked and not (pattern is _MARKS and _is_heading(piece, asked)):
                return Drop("prompt_leakage", shorten(found.group()))
    if ":" in small and (turn := _TURN.search(prose)) and not _CONVERSATION.search(asked):
        return Drop("prompt_leakage", shorten(turn.group()))
    if phrases:
        plain, told = f" {normalise(answer)} ", f" {normalise(asked)} "
        for phrase in map(normalise, phrases):
            if phrase and f" {phrase} " in plain and f" {phrase} " not in told:
                return Drop("prompt_leakage", shorten(phrase))
    return None


def _is_heading(mark: str, asked: str) -> bool:
    """Whether a mark of a section belongs to an answer: what a program prints, or a part of a document."""
    if mark.startswith("#"):
        return _ON_DOCUMENTS.search(asked) is not None
    word = mark.strip("*<>: \t")
    named = re.search(rf"\b{re.escape(word)}", asked, re.IGNORECASE)
    return named is not None or (word.lower() == "output" and _ON_PROGRAMS.search(asked) is not None)


_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)

# never part of an answer
_TOKENS = re.compile(
    r"<\|?(?:im_start|im_end|im_sep|endoftext|end_of_text|begin_of_text|eot_id|start_header_id|end_header_id"
    r"|system|user"
    r"|assistant|end|pad|endofprompt|start_of_role|end_of_role)\|?>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|</?s>(?=\s|$|\[)"
    r"|<pad>|<unk>|<bos>|<eos>|<noinput>|<nooutput>|\[(?:UNK|PAD|CLS|SEP|MASK|EOS|BOS)\]"
    r"|</?(?:think|thinking|reasoning|scratchpad|answer|instruction|response|prompt|system|context|task)>(?=\s|$)",
    re.IGNORECASE | re.MULTILINE,
)

# marks of sections, at the beginning of a line
_MARKS = re.compile(
    r"^[ \t]*(?:#{2,4} ?(?:instructions?|response|input|output|assistant|human|user|system|prompt|answer|question"
    r"|end)\s*:?\s*$"
    r"|#{2,4} ?(?:instructions?|response|input|human|assistant|user|system prompt|prompt) ?:"
    r"|#(?:given|rewritten|created|new|evolved) prompt#|\*{0,2}(?:instruction|response|output|system prompt"
    r"|user prompt)\*{0,2}:\*{0,2}\s"
    r"|(?:task|example) ?#?\d+ ?[:.]\s*(?:\n|(?:instruction|input|output)\b)|class label ?:|<(?:input|output)>:?"
    r"|(?:new|next|another) (?:task|instruction|example|question) ?(?:#?\d+ ?)?:)",
    re.IGNORECASE | re.MULTILINE,
)

_ON_PROGRAMS = re.compile(
    r"\b(?:code|coding|program\w*|functions?|scripts?|snippets?|algorithms?|commands?|quer(?:y|ies)|loops?"
    r"|python|javascript|typescript|java|c\+\+|c#|golang|rust|ruby|php|sql|bash|regex|html|css)(?!\w)",
    re.IGNORECASE,
)
_ON_DOCUMENTS = re.compile(
    r"\b(?:readme|markdown|templates?|documentation|headings?|sections?|outlines?|prompts?)\b", re.IGNORECASE
)

# sentences of well-known prompts and of those who follow them aloud; each has one of the signs
_SIGNS = (
    *(
        "instruction",
        "request",
        "prompt",
        "assistant",
        "model",
        "tasks",
        "examples for",
        "task is",
        "your task",
        "is to",
    ),
    *("instructed", "i was", "i have been", "i am", "the user", "okay", "ok", "alright", "hmm", "so", "wait", "let me"),
    *("here is", "here are", "this is", "do not"),
)
_PROMPTS = re.compile(
    r"below is an instruction that describes a task|write a response that appropriately completes the request"
    r"|you are (?:a|an) (?:helpful|harmless|honest|ai|respectful|intelligent"
    r"|large)[ ,](?:[\w ,-]{0,40})?(?:assistant|model)"
    r"|come up with a series of (?:new )?tasks|come up with (?:as many )?(?:diverse )?examples for the following"
    r"|(?:is it|given the) classification task|your (?:task|goal|role|job) is to (?:write|create|generate|rewrite"
    r"|answer|evaluate|produce|respond)\b"
    r"|(?:please )?act as a (?:prompt|professional prompt)|(?:my|the|your|this) system (?:prompt|message)\b"
    r"|as per (?:the|your) (?:prompt|instructions?)\b|(?:as|per) (?:the |your )?(?:prompt|instructions?)(?: above"
    r"| given| provided)? (?:says|states|requires|asked|asks|specif\w+|request\w*)"
    r"|(?:the|this|your) (?:rewritten|given|original|evolved|created) (?:prompt|instruction) (?:is|should|must"
    r"|has|was)\b"
    r"|i (?:was|have been|am) (?:told|asked|instructed|prompted) (?:to|by the (?:prompt|system|user))"
    r"|the user (?:is asking|asks|wants|has asked|asked|is requesting|requested|said|says|provided|gave)\b"
    r"|^(?:okay|ok|alright|hmm|so|wait|let me think)[,.]? (?:so )?(?:the (?:user|question|prompt|instruction"
    r"|task)|i need to|let me|i should)\b"
    r"|(?:here (?:is|are)|this is) (?:a|the|my|your|an) (?:\w+ )?(?:response|output|answer|completion) (?:to|for"
    r"|that) (?:the|your|this|appropriately|completes) (?:\w+ )?(?:prompt|instruction|request|task|the)"
    r"|do not (?:include|output|write|mention|repeat) (?:any |the )?(?:explanation|other text|additional text"
    r"|instruction|prompt|anything else)",
    re.IGNORECASE | re.MULTILINE,
)

# what is told of markup and of prompts holds pieces of them
_ON_MARKUP = re.compile(r"\b(?:html|xml|tags?|tokens?|templates?|markup|tokeni[sz]\w+)\b", re.IGNORECASE)
_ON_PROMPTS = re.compile(
    r"\b(?:prompts?|prompting|users?|bots?|chatbots?|assistants?|system message|language models?)\b", re.IGNORECASE
)

# turns that the model wrote for the other side
_TURN = re.compile(
    r"^[ \t]*\*{0,2}(?:human|user|assistant|ai|system|chatgpt|bot|gpt|model|prompter)\*{0,2} ?:\*{0,2}(?=\s)",
    re.IGNORECASE | re.MULTILINE,
)
_CONVERSATION = re.compile(
    r"\b(?:dialog(?:ue)?s?|conversations?|chats?|chatbots?|transcripts?|scripts?|scenes?|interviews?"
    r"|role-?play\w*|play|exchange"
    r"|multi-?turn|customer service|user|assistant|robots?|human|ai|prompts?|few-shot|skit|screenplay|model"
    r"|systems?|bots?)\b",
    re.IGNORECASE,
)
