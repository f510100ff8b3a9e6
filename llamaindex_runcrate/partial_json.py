"""Reading JSON text while it is being written.

Agents read a tool call's arguments after every chunk of a stream. Parsing the complete text each
time costs a time that grows with the square of its length; this reader goes over each character
once.
"""

from __future__ import annotations

import re
from typing import Any, Final

_SPACE: Final = re.compile(r"\s*")
_PLAIN: Final = re.compile(r'[^"\\]*')
_SCALAR: Final = re.compile(r"[-+.\w]*")
_ESCAPED: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_LITERALS: Final = {"true": True, "false": False, "null": None}
_UNICODE_ESCAPE_LENGTH: Final = 5  # "u" and four digits
_HIGH_SURROGATES: Final = ("\ud800", "\udbff")


class PartialJson:
    """A JSON value as far as its text has come.

    A text that is not finished counts as it stands; a name, number or literal that is not
    finished does not count yet, so that 1 is never taken for 12. What is not JSON ends the
    reading: the value stays what it was.

    Attributes:
        is_complete: Whether the value has come to its end. What follows it is ignored.
        is_broken: Whether the text is not JSON.

    Example:
        ```python
        from llamaindex_runcrate.partial_json import PartialJson

        arguments = PartialJson()
        arguments.feed('{"city": "Par')
        assert arguments.value() == {"city": "Par"}
        arguments.feed('is", "days": 1')
        assert arguments.value() == {"city": "Paris"}
        ```
    """

    __slots__ = (
        "_escape",
        "_expected",
        "_in_string",
        "_keys",
        "_open",
        "_root",
        "_scalar",
        "_surrogates",
        "_text",
        "is_broken",
        "is_complete",
    )

    def __init__(self) -> None:
        self.is_complete = False
        self.is_broken = False
        self._root: Any = None
        self._open: list[Any] = []  # containers that are not closed, outermost first
        self._keys: list[str] = []  # the name that each open object's next value gets
        self._expected = "value"  # "value", "key", "colon" or "more", outside of texts
        self._in_string = False
        self._text = ""
        self._escape = ""
        self._scalar = ""
        self._surrogates = False

    def feed(self, text: str) -> None:
        """Read the next piece of the text, cut anywhere."""
        if self._in_string and not self._escape and '"' not in text and "\\" not in text:
            self._text += text  # the middle of a text: what most pieces are
            return
        position, end = 0, len(text)
        while position < end and not (self.is_complete or self.is_broken):
            if self._escape:
                position = self._read_escape(text, position)
            elif self._in_string:
                position = self._read_string(text, position)
            else:
                position = self._read_between(text, position)

    def value(self) -> Any:
        """Return the value so far; None when there is none. What is read later leaves it alone."""
        if not self._open:
            started = self._in_string and not self.is_complete
            return self._clean_text() if started else self._root
        copies = [container.copy() for container in self._open]
        if len(copies) > 1:
            for outer, inner, key in zip(copies, copies[1:], self._keys, strict=False):
                if isinstance(outer, dict):
                    outer[key] = inner
                else:
                    outer[-1] = inner
        if self._in_string and self._expected == "value":
            innermost = copies[-1]
            if isinstance(innermost, dict):
                innermost[self._keys[-1]] = self._clean_text()
            else:
                innermost.append(self._clean_text())
        return copies[0]

    def _read_string(self, text: str, position: int) -> int:
        match = _PLAIN.match(text, position)
        end = match.end() if match else position
        self._text += text[position:end]
        if end == len(text):
            return end
        if text[end] == "\\":
            self._escape = "\\"
        else:
            self._in_string = False
            text, self._text = self._clean_text(), ""
            if self._expected == "key":
                self._keys[-1] = text
                self._expected = "colon"
            else:
                self._put(text)
        return end + 1

    def _read_escape(self, text: str, position: int) -> int:
        """Read on in an escape; it may be cut anywhere as well."""
        self._escape += text[position]
        escaped = self._escape[1:]
        if escaped[0] != "u":
            self._text += _ESCAPED.get(escaped, escaped)
        elif len(escaped) < _UNICODE_ESCAPE_LENGTH:
            return position + 1
        else:
            try:
                character = chr(int(escaped[1:], 16))
            except ValueError:
                self.is_broken = True
                return position
            self._surrogates |= "\ud800" <= character <= "\udfff"
            self._text += character
        self._escape = ""
        return position + 1

    def _read_between(self, text: str, position: int) -> int:
        if self._scalar or (self._expected == "value" and _begins_scalar(text[position])):
            return self._read_scalar(text, position)
        match = _SPACE.match(text, position)
        position = match.end() if match else position
        if position == len(text):
            return position
        character = text[position]
        if character == '"' and self._expected in ("value", "key"):
            self._in_string, self._surrogates = True, False
        elif character in "{[" and self._expected == "value":
            self._begin({} if character == "{" else [])
        elif character == ":" and self._expected == "colon":
            self._expected = "value"
        elif character == "," and self._expected == "more":
            self._expected = "key" if isinstance(self._open[-1], dict) else "value"
        elif character in "}]" and self._may_close(character):
            self._end()
        elif not _begins_scalar(character) or self._expected != "value":
            self.is_broken = True
        else:
            return position  # a number or literal behind white space
        return position + 1

    def _read_scalar(self, text: str, position: int) -> int:
        match = _SCALAR.match(text, position)
        end = match.end() if match else position
        self._scalar += text[position:end]
        if end == len(text):
            return end  # more digits may come
        scalar, self._scalar = self._scalar, ""
        try:
            self._put(_LITERALS[scalar] if scalar in _LITERALS else _number(scalar))
        except ValueError:
            self.is_broken = True
        return end

    def _begin(self, container: dict[str, Any] | list[Any]) -> None:
        self._attach(container)
        self._open.append(container)
        self._keys.append("")
        self._expected = "key" if isinstance(container, dict) else "value"

    def _may_close(self, character: str) -> bool:
        """True if the innermost container may end here; a comma before its end is forgiven."""
        if not self._open:
            return False
        if isinstance(self._open[-1], dict):
            return character == "}" and self._expected in ("key", "more")
        return character == "]" and self._expected in ("value", "more")

    def _end(self) -> None:
        self._open.pop()
        self._keys.pop()
        self._expected = "more"
        self.is_complete = not self._open

    def _put(self, value: Any) -> None:
        self._attach(value)
        self._expected = "more"
        self.is_complete = not self._open

    def _attach(self, value: Any) -> None:
        if not self._open:
            self._root = value
        elif isinstance(self._open[-1], dict):
            self._open[-1][self._keys[-1]] = value
        else:
            self._open[-1].append(value)

    def _clean_text(self) -> str:
        """Return the text with each pair of surrogates as the character that they stand for."""
        if not self._surrogates:
            return self._text
        text = self._text
        if self._in_string and text and _HIGH_SURROGATES[0] <= text[-1] <= _HIGH_SURROGATES[1]:
            text = text[:-1]  # its other half is still to come
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _begins_scalar(character: str) -> bool:
    return character.isalnum() or character == "-"


def _number(scalar: str) -> int | float:
    try:
        return int(scalar)
    except ValueError:
        return float(scalar)
