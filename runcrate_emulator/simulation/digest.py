"""The gist of a text: its keywords, its most telling sentences, a title, its topic."""

import re
from collections import Counter
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.passages import passages
from runcrate_emulator.simulation.relevance import PRONOUN
from runcrate_emulator.simulation.words import STOP_WORDS, is_name_like, stem, stems, words

_HEADING: Final = re.compile(r"^\s{0,3}#{1,3}\s+(.+?)\s*#*$", re.MULTILINE)
_NAME_BONUS: Final = 1.5
_OPENING_BONUS: Final = 1.3
_POINTING: Final = 0.6
"""What a sentence counts less that begins with `it`: without the one before it says little."""
_LONGEST_TITLE: Final = 9
_GENERIC: Final = frozenset(
    stem(word)
    for word in """
        joke story poem haiku haikus essay song limerick paragraph example list write text thing
        things
        something information answer question please topic context document
        """.split()  # noqa: SIM905 - words read best as words
)
_ABOUT: Final = re.compile(
    r"\b(?:about|on|regarding|concerning|of|for)\s+(?P<topic>[^?.!,;:\n]+)", re.IGNORECASE
)


def keywords(text: str, limit: int) -> list[str]:
    """The most telling words and names of a text, best first."""
    names = Counter(span.text for span in spans.names(text))
    counted: Counter[str] = Counter()
    written: dict[str, str] = {}
    for word in words(text):
        if word.lower() in STOP_WORDS or len(word) < 3 or word.isdigit():  # noqa: PLR2004 - too short
            continue
        base = stem(word)
        counted[base] += 1
        written.setdefault(base, word)
    scored: dict[str, float] = {}
    for base, count in counted.items():
        bonus = _NAME_BONUS if is_name_like(written[base]) else 1.0
        scored[written[base]] = count * bonus * (1 + len(base) / 20)
    for name, count in names.items():
        if " " in name:
            scored[name] = count * _NAME_BONUS * 2
            for part in name.split():
                scored.pop(part, None)
    ranked = sorted(scored, key=lambda word: -scored[word])
    return ranked[:limit]


def summary(text: str, sentence_count: int = 2) -> str:
    """The most telling sentences of a text, in their order."""
    return " ".join(summary_sentences(text, sentence_count))


def summary_sentences(text: str, sentence_count: int) -> list[str]:
    """The most telling sentences of a text one by one, in their order."""
    every = [p.text for p in passages(text) if p.kind in {"prose", "item"} and len(p.text) > 2]  # noqa: PLR2004 - no stray mark
    if len(every) <= sentence_count:
        return every
    counts = Counter(stems(text))
    scored: list[tuple[float, int]] = []
    for at, sentence in enumerate(every):
        found = set(stems(sentence))
        score = sum(counts[one] for one in found) / (len(found) + 3)
        score *= _OPENING_BONUS if at == 0 else _POINTING if PRONOUN.match(sentence) else 1.0
        scored.append((score, at))
    best = sorted(at for _, at in sorted(scored, reverse=True)[:sentence_count])
    return [every[at] for at in best]


def title(text: str) -> str:
    """A title for a text: its own first heading, or its main names and words."""
    if heading := _HEADING.search(text):
        return heading[1]
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if (
        lines
        and len(lines) > 1
        and len(lines[0].split()) <= _LONGEST_TITLE
        and lines[0][-1:].isalnum()
    ):
        return lines[0]
    bare = " ".join(text.split()).rstrip(".")
    if 0 < len(bare.split()) <= _LONGEST_TITLE and not re.search(r"[.?!]\s|[?!]$", bare):
        return bare
    found = keywords(text, 3)
    if not found:
        return "Untitled"
    shown = [word if is_name_like(word) else word.capitalize() for word in found]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def topic(text: str) -> str:
    """What a request is about, as it is written there: `cats` in `a joke about cats`."""
    for match in _ABOUT.finditer(text):
        kept = [word for word in match["topic"].split() if word.lower() not in STOP_WORDS]
        kept = [] if kept and kept[0][0].isdigit() else kept
        if kept and not set(map(stem, words(" ".join(kept)))) <= _GENERIC:
            return " ".join(_trimmed(match["topic"]))
    named = spans.names(text)
    if named:
        return named[-1].text
    left = [
        word
        for word in words(text)
        if word.lower() not in STOP_WORDS and stem(word) not in _GENERIC and not word.isdigit()
    ]
    return left[-1] if left else "this"


def _trimmed(text: str) -> list[str]:
    parts = re.split(r"\s(?:and|with|in|that|which|using|for|include|including)\s", text)[0].split()
    while parts and parts[0].lower() in {"the", "a", "an", "my", "your", "some"}:
        parts = parts[1:]
    return parts[:5] or text.split()


def questions(text: str, limit: int) -> list[str]:
    """Questions that a text answers, made from its sentences."""
    asked: list[str] = []
    for passage in passages(text):
        question = _question(passage.text) if passage.kind == "prose" else ""
        if question and question not in asked:
            asked.append(question)
        if len(asked) == limit:
            return asked
    for word in keywords(text, limit * 2):
        question = f"What does the text say about {word}?"
        if len(asked) < limit and question not in asked:
            asked.append(question)
    return asked


_STATEMENT: Final = re.compile(
    r"^(?P<subject>(?:The |An? |"
    r"[A-Z`])(?:[\w`.-]+\s?){0,3}?[\w`.-]*)\s(?P<verb>is|are|was|were|has|have|can)\s(?P<rest>.+?)[.!]?$"
)


_NO_SUBJECT: Final = frozenset(
    """
    it they he she this that these those there which what who when where why how everything nothing
    all each both if
    """.split()  # noqa: SIM905 - words read best as words
)


def _question(sentence: str) -> str:
    match = _STATEMENT.match(sentence)
    if not match or {word.lower() for word in match["subject"].split()} & _NO_SUBJECT:
        return ""
    subject = match["subject"]
    first, _, rest = subject.partition(" ")
    if first in {"The", "A", "An"} or (rest[:1].islower() and first.istitle()):
        subject = subject[0].lower() + subject[1:]
    if match["verb"] in {"has", "have"}:
        return f"What {'does' if match['verb'] == 'has' else 'do'} {subject} have?"
    if match["verb"] == "can":
        return f"What can {subject} do?"
    if re.search(r"\bin \d{4}\b", match["rest"]):
        return f"When {match['verb']} {subject} {re.sub(r' in [0-9]{4}.*', '', match['rest'])}?"
    return f"What {match['verb']} {subject}?"
