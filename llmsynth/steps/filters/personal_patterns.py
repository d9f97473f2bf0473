"""The shapes of personal data and secrets."""

from __future__ import annotations

import re

# A local part, and a domain with a top level of letters. A dot ends neither.
EMAIL = re.compile(
    r"(?<![\w.+'-])\w(?:[\w.%+'-]{0,62}[\w+])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w@])"
)
# RFC 2606 and RFC 6761: set aside for examples
NOBODYS_DOMAIN = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost|local|internal)$"
    r"|^(?:git|user|username|name|your[._-]?(?:name|email)?|email|someone|you)@"
)
# Python's matrix product, decorators, and files named with a resolution
NO_DOMAIN = re.compile(r"@\d+x\.|\.(?:png|jpg|jpeg|gif|svg|py|js|ts|css|md|service|T)$")

PHONE = re.compile(
    r"(?<![\w./+$€£#=*^,-])(?<!\d )(?P<number>"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,5}\)|\d{1,5})(?:[ .-]?\d{2,5}){1,5}"  # international
    r"|(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}"  # North American
    r"|\(?0\d{1,5}\)?(?:[ ./-]?\d{2,5}){1,5}"  # national, with the trunk prefix
    r"|\d{2,4}(?:[ .-]\d{2,4}){1,4}|\d{7,11}"  # only where a word announces it
    r")(?![\w%]|[-./]\d|,\d|\s?[=*/^+×÷<>]|:\d)"
)
NORTH_AMERICAN = re.compile(r"(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-.]\d{4}")
ANNOUNCED = re.compile(
    r"(?:\b(?:phones?|tel(?:ephone)?|mobile|cell|fax|call(?: (?:me|us|him|her|them))?|whatsapp|text (?:me|us|him"
    r"|her)|sms|hotline"
    r"|contact(?: number)?|dial|ring|reach (?:me|us|him|her|them)|telefon|handy|tél(?:éphone)?|teléfono|móvil"
    r"|telefone|celular"
    r"|cellulare|telefono)\b|☎|📞|📱)[^\d\n]{0,25}$",
    re.IGNORECASE,
)
DATE = re.compile(
    r"(?:1[89]|20)\d\d[ ./-]\d{1,2}[ ./-]\d{1,2}|\d{1,2}[ ./-]\d{1,2}[ ./-](?:1[89]|20)?\d\d|(?:1[89]"
    r"|20)\d\d[ -]+(?:1[89]|20)\d\d"
)
# the range for fiction in North America, and its like in Britain
NOBODYS_NUMBER = re.compile(
    r"^1?\d{3}55501\d\d$|^55501\d\d$|^(?:44|0)?7700900\d{3}$|^(\d)\1+$|^(?:1?234567\d*|0123456789|9876543210)$"
)

CARD = re.compile(r"(?<![\w.-])(?<![A-Z]{2}\d{2} )\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
ISSUER = re.compile(
    r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|6(?:011|4[4-9]|5)|35(?:2[89]|[3-8])|62|50"
    r"|5[6-9]|6[37]"
)
TEST_CARDS = frozenset(
    (
        "4111111111111111",
        "4242424242424242",
        "4012888888881881",
        "4222222222222",
        "4000056655665556",
        "5555555555554444",
        "5105105105105100",
        "5200828282828210",
        "2223003122003222",
        "378282246310005",
        "371449635398431",
        "378734493671000",
        "6011111111111117",
        "6011000990139424",
        "30569309025904",
        "38520000023237",
        "3530111333300000",
        "3566002020360505",
    )
)

IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])"
)
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip

SECRET = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,}"  # GitHub
    r"|glpat-[A-Za-z0-9_-]{20,}"  # GitLab
    r"|sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic, OpenRouter
    r"|hf_[A-Za-z0-9]{30,}"  # Hugging Face
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}"  # Google
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}"  # Stripe
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}"  # package registries
    r"|(?:AC|SK)[a-f0-9]{32}"  # Twilio
    r"|dop_v1_[a-f0-9]{64}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"  # DigitalOcean, Shopify
    r"|\d{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web tokens
    r")(?![A-Za-z0-9_])"
    r"|https://hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}"
    # a private key, with its end or cut off; in JSON its lines are parted by a backslash and an n
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,\\-]*?"
    r"(?:-----END (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|(?:(?:\s+|\\n)[A-Za-z0-9+/=]{32,})+(?:\n[A-Za-z0-9+/]+={0,2}$)?)",
    re.MULTILINE,
)
PLACEHOLDER = re.compile(
    r"example|your|xxxx|placeholder|dummy|\.\.\.|1234567890|abcdefgh|test_?key|changeme|insert|redacted",
    re.IGNORECASE,
)
