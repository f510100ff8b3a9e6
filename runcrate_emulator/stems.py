"""Words, stems and stop words: the measure of similarity of embeddings and the default model."""

import re
from functools import lru_cache
from typing import Final

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # of scripts without spaces: each a word
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['\u2019.][^\W_]+)*")
_CAMEL_STEP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
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

_MIN_STEM: Final = 3


def words(text: str) -> list[str]:
    """The words of a text as written, without punctuation."""
    return _WORD.findall(text)


def identifier_words(name: str) -> list[str]:
    """The words of a program's name: `getWeather`, `get_weather` and `get-weather` are alike."""
    return [part for word in words(name.replace("_", " ")) for part in _CAMEL_STEP.split(word)]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its inflection: `launches`, `launched` and `launching` become `launch`."""
    lowered = word.lower().replace("\u2019", "'").removesuffix("'s").replace("'", "")
    if word[:-1].isupper() and word.endswith("s"):
        return lowered[:-1]
    if len(lowered) <= _MIN_STEM or not lowered.isascii() or not lowered.isalpha():
        return lowered
    for ending, instead in _ENDINGS:
        rest = ending.sub(instead, lowered)
        if len(rest) >= _MIN_STEM and re.search("[aeiouy]", rest):
            lowered = rest
    return lowered


_ENDINGS: Final = tuple(
    (re.compile(ending), instead)
    for ending, instead in (
        (r"ies$", "y"),
        (r"(ss|x|ch|sh|z)es$", r"\1"),
        (r"(?<![sui])s$|(?<=^[acgt]p[ui])s$", ""),  # not of `status`, but of `gpus` and `apis`
        (r"(?<=.{5})ment$|(?<=.{4})(?<=[ts])ion$|(?<=.{4})est$", ""),
        (r"(edly|ing|ed)$", ""),
        (r"([bdfgkmnprtv])\1$", r"\1"),
        (r"ily$", "y"),
        (r"ly$|e$", ""),
        (r"(?<=.{5})at$", ""),
        (r"y$", "i"),
    )
)
"""Suffixes that are removed one after the other, where enough of the word is left."""


def stems(text: str) -> list[str]:
    """The stems of a text's topic words in order, repeats included."""
    return [
        stem(word) for word in words(text) if word.lower().replace("\u2019", "'") not in STOP_WORDS
    ]
