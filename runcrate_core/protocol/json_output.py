"""Structured output: the one JSON value in the text of a model's reply, or the reason for none.

Only a complete value counts. A piece of a value that was cut is not the value, and with several
values in one text (an echoed schema, an example, the response) none is picked.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from runcrate_core.protocol.tool_arguments import ended_at_limit, strict_json
from runcrate_core.protocol.unicode_text import valid_json

# Some servers leave a model's reasoning in the text of its reply.
_REASONING: Final = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
# Where an object, or a list of objects, lists or texts begins. `{x}` and `[1]` are prose.
_START: Final = re.compile(r'\{\s*(?:"|\}|\Z)|\[\s*[\[{"]')


class JsonOutputError(ValueError):
    """A reply is not one complete JSON value; the message says why.

    Attributes:
        cut_off: The reply ended at its token limit.
    """

    def __init__(self, message: str, *, cut_off: bool = False) -> None:
        super().__init__(message)
        self.cut_off = cut_off


def without_reasoning(text: str) -> str:
    """Return the text of a reply without the reasoning at its start."""
    return _REASONING.sub("", text)


def parse_json_output(text: str, *, finish_reason: str | None = None) -> Any:
    """Return the JSON value in the text of a reply.

    Prose and code fences around the value are accepted, unless the reply was cut off.

    Args:
        text: The complete text.
        finish_reason: Why the reply ended.

    Raises:
        JsonOutputError: There is no value, several, or an incomplete one.
    """
    text = without_reasoning(text).strip()
    cut_off = ended_at_limit(finish_reason)
    try:
        value = strict_json(text)
    except (ValueError, RecursionError) as error:
        if cut_off:
            raise _cut_error() from None
        return valid_json(_embedded_value(text, error))
    if cut_off and not isinstance(value, dict | list | str):
        raise _cut_error()  # further digits may be missing
    return valid_json(value)


def echoes_schema(value: Any, schema: Any) -> bool:
    """Return whether a reply is the JSON schema that was asked for, instead of a value of it.

    Args:
        value: The parsed reply.
        schema: The schema, as it was sent.
    """
    if not isinstance(value, dict) or not isinstance(schema, dict):
        return False
    properties = schema.get("properties")
    if not isinstance(value.get("properties"), dict) or not isinstance(properties, dict):
        return False
    return "properties" not in properties and ("type" in value or "$defs" in value)


def _cut_error() -> JsonOutputError:
    return JsonOutputError(
        "The response was cut off at its token limit before it was complete JSON. Raise "
        "`max_tokens`, or ask for less.",
        cut_off=True,
    )


def _embedded_value(text: str, problem: Exception) -> Any:
    values: list[Any] = []
    position = 0
    while (start := _START.search(text, position)) is not None:
        value, position = _value_at(text, start.start())
        if value not in values:
            values.append(value)
    if len(values) == 1:
        return values[0]
    if values:
        raise JsonOutputError(
            f"The response holds {len(values)} different JSON values, so it is not clear which one "
            "is meant."
        )
    raise JsonOutputError(f"The response is not JSON: {problem}.")


_decoder: Final = json.JSONDecoder(strict=False)


def _value_at(text: str, start: int) -> tuple[Any, int]:
    try:
        _, end = _decoder.raw_decode(text, start)
        return strict_json(text[start:end]), end
    except (ValueError, RecursionError) as error:
        raise JsonOutputError(f"The response is not complete JSON: {error}.") from None
