"""Untrusted text (logs, names, error texts), sanitized for a model to read as data.

It may hold secrets, sequences that drive a terminal, invisible characters, or marks by which chat
models distinguish speakers. These are removed and the text is cut. Instructions in it are stopped
by the limits of the guard, not by this.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from runcrate_core.protocol.redaction import MASK, redact

MAX_NAME_LENGTH: Final = 120
MAX_REMARK_LENGTH: Final = 600
# Of a long text so much more than is shown is cleaned, so that no secret is cut in two.
_MARGIN: Final = 16_384
# A private key whose beginning stood in an earlier part of the text.
_KEY_END: Final = re.compile(r"(?s)\A(?:(?!-----BEGIN).)*?-----END[^-]*PRIVATE KEY-----")

_TERMINAL: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
)
# Marks of chat formats and of tool protocols; an opening bracket is enough to break them.
_MARKS: Final = re.compile(
    r"""
      <\| | \|>                                                 # <|im_start|>
    | \[ (?= /?INST\] ) | << (?= /?SYS>> )                      # [INST], <<SYS>>
    | < (?= /? \s* (?:[a-z0-9_]+:)? (?:system|assistant|user|human|developer|tool|function
        |instruction|untrusted|result|parameter|invoke|think) [a-z0-9_-]* \b )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# A line that begins like a turn of a conversation. Looking no further than its end keeps the time
# for a text of many empty lines from growing with the square of their number.
_TURNS: Final = re.compile(
    r"(?im)^(?=[^\S\n]*(?:system|assistant|user|human|developer|tool)[^\S\n]*:)"
)
# Control, format (writing direction, invisible tags), surrogate and private characters.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True)
class Sanitizer:
    """Sanitizes untrusted text.

    Attributes:
        secrets: Exact values that must not be shown, such as the client's key.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)

    def name(self, text: str | None) -> str | None:
        """Return a name, on one line."""
        if text is None:
            return None
        shown = " ".join(self._clean(text[: MAX_NAME_LENGTH + _MARGIN]).split())
        return shown if len(shown) <= MAX_NAME_LENGTH else f"{shown[: MAX_NAME_LENGTH - 1]}…"

    def remark(self, text: str | None) -> str | None:
        """Return a short text, such as an error, from its beginning."""
        if text is None:
            return None
        shown = self._clean(text[: MAX_REMARK_LENGTH + _MARGIN]).strip()
        return shown if len(shown) <= MAX_REMARK_LENGTH else f"{shown[: MAX_REMARK_LENGTH - 1]}…"

    def excerpt(self, text: str, max_length: int) -> str:
        """Return the first characters of a long text."""
        return self._clean(text[: max_length + _MARGIN])[:max_length].rstrip()

    def tail(self, text: str, max_length: int) -> tuple[str, int]:
        """Return the last characters of a long text, and how many before them are left out."""
        before = max(0, len(text) - max_length - _MARGIN)
        shown = self._clean(text[before:])
        cut = max(0, len(shown) - max_length)
        return shown[cut:], before + cut

    def _clean(self, text: str) -> str:
        text = _KEY_END.sub(MASK, text)
        text = _TERMINAL.sub("", redact(text, self.secrets).replace("\r\n", "\n"))
        visible = "".join(
            character
            for character in text
            if character in "\n\t" or unicodedata.category(character) not in _INVISIBLE
        )
        # Invisible characters may have hidden a secret's shape, so it is searched again.
        visible = redact(visible, self.secrets)
        return _TURNS.sub("| ", _MARKS.sub(_broken, visible))


def _broken(match: re.Match[str]) -> str:
    """Return a mark with a space in it, so that it marks nothing."""
    mark = match.group()
    return f"{mark[0]} {mark[1:]}"
