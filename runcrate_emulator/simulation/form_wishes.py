"""The words of a request that only say that it wants JSON: `as JSON with keys a and b`."""

import re
from typing import Final

# Every count is bounded, so that a long text is read in time that grows with its length.
_GAP: Final = r"\s{1,3}"
_KEY: Final = r"[\"'`]?\w{1,40}[\"'`]?"
_QUOTED: Final = r"[\"'`]\w{1,40}[\"'`]"
_NEXT: Final = rf"\s{{0,3}}(?:,\s{{0,3}}(?:and{_GAP})?|\band{_GAP})"
_NOUN: Final = r"(?:keys?|fields?|properties|attributes)"
_KEYS: Final = (
    rf"{_GAP}(?:with|containing|having|that has|using){_GAP}"
    rf"(?:(?:the|these|exactly|only|two|three){_GAP}){{0,3}}"
    rf"(?:{_NOUN}\b(?:{_GAP}(?:named|called|of))?\s{{0,3}}:?\s{{0,3}}{_KEY}(?:{_NEXT}{_KEY}){{0,20}}"
    rf"|{_QUOTED}(?:{_NEXT}{_QUOTED}){{0,20}}(?:{_GAP}{_NOUN}\b)?)"
)
_VERB: Final = (
    rf"\b(?:please{_GAP})?(?:return|respond|reply|answer|output|provide|produce|format|give)\b"
    rf"(?:{_GAP}(?:me|us|it|them|this|that|only|(?:the|your){_GAP}\w{{1,40}})){{0,3}}"
)
_PREPOSITION: Final = r"\b(?:in|as|into|to|using|with)"
_WISH: Final = re.compile(
    rf"(?:{_VERB}{_GAP}(?:{_PREPOSITION}{_GAP})?|{_PREPOSITION}{_GAP})"
    rf"(?:\b(?:a|an|the|only|one|single|valid|pure|raw|strict){_GAP}){{0,4}}"
    rf"\bjson\b(?!{_GAP}schema)"
    rf"(?:{_GAP}(?:objects?|blobs?|format|form|strings?|documents?|only)\b)?"
    rf"(?:{_KEYS})?(?:{_GAP}(?:for|from|about)(?=\s{{0,3}}:))?",
    re.IGNORECASE,
)
_NAMES_FORM: Final = re.compile(
    rf"\b(?:{_NOUN}|formats?|schema|following|examples?|structure|shape|like this)\W*$",
    re.IGNORECASE,
)
_BEFORE_MARK: Final = re.compile(r"\s{1,3}(?=[.,:;!?])")
_LOST_MARK: Final = re.compile(r"(^|[.!?:])\s{0,3}[.,:;]{1,3}")


def without_form(text: str) -> str:
    """A request without its words about the form of the answer; its material stays."""
    without, wishes = _WISH.subn(" ", text)
    if not wishes:
        return text
    bare = _BEFORE_MARK.sub("", without)
    kept = _LOST_MARK.sub(r"\1", bare).strip()
    return kept if re.search(r"\w", kept) else text


def behind_wish(sentence: str) -> str:
    """The material that a wish for JSON brings along after its colon, or ""."""
    wish, colon, material = sentence.partition(": ")
    if not colon or not _WISH.search(wish) or _NAMES_FORM.search(wish):
        return ""
    return material
