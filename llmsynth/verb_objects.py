"""What instructions ask for, as verb and object ("write story"), without a parser."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

TOP_VERBS, TOP_OBJECTS = 20, 4


class VerbObject(NamedTuple):
    """The verb that an instruction begins with, and the noun that is its direct object; empty where there is none."""

    verb: str
    object: str


def verb_object(instruction: str) -> VerbObject | None:
    """The root verb and its direct object; None for an instruction that is no request in the imperative.

    A heuristic for English in place of the constituency parser of the Self-Instruct paper (section 3): courtesies and
    frames ("Could you please", "Your task is to") are passed over, the next word has to be a known verb in its base
    form, and the object is the last word of the noun phrase that follows: what comes before the first preposition,
    conjunction, relative word or sign. "Give me" and the like are passed over too. It takes the first sentence that
    begins with a verb. What it misses: questions, verbs that are not listed, objects behind an adverb; what it gets
    wrong: words that are noun and verb ("Code review:"), and adjectives that stand behind their noun.
    """
    for sentence in _SENTENCE.split(instruction.strip()[:2000]):
        words = _WORD.findall(_FRAME.sub("", sentence.strip().lower()))
        if words and words[0] in _VERBS:
            particles = _PARTICLES.get(words[0], [])
            rest = words[1:]
            return VerbObject(
                words[0], _object(rest[len(particles) :] if rest[: len(particles)] == particles else rest)
            )
    return None


def verb_object_share(instructions: Iterable[str]) -> dict[str, Any]:
    """How much of a set the commonest requests are: the lower the share, the more varied (Self-Instruct, figure 3).

    share: of all instructions, those that have one of the 20 commonest verbs with one of its 4 commonest objects; the
    paper tells 14 % of 52 thousand. parsed: the share of instructions in which verb and object were found.
    distinct: different pairs. top: the commonest pairs.
    """
    total = 0
    pairs: Counter[VerbObject] = Counter()
    for instruction in instructions:
        total += 1
        found = verb_object(instruction)
        if found is not None and found.object:
            pairs[found] += 1
    verbs: Counter[str] = Counter()
    for pair, count in pairs.items():
        verbs[pair.verb] += count
    top = {verb for verb, _ in sorted(verbs.items(), key=lambda item: (-item[1], item[0]))[:TOP_VERBS]}
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    taken: Counter[str] = Counter()
    covered = 0
    for pair, count in ranked:
        if pair.verb in top and taken[pair.verb] < TOP_OBJECTS:
            taken[pair.verb] += 1
            covered += count
    return {
        "share": round(covered / total, 4) if total else None,
        "parsed": round(pairs.total() / total, 4) if total else None,
        "distinct": len(pairs),
        "top": {f"{pair.verb} {pair.object}": count for pair, count in ranked[:10]},
    }


def _object(words: list[str]) -> str:
    while words and words[0] in _BEFORE_THE_OBJECT:
        words = words[1:]
    phrase: list[str] = []
    for word in words:
        if word in _BOUNDARIES or not word[0].isalnum():
            break
        phrase.append(word)
    while phrase and (phrase[0] in _DETERMINERS or phrase[0].isdigit()):
        phrase.pop(0)
    while phrase and (phrase[-1] in _BEHIND_THE_NOUN or phrase[-1].endswith("ly")):
        phrase.pop()
    if not phrase or phrase[0] in _NO_NOUNS:
        return ""
    return _singular(phrase[-1])


def _singular(noun: str) -> str:
    if len(noun) > 4 and noun.endswith("ies"):
        return noun[:-3] + "y"
    if len(noun) > 4 and noun.endswith(("ches", "shes", "sses", "xes")):
        return noun[:-2]
    return noun[:-1] if len(noun) > 3 and noun.endswith("s") and not noun.endswith(("ss", "us", "is")) else noun


_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*(?:\+\+|#)?|[^\w\s]")
_FRAME = re.compile(
    r"^(?:(?:please|kindly|now|then|next|first|finally|also|and|so|okay|ok|hi|hello|task|instruction|question)\b[,:!]?\s*"
    r"|(?:can|could|would|will) you (?:please )?|(?:i|we) (?:want|need|would like|'d like) you to |i'd like you to "
    r"|(?:your|the) (?:task|job|goal|assignment) is to |help me (?:to )?|let's |try to "
    r"|you (?:are asked|have|need|are required|are|should|must) (?:to )?"
    r"|(?:given|using|with|for|in|from|based on) [^,.:]{1,120}, )+"
)
_VERB_LIST = (
    "act adapt add advise analyse analyze annotate answer apply argue arrange ask assess assign assume balance"
    " brainstorm break build calculate categorise categorize change check choose cite clarify classify collect"
    " combine come comment compare compile complete compose compute conclude condense conduct consider construct"
    " continue convert copy correct count craft create criticise criticize critique debate debug decide decode"
    " deduce define delete demonstrate derive describe design detect determine develop devise diagnose differentiate"
    " discuss distinguish divide document draft draw edit elaborate eliminate emphasise emulate encode enumerate"
    " estimate evaluate examine execute expand explain explore express extend extract fill filter find finish fix"
    " follow forecast form formulate gather generate get give group guess highlight identify illustrate imagine"
    " implement improve include indicate infer insert integrate interpret invent investigate join judge justify"
    " label link list locate look make map match measure mention merge model modify name narrate negotiate normalise"
    " normalize offer optimise optimize order organise organize outline output paraphrase parse perform pick place"
    " plan play point pose predict prepare present pretend print prioritise prioritize produce program proofread"
    " propose prove provide pull put quote rank rate read reason recall recite recommend record reduce refactor"
    " refine reflect reformat relate remove render reorder reorganise rephrase replace reply report represent"
    " research respond restate restore return reverse review revise reword rewrite say schedule score search select"
    " separate set sharpen shorten show simplify simulate sketch solve sort specify spell split state structure"
    " study substitute suggest sum summarise summarize suppose take talk teach tell test think trace transcribe"
    " transform translate try turn update use validate verify view visualise visualize weigh work write"
)
_DETERMINER_LIST = (
    "a an the this that these those my your his her its our their some any each every all both several many few"
    " more another other one two three four five six seven eight nine ten following given above below"
)
_BOUNDARY_LIST = (
    "of for to in on at by with without from into about as between against under over after before during through"
    " per that which who whom whose where when while if so because and or but than then using based containing"
    " including describing explaining is are was were be has have had can could should would will do does not it"
    " they you i we called named titled showing such like via regarding concerning how what why whether"
)
_VERBS = frozenset(_VERB_LIST.split())
_DETERMINERS = frozenset(_DETERMINER_LIST.split())
_BOUNDARIES = frozenset(_BOUNDARY_LIST.split())
_BEFORE_THE_OBJECT = frozenset(("me", "us", "him", "her", "them", "out", "up", "down", "back"))
_BEHIND_THE_NOUN = frozenset(("given", "below", "above", "here", "provided", "described", "mentioned", "please"))
_PARTICLES = {"come": ["up", "with"], "fill": ["in"], "work": ["out"], "find": ["out"], "break": ["down"]}
_NO_NOUNS = frozenset(("how", "what", "why", "whether", "if", "it", "them", "this", "that"))
