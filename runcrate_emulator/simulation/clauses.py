"""A request cut into the steps that it asks for: `find the cheapest, launch it and tell me …`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.simulation.actions import VERBS, Action, verb_action
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.words import STOP_WORDS, WORD, stem, words

_QUOTED: Final = re.compile(
    r"\"[^\"\n]*\"|\u201c[^\u201d\n]*\u201d|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)|\([^()\n]*\)"
)
_BORDER: Final = re.compile(
    r"\s*(?:;|,?\s+(?:and\s+)?then\b|,?\s+but\s+|,\s*(?:and\s+)?|\s+and\s+(?:then\s+|also\s+|finally\s+)?|\n\s*(?:[-*]|\d+[.)])\s*)\s*",
    re.IGNORECASE,
)
_LEADING: Final = re.compile(
    r"^(?:please|then|next|after that|afterwards|finally|first(?:ly)?|second(?:ly)?|third(?:ly)?|"
    r"lastly|also|now|once (?:that is |it is |it's )?(?:done|"
    r"running|ready)|when (?:that is |it is )?"
    r"done|\d+[.)]|[-*]|and|can you|could you|would you|i want you to|i'?d like (?:you )?to|"
    r"i need (?:you )?to|help me(?: to)?|let'?s|step \d+:?)[\s,:]+",
    re.IGNORECASE,
)
_CONTINUES: Final = re.compile(
    r"^(?:then|next|after|afterwards|finally|lastly|once|when|wait|step)\b", re.IGNORECASE
)
_POINTS_BACK: Final = re.compile(
    r"\b(?:it|its|them|their|that|those|these|the (?:result|output|answer|sum|product|same|first|"
    r"last|cheapest|best|new|instance|one|ones)|this)\b",
    re.IGNORECASE,
)
_EXPLETIVE: Final = re.compile(
    r"\bwhat \w+ is it\b|\b(?:is|will) it (?:true|possible|be|\w+ing|\w+ny|hot|cold|warm|wet)\b",
    re.IGNORECASE,
)
_LONGEST_REQUEST: Final = 8000
"""Characters of a request in which steps are looked for."""
_REACH: Final = 80
"""Characters after a conjunction in which the next step's verb must stand."""
_ASKING: Final = frozenset(
    """
        what who where when why how which is are wie was wer wo wann warum welche welcher welches
        quel quelle comment où quand pourquoi qui qué quién cómo dónde cuándo cuál cuánto che chi
        dove come
        """.split()  # noqa: SIM905 - words read best as words
)
_SUM: Final = re.compile(r"\(*-?\d+(?:\.\d+)?\s*[-+*/x×]\s*\(*-?\d")  # noqa: RUF001 - the sign
_ASKS_UNSPACED: Final = re.compile(r"[吗呢]|什么|怎么|多少|哪|\uff1f|ですか|ますか")
_FORBIDS: Final = re.compile(
    r"^(?:but\s+)?(?:do not|don'?t|never|without|no need to|avoid|rather than|instead of)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One step of a request.

    Attributes:
        text: Its words, without `then` and `please` before them.
        action: What its verb does, or `None`.
        follows: Whether it says that it comes after the step before.
        points_back: Whether it speaks of something that an earlier step yields.
        forbidden: Whether it says what must not be done.
    """

    text: str
    action: Action | None
    follows: bool
    points_back: bool
    forbidden: bool = False


def clauses(request: str, verbs: Collection[str] = ()) -> list[Clause]:
    """The steps of a request in order.

    Args:
        request: What the user wrote.
        verbs: More stems that begin a step, as the verbs in the names of the tools on offer.
    """
    known = VERBS | set(verbs)
    parts = [
        part
        for part in _parts(request[:_LONGEST_REQUEST], known)
        if re.search(r"[^\W\d]|\d\s*[-+*/(]", part)
    ]
    return [_clause(part, at, known) for at, part in enumerate(parts)]


def _parts(request: str, verbs: frozenset[str]) -> list[str]:
    parts: list[str] = []
    for line in re.split(r"\n\s*(?=[-*]\s|\d+[.)]\s)|\n\s*\n", request):
        for sentence in sentences(line):
            parts.extend(_split(sentence, verbs))
    return parts


def _split(sentence: str, verbs: frozenset[str]) -> list[str]:
    """Cut before each conjunction or comma after which a new verb or question word stands."""
    shielded = _QUOTED.sub(lambda found: "\x00" * len(found[0]), sentence)
    cuts = [0]
    starts: list[int] = []
    for border in _BORDER.finditer(shielded):
        rest = _LEADING.sub("", shielded[border.end() : border.end() + _REACH])
        first = WORD.search(rest)
        begins = first is not None and (
            stem(first[0]) in verbs
            or first[0].lower() in _ASKING
            or bool(_FORBIDS.search(rest) or _SUM.match(rest))
        )
        if begins and WORD.search(shielded, cuts[-1], border.start()):
            starts.append(border.start())
            cuts.append(border.end())
            if "then" in border[0].lower():
                cuts[-1] = border.start() + border[0].lower().index("then")
    ends = [*starts, len(sentence)]
    return [sentence[start:end].strip(" ,") for start, end in zip(cuts, ends, strict=True)]


def _clause(text: str, at: int, verbs: frozenset[str]) -> Clause:
    follows = at > 0 and bool(_CONTINUES.search(text))
    bare = text
    while (shorter := _LEADING.sub("", bare)) != bare:
        bare = shorter
    forbidden = bool(_FORBIDS.search(bare))
    points_back = at > 0 and bool(_POINTS_BACK.search(_EXPLETIVE.sub("", bare)))
    return Clause(bare.strip(" ,"), _action(bare, verbs), follows, points_back, forbidden)


def _action(text: str, verbs: frozenset[str]) -> Action | None:
    found = words(text)
    if _ASKS_UNSPACED.search(text) or (found and found[0].lower() in _ASKING):
        return "read"
    for word in found[:4]:
        if stem(word) in verbs and (action := verb_action(word)):
            return action
        if word.lower() not in STOP_WORDS:
            break
    return None
