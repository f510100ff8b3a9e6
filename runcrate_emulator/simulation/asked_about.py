"""What a question asks about, by its grammar: `the melter` in `How much does the melter need?`."""

import re
from typing import Final, Literal

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.actions import VERBS
from runcrate_emulator.simulation.words import stem

Helper = Literal["doing", "being"]

_DETERMINERS: Final = r"(?:the|an?|my|our|your|this|that|these|those|his|her|their|its)"
_HELPERS: Final = (
    ("doing", "do|does|did|can|could|will|would|should|must|may|might|has|have|had"),
    ("being", "is|are|was|were"),
)
_SUBJECTS: Final = {
    helper: re.compile(
        rf"\b(?:{verbs})\s+(?P<article>{_DETERMINERS})\s+"
        r"(?P<said>[^\W\d_][\w'\u2019-]*(?:\s+[^\W_][\w'\u2019-]*){0,5})",
        re.IGNORECASE,
    )
    for helper, verbs in _HELPERS
}
_OF_THE: Final = re.compile(
    rf"^\s+of\s+(?P<article>{_DETERMINERS})\s+(?P<said>[^\W\d_][\w'\u2019-]*(?:\s+[^\W_][\w'\u2019-]*){{0,3}})",
    re.IGNORECASE,
)
_ENDS: Final = frozenset(
    """
    a about above after all alone already also always an and any as at be been before below between
    both but by during each else even ever every for from her here his if in inside into it its just
    last least less me more most much my near never next normally now of often off on once only or
    our out outside over per really same so some still that the their then there these they this
    those through to together today under until up us usually when where whether which while who
    with within without you your
    """.split()  # noqa: SIM905 - words read best as words
)
"""Words at which the subject and its verb are over."""
_DOINGS: Final = VERBS | frozenset(
    map(
        stem,
        """
        accept allow arrive become begin belong break bring burn carry charge come consist consume
        contain cook cost cover deliver depend do draw drink drive eat emit fall fit fly get give go
        grow happen have heat hold keep know lack land last lead leave like live look lose make mean
        measure melt move need offer own pay produce provide pump reach receive replace require rise
        run sell serve sit sleep smell sound stand stay store support take taste think turn use
        wait want wash wear weigh work
        """.split(),  # noqa: SIM905 - words read best as words
    )
)
"""Stems of verbs that commonly stand behind the subject of a question."""
_STATES: Final = re.compile(r"\w{2,}(?:ed|ing|able)$", re.IGNORECASE)
_YES_OR_NO: Final = re.compile(r"^\W*(?:and |but |so )?(?:is|are|was|were)\b", re.IGNORECASE)


def doer(question: str) -> str:
    """Who or what does something in a question with `does`, `can` and the like, or ""."""
    return _subject(question, "doing")


def bearer(question: str) -> str:
    """Who or what is something in a question with `is` or `are`, or ""."""
    return _subject(question, "being")


def _subject(question: str, helper: Helper) -> str:
    match = _SUBJECTS[helper].search(question)
    if match is None:
        return ""
    said = _unended(match["said"].split())
    end = match.start("said") + len(" ".join(said))
    is_open = helper == "being" and not _YES_OR_NO.match(question)
    article = match["article"]
    if owner := _OF_THE.match(question[end:]):
        article, said = owner["article"], _unended(owner["said"].split())
    noun = _without_states(said) if is_open else _noun(said, helper)
    found = f"{article} {' '.join(noun)}"
    named = spans.names(found)
    return named[-1].text if named else found


def _unended(said: list[str]) -> list[str]:
    """The words up to the first one that can be no part of the subject or its verb."""
    end = next((at for at, word in enumerate(said) if at and word.lower() in _ENDS), len(said))
    return said[:end]


def _noun(said: list[str], helper: Helper) -> list[str]:
    """The words without the verb behind them, or without what they are said to be."""
    if helper == "being":
        return said[:-1] or said
    verbs = [at for at, word in enumerate(said) if at and stem(word) in _DOINGS]
    verb = verbs[-1] if verbs else len(said) - 1
    return said[:verb] or said


def _without_states(said: list[str]) -> list[str]:
    while len(said) > 1 and _STATES.match(said[-1]):
        said = said[:-1]
    return said
