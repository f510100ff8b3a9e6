"""A short text that matches a regular expression of a JSON schema."""

import re
from typing import Final

_CLASSES: Final = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_ANY: Final = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ .:/@#,"
_UNREADABLE: Final = "This pattern uses a construct that is not supported."
_QUANTIFIER: Final = re.compile(r"\{(\d+)(,(\d*))?\}")


class _Sampler:
    """Reads an expression from left to right and writes the shortest text that fits."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def sample(self) -> str:
        text = self._alternatives()
        if self._at < len(self._pattern):
            raise ValueError(_UNREADABLE)
        return text

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        found = self._next()
        if not found:
            raise ValueError(_UNREADABLE)
        self._at += 1
        return found

    def _alternatives(self) -> str:
        first = self._sequence()
        while self._next() == "|":
            self._take()
            self._sequence()
        return first

    def _sequence(self) -> str:
        text = ""
        while self._next() not in {"", "|", ")"}:
            text += self._repeated(self._atom())
        return text

    def _repeated(self, atom: str) -> str:
        found = self._next()
        if found in {"*", "?"}:
            times = 0
        elif found == "+":
            times = 1
        elif found == "{" and (counts := _QUANTIFIER.match(self._pattern, self._at)):
            times = int(counts[1])
            self._at = counts.end() - 1
        else:
            return atom
        self._take()
        if self._next() in {"?", "+"}:
            self._take()
        return atom * times

    def _atom(self) -> str:
        found = self._take()
        if found == "(":
            return self._group()
        if found == "[":
            return self._character_class()
        if found == "\\":
            return self._escape()
        if found in {"^", "$"}:
            return ""
        return "a" if found == "." else found

    def _group(self) -> str:
        if self._next() == "?":
            self._take()
            kind = self._take()
            if kind == "P":
                kind = self._take()
            if kind == "<" and self._next() not in {"=", "!"}:
                while self._take() != ">":
                    pass
            elif kind != ":":
                raise ValueError(_UNREADABLE)
        text = self._alternatives()
        if self._take() != ")":
            raise ValueError(_UNREADABLE)
        return text

    def _escape(self) -> str:
        found = self._take()
        if found in {"b", "B", "A", "Z"}:
            return ""
        if found in {"p", "P", "u", "x"} or found.isdigit():
            raise ValueError(_UNREADABLE)
        return _CLASSES.get(found, {"n": "\n", "t": "\t", "r": "\r"}.get(found, found))

    def _character_class(self) -> str:
        start = self._at - 1
        if self._next() == "^":
            self._take()
        if self._next() == "]":
            self._take()
        while (found := self._take()) != "]":
            if found == "\\":
                self._take()
        one = re.compile(self._pattern[start : self._at])
        return next((c for c in _ANY if one.fullmatch(c)), "") or self._first_of(one)

    def _first_of(self, one: re.Pattern[str]) -> str:
        for code in range(0x10000):
            if one.fullmatch(chr(code)):
                return chr(code)
        raise ValueError(_UNREADABLE)


def sample(pattern: str) -> str | None:
    """A text that matches, or `None` for an expression beyond this module's means."""
    try:
        text = _Sampler(pattern).sample()
        return text if re.search(pattern, text) else None
    except (ValueError, re.error):
        return None
