"""What a verb does to the world: read, create, change, delete, wait, send, compute."""

from functools import lru_cache
from typing import Final, Literal

from runcrate_emulator.simulation.words import identifier_words, stem

Action = Literal["read", "create", "update", "delete", "wait", "send", "compute", "report"]

_VERBS: Final[dict[Action, str]] = {
    "read": "find list get search look lookup check fetch see view read query browse retrieve "
    "inspect discover locate compare show describe display pick choose select estimate plan quote "
    "research investigate explore study analyze analyse count",
    "create": "create launch start make add rent provision deploy boot spin open register order "
    "reserve hire schedule book buy purchase submit generate draw paint "
    "sketch speak narrate recite record upload install write compose draft prepare",
    "update": "update change modify rename edit resize set adjust replace extend top",
    "delete": "delete terminate destroy remove stop shut kill cancel end drop close release erase",
    "wait": "wait poll await watch monitor",
    "send": "send email mail notify message post publish text reply tweet",
    "compute": "calculate compute multiply subtract divide sum square convert translate evaluate",
    "report": "tell report say summarize summarise explain answer give mention",
}
_BY_STEM: Final = {stem(verb): action for action, verbs in _VERBS.items() for verb in verbs.split()}

_GOES_IN: Final = frozenset({"text", "mail", "email", "record", "message"})
_TURNS_INTO: Final = frozenset({"to", "2"})
VERBS: Final = frozenset(_BY_STEM)
"""Stems of all verbs that name an action."""


def verb_action(verb: str) -> Action | None:
    """What one word does; `None` for a word that is none of these verbs."""
    return _BY_STEM.get(stem(verb))


@lru_cache(maxsize=4096)
def action_of(name: str) -> Action | None:
    """What a tool does, judged by the first verb in its name.

    In `text_to_speech` the text is what goes in; nothing is texted.
    """
    named = identifier_words(name)
    verbs = (
        word
        for word, after in zip(named, [*named[1:], ""], strict=False)
        if not (word.lower() in _GOES_IN and after.lower() in _TURNS_INTO)
    )
    return next((found for word in verbs if (found := verb_action(word))), None)
