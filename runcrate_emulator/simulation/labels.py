"""The labels of a prompt's parts, and what a part is for by the noun in its label."""

import re
from typing import Final, Literal

Role = Literal[
    "question",
    "context",
    "history",
    "existing",
    "candidate",
    "reference",
    "statement",
    "choices",
    "example",
    "instruction",
    "schema",
    "tools",
    "cue",
    "plain",
]


_NOUNS: Final[tuple[tuple[Role, str], ...]] = (
    (
        "history",
        (
            r"(?:chat|conversation|message|dialogue?) (?:history|log)|history|transcript so far|"
            r"(?:chat |conversation )?messages|conversation"
        ),
    ),
    (
        "existing",
        (
            r"(?:existing|original|previous|current|initial|draft|old|yes/no)(?: yes/no)? "
            r"(?:answer|response|summary|evaluation|result)(?: score)?|existing evaluation score"
        ),
    ),
    (
        "reference",
        (
            r"(?:reference|expected|correct|true|ground[- ]truth|gold|ideal) "
            r"(?:answer|response|output|solution)s?|ground[- ]truth|reference"
        ),
    ),
    ("tools", r"tools|available tools"),
    ("choices", r"choices|options|candidates|categories|labels|answer choices"),
    ("example", r"(?:some )?examples?(?: \d+)?(?: (?:format|response|output|input))?"),
    ("schema", r"(?:json |output |response )?schema|output format|response format"),
    (
        "question",
        (
            r"(?:(?:user|original|search|follow[- ]?up|human|"
            r"standalone|final|current|new|the|my|input|"
            r"student|customer)'?s? )*"
            r"(?:questions?|query|queries|request|task|input|message|prompt|problem|follow[- ]?up|"
            r"frage|anfrage|pregunta|domanda|pergunta|问题|質問)"
        ),
    ),
    (
        "statement",
        (
            r"(?:piece of |given )?(?:information|claim|statement|hypothesis|assertion|fact)|"
            r"(?:query|question) (?:and|&) (?:response|answer)"
        ),
    ),
    (
        "context",
        (
            r"(?:(?:new|additional|retrieved|given|provided|relevant|supporting|source|reference|the|"
            r"input|extra|background|knowledge source|search|useful) )*"
            r"(?:contexts?|documents?|passages?|texts?|articles?|sources?|contents?|excerpts?|"
            r"paragraphs?|snippets?|knowledge|background|notes|transcript|material|data|references|"
            r"results|emails?|reviews?|story|section|chunks?|pages?|report|facts|abstract|reviews|"
            r"kontext|contexte|contexto|contesto|上下文|背景|文脈)"
            r"(?: information| context)?"
        ),
    ),
    (
        "instruction",
        (
            r"(?:(?:primary|main|your) )?(?:instructions?|guidelines?|rules|requirements|note|"
            r"important|criteria|role|persona|objectives?|goals?|constraints|style|tone|steps)"
            r"(?: information)?"
        ),
    ),
    (
        "candidate",
        (
            r"(?:(?:generated|submitted|student|model|assistant|ai|predicted|proposed|actual|final|"
            r"new|refined|helpful|your|the|user|chatbot|system)'?s? )*"
            r"(?:answers?|responses?|outputs?|predictions?|submissions?|results?|repl(?:y|ies)|"
            r"antwort|réponse|respuesta|risposta|resposta|回答|答案)"
            r"(?: [ab12])?|(?:assistant|model|system|candidate) [ab12](?:['\u2019]s)? "
            r"(?:answer|response|output)"
        ),
    ),
)
_ROLE_NAMES: Final = tuple((role, re.compile(rf"^(?:{noun})$")) for role, noun in _NOUNS)
_ROLE_MENTIONS: Final = tuple((role, re.compile(rf"\b(?:{noun})\b")) for role, noun in _NOUNS)

LABEL: Final = re.compile(
    r"^\s*(?:#{1,6}\s*|[-*]\s+)?(?:\*\*)?(?P<label>[^\W\d_][\w'/ -]{0,48}?)\s*"
    r"(?:\*\*:|:\*\*|[:\uff1a])[ \t]*(?P<rest>.*)$"
)
TITLE: Final = re.compile(
    r"^\s*(?:#{1,6}\s+(?P<heading>.+?)|\*\*(?P<bold>[^*]+)\*\*|"
    r"\[(?:The )?(?:Start of )?(?P<bracket>[A-Z][\w '\u2019]+)\])\s*:?\s*$"
)
END: Final = re.compile(r"^\s*\[(?:The )?End of [\w '\u2019]+\]\s*$")
TAG: Final = re.compile(r"^\s*<(?P<label>[A-Za-z][\w -]{0,40})>\s*(?P<rest>.*)$")
END_TAG: Final = re.compile(r"</[A-Za-z][\w -]{0,40}>")
RULE: Final = re.compile(r"^\s*[-=_*~#]{3,}\s*(?:(?P<label>[A-Za-z ]{2,30}?)\s*[-=_*~#]{3,})?\s*$")
QUOTE_RULE: Final = re.compile(r'^\s*(?:"""|\'\'\')\s*$')
ANNOUNCEMENT: Final = re.compile(r"^(?P<sentence>[A-Z<][^\n]{8,400}?):[ \t]*(?P<rest>[^\n]*)$")
ANNOUNCES: Final = re.compile(
    r"\b(?:below|following|follows|here (?:is|are)|provided|given|based (?:only |solely )?on|"
    r"relevant to|answer|from|this|for)\b",
    re.IGNORECASE,
)
BELOW: Final = re.compile(
    r"\b(?:below|following|given|provided)\b|\bhere (?:is|are)\b", re.IGNORECASE
)


def title_name(title: re.Match[str]) -> str:
    """The name in a match of `TITLE`."""
    return (title["heading"] or title["bold"] or title["bracket"]).strip(" :")


def role_of(label: str) -> Role | None:
    """The role that a label gives to its section; `None` for a label without a known noun."""
    plain = " ".join(label.lower().split()).removeprefix("the ").strip("<>*")
    return next((role for role, noun in _ROLE_NAMES if noun.match(plain)), None)


def announced_role(sentence: str) -> Role | None:
    """The role of what a sentence such as `Here is the text` or `the following query` announces."""
    lowered = sentence.lower()
    if re.search(r"\bformat\b", lowered):
        return None
    if at := re.search(r"\b(?:following|new piece of|here (?:is|are)|^below)\b", lowered):
        return _mention(lowered[at.start() : at.start() + 50], first=True)
    return _mention(lowered.partition("below")[0], first=False)


def _mention(text: str, *, first: bool) -> Role | None:
    found = [
        (match.start(), match.end(), order, role)
        for order, (role, noun) in enumerate(_ROLE_MENTIONS)
        for match in noun.finditer(text)
    ]
    if not found:
        return None
    if first:
        return min(found, key=lambda item: (item[0], -item[1], item[2]))[3]
    return max(found, key=lambda item: (item[1], -item[0], -item[2]))[3]
