"""Lone surrogates: text that JSON can carry and that nothing else can encode.

Servers that count text in UTF-16 cut a character into two halves, and models write escapes of
half a character. Python reads both; printing, storing or sending such a text again fails. Here
halves that belong together are joined, and any other half becomes U+FFFD.
"""

from __future__ import annotations

import re
from typing import Any, Final

from runcrate_core.protocol.large_values import STEP, steps

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# An escape of a surrogate in JSON text, also behind an escaped backslash, where it is none.
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPED_SURROGATE_BYTES: Final = re.compile(_ESCAPED_SURROGATE.pattern.encode())
# So many bytes of an escape may lie behind the end of a step.
_ESCAPE_LENGTH: Final = 5
_FIRST_LOW: Final = "\udc00"


def valid_text(text: str) -> str:
    """Return a text without surrogates: pairs are joined, lone ones become U+FFFD."""
    if text.isascii() or not any(map(_SURROGATE.search, steps(text))):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def valid_json(value: Any) -> Any:
    """Return a JSON value in which every text, names included, is valid (see `valid_text`)."""
    match value:
        case str():
            return valid_text(value)
        case dict():
            return {valid_text(name): valid_json(item) for name, item in value.items()}
        case list():
            return [valid_json(item) for item in value]
        case _:
            return value


def may_hold_surrogates(body: bytes) -> bool:
    """Return whether a JSON text has escapes of surrogates, in pairs or alone."""
    return b"\\u" in body and any(
        _ESCAPED_SURROGATE_BYTES.search(body, start, start + STEP + _ESCAPE_LENGTH)
        for start in range(0, len(body), STEP)
    )


class SurrogateJoiner:
    """Joins characters that a stream of chat chunks delivers in two halves.

    A first half at the end of a text is held back until the same text continues in a later chunk.
    When the choice finishes before that, it becomes U+FFFD.

    Attributes:
        held: The halves that wait, by the place of their text.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[tuple[Any, ...], str] = {}

    def concerns(self, payload: str) -> bool:
        """Return whether the chunk in this JSON text needs `repair`."""
        return bool(self.held) or (
            "\\u" in payload and _ESCAPED_SURROGATE.search(payload) is not None
        )

    def repair(self, chunk: dict[str, Any]) -> None:
        """Make every text of a chunk valid, in place."""
        choices = chunk.get("choices")
        for name, value in chunk.items():
            if name != "choices":
                chunk[name] = valid_json(value)
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if not isinstance(choice, dict):
                continue
            number = choice.get("index") if isinstance(choice.get("index"), int) else position
            delta = choice.get("delta")
            for name, value in choice.items():
                if name != "delta":
                    choice[name] = valid_json(value)
            if isinstance(delta, dict):
                choice["delta"] = self._repaired(delta, (number,))
                if choice.get("finish_reason"):
                    self._release(number, choice["delta"])

    def _repaired(self, value: Any, path: tuple[Any, ...]) -> Any:
        match value:
            case str():
                return self._joined(value, path)
            case dict():
                return {
                    valid_text(name): self._repaired(item, (*path, name))
                    for name, item in value.items()
                }
            case list():
                return [
                    self._repaired(item, (*path, _place_of(item, position)))
                    for position, item in enumerate(value)
                ]
            case _:
                return value

    def _joined(self, text: str, path: tuple[Any, ...]) -> str:
        if text:
            text = self.held.pop(path, "") + text
            if "\ud800" <= text[-1] < _FIRST_LOW:
                self.held[path], text = text[-1], text[:-1]
        return valid_text(text)

    def _release(self, number: Any, delta: dict[str, Any]) -> None:
        """End the texts of a choice. Half a character in a tool call is dropped."""
        for path in [path for path in self.held if path[0] == number]:
            del self.held[path]
            if len(path) == 2:  # noqa: PLR2004 - the choice, and a member of its delta
                delta[path[1]] = (delta.get(path[1]) or "") + REPLACEMENT


class EscapeJoiner:
    r"""Replaces escapes of half a character in JSON text that comes in pieces.

    `\ud83d` without its second half is valid JSON of a text that nothing can encode. An escape at
    the end of a piece, and a first half, are held back until the next piece.

    Attributes:
        held: What was held back.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = ""

    def feed(self, piece: str) -> str:
        """Return as much of the text as is certain by now."""
        text = self.held + piece
        finished = _FINISHED.match(text)
        end = len(text) if finished is None else finished.end()
        self.held, text = text[end:], text[:end]
        return _ESCAPES.sub(_without_lone_half, text)


# Escaped characters that are no `\\u`, pairs of surrogates, single ones.
_ESCAPES: Final = re.compile(
    r"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
# All of a text but an escape that its end cuts, and a first half whose second may follow.
_FINISHED: Final = re.compile(
    r"(?:[^\\]+|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u]"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\?\Z|\\u[0-9a-fA-F]{0,3}\Z))*"
)


def _without_lone_half(found: re.Match[str]) -> str:
    return "\\ufffd" if found[1] else found[0]


def _place_of(item: Any, position: int) -> Any:
    index = item.get("index") if isinstance(item, dict) else None
    return position if index is None else index
