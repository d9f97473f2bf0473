"""Languages: which are told apart, which are alike, and what tasks call them."""

LANGUAGES = tuple(
    code
    for codes in (
        "af ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn",
        "ko ku ky lo lt lv mg mk ml mn mr ms my ne nl no pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk",
        "ur uz vi xh yo zh zu",
    )
    for code in codes.split()
)
"""What is told apart, besides the wanted ones, by ISO 639-1 code.

Close dialects, which short texts are mistaken for, are left out, and so are Latin and Esperanto, as which names and
technical terms read.
"""

ALIKE = ({"bs", "hr", "sr"}, {"id", "ms"}, {"no", "da", "nn"}, {"cs", "sk"}, {"af", "nl"}, {"es", "gl", "ca"})
"""Languages so alike that a short text of the one may be taken for the other."""

NAMES = {
    "ar": "arabic", "bg": "bulgarian", "bn": "bengali bangla", "ca": "catalan", "cs": "czech", "cy": "welsh",
    "da": "danish dane", "de": "german germans austrian swiss", "el": "greek",
    "en": "english englisch anglais inglés inglese inglês engels английский 英语 英語", "es": "spanish mexican latin",
    "et": "estonian", "fa": "persian farsi", "fi": "finnish", "fr": "french", "ga": "irish gaelic", "gl": "galician",
    "he": "hebrew", "hi": "hindi indian", "hr": "croatian", "hu": "hungarian", "id": "indonesian", "is": "icelandic",
    "it": "italian", "ja": "japanese", "ko": "korean", "lt": "lithuanian", "lv": "latvian", "ms": "malay",
    "nl": "dutch flemish", "no": "norwegian", "pl": "polish", "pt": "portuguese brazilian", "ro": "romanian",
    "ru": "russian", "sk": "slovak", "sl": "slovenian slovene", "sq": "albanian", "sr": "serbian", "sv": "swedish",
    "sw": "swahili", "th": "thai", "tl": "tagalog filipino", "tr": "turkish", "uk": "ukrainian", "ur": "urdu",
    "vi": "vietnamese", "zh": "chinese mandarin",
}  # fmt: skip
"""By language, the words in a task that ask for it."""
