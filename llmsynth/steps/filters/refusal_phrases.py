"""How models refuse and disclaim, as patterns on small letters without contractions ("i cannot", "do not").

Every pattern is a list of phrases that are read one by one; `{...}` is a part that many share.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in alternatives), re.MULTILINE)


def _words(listed: str, gerunds: bool = False) -> str:
    """The words of a list, as alternatives; `gerunds` adds the forms in -ing."""
    if not gerunds:
        return f"(?:{'|'.join(listed.split())})"
    return (
        f"(?:{'|'.join(f'{verb[:-1]}(?:e|ing)' if verb[-1] == 'e' else f'{verb}(?:ing)?' for verb in listed.split())})"
    )


SIGNS = (
    *(
        "sorry",
        "afraid",
        "apolog",
        "unfortunately",
        "regret",
        "cannot",
        "can't",
        "can not",
        "could",
        "won't",
        "will not",
    ),
    *("unable", "not able", "not allowed", "not permitted", "not comfortable", "not going", "not qualified", "declin"),
    *(
        "refuse",
        "prefer not",
        "rather not",
        "don't",
        "do not",
        "didn't",
        "did not",
        "please",
        "no way",
        "appears",
        "seems",
    ),
    *(
        "looks like",
        "i need",
        "i require",
        "programmed",
        "designed",
        "trained",
        "created by",
        "guideline",
        "my purpose",
    ),
    *(
        "violates",
        "appropriate",
        "ethical",
        "irresponsible",
        "impossible",
        " ai",
        "ai ",
        "a.i.",
        "artificial",
        "language",
    ),
    *("machine", "computer", "assistant", "chatbot", "chatgpt", "claude", "bard", "gemini", "llama", "copilot", "gpt"),
    *("mistral", "qwen", "deepseek", "my knowledge", "my training", "as of my", "i was", "something i", "i have no"),
    *(
        "uncomfortable",
        "prohibited",
        "forbidden",
        "i shall not",
        "model",
        "i must",
        "i have to",
        "kann ",
        "peux",
        "puedo",
    ),
    *("posso", "niet ", "als ki", "ia "),
)
"""Every refusal and disclaimer in ASCII has one of these; a text without any need not be looked at."""

# parts

_ADVERB = rf"(?:{_words('simply really currently honestly actually just unfortunately also still directly only')} )?"
_MODEL = (
    r"(?:(?:text-based |large |machine learning |computer )?"
    r"(?:ai|artificial intelligence|language model|chatbot|virtual assistant|digital assistant|machine"
    r"|computer program"
    r"|machine learning model)(?: (?:language model|language|model|assistant|system|chatbot|bot|program))*)"
)
# what may follow the noun; an AI engineer, an AI company and an AI that a story is about go on otherwise
_END = (
    r"(?=\s*(?:[,.;:!)\n]|- |$|(?:and|so|but|or|that|which|who|without|with no|i|my|created|developed|designed"
    r"|trained"
    r"|made|built|programmed|here)\b))"
)
_KIND = rf"(?:{_words('just only simply merely a an responsible helpful harmless ethical advanced respectful')} )*"
_REMINDER = r"(?:(?:since|because|given that|remember|please note that|note that|keep in mind that|unfortunately,?) )?"
_SELF = (
    rf"(?:as {_KIND}{_MODEL}{_END}"
    rf"|{_REMINDER}i am (?:not a (?:human|person|real person)[^.\n]{{0,40}}|(?:still |really )?{_KIND}(?:a"
    rf"|an) {_KIND}{_MODEL}{_END}))"
)
_WHAT_FOR = r"(?: (?:for|that|to hear|about|to say) [^,.\n]{1,60})?"
_SORRY = (
    r"(?:(?:(?:oh|well|ah|hello|hi|hmm|no|okay|sure)[,.!]? )?(?:"
    rf"(?:i am|we are) (?:\w+ )?(?:sorry|afraid){_WHAT_FOR}|sorry|(?:my )?(?:sincere )?apologies{_WHAT_FOR}"
    rf"|i (?:\w+ )?apologi[sz]e{_WHAT_FOR}|unfortunately|regrettably|i regret (?:to (?:say|inform you)|that)"
    r"|thank you for [^.!?\n]{1,80}|i (?:understand|appreciate|see|realize|know) [^.!?\n]{1,120}"
    r"|while i [^.!?\n,]{1,120}"
    r"|i strive to [^.!?\n,]{1,80})[,.!;:—–-]*\s*(?:(?:but|and|however|though|that|because|although|as)\b,?\s*)?)"
)
_CANNOT = (
    rf"i {_ADVERB}(?:cannot|will not|could not|would not be able to|will not be able to|shall not"
    rf"|am {_ADVERB}(?:not (?:able|allowed|permitted|authori[sz]ed|programmed|designed|equipped|going|willing|capable"
    r"|in a position|qualified|comfortable)|unable|prohibited|forbidden|uncomfortable)(?: to| from| of| with)?"
    r"|(?:must|have to|need to|will have to|am going to have to|am obliged to) (?:\w+ly )?(?:decline|refuse"
    r"|pass)(?: to)?"
    r"|(?:refuse|decline) to|do not feel comfortable|would (?:rather|prefer) not(?: to)?)(?: \w+ly)?"
)
_WRITE = _words("write create generate produce compose provide fulfill fulfil complete comply", gerunds=True)
_WORK = _words(
    "help assist aid support fulfill fulfil comply complete provide give offer generate create write produce compose"
    " answer respond reply share discuss continue engage participate access browse open view watch listen recommend"
    " advise encourage promote make tell perform execute process translate summarize analyze proceed accommodate verify"
    " predict determine identify describe draw express retrieve condone facilitate explain teach show suggest supply"
    " search look check confirm book order send call remember recall form hold see hear feel do play solve read",
    gerunds=True,
)
_IDIOM = rf"(?! {_words('but feeling falling wondering thinking noticing myself loving it without')}\b)"
_REQUEST = (
    r"(?:requests?|tasks?|inquiry|query|prompts?|questions?|instructions?|topics?|content|conversation|information"
    r"|material|activit(?:y|ies)|scenario|(?:sort|kind) of \w+|exercise|assignment)"
)
_NEED = (
    r"(?:more|additional|further|enough|sufficient|the necessary|any) (?:\w+ )?"
    r"(?:information|context|details|data|input)"
)
_GIVEN = _words(
    "text passage paragraph sentences? question input document article image picture photo list data code context essay"
    " information details file link topic email review words? name numbers? table options? choices statement content"
    " poem story tweet message report url equation"
)

CERTAIN = _any(
    # help with this, or the request, is refused
    rf"{_SORRY}{{0,2}}{_CANNOT} (?:{_WORK} )?(?:you |me )?(?:with |in |on |to |by |about |of )?(?:\w+ing )?"
    rf"(?:this|that|your|such|these|those|any) (?:\w+ )?{_REQUEST}\b",
    rf"{_SORRY}{{0,2}}{_CANNOT} (?:help|assist)(?:ing)?(?: you)?(?: (?:with|in|on) (?:that|this|it)| here"
    rf"| further)?[,.!]",
    rf"{_SORRY}{{1,2}}{_CANNOT} (?:(?:help|assist)(?:ing)?(?: you)? (?:with|in)\b|do (?:that|this)(?= *[.,;!—-]|$))",
    rf"{_SORRY}{{1,2}}{_CANNOT} {_WRITE}\b",
    r"(?:this|that) is (?:not )?something (?:that )?i (?:can|cannot|am (?:not )?able|am unable)\b",
    # a machine cannot
    rf"{_SORRY}{{0,2}}{_SELF}[^.!?\n]{{0,80}}?(?:{_CANNOT}|my (?:programming|guidelines|training)"
    r"|i do not (?:have|possess|experience|feel|hold))",
    rf"{_SORRY}{{0,2}}i (?:am|was|have been) (?:not )?(?:programmed|designed|trained|instructed) (?:not )?to\b"
    r"[^.!?\n]{0,80}\b(?:safe|harm\w*|ethic\w*|appropriate|guidelines|refuse|assist|provide|respectful|promote)",
    rf"{_SORRY}{{0,2}}my (?:programming|guidelines|safety guidelines|content policy|ethical guidelines|purpose)\b"
    r"[^.!?\n]{0,60}\b(?:not|prevents?|prohibits?|forbids?|restricts?|to (?:assist|provide|help))\b",
    # the request is against something
    rf"{_SORRY}{{0,2}}(?:this|that|your|the) (?:\w+ )?(?:request|prompt|instruction|question)[^.!?\n]{{0,40}}"
    r" (?:violates|goes against|is against|conflicts with|contravenes|breaches|is (?:\w+ly )?inappropriate"
    r"|is harmful)\b",
    rf"{_SORRY}{{0,2}}it (?:is|would be) (?:\w+ )?(?:not (?:appropriate|ethical|right|possible)|inappropriate"
    rf"|unethical"
    r"|irresponsible|against my \w+|impossible) for me to\b",
    rf"{_SORRY}{{0,2}}i (?:strongly )?(?:do not|cannot) (?:condone|promote|endorse|encourage|participate in)\b",
)
"""The beginning of a refusal, whatever was asked, unless a text was handed in to be worked on."""

MISSING = _any(
    rf"{_SORRY}{{0,2}}(?:it (?:seems|appears|looks like)|i (?:think|believe)) (?:that |like )?(?:you (?:have "
    rf"|did )?(?:not|forgot)"
    rf"|(?:no|the) (?:\w+ )?{_GIVEN} (?:was|were|is|are|has|have) (?:\w+ )?(?:not|missing|provided|included"
    rf"|attached|empty|cut))\b",
    rf"{_SORRY}{{1,2}}(?:there (?:is|are|was|were) (?:no|not enough|insufficient|not any)\b"
    rf"|no (?:\w+ )?{_GIVEN} (?:was|were|is)\b"
    rf"|i (?:do|did) not (?:\w+ )?(?:have|understand|know|see|find|recogni[sz]e|get|possess|quite)\b"
    r"|you (?:have|did) not (?:provide|give|include|attach|specify|share)\w*\b)",
    rf"(?:(?:sure|of course|certainly)[,!.] )?(?:i (?:will |would )?(?:need|require)|(?:could|can) you (?:please )?"
    rf"(?:provide|clarify|specify|share|give)|please (?:provide|clarify|specify|share))(?: me)?(?: with)?"
    rf" (?:{_NEED}|(?:the|a|your|some|which|what|me) (?:\w+ ){{0,2}}{_GIVEN})\b",
    rf"i (?:do not|did not) (?:currently )?(?:see|receive|find) (?:any|a|the|an) (?:\w+ )?{_GIVEN}\b",
)
"""The beginning of an answer that asks for what it was not given."""

LIKELY = _any(
    rf"{_SORRY}{{1,2}}(?:as [^,.!?\n]{{1,60}}, )?{_CANNOT} {_WORK}\b{_IDIOM}",
    rf"(?:(?:at this time|at the moment|currently),? )?{_CANNOT} {_WORK}\b{_IDIOM}(?= \w)",
    rf"{_SORRY}{{1,2}}(?:the|your|this) (?:\w+ )?(?:question|request|input|prompt|instruction|text|image|passage"
    rf"|document)\b",
    rf"{_SORRY}{{1,2}}that is (?:beyond|outside|against|not)\b",
    rf"i do not (?:currently )?(?:have|possess) (?:{_NEED}|the (?:ability|capability|capacity|means|necessary)"
    rf"|access to"
    rf"|that information|(?:any|a|the|an) (?:\w+ )?{_GIVEN}|personal \w+|real-time)\b",
    r"i have no (?:way of|means of|access|information|knowledge)\b",
    rf"(?:no|nope|sorry)[,.!] (?:{_SORRY})?i (?:will not|cannot|refuse to) {_WORK}\b",
    r"i (?:must|have to|will have to|am going to have to) (?:\w+ly )?decline\b",
    r"i would (?:rather|prefer) not\b",
)
"""The beginning of a refusal, unless the words of somebody else were wanted: a letter, a story, a translation."""

SOMEWHERE = _any(
    rf"(?:^|[.!?] +|, so |, and |therefore,? |; ){_CANNOT} (?:help|assist|fulfill?|comply|complete|answer|provide"
    rf"|write"
    rf"|generate|create|give)\b{_IDIOM}[^.!?\n]*(?:[.!]|$)\s*(?:$|{_words('please however instead if let feel')}\b"
    rf"|is there\b)",
    rf"(?:, so |, and |therefore,? ){_CANNOT} (?:help|assist) with (?:this|that)\b",
)
"""A refusal behind the beginning of a short answer."""

DISCLAIMER = _any(
    rf"(?:^|[.!?:;,] |[(\[]|- |\b(?:and|but|however|since|because|that|though|while),? ){_SELF}",
    r"(?:^|[.!?,] )i am (?:chatgpt|claude|bard|gemini|llama|alpaca|copilot|gpt-?\d\S*|qwen|mistral|deepseek)\b",
    r"\bi was (?:created|developed|trained|made|built) by (?:openai|anthropic|google|meta|microsoft|mistral"
    r"|alibaba)\b",
    r"\bmy (?:knowledge|training)(?: data)? (?:cut-?off|(?:only )?(?:goes|extends|ends|was last updated"
    r"|is (?:limited|current|only))[^.\n]{0,30}(?:20\d\d|up to|until))",
    r"\bas of my (?:last|latest|most recent|knowledge|training)\b",
    r"(?:^|[.!?,] |\b(?:as|since|because|while|but|and|although) )i do not have (?:"
    r"personal (?:opinions|beliefs|feelings|experiences|preferences|emotions)"
    r"|(?:feelings|emotions|consciousness|a physical body|a body) (?:or|like|and|so)"
    r"|real-time (?:data|information|access)|access to (?:real-time|the internet|current (?:data|events|information))"
    r"|the ability to (?:browse|access the internet|feel|experience|taste|smell))",
)
"""A machine speaking of itself, anywhere in an answer."""

# tasks that hand in a text: what refuses in the answer refused there
HANDED_IN = re.compile(
    r"\b(?:translat\w+|paraphras\w+|rewrit\w+|rephras\w+|reword\w*|proofread\w*|correct\w*|edit|punctuat\w+|grammar"
    r"|extract\w*|transcri\w+|convert\w*|turn this|summari[sz]\w+|spell\w*|change the|quot(?:e|es|ation)|transform"
    r"|formal\w*|continue|complete|finish|combine|repeat)\b"
)
MATERIAL = re.compile(r":\s*\S|\"[^\"]+\"|\n\s*\S")
"""What a text that was handed in is seen by."""

# tasks whose answer is in the voice of somebody else
WORDS_OF_OTHERS = re.compile(
    r"\b(?:e-?mails?|letters?|stor(?:y|ies)|dialog(?:ue)?s?|conversations?|poems?|songs?|lyrics|scripts?"
    r"|monologues?|scenes?"
    r"|speech(?:es)?|role-?play\w*|pretend\w*|imagine you|act(?:ing)? as|speak(?:ing)? as|you are (?:a|an|the)\b"
    r"|voice of"
    r"|perspective|point of view|persona|characters?|apolog\w+|excuses?|repl(?:y|ies)|respon(?:d|se)s?|sentences?"
    r"|messages?|tweets?|posts?|reviews?|refus\w+|declin\w+|turn(?:ing)? down|reject\w*|politely|say no"
    r"|say something|would \w+ say"
    r"|fill in|templates?|customers?|diary|journal|captions?|announcements?|voicemail|invitations?|memo|notice"
    rf"|statements?|lines?|jokes?|limericks?|haikus?|skits?|subtitles?)\b|{HANDED_IN.pattern}"
)
# tasks on machines, and questions to one about itself
ABOUT_MACHINES = re.compile(
    r"\b(?:are you|who (?:are|made|created|built|trained) you|what are you|what can you"
    r"|your (?:name|creator|developers?|limitations|capabilities|knowledge|training|purpose)"
    r"|(?:do|can|did|could|will) you (?:\w+ )?(?:have|feel|think|sleep|dream|eat|like|know|want|ever|get|remember"
    r"|understand"
    r"|see|hear|learn|love|fear|die)|yourself|ai|a\.i\.|artificial intelligence|language models?|chatbots?"
    r"|chatgpt|gpt|llms?"
    r"|robots?|androids?|virtual assistants?|machine learning|machines?|computers?|sci-?fi|science fiction)\b"
)

FOREIGN_DISCLAIMER = _any(
    r"\bals (?:eine? )?(?:ki|künstliche intelligenz|ki-sprachmodell|sprachmodell|ki-modell"
    r"|ki-assistent)\b(?=[ ,]*(?:,|kann"
    r"|habe|bin|darf|ohne|verfüge))",
    r"\ben tant (?:que |qu')(?:modèle de langage|ia\b|intelligence artificielle|assistant (?:virtuel|ia))",
    r"\bcomo (?:una? )?(?:modelo de (?:lenguaje|linguagem)|inteligencia artificial|ia\b|asistente (?:virtual|de ia)"
    r"|(?:uma )?inteligência artificial|assistente virtual),? (?:no |não |eu )",
    r"\b(?:come|in quanto) (?:un )?(?:modello (?:di linguaggio|linguistico)|intelligenza artificiale|ia\b"
    r"|assistente virtuale)",
    r"\bals (?:een )?(?:ai-taalmodel|taalmodel|ai-assistent)\b",
    r"\bjako (?:model językowy|sztuczna inteligencja|ai),? (?:nie|mogę)",
    r"作为(?:一个|一名)?(?:ai|人工智能|语言模型|大型语言模型|人工智能语言模型|ai语言模型|人工智能助手|ai助手)[，,我]",
    r"(?:私は)?(?:ai|人工知能|言語モデル|aiアシスタント)(?:として|なので|ですので|であるため)",
    r"\bкак (?:языковая модель|искусственный интеллект|ии),? я\b",
    r"(?:ai|인공지능) ?(?:언어 ?모델|어시스턴트)?(?:로서|이므로|이기 때문에)",
)

FOREIGN_REFUSAL = _any(
    r"(?:es tut mir (?:sehr )?leid|entschuldigung|tut mir leid"
    r"|leider)[,.]?\s*(?:aber\s+)?(?:ich )?kann (?:ich )?[^.!?\n]{0,80}"
    r"(?:helfen|unterstützen|erfüllen|bereitstellen|beantworten|geben|schreiben|nachkommen)",
    r"(?:je suis (?:vraiment )?désolée?|désolée?|je regrette)[,.]?\s*(?:mais\s+)?je ne (?:peux|suis"
    r"|pourrai) [^.!?\n]{0,80}"
    r"(?:aider|fournir|répondre|demande|satisfaire|assister|écrire|en mesure)",
    r"(?:lo siento|lamento|lo lamento|disculpa)[^.!?\n]{0,30}?no puedo [^.!?\n]{0,80}(?:ayudar|proporcionar"
    r"|cumplir|responder"
    r"|solicitud|asistir|escribir|ofrecer)",
    r"(?:desculpe|sinto muito|lamento)[^.!?\n]{0,30}?não posso [^.!?\n]{0,80}(?:ajud|fornecer|atender|responder"
    r"|solicitação"
    r"|pedido|escrever)",
    r"(?:mi dispiace|mi spiace|spiacente)[^.!?\n]{0,30}?non posso [^.!?\n]{0,80}(?:aiutar|fornir|rispondere"
    r"|soddisfare"
    r"|richiesta|assister|scrivere)",
    r"(?:het spijt me|sorry)[,.]? (?:maar )?(?:ik kan|daar kan ik) [^.!?\n]{0,60}niet[^.!?\n]{0,30}helpen",
    r"(?:很?抱歉|对不起|不好意思)[，,。]?\s*(?:但)?(?:我)?(?:无法|不能|不可以|没办法)(?:提供|满足|回答|帮助|协助|完成|处理|为|生成|写)",
    r"(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)[^。\n]{0,60}"
    r"(?:できません|お手伝いできません|お答えできません|いたしかねます|お応えできません)",
    r"(?:извините|простите|к сожалению|мне жаль)[,.]?\s*(?:но\s+)?(?:я )?не (?:могу|в состоянии) [^.!?\n]{0,60}"
    r"(?:помочь|предоставить|ответить|выполнить|написать)",
    r"(?:죄송합니다|죄송하지만|미안하지만)[^.\n]{0,40}(?:도와드릴 수 없|제공할 수 없|답변할 수 없|할 수 없습니다)",
)
