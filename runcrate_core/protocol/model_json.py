"""JSON that a model wrote: read strictly, so that half of a value is never taken for a whole one.

The only liberty is that texts may hold raw line breaks, which many models write. `NaN`, infinite
numbers and numbers too large to be finite are errors: no request can carry them. Half surrogate
pairs become U+FFFD, as text with them cannot be encoded.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


def load_json(text: str) -> Any:
    """Return the value that a text holds.

    Raises:
        ValueError: The text is not one complete JSON value.
    """
    value, end = decode_json(text, _first_visible(text, 0))
    if _first_visible(text, end) != len(text):
        raise ValueError(f"there is more text behind the value (character {end})")
    return value


def decode_json(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the value that begins at a place of a text, and where it ends.

    Raises:
        ValueError: No complete JSON value begins there.
    """
    try:
        value, end = _decode(text, start)
        if _SURROGATE.search(text, start, end):
            value = _without_surrogates(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value, end


def parse_arguments(arguments: object) -> dict[str, Any] | None:
    """Return the arguments of a tool call; `None` when they cannot be read.

    Args:
        arguments: JSON text, or the object itself. Some models write the object as text inside of
            a text. Nothing at all, or `null`, stands for a call without arguments.
    """
    if arguments is None:
        return {}
    if isinstance(arguments, str):
        if not arguments.strip():
            return {}
        try:
            arguments = load_json(arguments)
            if isinstance(arguments, str):
                arguments = load_json(arguments)
        except ValueError:
            return None
        if arguments is None:
            return {}
    return arguments if isinstance(arguments, dict) else None


def repair_text(text: str) -> str:
    """Return a text whose surrogate pairs are characters; a half pair becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


_decode: Final = json.JSONDecoder(
    strict=False, parse_constant=_refuse_constant, parse_float=_finite
).raw_decode


def _first_visible(text: str, position: int) -> int:
    end = len(text)
    while position < end and text[position] in " \t\n\r":
        position += 1
    return position


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return repair_text(value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {repair_text(name): _without_surrogates(item) for name, item in value.items()}
        case _:
            return value
