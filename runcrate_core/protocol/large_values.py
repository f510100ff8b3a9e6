"""Large texts and JSON values, handled in steps between which other threads run.

A large body is encoded and parsed in a thread, off the event loop. That alone frees the loop only
between calls into C: `json`, `base64` and `str.encode` hold the interpreter for as long as one
text takes, which is half a second for 50 MB. Here no step takes more than a few milliseconds.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# Smaller bodies and texts are handled at once, on the event loop too.
LARGE: Final = 256 * 1024
# Characters or bytes of one step; a multiple of 3 and of 4, as base64 needs.
STEP: Final = 192 * 1024

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decoder: Final = json.JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\n\r]*")
# Characters of a text in JSON, with complete escapes only.
_CHARACTERS: Final = re.compile(r'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+')
_SURROGATE_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# Containers down to this depth are walked in Python, and each value below is read in one step:
# `{"data": [{"embedding": [...]}, ...]}` has its many small values at depth 3.
_WALKED_DEPTH: Final = 3


# Set where values are encoded off the event loop.
_in_steps: ContextVar[bool] = ContextVar("in_steps", default=False)


def is_large(value: Any) -> bool:
    """Return whether the texts and bytes in containers come to more than `LARGE`."""
    left = LARGE
    waiting = [value]
    for item in waiting:
        kind = type(item)
        if kind is str or kind is bytes:
            left -= len(item)
            if left < 0:
                return True
        elif kind is dict:
            waiting.extend(item.values())
        elif kind is list or kind is tuple:
            waiting.extend(item)
    return False


def call_in_steps(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function that encodes a large value; for a thread next to an event loop."""
    token = _in_steps.set(True)
    try:
        return function(*args, **kwargs)
    finally:
        _in_steps.reset(token)


def steps(value: str) -> Iterator[str]:
    """Return the parts of a text, each of at most `STEP` characters."""
    return (value[start : start + STEP] for start in range(0, len(value), STEP))


def dump_json(value: Any) -> bytes:
    """Encode a JSON value, in steps off the event loop.

    Raises:
        TypeError, ValueError, RecursionError: As the encoder of `json`.
    """
    if not _in_steps.get():
        return _encode(value).encode()
    long_texts: list[str] = []
    mark = f"\N{SECTION SIGN}{uuid.uuid4().hex}"
    head, *rest = _encode(_with_marks(value, mark, long_texts)).split(f'"{mark}"')
    pieces = [head.encode()]
    for text, between in zip(long_texts, rest, strict=True):
        pieces.append(b'"')
        pieces.extend(_encode(part)[1:-1].encode() for part in steps(text))
        pieces.append(b'"' + between.encode())
    return b"".join(pieces)


def _with_marks(value: Any, mark: str, long_texts: list[str]) -> Any:
    """Return a value with a mark in place of each long text, which are put into a list."""
    match value:
        case str() if len(value) > STEP:
            long_texts.append(value)
            return mark
        case dict():
            return {name: _with_marks(item, mark, long_texts) for name, item in value.items()}
        case list() | tuple():
            return [_with_marks(item, mark, long_texts) for item in value]
        case _:
            return value


def load_json(body: bytes) -> Any:
    """Parse a JSON text in UTF-8, UTF-16 or UTF-32; the same value, or error, as at once.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    encoding = json.detect_encoding(body)
    decode = codecs.getincrementaldecoder(encoding)("surrogatepass").decode
    view = memoryview(body)
    try:
        text = "".join(
            decode(view[start : start + STEP], start + STEP >= len(body))
            for start in range(0, max(len(body), 1), STEP)
        )
        value, end = _walk(text, _SPACE.match(text).end(), _WALKED_DEPTH)  # type: ignore[union-attr] # matches an empty text
    except (IndexError, StopIteration, UnicodeDecodeError, _NotJsonError):
        return json.loads(body)  # says what is wrong, and where
    return value if _SPACE.fullmatch(text, end) else json.loads(body)


class _NotJsonError(Exception):
    """The text is not JSON, or holds something that this reader leaves to `json`."""


def _walk(text: str, start: int, depth: int) -> tuple[Any, int]:
    """Return the value at a position, and where it ends."""
    opening = text[start]
    if opening == '"' and text.find('"', start + 1, start + STEP) < 0:
        return _long_text(text, start + 1)
    if not depth or opening not in "{[":
        return _decoder.raw_decode(text, start)
    values: dict[str, Any] | list[Any] = {} if opening == "{" else []
    closing = "}" if opening == "{" else "]"
    position = _after_space(text, start + 1)
    if text[position] == closing:
        return values, position + 1
    while True:
        if isinstance(values, dict):
            if text[position] != '"':
                raise _NotJsonError
            name, position = _decoder.raw_decode(text, position)
            position = _after_space(text, position)
            if text[position] != ":":
                raise _NotJsonError
            value, position = _walk(text, _after_space(text, position + 1), depth - 1)
            values[name] = value
        else:
            value, position = _walk(text, position, depth - 1)
            values.append(value)
        position = _after_space(text, position)
        if text[position] == closing:
            return values, position + 1
        if text[position] != ",":
            raise _NotJsonError
        position = _after_space(text, position + 1)


def _long_text(text: str, position: int) -> tuple[str, int]:
    """Return the text whose first character is at a position, and where its quotes end."""
    pieces: list[str] = []
    while text[position] != '"':
        end = _CHARACTERS.match(text, position, position + STEP).end()  # type: ignore[union-attr] # matches an empty text
        if end == position:
            raise _NotJsonError
        piece = json.loads(f'"{text[position:end]}"')
        if pieces and _SURROGATE_PAIR.fullmatch(pieces[-1][-1] + piece[0]):
            both = (pieces[-1][-1] + piece[0]).encode("utf-16-le", "surrogatepass")
            pieces[-1], piece = pieces[-1][:-1] + both.decode("utf-16-le"), piece[1:]
        pieces.append(piece)
        position = end
    return "".join(pieces), position + 1


def _after_space(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()  # type: ignore[union-attr] # matches an empty text


def encode_base64(data: bytes) -> str:
    """Return bytes in base64."""
    return "".join(
        base64.b64encode(data[start : start + STEP]).decode() for start in range(0, len(data), STEP)
    )


def decode_base64(text: str) -> bytes:
    """Return the bytes of a text in base64.

    Raises:
        ValueError: It is not valid base64.
    """
    if "=" in text[:-2]:
        return base64.b64decode(text, validate=True)  # padding in the middle is its error
    return b"".join(base64.b64decode(part, validate=True) for part in steps(text))
