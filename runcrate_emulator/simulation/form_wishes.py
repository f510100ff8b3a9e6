"""The words of a request that only say that it wants JSON: `as JSON with keys a and b`."""

import re
from typing import Final

_KEY: Final = r"[\"'`]?\w+[\"'`]?"
_QUOTED: Final = r"[\"'`]\w+[\"'`]"
_NEXT: Final = r"\s*(?:,\s*(?:and\s+)?|\band\s+)"
_NOUN: Final = r"(?:keys?|fields?|properties|attributes)"
_KEYS: Final = (
    r"\s+(?:with|containing|having|that has|using)\s+(?:(?:the|these|exactly|only|two|three)\s+)*"
    rf"(?:{_NOUN}\b(?:\s+(?:named|called|of))?\s*:?\s*{_KEY}(?:{_NEXT}{_KEY})*"
    rf"|{_QUOTED}(?:{_NEXT}{_QUOTED})*(?:\s+{_NOUN}\b)?)"
)
_VERB: Final = (
    r"\b(?:please\s+)?(?:return|respond|reply|answer|output|provide|produce|format|give)\b"
    r"(?:\s+(?:me|us|it|them|this|that|only|(?:the|your)\s+\w+))*"
)
_PREPOSITION: Final = r"\b(?:in|as|into|to|using|with)"
_WISH: Final = re.compile(
    rf"(?:{_VERB}\s+(?:{_PREPOSITION}\s+)?|{_PREPOSITION}\s+)"
    r"(?:\b(?:a|an|the|only|one|single|valid|pure|raw|strict)\s+)*"
    r"\bjson\b(?!\s+schema)(?:\s+(?:objects?|blobs?|format|form|strings?|documents?|only)\b)?"
    rf"(?:{_KEYS})?(?:\s+(?:for|from|about)(?=\s*:))?",
    re.IGNORECASE,
)
_NAMES_FORM: Final = re.compile(
    rf"\b(?:{_NOUN}|formats?|schema|following|examples?|structure|shape|like this)\W*$",
    re.IGNORECASE,
)
_BEFORE_MARK: Final = re.compile(r"\s+(?=[.,:;!?])")
_LOST_MARK: Final = re.compile(r"(^|[.!?:])\s*[.,:;]+")


def without_form(text: str) -> str:
    """A request without its words about the form of the answer; its material stays."""
    bare = _BEFORE_MARK.sub("", _WISH.sub(" ", text))
    kept = _LOST_MARK.sub(r"\1", bare).strip()
    return kept if re.search(r"\w", kept) else text


def behind_wish(sentence: str) -> str:
    """The material that a wish for JSON brings along after its colon, or ""."""
    wish, colon, material = sentence.partition(": ")
    if not colon or not _WISH.search(wish) or _NAMES_FORM.search(wish):
        return ""
    return material
