"""Follow-up questions made to stand alone: `How much is it?` after a talk about the H100."""

import re
from typing import Final

from runcrate_emulator.simulation import digest, spans
from runcrate_emulator.simulation.actions import VERBS
from runcrate_emulator.simulation.asked_about import bearer, doer
from runcrate_emulator.simulation.perspective import about_user
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.words import STOP_WORDS, stem, words

_WANTS: Final = re.compile(
    r"\b(?:standalone|stand-alone|self-contained)\b|"
    r"\b(?:rephrase|rewrite|reformulate|condense)\b.{0,80}\b(?:question|query|message|follow)",
    re.IGNORECASE | re.DOTALL,
)
_SPEAKER: Final = re.compile(
    r"^\s*\W*(?P<who>user|human|assistant|ai|system|you|bot|customer|agent)\W*:\s*(?P<text>.*)$",
    re.IGNORECASE,
)
_HUMAN: Final = frozenset({"user", "human", "you", "customer"})
_POSSESSIVE: Final = re.compile(r"\b(?:its|their|his|her|hers|theirs)\b", re.IGNORECASE)
_PRONOUN: Final = re.compile(
    r"\b(?:it|they|them|he|she|him|this|that|these|those|this one|"
    r"that one|the one)\b(?! (?:is )?\w+ing\b)",
    re.IGNORECASE,
)
_ELLIPSIS: Final = re.compile(
    r"^(?:and|but|so|also)?\s*(?:what|how) about\s+(?P<new>.+?)\??$|^(?:and|or)\s+"
    r"(?!(?:who|what|how|when|where|why|which|is|are|does|do|did|can|could|will)\b)(?P<bare>.+?)\??$",
    re.IGNORECASE,
)


_SAME: Final = re.compile(
    r"^(?:and |now |please |then |can you |could you )*(?:do )?(?:the same|it again|that again)"
    r"(?: thing)?(?:,? but)?(?: (?:for|about|with|in|on))+ (?P<new>.{1,80})$",
    re.IGNORECASE,
)
_LONGEST_TOPIC: Final = 5
_PREPOSITION: Final = re.compile(r"^(?:in|for|at|on|to|of|from|with)\s+", re.IGNORECASE)
_LISTING: Final = re.compile(r"\s*(?:,|and|or|&|,\s*and)\s*")
_ELLIPTIC_WORDS: Final = 3
"""A follow-up of no more words, as `How much memory?`, leaves out what it is about."""


def standalone(prompt: Prompt) -> str | None:
    """The answer to a prompt that wants a follow-up made to stand alone, else `None`."""
    if not _WANTS.search(f"{prompt.instructions} {prompt.cue}"):
        return None
    turns = _turns(prompt.part("history"))
    turns = turns or [*(("user", text) for text in prompt.told)]
    return completed(prompt.question, turns)


def _turns(history: str) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for line in history.splitlines():
        if match := _SPEAKER.match(line):
            turns.append((match["who"].lower(), match["text"]))
        elif turns and line.strip():
            turns[-1] = (turns[-1][0], f"{turns[-1][1]} {line.strip()}")
        elif line.strip():
            turns.append(("user", line.strip()))
    return turns


def completed(question: str, turns: list[tuple[str, str]]) -> str:
    """A question with what its pronouns mean put in their place.

    Args:
        question: The follow-up.
        turns: Who said what before, oldest first.
    """
    asked = [text for who, text in turns if who in _HUMAN]
    if not asked:
        return question
    if (match := _ELLIPSIS.match(question.strip())) and (new := match["new"] or match["bare"]):
        return _replaced(asked[-1], new.strip(" ?"))
    question = _opened(question)
    topic = _topic(asked, [text for who, text in turns if who not in _HUMAN])
    if not topic:
        return question
    said = _POSSESSIVE.sub(f"{topic}'s", question)
    if said == question:
        said = _PRONOUN.sub(topic, question, count=1)
    is_whole = len(words(question)) > _ELLIPTIC_WORDS or bool(spans.names(question))
    if said == question and not is_whole and not about_user(question):
        said = f"{question.rstrip(' ?.')} ({topic})?"
    return said


def follow_up(question: str, asked: list[str]) -> str:
    """A question such as `And in Rome?` as the one before with its topic exchanged.

    Args:
        question: The latest question.
        asked: The questions before it, oldest first.
    """
    same, match = _SAME.match(question.strip()), _ELLIPSIS.match(question.strip())
    if not asked or (same is None and match is None):
        return question
    new = same["new"] if same is not None else (match["new"] or match["bare"] if match else "")
    if same is None and not (question.rstrip().endswith("?") and _is_topic(new)):
        return question
    return _replaced(asked[-1], new.strip(" ?.!"))


def _is_topic(text: str) -> bool:
    """Whether a text only names something, as `in Rome` does and `send it to Bob` does not."""
    said = words(text)
    return 0 < len(said) <= _LONGEST_TOPIC and stem(said[0]) not in VERBS


def _opened(question: str) -> str:
    """A question without the `And` or `But` that ties it to the one before."""
    bare = re.sub(
        r"^(?:and|but|so|or|also|then)\b[\s,]*", "", question.strip(), flags=re.IGNORECASE
    )
    return bare[:1].upper() + bare[1:]


def _topic(asked: list[str], answered: list[str]) -> str:
    """What the conversation is about: the latest question's subject, a name, or a noun."""
    for text in reversed(asked):
        if subject := doer(text):
            return subject
        if named := spans.names(text):
            return named[-1].text
        if subject := bearer(text):
            return subject
    for text in reversed(answered):
        if named := spans.names(text):
            return named[0].text
    found = digest.topic(asked[-1])
    return "" if found == "this" else found


def _named_last(question: str) -> str:
    """The last name in a question, with the names that are listed before it."""
    named = spans.names(question)
    if not named:
        return ""
    start = end = named[-1].start
    for one in reversed(named):
        if not _LISTING.fullmatch(question[one.end : end]) and one is not named[-1]:
            break
        start = end = one.start
    return question[start : named[-1].end]


def _replaced(question: str, new: str) -> str:
    """The earlier question with its topic exchanged: `weather in Paris` for `what about Rome`."""
    old = _named_last(question) or digest.topic(question)
    new = _PREPOSITION.sub("", new)
    if old and old in question:
        return question.replace(old, new)
    kept = [word for word in words(question) if word.lower() not in STOP_WORDS]
    return f"{question.rstrip(' ?')} {new}?" if kept else f"What about {new}?"
