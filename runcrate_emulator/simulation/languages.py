"""Which language a text is in, and greetings in the most usual ones."""

import re
from collections.abc import Mapping
from typing import Final

from runcrate_emulator.simulation.words import words

_SCRIPTS: Final = (
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af]")),
    ("Chinese", re.compile(r"[\u4e00-\u9fff]")),
    ("Russian", re.compile(r"[\u0400-\u04ff]")),
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
)
_COMMON: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(common.split())
    for language, common in {
        "English": "the is are a and of to in it this that what how you i with for was my not",
        "German": "der die das ist und ein eine nicht ich wie was wir sie zu mit auf den für es",
        "French": "le la les est et un une je tu vous des du que qui dans pour ça pas ce avec il",
        "Spanish": "el la los las es y un una que de en por cómo qué muy estoy con para no te",
        "Italian": "il lo gli è e un una che di per come sono non mi ti con della questo sei",
        "Portuguese": "o os as é e um uma que de em por como não muito estou com para você",
        "Dutch": "de het een is en ik niet van dat wat hoe met voor op je zijn",
    }.items()
}
_HELLO: Final = (
    (re.compile(r"^\W*(?:hallo|guten (?:tag|morgen|abend)|servus|moin)\b"), "German"),
    (re.compile(r"^\W*(?:bonjour|bonsoir|salut|coucou)\b"), "French"),
    (re.compile(r"^\W*(?:¡?hola|buen[oa]s (?:días|tardes|noches))\b"), "Spanish"),
    (re.compile(r"^\W*(?:ciao|buongiorno|salve)\b"), "Italian"),
    (re.compile(r"^\W*(?:olá|bom dia|boa tarde)\b"), "Portuguese"),
    (re.compile(r"^\W*(?:你好|您好)"), "Chinese"),
    (re.compile(r"^\W*(?:こんにちは|おはよう)"), "Japanese"),
)
_REPLIES: Final[Mapping[str, str]] = {
    "German": "Hallo! Wie kann ich helfen?",
    "French": "Bonjour ! Comment puis-je vous aider ?",
    "Spanish": "¡Hola! ¿En qué puedo ayudar?",
    "Italian": "Ciao! Come posso aiutare?",
    "Portuguese": "Olá! Como posso ajudar?",
    "Chinese": "你好。有什么可以帮你的吗\uff1f",
    "Japanese": "こんにちは。何をお手伝いしましょうか。",
}
_LONGEST_GREETING: Final = 8
"""Words; what is longer asks for something."""


def language_of(text: str) -> str:
    """The English name of the language that a text is most likely in."""
    for language, letters in _SCRIPTS:
        if letters.search(text):
            return language
    said = {word.lower() for word in words(text)}
    return max(_COMMON, key=lambda language: len(said & _COMMON[language]))


def greeted(text: str) -> str | None:
    """A greeting back, in the language of a text that only greets, else `None`."""
    lowered = text.lower()
    if len(words(text)) > _LONGEST_GREETING:
        return None
    found = next((language for hello, language in _HELLO if hello.search(lowered)), None)
    return None if found is None else _REPLIES[found]
