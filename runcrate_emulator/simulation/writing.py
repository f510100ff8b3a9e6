"""Prompts that want a text made from their material: a summary, a title, keywords, questions."""

import re
from collections.abc import Callable
from typing import Final

from runcrate_emulator.simulation import digest, spans
from runcrate_emulator.simulation.extraction import find_answer
from runcrate_emulator.simulation.prompt import Prompt, joined

_NUMBER: Final = r"(?P<n>\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
_KEYWORDS: Final = re.compile(
    rf"\b(?:{_NUMBER}\s+)?(?:unique |key |main |relevant |"
    rf"important )*(?:keywords?|key ?phrases|tags)\b",
    re.IGNORECASE,
)
_QUESTIONS: Final = re.compile(
    rf"\b(?:generate|write|create|suggest|ask|give|list|produce|propose)\b[^.\n]{{0,40}}?\b(?:{_NUMBER}\s+)?"
    r"(?:\w+ ){0,2}(?P<kind>questions|quer(?:y|ies)|sub-?questions)\b",
    re.IGNORECASE,
)
_SUMMARY: Final = re.compile(
    r"\b(?:summar(?:y|i[sz]e|i[sz]ing|ies)|tl;?dr|overview|sum up|"
    r"main themes?|key (?:points|topics|takeaways))\b",
    re.IGNORECASE,
)
_ASKS_SUMMARY: Final = re.compile(
    r"^\W*(?:please |can you |could you )*(?:summar[iy]|tl;?dr|give (?:me )?(?:a|an) (?:\w+ )?"
    r"(?:summary|overview)|"
    r"what (?:is|are) (?:this|these|the) (?:text|document|article|passage)s? about)",
    re.IGNORECASE,
)
"""A question that no passage answers, but all of them together."""
_TITLE: Final = re.compile(r"\b(?:title|headline)\b", re.IGNORECASE)
_PASSAGE: Final = re.compile(
    r"\bwrite a (?:passage|paragraph|document)\b[^.]*\banswer", re.IGNORECASE
)
_SENTENCES: Final = re.compile(
    rf"\b{_NUMBER}[- ](?:short )?(?:sentences?|bullet points?|bullets|points|lines)\b",
    re.IGNORECASE,
)
_BULLETS: Final = re.compile(r"\bbullet", re.IGNORECASE)
_WORD_LIMIT: Final = re.compile(
    r"\b(?:at most|up to|under|within|max(?:imum)?(?: of)?|in) (\d+) words\b", re.IGNORECASE
)
_LABEL: Final = re.compile(r"[\"'\u201c](?P<label>[A-Z][A-Z ]{2,20}): ?<")
_COMMAS: Final = re.compile(r"\bcomma[- ]separated\b", re.IGNORECASE)
_FIELDS: Final = re.compile(r"\bextract the relevant fields\b", re.IGNORECASE)
_DEFAULT_KEYWORDS: Final = 5
_DEFAULT_QUESTIONS: Final = 3
_TINY: Final = 3
"""Words below which a text is not material."""


def written(prompt: Prompt) -> str | None:
    """The text that a prompt wants made from its material, else `None`."""
    if (
        prompt.part("question")
        and prompt.cue in {"answer", "helpful answer", "response", ""}
        and not _KEYWORDS.search(prompt.instructions)
        and not _ASKS_SUMMARY.match(prompt.question)
    ):
        return None
    wanted = (
        f"{prompt.instructions}\n{prompt.cue}"
        if prompt.context or prompt.part("history")
        else f"{prompt.text}\n{prompt.cue}"
    )
    if _ASKS_SUMMARY.match(prompt.question):
        wanted = f"{wanted}\n{prompt.question}"
    material = _material(prompt)
    if len(material.split()) < _TINY:
        return None
    told = [(pattern, write, pattern.search(prompt.cue)) for pattern, write in _WRITERS]
    for pattern, write in [(p, w) for p, w, match in told if match] or _WRITERS:
        if match := pattern.search(wanted):
            return write(prompt, material, match)
    return None


def _material(prompt: Prompt) -> str:
    if history := prompt.part("history"):
        return "\n\n".join(line for line in history.splitlines() if not line.endswith(":"))
    if prompt.context:
        return joined(prompt.context)
    if prompt.part("question") and prompt.part("question") != prompt.text:
        return prompt.part("question")
    if re.search(
        r"\b(?:conversation|so far|we (?:talked|discussed)|above)\b", prompt.text, re.IGNORECASE
    ):
        return joined([*prompt.told, *prompt.replied])
    return ""


def _count(match: re.Match[str] | None, default: int) -> int:
    if match and match["n"] and (found := spans.numbers(match["n"])):
        return max(1, min(int(found[0].value), 50))
    return default


def _keywords(prompt: Prompt, material: str, match: re.Match[str]) -> str:
    limit = re.search(r"\bup to (\d+) keywords", prompt.instructions)
    count = int(limit[1]) if limit else _count(match, _DEFAULT_KEYWORDS)
    listed = ", ".join(digest.keywords(material, count))
    label = _LABEL.search(f"{prompt.instructions}\n{prompt.text}")
    return f"{label['label']}: {listed}" if label else listed


def _questions(prompt: Prompt, material: str, match: re.Match[str]) -> str:
    found = digest.questions(material, _count(match, _DEFAULT_QUESTIONS))
    if _COMMAS.search(prompt.instructions):
        return ", ".join(found)
    return "\n".join(f"{number}. {question}" for number, question in enumerate(found, start=1))


def _summary(prompt: Prompt, material: str, _: re.Match[str]) -> str:
    told = f"{prompt.instructions} {prompt.text}"
    found = _SENTENCES.search(told)
    count = _count(
        found, 1 if re.search(r"\bone[- ]sentence|a sentence\b", told, re.IGNORECASE) else 3
    )
    summary = digest.summary(material, count)
    if found and _BULLETS.search(found[0]):
        return "\n".join(f"- {passage}" for passage in digest.summary_sentences(material, count))
    if limit := _WORD_LIMIT.search(told):
        return " ".join(summary.split()[: int(limit[1])])
    return summary


def _title(_: Prompt, material: str, __: re.Match[str]) -> str:
    return digest.title(material)


def _passage(prompt: Prompt, material: str, _: re.Match[str]) -> str:
    found = find_answer(prompt)
    return (
        found.text
        if found.grounded
        else f"This passage is about {digest.topic(material)}: {material}"
    )


_WRITERS: Final[tuple[tuple[re.Pattern[str], Callable[[Prompt, str, re.Match[str]], str]], ...]] = (
    (_PASSAGE, _passage),
    (_KEYWORDS, _keywords),
    (_QUESTIONS, _questions),
    (_TITLE, _title),
    (_SUMMARY, _summary),
)
