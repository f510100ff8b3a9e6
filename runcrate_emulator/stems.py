"""Words, stems and stop words: the measure of similarity of embeddings and the default model."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

WORD: Final = re.compile(r"[^\W_]+(?:['\u2019.][^\W_]+)*")
_CAMEL_STEP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Characters of scripts that write no spaces between words."""

_PARTICLE: Final = re.compile(r"[的是在有了吗呢多少什么怎样哪谁几はがのをか]")
"""Characters of those scripts that carry no topic."""

STOP_WORDS: Final = frozenset(
    """
        a about above after again all also am an and any are aren't as at be because been before
        being below between both but by can can't cannot could couldn't did didn't do does doesn't
        doing don't down during each either else etc ever every few for from further get give given
        gives had has have having he her here hers herself him himself his how i i'd i'll i'm i've
        if in into is isn't it it's its itself just let let's like may me might mine more most much
        must my myself neither no nor not now of off on once one only onto or other our ours out
        over own per please same shall she should so some such than that that's the their theirs
        them themselves then there there's these they they're this those through to too under until
        up upon us use used using very was wasn't we we're well were weren't what what's when where
        which while who whom whose why will with within without won't would wouldn't yes yet you
        you'd you'll you're your yours yourself tell show say know want need
        """.split()  # noqa: SIM905 - words read best as words
)
"""Words that carry no topic; a question's likeness to a passage is measured without them."""

_IRREGULAR: Final = {
    word: base
    for base, words in {
        "be": "is are was were been",
        "begin": "began begun",
        "big": "bigger biggest",
        "build": "built",
        "buy": "bought",
        "cheap": "cheaper cheapest cheaply",
        "child": "children",
        "choose": "chose chosen",
        "cost": "costs costing",
        "die": "died dead death",
        "expens": "expensive",
        "api": "apis",
        "cpu": "cpus",
        "few": "fewer fewest",
        "find": "finds finding",
        "go": "went gone goes",
        "gpu": "gpus",
        "grow": "grew grown",
        "high": "higher highest",
        "hold": "held",
        "keep": "kept",
        "know": "knew known",
        "low": "lower lowest",
        "make": "made makes making",
        "man": "men",
        "new": "newer newest",
        "old": "older oldest",
        "pay": "paid payment payments",
        "person": "people persons",
        "run": "ran runs running",
        "sell": "sold",
        "send": "sent",
        "speak": "spoke spoken",
        "spend": "spent",
        "take": "took taken takes taking",
        "teach": "taught",
        "think": "thought",
        "win": "won",
        "woman": "women",
        "write": "wrote written writes writing",
    }.items()
    for word in words.split()
}
_BRITISH: Final = ("colour", "favour", "behaviour", "labour", "neighbour", "flavour", "humour")
_MIN_STEM: Final = 3


def words(text: str) -> list[str]:
    """The words of a text as written, without punctuation."""
    return WORD.findall(text)


def identifier_words(name: str) -> list[str]:
    """The words of a program's name: `getWeather`, `get_weather` and `get-weather` are alike."""
    return [part for word in words(name.replace("_", " ")) for part in _CAMEL_STEP.split(word)]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its inflection: `launches`, `launched` and `launching` become `launch`."""
    if word.endswith("s") and word[:-1].isupper() and len(word) > 1:
        word = word[:-1]
    lowered = word.lower().replace("\u2019", "'")
    lowered = lowered.removesuffix("'s").replace("'", "")
    if lowered.startswith(_BRITISH):
        lowered = lowered.replace("our", "or", 1)
    if lowered in _IRREGULAR:
        return _IRREGULAR[lowered]
    if len(lowered) <= _MIN_STEM or not lowered.isascii() or not lowered.isalpha():
        return lowered
    return _without_silent_end(_without_ending(_without_plural(lowered)))


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_ending(word: str) -> str:
    if word.endswith("ment") and len(word) > len("document"):
        return word[:-4]
    for ending in ("edly", "ing", "ed", "ily", "ly"):
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < _MIN_STEM or not re.search("[aeiouy]", rest):
            continue
        if ending in {"ing", "ed", "edly"}:
            return rest[:-1] if _doubled(rest) else rest
        return rest + "y" if ending == "ily" else rest
    if word.endswith(("tion", "sion")) and len(word) > len("nation"):
        return word[:-3]
    if word.endswith("est") and len(word) > len("forest"):
        return word[:-3]
    return word


def _doubled(word: str) -> bool:
    return len(word) > _MIN_STEM and word[-1] == word[-2] and word[-1] not in "lsz"


def _without_silent_end(word: str) -> str:
    if len(word) <= _MIN_STEM:
        return word
    word = word.removesuffix("e")
    if word.endswith("at") and len(word) > len("locate"):
        return word[:-2]
    return word[:-1] + "i" if word.endswith("y") else word


def stems(text: str) -> list[str]:
    """The stems of a text's topic words in order, repeats included.

    Text in scripts without spaces gives its overlapping pairs of characters.
    """
    return [
        part
        for word in words(text)
        if word.lower().replace("\u2019", "'") not in STOP_WORDS
        for part in _parts(word)
    ]


def _parts(word: str) -> Iterable[str]:
    if not _UNSPACED.search(word):
        return (stem(word),)
    return (pair for run in _PARTICLE.split(word) for pair in _pairs(run))


def _pairs(run: str) -> Iterable[str]:
    if len(run) < 2:  # noqa: PLR2004 - too short for a pair
        return (run,) if run else ()
    return (run[at : at + 2] for at in range(len(run) - 1))


def stem_set(text: str) -> frozenset[str]:
    """The different stems of a text's topic words."""
    return frozenset(stems(text))


def is_name_like(word: str) -> bool:
    """True if a word names something particular: it has a capital or a digit."""
    return any(character.isupper() or character.isdigit() for character in word)


COMMON_STEMS: Final = frozenset(
    stem(word)
    for word in """
        able add allow answer any apply available back base become call case change check come
        contain create current data day default different end example file find first follow form
        found full good great group hold important include information keep kind know large last
        later level line list little long look made make mean method name need new next note number
        old order page part people place point possible problem provide put question read
        reason require result return right run same section see send set show side small source
        start state step still system take term text thing think time turn two type used user value
        version want way well work world write year
        """.split()  # noqa: SIM905 - words read best as words
)
"""Stems that so many texts hold that they tell little; what a corpus would find out by counting."""
