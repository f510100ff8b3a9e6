"""A request cut into the steps that it asks for: `find the cheapest, launch it and tell me …`."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from runcrate_emulator.simulation.actions import VERBS, Action, verb_action
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.thesaurus import alike
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
POINTS_BACK: Final = re.compile(
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
_ALOUD: Final = re.compile(r"\b(?:aloud|out loud)\b", re.IGNORECASE)
"""What makes a recording of what is said or read."""
_SHOWN_ANEW: Final = re.compile(r"^show (?:me |us )?(?:an?|some|another)\b", re.IGNORECASE)
"""`Show me a picture of a ship` speaks of none that is known: where one can be made, it is."""
_KEEPS: Final = re.compile(
    r"^(?:run|keep|use) (?:it|them|that|this|those|one)\b.{0,40}?\bfor\b", re.IGNORECASE
)
"""`Run it for an hour` has something started; `run the report` may do anything."""
_STATE: Final = (
    r"(?P<state>(?:it|that|this|they|both|all|(?:the|this|that) [\w-]+) "
    r"(?:is|are|has|have)(?: been)? (?:\w+ )?"
    r"(?:ready|running|up|online|active|available|started|done|finished|over|completed?|ended))"
)
_WHEN_TRAILING: Final = re.compile(
    rf"^(?P<do>.+?),? (?:when|once|as soon as|after) {_STATE}\W*$", re.IGNORECASE | re.DOTALL
)
_WHEN_LEADING: Final = re.compile(
    rf"^(?:(?:and|then)[, ]+)*(?:when|once|as soon as|after) {_STATE}[, ]+(?P<do>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER: Final = re.compile(
    r"^(?:an?|another|one|two|three|four|some)\s+(?P<what>[^\W\d][\w-]*(?:\s+[\w-]+){0,3}?)"
    r"(?=\s+(?:of|saying|showing|about|for|with|that|which|named|called)\b|[,.;:!?]|$)",
    re.IGNORECASE,
)
"""One more thing to be made, whose verb stands before: `… and an image of a dog`."""
_WISH: Final = re.compile(
    r"^(?:i|we)(?:'d|\u2019d| would)? (?:need|want|like) (?:an?|some|another|\d+|one|two|three)\b",
    re.IGNORECASE,
)
TURNS_INTO: Final = re.compile(
    r"^(?:turn|make|convert|transform|change|animate)\b.+?\binto (?P<goal>.+)$", re.IGNORECASE
)
"""`Turn X into Y` is about the Y."""
_SUM: Final = re.compile(r"(?!\d{3,5}\s?[x×]\s?\d{3,5}\b)\(*-?\d+(?:\.\d+)?\s*[-+*/x×]\s*\(*-?\d")  # noqa: RUF001 - the sign
_ASKS_UNSPACED: Final = re.compile(r"[吗呢]|什么|怎么|多少|哪|\uff1f|ですか|ますか")
_NOUN_REACH: Final = 7
"""Words within which `show me` says what is to be shown."""
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
        times: How many things of a kind it wants, each by a call of its own.
        count: The words that say so, as `3 `.
    """

    text: str
    action: Action | None
    follows: bool
    points_back: bool
    forbidden: bool = False
    times: int = 1
    count: str = ""

    @property
    def of_one(self) -> str:
        """Its words without the count, for the arguments of one of the calls."""
        return self.text.replace(self.count, "", 1)


