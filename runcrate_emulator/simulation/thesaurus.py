"""Groups of words that mean about the same, for matching a request with a tool or a field."""

from functools import lru_cache
from typing import Final

from runcrate_emulator.simulation.words import stem

_GROUPS: Final = tuple(
    frozenset(stem(word) for word in group.split())
    for group in (
        (
            "find list get show search look lookup check fetch see view read query browse retrieve "
            "describe display inspect discover locate compare"
        ),
        (
            "create launch start make add rent provision deploy boot spin open new register order "
            "reserve hire schedule book"
        ),
        "delete terminate destroy remove stop shut kill cancel end drop close release",
        "update change modify rename edit resize set adjust replace extend",
        "wait poll await",
        "send mail email notify message post text",
        "save write store record remember note log",
        "buy purchase order acquire",
        "price cost rate expensive cheap fee charge usd dollar dollars tariff pricing",
        (
            "weather temperature forecast climate sunny rain rainy raining snow snowing humidity "
            "degrees sky condition umbrella wetter météo temps tiempo clima 天气"
        ),
        "balance credit credits money funds account",
        "memory ram vram gb gigabyte gigabytes gib",
        "gpu graphics accelerator card",
        "instance machine server vm node box pod",
        "storage volume disk crate",
        "status state condition",
        "location city place town country region area where",
        "person name who people user customer author guest guests passenger passengers adults",
        "date day time when year month",
        "hour hours weekday weekdays weekend schedule opening",
        "add sum plus addition total adder",
        "multiply times product multiplication",
        "subtract minus difference subtraction",
        "divide quotient division ratio",
        "calculate compute evaluate calculator arithmetic math calculation",
        "picture image photo photograph drawing illustration draw paint painting sketch",
        "speech voice audio speak sound aloud loud narration narrate spoken recite recording",
        "document documentation docs manual guide knowledge article",
        "company business firm corporation organization employer",
        "job occupation profession role work title position",
        "big large size huge",
        "fast quick speed rapid",
        "begin start first",
        "translate translation language",
        "summarize summary overview",
        "question query ask",
        "answer response reply",
        "error fail failure problem bug crash crashes issue broken defect",
        "billing invoice payment refund charge subscription",
        "key token secret credential password",
        "film movie video clip animation animate",
        "car vehicle automobile",
        "purpose goal aim objective",
        "join combine merge",
        "convert transform",
        "available stock free offered",
    )
)


@lru_cache(maxsize=16_384)
def concepts(word_stem: str) -> frozenset[int]:
    """The numbers of the groups that a stem belongs to; empty for most words."""
    return frozenset(number for number, group in enumerate(_GROUPS) if word_stem in group)


def alike(one: str, other: str) -> bool:
    """Whether two stems are equal or share a group."""
    return one == other or not concepts(one).isdisjoint(concepts(other))
