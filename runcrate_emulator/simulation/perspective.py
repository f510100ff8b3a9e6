"""Turning what a user says of themselves into what is said to them: `my name` to `your name`."""

import re
from typing import Final

_SWAPS: Final = (
    (re.compile(r"\bI'm\b|\bI am\b", re.IGNORECASE), "you are"),
    (re.compile(r"\bI was\b", re.IGNORECASE), "you were"),
    (re.compile(r"\bI've\b", re.IGNORECASE), "you have"),
    (re.compile(r"\bI'll\b", re.IGNORECASE), "you will"),
    (re.compile(r"\bI\b"), "you"),
    (re.compile(r"\bmyself\b", re.IGNORECASE), "yourself"),
    (re.compile(r"\bmy\b", re.IGNORECASE), "your"),
    (re.compile(r"\bmine\b", re.IGNORECASE), "yours"),
    (re.compile(r"(?<!^)\bme\b", re.IGNORECASE), "you"),
    (re.compile(r"\bour\b", re.IGNORECASE), "your"),
    (re.compile(r"\bwe\b", re.IGNORECASE), "you"),
)
_FIRST_PERSON: Final = re.compile(r"\b(?:I|I'm|my|mine|me|we|our)\b", re.IGNORECASE)
_GREETING: Final = re.compile(r"^(?:hi|hello|hey)\b[\s,!.]*(?:there\b[\s,!.]*)?", re.IGNORECASE)
_NAMED: Final = re.compile(r"\b(?:I am|I'm|call me|this is|it's)\s+(?P<name>[A-Z][\w-]+)\b")

_GREETED: Final = re.compile(
    r"^\W*(?:hi|hello|hey)\b(?: there)?[\s,!.]+(?:i'm|i am|this is|it's|my name is)\s+"
    r"(?!(?:a|an|the|not|here|back|new|fine|good|ok|okay|looking|trying|having|so|very|in|from)\b)"
    r"(?P<name>\w+)[.!]*$",
    re.IGNORECASE,
)
"""Who greets and says who they are may write their name small."""


def own_name(sentence: str) -> str:
    """What a user says to be called, or ""."""
    match = _NAMED.search(sentence) or _GREETED.match(sentence)
    return match["name"] if match else ""


def about_user(sentence: str) -> bool:
    """Whether a sentence of the user speaks of themselves."""
    return bool(_FIRST_PERSON.search(sentence))


def addressed(sentence: str) -> str:
    """A user's sentence as said to the user."""
    said = _GREETING.sub("", sentence)
    for pattern, swapped in _SWAPS:
        said = pattern.sub(swapped, said)
    said = said.strip()
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")
