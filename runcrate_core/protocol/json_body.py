"""Request bodies: strict JSON, encoded once, so that a retry sends the same bytes."""

from __future__ import annotations

import difflib
import math
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.large_values import dump_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

# Similarity of two names from which one is taken for the other misspelt.
_ALMOST: Final = 0.8


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Encode a request body.

    Raises:
        ValueError: A value is not JSON (NaN, infinity, bytes, datetime, Decimal, ...), or a text
            is not valid Unicode. The message names the field.
    """
    try:
        return dump_json(body)
    except (TypeError, ValueError, RecursionError) as error:
        problem = _first_problem(body, "") or f"The request body cannot be sent: {error}."
    # Not in the handler: the codec's error holds the complete body, and would be its context.
    raise ValueError(problem)


def without_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given: `None` means "not sent" throughout this library."""
    return {name: value for name, value in fields.items() if value is not None}


def refuse_misspelt(fields: Iterable[str], known: Collection[str]) -> None:
    """Refuse a field that is almost one of the API: it may be ignored there, as may a limit.

    Args:
        fields: Names of the fields that are given; other unknown ones may be new ones of the API.
        known: Names of the fields that the API documents.

    Raises:
        ValueError: One is misspelt. Nothing was sent.
    """
    for name in fields:
        meant = [] if name in known else difflib.get_close_matches(name, known, 1, _ALMOST)
        if meant:
            raise ValueError(f"`{name}` is not a field: is `{meant[0]}` meant? Nothing was sent.")


class Unchanged(Enum):
    """Marks an argument that was not given, where `None` means "off"."""

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged.UNCHANGED


def changes(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not `UNCHANGED`; a field that is `None` is sent as null.

    Raises:
        ValueError: There are none.
    """
    given = {name: value for name, value in fields.items() if value is not UNCHANGED}
    if not given:
        raise ValueError(
            f"There is nothing to change: give at least one of {', '.join(fields)}. "
            "Nothing was sent."
        )
    return given


def _first_problem(value: Any, path: str, depth: int = 0) -> str | None:
    deepest = 100  # far beyond any request; a structure that contains itself is deeper
    where = f"`{path}`" if path else "The request body"
    if depth > deepest:
        return f"{where} is nested too deeply, or contains itself. Nothing was sent."
    match value:
        case None | bool() | int():
            return None
        case str():
            return _text_problem(value, where)
        case float():
            if math.isfinite(value):
                return None
            return f"{where} is {value}, which JSON cannot express. Nothing was sent."
        case dict():
            return _mapping_problem(value, path, depth)
        case list() | tuple():
            problems = (
                _first_problem(item, f"{path}[{index}]", depth + 1)
                for index, item in enumerate(value)
            )
            return next(filter(None, problems), None)
        case _:
            return (
                f"{where} is of type `{type(value).__name__}`, which JSON cannot express. "
                "Convert it to text or a number first. Nothing was sent."
            )


def _text_problem(value: str, where: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{where} is not valid Unicode text (a lone surrogate). Nothing was sent."
    return None


def _mapping_problem(value: dict[Any, Any], path: str, depth: int) -> str | None:
    for key, item in value.items():
        if not isinstance(key, str):
            return (
                f"`{path}` has the key {key!r}, which is not text. Nothing was sent."
                if path
                else f"The request body has the key {key!r}, which is not text. Nothing was sent."
            )
        problem = _first_problem(item, f"{path}.{key}" if path else key, depth + 1)
        if problem:
            return problem
    return None
