"""How models refuse and disclaim, as patterns on small letters without contractions ("i cannot", "do not").

Every pattern is a list of phrases that are read one by one; `{...}` is a part that many share.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in alternatives), re.MULTILINE)


# parts

_ADVERB = r"(?:(?:simply|really|currently|honestly|actually|just|unfortunately|also|still|directly|only) )?"
_MODEL = (
    r"(?:(?:text-based |large |machine learning |computer )?"
    r"(?:ai|artificial intelligence|language model|chatbot|virtual assistant|digital assistant|machine|computer program)"
    r"(?: (?:language model|language|model|assistant|system|chatbot|bot|program))*)"
)
# what may follow the noun; an AI engineer, an AI company and an AI that a story is about go on otherwise
_END = (
    r"(?=\s*(?:[,.;:!)\n]|- |$|(?:and|so|but|or|that|which|who|without|with no|i|my|created|developed|designed|trained"
    r"|made|built|programmed|here)\b))"
)
_KIND = r"(?:(?:just|only|simply|merely|a|an|responsible|helpful|harmless|ethical|advanced|respectful) )*"
_SELF = (
    rf"(?:as {_KIND}{_MODEL}{_END}"
    rf"|(?:(?:since|because|given that|remember|please note that|note that|keep in mind that|unfortunately,?) )?"
    rf"i am (?:not a (?:human|person|real person)[^.\n]{{0,40}}|(?:still |really )?{_KIND}(?:a|an) {_KIND}{_MODEL}{_END}))"
)
_SORRY = (
    r"(?:(?:oh|well|ah|hello|hi|hmm|no|okay|sure)[,.!]? )?"
    r"(?:(?:i am|we are) (?:\w+ )?(?:sorry|afraid)(?: to \w+)?(?: for [^,.\n]{1,60})?|sorry|(?:my )?(?:sincere )?apologies"
    r"(?: for [^,.\n]{1,60})?|i (?:\w+ )?apologi[sz]e(?: for [^,.\n]{1,60})?|unfortunately|regrettably"
    r"|i regret (?:to (?:say|inform you)|that)|thank you for [^.!?\n]{1,80}|i (?:understand|appreciate|see|realize|know)"
    r" [^.!?\n]{1,120}|while i [^.!?\n,]{1,120})[,.!;:—–-]*(?: (?:but|however|though|that|because|although|as)),?\s*"
    r"|(?:(?:i am|we are) (?:\w+ )?(?:sorry|afraid)|sorry|(?:my )?apologies|unfortunately|regrettably"
    r"|i (?:\w+ )?apologi[sz]e)[,.!;:—–-]* "
)
_CANNOT = (
    rf"i {_ADVERB}(?:cannot|will not|could not|would not be able to|will not be able to|shall not"
    rf"|am {_ADVERB}(?:not (?:able|allowed|permitted|authori[sz]ed|programmed|designed|equipped|going|willing|in a position"
    r"|qualified|capable)|unable|prohibited|forbidden|not comfortable|uncomfortable)(?: to| from| of| with)?"
    r"|(?:must|have to|need to|will have to|am going to have to|am obliged to) (?:\w+ly )?(?:decline|refuse|pass)(?: to)?"
    r"|(?:refuse|decline) to|do not feel comfortable|would (?:rather|prefer) not(?: to)?)(?: \w+ly)?"
)
_WORK = (
    r"(?:help|assist|aid|support|fulfill?|comply|complete|provide|give|offer|generate|create|write|produce|compose|answer"
    r"|respond|reply|share|discuss|continue|engage|participate|access|browse|open|view|watch|listen|recommend|advise"
    r"|encourage|promote|make|tell|perform|execute|process|translate|summari[sz]e|analy[sz]e|proceed|accommodate|verify"
    r"|predict|determine|identify|describe|draw|express|retrieve|condone|facilitate|explain|teach|show|suggest|supply"
    r"|search|look up|check|confirm|book|order|send|call|remember|recall|form|hold|see|hear|feel|do)(?:ing)?"
)
_REQUEST = (
    r"(?:requests?|tasks?|inquiry|query|prompts?|questions?|instructions?|topics?|content|conversation|information"
    r"|material|activit(?:y|ies)|scenario|sort of thing|kind of thing|exercise|assignment)"
)
_NEED = r"(?:more|additional|further|enough|sufficient|the necessary|any) (?:\w+ )?(?:information|context|details|data|input)"
_GIVEN = (
    r"(?:text|passage|paragraph|sentences?|question|input|document|article|image|picture|photo|list|data|code|context"
    r"|information|details|file|link|topic|email|review|words?|name|numbers?|table|options?|choices|statement|content)"
)

CERTAIN = _any(
    # help with this, or the request, is refused
    rf"(?:{_SORRY}){{0,2}}{_CANNOT} (?:{_WORK} )?(?:you |me )?(?:with |in |on |to |by |about |of )?(?:\w+ing )?"
    rf"(?:this|that|your|such|these|those|any) (?:\w+ )?{_REQUEST}\b",
    rf"(?:{_SORRY}){{0,2}}{_CANNOT} (?:help|assist)(?:ing)?(?: you)?(?: (?:with|in|on) (?:that|this|it)| here| further)?[,.!]",
    rf"(?:{_SORRY}){{1,2}}{_CANNOT} (?:help|assist)(?:ing)?(?: you)? (?:with|in)\b",
    # a machine cannot
    rf"(?:{_SORRY}){{0,2}}{_SELF}[^.!?\n]{{0,80}}?(?:{_CANNOT}|my (?:programming|guidelines|training)"
    r"|i do not (?:have|possess|experience|feel|hold))",
    rf"(?:{_SORRY}){{0,2}}i (?:am|was|have been) (?:not )?(?:programmed|designed|trained|instructed) (?:not )?to\b"
    r"[^.!?\n]{0,80}\b(?:safe|harm\w*|ethic\w*|appropriate|guidelines|refuse|assist|provide|respectful|promote)",
    rf"(?:{_SORRY}){{0,2}}my (?:programming|guidelines|safety guidelines|content policy|ethical guidelines|purpose)\b"
    r"[^.!?\n]{0,60}\b(?:not|prevents?|prohibits?|forbids?|restricts?|to (?:assist|provide|help))\b",
    # the request is against something
    rf"(?:{_SORRY}){{0,2}}(?:this|that|your|the) (?:\w+ )?(?:request|prompt|instruction|question)[^.!?\n]{{0,40}}"
    r" (?:violates|goes against|is against|conflicts with|contravenes|breaches|is (?:\w+ly )?inappropriate|is harmful)\b",
    rf"(?:{_SORRY}){{0,2}}it (?:is|would be) (?:\w+ )?(?:not (?:appropriate|ethical|right|possible)|inappropriate|unethical"
    rf"|irresponsible|against my \w+|impossible) (?:for me )to\b",
    rf"(?:{_SORRY}){{0,2}}i (?:strongly )?(?:do not|cannot) (?:condone|promote|endorse|encourage|participate in)\b",
)
"""The beginning of a refusal, whatever was asked."""

LIKELY = _any(
    rf"(?:{_SORRY}){{1,2}}(?:as [^,.!?\n]{{1,60}}, )?{_CANNOT} (?:{_WORK})\b",
    rf"(?:(?:at this time|at the moment|currently),? )?{_CANNOT} {_WORK}\b(?! (?:but|feeling|falling|wondering|thinking"
    r"|noticing|myself|loving|it|without|anything but)\b)[^.!?\n]{0,120}\b(?:this|that|your|you|real-time|personal|images?"
    r"|audio|links?|internet|external|current|specific|advice|opinions?|information|content|instructions|access|assistance"
    r"|recommendations?|preferences?|because|since|as i|as it|without)\b",
    # there is nothing to work on
    rf"(?:{_SORRY}){{1,2}}(?:there (?:is|are|was|were) (?:no|not enough|insufficient|not any)\b"
    rf"|no (?:\w+ )?{_GIVEN} (?:was|were|is|are|has|have)\b|(?:the|your|this) (?:\w+ )?(?:question|request|input|prompt"
    r"|instruction|text|image|passage|document|task)\b|(?:i (?:think|believe) )?i (?:do|did) not (?:\w+ )?(?:have|understand"
    r"|know|see|find|recogni[sz]e|get|possess|quite|think)\b|it (?:seems|appears|looks like)\b"
    r"|that is (?:not something|beyond|outside|against)\b|you (?:have|did) not\b)",
    rf"(?:sure[,!.] |of course[,!.] |certainly[,!.] )?(?:i (?:will |would )?(?:need|require)|could you (?:please )?(?:provide|clarify|"
    rf"specify|share|give)|can you (?:please )?(?:provide|clarify|specify|share|give)|please (?:provide|clarify|specify|share)"
    rf"|would you mind (?:providing|sharing))(?: me)?(?: with)? (?:{_NEED}|(?:the|a|your|some|which|what|me) (?:\w+ )?"
    rf"(?:\w+ )?{_GIVEN})\b",
    rf"i (?:do not|did not) (?:currently )?(?:have|possess|see|receive|find) (?:{_NEED}|the (?:ability|capability|capacity|means|"
    rf"necessary)|access to|(?:any|a|the|an) (?:attached |specific |given |provided )?{_GIVEN}|personal \w+|real-time)\b",
    rf"(?:no|nope|sorry)[,.!] (?:{_SORRY})?i (?:will not|cannot|refuse)\b",
    r"i (?:would )?(?:rather|prefer) not (?:to )?(?:answer|say|discuss|help|write|provide|do)\b",
)
"""The beginning of a refusal, unless the words of somebody else were wanted: a letter, a story, a translation."""

SOMEWHERE = _any(
    rf"(?:^|[.!?] +|, so |therefore,? |; ){_CANNOT} (?:help|assist|fulfill?|comply|complete|answer|provide|write|generate"
    r"|create|give)\b[^.!?\n]*(?:[.!]|$)\s*(?:$|please\b|however\b|instead\b|if\b|is there\b|let me\b|feel free\b)",
)
"""A refusal behind the beginning of a short answer."""

DISCLAIMER = _any(
    rf"(?:^|[.!?:;,(] |- |\b(?:and|but|however|since|because|that|though|while),? ){_SELF}",
    r"(?:^|[.!?,] )i am (?:chatgpt|claude|bard|gemini|llama|alpaca|copilot|gpt-?\d\S*|qwen|mistral|deepseek)\b",
    r"\bi was (?:created|developed|trained|made|built) by (?:openai|anthropic|google|meta|microsoft|mistral|alibaba)\b",
    r"\bmy (?:knowledge|training)(?: data)? (?:cut-?off|(?:only )?(?:goes|extends|ends|was last updated|is (?:limited|current"
    r"|only))[^.\n]{0,30}(?:20\d\d|up to|until))",
    r"\bas of my (?:last|latest|most recent|knowledge|training)\b",
    r"(?:^|[.!?,] |\b(?:as|since|because|while|but|and|although) )i do not have (?:personal (?:opinions|beliefs|feelings"
    r"|experiences|preferences|emotions)|(?:feelings|emotions|consciousness|a physical body|a body) (?:or|like|and|so)"
    r"|real-time (?:data|information|access)|access to (?:real-time|the internet|current (?:data|events|information))"
    r"|the ability to (?:browse|access the internet|feel|experience|taste|smell))",
)
"""A machine speaking of itself, anywhere in an answer."""

# tasks whose answer is in the voice of somebody else
WORDS_OF_OTHERS = re.compile(
    r"\b(?:e-?mails?|letters?|stor(?:y|ies)|dialog(?:ue)?s?|conversations?|poems?|songs?|lyrics|scripts?|monologues?|scenes?"
    r"|speech(?:es)?|translat\w+|paraphras\w+|rewrit\w+|rephras\w+|reword\w*|proofread\w*|correct\w*|edit|punctuat\w+"
    r"|role-?play\w*|pretend\w*|imagine you|act(?:ing)? as|speak(?:ing)? as|you are (?:a|an|the)\b|voice of"
    r"|perspective|point of view|persona|characters?|quot(?:es?|ation)|apolog\w+|excuses?|repl(?:y|ies)|respon(?:d|se)s?"
    r"|messages?|tweets?|posts?|reviews?|refus\w+|declin\w+|turn(?:ing)? down|reject\w*|politely|complete the"
    r"|continue|finish|fill in|templates?|extract\w*|transcri\w+|convert\w*|sentences?|customers?|diary|journal|captions?|say no"
    r"|announcements?|voicemail|invitations?|memo|notice|statements?|lines?|jokes?|limericks?|haikus?|skits?|subtitles?)\b"
)
# tasks on machines, and questions to one about itself
ABOUT_MACHINES = re.compile(
    r"\b(?:are you|who (?:are|made|created|built|trained) you|what are you|what can you"
    r"|your (?:name|creator|developers?|limitations|capabilities|knowledge|training|purpose|favou?rite|opinion|feelings?)"
    r"|(?:do|can|did|could|will) you (?:\w+ )?(?:have|feel|think|sleep|dream|eat|like|know|want|ever|get|remember|understand|see"
    r"|hear|learn|love|fear|die)|yourself|ai|a\.i\.|artificial intelligence|language models?|chatbots?|chatgpt|gpt|llms?"
    r"|robots?|androids?|virtual assistants?|machine learning|machines?|computers?|sci-?fi|science fiction)\b"
)

FOREIGN_DISCLAIMER = _any(
    r"\bals (?:eine? )?(?:ki|künstliche intelligenz|ki-sprachmodell|sprachmodell|ki-modell|ki-assistent)\b(?=[ ,]*(?:,|kann"
    r"|habe|bin|darf|ohne|verfüge))",
    r"\ben tant (?:que |qu')(?:modèle de langage|ia\b|intelligence artificielle|assistant (?:virtuel|ia))",
    r"\bcomo (?:una? )?(?:modelo de (?:lenguaje|linguagem)|inteligencia artificial|ia\b|asistente (?:virtual|de ia)"
    r"|(?:uma )?inteligência artificial|assistente virtual),? (?:no |não |eu )",
    r"\b(?:come|in quanto) (?:un )?(?:modello (?:di linguaggio|linguistico)|intelligenza artificiale|ia\b|assistente virtuale)",
    r"\bals (?:een )?(?:ai-taalmodel|taalmodel|ai-assistent)\b",
    r"\bjako (?:model językowy|sztuczna inteligencja|ai),? (?:nie|mogę)",
    r"作为(?:一个|一名)?(?:ai|人工智能|语言模型|大型语言模型|人工智能语言模型|ai语言模型|人工智能助手|ai助手)[，,我]",
    r"(?:私は)?(?:ai|人工知能|言語モデル|aiアシスタント)(?:として|なので|ですので|であるため)",
    r"\bкак (?:языковая модель|искусственный интеллект|ии),? я\b",
    r"(?:ai|인공지능) ?(?:언어 ?모델|어시스턴트)?(?:로서|이므로|이기 때문에)",
)

FOREIGN_REFUSAL = _any(
    r"(?:es tut mir (?:sehr )?leid|entschuldigung|tut mir leid|leider)[,.]?\s*(?:aber\s+)?(?:ich )?kann (?:ich )?[^.!?\n]{0,80}"
    r"(?:helfen|unterstützen|erfüllen|bereitstellen|beantworten|geben|schreiben|nachkommen)",
    r"(?:je suis (?:vraiment )?désolée?|désolée?|je regrette)[,.]?\s*(?:mais\s+)?je ne (?:peux|suis|pourrai) [^.!?\n]{0,80}"
    r"(?:aider|fournir|répondre|demande|satisfaire|assister|écrire|en mesure)",
    r"(?:lo siento|lamento|lo lamento|disculpa)[^.!?\n]{0,30}?no puedo [^.!?\n]{0,80}(?:ayudar|proporcionar|cumplir|responder"
    r"|solicitud|asistir|escribir|ofrecer)",
    r"(?:desculpe|sinto muito|lamento)[^.!?\n]{0,30}?não posso [^.!?\n]{0,80}(?:ajud|fornecer|atender|responder|solicitação"
    r"|pedido|escrever)",
    r"(?:mi dispiace|mi spiace|spiacente)[^.!?\n]{0,30}?non posso [^.!?\n]{0,80}(?:aiutar|fornir|rispondere|soddisfare"
    r"|richiesta|assister|scrivere)",
    r"(?:het spijt me|sorry)[,.]? (?:maar )?(?:ik kan|daar kan ik) [^.!?\n]{0,60}niet[^.!?\n]{0,30}helpen",
    r"(?:很?抱歉|对不起|不好意思)[，,。]?\s*(?:但)?(?:我)?(?:无法|不能|不可以|没办法)(?:提供|满足|回答|帮助|协助|完成|处理|为|生成|写)",
    r"(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)[^。\n]{0,60}"
    r"(?:できません|お手伝いできません|お答えできません|いたしかねます|お応えできません)",
    r"(?:извините|простите|к сожалению|мне жаль)[,.]?\s*(?:но\s+)?(?:я )?не (?:могу|в состоянии) [^.!?\n]{0,60}"
    r"(?:помочь|предоставить|ответить|выполнить|написать)",
    r"(?:죄송합니다|죄송하지만|미안하지만)[^.\n]{0,40}(?:도와드릴 수 없|제공할 수 없|답변할 수 없|할 수 없습니다)",
)