def clauses(
    request: str, verbs: Collection[str] = (), products: Collection[str] = ()
) -> list[Clause]:
    """The steps of a request in order.

    Args:
        request: What the user wrote.
        verbs: More stems that begin a step, as the verbs in the names of the tools on offer.
        products: Stems of what the tools on offer make; one more of them is a step of its own.
    """
    lexicon = _Lexicon(VERBS | set(verbs), frozenset(products))
    parts = [
        part
        for part in _parts(request[:_LONGEST_REQUEST], lexicon)
        if re.search(r"[^\W\d]|\d\s*[-+*/(]", part)
    ]
    steps: list[Clause] = []
    for at, part in enumerate(parts):
        step = _clause(part, at, lexicon)
        if step.action is None and steps and lexicon.is_another(step.text):
            step = replace(step, action=steps[-1].action)
        steps.append(step)
    return steps


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """The words by which steps are told apart.

    Attributes:
        verbs: Stems that begin a step.
        products: Stems of what can be made.
    """

    verbs: frozenset[str]
    products: frozenset[str]

    def is_another(self, text: str) -> bool:
        """Whether a text names one more thing to be made: `an image of a dog`."""
        match = _ANOTHER.match(text)
        return match is not None and self.names_product(match["what"].split()[-1:])

    def names_product(self, said: Collection[str]) -> bool:
        """Whether any of some words means something that can be made."""
        return any(alike(stem(word), one) for word in said for one in self.products)


def _parts(request: str, lexicon: _Lexicon) -> list[str]:
    parts: list[str] = []
    for line in re.split(r"\n\s*(?=[-*]\s|\d+[.)]\s)|\n\s*\n", request):
        for sentence in sentences(line):
            for part in _split(sentence, lexicon):
                parts.extend(_in_their_order(part))
    return parts


def _in_their_order(part: str) -> list[str]:
    """`End it when it is ready` as waiting, and then ending it."""
    match = _WHEN_TRAILING.match(part) or _WHEN_LEADING.match(part)
    if match is None or '"' in match["do"]:
        return [part]
    return [f"then wait until {match['state']}", f"then {match['do']}"]


def _split(sentence: str, lexicon: _Lexicon) -> list[str]:
    """Cut before each conjunction or comma after which a new verb or question word stands."""
    shielded = _QUOTED.sub(lambda found: "\x00" * len(found[0]), sentence)
    cuts = [0]
    starts: list[int] = []
    for border in _BORDER.finditer(shielded):
        rest = _LEADING.sub("", shielded[border.end() : border.end() + _REACH])
        first = WORD.search(rest)
        begins = first is not None and (
            stem(first[0]) in lexicon.verbs
            or first[0].lower() in _ASKING
            or bool(_FORBIDS.search(rest) or _SUM.match(rest) or _KEEPS.match(rest))
            or (
                lexicon.is_another(rest)
                and lexicon.names_product(words(shielded[cuts[-1] : border.start()]))
            )
        )
        if begins and WORD.search(shielded, cuts[-1], border.start()):
            starts.append(border.start())
            cuts.append(border.end())
            if "then" in border[0].lower():
                cuts[-1] = border.start() + border[0].lower().index("then")
    ends = [*starts, len(sentence)]
    return [sentence[start:end].strip(" ,") for start, end in zip(cuts, ends, strict=True)]


def _clause(text: str, at: int, lexicon: _Lexicon) -> Clause:
    follows = at > 0 and bool(_CONTINUES.search(text))
    bare = text
    while (shorter := _LEADING.sub("", bare)) != bare:
        bare = shorter
    forbidden = bool(_FORBIDS.search(bare))
    points_back = at > 0 and bool(POINTS_BACK.search(_EXPLETIVE.sub("", bare)))
    return Clause(bare.strip(" ,"), _action(bare, lexicon), follows, points_back, forbidden)


def _action(text: str, lexicon: _Lexicon) -> Action | None:
    found = words(text)
    goal = turned["goal"] if (turned := TURNS_INTO.match(text)) else ""
    wished = text if _WISH.match(text) or _SHOWN_ANEW.match(text) else goal
    if _KEEPS.match(text) or lexicon.names_product(words(wished)[:_NOUN_REACH]):
        return "create"
    action = _verb_action(text, found, lexicon.verbs)
    return "create" if action in {"read", "report"} and _ALOUD.search(text) else action


def _verb_action(text: str, found: list[str], verbs: frozenset[str]) -> Action | None:
    if _ASKS_UNSPACED.search(text) or (found and found[0].lower() in _ASKING):
        return "read"
    for word in found[:4]:
        if stem(word) in verbs and (action := verb_action(word)):
            return action
        if word.lower() not in STOP_WORDS:
            break
    return None
